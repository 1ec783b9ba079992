/** A segment whose newest plaintext is in memory alone. */
export interface DirtySegment {
  /** A segment's length. */
  readonly buffer: Uint8Array
  /** How much of it is plaintext. */
  length: number
  /** The tag of the version at its place that it replaces, if there is one. */
  readonly replacedTag: Uint8Array | undefined
}

/** The dirty segments of a file, by index. */
export class DirtySegments {
  readonly #segmentSize: number
  readonly #byIndex = new Map<number, DirtySegment>()
  /** Memory of one that was dropped, which can be used again. */
  #spare: Uint8Array | undefined

  constructor(segmentSize: number) {
    this.#segmentSize = segmentSize
  }

  get count(): number {
    return this.#byIndex.size
  }

  /** Bytes of memory. */
  get memoryLength(): number {
    return this.#byIndex.size * this.#segmentSize
  }

  get(index: number): DirtySegment | undefined {
    return this.#byIndex.get(index)
  }

  has(index: number): boolean {
    return this.#byIndex.has(index)
  }

  entries(): IterableIterator<[number, DirtySegment]> {
    return this.#byIndex.entries()
  }

  /** @param content - What it holds; the buffer is filled with it. */
  add(index: number, content: Uint8Array, replacedTag: Uint8Array | undefined): DirtySegment {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(this.#segmentSize)
    this.#spare = undefined
    buffer.set(content)
    const segment = { buffer, length: content.length, replacedTag }
    this.#byIndex.set(index, segment)
    return segment
  }

  drop(index: number): void {
    this.#spare ??= this.#byIndex.get(index)?.buffer
    this.#byIndex.delete(index)
  }

  /** Drops those below `end`, because they were committed. */
  dropBefore(end: number): void {
    for (const index of [...this.#byIndex.keys()]) if (index < end) this.drop(index)
  }

  /** Drops those from `start` on, because the file has become shorter. */
  dropFrom(start: number): void {
    for (const index of [...this.#byIndex.keys()]) if (index >= start) this.drop(index)
  }
}

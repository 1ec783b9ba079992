import { equalBytes } from '../../bytes/arrays.js'
import { accumulate, type SnapshotKey } from '../../seal/snapshot.js'

/**
 * Follows a reader, and where it comes by all segments in their order checks the snapshot over them, without a second pass
 * (seal.md, "Snapshot"). Single segments cannot show that an older version of them was put back; all together do.
 */
export class ThroughCheck {
  readonly #key: SnapshotKey
  /** The segment that would be the next; -1 where the reader did not begin with the first. */
  #next = -1
  #accumulator: Uint8Array
  /** What the last one added, and by which tag. */
  #last: { readonly tag: Uint8Array | undefined; readonly contribution: Uint8Array }

  constructor(key: SnapshotKey) {
    this.#key = key
    this.#accumulator = key.emptyAccumulator()
    this.#last = { tag: undefined, contribution: this.#accumulator }
  }

  /** How many segments, from the first one on, were read in their order; 0 where they were not. */
  get count(): number {
    return Math.max(0, this.#next)
  }

  /**
   * To be called for each segment that is read.
   *
   * @param tag - Undefined for one that is in memory alone and adds nothing.
   * @returns whether this is the first of a new pass.
   */
  note(index: number, tag: Uint8Array | undefined): boolean {
    const isFirst = index === 0 && this.#next !== 1
    if (isFirst) this.abandon()
    // What was in memory alone adds something once others come behind it, and must be noted again before them.
    else if (index === this.#next && this.#last.tag === undefined) this.abandon()
    if (isFirst || index === this.#next) {
      this.#next = index + 1
      this.#take(tag)
    } else if (index === this.#next - 1) {
      // The last segment again; it may have grown.
      if (tag === this.#last.tag) return false
      accumulate(this.#accumulator, this.#last.contribution)
      this.#take(tag)
    } else if (this.#next >= 0 && index > this.#next) this.abandon()
    return isFirst
  }

  /** Whether the segments that were read are those of an accumulator. Ends the pass. */
  endsWith(accumulator: Uint8Array): boolean {
    const matches = equalBytes(this.#accumulator, accumulator)
    this.abandon()
    return matches
  }

  /** Ends the pass without a result. */
  abandon(): void {
    this.#next = -1
    this.#accumulator = this.#key.emptyAccumulator()
  }

  #take(tag: Uint8Array | undefined): void {
    const contribution = tag === undefined ? this.#key.emptyAccumulator() : this.#key.contribution(this.#next - 1, tag)
    accumulate(this.#accumulator, contribution)
    this.#last = { tag, contribution }
  }
}

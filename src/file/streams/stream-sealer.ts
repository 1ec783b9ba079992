import { concatBytes } from '../../bytes/arrays.js'
import { encryptSegment } from '../../seal/segment.js'
import { ContainerFile } from '../engine/container-file.js'
import type { ResolvedOptions } from '../options.js'
import { SegmentCutter } from './segment-cutter.js'
import type { StreamCore } from './stream-core.js'

/** Makes a container of the stream kind from plaintext. Holds one segment at most. */
export class StreamSealer implements StreamCore {
  readonly #file: ContainerFile
  readonly #cutter: SegmentCutter
  /** The header, until it has been passed on. */
  #header: Uint8Array | undefined
  #index = 0

  /** @throws what the key manager throws where it is closed, or the purpose is not one. */
  constructor(options: ResolvedOptions) {
    const { file, keyHeader } = ContainerFile.create('stream', undefined, options)
    this.#file = file
    this.#header = keyHeader
    this.#cutter = new SegmentCutter(options.segmentSize)
  }

  /** What the file is known by. */
  get salt(): Uint8Array {
    return this.#file.schedule.parameters.salt
  }

  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    yield* this.#takeHeader()
    for (const plaintext of this.#cutter.push(chunk)) yield this.#seal(plaintext, false)
  }

  *end(): Generator<Uint8Array, void, undefined> {
    yield* this.#takeHeader()
    yield this.#seal(this.#cutter.end(), true)
  }

  dispose(): void {
    this.#file.dispose()
  }

  *#takeHeader(): Generator<Uint8Array, void, undefined> {
    const header = this.#header
    this.#header = undefined
    if (header !== undefined) yield header
  }

  #seal(plaintext: Uint8Array, isFinal: boolean): Uint8Array {
    const { ciphertext, tag } = encryptSegment(this.#file.schedule, { index: this.#index, isFinal }, plaintext)
    this.#index++
    // A write of 16 bytes costs a file or a socket more than this copy does.
    return concatBytes(ciphertext, tag)
  }
}

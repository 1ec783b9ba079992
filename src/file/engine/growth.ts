import { ciphertextSize, segmentPosition } from '../../container/geometry.js'
import { accumulate } from '../../seal/snapshot.js'
import type { ContainerFile } from './container-file.js'
import type { ReadableState } from './segment-reader.js'
import type { SegmentSealer } from './segment-sealer.js'
import type { WriteQueue } from './write-queue.js'

/** The segments that lie at their places in the file or are on their way there: those of the last commit, and new ones behind them. */
export class Growth {
  readonly #file: ContainerFile
  readonly #sealer: SegmentSealer
  readonly #queue: WriteQueue
  #count: number
  #length: number
  /** The tags of those that no commit holds. */
  #tags: Uint8Array[] = []
  /** The contributions of all, XORed. */
  #accumulator: Uint8Array

  /** @param accumulator - Over the segments of `state`. */
  constructor(
    file: ContainerFile,
    sealer: SegmentSealer,
    queue: WriteQueue,
    state: Pick<ReadableState, 'length' | 'count'>,
    accumulator: Uint8Array,
  ) {
    this.#file = file
    this.#sealer = sealer
    this.#queue = queue
    this.#count = state.count
    this.#length = state.length
    this.#accumulator = accumulator
  }

  /** How many segments have a place. */
  get count(): number {
    return this.#count
  }

  /** Where their plaintext ends. */
  get length(): number {
    return this.#length
  }

  get tags(): readonly Uint8Array[] {
    return this.#tags
  }

  /** Over the segments at their places; lent. */
  get accumulator(): Uint8Array {
    return this.#accumulator
  }

  /** Where the last one ends in the file. */
  get end(): number {
    return ciphertextSize(this.#file.geometry, this.#length)
  }

  /** The segments as a state from which those can be read that no commit holds. */
  get state(): ReadableState {
    return { length: this.#length, count: this.#count, redo: new Map() }
  }

  /** Encrypts the next segment, and queues it for its place. Its plaintext is not needed any more. */
  place(plaintext: Uint8Array): void {
    const { geometry, schedule } = this.#file
    const index = this.#count++
    const segment = this.#sealer.seal(index, plaintext)
    accumulate(this.#accumulator, schedule.snapshotKey!.contribution(index, segment.tag))
    this.#tags.push(segment.tag)
    this.#length = index * geometry.segmentSize + plaintext.length
    this.#queue.addSegment(segmentPosition(geometry, index), segment)
  }

  /** To be called when a commit holds all segments that are left. */
  adopt({ length, count }: Pick<ReadableState, 'length' | 'count'>, accumulator: Uint8Array): void {
    this.#length = length
    this.#count = count
    this.#tags = []
    this.#accumulator = accumulator
  }
}

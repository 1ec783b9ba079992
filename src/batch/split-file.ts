import { cutIntoRanges, type SegmentRange } from '../file/engine/range-sealer.js'
import { accumulate } from '../seal/snapshot.js'
import { BadRuns } from './damage.js'
import type { BegunFile, FileTask, RangeResult } from './messages.js'

/** Ranges are of this many bytes of plaintext: few messages, and no long wait for the last one. */
const RANGE_MIN = 4 * 2 ** 20
const RANGE_MAX = 64 * 2 ** 20
/** How many ranges there are for each worker, if their sizes allow. */
const RANGES_EACH = 8

/** One file that several workers are at: which ranges are left, and what the others have come to. */
export class SplitFile {
  readonly task: FileTask
  readonly begun: BegunFile
  readonly #ranges: SegmentRange[]
  readonly #accumulator: Uint8Array | undefined
  readonly #bad = new BadRuns()
  #inWork = 0
  #doneBytes = 0
  #failure: { readonly error: unknown } | undefined

  constructor(task: FileTask, begun: BegunFile, workers: number) {
    this.task = task
    this.begun = begun
    const { length, segmentSize } = begun
    const size = Math.min(RANGE_MAX, Math.max(RANGE_MIN, length / (workers * RANGES_EACH)))
    // The last first: they are taken from the end.
    this.#ranges = cutIntoRanges(Math.ceil(length / segmentSize), Math.max(1, Math.ceil(size / segmentSize))).reverse()
    const keepsNone = 'digest' in begun && begun.digest === undefined
    this.#accumulator = keepsNone ? undefined : new Uint8Array(32)
  }

  /** What came of all ranges that were done. */
  get whole(): RangeResult {
    return { accumulator: this.#accumulator, found: this.#bad.report }
  }

  /** Plaintext bytes of the ranges that were done. */
  get doneBytes(): number {
    return this.#doneBytes
  }

  /** Nobody works on it. */
  get isIdle(): boolean {
    return this.#inWork === 0
  }

  get isDone(): boolean {
    return this.isIdle && this.#ranges.length === 0 && this.#failure === undefined
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Why it cannot be done. */
  get error(): unknown {
    return this.#failure?.error
  }

  /** @returns a range to be worked on; undefined where none is left. */
  take(): SegmentRange | undefined {
    const range = this.#ranges.pop()
    if (range !== undefined) this.#inWork++
    return range
  }

  /** A range was done. */
  add(range: SegmentRange, { accumulator, found }: RangeResult): void {
    this.#inWork--
    this.#doneBytes += this.bytesOf(range)
    if (accumulator !== undefined) accumulate(this.#accumulator!, accumulator)
    if (found !== undefined) this.#bad.add(found.bad, found.badLeftOut)
  }

  /** Plaintext bytes of a range. */
  bytesOf({ first, end }: SegmentRange): number {
    const { length, segmentSize } = this.begun
    return Math.min(length, end * segmentSize) - first * segmentSize
  }

  /** A range was not done, and is to be done again. */
  giveBack(range: SegmentRange): void {
    this.#inWork--
    this.#ranges.push(range)
  }

  /** A range cannot be done: no other is begun. */
  fail(error: unknown): void {
    this.#inWork--
    this.#failure ??= { error }
    this.#ranges.length = 0
  }
}

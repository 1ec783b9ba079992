import { segmentLength } from '../../container/geometry.js'
import { CorruptedFileError } from '../../errors.js'
import { accumulate } from '../../seal/snapshot.js'
import type { Steps } from '../io/steps.js'
import { checkAborted } from '../io/system-errors.js'
import { isCommitted, type CommittedState } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
import type { SegmentRange } from './range-sealer.js'
import { SegmentReader, type ReadableState } from './segment-reader.js'

/** What a long call takes besides its work. */
export interface Control {
  /** Ends the call with an AbortError. */
  readonly signal?: AbortSignal | undefined
  /** Told at the beginning, from time to time, and at the end, how far the call is. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** How far a long call is. */
export interface Progress {
  /** Bytes of plaintext. */
  readonly done: number
  /** Bytes of plaintext. */
  readonly total: number
}

/** A segment that does not authenticate. */
export interface BadSegment {
  /** Zero-based. */
  readonly segment: number
  /** Where its plaintext begins. */
  readonly position: number
  /** Bytes of plaintext. */
  readonly length: number
  /** What is wrong with it. */
  readonly code: CorruptedFileError['code']
}

/** What a check of all segments found. */
export interface StateReport {
  /** Segments that do not authenticate, in ascending order. */
  readonly bad: readonly BadSegment[]
  /**
   * Whether all segments together are those of the last commit: `differs` if an older version of one was put back. `unchecked` where
   * a segment is bad. `none` for streams, which are written once.
   */
  readonly snapshot: 'matches' | 'differs' | 'unchecked' | 'none'
}

/** Plaintext bytes from one report of progress to the next. */
const PROGRESS_STEP = 2 ** 20

/** Calls `onProgress` now and then. */
export class ProgressMeter {
  readonly #control: Control
  readonly #total: number
  #told = 0

  constructor(control: Control, total: number) {
    this.#control = control
    this.#total = total
  }

  /** @throws an AbortError if the signal says so. */
  advance(done: number): void {
    checkAborted(this.#control.signal)
    if (done > 0 && done < this.#told + PROGRESS_STEP && done < this.#total) return
    this.#told = done
    this.#control.onProgress?.({ done, total: this.#total })
  }
}

/** What a check of some segments found. */
export interface RangeReport {
  readonly bad: readonly BadSegment[]
  /** Over those that authenticate; undefined for a stream. */
  readonly accumulator: Uint8Array | undefined
}

/** Reads every segment of a state, and checks the snapshot over them. Nothing that was fetched before is taken. */
export function* verifyState(file: ContainerFile, fd: number, state: ReadableState, control: Control): Steps<StateReport> {
  const meter = new ProgressMeter(control, state.length)
  meter.advance(0)
  let done = 0
  const { bad, accumulator } = yield* verifyRange(file, fd, state, { first: 0, end: state.count }, (length) => {
    done += length
    meter.advance(done)
  })
  return { bad, snapshot: checkSnapshot(file, state, bad.length > 0, accumulator) }
}

/**
 * Reads some segments of a state. Ranges may be read by different threads; the accumulators of all, XORed, are that of the file.
 *
 * @param onSegment - Told of plaintext bytes that were looked at; may throw.
 */
export function* verifyRange(
  file: ContainerFile,
  fd: number,
  state: ReadableState,
  { first, end }: SegmentRange,
  onSegment: (length: number) => void,
): Steps<RangeReport> {
  const reader = new SegmentReader(file, fd, new Uint8Array(0))
  const { geometry } = file
  const { snapshotKey } = file.schedule
  const accumulator = snapshotKey?.emptyAccumulator()
  const bad: BadSegment[] = []
  try {
    for (let index = first; index < end; index++) {
      const length = segmentLength(geometry, state.length, index)
      try {
        const { tag } = yield* reader.load(state, index, end - 1)
        if (accumulator !== undefined) accumulate(accumulator, snapshotKey!.contribution(index, tag))
      } catch (error) {
        if (!(error instanceof CorruptedFileError)) throw error
        bad.push({ segment: index, position: index * geometry.segmentSize, length, code: error.code })
      }
      onSegment(length)
    }
  } finally {
    yield* reader.forget()
  }
  return { bad, accumulator }
}

/** @param accumulator - Over all data segments; used up. */
export function checkSnapshot(
  file: ContainerFile,
  state: ReadableState,
  isBad: boolean,
  accumulator: Uint8Array | undefined,
): StateReport['snapshot'] {
  if (!isCommitted(state) || accumulator === undefined) return 'none'
  return isBad ? 'unchecked' : matchesSnapshot(file, state, accumulator)
}

/** @param accumulator - Over all data segments; used up. */
export function matchesSnapshot(
  { schedule }: ContainerFile,
  { count, record }: CommittedState,
  accumulator: Uint8Array,
): 'matches' | 'differs' {
  const key = schedule.snapshotKey!
  accumulate(accumulator, key.contribution(count, record.finalTag))
  return key.verify(count + 1, accumulator, record.snapshot) ? 'matches' : 'differs'
}

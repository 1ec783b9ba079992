import { segmentLength } from '../../container/geometry.js'
import { CorruptedFileError } from '../../errors.js'
import { accumulate } from '../../seal/snapshot.js'
import type { Steps } from '../io/steps.js'
import { checkAborted } from '../io/system-errors.js'
import { isCommitted, type CommittedState } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
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

/** Reads every segment of a state, and checks the snapshot over them. Nothing that was fetched before is taken. */
export function* verifyState(file: ContainerFile, fd: number, state: ReadableState, control: Control): Steps<StateReport> {
  const reader = new SegmentReader(file, fd, new Uint8Array(0))
  const { geometry } = file
  const { snapshotKey } = file.schedule
  const accumulator = snapshotKey?.emptyAccumulator()
  const meter = new ProgressMeter(control, state.length)
  const bad: BadSegment[] = []
  try {
    meter.advance(0)
    for (let index = 0; index < state.count; index++) {
      const position = index * geometry.segmentSize
      const length = segmentLength(geometry, state.length, index)
      try {
        const { tag } = yield* reader.load(state, index, state.count - 1)
        if (accumulator !== undefined) accumulate(accumulator, snapshotKey!.contribution(index, tag))
      } catch (error) {
        if (!(error instanceof CorruptedFileError)) throw error
        bad.push({ segment: index, position, length, code: error.code })
      }
      meter.advance(position + length)
    }
  } finally {
    yield* reader.forget()
  }
  if (!isCommitted(state) || accumulator === undefined) return { bad, snapshot: 'none' }
  return { bad, snapshot: bad.length > 0 ? 'unchecked' : matchesSnapshot(file, state, accumulator) }
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

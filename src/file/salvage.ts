import { constants } from 'node:fs'
import { plaintextSize, segmentCount, segmentLength } from '../container/geometry.js'
import { CorruptedFileError } from '../errors.js'
import { accumulate } from '../seal/snapshot.js'
import { isCommitted, StateFinder } from './engine/committed-state.js'
import type { ContainerFile } from './engine/container-file.js'
import { SegmentReader, type LoadedSegment, type ReadableState } from './engine/segment-reader.js'
import { matchesSnapshot, ProgressMeter, type Control, type StateReport } from './engine/verifier.js'
import { parseFlags } from './flags.js'
import { io, prepareIfWaiting, undoOnError, type PathLike, type Steps } from './io/steps.js'
import { nameOf, openContainer } from './open-file.js'
import type { ResolvedOptions } from './options.js'
import { Session } from './session.js'

/** A stretch of plaintext. */
export interface Stretch {
  /** Where it begins. */
  readonly position: number
  /** Bytes. */
  readonly length: number
}

/** What could be saved of a damaged file. */
export interface SalvageReport {
  /** Bytes of the new file, in which gaps are zeros. What is lost at the end is left out. */
  readonly size: number
  /** Bytes that authenticated. */
  readonly salvaged: number
  /** What is lost, in ascending order. */
  readonly gaps: readonly Stretch[]
  /** What was found in an older version alone, in ascending order. */
  readonly older: readonly Stretch[]
  /** Whether it is known how much the file held. If not, something may be missing behind the new file's end. */
  readonly isSizeKnown: boolean
  /** Whether what was saved is all of the last commit; see `verify`. */
  readonly snapshot: StateReport['snapshot']
}

interface Plan {
  readonly state: ReadableState
  readonly isSizeKnown: boolean
}

/**
 * Copies whatever authenticates of a damaged file into a new one, with a key of its own.
 *
 * @param target - Must not exist.
 * @throws InvalidFileFormatError, InvalidKeyError as for opening: without an intact header there is no key.
 */
export function* salvageFile(source: PathLike, target: PathLike, options: ResolvedOptions, control: Control): Steps<SalvageReport> {
  yield* prepareIfWaiting(() => options.keySource.prepare?.())
  const fd = yield* io.open(source, constants.O_RDONLY, 0)
  try {
    const { file, start, size } = yield* openContainer(fd, nameOf(source), options)
    try {
      const plan = file.geometry.kind === 'stream' ? yield* planStream(file, fd, size) : yield* planEditable(file, fd, start, size)
      return yield* copyTo(target, file, fd, plan, options, control)
    } finally {
      file.dispose()
    }
  } finally {
    yield* io.close(fd)
  }
}

function* planEditable(file: ContainerFile, fd: number, start: Uint8Array, size: number): Steps<Plan> {
  const header = start.subarray(0, file.geometry.headerSize)
  const state = yield* new StateFinder(file, fd, size, { recover: true }).findNewest(header)
  if (state !== undefined) return { state, isSizeKnown: true }
  const { headerSize, segmentSize, segmentOverhead } = file.geometry
  const stride = segmentSize + segmentOverhead
  const whole = Math.floor((size - headerSize) / stride)
  const length = whole * segmentSize + Math.max(0, size - headerSize - whole * stride - segmentOverhead)
  return { state: { length, count: segmentCount(file.geometry, length), redo: new Map() }, isSizeKnown: false }
}

function* planStream(file: ContainerFile, fd: number, size: number): Steps<Plan> {
  const { geometry } = file
  const length = plaintextSize(geometry, size)
  if (length !== undefined) {
    const state = { length, count: segmentCount(geometry, length), redo: new Map() }
    const last = yield* tryLoad(new SegmentReader(file, fd, new Uint8Array(0)), state, state.count - 1)
    if (last !== undefined) return { state, isSizeKnown: true }
  }
  // It was cut, or its end is damaged: none of the segments that are left is the last.
  const whole = Math.floor((size - geometry.headerSize) / (geometry.segmentSize + geometry.segmentOverhead))
  return { state: { length: (whole + 1) * geometry.segmentSize, count: whole + 1, redo: new Map() }, isSizeKnown: false }
}

function* copyTo(
  target: PathLike,
  file: ContainerFile,
  fd: number,
  plan: Plan,
  options: ResolvedOptions,
  control: Control,
): Steps<SalvageReport> {
  const { segmentSize } = file.geometry
  const { aead } = file.schedule.parameters
  const output = yield* Session.open(target, parseFlags('wx'), { ...options, aead, segmentSize, atomic: false })
  return yield* undoOnError(copy(), function* () {
    try {
      yield* output.close()
    } finally {
      yield* io.unlink(target)
    }
  })

  function* copy(): Steps<SalvageReport> {
    const report = yield* copySegments(file, fd, plan, output, control)
    yield* output.sync('fsync')
    yield* output.close()
    return report
  }
}

function* copySegments(
  file: ContainerFile,
  fd: number,
  { state, isSizeKnown }: Plan,
  output: Session,
  control: Control,
): Steps<SalvageReport> {
  const { geometry, schedule } = file
  const reader = new SegmentReader(file, fd, new Uint8Array(0))
  try {
    return yield* copy()
  } finally {
    yield* reader.forget()
  }

  function* copy(): Steps<SalvageReport> {
    const accumulator = schedule.snapshotKey?.emptyAccumulator()
    const meter = new ProgressMeter(control, state.length)
    const [gaps, older]: [Stretch[], Stretch[]] = [[], []]
    let [size, salvaged] = [0, 0]
    meter.advance(0)
    for (let index = 0; index < state.count; index++) {
      const position = index * geometry.segmentSize
      let segment = yield* tryLoad(reader, state, index)
      if (segment === undefined && state.redo.has(index)) {
        segment = yield* tryLoad(reader, { ...state, redo: new Map() }, index)
        if (segment !== undefined) add(older, position, segment.plaintext.length)
      }
      if (segment === undefined) add(gaps, position, segmentLength(geometry, state.length, index))
      else {
        const { plaintext, tag } = segment
        if (accumulator !== undefined) accumulate(accumulator, schedule.snapshotKey!.contribution(index, tag))
        size = position + plaintext.length
        salvaged += plaintext.length
        yield* output.write(plaintext, position)
      }
      meter.advance(position + segmentLength(geometry, state.length, index))
    }
    if (!isSizeKnown && gaps.at(-1) !== undefined && gaps.at(-1)!.position >= size) gaps.pop() // nobody knows whether there was anything
    const isComplete = gaps.length === 0 && older.length === 0 && isSizeKnown
    const snapshot =
      accumulator === undefined
        ? 'none'
        : isComplete && isCommitted(state)
          ? matchesSnapshot(file, state, accumulator)
          : 'unchecked'
    return { size, salvaged, gaps, older, isSizeKnown, snapshot }
  }
}

/** @returns undefined where the segment does not authenticate. */
function* tryLoad(reader: SegmentReader, state: ReadableState, index: number): Steps<LoadedSegment | undefined> {
  try {
    return yield* reader.load(state, index, state.count - 1)
  } catch (error) {
    if (error instanceof CorruptedFileError) return undefined
    throw error
  }
}

/** Adds a stretch behind those that are there, to the last one where they touch. */
function add(stretches: Stretch[], position: number, length: number): void {
  const last = stretches.at(-1)
  if (last !== undefined && last.position + last.length === position)
    stretches[stretches.length - 1] = { ...last, length: last.length + length }
  else stretches.push({ position, length })
}

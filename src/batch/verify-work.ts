import { fstatSync } from 'node:fs'
import { accumulate } from '../seal/snapshot.js'
import type { ContainerFile } from '../file/engine/container-file.js'
import { cutIntoRanges, type SegmentRange } from '../file/engine/range-sealer.js'
import type { ReadableState } from '../file/engine/segment-reader.js'
import { checkSnapshot, verifyRange } from '../file/engine/verifier.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { runSync } from '../file/io/runners.js'
import type { OpenFile } from '../file/open-file.js'
import { resolveOpenOptions, type ResolvedOptions } from '../file/options.js'
import { BadRuns, withDamage, type BadReport, type Damage } from './damage.js'
import { checkSame, digestOf, withSource, type FileWork } from './file-work.js'
import { GroupKeys } from './group-keys.js'
import type { BegunFile, FileTask, RangeResult, WorkerSettings } from './messages.js'
import type { Meter } from './meter.js'
import type { RemoteKeys } from './shared-desk.js'
import { stampOf } from './source-file.js'

/** How often a file is read anew that a writer changes meanwhile. */
const READ_TRIES = 5
/** Segments that are looked at before what is bad of them is put together. */
const RANGE_SEGMENTS = 4_096

/**
 * Checks files as {@link FileWork} makes them, and writes nothing. What is damaged is thrown as a CorruptedFileError that tells every bad
 * segment.
 *
 * @param remote - Answers for the keys of single files.
 */
export function createVerifyWork({ context }: WorkerSettings, remote: RemoteKeys, meter: Meter): FileWork {
  return new Checking(context, new GroupKeys(remote), meter)
}

type CheckResult = Required<RangeResult>

const NONE: BadReport = { bad: [], badLeftOut: 0 }

class Checking implements FileWork {
  readonly #keys: GroupKeys
  readonly #options: ResolvedOptions
  readonly #onSegment: (length: number) => void

  constructor(context: Uint8Array, keys: GroupKeys, meter: Meter) {
    this.#keys = keys
    this.#options = resolveOpenOptions({ keyManager: keys, purpose: 'none yet', context })
    this.#onSegment = (length) => meter.addBytes(length)
  }

  prepare(tasks: readonly FileTask[]): void {
    this.#keys.learn(tasks)
  }

  forget(): void {
    this.#keys.forget()
  }

  make(task: FileTask): number {
    return this.#withSource(task, (source) => {
      for (let tries = 1; tries <= READ_TRIES; tries++) {
        const state = source.content.state!
        const { found, accumulator } = this.#checkAll(source, state)
        const snapshot = checkSnapshot(source.container, state, isBad(found), accumulator)
        if (!isBad(found) && snapshot !== 'differs') return state.length
        runSync(nodeDisk, source.content.refresh())
        if (source.content.state === state) throw damageError(source.container, { ...found, snapshot })
      }
      throw source.container.changing()
    })
  }

  begin(task: FileTask): BegunFile {
    return this.#withSource(task, (source, state) => ({
      length: state.length,
      segmentSize: source.container.geometry.segmentSize,
      stamp: stampOf(fstatSync(source.fd)),
      digest: digestOf(state),
    }))
  }

  doRange(task: FileTask, begun: BegunFile, range: SegmentRange): CheckResult {
    return this.#withSource(task, (source, state) => {
      checkSame(source, state, begun)
      const result = this.#checkRange(source, state, range)
      if (isBad(result.found)) this.#checkStill(task, begun)
      return result
    })
  }

  finish(task: FileTask, begun: BegunFile, { found = NONE, accumulator }: RangeResult): void {
    this.#withSource(task, (source, state) => {
      checkSame(source, state, begun)
      const snapshot = checkSnapshot(source.container, state, isBad(found), accumulator)
      if (isBad(found) || snapshot === 'differs') throw damageError(source.container, { ...found, snapshot })
    })
  }

  #checkAll(source: OpenFile, state: ReadableState): CheckResult {
    const accumulator = source.container.schedule.snapshotKey?.emptyAccumulator()
    const runs = new BadRuns()
    const take = (range: SegmentRange): void => {
      const { found, accumulator: part } = this.#checkRange(source, state, range)
      if (accumulator !== undefined) accumulate(accumulator, part!)
      runs.add(found.bad, found.badLeftOut)
    }
    // The last segment first: a writer who appends changes no other.
    const ahead = Math.max(0, state.count - 1)
    take({ first: ahead, end: state.count })
    for (const range of cutIntoRanges(ahead, RANGE_SEGMENTS)) take(range)
    return { found: runs.report, accumulator }
  }

  #checkRange({ container, fd }: OpenFile, state: ReadableState, range: SegmentRange): CheckResult {
    const { bad, accumulator } = runSync(nodeDisk, verifyRange(container, fd, state, range, this.#onSegment))
    const runs = new BadRuns()
    runs.add(bad)
    return { found: runs.report, accumulator }
  }

  /** @throws LockedError where what does not authenticate may be the work of a writer who goes on. */
  #checkStill(task: FileTask, begun: BegunFile): void {
    this.#withSource(task, (source, state) => checkSame(source, state, begun))
  }

  #withSource<T>({ source, purpose }: FileTask, use: (source: OpenFile, state: ReadableState) => T): T {
    return withSource(source, { ...this.#options, purpose }, use)
  }
}

function isBad({ bad }: BadReport): boolean {
  return bad.length > 0
}

function damageError(file: ContainerFile, damage: Damage): Error {
  const [first] = damage.bad
  if (first === undefined) return withDamage(file.rolledBack(), damage)
  const { code, segment } = first
  return withDamage(code === 'ERR_SEALFILE_TRUNCATED' ? file.truncated(segment) : file.corrupted(segment), damage)
}

import { fstatSync, writeSync } from 'node:fs'
import { equalBytes } from '../bytes/arrays.js'
import { digestRecord } from '../container/commit-record.js'
import { segmentCount } from '../container/geometry.js'
import { CorruptedFileError } from '../errors.js'
import { isCommitted } from '../file/engine/committed-state.js'
import { ContainerFile, type FileDraft, type NewFile } from '../file/engine/container-file.js'
import { buildFinishedHeader, checkNewLength, unfinishedHeader } from '../file/engine/new-header.js'
import { openRange } from '../file/engine/range-opener.js'
import { sealRange, type SegmentRange } from '../file/engine/range-sealer.js'
import type { ReadableState } from '../file/engine/segment-reader.js'
import { matchesSnapshot } from '../file/engine/verifier.js'
import { parseFlags } from '../file/flags.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { runSync } from '../file/io/runners.js'
import { io } from '../file/io/steps.js'
import type { KeySource } from '../file/key-source.js'
import type { Place } from '../file/successor-file.js'
import { openFile, type OpenFile } from '../file/open-file.js'
import { resolveOpenOptions, type ResolvedOptions } from '../file/options.js'
import { GroupKeys } from './group-keys.js'
import type { BegunFile, FileTask, RangeResult, WorkerSettings } from './messages.js'
import type { Meter } from './meter.js'
import { OutputFile } from './output-file.js'
import type { RemoteKeys } from './shared-desk.js'
import { SourceFile, stampOf } from './source-file.js'

/** What a worker does with files: whole ones, or one of which others do the rest. It has nothing else to do, so its calls wait. */
export interface FileWork {
  /** Gets the keys of files that are about to be made. Does not throw: where it fails, so will making them. */
  prepare(tasks: readonly FileTask[]): void
  /** Forgets keys that were not needed. */
  forget(): void
  /** Makes a whole file. @returns plaintext bytes. */
  make(task: FileTask): number
  /** Begins a file that several workers go on with. */
  begin(task: FileTask): BegunFile
  /** Does a range of it. */
  doRange(task: FileTask, begun: BegunFile, range: SegmentRange): RangeResult
  /** Ends a file of which all ranges were done. @param whole - What came of all of them. */
  finish(task: FileTask, begun: BegunFile, whole: RangeResult): void
}

const READ = parseFlags('r')

/** @param remote - Answers for the keys of single files. */
export function createFileWork(settings: WorkerSettings, remote: RemoteKeys, meter: Meter): FileWork {
  return settings.direction === 'encrypt'
    ? new Sealing(settings, remote, meter)
    : new Opening(settings, new GroupKeys(remote), meter)
}

abstract class Work<K extends KeySource> {
  protected readonly settings: WorkerSettings
  protected readonly keys: K
  protected readonly onPiece: (length: number) => void
  readonly #options: ResolvedOptions

  constructor(settings: WorkerSettings, keys: K, meter: Meter) {
    const { context, segmentSize, cipher } = settings
    this.settings = settings
    this.keys = keys
    this.#options = resolveOpenOptions({ keyManager: keys, purpose: 'none yet', context, segmentSize, cipher })
    this.onPiece = (length) => meter.addBytes(length)
  }

  protected optionsFor({ purpose }: FileTask): ResolvedOptions {
    return { ...this.#options, purpose }
  }

  /** Makes an output, which is gone if `fill` fails. */
  protected withOutput<T>(output: OutputFile, fill: (fd: number) => T): T {
    try {
      return fill(output.fd)
    } catch (error) {
      output.discard()
      throw error
    }
  }
}

/** Encrypts. */
class Sealing extends Work<RemoteKeys> implements FileWork {
  /** Keys of files that are about to be made. */
  readonly #prepared = new Map<FileTask, () => NewFile>()
  #drafts: readonly FileDraft[] = []

  prepare(tasks: readonly FileTask[]): void {
    const drafts = tasks.map((task) => ContainerFile.draft('editable', task.target.toString(), this.optionsFor(task)))
    this.#drafts = drafts
    try {
      const wrapped = this.keys.wrapFileKeys(drafts)
      for (const [i, task] of tasks.entries()) this.#prepared.set(task, () => drafts[i]!.complete(wrapped[i]!))
    } catch {
      // Each file's is asked for when it is made, and fails there.
    }
  }

  forget(): void {
    for (const draft of this.#drafts) draft.dispose()
    this.#drafts = []
    this.#prepared.clear()
  }

  make(task: FileTask): number {
    using source = new SourceFile(task.source)
    const output = OutputFile.create(task, this.settings)
    this.withOutput(output, (fd) => {
      const { file, keyHeader } = this.#prepared.get(task)?.() ?? this.#create(task)
      try {
        const all = { first: 0, end: segmentCount(file.geometry, source.stamp.size) }
        writeFinished(fd, file, keyHeader, source.stamp.size, this.#seal(file, source, fd, all))
      } finally {
        file.dispose()
      }
      source.checkUnchanged()
    })
    output.publish(source.stamp)
    return source.stamp.size
  }

  begin(task: FileTask): BegunFile {
    using source = new SourceFile(task.source)
    const { file, keyHeader } = this.#create(task)
    file.dispose()
    checkNewLength(file, source.stamp.size)
    OutputFile.create(task, this.settings).close()
    return { length: source.stamp.size, segmentSize: this.settings.segmentSize, stamp: source.stamp, keyHeader }
  }

  doRange(task: FileTask, begun: BegunFile, range: SegmentRange): RangeResult {
    using source = new SourceFile(task.source, begun.stamp)
    return this.#withBegun(task, begun, (file, output) => {
      try {
        return { accumulator: this.#seal(file, source, output.fd, range) }
      } finally {
        output.close()
      }
    })
  }

  finish(task: FileTask, begun: BegunFile, { accumulator }: RangeResult): void {
    this.#withBegun(task, begun, (file, output) => {
      this.withOutput(output, (fd) => {
        // The source is looked at once more: nobody has, since the last range was read.
        new SourceFile(task.source, begun.stamp)[Symbol.dispose]()
        writeFinished(fd, file, keyHeaderOf(begun), begun.length, accumulator!)
      })
      output.publish(begun.stamp)
    })
  }

  #create(task: FileTask): NewFile {
    return ContainerFile.create('editable', task.target.toString(), this.optionsFor(task))
  }

  #seal(file: ContainerFile, source: SourceFile, target: number, range: SegmentRange): Uint8Array {
    const { pieceLength } = this.settings
    const work = { file, source: source.fd, length: source.stamp.size, target, pieceLength }
    const accumulator = runSync(nodeDisk, sealRange(work, range, this.onPiece))
    if (accumulator === undefined) throw source.changed()
    return accumulator
  }

  #withBegun<T>(task: FileTask, begun: BegunFile, use: (file: ContainerFile, output: OutputFile) => T): T {
    const header = unfinishedHeader(keyHeaderOf(begun))
    const file = ContainerFile.open(task.target.toString(), this.optionsFor(task), header)
    try {
      return use(file, OutputFile.reopen(task, this.settings))
    } finally {
      file.dispose()
    }
  }
}

function keyHeaderOf(begun: BegunFile): Uint8Array {
  return (begun as Extract<BegunFile, { keyHeader: unknown }>).keyHeader
}

function writeFinished(fd: number, file: ContainerFile, keyHeader: Uint8Array, length: number, accumulator: Uint8Array): void {
  const header = buildFinishedHeader(file, keyHeader, length, accumulator)
  for (let done = 0; done < header.length;) done += writeSync(fd, header, done, header.length - done, done)
}

/** Decrypts. */
class Opening extends Work<GroupKeys> implements FileWork {
  prepare(tasks: readonly FileTask[]): void {
    this.keys.learn(tasks)
  }

  forget(): void {
    this.keys.forget()
  }

  make(task: FileTask): number {
    return this.#withSource(task, (source, state) => {
      const output = OutputFile.create(task, this.settings)
      this.withOutput(output, (target) => {
        const accumulator = openAll(source, state, target, { first: 0, end: state.count }, this.onPiece)
        checkWhole(source, state, accumulator)
      })
      output.publish(stampOf(fstatSync(source.fd)))
      return state.length
    })
  }

  begin(task: FileTask): BegunFile {
    return this.#withSource(task, (source, state) => {
      const stamp = stampOf(fstatSync(source.fd))
      OutputFile.create(task, this.settings).close()
      return { length: state.length, segmentSize: source.container.geometry.segmentSize, stamp, digest: digestOf(state) }
    })
  }

  doRange(task: FileTask, begun: BegunFile, range: SegmentRange): RangeResult {
    return this.#withSource(task, (source, state) => {
      checkSame(source, state, begun)
      const output = OutputFile.reopen(task, this.settings)
      try {
        return { accumulator: openAll(source, state, output.fd, range, this.onPiece) }
      } finally {
        output.close()
      }
    })
  }

  finish(task: FileTask, begun: BegunFile, { accumulator }: RangeResult): void {
    this.#withSource(task, (source, state) => {
      const output = OutputFile.reopen(task, this.settings)
      this.withOutput(output, () => {
        checkSame(source, state, begun)
        checkWhole(source, state, accumulator)
      })
      output.publish(begun.stamp)
    })
  }

  #withSource<T>(task: FileTask, use: (source: OpenFile, state: ReadableState) => T): T {
    return withSource(task.source, this.optionsFor(task), use)
  }
}

/** Opens an encrypted file for as long as it is used. */
export function withSource<T>(path: Place, options: ResolvedOptions, use: (source: OpenFile, state: ReadableState) => T): T {
  const source = runSync(nodeDisk, openFile(path, READ, options))
  try {
    return use(source, source.content.state!)
  } finally {
    source.container.dispose()
    runSync(nodeDisk, source.content.forget())
    runSync(nodeDisk, io.close(source.fd))
  }
}

/** @throws CorruptedFileError; LockedError where what does not authenticate may be the work of a writer who goes on. */
function openAll(
  source: OpenFile,
  state: ReadableState,
  target: number,
  range: SegmentRange,
  onPiece: (length: number) => void,
): Uint8Array | undefined {
  const { container: file, reader } = source
  try {
    return runSync(nodeDisk, openRange({ file, reader, state, target }, range, onPiece))
  } catch (error) {
    if (error instanceof CorruptedFileError) checkStill(source, state)
    throw error
  }
}

/** Looks whether the segments that were read are those of the state. @throws CorruptedFileError, LockedError. */
function checkWhole(source: OpenFile, state: ReadableState, accumulator: Uint8Array | undefined): void {
  if (!isCommitted(state) || matchesSnapshot(source.container, state, accumulator!.slice()) === 'matches') return
  checkStill(source, state)
  throw source.container.rolledBack()
}

/** @throws LockedError if the file has another state by now. */
function checkStill(source: OpenFile, state: ReadableState): void {
  runSync(nodeDisk, source.content.refresh())
  if (source.content.state !== state) throw source.container.changing()
}

/** @throws LockedError if the file is in another state than when it was begun. */
export function checkSame(source: OpenFile, state: ReadableState, begun: BegunFile): void {
  const { digest } = begun as Extract<BegunFile, { digest: unknown }>
  const now = digestOf(state)
  const isSame = digest === undefined || now === undefined ? digest === now : equalBytes(digest, now)
  if (!isSame || state.length !== begun.length) throw source.container.changing()
}

/** What a state is known by; undefined for a stream, which has one. */
export function digestOf(state: ReadableState): Uint8Array | undefined {
  return isCommitted(state) ? digestRecord(state.record) : undefined
}

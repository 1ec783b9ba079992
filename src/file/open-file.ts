import { constants, type Stats } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import type { CommitRecord } from '../container/commit-record.js'
import { headerSizeOf } from '../container/preamble.js'
import { InvalidFileFormatError, LockedError } from '../errors.js'
import { CommittedReader } from './engine/committed-reader.js'
import { StateFinder } from './engine/committed-state.js'
import { ContainerFile, type NewFile } from './engine/container-file.js'
import type { Content } from './engine/content.js'
import { Editor, type EditorOptions } from './engine/editor.js'
import { acquireLock, lockPath, releaseLock, type Lock } from './engine/lock.js'
import { SegmentReader } from './engine/segment-reader.js'
import { StreamReader } from './engine/stream-reader.js'
import type { Access } from './flags.js'
import { FreshnessGuard } from './freshness.js'
import { fstatNow, io, readFully, undoOnError, type PathLike, type Steps } from './io/steps.js'
import { closeAndUnlock, isLink, openLocked } from './locked-file.js'
import type { ResolvedOptions } from './options.js'
import { createSuccessor, discardSuccessor, statIfThere, type SuccessorFile } from './successor-file.js'

/** Bytes that an opener reads at once: the header, and all of a small file. */
const START_SIZE = 8_192

/** A file that was opened, and what is needed to work with it. */
export interface OpenFile {
  readonly container: ContainerFile
  readonly fd: number
  readonly reader: SegmentReader
  /** What is read of it. */
  readonly content: Content
  /** The same, of a file that is written. */
  readonly editor?: Editor
  readonly lock?: Lock
  /** It is not in its place yet, and takes that of another when it is closed. */
  readonly successor?: SuccessorFile
  /** What is to be told once it has taken that place. */
  readonly guard?: FreshnessGuard
  /** A newer commit was passed over, because a crash took part of it. */
  readonly fellBack: boolean
}

/** Opens a file as `access` asks. @throws system errors as they are, and ours naming the file. */
export function* openFile(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile> {
  return yield* new Opener(path, access, options).open()
}

/** @returns the path as text, for messages. @throws TypeError for what is no path. */
export function nameOf(path: PathLike): string {
  if (typeof path !== 'string' && !(path instanceof URL) && !Buffer.isBuffer(path)) {
    throw invalidArgType('path', 'of type string or an instance of Buffer or URL', path)
  }
  return path instanceof URL ? fileURLToPath(path) : path.toString()
}

/** A file whose keys are known, and nothing else. */
export interface OpenContainer {
  readonly file: ContainerFile
  /** What the file begins with. */
  readonly start: Uint8Array
  /** Of the file, not before its header was read: a writer may be at work, and a record speaks of no more than was there before it. */
  readonly size: number
}

/** Looks at a file's header. @throws InvalidFileFormatError, InvalidKeyError, CorruptedFileError. */
export function* openContainer(fd: number, name: string, options: ResolvedOptions): Steps<OpenContainer> {
  const { start, size } = options.isLocal ? yield* readStart(fd) : yield* readSourceStart(fd)
  try {
    return { file: ContainerFile.open(name, options, start), start, size }
  } catch (error) {
    if (!isHeaderDamage(error) || !options.isLocal) throw error
    // The key slots may have been changed over while they were read: the one that was empty yet, and the other that was wiped already.
    const again = Buffer.allocUnsafeSlow(start.length)
    yield* readFully(fd, again, 0)
    if (again.equals(start)) throw error
    return { file: ContainerFile.open(name, options, again), start: again, size: (yield* io.fstat(fd)).size }
  }
}

type Start = Pick<OpenContainer, 'start' | 'size'>

/** The system knows at once how long a file is, so that nothing must be read to find its end. */
function* readStart(fd: number): Steps<Start> {
  const buffer = Buffer.allocUnsafeSlow(START_SIZE)
  const read = yield* io.read(fd, buffer, 0)
  const size = Math.max(read, (yield* fstatNow(fd)).size)
  const rest = buffer.subarray(read, size)
  return { start: buffer.subarray(0, read + (yield* readFully(fd, rest, read))), size }
}

function* readSourceStart(fd: number): Steps<Start> {
  const buffer = Buffer.allocUnsafeSlow(headerSizeOf('editable'))
  const start = buffer.subarray(0, yield* readFully(fd, buffer, 0))
  return { start, size: (yield* io.fstat(fd)).size }
}

function isHeaderDamage(error: unknown): boolean {
  return error instanceof InvalidFileFormatError && error.code === 'ERR_SEALFILE_FORMAT_HEADER'
}

class Opener {
  readonly #path: PathLike
  readonly #name: string
  readonly #access: Access
  readonly #options: ResolvedOptions
  #guard: FreshnessGuard | undefined

  constructor(path: PathLike, access: Access, options: ResolvedOptions) {
    this.#path = path
    this.#name = nameOf(path)
    this.#access = access
    this.#options = options
    if (options.atomic && (!access.truncate || access.exclusive)) {
      throw invalidArgValue('options.atomic', true, 'must not be set where the flags keep what was there')
    }
  }

  *open(): Steps<OpenFile> {
    const { write, create, truncate } = this.#access
    if (!write && !create && !truncate) return yield* this.#openForReading()
    return (this.#options.atomic ? yield* this.#openSuccessor() : undefined) ?? (yield* this.#openForWriting())
  }

  /** Asks what is kept of the file. A writer does so once it has the lock: until then another may tell of more. */
  *#recall(): Steps<void> {
    const { freshness } = this.#options
    if (freshness !== undefined) this.#guard = yield* FreshnessGuard.create(freshness, resolve(this.#name))
  }

  *#openForReading(): Steps<OpenFile> {
    yield* this.#recall()
    const fd = yield* io.open(this.#path, constants.O_RDONLY | this.#access.system, 0)
    return yield* undoOnError(this.#readFile(fd), () => io.close(fd))
  }

  *#readFile(fd: number): Steps<OpenFile> {
    const { file, start, size } = yield* openContainer(fd, this.#name, this.#options)
    return yield* undoOnError(this.#findContent(fd, file, start, size), () => file.dispose())
  }

  *#findContent(fd: number, file: ContainerFile, start: Uint8Array, size: number): Steps<OpenFile> {
    const { isLocal, recover } = this.#options
    const reader = new SegmentReader(file, fd, start, isLocal)
    if (file.geometry.kind === 'stream') {
      const content = yield* StreamReader.open(file, reader, size)
      this.#checkFreshness(file, undefined)
      return { container: file, fd, reader, content, fellBack: false }
    }
    const content = yield* CommittedReader.open(file, fd, reader, start, size, { recover, follows: isLocal && !recover })
    this.#checkFreshness(file, content.state.record)
    return { container: file, fd, reader, content, fellBack: content.fellBack }
  }

  *#openForWriting(): Steps<OpenFile> {
    const { create, truncate } = this.#access
    const makeNew = (): NewFile => ContainerFile.create('editable', this.#name, this.#options)
    // A file that will be new in any case gets its keys while the system makes it; and if it cannot have any, nothing is dropped.
    let prepared: Outcome<NewFile> = makeNew
    const prepare = (): void => {
      if (truncate) prepared = doNow(makeNew)
    }
    const dispose = (): void => {
      if (prepared !== makeNew) prepared().file.dispose()
    }
    const recall = (): Steps<void> => this.#recall()
    const opening = openLocked(this.#path, this.#name, this.#access, this.#options, prepare, function* () {
      yield* recall()
      if (truncate) prepared()
    })
    const { fd, lock, size, isCreated } = yield* undoOnError(opening, dispose)
    try {
      if (isCreated) yield* undoOnError(recall(), dispose)
      const isNew = size === 0 && (create || truncate)
      const file = isNew ? yield* this.#newFile(fd, prepared()) : yield* this.#editedFile(fd, size)
      return { ...file, lock }
    } catch (error) {
      try {
        if (isCreated) yield* io.unlink(this.#path)
      } finally {
        yield* closeAndUnlock(fd, lock)
      }
      throw error
    }
  }

  /** @param isInPlace - It is where the caller will look for it. */
  *#newFile(fd: number, { file, keyHeader }: NewFile, isInPlace = true): Steps<OpenFile> {
    return yield* undoOnError(this.#makeEditor(fd, file, keyHeader, isInPlace), () => file.dispose())
  }

  *#makeEditor(fd: number, file: ContainerFile, keyHeader: Uint8Array, isInPlace: boolean): Steps<OpenFile> {
    const guard = this.#guard
    if (!this.#access.truncate || this.#access.exclusive) guard?.checkAbsent()
    if (isInPlace) yield* guard?.announce(saltOf(file)) ?? []
    const reader = new SegmentReader(file, fd, new Uint8Array(0))
    const editor = Editor.create(file, fd, reader, this.#editorOptions(file, isInPlace), keyHeader)
    return { container: file, fd, reader, content: editor, editor, fellBack: false }
  }

  *#editedFile(fd: number, size: number): Steps<OpenFile> {
    const { file, start } = yield* openContainer(fd, this.#name, this.#options)
    return yield* undoOnError(this.#findEditor(fd, file, start, size), () => file.dispose())
  }

  *#findEditor(fd: number, file: ContainerFile, start: Uint8Array, size: number): Steps<OpenFile> {
    if (file.geometry.kind === 'stream') {
      const message = 'the file is a stream, which is written once: it can be read, not changed'
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', message, { path: this.#name })
    }
    const reader = new SegmentReader(file, fd, start)
    const found = yield* new StateFinder(file, fd, size, { recover: this.#options.recover, forWriting: true }).find(start)
    this.#checkFreshness(file, found.state.record)
    const editor = yield* Editor.open(file, fd, reader, this.#editorOptions(file, true), found, size)
    return { container: file, fd, reader, content: editor, editor, fellBack: found.fellBack }
  }

  /**
   * Opens a new file that will take the place of the one at the path, under that one's lock.
   *
   * @returns undefined where there is something else than a file, a device for example, whose place must not be taken.
   */
  *#openSuccessor(): Steps<OpenFile | undefined> {
    const path = this.#path
    if (Buffer.isBuffer(path) && !Buffer.from(this.#name).equals(path)) {
      throw invalidArgValue('path', path, 'must be UTF-8 where a file is replaced')
    }
    let predecessor
    try {
      predecessor = yield* statIfThere(path)
    } catch {
      return undefined // to open it fails in the same way, and says so as callers know it
    }
    if (predecessor?.isFile() === false) return undefined
    // A link that leads nowhere: no file is there yet that could be lost.
    if (predecessor === undefined && (yield* isLink(path))) return undefined
    const created = ContainerFile.create('editable', this.#name, this.#options)
    return yield* undoOnError(this.#makeSuccessor(created, predecessor), () => created.file.dispose())
  }

  *#makeSuccessor(created: NewFile, predecessor: Stats | undefined): Steps<OpenFile> {
    const target = predecessor === undefined ? resolve(this.#name) : yield* io.realpath(this.#path)
    const lock = yield* this.#lockFor(target, predecessor === undefined)
    return yield* undoOnError(this.#makeSuccessorUnder(lock, target, created), () => releaseLock(lock))
  }

  *#lockFor(target: string, isNew: boolean): Steps<Lock> {
    try {
      return yield* acquireLock(lockPath(target), this.#name, this.#options.lockTimeout)
    } catch (error) {
      if (error instanceof LockedError) throw error
      // The system's own word on the file comes first.
      yield* io.close(
        yield* io.open(target, constants.O_RDWR | (isNew ? constants.O_CREAT | constants.O_EXCL : 0), this.#options.mode),
      )
      if (isNew) yield* io.unlink(target)
      throw error
    }
  }

  *#makeSuccessorUnder(lock: Lock, target: string, created: NewFile): Steps<OpenFile> {
    yield* this.#recall()
    // Another writer may have put a new file there, or changed its permissions, before this one had the lock.
    const successor = yield* createSuccessor(target, yield* statIfThere(target), this.#options.mode)
    const opening = this.#newFile(successor.fd, created, false)
    const file = yield* undoOnError(opening, () => discardSuccessor(successor))
    return { ...file, lock, successor, ...(this.#guard === undefined ? {} : { guard: this.#guard }) }
  }

  #editorOptions(file: ContainerFile, isInPlace: boolean): EditorOptions {
    const guard = isInPlace ? this.#guard : undefined
    const isDurable = this.#options.durability === 'fsync' || guard !== undefined
    if (guard === undefined) return { isDurable }
    return { isDurable, onDurable: (record) => guard.remember(saltOf(file), record) }
  }

  #checkFreshness(file: ContainerFile, record: CommitRecord | undefined): void {
    if (!this.#options.recover) this.#guard?.check(saltOf(file), record)
  }
}

/** What a file is known by: a new one for each that is made. */
export function saltOf({ schedule }: ContainerFile): Uint8Array {
  return schedule.parameters.salt
}

/** What work came to, to be asked for later: its value, or the error that it threw. */
type Outcome<T> = () => T

function doNow<T>(work: () => T): Outcome<T> {
  try {
    const value = work()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

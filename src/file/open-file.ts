import { constants } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidArgType } from '../argument-errors.js'
import { InvalidFileFormatError, LockedError } from '../errors.js'
import { CommittedReader } from './engine/committed-reader.js'
import { StateFinder } from './engine/committed-state.js'
import { ContainerFile } from './engine/container-file.js'
import type { Content } from './engine/content.js'
import { Editor } from './engine/editor.js'
import type { Access } from './flags.js'
import { begin, fstatNow, io, readFully, settle, type Background, type PathLike, type Steps } from './io/steps.js'
import { acquireLock, lockPath, releaseLock, type Lock } from './engine/lock.js'
import type { ResolvedOptions } from './options.js'
import { SegmentReader } from './engine/segment-reader.js'
import { StreamReader } from './engine/stream-reader.js'
import { systemError } from './io/system-errors.js'

/** Bytes that an opener reads at once: the header, and all of a small file. */
const START_SIZE = 8_192
/** Windows has no such flag. */
const NO_FOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0

/** A file that was opened, and what is needed to work with it. */
export interface OpenFile {
  readonly container: ContainerFile
  readonly fd: number
  /** What is read of it. */
  readonly content: Content
  /** The same, of a file that is written. */
  readonly editor?: Editor
  readonly lock?: Lock
  /** A newer commit was passed over, because a crash took part of it. */
  readonly fellBack: boolean
}

/** Opens a file as `access` asks. @throws system errors as they are, and ours naming the file. */
export function* openFile(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile> {
  const changes = access.write || access.create || access.truncate
  return changes ? yield* openForWriting(path, access, options) : yield* openForReading(path, access, options)
}

function nameOf(path: PathLike): string {
  if (typeof path !== 'string' && !(path instanceof URL) && !Buffer.isBuffer(path)) {
    throw invalidArgType('path', 'of type string or an instance of Buffer or URL', path)
  }
  return path instanceof URL ? fileURLToPath(path) : path.toString()
}

/** Closes the file, and lets go of its lock at the same time. */
export function* closeAndUnlock(fd: number, lock: Lock | undefined): Steps<void> {
  const closing = yield* begin({ call: 'close', args: [fd] })
  try {
    if (lock !== undefined) yield* releaseLock(lock)
  } finally {
    yield* settle(closing)
  }
}

/** Runs `use`; where it fails, undoes what came before it, and then the error goes on. */
function* undoOnError<T>(use: Steps<T>, undo: () => Steps<void> | void): Steps<T> {
  try {
    return yield* use
  } catch (error) {
    try {
      yield* undo() ?? []
    } catch {
      // What went wrong first is what the caller must know.
    }
    throw error
  }
}

function* openForReading(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile> {
  const fd = yield* io.open(path, constants.O_RDONLY | access.system, 0)
  return yield* undoOnError(readFile(fd, nameOf(path), options), () => io.close(fd))
}

function* readFile(fd: number, name: string, options: ResolvedOptions): Steps<OpenFile> {
  const { file, start, size } = yield* openContainer(fd, name, options)
  return yield* undoOnError(find(), () => file.dispose())

  function* find(): Steps<OpenFile> {
    const reader = new SegmentReader(file, fd, start)
    if (file.geometry.kind === 'stream') {
      return { container: file, fd, content: yield* StreamReader.open(file, reader, size), fellBack: false }
    }
    const content = yield* CommittedReader.open(file, fd, reader, start, size, options.recover)
    return { container: file, fd, content, fellBack: content.found.fellBack }
  }
}

interface OpenContainer {
  readonly file: ContainerFile
  /** What the file begins with. */
  readonly start: Uint8Array
  /** Of the file, not before its header was read: a writer may be at work, and a record speaks of no more than was there before it. */
  readonly size: number
}

function* openContainer(fd: number, name: string, options: ResolvedOptions): Steps<OpenContainer> {
  const buffer = Buffer.allocUnsafeSlow(START_SIZE)
  const start = buffer.subarray(0, yield* readFully(fd, buffer, 0))
  const size = start.length < START_SIZE ? start.length : (yield* io.fstat(fd)).size
  return { file: ContainerFile.open(name, options, start), start, size }
}

function* openForWriting(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile> {
  const name = nameOf(path)
  const create = (): NewFile => ContainerFile.create('editable', name, options)
  // A file that will be new in any case gets its keys while the system makes it; and if it cannot have any, nothing is dropped.
  let prepared: Outcome<NewFile> = create
  const prepare = (): void => {
    if (access.truncate) prepared = doNow(create)
  }
  const opening = openLocked(path, name, access, options, prepare, () => void prepared())
  const { fd, lock, size, isCreated } = yield* undoOnError(opening, () => {
    if (prepared !== create) prepared().file.dispose()
  })
  try {
    const isNew = size === 0 && (access.create || access.truncate)
    const file = isNew ? newFile(fd, prepared(), options) : yield* editedFile(fd, name, size, options)
    return { ...file, lock }
  } catch (error) {
    try {
      if (isCreated) yield* io.unlink(path)
    } finally {
      yield* closeAndUnlock(fd, lock)
    }
    throw error
  }
}

function newFile(fd: number, { file, keyHeader }: NewFile, { durability }: ResolvedOptions): OpenFile {
  const reader = new SegmentReader(file, fd, new Uint8Array(0))
  const editor = Editor.create(file, fd, reader, durability === 'fsync', keyHeader)
  return { container: file, fd, content: editor, editor, fellBack: false }
}

function* editedFile(fd: number, name: string, size: number, options: ResolvedOptions): Steps<OpenFile> {
  const { file, start } = yield* openContainer(fd, name, options)
  return yield* undoOnError(find(), () => file.dispose())

  function* find(): Steps<OpenFile> {
    if (file.geometry.kind === 'stream') {
      const message = 'the file is a stream, which is written once: it can be read, not changed'
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', message, { path: name })
    }
    const reader = new SegmentReader(file, fd, start)
    const found = yield* new StateFinder(file, fd, size, options.recover, true).find(start)
    const editor = yield* Editor.open(file, fd, reader, options.durability === 'fsync', found, size)
    return { container: file, fd, content: editor, editor, fellBack: found.fellBack }
  }
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

type NewFile = ReturnType<typeof ContainerFile.create>

interface LockedFile {
  readonly fd: number
  readonly lock: Lock
  readonly size: number
  /** The file did not exist before. */
  readonly isCreated: boolean
}

/**
 * Opens a file for writing under its lock. To make a new file costs no more than one call's time: it is made while the lock is.
 * Nothing is dropped before the lock is held.
 *
 * @param meanwhile - Work to do while the lock is being made.
 * @param beforeTruncate - Called before what a file holds is dropped; what it throws prevents that.
 */
function* openLocked(
  path: PathLike,
  name: string,
  access: Access,
  options: ResolvedOptions,
  meanwhile: () => void,
  beforeTruncate: () => void,
): Steps<LockedFile> {
  const { lockTimeout, mode } = options
  const flags = constants.O_RDWR | access.system
  const newFlags = flags | constants.O_CREAT | constants.O_EXCL
  const creating = access.create ? yield* begin({ call: 'open', args: [path, newFlags, mode] }) : undefined
  let lock
  try {
    lock = yield* acquireLock(lockPath(resolve(name)), name, lockTimeout, meanwhile)
  } catch (error) {
    // The system's own word on the file comes first.
    const fd = creating === undefined ? yield* io.open(path, flags, mode) : yield* settleUnlessExists(creating, access)
    if (fd !== undefined) {
      yield* io.close(fd)
      if (creating !== undefined && !(error instanceof LockedError)) yield* io.unlink(path)
    }
    throw error
  }
  try {
    const created = creating === undefined ? undefined : yield* settleUnlessExists(creating, access)
    if (created !== undefined) {
      // Another writer may have had the lock before, and have written the file that was made here.
      if ((yield* undoOnError(fstatNow(created), () => io.close(created))).size === 0) {
        return { fd: created, lock, size: 0, isCreated: true }
      }
      yield* io.close(created)
      if (access.exclusive) throw systemError('EEXIST', 'open', { path: name })
    }
    if ((access.system & NO_FOLLOW) === 0) lock = yield* lockTarget(path, name, lock, access, options)
    if (access.truncate) beforeTruncate()
    const existingFlags = flags | (access.create ? constants.O_CREAT : 0) | (access.truncate ? constants.O_TRUNC : 0)
    const fd = yield* io.open(path, existingFlags, mode)
    const { size } = yield* undoOnError(io.fstat(fd), () => io.close(fd))
    return { fd, lock, size, isCreated: false }
  } catch (error) {
    yield* releaseLock(lock)
    throw error
  }
}

/** @returns what was opened, or undefined where the file existed and may. */
function* settleUnlessExists(creating: Background, { exclusive }: Access): Steps<number | undefined> {
  try {
    return (yield* settle(creating)) as number
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !exclusive) return undefined
    throw error
  }
}

/** Where the path is a symbolic link, changes over to the lock of the file that it leads to. */
function* lockTarget(path: PathLike, name: string, lock: Lock, access: Access, options: ResolvedOptions): Steps<Lock> {
  try {
    yield* io.readlink(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EINVAL' || code === 'ENOENT') return lock
    throw error
  }
  const target = yield* resolveLink(path, access, options)
  if (target === undefined) return lock
  const targetLock = yield* acquireLock(lockPath(target), name, options.lockTimeout)
  yield* releaseLock(lock)
  return targetLock
}

/** @returns the file that a symbolic link leads to; undefined where there is none, and none will be made. */
function* resolveLink(path: PathLike, access: Access, { mode }: ResolvedOptions): Steps<string | undefined> {
  try {
    return yield* io.realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  if (!access.create) return undefined
  // The file is yet to be made: only then is there a name under which it can be locked.
  yield* io.close(yield* io.open(path, constants.O_RDWR | constants.O_CREAT, mode))
  return yield* io.realpath(path)
}

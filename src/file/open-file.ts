import { constants } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { InvalidFileFormatError, LockedError } from '../errors.js'
import { CommittedReader } from './engine/committed-reader.js'
import { StateFinder } from './engine/committed-state.js'
import { ContainerFile } from './engine/container-file.js'
import type { Content } from './engine/content.js'
import { Editor } from './engine/editor.js'
import { acquireLock, lockPath, releaseLock, type Lock } from './engine/lock.js'
import { SegmentReader } from './engine/segment-reader.js'
import { StreamReader } from './engine/stream-reader.js'
import type { Access } from './flags.js'
import { io, readFully, undoOnError, type PathLike, type Steps } from './io/steps.js'
import { closeAndUnlock, isLink, openLocked } from './locked-file.js'
import type { ResolvedOptions } from './options.js'
import { createSuccessor, statIfThere, type SuccessorFile } from './successor-file.js'

/** Bytes that an opener reads at once: the header, and all of a small file. */
const START_SIZE = 8_192

/** A file that was opened, and what is needed to work with it. */
export interface OpenFile {
  readonly container: ContainerFile
  readonly fd: number
  /** What is read of it. */
  readonly content: Content
  /** The same, of a file that is written. */
  readonly editor?: Editor
  readonly lock?: Lock
  /** It is not in its place yet, and takes that of another when it is closed. */
  readonly successor?: SuccessorFile
  /** A newer commit was passed over, because a crash took part of it. */
  readonly fellBack: boolean
}

/** Opens a file as `access` asks. @throws system errors as they are, and ours naming the file. */
export function* openFile(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile> {
  const changes = access.write || access.create || access.truncate
  if (!changes && !options.atomic) return yield* openForReading(path, access, options)
  if (!options.atomic) return yield* openForWriting(path, access, options)
  if (!access.truncate || access.exclusive) {
    throw invalidArgValue('options.atomic', true, 'must not be set where the flags keep what was there')
  }
  return (yield* openSuccessor(path, access, options)) ?? (yield* openForWriting(path, access, options))
}

/** @returns the path as text, for messages. @throws TypeError for what is no path. */
export function nameOf(path: PathLike): string {
  if (typeof path !== 'string' && !(path instanceof URL) && !Buffer.isBuffer(path)) {
    throw invalidArgType('path', 'of type string or an instance of Buffer or URL', path)
  }
  return path instanceof URL ? fileURLToPath(path) : path.toString()
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
    return { container: file, fd, content, fellBack: content.fellBack }
  }
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

/**
 * Opens a new file that will take the place of the one at `path`, under that one's lock.
 *
 * @returns undefined where there is something else than a file, a device for example, whose place must not be taken.
 */
function* openSuccessor(path: PathLike, access: Access, options: ResolvedOptions): Steps<OpenFile | undefined> {
  const name = nameOf(path)
  if (Buffer.isBuffer(path) && !Buffer.from(name).equals(path)) {
    throw invalidArgValue('path', path, 'must be UTF-8 where a file is replaced')
  }
  const predecessor = yield* statIfThere(path)
  if (predecessor?.isFile() === false) return undefined
  // A link that leads nowhere: no file is there yet that could be lost.
  if (predecessor === undefined && (yield* isLink(path))) return undefined
  const created = ContainerFile.create('editable', name, options)
  return yield* undoOnError(open(), () => created.file.dispose())

  function* open(): Steps<OpenFile> {
    const target = predecessor === undefined ? resolve(name) : yield* io.realpath(path)
    const lock = yield* lockFor(target)
    return yield* undoOnError(openUnder(lock, target), () => releaseLock(lock))
  }

  function* lockFor(target: string): Steps<Lock> {
    try {
      return yield* acquireLock(lockPath(target), name, options.lockTimeout)
    } catch (error) {
      // The system's own word on the file comes first.
      if (!(error instanceof LockedError)) yield* io.close(yield* io.open(path, constants.O_RDWR, 0))
      throw error
    }
  }

  function* openUnder(lock: Lock, target: string): Steps<OpenFile> {
    const successor = yield* createSuccessor(target, predecessor, options.mode)
    return { ...newFile(successor.fd, created, options), lock, successor }
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

import { constants, type Stats } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidFileFormatError, LockedError } from '../errors.js'
import { findStreamState, StateFinder } from './committed-state.js'
import { ContainerFile } from './container-file.js'
import { Editor } from './editor.js'
import type { Access } from './flags.js'
import { begin, io, readFully, settle, type Background, type PathLike, type Steps } from './io.js'
import { acquireLock, lockPath, type Lock } from './lock.js'
import type { ResolvedOptions } from './options.js'
import { SegmentReader, type ReadableState } from './segment-reader.js'
import { checkAborted, systemError } from './system-errors.js'

/** Bytes that an opener reads at once: the header, and all of a small file. */
const START_SIZE = 8_192
/** What `readToEnd` reads between two looks at its signal. */
const PIECE_SIZE = 2 ** 20
/** The most that Node reads into one buffer by `readFile`. */
const READ_FILE_MAX = 2 ** 31 - 1

interface Parts {
  readonly file: ContainerFile
  readonly fd: number
  readonly reader: SegmentReader
  /** Of a file that is read. */
  readonly state?: ReadableState
  /** Of a file that is written. */
  readonly editor?: Editor
  readonly lock?: Lock
}

/** One open file, as both kinds of handle see it: what they do, in steps. */
export class Session {
  readonly #parts: Parts
  readonly #access: Access
  #lock: Lock | undefined
  #cursor = 0
  #isOpen = true

  private constructor(parts: Parts, access: Access) {
    this.#parts = parts
    this.#access = access
    this.#lock = parts.lock
  }

  /** @throws system errors as they are, and ours naming the file. */
  static *open(path: PathLike, access: Access, options: ResolvedOptions): Steps<Session> {
    const opened = access.write ? yield* openForWriting(path, access, options) : yield* openForReading(path, options)
    return new Session(opened, access)
  }

  /** The number by which the operating system knows the file; -1 once it is closed. */
  get fd(): number {
    return this.#isOpen ? this.#parts.fd : -1
  }

  /** Whether the handle may write. */
  get isWriter(): boolean {
    return this.#parts.editor !== undefined
  }

  /** Something was written that no commit holds. */
  get isDirty(): boolean {
    return this.#isOpen && this.#parts.editor?.isDirty === true
  }

  /**
   * Reads into `target`.
   *
   * @param position - In the plaintext; null reads on from where the last such read ended.
   * @returns bytes read: 0 at the end of the file.
   */
  *read(target: Uint8Array, position: number | null): Steps<number> {
    this.#checkReadable()
    const read = yield* this.#parts.reader.read(this.#parts.state!, target, position ?? this.#cursor)
    if (position === null) this.#cursor += read
    return read
  }

  /**
   * Reads from where the last read ended to the end of the file.
   *
   * @throws an AbortError between two pieces if `signal` says so.
   */
  *readToEnd(signal?: AbortSignal): Steps<Buffer> {
    this.#checkReadable()
    const length = Math.max(0, this.#parts.state!.length - this.#cursor)
    if (length > READ_FILE_MAX) {
      throw Object.assign(new RangeError(`File size (${length}) is greater than 2 GiB`), { code: 'ERR_FS_FILE_TOO_LARGE' })
    }
    const content = Buffer.allocUnsafeSlow(length)
    for (let done = 0; done < length;) {
      checkAborted(signal)
      done += yield* this.read(content.subarray(done, done + PIECE_SIZE), null)
    }
    return content
  }

  /**
   * Writes all of `data`.
   *
   * @param position - In the plaintext; null writes on from where the last such write ended. Appending handles write at the end.
   */
  *write(data: Uint8Array, position: number | null): Steps<number> {
    const editor = this.#checkWritable()
    const start = this.#access.append ? editor.length : (position ?? this.#cursor)
    yield* editor.write(data, start)
    if (position === null || this.#access.append) this.#cursor = start + data.length
    return data.length
  }

  /** Writes all of `data` at the end. */
  *append(data: Uint8Array): Steps<number> {
    const editor = this.#checkWritable()
    yield* editor.write(data, editor.length)
    this.#cursor = editor.length
    return data.length
  }

  /** Makes what was written the file's state. */
  *commit(): Steps<void> {
    if (this.isDirty) yield* this.#parts.editor!.commit({ leaveTail: true })
  }

  /** Commits, and waits until the disk has it. */
  *sync(syscall: 'fsync' | 'fdatasync'): Steps<void> {
    this.#checkOpen(syscall)
    const { editor, fd } = this.#parts
    if (editor === undefined) yield* io.fdatasync(fd)
    else yield* editor.sync()
  }

  /** What the system says of the file, with the plaintext's size. */
  *stat(): Steps<Stats> {
    this.#checkOpen('fstat')
    const { fd, state, editor } = this.#parts
    const stats = yield* io.fstat(fd)
    stats.size = editor?.length ?? state!.length
    return stats
  }

  /** Commits, marks the file as closed and lets go of its lock, but leaves the handle open: the process is about to exit. */
  *finish(): Steps<void> {
    if (!this.#isOpen) return
    yield* this.#closeContent()
    if (this.#lock !== undefined) yield* io.unlink(this.#lock.path)
    this.#lock = undefined
  }

  /** Commits, closes and forgets the keys, whatever fails on the way. A second call does nothing. */
  *close(): Steps<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    const lock = this.#lock
    try {
      yield* this.#closeContent()
    } finally {
      this.#parts.file.dispose()
      const unlocking = lock === undefined ? undefined : yield* begin({ call: 'unlink', args: [lock.path] })
      try {
        yield* io.close(this.#parts.fd)
      } finally {
        if (unlocking !== undefined) yield* settle(unlocking)
      }
    }
  }

  *#closeContent(): Steps<void> {
    const { editor, reader } = this.#parts
    yield* editor?.close() ?? reader.forget()
  }

  #checkReadable(): void {
    this.#checkOpen('read')
    if (!this.#access.read) throw systemError('EBADF', 'read')
  }

  #checkWritable(): Editor {
    this.#checkOpen('write')
    if (this.#parts.editor === undefined) throw systemError('EBADF', 'write')
    return this.#parts.editor
  }

  #checkOpen(syscall: string): void {
    if (!this.#isOpen) throw systemError('EBADF', syscall, 'file closed')
  }
}

function nameOf(path: PathLike): string {
  return path instanceof URL ? fileURLToPath(path) : path.toString()
}

/** Runs `use`; where it fails, closes the file before the error goes on. */
function* closingOnError<T>(fd: number, use: Steps<T>): Steps<T> {
  try {
    return yield* use
  } catch (error) {
    yield* io.close(fd)
    throw error
  }
}

function* openForReading(path: PathLike, options: ResolvedOptions): Steps<Parts> {
  const fd = yield* io.open(path, constants.O_RDONLY, 0)
  return yield* closingOnError(
    fd,
    (function* () {
      const measuring = yield* begin({ call: 'fstat', args: [fd] })
      const { file, start } = yield* openContainer(fd, nameOf(path), options)
      const { size } = (yield* settle(measuring)) as Stats
      const reader = new SegmentReader(file, fd, start)
      const state =
        file.geometry.kind === 'stream'
          ? yield* findStreamState(file, reader, size)
          : (yield* new StateFinder(file, fd, size, options.recover).find(start)).state
      return { file, fd, reader, state }
    })(),
  )
}

function* openContainer(fd: number, path: string, options: ResolvedOptions): Steps<{ file: ContainerFile; start: Uint8Array }> {
  const buffer = Buffer.allocUnsafeSlow(START_SIZE)
  const start = buffer.subarray(0, yield* readFully(fd, buffer, 0))
  return { file: ContainerFile.open(path, options, start), start }
}

function* openForWriting(path: PathLike, access: Access, options: ResolvedOptions): Steps<Parts> {
  const name = nameOf(path)
  const isDurable = options.durability === 'fsync'
  const create = (): ReturnType<typeof ContainerFile.create> =>
    ContainerFile.create(name, options, options.aead, options.segmentSize)
  let prepared: Outcome<ReturnType<typeof create>> | undefined
  const prepare = (): void => {
    // A file that will be new in any case gets its keys while the system is busy.
    if (access.truncate) prepared = doNow(create)
  }
  const { fd, lock, size } = yield* openLocked(path, name, access, options, prepare)
  try {
    return yield* closingOnError(
      fd,
      (function* () {
        if (size === 0) {
          const { file, keyHeader } = prepared === undefined ? create() : prepared()
          const reader = new SegmentReader(file, fd, new Uint8Array(0))
          return { file, fd, lock, reader, editor: Editor.create(file, fd, reader, isDurable, keyHeader) }
        }
        const { file, start } = yield* openContainer(fd, name, options)
        if (file.geometry.kind === 'stream') {
          const message = 'the file is a stream, which is written once: it can be read, not changed'
          throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', message, { path: name })
        }
        const reader = new SegmentReader(file, fd, start)
        const found = yield* new StateFinder(file, fd, size, options.recover).find(start)
        return { file, fd, lock, reader, editor: yield* Editor.open(file, fd, reader, isDurable, found, size) }
      })(),
    )
  } catch (error) {
    yield* io.unlink(lock.path)
    throw error
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

interface LockedFile {
  readonly fd: number
  readonly lock: Lock
  readonly size: number
}

/**
 * Opens a file for writing under its lock. To make a new file costs no more than one call's time: it is made while the lock is.
 * Nothing is dropped before the lock is held.
 */
function* openLocked(
  path: PathLike,
  name: string,
  access: Access,
  { lockTimeout, mode }: ResolvedOptions,
  meanwhile: () => void,
): Steps<LockedFile> {
  const flags = constants.O_RDWR | constants.O_CREAT
  const creating = yield* begin({ call: 'open', args: [path, flags | constants.O_EXCL, mode] })
  let lock
  try {
    lock = yield* acquireLock(lockPath(resolve(name)), name, lockTimeout, meanwhile)
  } catch (error) {
    const fd = yield* settleUnlessExists(creating) // the system's own word on the file comes first
    if (fd !== undefined) {
      yield* io.close(fd)
      if (!(error instanceof LockedError)) yield* io.unlink(name)
    }
    throw error
  }
  try {
    const created = yield* settleUnlessExists(creating)
    if (created !== undefined) return { fd: created, lock, size: 0 }
    lock = yield* lockTarget(path, name, lock, lockTimeout)
    const fd = yield* io.open(path, access.truncate ? flags | constants.O_TRUNC : flags, mode)
    const { size } = yield* closingOnError(fd, io.fstat(fd))
    return { fd, lock, size }
  } catch (error) {
    yield* io.unlink(lock.path)
    throw error
  }
}

/** @returns what was opened, or undefined where the file existed. */
function* settleUnlessExists(creating: Background): Steps<number | undefined> {
  try {
    return (yield* settle(creating)) as number
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
}

/** Where the path is a symbolic link, changes over to the lock of the file that it leads to. */
function* lockTarget(path: PathLike, name: string, lock: Lock, timeout: number): Steps<Lock> {
  let target
  try {
    yield* io.readlink(path)
    target = yield* io.realpath(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EINVAL' || code === 'ENOENT') return lock
    throw error
  }
  const targetLock = yield* acquireLock(lockPath(target), name, timeout)
  yield* io.unlink(lock.path)
  return targetLock
}

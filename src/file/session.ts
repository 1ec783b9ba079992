import type { BigIntStats, Stats } from 'node:fs'
import { invalidState, outOfRange } from '../argument-errors.js'
import type { Editor } from './engine/editor.js'
import { releaseLock, type Lock } from './engine/lock.js'
import { verifyState, type Control, type StateReport } from './engine/verifier.js'
import { describeFile, type FileInfo } from './file-info.js'
import type { Access } from './flags.js'
import { io, prepareIfWaiting, undoOnError, type FileTime, type PathLike, type Steps } from './io/steps.js'
import { checkAborted, fileClosed, systemError } from './io/system-errors.js'
import { closeAndUnlock } from './locked-file.js'
import { openFile, saltOf, type OpenFile } from './open-file.js'
import type { ResolvedOptions } from './options.js'
import { publishSuccessor, type SuccessorFile } from './successor-file.js'
import { findLine } from './text.js'

/** What `verify` found. */
export interface VerifyReport extends StateReport {
  /** Everything is as it was committed. */
  readonly ok: boolean
  /** Bytes of plaintext. */
  readonly size: number
  /** How many there are. */
  readonly segments: number
}

/** What a position is counted from. */
export type Whence = 'start' | 'current' | 'end'

/** Gives memory for so many bytes. */
type Allocate = (length: number) => Buffer

const newBuffer: Allocate = (length) => Buffer.allocUnsafeSlow(length)

/** What `readToEnd` reads between two looks at its signal. */
const PIECE_SIZE = 2 ** 20
/** The most that Node reads into one buffer by `readFile`. */
const READ_FILE_MAX = 2 ** 31 - 1
/** How often a file is read anew that a writer changes meanwhile. */
const READ_TRIES = 5

/** One open file, as all kinds of handle see it: what they do, in steps. */
export class Session {
  readonly #file: OpenFile
  readonly #access: Access
  #lock: Lock | undefined
  #cursor = 0
  #isOpen = true
  /** Times that the caller has set, and that closing must not change. */
  #times: { readonly atime: FileTime; readonly mtime: FileTime } | undefined

  private constructor(file: OpenFile, access: Access) {
    this.#file = file
    this.#access = access
    this.#lock = file.lock
  }

  /** @throws system errors as they are, and ours naming the file. */
  static *open(path: PathLike, access: Access, options: ResolvedOptions): Steps<Session> {
    yield* prepareIfWaiting(() => options.keySource.prepare?.())
    return new Session(yield* openFile(path, access, options), access)
  }

  /** The number by which the operating system knows the file; -1 once it is closed. */
  get fd(): number {
    return this.#isOpen ? this.#file.fd : -1
  }

  /** A newer commit was passed over when the file was opened. */
  get fellBack(): boolean {
    return this.#file.fellBack
  }

  /** As it was given, for messages. */
  get path(): string | undefined {
    return this.#file.container.path
  }

  /** What is written takes the place of another file when the handle is closed, and is dropped if it never is. */
  get isProvisional(): boolean {
    return this.#file.successor !== undefined
  }

  /** Whether the handle may write. */
  get isWriter(): boolean {
    return this.#file.editor !== undefined
  }

  /** Something was written that no commit holds. */
  get isDirty(): boolean {
    return this.#isOpen && this.#file.editor?.isDirty === true
  }

  /** To be called where calls may go on that nobody waits for any more. */
  stopReusingMemory(): void {
    this.#file.reader.stopReusingMemory()
  }

  /** @throws Error `EBADF` if it is closed. */
  checkOpen(syscall: string): void {
    if (!this.#isOpen) throw fileClosed(syscall)
  }

  /**
   * Reads into `target`.
   *
   * @param position - In the plaintext; null reads on from the cursor.
   * @returns bytes read: 0 at the end of the file.
   */
  *read(target: Uint8Array, position: number | null): Steps<number> {
    this.checkOpen('read')
    if (target.length === 0) return 0
    this.#checkReadable()
    const read = yield* this.#file.content.read(target, position ?? this.#cursor)
    if (position === null) this.#cursor += read
    return read
  }

  /** Fills buffers one after the other. @returns bytes read. */
  *readVector(targets: readonly Uint8Array[], position: number | null): Steps<number> {
    this.checkOpen('readv')
    if (targets.length === 0) throw systemError('EINVAL', 'read')
    this.#checkReadable()
    let done = 0
    for (const target of targets) {
      const read = yield* this.read(target, position === null ? null : position + done)
      done += read
      if (read < target.length) break
    }
    return done
  }

  /**
   * Reads from the cursor to the end of the file.
   *
   * @param allocate - Gives the memory for so many bytes; asked again where the file has grown meanwhile.
   * @throws an AbortError between two pieces if `signal` says so.
   * @throws LockedError if a writer changed the file each time while it was read.
   */
  *readToEnd(signal?: AbortSignal, allocate: Allocate = newBuffer): Steps<Buffer> {
    this.checkOpen('readFile')
    this.#checkReadable()
    const { content } = this.#file
    content.takeMixed()
    yield* content.refresh()
    const start = this.#cursor
    for (let tries = 1; tries <= READ_TRIES; tries++) {
      this.#cursor = start
      const bytes = yield* this.#readPieces(signal, allocate)
      if (!content.takeMixed()) return bytes
    }
    throw this.#file.container.changing()
  }

  /** @returns the next line without its end, as UTF-8; undefined at the end of the file. */
  *readLine(complete: boolean): Steps<string | undefined> {
    this.#checkReadable()
    const line = yield* findLine((target, position) => this.#file.content.read(target, position), this.#cursor, complete)
    if (line === undefined) return undefined
    this.#cursor = line.next
    return line.text
  }

  /**
   * Writes all of `data`.
   *
   * @param position - In the plaintext; null writes on from the cursor. Appending handles write at the end.
   */
  *write(data: Uint8Array, position: number | null): Steps<number> {
    yield* this.#put(data, position)
    if (this.#access.sync) yield* this.#file.editor!.sync()
    return data.length
  }

  /** Writes buffers one after the other. @returns bytes written: all. */
  *writeVector(buffers: readonly Uint8Array[], position: number | null): Steps<number> {
    this.checkOpen('writev')
    let done = 0
    for (const buffer of buffers) done += yield* this.#put(buffer, position === null ? null : position + done)
    if (this.#access.sync && buffers.length > 0) yield* this.#file.editor!.sync()
    return done
  }

  /** Writes all of `data` at the end. */
  *append(data: Uint8Array): Steps<number> {
    const editor = this.#checkWritable('write')
    yield* this.#writeAt(editor, data, editor.length, true)
    if (this.#access.sync) yield* editor.sync()
    return data.length
  }

  /** Drops what lies behind `length` bytes, or adds zeros up to there. */
  *truncate(length: number): Steps<void> {
    this.checkOpen('ftruncate')
    if (!this.#access.write) throw systemError('EINVAL', 'ftruncate')
    this.#times = undefined
    yield* this.#file.editor!.truncate(length)
    if (this.#access.sync) yield* this.#file.editor!.sync()
  }

  /** Moves the cursor. @returns where it is now. */
  *seek(offset: number, whence: Whence): Steps<number> {
    this.checkOpen('lseek')
    if (whence === 'end') yield* this.#file.content.refresh()
    const from = { start: 0, current: this.#cursor, end: this.#file.content.length }[whence]
    const position = from + offset
    if (!(position >= 0 && position <= Number.MAX_SAFE_INTEGER)) {
      throw outOfRange('offset', `>= ${-from} && <= ${Number.MAX_SAFE_INTEGER - from}`, offset)
    }
    this.#cursor = position
    return position
  }

  /**
   * Makes what was written the file's state.
   *
   * @param leaveTail - While more is being appended, its last, incomplete segment may wait.
   */
  *commit(leaveTail = false): Steps<void> {
    if (this.isDirty) yield* this.#file.editor!.commit({ leaveTail })
  }

  /** Commits, and waits until the disk has it. */
  *sync(syscall: 'fsync' | 'fdatasync'): Steps<void> {
    this.checkOpen(syscall)
    const { editor, fd } = this.#file
    if (editor === undefined) yield* io.fdatasync(fd)
    else yield* editor.sync()
  }

  /** What the system says of the file, with the plaintext's size. */
  *stat(): Steps<Stats> {
    const stats = yield* io.fstat(yield* this.#checkStat())
    stats.size = this.#file.content.length
    return stats
  }

  /** The same, in bigints. */
  *statBig(): Steps<BigIntStats> {
    const stats = yield* io.fstatBig(yield* this.#checkStat())
    stats.size = BigInt(this.#file.content.length)
    return stats
  }

  /** What the file is, and how it lies on disk. */
  *info(): Steps<FileInfo> {
    this.checkOpen('fstat')
    const { container, content, fd } = this.#file
    yield* content.refresh()
    const { size } = yield* io.fstat(fd)
    return describeFile(container, content.state, content.length, size)
  }

  /**
   * Commits, then reads all of the file and checks every segment and the snapshot over all.
   *
   * @throws an AbortError if the signal says so; LockedError if a writer changed the file each time while it was read.
   */
  *verify(control: Control): Steps<VerifyReport> {
    this.checkOpen('read')
    const { container, content, fd } = this.#file
    yield* this.commit()
    for (let tries = 1; tries <= READ_TRIES; tries++) {
      yield* content.refresh()
      const state = content.state!
      const { bad, snapshot } = yield* verifyState(container, fd, state, control)
      const ok = bad.length === 0 && snapshot !== 'differs'
      if (!ok) yield* content.refresh()
      if (ok || content.state === state) return { ok, size: state.length, segments: state.count, bad, snapshot }
    }
    throw this.#file.container.changing()
  }

  *chmod(mode: number | string): Steps<void> {
    this.checkOpen('fchmod')
    yield* io.fchmod(this.#file.fd, mode)
  }

  *chown(uid: number, gid: number): Steps<void> {
    this.checkOpen('fchown')
    yield* io.fchown(this.#file.fd, uid, gid)
  }

  /** Sets the file's times. What was written before is committed first, so that it does not change them later. */
  *utimes(atime: FileTime, mtime: FileTime): Steps<void> {
    this.checkOpen('futimes')
    yield* this.commit()
    yield* io.futimes(this.#file.fd, atime, mtime)
    const copyOf = (time: FileTime): FileTime => (time instanceof Date ? new Date(time) : time)
    this.#times = { atime: copyOf(atime), mtime: copyOf(mtime) }
  }

  /**
   * Commits and marks the file as closed, but leaves the handle open, and its lock held: the process is about to exit. A file that was to
   * take another's place does not: nobody has said that it is complete.
   */
  *finish(): Steps<void> {
    if (!this.#isOpen) return
    const { successor } = this.#file
    yield* successor === undefined ? this.#closeContent() : io.unlink(successor.temporary)
  }

  /** Lets go of the lock of a file that is finished. Nothing may be written after this. */
  *unlock(): Steps<void> {
    if (!this.#isOpen || this.#lock === undefined) return
    yield* releaseLock(this.#lock)
    this.#lock = undefined
  }

  /** Commits, closes and forgets the keys, whatever fails on the way. A second call does nothing. */
  *close(): Steps<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    const { successor } = this.#file
    if (successor !== undefined) {
      yield* this.#closeSuccessor(successor)
      return
    }
    try {
      yield* this.#closeContent()
    } finally {
      yield* this.#forget()
      yield* closeAndUnlock(this.#file.fd, this.#lock)
    }
  }

  /**
   * Closes a file that was to take another's place, and leaves that one as it is.
   *
   * @throws Error `ERR_INVALID_STATE` if the file was not opened for that.
   */
  *discard(): Steps<void> {
    if (!this.#isOpen) return
    const { successor, fd } = this.#file
    if (successor === undefined) throw invalidState('The file was not opened with the option atomic, and what was written is in it')
    this.#isOpen = false
    try {
      yield* this.#forget()
      yield* io.close(fd)
      yield* io.unlink(successor.temporary)
    } finally {
      yield* releaseLock(this.#lock!)
    }
  }

  /** Closes a file that nobody can close any more. */
  abandon(): Steps<void> {
    return this.isProvisional ? this.discard() : this.close()
  }

  *#closeSuccessor(successor: SuccessorFile): Steps<void> {
    try {
      yield* undoOnError(this.#completeSuccessor(successor), () => io.unlink(successor.temporary))
    } finally {
      yield* releaseLock(this.#lock!)
    }
  }

  *#completeSuccessor(successor: SuccessorFile): Steps<void> {
    try {
      yield* this.#closeContent()
      yield* io.fdatasync(successor.fd)
    } finally {
      yield* this.#forget()
      yield* io.close(successor.fd)
    }
    const { guard, container, editor } = this.#file
    yield* guard?.announce(saltOf(container)) ?? []
    yield* publishSuccessor(successor)
    yield* guard?.remember(saltOf(container), editor!.state!.record) ?? []
  }

  *#closeContent(): Steps<void> {
    const { editor, content, fd } = this.#file
    if (editor === undefined) {
      yield* content.forget()
      return
    }
    yield* editor.close()
    if (this.#times !== undefined) yield* io.futimes(fd, this.#times.atime, this.#times.mtime)
  }

  /** Waits for what is under way, and forgets keys and content. */
  *#forget(): Steps<void> {
    const { editor, content, container } = this.#file
    yield* editor?.abandon() ?? content.forget()
    container.dispose()
  }

  /** Reads from the cursor to the end, wherever that comes to be meanwhile. */
  *#readPieces(signal: AbortSignal | undefined, allocate: Allocate): Steps<Buffer> {
    const { content } = this.#file
    const start = this.#cursor
    let bytes: Buffer = Buffer.alloc(0)
    for (;;) {
      checkAborted(signal)
      const done = this.#cursor - start
      const length = Math.max(0, content.length - start)
      if (length > READ_FILE_MAX) {
        throw Object.assign(new RangeError(`File size (${length}) is greater than 2 GiB`), { code: 'ERR_FS_FILE_TOO_LARGE' })
      }
      if (done >= length) return bytes.subarray(0, done)
      if (bytes.length < length) {
        const larger = allocate(length)
        larger.set(bytes.subarray(0, done))
        bytes = larger
      }
      if ((yield* this.read(bytes.subarray(done, Math.min(length, done + PIECE_SIZE)), null)) === 0) return bytes.subarray(0, done)
    }
  }

  *#put(data: Uint8Array, position: number | null): Steps<number> {
    const editor = this.#checkWritable('write')
    yield* this.#writeAt(editor, data, this.#access.append ? editor.length : (position ?? this.#cursor), position === null)
    return data.length
  }

  *#writeAt(editor: Editor, data: Uint8Array, position: number, moves: boolean): Steps<void> {
    this.#times = undefined
    try {
      yield* editor.write(data, position)
    } finally {
      if (moves && data.length > 0) this.#cursor = editor.writtenTo
    }
  }

  /** Sees to it that the length is the newest. @returns the descriptor. */
  *#checkStat(): Steps<number> {
    this.checkOpen('fstat')
    yield* this.#file.content.refresh()
    return this.#file.fd
  }

  #checkReadable(): void {
    this.checkOpen('read')
    if (!this.#access.read) throw systemError('EBADF', 'read')
  }

  #checkWritable(syscall: string): Editor {
    this.checkOpen(syscall)
    if (!this.#access.write) throw systemError('EBADF', syscall)
    return this.#file.editor!
  }
}

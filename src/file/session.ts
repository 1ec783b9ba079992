import type { Stats } from 'node:fs'
import type { Editor } from './engine/editor.js'
import type { Access } from './flags.js'
import { io, type PathLike, type Steps } from './io/steps.js'
import { releaseLock, type Lock } from './engine/lock.js'
import { closeAndUnlock, openFile, type OpenFile } from './open-file.js'
import type { ResolvedOptions } from './options.js'
import { checkAborted, systemError } from './io/system-errors.js'

/** What `readToEnd` reads between two looks at its signal. */
const PIECE_SIZE = 2 ** 20
/** The most that Node reads into one buffer by `readFile`. */
const READ_FILE_MAX = 2 ** 31 - 1

/** One open file, as both kinds of handle see it: what they do, in steps. */
export class Session {
  readonly #file: OpenFile
  readonly #access: Access
  #lock: Lock | undefined
  #cursor = 0
  #isOpen = true

  private constructor(file: OpenFile, access: Access) {
    this.#file = file
    this.#access = access
    this.#lock = file.lock
  }

  /** @throws system errors as they are, and ours naming the file. */
  static *open(path: PathLike, access: Access, options: ResolvedOptions): Steps<Session> {
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

  /** Whether the handle may write. */
  get isWriter(): boolean {
    return this.#file.editor !== undefined
  }

  /** Something was written that no commit holds. */
  get isDirty(): boolean {
    return this.#isOpen && this.#file.editor?.isDirty === true
  }

  /**
   * Reads into `target`.
   *
   * @param position - In the plaintext; null reads on from where the last such read ended.
   * @returns bytes read: 0 at the end of the file.
   */
  *read(target: Uint8Array, position: number | null): Steps<number> {
    this.#checkReadable()
    const read = yield* this.#file.reader.read(this.#file.state!, target, position ?? this.#cursor)
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
    const length = Math.max(0, this.#file.state!.length - this.#cursor)
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
    const moves = position === null || this.#access.append
    try {
      yield* editor.write(data, start)
    } finally {
      if (moves) this.#cursor = editor.writtenTo
    }
    return data.length
  }

  /** Writes all of `data` at the end. */
  *append(data: Uint8Array): Steps<number> {
    const editor = this.#checkWritable()
    try {
      yield* editor.write(data, editor.length)
    } finally {
      this.#cursor = editor.writtenTo
    }
    return data.length
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
    this.#checkOpen(syscall)
    const { editor, fd } = this.#file
    if (editor === undefined) yield* io.fdatasync(fd)
    else yield* editor.sync()
  }

  /** What the system says of the file, with the plaintext's size. */
  *stat(): Steps<Stats> {
    this.#checkOpen('fstat')
    const { fd, state, editor } = this.#file
    const stats = yield* io.fstat(fd)
    stats.size = editor?.length ?? state!.length
    return stats
  }

  /**
   * Commits, marks the file as closed and lets go of its lock, but leaves the handle open: the process is about to exit.
   *
   * @param keepsLock - Calls still go on, and end after this: nobody else may write before the process is gone.
   */
  *finish(keepsLock: boolean): Steps<void> {
    if (!this.#isOpen) return
    yield* this.#closeContent()
    if (this.#lock !== undefined && !keepsLock) yield* releaseLock(this.#lock)
    this.#lock = undefined
  }

  /** Commits, closes and forgets the keys, whatever fails on the way. A second call does nothing. */
  *close(): Steps<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    try {
      yield* this.#closeContent()
    } finally {
      const { editor, reader, container } = this.#file
      yield* editor?.abandon() ?? reader.forget()
      container.dispose()
      yield* closeAndUnlock(this.#file.fd, this.#lock)
    }
  }

  *#closeContent(): Steps<void> {
    const { editor, reader } = this.#file
    if (editor !== undefined) yield* editor.close()
    else yield* reader.forget()
  }

  #checkReadable(): void {
    this.#checkOpen('read')
    if (!this.#access.read) throw systemError('EBADF', 'read')
  }

  #checkWritable(): Editor {
    this.#checkOpen('write')
    if (this.#file.editor === undefined) throw systemError('EBADF', 'write')
    return this.#file.editor
  }

  #checkOpen(syscall: string): void {
    if (!this.#isOpen) throw systemError('EBADF', syscall, 'file closed')
  }
}

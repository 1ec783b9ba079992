import type { Stats } from 'node:fs'
import { CommitTimer } from './commit-timer.js'
import {
  checkContent,
  checkContentOptions,
  checkReadArguments,
  checkReadFileOptions,
  checkWriteArguments,
  type ContentOptions,
  type Position,
  type ReadOptions,
  type WriteOptions,
} from './data-arguments.js'
import { parseFlags, type Access } from './flags.js'
import type { PathLike, Steps } from './io/steps.js'
import { nodeDisk } from './io/node-disk.js'
import { resolveOpenOptions, type OpenOptions } from './options.js'
import { runSync } from './io/runners.js'
import { Session } from './session.js'

/**
 * An encrypted file, open, whose methods return when the work is done: the synchronous twin of EncryptedFile. Results are those of
 * `fs.readSync` and its like.
 *
 * @example
 * ```ts
 * const file = EncryptedFile.openSync('app.enc', 'r', { keyManager, purpose: 'config' })
 * const config = JSON.parse(file.readFile('utf8'))
 * file.close()
 * ```
 */
export class EncryptedFileSync implements Disposable {
  readonly #session: Session
  readonly #isBinary: boolean
  readonly #timer: CommitTimer | undefined

  private constructor(session: Session, access: Access, commitInterval: number) {
    this.#session = session
    this.#isBinary = access.binary
    if (!session.isWriter) return
    const handle = {
      get isDirty() {
        return session.isDirty
      },
      commit: () => {
        try {
          this.#run(session.commit(true))
        } catch {
          // It shows again in the next call that writes, syncs or closes.
        }
      },
      finish: () => runSync(nodeDisk, session.finish(false)),
    }
    this.#timer = new CommitTimer(handle, commitInterval)
    this.#timer.update()
  }

  /** Opens an encrypted file: see EncryptedFile.open for flags and errors. */
  static open(path: PathLike, flags: string, options: OpenOptions): EncryptedFileSync {
    const access = parseFlags(flags)
    const resolved = resolveOpenOptions(options)
    return new EncryptedFileSync(runSync(nodeDisk, Session.open(path, access, resolved)), access, resolved.commitInterval)
  }

  /** The file descriptor of the encrypted file; -1 after `close`. What is read through it is ciphertext. */
  get fd(): number {
    return this.#session.fd
  }

  /**
   * A crash took part of the newest commit, or `recover` passed over a damaged one, and the file was opened at the one before.
   * Never so after a `sync` that returned, unless the file was damaged since.
   */
  get fellBack(): boolean {
    return this.#session.fellBack
  }

  /**
   * Reads into a buffer.
   *
   * @param position - Byte of the plaintext; null or -1 reads on from where the last such read ended, and moves on.
   * @returns how many bytes were read: 0 at the end.
   */
  read(buffer: ArrayBufferView, offset?: number | null, length?: number | null, position?: Position): number
  read(buffer: ArrayBufferView, options?: ReadOptions<ArrayBufferView>): number
  read(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    const { target, position } = checkReadArguments(first, second, third, fourth)
    return this.#run(this.#session.read(target, position))
  }

  /**
   * Writes a buffer or a string.
   *
   * @param position - Byte of the plaintext; null writes on from where the last such write ended. Appending handles write at the end.
   * @returns how many bytes were written: all of them.
   */
  write(buffer: ArrayBufferView, offset?: number | null, length?: number | null, position?: Position): number
  write(buffer: ArrayBufferView, options?: WriteOptions): number
  write(text: string, position?: Position, encoding?: BufferEncoding | null): number
  write(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    const { data, position } = checkWriteArguments(first, second, third, fourth, this.#isBinary)
    return this.#run(this.#session.write(data, position))
  }

  /** Writes at the end of the file, wherever the position is. @returns how many bytes were written. */
  append(data: string | ArrayBufferView, encoding?: BufferEncoding | null): number {
    return this.#run(this.#session.append(checkContent(data, encoding, this.#isBinary)))
  }

  /** Reads from where the last read ended to the end of the file. @returns a Buffer, or a string where there is an encoding. */
  readFile(options?: { readonly encoding?: null | undefined } | null): Buffer
  readFile(options: BufferEncoding | { readonly encoding: BufferEncoding }): string
  readFile(options?: unknown): Buffer | string {
    const { encoding } = checkReadFileOptions(options, this.#isBinary)
    const content = this.#run(this.#session.readToEnd())
    return encoding === undefined ? content : content.toString(encoding)
  }

  /** Writes all of `data` from where the last write ended; what lies behind it stays. */
  writeFile(data: string | ArrayBufferView, options?: BufferEncoding | Omit<ContentOptions, 'signal'> | null): void {
    const { encoding } = checkContentOptions(options)
    this.#run(this.#session.write(checkContent(data, encoding, this.#isBinary), null))
  }

  /** The same as {@link EncryptedFileSync.writeFile}, as with Node's FileHandle. */
  appendFile(data: string | ArrayBufferView, options?: BufferEncoding | Omit<ContentOptions, 'signal'> | null): void {
    this.writeFile(data, options)
  }

  /** What the system says of the file; `size` is that of the plaintext. */
  stat(): Stats {
    return this.#run(this.#session.stat())
  }

  /** Commits what was written, and waits until the disk has it. */
  sync(): void {
    this.#run(this.#session.sync('fsync'))
  }

  /** The same as {@link EncryptedFileSync.sync}: a commit needs no more than `fdatasync` writes. */
  datasync(): void {
    this.#run(this.#session.sync('fdatasync'))
  }

  /**
   * Commits what was written, and closes the file. A second call does nothing.
   *
   * @throws what the last commit threw; the file is closed all the same.
   */
  close(): void {
    try {
      runSync(nodeDisk, this.#session.close())
    } finally {
      this.#timer?.stop()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #run<T>(steps: Steps<T>): T {
    try {
      return runSync(nodeDisk, steps)
    } finally {
      this.#timer?.update()
    }
  }
}

import type { BigIntStats, Stats } from 'node:fs'
import { invalidArgType } from '../argument-errors.js'
import {
  checkContent,
  checkContentOptions,
  checkControl,
  checkLength,
  checkReadArguments,
  checkReadFileOptions,
  checkSeekArguments,
  checkTextual,
  checkVectorArguments,
  checkWriteArguments,
  type ContentOptions,
  type LineOptions,
  type Position,
  type ReadFileOptions,
  type ReadOptions,
  type WriteOptions,
} from './data-arguments.js'
import type { Control } from './engine/verifier.js'
import type { FileInfo } from './file-info.js'
import { parseFlags, type Access } from './flags.js'
import type { FileTime, PathLike, Steps } from './io/steps.js'
import { HandleKeeper, type KeptHandle } from './handle-keeper.js'
import { nodeDisk } from './io/node-disk.js'
import { resolveOpenOptions, type OpenOptions } from './options.js'
import { runSync } from './io/runners.js'
import { Session, type VerifyReport, type Whence } from './session.js'

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
  readonly #keeper: HandleKeeper

  private constructor(session: Session, access: Access, commitInterval: number) {
    this.#session = session
    this.#isBinary = access.binary
    this.#keeper = new HandleKeeper(keptHandle(session), session.isWriter ? commitInterval : undefined, this)
  }

  /** Opens an encrypted file: see EncryptedFile.open for flags and errors. */
  static open(path: PathLike, flags: string | number | undefined, options: OpenOptions): EncryptedFileSync {
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
   * @param position - Byte of the plaintext; null or -1 reads on from the handle's position, and moves it.
   * @returns how many bytes were read: 0 at the end.
   */
  read(buffer: ArrayBufferView, offset?: number | null, length?: number | null, position?: Position): number
  read(buffer: ArrayBufferView, options?: ReadOptions<ArrayBufferView>): number
  read(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    if (!ArrayBuffer.isView(first)) throw invalidArgType('buffer', 'an instance of Buffer, TypedArray, or DataView', first)
    const { target, position } = checkReadArguments(first, second, third, fourth)
    this.#session.checkOpen('read')
    if (target.length === 0) return 0
    return this.#run(this.#session.read(target, position))
  }

  /**
   * Writes a buffer or a string.
   *
   * @param position - Byte of the plaintext; null writes on from the handle's position. Appending handles write at the end.
   * @returns how many bytes were written: all of them.
   */
  write(buffer: ArrayBufferView, offset?: number | null, length?: number | null, position?: Position): number
  write(buffer: ArrayBufferView, options?: WriteOptions): number
  write(text: string, position?: Position, encoding?: BufferEncoding | null): number
  write(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): number {
    const { data, position } = checkWriteArguments(first, second, third, fourth, this.#isBinary)
    return this.#run(this.#session.write(data, position))
  }

  /** Fills buffers, one after the other: see EncryptedFile.readv. @returns how many bytes were read in all: 0 at the end. */
  readv(buffers: readonly ArrayBufferView[], position?: Position): number {
    const request = checkVectorArguments(buffers, position)
    return this.#run(this.#session.readVector(request.pieces, request.position))
  }

  /** Writes buffers, one after the other. @returns how many bytes were written: all of them. */
  writev(buffers: readonly ArrayBufferView[], position?: Position): number {
    const request = checkVectorArguments(buffers, position)
    return this.#run(this.#session.writeVector(request.pieces, request.position))
  }

  /** Writes at the end of the file, wherever the position is. @returns how many bytes were written. */
  append(data: string | ArrayBufferView, encoding?: BufferEncoding | null): number {
    return this.#run(this.#session.append(checkContent(data, encoding, this.#isBinary)))
  }

  /** Reads from the handle's position to the end of the file. @returns a Buffer, or a string where there is an encoding. */
  readFile(options?: (Omit<ReadFileOptions, 'signal'> & { readonly encoding?: null | undefined }) | null): Buffer
  readFile(options: BufferEncoding | (Omit<ReadFileOptions, 'signal'> & { readonly encoding: BufferEncoding })): string
  readFile(options?: BufferEncoding | Omit<ReadFileOptions, 'signal'> | null): Buffer | string
  readFile(options?: unknown): Buffer | string {
    const { encoding, allocate } = checkReadFileOptions(options, this.#isBinary)
    const content = this.#run(this.#session.readToEnd(undefined, allocate))
    return encoding === undefined ? content : content.toString(encoding)
  }

  /** Reads from the handle's position to the end of the file, as text: in UTF-8 unless told otherwise. */
  readText(options?: BufferEncoding | Omit<ContentOptions, 'signal'> | null): string {
    checkTextual('readText', this.#isBinary)
    const { encoding = 'utf8' } = checkContentOptions(options)
    return this.readFile(encoding)
  }

  /** Reads the line at the handle's position, and moves to the next. @returns it without its end; undefined at the end of the file. */
  readLine({ complete = false }: LineOptions = {}): string | undefined {
    checkTextual('readLine', this.#isBinary)
    return this.#run(this.#session.readLine(complete))
  }

  /** The lines from the handle's position on. The handle stays open. */
  *[Symbol.iterator](): Generator<string, void, undefined> {
    for (let line = this.readLine(); line !== undefined; line = this.readLine()) yield line
  }

  /** Writes all of `data` from the handle's position on; what lies behind it stays. */
  writeFile(data: string | ArrayBufferView, options?: BufferEncoding | Omit<ContentOptions, 'signal'> | null): void {
    const { encoding } = checkContentOptions(options)
    this.#session.checkOpen('writeFile')
    const content = checkContent(data, encoding, this.#isBinary)
    if (content.length > 0) this.#run(this.#session.write(content, null))
  }

  /** The same as {@link EncryptedFileSync.writeFile}, as with Node's FileHandle. */
  appendFile(data: string | ArrayBufferView, options?: BufferEncoding | Omit<ContentOptions, 'signal'> | null): void {
    this.writeFile(data, options)
  }

  /** Moves the handle's position. @param whence - What `offset` is counted from: `start`, `current` or `end`. @returns the position. */
  seek(offset: number, whence: Whence = 'start'): number {
    const checked = checkSeekArguments(offset, whence)
    return this.#run(this.#session.seek(checked.offset, checked.whence))
  }

  /** The handle's position: where the next call without one reads or writes. */
  tell(): number {
    return this.#run(this.#session.seek(0, 'current'))
  }

  /** Makes the file `length` bytes long: drops what lies behind, or adds zeros, which are encrypted and take space. */
  truncate(length = 0): void {
    this.#run(this.#session.truncate(checkLength(length)))
  }

  /** What the system says of the file; `size` is that of the plaintext. */
  stat(options?: { readonly bigint?: false | undefined } | null): Stats
  stat(options: { readonly bigint: true }): BigIntStats
  stat(options?: { readonly bigint?: boolean | undefined } | null): Stats | BigIntStats
  stat(options?: { readonly bigint?: boolean | undefined } | null): Stats | BigIntStats {
    return options?.bigint ? this.#run(this.#session.statBig()) : this.#run(this.#session.stat())
  }

  /** What the file is, and how it lies on disk. */
  info(): FileInfo {
    return this.#run(this.#session.info())
  }

  /** Reads all of the file, after a commit, and checks every segment and the snapshot over all: see EncryptedFile.verify. */
  verify(control: Omit<Control, 'signal'> = {}): VerifyReport {
    return this.#run(this.#session.verify(checkControl(control)))
  }

  /** Sets the permission bits. @param mode - A number, or an octal string. */
  chmod(mode: number | string): void {
    this.#run(this.#session.chmod(mode))
  }

  /** Changes owner and group of the file. */
  chown(uid: number, gid: number): void {
    this.#run(this.#session.chown(uid, gid))
  }

  /** Sets the times of the file: dates, or seconds since the epoch. What was written before is committed first. */
  utimes(atime: FileTime, mtime: FileTime): void {
    this.#run(this.#session.utimes(atime, mtime))
  }

  /** Makes what was written the file's state, which other handles see, without waiting for the disk. */
  commit(): void {
    this.#run(this.#session.commit())
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
      this.#keeper.stop()
    }
  }

  /**
   * Closes a handle that was opened with `atomic`, and leaves the file as it was.
   *
   * @throws Error `ERR_INVALID_STATE` if it was opened without: what was written is in the file.
   */
  discard(): void {
    runSync(nodeDisk, this.#session.discard())
    this.#keeper.stop()
  }

  /** Closes the handle. */
  [Symbol.dispose](): void {
    this.close()
  }

  #run<T>(steps: Steps<T>): T {
    try {
      return runSync(nodeDisk, steps)
    } finally {
      this.#keeper.update()
    }
  }
}

/** What is left of a handle when nobody refers to it any more. */
function keptHandle(session: Session): KeptHandle {
  const attempt = (steps: Steps<void>): void => {
    try {
      runSync(nodeDisk, steps)
    } catch {
      // Of a commit, it shows again in the next call that writes, syncs or closes.
    }
  }
  return {
    path: session.path,
    isProvisional: session.isProvisional,
    get isDirty() {
      return session.isDirty
    },
    commit: () => attempt(session.commit(true)),
    finish: () => runSync(nodeDisk, session.finish()),
    unlock: () => runSync(nodeDisk, session.unlock()),
    close: () => attempt(session.abandon()),
  }
}

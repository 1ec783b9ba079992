import { EventEmitter } from 'node:events'
import type { BigIntStats, ReadStream, Stats, WriteStream } from 'node:fs'
import type { Interface } from 'node:readline'
import type { ReadableStream } from 'node:stream/web'
import { invalidState } from '../argument-errors.js'
import { CommitTimer } from './commit-timer.js'
import {
  checkContent,
  checkContentOptions,
  checkLength,
  checkReadArguments,
  checkReadFileOptions,
  checkSeekArguments,
  checkStreamOptions,
  checkTextual,
  checkVectorArguments,
  checkWriteArguments,
  type ContentOptions,
  type LineOptions,
  type Position,
  type ReadOptions,
  type WriteOptions,
} from './data-arguments.js'
import { EncryptedFileSync } from './encrypted-file-sync.js'
import { parseFlags, type Access } from './flags.js'
import {
  openLines,
  openReadStream,
  openWriteStream,
  type Hold,
  type ReadStreamOptions,
  type WriteStreamOptions,
} from './handle-streams.js'
import { nodeDisk } from './io/node-disk.js'
import { AsyncRunner, runSync } from './io/runners.js'
import type { FileTime, PathLike } from './io/steps.js'
import { checkAborted } from './io/system-errors.js'
import { resolveOpenOptions, type OpenOptions, type ResolvedOptions } from './options.js'
import { Session, type Whence } from './session.js'
import { openWebStream, type WebStreamOptions } from './web-stream.js'
import { checkWholeFileOptions, readWhole, writeWhole, type WholeFileOptions, type WholeFileRequest } from './whole-file.js'

/** What `read` returns. */
export interface ReadResult<T> {
  /** 0 at the end of the file. */
  bytesRead: number
  /** What was passed in. */
  buffer: T
}

/** What `write` returns. */
export interface WriteResult<T> {
  bytesWritten: number
  /** What was passed in. */
  buffer: T
}

/** What `readv` returns. */
export interface ReadVectorResult<T extends readonly ArrayBufferView[]> {
  /** In all buffers together; 0 at the end of the file. */
  bytesRead: number
  /** What was passed in. */
  buffers: T
}

/** What `writev` returns. */
export interface WriteVectorResult<T extends readonly ArrayBufferView[]> {
  bytesWritten: number
  /** What was passed in. */
  buffers: T
}

/** Bytes that `writeFile` takes piece by piece are written in the pieces that come. */
type Content = string | ArrayBufferView
type Pieces = Iterable<Content> | AsyncIterable<Content>

/**
 * An encrypted file, open: in place of the FileHandle that `fs.promises.open` gives. On disk lies authenticated ciphertext; what
 * is read was authenticated first. Writes are gathered and committed in one step that a crash cannot cut in two: within
 * `commitInterval`, every 4 MiB, by `sync()` and by `close()`.
 *
 * @example
 * ```ts
 * await using file = await EncryptedFile.open('app.enc', 'w', { keyManager, purpose: 'config' })
 * await file.write('secret\n')
 * ```
 */
export class EncryptedFile extends EventEmitter<{ close: [] }> implements AsyncDisposable {
  readonly #session: Session
  readonly #runner: AsyncRunner
  readonly #isBinary: boolean
  readonly #timer: CommitTimer | undefined
  /** Streams and calls that keep the handle open, and the handle itself until it is asked to close. */
  #holders = 1
  #closing: Promise<void> | undefined
  #closeNow: (() => void) | undefined
  #hasWebStream = false
  readonly #hold: Hold = { retain: () => (this.#holders += 1), release: () => this.#release() }

  private constructor(session: Session, runner: AsyncRunner, access: Access, commitInterval: number) {
    super()
    this.#session = session
    this.#runner = runner
    this.#isBinary = access.binary
    if (!session.isWriter) return
    const handle = {
      get isDirty() {
        return session.isDirty
      },
      // An error shows again in the next call that writes, syncs or closes.
      commit: () => void runner.run(() => session.commit(true)).catch(() => undefined),
      finish: () => {
        const isGoingOn = runner.finishSync()
        runSync(nodeDisk, session.finish(isGoingOn))
      },
    }
    const timer = new CommitTimer(handle, commitInterval)
    this.#timer = timer
    runner.afterEach = () => timer.update()
    timer.update()
  }

  /**
   * Opens an encrypted file.
   *
   * @param flags - As for `fs.promises.open`: `r` reads, `r+` reads and writes, `w` writes a new file or drops what was there, `a`
   *   appends; with `+` they read, too, with `x` the file must not exist, with `s` each write waits for the disk. Numbers made of
   *   `fs.constants` do as well. With a `b`, as in `rb` or `r+b`, text is refused.
   * @throws system errors such as `ENOENT` as they are; TypeError or RangeError for misuse.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` or `ERR_SEALFILE_WRONG_PURPOSE` for another key, purpose or context.
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT`, `ERR_SEALFILE_FORMAT_HEADER` or `ERR_SEALFILE_FORMAT_VERSION`.
   * @throws CorruptedFileError `ERR_SEALFILE_CORRUPTED` or `ERR_SEALFILE_TRUNCATED` where the damage shows at once.
   * @throws LockedError `ERR_SEALFILE_LOCKED` if the file is open for writing elsewhere, to a writer.
   */
  static async open(path: PathLike, flags: string | number | undefined, options: OpenOptions): Promise<EncryptedFile> {
    const access = parseFlags(flags)
    return EncryptedFile.#open(path, access, resolveOpenOptions(options))
  }

  /** {@link EncryptedFile.open} without waiting: the handle's methods return at once, too. */
  static openSync(path: PathLike, flags: string | number | undefined, options: OpenOptions): EncryptedFileSync {
    return EncryptedFileSync.open(path, flags, options)
  }

  /**
   * Reads all of a file: one committed state of it, with the snapshot over all of it checked.
   *
   * @returns a Buffer, or a string where there is an encoding.
   * @throws what {@link EncryptedFile.open} and {@link EncryptedFile.readFile} throw.
   */
  static readFile(path: PathLike, options: WholeFileOptions & { readonly encoding: BufferEncoding }): Promise<string>
  static readFile(path: PathLike, options: WholeFileOptions & { readonly encoding?: null | undefined }): Promise<Buffer>
  static readFile(path: PathLike, options: WholeFileOptions): Promise<Buffer | string>
  static async readFile(path: PathLike, options: WholeFileOptions): Promise<Buffer | string> {
    const request = checkWholeFileOptions(options, 'r')
    checkReadFileOptions(options, request.access.binary)
    const content = await new AsyncRunner(nodeDisk).run(() => readWhole(path, request))
    return request.encoding === undefined ? content : content.toString(request.encoding)
  }

  /** {@link EncryptedFile.readFile} without waiting. */
  static readFileSync(path: PathLike, options: WholeFileOptions & { readonly encoding: BufferEncoding }): string
  static readFileSync(path: PathLike, options: WholeFileOptions & { readonly encoding?: null | undefined }): Buffer
  static readFileSync(path: PathLike, options: WholeFileOptions): Buffer | string
  static readFileSync(path: PathLike, options: WholeFileOptions): Buffer | string {
    const request = checkWholeFileOptions(options, 'r')
    checkReadFileOptions(options, request.access.binary)
    const content = runSync(nodeDisk, readWhole(path, request))
    return request.encoding === undefined ? content : content.toString(request.encoding)
  }

  /**
   * Writes a whole file, in the place of what was there: at every moment, also after a crash or a failure on the way, the old content
   * or the new is there. Returns when the disk has it.
   *
   * @param data - Text, bytes, or an iterable, async iterable or stream of either.
   * @throws what {@link EncryptedFile.open} throws, and system errors; the old file is as it was then.
   */
  static async writeFile(path: PathLike, data: Content | Pieces, options: WholeFileOptions): Promise<void> {
    const request = checkWholeFileOptions(options, 'w')
    if (isIterable(data)) return EncryptedFile.#writePieces(path, data, request)
    const content = checkContent(data, request.encoding, request.access.binary)
    return new AsyncRunner(nodeDisk).run(() => writeWhole(path, content, request))
  }

  /** {@link EncryptedFile.writeFile} without waiting, for text and bytes. */
  static writeFileSync(path: PathLike, data: Content, options: WholeFileOptions): void {
    const request = checkWholeFileOptions(options, 'w')
    runSync(nodeDisk, writeWhole(path, checkContent(data, request.encoding, request.access.binary), request))
  }

  /** Writes at the end of a file, which is made where there is none. */
  static appendFile(path: PathLike, data: Content | Pieces, options: WholeFileOptions): Promise<void> {
    return EncryptedFile.writeFile(path, data, { ...options, flag: (options as WholeFileOptions | undefined)?.flag ?? 'a' })
  }

  /** {@link EncryptedFile.appendFile} without waiting, for text and bytes. */
  static appendFileSync(path: PathLike, data: Content, options: WholeFileOptions): void {
    EncryptedFile.writeFileSync(path, data, { ...options, flag: (options as WholeFileOptions | undefined)?.flag ?? 'a' })
  }

  static async #open(path: PathLike, access: Access, options: ResolvedOptions): Promise<EncryptedFile> {
    const runner = new AsyncRunner(nodeDisk)
    const session = await runner.run(() => Session.open(path, access, options))
    return new EncryptedFile(session, runner, access, options.commitInterval)
  }

  static async #writePieces(path: PathLike, data: Pieces, request: WholeFileRequest): Promise<void> {
    const { access, options, encoding, signal, flush } = request
    checkAborted(signal)
    const file = await EncryptedFile.#open(path, access, options)
    try {
      await file.writeFile(data, { encoding, signal })
      checkAborted(signal)
      if (flush) await file.sync()
    } catch (error) {
      await (options.atomic ? file.discard() : file.close())
      throw error
    }
    await file.close()
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
   * @returns how many bytes were read: fewer than asked for near the end, 0 at the end.
   * @throws CorruptedFileError naming the segment if what was asked for does not authenticate. The rest can still be read.
   */
  read<T extends ArrayBufferView>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: Position,
  ): Promise<ReadResult<T>>
  read<T extends ArrayBufferView = Buffer>(buffer: T, options?: ReadOptions<T>): Promise<ReadResult<T>>
  read<T extends ArrayBufferView = Buffer>(options?: ReadOptions<T>): Promise<ReadResult<T>>
  async read(first?: unknown, second?: unknown, third?: unknown, fourth?: unknown): Promise<ReadResult<ArrayBufferView>> {
    const { buffer, target, position } = checkReadArguments(first, second, third, fourth)
    const bytesRead = await this.#runner.run(() => this.#session.read(target, position))
    return { bytesRead, buffer }
  }

  /**
   * Fills buffers, one after the other.
   *
   * @param position - Byte of the plaintext; null reads on from the handle's position, and moves it.
   */
  async readv<T extends readonly ArrayBufferView[]>(buffers: T, position?: Position): Promise<ReadVectorResult<T>> {
    const { pieces, position: start } = checkVectorArguments(buffers, position)
    const bytesRead = await this.#runner.run(() => this.#session.readVector(pieces, start))
    return { bytesRead, buffers }
  }

  /**
   * Writes a buffer or a string. The bytes are the handle's until the promise is settled.
   *
   * @param position - Byte of the plaintext; null writes on from the handle's position. Appending handles write at the end.
   * @returns how many bytes were written: all of them.
   */
  write<T extends ArrayBufferView>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: Position,
  ): Promise<WriteResult<T>>
  write<T extends ArrayBufferView>(buffer: T, options?: WriteOptions): Promise<WriteResult<T>>
  write(text: string, position?: Position, encoding?: BufferEncoding | null): Promise<WriteResult<string>>
  async write(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): Promise<WriteResult<unknown>> {
    const { data, position } = checkWriteArguments(first, second, third, fourth, this.#isBinary)
    const bytesWritten = await this.#runner.run(() => this.#session.write(data, position))
    return { bytesWritten, buffer: first }
  }

  /** Writes buffers, one after the other. The bytes are the handle's until the promise is settled. */
  async writev<T extends readonly ArrayBufferView[]>(buffers: T, position?: Position): Promise<WriteVectorResult<T>> {
    const { pieces, position: start } = checkVectorArguments(buffers, position)
    const bytesWritten = await this.#runner.run(() => this.#session.writeVector(pieces, start))
    return { bytesWritten, buffers }
  }

  /** Writes at the end of the file, wherever the position is. @returns how many bytes were written. */
  async append(data: string | ArrayBufferView, encoding?: BufferEncoding | null): Promise<number> {
    const content = checkContent(data, encoding, this.#isBinary)
    return this.#runner.run(() => this.#session.append(content))
  }

  /**
   * Reads from the handle's position to the end of the file. Where that is the whole file, what was read is one committed state, and
   * the snapshot over all of it was checked.
   *
   * @returns a Buffer, or a string where there is an encoding.
   * @throws CorruptedFileError naming the segment if any of it does not authenticate.
   * @throws LockedError `ERR_SEALFILE_LOCKED` if a writer changed the file again and again while it was read.
   */
  readFile(options?: { readonly encoding?: null | undefined; readonly signal?: AbortSignal | undefined } | null): Promise<Buffer>
  readFile(
    options: BufferEncoding | { readonly encoding: BufferEncoding; readonly signal?: AbortSignal | undefined },
  ): Promise<string>
  readFile(options?: BufferEncoding | ContentOptions | null): Promise<Buffer | string>
  async readFile(options?: unknown): Promise<Buffer | string> {
    const { encoding, signal } = checkReadFileOptions(options, this.#isBinary)
    checkAborted(signal)
    const content = await this.#runner.run(() => this.#session.readToEnd(signal))
    return encoding === undefined ? content : content.toString(encoding)
  }

  /** Reads from the handle's position to the end of the file, as text: {@link EncryptedFile.readFile}, in UTF-8 unless told otherwise. */
  async readText(options?: BufferEncoding | ContentOptions | null): Promise<string> {
    checkTextual('readText', this.#isBinary)
    const { encoding = 'utf8', signal } = checkContentOptions(options)
    return this.readFile({ encoding, signal })
  }

  /**
   * Reads the line that begins at the handle's position, as UTF-8, and moves to the next.
   *
   * @returns the line without its end (LF or CRLF); undefined at the end of the file.
   */
  async readLine({ complete = false }: LineOptions = {}): Promise<string | undefined> {
    checkTextual('readLine', this.#isBinary)
    return this.#runner.run(() => this.#session.readLine(complete))
  }

  /** The lines from the handle's position on: {@link EncryptedFile.readLine} until the end. The handle stays open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    for (let line = await this.readLine(); line !== undefined; line = await this.readLine()) yield line
  }

  /** Lines by way of a stream, as Node's FileHandle gives them; the handle is closed at the end. */
  readLines(options?: ReadStreamOptions): Interface {
    checkTextual('readLines', this.#isBinary)
    return openLines(this, this.#hold, options)
  }

  /**
   * Writes all of `data` from the handle's position on; as with Node's FileHandle, what lies behind it stays.
   *
   * @param data - Text, bytes, or an iterable, async iterable or stream of either.
   */
  async writeFile(data: Content | Pieces, options?: BufferEncoding | ContentOptions | null): Promise<void> {
    const { encoding, signal } = checkContentOptions(options)
    this.#session.checkOpen('writeFile')
    checkAborted(signal)
    const write = (piece: unknown): Promise<number> => {
      const content = checkContent(piece, encoding, this.#isBinary)
      return this.#runner.run(() => this.#session.write(content, null))
    }
    if (isIterable(data)) await this.#holdOpen(writePieces(data, write, signal))
    else await write(data)
  }

  /** The same as {@link EncryptedFile.writeFile}, as with Node's FileHandle. */
  async appendFile(data: Content | Pieces, options?: BufferEncoding | ContentOptions | null): Promise<void> {
    await this.writeFile(data, options)
  }

  /** Node's own ReadStream, on the plaintext. A stream from the start to the end checks the snapshot over all of it. */
  createReadStream(options?: ReadStreamOptions): ReadStream {
    checkStreamOptions(options, this.#isBinary)
    return openReadStream(this, this.#hold, options)
  }

  /** Node's own WriteStream, on the plaintext. When it has finished, what it wrote is committed. */
  createWriteStream(options?: WriteStreamOptions): WriteStream {
    return openWriteStream(this, this.#hold, options)
  }

  /**
   * A web stream of bytes from the handle's position to the end of the file. One at a time.
   *
   * @throws Error `ERR_INVALID_STATE` if the handle is closed or has such a stream already.
   */
  readableWebStream(options: WebStreamOptions = {}): ReadableStream<Uint8Array> {
    if (this.fd === -1) throw invalidState('The FileHandle is closed')
    if (this.#closing !== undefined) throw invalidState('The FileHandle is closing')
    if (this.#hasWebStream) throw invalidState('The FileHandle is locked')
    this.#hasWebStream = true
    return openWebStream(this, this.#hold, options)
  }

  /**
   * Moves the handle's position.
   *
   * @param offset - Bytes, which may be negative.
   * @param whence - What they are counted from: `start`, `current` or `end`.
   * @returns the position.
   */
  async seek(offset: number, whence: Whence = 'start'): Promise<number> {
    const checked = checkSeekArguments(offset, whence)
    return this.#runner.run(() => this.#session.seek(checked.offset, checked.whence))
  }

  /** The handle's position: where the next call without one reads or writes. */
  async tell(): Promise<number> {
    return this.#runner.run(() => this.#session.seek(0, 'current'))
  }

  /**
   * Makes the file `length` bytes long: drops what lies behind, or adds zeros, which are encrypted and take space.
   *
   * @param length - Bytes of plaintext.
   */
  async truncate(length = 0): Promise<void> {
    const checked = checkLength(length)
    await this.#runner.run(() => this.#session.truncate(checked))
  }

  /** What the system says of the file; `size` is that of the plaintext. */
  stat(options?: { readonly bigint?: false | undefined } | null): Promise<Stats>
  stat(options: { readonly bigint: true }): Promise<BigIntStats>
  stat(options?: { readonly bigint?: boolean | undefined } | null): Promise<Stats | BigIntStats>
  stat(options?: { readonly bigint?: boolean | undefined } | null): Promise<Stats | BigIntStats> {
    return this.#runner.run<Stats | BigIntStats>(() => (options?.bigint ? this.#session.statBig() : this.#session.stat()))
  }

  /** Sets the permission bits. @param mode - A number, or an octal string. */
  chmod(mode: number | string): Promise<void> {
    return this.#runner.run(() => this.#session.chmod(mode))
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.#runner.run(() => this.#session.chown(uid, gid))
  }

  /** Sets the times of the file: dates, or seconds since the epoch. What was written before is committed first. */
  utimes(atime: FileTime, mtime: FileTime): Promise<void> {
    return this.#runner.run(() => this.#session.utimes(atime, mtime))
  }

  /** Makes what was written the file's state, which other handles see, without waiting for the disk. */
  commit(): Promise<void> {
    return this.#runner.run(() => this.#session.commit())
  }

  /** Commits what was written, and waits until the disk has it. */
  sync(): Promise<void> {
    return this.#runner.run(() => this.#session.sync('fsync'))
  }

  /** The same as {@link EncryptedFile.sync}: a commit needs no more than `fdatasync` writes. */
  datasync(): Promise<void> {
    return this.#runner.run(() => this.#session.sync('fdatasync'))
  }

  /**
   * Commits what was written, and closes the file; streams on it end first. Called again, it waits for the first call.
   *
   * @throws what the last commit threw; the file is closed all the same.
   */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    this.#closing = new Promise<void>((resolve) => {
      this.#closeNow = () => resolve(this.#runner.run(() => this.#session.close()).finally(() => this.#timer?.stop()))
    })
    this.#release()
    this.emit('close')
    return this.#closing
  }

  /**
   * Closes a handle that was opened with `atomic`, and leaves the file as it was.
   *
   * @throws Error `ERR_INVALID_STATE` if it was opened without: what was written is in the file.
   */
  async discard(): Promise<void> {
    await this.#runner.run(() => this.#session.discard())
    this.#timer?.stop()
    await this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #release(): void {
    this.#holders--
    if (this.#holders === 0) this.#closeNow!()
  }

  /** Work in several operations, to be done before the handle closes. */
  async #holdOpen(work: Promise<void>): Promise<void> {
    this.#holders++
    try {
      await work
    } finally {
      this.#release()
    }
  }
}

function isIterable(data: Content | Pieces): data is Pieces {
  if (typeof data !== 'object' || (data as unknown) === null || ArrayBuffer.isView(data)) return false
  return Symbol.iterator in data || Symbol.asyncIterator in data
}

async function writePieces(
  pieces: Pieces,
  write: (piece: Content) => Promise<number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const piece of pieces) {
    checkAborted(signal)
    await write(piece)
  }
}

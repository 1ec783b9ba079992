import { EventEmitter } from 'node:events'
import type { BigIntStats, ReadStream, Stats, WriteStream } from 'node:fs'
import type { Interface } from 'node:readline'
import type { ReadableStream } from 'node:stream/web'
import { invalidState } from '../argument-errors.js'
import {
  checkContent,
  checkContentOptions,
  checkControl,
  checkLength,
  checkReadArguments,
  checkReadFileOptions,
  checkSeekArguments,
  checkSignal,
  checkStreamOptions,
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
import type { Access } from './flags.js'
import type { Control } from './engine/verifier.js'
import type { FileInfo } from './file-info.js'
import { HandleKeeper, type KeptHandle } from './handle-keeper.js'
import {
  openLines,
  openReadStream,
  openWriteStream,
  type Hold,
  type ReadStreamOptions,
  type WriteStreamOptions,
} from './handle-streams.js'
import { nodeDisk } from './io/node-disk.js'
import { runSync, type AsyncRunner } from './io/runners.js'
import type { FileTime } from './io/steps.js'
import { checkAborted } from './io/system-errors.js'
import type { Session, VerifyReport, Whence } from './session.js'
import { checkWebStreamOptions, openWebStream, type WebStreamOptions } from './web-stream.js'

/** What `read` returns. */
export interface ReadResult<T> {
  /** 0 at the end of the file. */
  bytesRead: number
  /** What was passed in. */
  buffer: T
}

/** What `write` returns. */
export interface WriteResult<T> {
  /** All that was passed in. */
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
  /** Of all buffers together. */
  bytesWritten: number
  /** What was passed in. */
  buffers: T
}

/** What `stat` takes. */
export interface StatOptions {
  /** Give all numbers as bigints. @defaultValue false */
  readonly bigint?: boolean | undefined
  /** Ends the call with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/** Text, or bytes. */
export type Content = string | ArrayBufferView
/** Content that comes bit by bit. */
export type Pieces = Iterable<Content> | AsyncIterable<Content>

/** What `writeFile` writes between two looks at its signal, as Node does. */
const ABORTABLE_LENGTH = 2 ** 19

/** The events of a handle. */
export interface HandleEvents {
  /** It is closed, or about to be: no more calls are taken. */
  close: []
}

/** What a handle does that waits: the members of Node's FileHandle, and some more. */
export abstract class EncryptedHandle extends EventEmitter<HandleEvents> implements AsyncDisposable {
  readonly #session: Session
  readonly #runner: AsyncRunner
  readonly #isBinary: boolean
  readonly #keeper: HandleKeeper
  /** Streams and calls that keep the handle open, and the handle itself until it is asked to close. */
  #holders = 1
  #closing: Promise<void> | undefined
  #closeNow: (() => void) | undefined
  #hasWebStream = false
  readonly #hold: Hold = {
    retain: () => (this.#holders += 1),
    release: () => {
      const isClosing = this.#closing !== undefined
      this.#release()
      return isClosing
    },
  }

  protected constructor(session: Session, runner: AsyncRunner, access: Access, commitInterval: number) {
    super()
    this.close = this.close.bind(this) // as with Node's handle, it may be passed on
    this.#session = session
    this.#runner = runner
    this.#isBinary = access.binary
    const keeper = new HandleKeeper(keptHandle(session, runner), session.isWriter ? commitInterval : undefined, this)
    this.#keeper = keeper
    runner.afterEach = () => keeper.update()
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
    this.#session.checkOpen('read')
    const { buffer, target, position } = checkReadArguments(first, second, third, fourth)
    if (target.length === 0) return { bytesRead: 0, buffer }
    const bytesRead = await this.#runner.run(() => this.#session.read(target, position))
    return { bytesRead, buffer }
  }

  /**
   * Fills buffers, one after the other.
   *
   * @param position - Byte of the plaintext; null reads on from the handle's position, and moves it.
   */
  async readv<T extends readonly ArrayBufferView[]>(buffers: T, position?: Position): Promise<ReadVectorResult<T>> {
    this.#session.checkOpen('readv')
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
    this.#session.checkOpen('write')
    if (ArrayBuffer.isView(first) && first.byteLength === 0) return { bytesWritten: 0, buffer: first }
    const { data, position } = checkWriteArguments(first, second, third, fourth, this.#isBinary)
    const bytesWritten = await this.#runner.run(() => this.#session.write(data, position))
    return { bytesWritten, buffer: first }
  }

  /** Writes buffers, one after the other. The bytes are the handle's until the promise is settled. */
  async writev<T extends readonly ArrayBufferView[]>(buffers: T, position?: Position): Promise<WriteVectorResult<T>> {
    this.#session.checkOpen('writev')
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
  readFile(options?: (ReadFileOptions & { readonly encoding?: null | undefined }) | null): Promise<Buffer>
  readFile(options: BufferEncoding | (ReadFileOptions & { readonly encoding: BufferEncoding })): Promise<string>
  readFile(options?: BufferEncoding | ReadFileOptions | null): Promise<Buffer | string>
  async readFile(options?: unknown): Promise<Buffer | string> {
    this.#session.checkOpen('readFile')
    const { encoding, signal, allocate } = checkReadFileOptions(options, this.#isBinary)
    checkAborted(signal)
    const content = await this.#runner.run(() => this.#session.readToEnd(signal, allocate))
    return encoding === undefined ? content : content.toString(encoding)
  }

  /** Reads from the handle's position to the end of the file, as text: {@link EncryptedHandle.readFile}, in UTF-8 unless told otherwise. */
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

  /** The lines from the handle's position on: {@link EncryptedHandle.readLine} until the end. The handle stays open. */
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
    this.#session.checkOpen('writeFile')
    const { encoding, signal } = checkContentOptions(options)
    checkAborted(signal)
    const write = async (piece: unknown): Promise<number> => {
      const content = checkContent(piece, encoding, this.#isBinary)
      const step = signal === undefined ? content.length : ABORTABLE_LENGTH
      for (let done = 0; done < content.length; done += step) {
        if (done > 0) checkAborted(signal)
        await this.#runner.run(() => this.#session.write(content.subarray(done, done + step), null))
      }
      return content.length
    }
    await this.#holdOpen(isIterable(data) ? writePieces(data, write, signal) : write(data))
  }

  /** The same as {@link EncryptedHandle.writeFile}, as with Node's FileHandle. */
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
    checkStreamOptions(options, this.#isBinary)
    return openWriteStream(this, this.#hold, options, this.#isBinary)
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
    checkWebStreamOptions(options)
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
    this.#session.checkOpen('ftruncate')
    const checked = checkLength(length)
    await this.#runner.run(() => this.#session.truncate(checked))
  }

  /** What the system says of the file; `size` is that of the plaintext. */
  stat(options?: StatOptions & { readonly bigint?: false | undefined }): Promise<Stats>
  stat(options: StatOptions & { readonly bigint: true }): Promise<BigIntStats>
  stat(options?: StatOptions): Promise<Stats | BigIntStats>
  async stat(options?: StatOptions | null): Promise<Stats | BigIntStats> {
    const { bigint = false, signal } = options ?? {}
    checkSignal(signal)
    checkAborted(signal)
    return this.#runner.run<Stats | BigIntStats>(() => (bigint ? this.#session.statBig() : this.#session.stat()))
  }

  /** What the file is, and how it lies on disk. */
  info(): Promise<FileInfo> {
    return this.#runner.run(() => this.#session.info())
  }

  /**
   * Reads all of the file, after a commit, and checks every segment and the snapshot over all.
   *
   * @returns what is wrong, if anything: each bad segment, and whether an older version of one was put back.
   * @throws Error `ABORT_ERR` if the signal says so.
   * @throws LockedError `ERR_SEALFILE_LOCKED` if a writer changed the file again and again while it was read.
   */
  async verify(control: Control = {}): Promise<VerifyReport> {
    const checked = checkControl(control)
    return this.#runner.run(() => this.#session.verify(checked))
  }

  /** Sets the permission bits. @param mode - A number, or an octal string. */
  chmod(mode: number | string): Promise<void> {
    return this.#runner.run(() => this.#session.chmod(mode))
  }

  /** Changes owner and group of the file. */
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

  /** The same as {@link EncryptedHandle.sync}: a commit needs no more than `fdatasync` writes. */
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
    this.#keeper.beginClose()
    this.#closing = new Promise<void>((resolve) => {
      this.#closeNow = () => resolve(this.#runner.run(() => this.#session.close()).finally(() => this.#keeper.stop()))
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
    await this.close()
  }

  /** Closes the handle. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #release(): void {
    this.#holders--
    if (this.#holders === 0) this.#closeNow!()
  }

  /** Work in several operations, to be done before the handle closes. */
  async #holdOpen(work: Promise<unknown>): Promise<void> {
    this.#holders++
    try {
      await work
    } finally {
      this.#release()
    }
  }
}

/** Tells pieces from what is written at once. */
export function isIterable(data: Content | Pieces): data is Pieces {
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

/** What is left of a handle when nobody refers to it any more. */
function keptHandle(session: Session, runner: AsyncRunner): KeptHandle {
  let isGoingOn = false
  return {
    path: session.path,
    isProvisional: session.isProvisional,
    get isDirty() {
      return session.isDirty
    },
    commit: () => void runner.run(() => session.commit(true)).catch(() => undefined),
    finish: () => {
      if (runner.finishSync()) isGoingOn = true
      runSync(nodeDisk, session.finish())
    },
    unlock: () => {
      if (!isGoingOn) runSync(nodeDisk, session.unlock())
    },
    close: () => runner.run(() => session.abandon()).catch(() => undefined),
  }
}

import type { Stats } from 'node:fs'
import {
  checkContent,
  checkContentOptions,
  checkReadFileOptions,
  checkReadArguments,
  checkWriteArguments,
  type ContentOptions,
  type Position,
  type ReadOptions,
  type WriteOptions,
} from './data-arguments.js'
import { EncryptedFileSync } from './encrypted-file-sync.js'
import { CommitTimer } from './commit-timer.js'
import { parseFlags, type Access } from './flags.js'
import type { PathLike } from './io/steps.js'
import { nodeDisk } from './io/node-disk.js'
import { resolveOpenOptions, type OpenOptions } from './options.js'
import { AsyncRunner, runSync } from './io/runners.js'
import { Session } from './session.js'
import { checkAborted } from './io/system-errors.js'

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
export class EncryptedFile implements AsyncDisposable {
  readonly #session: Session
  readonly #runner: AsyncRunner
  readonly #isBinary: boolean
  readonly #timer: CommitTimer | undefined
  readonly #unfinished = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  private constructor(session: Session, runner: AsyncRunner, access: Access, commitInterval: number) {
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
   * @param flags - `r` reads, `w` writes a new file or drops what was there, `a` appends; `rb`, `wb` and `ab` do the same and refuse text.
   * @throws system errors such as `ENOENT` as they are; TypeError or RangeError for misuse.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` or `ERR_SEALFILE_WRONG_PURPOSE` for another key, purpose or context.
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT`, `ERR_SEALFILE_FORMAT_HEADER` or `ERR_SEALFILE_FORMAT_VERSION`.
   * @throws CorruptedFileError `ERR_SEALFILE_CORRUPTED` or `ERR_SEALFILE_TRUNCATED` where the damage shows at once.
   * @throws LockedError `ERR_SEALFILE_LOCKED` if the file is open for writing elsewhere, to a writer.
   */
  static async open(path: PathLike, flags: string, options: OpenOptions): Promise<EncryptedFile> {
    const access = parseFlags(flags)
    const resolved = resolveOpenOptions(options)
    const runner = new AsyncRunner(nodeDisk)
    const session = await runner.run(() => Session.open(path, access, resolved))
    return new EncryptedFile(session, runner, access, resolved.commitInterval)
  }

  /** {@link EncryptedFile.open} without waiting: the handle's methods return at once, too. */
  static openSync(path: PathLike, flags: string, options: OpenOptions): EncryptedFileSync {
    return EncryptedFileSync.open(path, flags, options)
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
   * Writes a buffer or a string. The bytes are the handle's until the promise is settled.
   *
   * @param position - Byte of the plaintext; null writes on from where the last such write ended. Appending handles write at the end.
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

  /** Writes at the end of the file, wherever the position is. @returns how many bytes were written. */
  async append(data: string | ArrayBufferView, encoding?: BufferEncoding | null): Promise<number> {
    const content = checkContent(data, encoding, this.#isBinary)
    return this.#runner.run(() => this.#session.append(content))
  }

  /**
   * Reads from where the last read ended to the end of the file.
   *
   * @returns a Buffer, or a string where there is an encoding.
   * @throws CorruptedFileError naming the segment if any of it does not authenticate.
   */
  readFile(options?: { readonly encoding?: null | undefined; readonly signal?: AbortSignal | undefined } | null): Promise<Buffer>
  readFile(
    options: BufferEncoding | { readonly encoding: BufferEncoding; readonly signal?: AbortSignal | undefined },
  ): Promise<string>
  async readFile(options?: unknown): Promise<Buffer | string> {
    const { encoding, signal } = checkReadFileOptions(options, this.#isBinary)
    checkAborted(signal)
    const content = await this.#runner.run(() => this.#session.readToEnd(signal))
    return encoding === undefined ? content : content.toString(encoding)
  }

  /**
   * Writes all of `data` from where the last write ended; as with Node's FileHandle, what lies behind it stays.
   *
   * @param data - Text, bytes, or an iterable, async iterable or stream of either.
   */
  async writeFile(data: Content | Pieces, options?: BufferEncoding | ContentOptions | null): Promise<void> {
    const { encoding, signal } = checkContentOptions(options)
    checkAborted(signal)
    const write = (piece: unknown): Promise<number> => {
      const content = checkContent(piece, encoding, this.#isBinary)
      return this.#runner.run(() => this.#session.write(content, null))
    }
    if (isIterable(data)) await this.#finishFirst(writePieces(data, write, signal))
    else await write(data)
  }

  /** The same as {@link EncryptedFile.writeFile}, as with Node's FileHandle. */
  async appendFile(data: Content | Pieces, options?: BufferEncoding | ContentOptions | null): Promise<void> {
    await this.writeFile(data, options)
  }

  /** What the system says of the file; `size` is that of the plaintext. */
  stat(): Promise<Stats> {
    return this.#runner.run(() => this.#session.stat())
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
   * Commits what was written, and closes the file. Called again, it waits for the first call.
   *
   * @throws what the last commit threw; the file is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => this.#timer?.stop())
    return this.#closing
  }

  async #close(): Promise<void> {
    while (this.#unfinished.size > 0) await Promise.allSettled(this.#unfinished)
    await this.#runner.run(() => this.#session.close())
  }

  /** Work in several operations, to be done before the handle closes. */
  async #finishFirst(work: Promise<void>): Promise<void> {
    this.#unfinished.add(work)
    try {
      await work
    } finally {
      this.#unfinished.delete(work)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
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

import { checkContent, checkControl, checkReadFileOptions } from './data-arguments.js'
import { EncryptedFileSync } from './encrypted-file-sync.js'
import { EncryptedHandle, isIterable, type Content, type Pieces } from './encrypted-handle.js'
import type { Control } from './engine/verifier.js'
import { inspectFile, type FileInspection } from './file-info.js'
import { parseFlags, type Access } from './flags.js'
import { nodeDisk } from './io/node-disk.js'
import { AsyncRunner, runSync } from './io/runners.js'
import type { ByteSource } from './io/source-disk.js'
import type { PathLike } from './io/steps.js'
import { checkAborted } from './io/system-errors.js'
import { resolveOpenOptions, type OpenOptions, type ResolvedOptions } from './options.js'
import { salvageFile, type SalvageReport } from './salvage.js'
import { Session } from './session.js'
import { checkWholeFileOptions, readWhole, writeWhole, type WholeFileOptions, type WholeFileRequest } from './whole-file.js'

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
export class EncryptedFile extends EncryptedHandle {
  private constructor(session: Session, runner: AsyncRunner, access: Access, commitInterval: number) {
    super(session, runner, access, commitInterval)
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

  /**
   * Opens an encrypted file that is not on a disk, to read it: behind HTTP with Range, in an object store, in a Blob. Each read fetches the
   * segments that it needs and nothing else, in one piece where they lie together; {@link ciphertextRange} tells which bytes those are.
   *
   * @returns a handle as with the flag `r`; its `fd` is no file's.
   * @throws what {@link EncryptedFile.open} throws, and what `readAt` throws.
   *
   * @example
   * ```ts
   * const range = (start: number, end: number) => ({ headers: { range: `bytes=${start}-${end - 1}` } })
   * const readAt = async (position: number, length: number) =>
   *   new Uint8Array(await (await fetch(url, range(position, position + length))).arrayBuffer())
   * const file = await EncryptedFile.fromSource({ size, readAt }, { keyManager, purpose: 'maps' })
   * ```
   */
  static async fromSource(source: ByteSource, options: OpenOptions): Promise<EncryptedFile> {
    const { checkSource, sourceDisk } = await import('./io/source-disk.js')
    checkSource(source)
    const resolved = { ...resolveOpenOptions(options), isLocal: false }
    return EncryptedFile.#open(source.name ?? '(source)', parseFlags('r'), resolved, sourceDisk(source))
  }

  /**
   * Tells what can be known of a file without a key: kind, cipher, which keyring. Nothing of it is authenticated.
   *
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT`, `ERR_SEALFILE_FORMAT_HEADER` or `ERR_SEALFILE_FORMAT_VERSION`.
   * @throws CorruptedFileError `ERR_SEALFILE_TRUNCATED` if the file ends inside its header.
   */
  static inspect(path: PathLike): Promise<FileInspection> {
    return new AsyncRunner(nodeDisk).run(() => inspectFile(path))
  }

  /** {@link EncryptedFile.inspect} without waiting. */
  static inspectSync(path: PathLike): FileInspection {
    return runSync(nodeDisk, inspectFile(path))
  }

  /**
   * Copies whatever authenticates of a damaged file into a new one, which has a key of its own. What is lost is zeros there, and left
   * out at the end. The damaged file is only read.
   *
   * @param target - Must not exist.
   * @param options - How to open the damaged file, and how to make the new one; it has the same segment size and cipher.
   * @returns what is lost.
   * @throws InvalidFileFormatError or InvalidKeyError where the header is damaged, or the key is another: nothing can be read then.
   * @throws EEXIST if `target` exists; Error `ABORT_ERR` if the signal says so. No new file is left then.
   */
  static async salvage(source: PathLike, target: PathLike, options: OpenOptions & Control): Promise<SalvageReport> {
    const resolved = resolveOpenOptions(options)
    const control = checkControl(options)
    return new AsyncRunner(nodeDisk).run(() => salvageFile(source, target, resolved, control))
  }

  /** {@link EncryptedFile.salvage} without waiting. */
  static salvageSync(source: PathLike, target: PathLike, options: OpenOptions & Omit<Control, 'signal'>): SalvageReport {
    return runSync(nodeDisk, salvageFile(source, target, resolveOpenOptions(options), checkControl(options)))
  }

  static async #open(path: PathLike, access: Access, options: ResolvedOptions, disk = nodeDisk): Promise<EncryptedFile> {
    const runner = new AsyncRunner(disk)
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
      // What is written in place, as it may be in spite of atomic, cannot be discarded.
      await file
        .discard()
        .catch(() => file.close())
        .catch(() => undefined)
      throw error
    }
    await file.close()
  }
}

import { addAbortSignal, Transform, type TransformCallback } from 'node:stream'
import type { StreamCore } from './stream-core.js'
import { StreamOpener } from './stream-opener.js'
import { resolveDecryptOptions, resolveEncryptOptions, resolveSignal } from './stream-options.js'
import type { DecryptStreamOptions, EncryptStreamOptions } from './stream-options.js'
import { StreamSealer } from './stream-sealer.js'

/**
 * Makes a stream that encrypts what is written to it: plaintext goes in, a file of the stream kind comes out. Such a file is written
 * once, from start to end, and needs no seeking: it can go to a pipe or over a network. `createDecryptStream` and
 * `EncryptedFile.open(path, 'r')` read it. It is complete only if the stream ends: what was destroyed before that does not decrypt.
 *
 * @param options - Each stream takes a new key from `keyManager`, which must be open while this is called; not after.
 * @returns a Transform. Bytes and text go in; text is encoded as with any Writable, by default as UTF-8. Where chunks end has no
 *   meaning, on either side. It holds back up to one segment until more comes or the stream ends.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE` for options that are not allowed.
 * @throws ClosedError `ERR_SEALFILE_CLOSED` if the key manager is closed.
 *
 * @example
 * ```ts
 * await pipeline(createReadStream('dump.sql'), createEncryptStream({ keyManager, purpose: 'backup' }), createWriteStream('dump.enc'))
 * ```
 */
export function createEncryptStream(options: EncryptStreamOptions): Transform {
  const resolved = resolveEncryptOptions(options)
  const signal = resolveSignal(options)
  return createTransform(new StreamSealer(resolved), signal)
}

/**
 * Makes a stream that decrypts a file of the stream kind. Nothing comes out that was not authenticated, in its place and in its order;
 * but only when the stream ends is it certain that all came: until then treat what came as the beginning of something, and drop it
 * if an error follows. `pipeline` passes such an error on; `pipe` does not.
 *
 * The stream is destroyed with an error as soon as one is certain:
 * - InvalidFileFormatError `ERR_SEALFILE_FORMAT` for what sealfile did not write, an empty input, and an editable file;
 *   `ERR_SEALFILE_FORMAT_HEADER` or `ERR_SEALFILE_FORMAT_VERSION` for a header that is damaged, or of a version not known here;
 * - InvalidKeyError `ERR_SEALFILE_WRONG_KEY` or `ERR_SEALFILE_WRONG_PURPOSE` for another key, purpose or context;
 * - CorruptedFileError `ERR_SEALFILE_TRUNCATED` for an input that ends too early;
 *   `ERR_SEALFILE_CORRUPTED` for segments that were altered, moved or appended, and where that cannot be told from a cut;
 * - ClosedError `ERR_SEALFILE_CLOSED` if the key manager was closed before the header had come.
 *
 * @param options - `keyManager` must stay open until the first 288 bytes have been read; not after.
 * @returns a Transform: ciphertext in chunks of any length goes in, plaintext comes out one segment at a time.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for options that are not allowed.
 *
 * @example
 * ```ts
 * await pipeline(createReadStream('dump.enc'), createDecryptStream({ keyManager, purpose: 'backup' }), createWriteStream('dump.sql'))
 * ```
 */
export function createDecryptStream(options: DecryptStreamOptions): Transform {
  const resolved = resolveDecryptOptions(options)
  const signal = resolveSignal(options)
  return createTransform(new StreamOpener(resolved), signal)
}

function createTransform(core: StreamCore, signal: AbortSignal | undefined): Transform {
  const transform = new CoreTransform(core)
  // Not by the constructor's option: a signal that has fired already would destroy what is not constructed yet.
  return signal === undefined ? transform : addAbortSignal(signal, transform)
}

/**
 * A Transform that makes no more of a large chunk at once than its reader has room for. Transform itself calls back too early for that:
 * this does `_write` and `_read` on its own, and leaves to Transform only how it ends.
 */
class CoreTransform extends Transform {
  readonly #core: StreamCore
  /** Goes on with a chunk that the reader had no room for. */
  #resume: (() => void) | undefined

  constructor(core: StreamCore) {
    super()
    this.#core = core
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#pass(this.#core.push(chunk), callback)
  }

  override _read(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  override _flush(callback: TransformCallback): void {
    try {
      for (const piece of this.#core.end()) {
        this.push(piece)
        if (this.destroyed) return
      }
    } catch (error) {
      callback(error as Error)
      return
    } finally {
      this.#core.dispose()
    }
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#resume = undefined
    this.#core.dispose()
    callback(error)
  }

  #pass(pieces: Iterator<Uint8Array, void, undefined>, callback: TransformCallback): void {
    try {
      for (;;) {
        const { done, value } = pieces.next()
        if (done === true) break
        const hasRoom = this.push(value)
        // By whoever received the piece.
        if (this.destroyed) return
        if (hasRoom) continue
        this.#resume = () => this.#pass(pieces, callback)
        return
      }
    } catch (error) {
      callback(error as Error)
      return
    }
    callback()
  }
}

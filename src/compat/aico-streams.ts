import { createHash } from 'node:crypto'
import { addAbortSignal, Readable, Transform, type TransformCallback } from 'node:stream'
import { equalBytes } from '../bytes/arrays.js'
import { CorruptedFileError } from '../errors.js'
import { checkSignal } from '../file/data-arguments.js'
import type { PathLike } from '../file/io/steps.js'
import { AicoSealer, openAicoFile, openAicoUnverified, type AicoFile } from './aico-cipher.js'
import { checkAicoAccess, type AicoAccess } from './aico-keys.js'
import { takePath, type Path } from './paths.js'

/** {@link AicoAccess} for a stream. */
export interface AicoStreamOptions extends AicoAccess {
  /** Destroys the stream with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads an AICO file of any length, piece by piece. The tag is at the end of the file, so it is gone over twice: first the tag is
 * checked, and the digest of each piece of ciphertext kept, 32 bytes for 256 KiB; then each piece is passed on only if its ciphertext is
 * the one that was authenticated. So nothing comes out that was not authenticated, also if the file changes meanwhile.
 *
 * The stream is destroyed with what `readAicoFile` throws, and with CorruptedFileError `ERR_SEALFILE_CORRUPTED` if the file changes
 * between the two passes.
 *
 * @throws TypeError for misuse.
 */
export function createAicoReadStream(path: PathLike, options: AicoStreamOptions): Readable {
  const access = checkAicoAccess(options)
  const { signal } = options
  checkSignal(signal)
  const stream = Readable.from(readTwice(takePath(path), access), { objectMode: false })
  return signal === undefined ? stream : addAbortSignal(signal, stream)
}

async function* readTwice(path: Path, access: AicoAccess): AsyncGenerator<Uint8Array, void, undefined> {
  await using aico = await openAicoFile(path)
  const digests = await authenticate(aico, access)
  let index = 0
  yield* openAicoUnverified(aico, access, (ciphertext) => {
    const digest = digests[index++]
    if (digest === undefined || !equalBytes(digestOf(ciphertext), digest)) throw changed(aico)
  })
}

/** Checks the tag over all of a file. @returns the digests of the pieces of ciphertext that it was checked over. */
async function authenticate(aico: AicoFile, access: AicoAccess): Promise<Uint8Array[]> {
  const digests: Uint8Array[] = []
  // What is decrypted here is dropped: only whether the end is reached counts.
  for await (const piece of openAicoUnverified(aico, access, (ciphertext) => digests.push(digestOf(ciphertext)))) piece.fill(0)
  return digests
}

function digestOf(ciphertext: Uint8Array): Uint8Array {
  return createHash('sha256').update(ciphertext).digest()
}

function changed({ name }: AicoFile): CorruptedFileError {
  return new CorruptedFileError('ERR_SEALFILE_CORRUPTED', 'the AICO file was changed while it was read', { path: name })
}

/**
 * Makes a stream that encrypts what is written to it: plaintext goes in, an AICO file comes out, which is complete only if the stream ends.
 *
 * @returns a Transform. Text is encoded as with any Writable, by default as UTF-8. It is destroyed with LimitError
 *   `ERR_SEALFILE_LIMIT` for more than 2^36 - 32 bytes.
 * @throws TypeError for misuse.
 */
export function createAicoEncryptStream(options: AicoStreamOptions): Transform {
  const access = checkAicoAccess(options)
  const { signal } = options
  checkSignal(signal)
  const stream = new AicoTransform(access)
  return signal === undefined ? stream : addAbortSignal(signal, stream)
}

class AicoTransform extends Transform {
  readonly #sealer: Promise<AicoSealer>

  constructor(access: AicoAccess) {
    super()
    this.#sealer = AicoSealer.create(access)
    this.#sealer.catch((error: unknown) => this.destroy(error as Error))
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#pass((sealer) => sealer.push(chunk), callback)
  }

  override _flush(callback: TransformCallback): void {
    this.#pass((sealer) => sealer.end(), callback)
  }

  #pass(work: (sealer: AicoSealer) => Iterable<Uint8Array>, callback: TransformCallback): void {
    this.#sealer
      .then((sealer) => {
        for (const piece of work(sealer)) this.push(piece)
      })
      .then(() => callback(), callback)
  }
}

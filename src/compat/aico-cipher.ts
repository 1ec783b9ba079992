import { createCipheriv, createDecipheriv, type CipherGCM } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { CorruptedFileError, InvalidKeyError } from '../errors.js'
import {
  AICO_CIPHER,
  AICO_HEADER_SIZE,
  AICO_OVERHEAD,
  AICO_TAG_SIZE,
  checkAicoLength,
  createAicoHeader,
  parseAicoHeader,
  type AicoHeader,
} from './aico-format.js'
import { fileKeyOf, isProven, noteProven, type AicoAccess } from './aico-keys.js'
import { showPath, type Path } from './paths.js'
import { readFully, readPieces } from './raw-file.js'

const OPTIONS = { authTagLength: AICO_TAG_SIZE }

/** Makes one AICO file, from start to end. */
export class AicoSealer {
  readonly #cipher: CipherGCM
  #header: Uint8Array | undefined
  #length = 0

  private constructor(key: Uint8Array, header: AicoHeader) {
    this.#cipher = createCipheriv(AICO_CIPHER, key, header.nonce, OPTIONS)
    this.#cipher.setAAD(header.bytes)
    this.#header = header.bytes
  }

  /** @param header - Never one that was used before: its nonce would be, too. */
  static async create(access: AicoAccess, header = createAicoHeader()): Promise<AicoSealer> {
    return new AicoSealer(await fileKeyOf(access), header)
  }

  /**
   * @returns what comes next in the file.
   * @throws LimitError `ERR_SEALFILE_LIMIT` if it grows longer than AES-GCM allows.
   */
  *push(plaintext: Uint8Array): Generator<Uint8Array, void, undefined> {
    this.#length += plaintext.length
    checkAicoLength(this.#length)
    yield* this.#takeHeader()
    if (plaintext.length > 0) yield this.#cipher.update(plaintext)
  }

  /** @returns the end of the file. */
  *end(): Generator<Uint8Array, void, undefined> {
    yield* this.#takeHeader()
    this.#cipher.final()
    yield this.#cipher.getAuthTag()
  }

  *#takeHeader(): Generator<Uint8Array, void, undefined> {
    if (this.#header !== undefined) yield this.#header
    this.#header = undefined
  }
}

/** Encrypts pieces to those of an AICO file. */
export async function* sealAico(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  access: AicoAccess,
  header?: AicoHeader,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sealer = await AicoSealer.create(access, header)
  for await (const piece of pieces) yield* sealer.push(piece)
  yield* sealer.end()
}

/** An AICO file that is open, of which nothing is authenticated yet. */
export interface AicoFile {
  readonly file: FileHandle
  readonly name: string
  readonly header: AicoHeader
  /** 16 bytes. */
  readonly tag: Uint8Array
  /** Bytes of plaintext. */
  readonly length: number
}

/** Opens a file and looks at both its ends. @throws what {@link parseAicoHeader} throws, and system errors. */
export async function openAicoFile(path: Path): Promise<AicoFile & AsyncDisposable> {
  const file = await open(path, 'r')
  try {
    return { ...(await lookAtAico(file, showPath(path))), [Symbol.asyncDispose]: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** @param file - Stays the caller's. @throws what {@link parseAicoHeader} throws, and system errors. */
export async function lookAtAico(file: FileHandle, name: string): Promise<AicoFile> {
  const { size } = await file.stat()
  const start = Buffer.alloc(AICO_HEADER_SIZE)
  const header = parseAicoHeader(start.subarray(0, await readFully(file, start, 0)), size, name)
  const tag = Buffer.alloc(AICO_TAG_SIZE)
  if ((await readFully(file, tag, size - AICO_TAG_SIZE)) < AICO_TAG_SIZE) throw shortened(name)
  return { file, name, header, tag, length: size - AICO_OVERHEAD }
}

/**
 * Decrypts a file. The tag is at its end, so that NOTHING of what comes out is authenticated before the generator has ended without an
 * error: whoever takes it keeps it to himself until then.
 *
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` at the end, where the tag does not match.
 */
export async function* openAicoUnverified(
  aico: AicoFile,
  access: AicoAccess,
  onCiphertext?: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { file, name, header, tag, length } = aico
  const cipher = createDecipheriv(AICO_CIPHER, await fileKeyOf(access), header.nonce, OPTIONS)
  cipher.setAAD(header.bytes)
  cipher.setAuthTag(tag)
  let done = 0
  for await (const piece of readPieces(file, AICO_HEADER_SIZE, AICO_HEADER_SIZE + length)) {
    onCiphertext?.(piece)
    done += piece.length
    yield cipher.update(piece)
  }
  if (done < length) throw shortened(name)
  try {
    cipher.final()
  } catch {
    throw mismatch(access, name)
  }
  noteProven(access)
}

function shortened(path: string): CorruptedFileError {
  return new CorruptedFileError('ERR_SEALFILE_TRUNCATED', 'the AICO file was shortened while it was read', { path })
}

/** AES-GCM does not tell one from the other; the message says what else is known. */
function mismatch(access: AicoAccess, path: string): InvalidKeyError {
  const hint = isProven(access) ? '; with the same key another file was opened, so it is probably damaged' : ''
  const message = `the AICO file was written with another key or for another purpose, or it is damaged: it cannot be told which${hint}`
  return new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', message, { path })
}

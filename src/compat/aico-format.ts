import { randomNonce } from '../bytes/random.js'
import { CorruptedFileError, InvalidFileFormatError, LimitError } from '../errors.js'

/**
 * AICO files: "AICO", a salt, a nonce, then one AES-256-GCM ciphertext of the whole file and its tag. The salt is authenticated and
 * used for nothing else. There is no version.
 */

export const AICO_CIPHER = 'aes-256-gcm'
export const AICO_HEADER_SIZE = 32
export const AICO_TAG_SIZE = 16
export const AICO_OVERHEAD = 48
/** NIST SP 800-38D §5.2.1.1: bytes of plaintext under one nonce. */
export const AICO_LONGEST = 2 ** 36 - 32

const MAGIC = Buffer.from('AICO', 'latin1')
const SALT_LENGTH = 16
const NONCE_LENGTH = 12

/** What an AICO file begins with. */
export interface AicoHeader {
  /** All of it: what the tag authenticates besides the ciphertext. 32 bytes. */
  readonly bytes: Uint8Array
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** 12 bytes. */
  readonly nonce: Uint8Array
}

/** @returns a header of its own for a new file. */
export function createAicoHeader(salt = randomNonce(SALT_LENGTH), nonce = randomNonce(NONCE_LENGTH)): AicoHeader {
  return { bytes: new Uint8Array(Buffer.concat([MAGIC, salt, nonce])), salt, nonce }
}

/** Tells whether a file that begins so is an AICO file: there is nothing but four letters to go by. */
export function isAicoStart(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length))
}

/**
 * @param start - What the file begins with: 32 bytes, or all of a shorter file.
 * @param fileSize - Bytes on disk.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT` for another kind of file.
 * @throws CorruptedFileError `ERR_SEALFILE_TRUNCATED` for one that is too short.
 * @throws LimitError `ERR_SEALFILE_LIMIT` for one that AES-GCM cannot have made.
 */
export function parseAicoHeader(start: Uint8Array, fileSize: number, path: string): AicoHeader {
  if (!isAicoStart(start)) throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'the file is not an AICO file', { path })
  if (fileSize < AICO_OVERHEAD || start.length < AICO_HEADER_SIZE) {
    const message = `the AICO file has ${fileSize} bytes, and an empty one has ${AICO_OVERHEAD}`
    throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', message, { path })
  }
  checkAicoLength(fileSize - AICO_OVERHEAD, path)
  const bytes = new Uint8Array(start.subarray(0, AICO_HEADER_SIZE))
  const behindSalt = MAGIC.length + SALT_LENGTH
  return { bytes, salt: bytes.slice(MAGIC.length, behindSalt), nonce: bytes.slice(behindSalt) }
}

/** @throws LimitError `ERR_SEALFILE_LIMIT` if so many bytes cannot be encrypted under one nonce. */
export function checkAicoLength(length: number, path?: string): void {
  if (length > AICO_LONGEST) throw new LimitError(`an AICO file holds ${AICO_LONGEST} bytes at most, not ${length}`, { path })
}

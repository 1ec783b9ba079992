import { open } from 'node:fs/promises'
import { checkContent, checkContentOptions, type ContentOptions } from '../file/data-arguments.js'
import { isIterable, type Content, type Pieces } from '../file/encrypted-handle.js'
import type { PathLike } from '../file/io/steps.js'
import { checkAborted } from '../file/io/system-errors.js'
import { checkInteger } from '../file/options.js'
import { invalidArgValue } from '../argument-errors.js'
import { openAicoFile, openAicoUnverified, sealAico } from './aico-cipher.js'
import { AICO_OVERHEAD, isAicoStart } from './aico-format.js'
import { checkAicoAccess, type AicoAccess } from './aico-keys.js'
import { takePath } from './paths.js'
import { readFully, replaceFile } from './raw-file.js'

/** How an AICO file is read. */
export interface ReadAicoOptions extends AicoAccess, ContentOptions {}

/** How an AICO file is written. */
export interface WriteAicoOptions extends AicoAccess, ContentOptions {
  /**
   * Permission bits where there is no file yet, before the umask.
   *
   * @defaultValue 0o666
   */
  readonly mode?: number | undefined
  /**
   * Milliseconds to wait for a writer of this library that has the file open.
   *
   * @defaultValue 0, which fails at once
   */
  readonly lockTimeout?: number | undefined
}

/** What can be known of an AICO file without a key. Nothing of it is authenticated. */
export interface AicoInspection {
  /** There is no other. */
  readonly algorithm: 'aes-256-gcm'
  /** Bytes. */
  readonly keySize: 32
  /** Bytes on disk. */
  readonly fileSize: number
  /** Bytes of plaintext. */
  readonly payloadSize: number
  /** Bytes by which the file is longer than its plaintext. */
  readonly overheadSize: 48
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** 12 bytes. */
  readonly nonce: Uint8Array
}

/** The most that Node reads into one buffer by `readFile`. */
const READ_FILE_MAX = 2 ** 31 - 1
/** What is sealed at once of data that is there as a whole. */
const PIECE_SIZE = 2 ** 20

/**
 * Reads all of an AICO file. Takes memory for its plaintext; `createAicoReadStream` does not.
 *
 * @returns a Buffer, or a string where there is an encoding.
 * @throws system errors such as `ENOENT` as they are; TypeError for misuse; Error `ABORT_ERR` if the signal says so.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT` for another kind of file; CorruptedFileError `ERR_SEALFILE_TRUNCATED` for one
 *   that is shorter than an empty one; LimitError `ERR_SEALFILE_LIMIT` for one that is longer than there can be.
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if it does not authenticate: the key or the purpose is another, or it is damaged.
 */
export function readAicoFile(path: PathLike, options: ReadAicoOptions & { readonly encoding: BufferEncoding }): Promise<string>
export function readAicoFile(path: PathLike, options: ReadAicoOptions & { readonly encoding?: null | undefined }): Promise<Buffer>
export function readAicoFile(path: PathLike, options: ReadAicoOptions): Promise<Buffer | string>
export async function readAicoFile(path: PathLike, options: ReadAicoOptions): Promise<Buffer | string> {
  const access = checkAicoAccess(options)
  const { encoding, signal } = checkContentOptions(options)
  await using aico = await openAicoFile(takePath(path))
  if (aico.length > READ_FILE_MAX) {
    const error = new RangeError(`File size (${aico.length}) is greater than 2 GiB`)
    throw Object.assign(error, { code: 'ERR_FS_FILE_TOO_LARGE' })
  }
  const content = Buffer.allocUnsafeSlow(aico.length)
  try {
    let done = 0
    for await (const piece of openAicoUnverified(aico, access)) {
      checkAborted(signal)
      content.set(piece, done)
      done += piece.length
    }
    checkAborted(signal)
  } catch (error) {
    content.fill(0)
    throw error
  }
  return encoding === undefined ? content : content.toString(encoding)
}

/**
 * Writes an AICO file, in the place of what was there: at every moment, also after a crash or a failure on the way, the old content or
 * the new is there. Returns when the disk has it.
 *
 * @param data - Text, bytes, or an iterable, async iterable or stream of either.
 * @throws system errors as they are; TypeError or RangeError for misuse; Error `ABORT_ERR` if the signal says so.
 * @throws LimitError `ERR_SEALFILE_LIMIT` if the data is longer than 2^36 - 32 bytes.
 * @throws LockedError `ERR_SEALFILE_LOCKED` if a writer of this library has the file open.
 */
export async function writeAicoFile(path: PathLike, data: Content | Pieces, options: WriteAicoOptions): Promise<void> {
  const access = checkAicoAccess(options)
  const { encoding, signal } = checkContentOptions(options)
  const { mode = 0o666, lockTimeout = 0 } = options
  checkInteger('options.mode', mode, 0, 0o7777)
  checkInteger('options.lockTimeout', lockTimeout, 0, 2 ** 31 - 1)
  const place = takePath(path)
  if (typeof place !== 'string') throw invalidArgValue('path', path, 'must be UTF-8 where a file is replaced')
  const bytes = isIterable(data) ? undefined : checkContent(data, encoding, false)
  checkAborted(signal)
  await replaceFile(place, sealAico(plaintext(), access), { mode, lockTimeout })

  async function* plaintext(): AsyncGenerator<Uint8Array, void, undefined> {
    if (bytes !== undefined) {
      for (let done = 0; done < bytes.length; done += PIECE_SIZE) {
        checkAborted(signal)
        yield bytes.subarray(done, done + PIECE_SIZE)
      }
      return
    }
    for await (const piece of data as Pieces) {
      checkAborted(signal)
      yield checkContent(piece, encoding, false)
    }
  }
}

/** Tells whether a file begins as AICO files do: with four letters, which other files may begin with as well. */
export async function isAicoFile(path: PathLike): Promise<boolean> {
  const file = await open(takePath(path), 'r')
  try {
    const start = Buffer.alloc(4)
    return isAicoStart(start.subarray(0, await readFully(file, start, 0)))
  } finally {
    await file.close()
  }
}

/**
 * Tells what can be known of an AICO file without a key.
 *
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT`, CorruptedFileError `ERR_SEALFILE_TRUNCATED`, LimitError `ERR_SEALFILE_LIMIT`
 *   for what cannot be one.
 */
export async function inspectAico(path: PathLike): Promise<AicoInspection> {
  await using aico = await openAicoFile(takePath(path))
  const { salt, nonce } = aico.header
  return {
    algorithm: 'aes-256-gcm',
    keySize: 32,
    fileSize: aico.length + AICO_OVERHEAD,
    payloadSize: aico.length,
    overheadSize: AICO_OVERHEAD,
    salt,
    nonce,
  }
}

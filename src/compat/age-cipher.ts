import { ReadableStream } from 'node:stream/web'
import { invalidArgValue, WITHHELD } from '../argument-errors.js'
import { CorruptedFileError, InvalidFileFormatError, InvalidKeyError, SealfileError } from '../errors.js'
import type { ResolvedAgeAccess, ResolvedAgeTarget } from './age-access.js'
import { loadAge } from './age-package.js'
import { PassphraseIdentity, PassphraseRecipient } from './age-passphrase.js'

/** Bytes of a header: 2,000 recipients and more. The package would gather one of any length. */
const LONGEST_HEADER = 2 ** 18
const VERSION_LINE = 'age-encryption.org/v1\n'
/** The line with the header's MAC. */
const HEADER_END = /\n---[^\n]*\n/

type Pieces = AsyncGenerator<Uint8Array, void, undefined>

/**
 * Decrypts an age file that has no armor. What comes out is authenticated piece by piece; that all came is certain only when the generator
 * ends.
 *
 * @param path - For messages.
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if neither identities nor passphrase open it.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` or `ERR_SEALFILE_FORMAT_VERSION`; LimitError `ERR_SEALFILE_LIMIT` for a
 *   passphrase that costs too much to try.
 * @throws CorruptedFileError `ERR_SEALFILE_CORRUPTED` or `ERR_SEALFILE_TRUNCATED`.
 * @throws PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING`.
 */
export async function* openAge(pieces: AsyncIterable<Uint8Array>, access: ResolvedAgeAccess, path: string): Pieces {
  const age = await loadAge()
  const decrypter = new age.Decrypter()
  for (const identity of access.identities) takeKey('identities', () => decrypter.addIdentity(identity))
  if (access.passphrase !== undefined) decrypter.addIdentity(new PassphraseIdentity(access.passphrase, access.maxWorkFactor, path))
  const source = new WatchedStream(checkHeader(pieces, path))
  let content
  try {
    content = await decrypter.decrypt(source.stream)
  } catch (error) {
    await source.end()
    throw source.isOwn(error) || error instanceof SealfileError ? error : headerError(error, path)
  }
  try {
    yield* content
  } catch (error) {
    if (source.isOwn(error)) throw error
    throw new CorruptedFileError('ERR_SEALFILE_CORRUPTED', 'the age file is damaged or cut off', { path, cause: error })
  }
}

/** Encrypts pieces to those of an age file without armor. @throws TypeError for recipients that are none. */
export async function* sealAge(pieces: AsyncIterable<Uint8Array>, target: ResolvedAgeTarget): Pieces {
  const age = await loadAge()
  const encrypter = new age.Encrypter()
  const { recipients, passphrase, workFactor } = target
  for (const recipient of recipients) takeKey('recipients', () => encrypter.addRecipient(recipient))
  if (passphrase !== undefined) encrypter.addRecipient(new PassphraseRecipient(passphrase, workFactor, age))
  yield* await encrypter.encrypt(new WatchedStream(pieces).stream)
}

/** The package says what is wrong with a key in errors of its own, which may show it. */
function takeKey(name: string, take: () => void): void {
  try {
    take()
  } catch {
    throw invalidArgValue(name, WITHHELD, 'has one that age does not know')
  }
}

/** Passes a file on when its header is there, whole and no longer than it may be. */
async function* checkHeader(pieces: AsyncIterable<Uint8Array>, path: string): Pieces {
  let header: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of pieces) {
    if (header === undefined) {
      yield piece
      continue
    }
    header = Buffer.concat([header, piece])
    const text = header.toString('latin1', 0, LONGEST_HEADER)
    if (!text.startsWith(VERSION_LINE.slice(0, text.length))) {
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_VERSION', 'the age file is of a version that is not known here', {
        path,
      })
    }
    if (!HEADER_END.test(text)) {
      if (header.length >= LONGEST_HEADER) throw headerError(new Error(`it is longer than ${LONGEST_HEADER} bytes`), path)
      continue
    }
    yield header
    header = undefined
  }
  if (header !== undefined) {
    throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', 'the age file ends inside its header', { path })
  }
}

function headerError(error: unknown, path: string): SealfileError {
  const { message } = error as Error
  if (message.startsWith('no identity matched')) {
    const text = 'none of the identities and passphrases that were given opens the age file'
    return new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', text, { path, cause: error })
  }
  const text = `the age file's header is damaged: ${message}`
  return new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', text, { path, cause: error })
}

/** Pieces as a Web stream, which tells its own errors from those of what reads it. */
class WatchedStream {
  readonly stream: ReadableStream<Uint8Array>
  readonly #iterator: AsyncIterator<Uint8Array>
  #error: unknown

  constructor(pieces: AsyncIterable<Uint8Array>) {
    const iterator = pieces[Symbol.asyncIterator]()
    this.#iterator = iterator
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const next = await iterator.next()
            if (next.done === true) controller.close()
            else controller.enqueue(next.value)
          } catch (error) {
            this.#error = error
            throw error
          }
        },
        cancel: () => this.end(),
      },
      // Nothing is read that nobody has asked for.
      { highWaterMark: 0 },
    )
  }

  isOwn(error: unknown): boolean {
    return error !== undefined && error === this.#error
  }

  /** Reads no more. */
  async end(): Promise<void> {
    await this.#iterator.return?.()
  }
}

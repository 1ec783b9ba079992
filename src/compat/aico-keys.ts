import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { invalidArgType, invalidArgValue, outOfRange, WITHHELD } from '../argument-errors.js'
import { concatBytes } from '../bytes/arrays.js'
import { SecretBytes } from '../bytes/secret.js'
import { ClosedError } from '../errors.js'
import { deriveFromPassphrase } from '../keys/argon2id.js'

const KEY_LENGTH = 32
const SALT_LENGTH = 16
const MASTER_COST = { memoryKiB: 1_048_576, passes: 3, lanes: 4 }
const FILE_COST = { memoryKiB: 131_072, passes: 1, lanes: 2 }
const REDACTED = 'AicoKeys(redacted)'

/** How the master key is made of a passphrase. */
export interface AicoPassphraseOptions {
  /** The 16 bytes that are kept outside of the files. */
  readonly salt: Uint8Array
  /** Gives up. */
  readonly signal?: AbortSignal | undefined
}

/** The file key of one purpose. */
interface FileKey {
  readonly bytes: Promise<SecretBytes>
  /** It has opened a file. */
  isProven: boolean
}

/** What the readers and writers of files do with keys, and nobody else can. */
interface KeyAccess {
  fileKey(keys: AicoKeys, purpose: string): Promise<Uint8Array>
  noteProven(keys: AicoKeys, purpose: string): void
  isProven(keys: AicoKeys, purpose: string): boolean
}

let access: KeyAccess

/**
 * The keys of AICO files: a master key, and a file key for each purpose, which costs one Argon2id run over 128 MiB when it is first
 * needed and is kept until the object is disposed of.
 *
 * @example
 * ```ts
 * const keys = await AicoKeys.fromPassphrase(passphrase, { salt })
 * ```
 */
export class AicoKeys implements Disposable {
  readonly #master: SecretBytes
  readonly #fileKeys = new Map<string, FileKey>()
  #isClosed = false

  static {
    access = {
      async fileKey(keys, purpose) {
        keys.#checkOpen()
        const secret = await keys.#fileKeyOf(purpose).bytes
        keys.#checkOpen()
        return secret.expose()
      },
      noteProven: (keys, purpose) => (keys.#fileKeyOf(purpose).isProven = true),
      isProven: (keys, purpose) => keys.#fileKeys.get(purpose)?.isProven === true,
    }
  }

  private constructor(master: Uint8Array) {
    this.#master = new SecretBytes(master)
  }

  /**
   * Derives the master key: one Argon2id run over 1 GiB, off the main thread.
   *
   * @param passphrase - Text, taken as it is in UTF-8, or bytes. Not empty.
   * @throws TypeError, RangeError for options that cannot be; the message never holds the passphrase.
   * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id could not run.
   */
  static async fromPassphrase(passphrase: string | Uint8Array, options: AicoPassphraseOptions): Promise<AicoKeys> {
    if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
      throw invalidArgType('options', 'of type object', WITHHELD)
    }
    const { salt, signal } = options
    if (!((salt as unknown) instanceof Uint8Array)) throw invalidArgType('options.salt', 'an instance of Uint8Array', salt)
    if (salt.length !== SALT_LENGTH) throw outOfRange('options.salt.length', String(SALT_LENGTH), salt.length)
    const bytes = encodeAsItIs(passphrase)
    try {
      return new AicoKeys(await deriveFromPassphrase({ passphrase: bytes, salt, parameters: MASTER_COST, signal }))
    } finally {
      bytes.fill(0)
    }
  }

  /**
   * Takes a master key as it is.
   *
   * @param key - 32 bytes, copied.
   * @throws TypeError or RangeError for anything else.
   */
  static fromMasterKey(key: Uint8Array): AicoKeys {
    if (!((key as unknown) instanceof Uint8Array)) throw invalidArgType('key', 'an instance of Uint8Array', WITHHELD)
    if (key.length !== KEY_LENGTH) throw outOfRange('key.length', String(KEY_LENGTH), key.length)
    return new AicoKeys(new Uint8Array(key))
  }

  /** Overwrites every key. Safe to call again. */
  dispose(): void {
    this.#isClosed = true
    this.#master.dispose()
    for (const { bytes } of this.#fileKeys.values()) {
      bytes.then(
        (secret) => secret.dispose(),
        () => undefined,
      )
    }
  }

  /** The same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** What text shows: no key. */
  toString(): string {
    return REDACTED
  }

  /** What JSON shows: no key. */
  toJSON(): string {
    return REDACTED
  }

  /** What `console.log` shows: no key. */
  [inspect.custom](): string {
    return REDACTED
  }

  #fileKeyOf(purpose: string): FileKey {
    const known = this.#fileKeys.get(purpose)
    if (known !== undefined) return known
    const made: FileKey = { bytes: deriveFileKey(this.#master.expose(), purpose), isProven: false }
    this.#fileKeys.set(purpose, made)
    // A run that failed, for want of memory perhaps, may be tried again.
    made.bytes.catch(() => this.#fileKeys.delete(purpose))
    return made
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError('ERR_SEALFILE_CLOSED', 'the AICO keys were disposed of')
  }
}

/**
 * Gives the file key that a file was written with.
 *
 * @returns 32 bytes, lent: they are zero once the keys are disposed of.
 * @throws ClosedError `ERR_SEALFILE_CLOSED` if the keys are gone.
 */
export function fileKeyOf({ keys, purpose }: AicoAccess): Promise<Uint8Array> {
  return access.fileKey(keys, purpose)
}

/** Notes that the file key has opened a file: so it is the right one, for that file at least. */
export function noteProven({ keys, purpose }: AicoAccess): void {
  access.noteProven(keys, purpose)
}

/** Whether the file key has opened a file. */
export function isProven({ keys, purpose }: AicoAccess): boolean {
  return access.isProven(keys, purpose)
}

/** Unicode's forms are left alone, as they were when the files were written. */
function encodeAsItIs(passphrase: unknown): Uint8Array {
  if (typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw invalidArgType('passphrase', 'of type string or an instance of Uint8Array', WITHHELD)
  }
  if (passphrase.length === 0) throw invalidArgValue('passphrase', WITHHELD, 'must not be empty')
  if (typeof passphrase !== 'string') return new Uint8Array(passphrase)
  if (/\p{Cs}/u.test(passphrase)) throw invalidArgValue('passphrase', WITHHELD, 'must not contain lone surrogates')
  return new TextEncoder().encode(passphrase)
}

/** The salt follows from the purpose, so the key does from master key and purpose. Both go in where Argon2 takes the passphrase. */
async function deriveFileKey(master: Uint8Array, purpose: string): Promise<SecretBytes> {
  const passphrase = concatBytes(master, Buffer.from(`aico-file-${purpose}`))
  const digest = createHash('sha256').update(`aico-file-salt-${purpose}`).digest()
  try {
    return new SecretBytes(await deriveFromPassphrase({ passphrase, salt: digest.subarray(0, SALT_LENGTH), parameters: FILE_COST }))
  } finally {
    passphrase.fill(0)
  }
}

/** How AICO files are opened and made. */
export interface AicoAccess {
  /** The keys. */
  readonly keys: AicoKeys
  /** What the file was written for: text of any length. */
  readonly purpose: string
}

/** @throws TypeError for what is no access. @param name - What the caller called it, for messages. */
export function checkAicoAccess(access: unknown, name = 'options'): AicoAccess {
  if (typeof access !== 'object' || access === null) throw invalidArgType(name, 'of type object', WITHHELD)
  const { keys, purpose } = access as Readonly<Record<keyof AicoAccess, unknown>>
  if (!(keys instanceof AicoKeys)) throw invalidArgType(`${name}.keys`, 'an instance of AicoKeys', WITHHELD)
  if (typeof purpose !== 'string') throw invalidArgType(`${name}.purpose`, 'of type string', purpose)
  if (/\p{Cs}/u.test(purpose)) throw invalidArgValue(`${name}.purpose`, purpose, 'must not contain lone surrogates')
  return { keys, purpose }
}

import { inspect } from 'node:util'
import { invalidArgType, invalidArgValue, outOfRange, WITHHELD } from '../argument-errors.js'
import { equalBytes } from '../bytes/arrays.js'
import { ClosedError, InvalidKeyError } from '../errors.js'
import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import {
  checkArgon2Limits,
  resolveArgon2Limits,
  resolveArgon2Parameters,
  type Argon2Limits,
  type Argon2Parameters,
  type Argon2Profile,
} from './argon2-parameters.js'
import { deriveRawKeyId } from './key-schedule.js'
import { encodeBytes } from './keyring-fields.js'
import { createKeyringFile, describePath, readKeyringFile, type KeyringPath } from './keyring-file.js'
import { createKeyring, listPassphraseSlots, unlockKeyring, type KeyringKeys } from './keyring-keys.js'
import { MAX_KEYRING_SIZE, parseKeyring } from './keyring.js'
import { MasterKey } from './master-key.js'
import { encodePassphrase } from './passphrase-slot.js'

const KEY_LENGTH = 32

/** How a keyring is made. */
export interface CreateKeyManagerOptions {
  /** Text, taken in Unicode's form NFC as UTF-8, or bytes. Not empty. */
  readonly passphrase: string | Uint8Array
  /**
   * The cost of Argon2id, for the one who opens the keyring as for the one who guesses.
   *
   * @defaultValue `'rfc9106-second'`: 64 MiB, three passes, four lanes.
   */
  readonly argon2?: Argon2Profile | Argon2Parameters | undefined
  /** Gives up, and leaves no file. */
  readonly signal?: AbortSignal | undefined
}

/** How a keyring is opened. */
export interface OpenKeyManagerOptions {
  /** As it was given to {@link KeyManager.create}. */
  readonly passphrase: string | Uint8Array
  /** What opening may cost at most. */
  readonly limits?: Argon2Limits | undefined
  /** Gives up. */
  readonly signal?: AbortSignal | undefined
}

function requireOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', WITHHELD)
}

/**
 * Holds the master keys of one keyring, and wraps and unwraps the keys of files with them. Give it to whatever opens files;
 * close it when no more files are to be opened.
 *
 * @example
 * ```ts
 * const keyManager = await KeyManager.open('keyring.json', { passphrase })
 * ```
 */
export class KeyManager implements KeySource, Disposable {
  readonly #keys: KeyringKeys
  #closed = false

  private constructor(keys: KeyringKeys) {
    this.#keys = keys
  }

  /**
   * Creates a keyring file and opens it, in one Argon2id run off the main thread. The file appears whole, readable by its owner
   * alone. Whoever loses it loses every file whose key it wraps: keep a copy.
   *
   * @param path - A file that does not exist, in a folder that does.
   * @throws TypeError, RangeError for options that cannot be; the message never holds the passphrase.
   * @throws the system's errors as they are: `EEXIST` if there is a file, which is left as it is.
   * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id could not run.
   */
  static async create(path: KeyringPath, options: CreateKeyManagerOptions): Promise<KeyManager> {
    requireOptions(options)
    const { argon2, signal } = options
    const parameters = resolveArgon2Parameters(argon2)
    const passphrase = encodePassphrase(options.passphrase)
    let keys: KeyringKeys | undefined
    try {
      await createKeyringFile(path, async () => {
        const created = await createKeyring(passphrase, parameters, signal)
        keys = created.keys
        return created.content
      })
      return new KeyManager(keys!)
    } catch (error) {
      if (keys !== undefined) disposeAll(keys)
      throw error
    } finally {
      passphrase.fill(0)
    }
  }

  /**
   * Opens a keyring file: one Argon2id run for each passphrase slot that is tried, off the main thread. Opening files afterwards
   * takes none.
   *
   * @throws TypeError, RangeError for options that cannot be; the message never holds the passphrase.
   * @throws the system's errors as they are: `ENOENT` if there is no file.
   * @throws KeyringError `ERR_SEALFILE_KEYRING` if the file is no keyring, is damaged or was altered;
   * `ERR_SEALFILE_KEYRING_VERSION` if it is of a later version.
   * @throws LimitError `ERR_SEALFILE_LIMIT` if it asks for more than the limits allow; nothing was allocated for it.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if the passphrase is wrong.
   * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id could not run.
   */
  static async open(path: KeyringPath, options: OpenKeyManagerOptions): Promise<KeyManager> {
    requireOptions(options)
    const { signal } = options
    const limits = resolveArgon2Limits(options.limits)
    const passphrase = encodePassphrase(options.passphrase)
    try {
      const content = await readKeyringFile(path, MAX_KEYRING_SIZE)
      const name = describePath(path)
      const keyring = parseKeyring(content, name)
      const runs = listPassphraseSlots(keyring).map((slot) => slot.argon2)
      checkArgon2Limits(runs, limits, name)
      return new KeyManager(await unlockKeyring(keyring, passphrase, name, signal))
    } finally {
      passphrase.fill(0)
    }
  }

  /**
   * Takes a key in place of a keyring: its own master key, the only generation, for callers who keep keys elsewhere.
   *
   * @param key - 32 random bytes, copied. Not a passphrase, not a hash of one.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no Uint8Array, `ERR_INVALID_ARG_VALUE` if all of it is zero, as a key is
   * that was overwritten; RangeError `ERR_OUT_OF_RANGE` if it has another length.
   */
  static fromKey(key: Uint8Array): KeyManager {
    if (!((key as unknown) instanceof Uint8Array)) throw invalidArgType('key', 'an instance of Uint8Array', WITHHELD)
    if (key.length !== KEY_LENGTH) throw outOfRange('key.length', String(KEY_LENGTH), key.length)
    if (equalBytes(key, new Uint8Array(KEY_LENGTH))) throw invalidArgValue('key', WITHHELD, 'must not be all zeros')
    const id = deriveRawKeyId(key)
    const generation = 1
    const masterKey = new MasterKey(new Uint8Array(key), { keyringId: id, generation })
    return new KeyManager({ id, current: generation, masterKeys: new Map([[generation, masterKey]]) })
  }

  /** The keyring's identifier: a copy of 16 bytes. It is no secret; every file names the keyring that it belongs to. */
  get id(): Uint8Array {
    return new Uint8Array(this.#keys.id)
  }

  /** The generation of the master key that new files get. */
  get generation(): number {
    return this.#keys.current
  }

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    return this.#masterKeys.get(this.#keys.current)!.wrap(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    const masterKeys = this.#masterKeys
    if (!equalBytes(wrapped.keyringId, this.#keys.id)) {
      throw new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', 'the file belongs to another keyring')
    }
    const masterKey = masterKeys.get(wrapped.generation)
    if (masterKey === undefined) {
      throw new InvalidKeyError('ERR_SEALFILE_NO_GENERATION', `the keyring has no generation ${wrapped.generation}`)
    }
    return masterKey.unwrap(request, wrapped)
  }

  /** Overwrites every key. Files that are open stay so; no more can be opened. Safe to call again. */
  close(): void {
    this.#closed = true
    disposeAll(this.#keys)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  toJSON(): { readonly id: string; readonly generation: number } {
    return { id: encodeBytes(this.#keys.id), generation: this.#keys.current }
  }

  toString(): string {
    return `KeyManager(${encodeBytes(this.#keys.id)}, generation ${this.#keys.current})`
  }

  [inspect.custom](): string {
    return this.toString()
  }

  get #masterKeys(): ReadonlyMap<number, MasterKey> {
    if (this.#closed) throw new ClosedError('ERR_SEALFILE_CLOSED', 'the key manager is closed')
    return this.#keys.masterKeys
  }
}

function disposeAll(keys: KeyringKeys): void {
  for (const masterKey of keys.masterKeys.values()) masterKey.dispose()
}

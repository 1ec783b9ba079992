import { equalBytes } from '../bytes/arrays.js'
import { SecretBytes } from '../bytes/secret.js'
import { InvalidFileFormatError, InvalidKeyError } from '../errors.js'
import type { FileKeyRequest, WrappedFileKey } from '../file/key-source.js'
import { computeKeyCheck, deriveCheckKey, deriveFileKek, type GenerationName } from './key-schedule.js'
import { unwrapKey, wrapKey } from './key-wrap.js'
import { validatePurpose } from './purpose.js'

/** One generation's master key: wraps and unwraps the keys of files. */
export class MasterKey implements Disposable {
  readonly #key: SecretBytes
  readonly #name: GenerationName
  /** Derived when first needed: a keyring may have thousands of generations, and a process meets few. */
  #checkKey: SecretBytes | undefined

  /** @param key - 32 bytes, taken over. */
  constructor(key: Uint8Array, name: GenerationName) {
    this.#key = new SecretBytes(key)
    this.#name = name
  }

  /** @param dek - 32 bytes; stays the caller's. */
  wrap({ purpose, salt, header }: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    const wrappedKey = this.#withFileKek(validatePurpose(purpose), salt, (kek) => wrapKey(kek, dek))
    const keyCheck = computeKeyCheck(this.#exposeCheckKey(), header, this.#name, wrappedKey)
    return { keyringId: new Uint8Array(this.#name.keyringId), generation: this.#name.generation, wrappedKey, keyCheck }
  }

  /**
   * @param wrapped - By its keyring and generation this key's.
   * @returns 32 bytes, the caller's to zeroise.
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER`, InvalidKeyError `ERR_SEALFILE_WRONG_PURPOSE`.
   */
  unwrap({ purpose, salt, header }: FileKeyRequest, { wrappedKey, keyCheck }: WrappedFileKey): Uint8Array {
    const purposeBytes = validatePurpose(purpose)
    if (!equalBytes(computeKeyCheck(this.#exposeCheckKey(), header, this.#name, wrappedKey), keyCheck)) {
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', 'the header is damaged: its key check does not match')
    }
    const dek = this.#withFileKek(purposeBytes, salt, (kek) => unwrapKey(kek, wrappedKey))
    if (dek === undefined) throw new InvalidKeyError('ERR_SEALFILE_WRONG_PURPOSE', 'the file was written for another purpose')
    return dek
  }

  /** Overwrites the key. Safe to call again. */
  dispose(): void {
    this.#key.dispose()
    this.#checkKey?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #exposeCheckKey(): Uint8Array {
    this.#checkKey ??= new SecretBytes(deriveCheckKey(this.#key.expose(), this.#name))
    return this.#checkKey.expose()
  }

  #withFileKek<T>(purpose: Uint8Array, salt: Uint8Array, use: (kek: Uint8Array) => T): T {
    const kek = deriveFileKek(this.#key.expose(), purpose, salt, this.#name)
    try {
      return use(kek)
    } finally {
      kek.fill(0)
    }
  }
}

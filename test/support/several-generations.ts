import { InvalidKeyError } from '../../src/errors.js'
import type { FileKeyRequest, WrappedFileKey } from '../../src/file/key-source.js'
import { MasterKey } from '../../src/keys/master-key.js'
import type { RotatingKeys } from '../../src/keys/rotation/rotating-keys.js'

/** The keys of a keyring of several generations, real ones, without its file. */
export class SeveralGenerations implements RotatingKeys {
  readonly id: Uint8Array
  readonly generation: number
  readonly #masterKeys: ReadonlyMap<number, MasterKey>

  /** @param generations - The last one is for new files. @param keyring - Which keyring: 0 to 255. */
  constructor(generations: readonly number[], keyring = 1) {
    this.id = new Uint8Array(16).fill(keyring)
    this.generation = generations.at(-1)!
    this.#masterKeys = new Map(
      generations.map((generation) => {
        const key = new Uint8Array(32).fill(keyring)
        key[0] = generation
        return [generation, new MasterKey(key, { keyringId: this.id, generation })]
      }),
    )
  }

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    return this.#masterKeys.get(this.generation)!.wrap(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    if (!Buffer.from(this.id).equals(wrapped.keyringId)) throw new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', 'another keyring')
    const masterKey = this.#masterKeys.get(wrapped.generation)
    if (masterKey === undefined) throw new InvalidKeyError('ERR_SEALFILE_NO_GENERATION', 'no such generation')
    return masterKey.unwrap(request, wrapped)
  }
}

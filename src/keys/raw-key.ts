import { closed, type KeyHolder } from './open-keyring.js'
import { deriveRawKeyId } from './key-schedule.js'
import { MasterKey } from './master-key.js'

const GENERATION = 1

/** A key in place of a keyring: its own master key, the only generation. */
export class RawKey implements KeyHolder {
  readonly id: Uint8Array
  readonly current = GENERATION
  readonly generations: readonly number[] = [GENERATION]
  readonly isLocked = false
  readonly #masterKey: MasterKey
  #isClosed = false

  /** @param key - 32 bytes, taken over. */
  constructor(key: Uint8Array) {
    this.id = deriveRawKeyId(key)
    this.#masterKey = new MasterKey(key, { keyringId: this.id, generation: GENERATION })
  }

  checkUsable(): void {
    if (this.#isClosed) throw closed()
  }

  lookForNews(): void {
    // Nobody rotates a raw key.
  }

  findKey(generation: number): MasterKey | undefined {
    this.checkUsable()
    return generation === GENERATION ? this.#masterKey : undefined
  }

  close(): void {
    this.#isClosed = true
    this.#masterKey.dispose()
  }
}

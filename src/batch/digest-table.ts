/** Bytes of a digest: so many that no two of a table's are alike by chance. */
export const DIGEST_LENGTH = 16

const BLOCK_ENTRIES = 16_384
const FIRST_PLACES = 1_024
/** The table grows when this part of its places is taken. */
const FULL = 0.75

/**
 * A map from digests to values of one length, for millions of them: it takes the bytes of both, and up to 12 more for each. Digests must be
 * such that nobody can choose them: keyed, and of even distribution.
 */
export class DigestTable {
  readonly #entryLength: number
  /** Digests and values, in the order in which they came. */
  readonly #blocks: Uint8Array[] = []
  /** By a digest's first bytes, or the next free place behind: the entry's number, plus one; 0 where there is none. */
  #places = new Uint32Array(FIRST_PLACES)
  #size = 0

  /** @param valueLength - Bytes; 0 for a set. */
  constructor(valueLength = 0) {
    this.#entryLength = DIGEST_LENGTH + valueLength
  }

  get size(): number {
    return this.#size
  }

  /** @returns the value, not to be kept; undefined where there is none. */
  get(digest: Uint8Array): Uint8Array | undefined {
    const number = this.#places[this.#findPlace(digest)]!
    return number === 0 ? undefined : this.#entry(number - 1).subarray(DIGEST_LENGTH)
  }

  /** Puts a value, in the place of one that is there. @returns whether there was none. */
  set(digest: Uint8Array, value: Uint8Array = new Uint8Array(0)): boolean {
    const place = this.#findPlace(digest)
    const number = this.#places[place]!
    if (number > 0) {
      this.#entry(number - 1).set(value, DIGEST_LENGTH)
      return false
    }
    if (this.#size % BLOCK_ENTRIES === 0) this.#blocks.push(new Uint8Array(BLOCK_ENTRIES * this.#entryLength))
    const entry = this.#entry(this.#size)
    entry.set(digest)
    entry.set(value, DIGEST_LENGTH)
    this.#places[place] = ++this.#size
    if (this.#size > FULL * this.#places.length) this.#grow()
    return true
  }

  /** @returns all digests, each with its value behind it: not to be kept. */
  *entries(): Generator<Uint8Array> {
    for (let number = 0; number < this.#size; number++) yield this.#entry(number)
  }

  #entry(number: number): Uint8Array {
    const start = (number % BLOCK_ENTRIES) * this.#entryLength
    return this.#blocks[Math.floor(number / BLOCK_ENTRIES)]!.subarray(start, start + this.#entryLength)
  }

  /** @returns where the digest's number is, or is to be. */
  #findPlace(digest: Uint8Array): number {
    let place = this.#firstPlace(digest)
    for (;;) {
      const number = this.#places[place]!
      if (number === 0 || startsWith(this.#entry(number - 1), digest)) return place
      place = (place + 1) % this.#places.length
    }
  }

  #firstPlace(digest: Uint8Array): number {
    const word = digest[0]! + digest[1]! * 2 ** 8 + digest[2]! * 2 ** 16 + digest[3]! * 2 ** 24
    return word % this.#places.length
  }

  #grow(): void {
    this.#places = new Uint32Array(this.#places.length * 2)
    for (let number = 0; number < this.#size; number++) {
      let place = this.#firstPlace(this.#entry(number))
      while (this.#places[place] !== 0) place = (place + 1) % this.#places.length
      this.#places[place] = number + 1
    }
  }
}

function startsWith(entry: Uint8Array, digest: Uint8Array): boolean {
  for (let i = 0; i < DIGEST_LENGTH; i++) if (entry[i] !== digest[i]) return false
  return true
}

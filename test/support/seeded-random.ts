/** Random choices that a seed repeats, for tests whose failures must be replayed. */
export class SeededRandom {
  #state: number

  /** @param seed - 0 to 2^32 - 1. */
  constructor(seed: number) {
    this.#state = seed
  }

  /** @returns a number from 0 up to and without 1 (the generator is mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** @returns an integer from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!
  }

  /** @returns `choices` in another order. */
  shuffle<T>(choices: readonly T[]): T[] {
    const shuffled = [...choices]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
    }
    return shuffled
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length + 4)
    for (let i = 0; i < length; i += 4) bytes.writeUInt32LE(Math.floor(this.next() * 2 ** 32), i)
    return bytes.subarray(0, length)
  }
}

const SMALLEST_HELD = 1_024

/**
 * Cuts what arrives in chunks of any length into segments of one size. Each is held back until it is known whether it is the last:
 * of SEAL's derived nonces one is for the last segment alone.
 */
export class SegmentCutter {
  readonly #size: number
  /** Where the segment is gathered that has not arrived in one chunk; grows with it, to `#size` bytes at most. */
  #held = new Uint8Array(0)
  #heldLength = 0

  /** @param size - Bytes in a full segment, 1 or more. */
  constructor(size: number) {
    this.#size = size
  }

  /**
   * @param chunk - Any length. What is left of it when the generator ends is copied.
   * @returns the segments of `size` bytes that are not the last, each lent until the next one is asked for.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let rest = chunk
    if (this.#heldLength > 0) {
      rest = this.#hold(rest)
      if (rest.length === 0) return
      this.#heldLength = 0
      yield this.#held
    }
    while (rest.length > this.#size) {
      yield rest.subarray(0, this.#size)
      rest = rest.subarray(this.#size)
    }
    this.#hold(rest)
  }

  /** @returns the last segment, lent: `size` bytes at most, and none only where nothing ever arrived. */
  end(): Uint8Array {
    return this.#held.subarray(0, this.#heldLength)
  }

  /** @returns what does not belong to the segment that is being gathered. */
  #hold(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, this.#size - this.#heldLength)
    const length = this.#heldLength + taken.length
    if (length > this.#held.length) {
      // Twice as much each time, so that small chunks are copied a few times each, whatever their number.
      const held = new Uint8Array(Math.min(this.#size, Math.max(length, 2 * this.#held.length, SMALLEST_HELD)))
      held.set(this.end())
      this.#held = held
    }
    this.#held.set(taken, this.#heldLength)
    this.#heldLength = length
    return bytes.subarray(taken.length)
  }
}

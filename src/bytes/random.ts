import { randomFillSync } from 'node:crypto'

/** The one place where this library takes randomness: the operating system's generator through `node:crypto`. */

const POOL_SIZE = 4_096
const pool = new Uint8Array(POOL_SIZE)
let used = POOL_SIZE

/** @returns `length` fresh random bytes, for keys. */
export function randomBytes(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length))
}

/**
 * Random bytes for public values that are needed often, nonces and salts: filled many at a time, each handed out once.
 * Never for keys, which would lie in the pool until their turn.
 *
 * @param length - 1 to 64.
 * @throws RangeError for any other length.
 */
export function randomNonce(length: number): Uint8Array {
  if (!(Number.isInteger(length) && length >= 1 && length <= 64)) throw new RangeError(`no nonce has ${length} bytes`)
  if (used + length > POOL_SIZE) {
    randomFillSync(pool)
    used = 0
  }
  const nonce = pool.slice(used, used + length)
  used += length
  return nonce
}

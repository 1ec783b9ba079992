import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto'
import { aeskwp } from '@noble/ciphers/aes.js'
import { nativeKey } from '../bytes/native-key.js'

/** AES-256 Key Wrap with Padding (RFC 5649): deterministic, authenticated, made for keys. */

const CIPHER = 'id-aes256-wrap-pad'
/** RFC 5649 §3: the constant half of the alternative initial value. */
const AIV = Uint8Array.of(0xa6, 0x59, 0x59, 0xa6)
const KEY_LENGTH = 32
/** Bytes of a wrapped 32-byte key. */
export const WRAPPED_KEY_LENGTH = KEY_LENGTH + 8

/** One implementation of the algorithm, for keys of any length. */
export interface KeyWrap {
  /** @param kek - 32 bytes. @param key - 1 byte or more. @returns 8 bytes more than `key`, rounded up to a multiple of 8. */
  readonly wrap: (kek: Uint8Array, key: Uint8Array) => Uint8Array
  /** @returns the key, or undefined where `wrapped` does not authenticate. */
  readonly unwrap: (kek: Uint8Array, wrapped: Uint8Array) => Uint8Array | undefined
}

/** A new array with the parts in it; the parts, which may hold a key, are zeroised. */
function moveBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
    part.fill(0)
  }
  return bytes
}

/** By `node:crypto`. Not every runtime has the cipher. */
export const NODE_KEY_WRAP: KeyWrap = {
  wrap(kek, key) {
    const cipher = createCipheriv(CIPHER, nativeKey(kek), AIV)
    return moveBytes(cipher.update(key), cipher.final())
  },
  unwrap(kek, wrapped) {
    const decipher = createDecipheriv(CIPHER, nativeKey(kek), AIV)
    try {
      const key = moveBytes(decipher.update(wrapped), decipher.final())
      return key.length === 0 ? undefined : key
    } catch {
      return undefined
    }
  },
}

/** By `@noble/ciphers`. */
export const NOBLE_KEY_WRAP: KeyWrap = {
  wrap: (kek, key) => aeskwp(kek).encrypt(key),
  unwrap(kek, wrapped) {
    const cipher = aeskwp(kek)
    try {
      return cipher.decrypt(wrapped)
    } catch {
      return undefined
    }
  },
}

let chosen: KeyWrap | undefined

/** Asked for when a key is first wrapped: a list of all ciphers costs a millisecond that an import should not. */
function keyWrap(): KeyWrap {
  chosen ??= getCiphers().includes(CIPHER) ? NODE_KEY_WRAP : NOBLE_KEY_WRAP
  return chosen
}

/**
 * Wraps a key under another.
 *
 * @param kek - 32 bytes.
 * @param key - 32 bytes.
 * @returns 40 bytes, a new array.
 * @throws RangeError if one of them has another length.
 */
export function wrapKey(kek: Uint8Array, key: Uint8Array): Uint8Array {
  requireKey('kek', kek)
  requireKey('key', key)
  return keyWrap().wrap(kek, key)
}

/**
 * Unwraps what {@link wrapKey} gave.
 *
 * @param kek - 32 bytes.
 * @param wrapped - 40 bytes from wherever: any other length fails as a changed byte does.
 * @returns 32 bytes, the caller's to zeroise; undefined if `kek` did not wrap this, or a key of another length.
 * @throws RangeError if `kek` has another length.
 */
export function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined {
  requireKey('kek', kek)
  if (wrapped.length !== WRAPPED_KEY_LENGTH) return undefined
  const key = keyWrap().unwrap(kek, wrapped)
  if (key === undefined || key.length === KEY_LENGTH) return key
  key.fill(0)
  return undefined
}

function requireKey(name: string, key: Uint8Array): void {
  if (key.length !== KEY_LENGTH) throw new RangeError(`${name} has ${key.length} bytes, not ${KEY_LENGTH}`)
}

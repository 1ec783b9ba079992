import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import type { CHash } from '@noble/hashes/utils.js'

/** One AEAD of SEAL. All have keys of 32, nonces of 12 and tags of 16 bytes. */
export interface Aead {
  /** The identifier that enters the key schedule (IANA AEAD registry; 0x001D and 0x001F also there). */
  readonly id: number
  readonly name: CipherName
  readonly keyLength: 32
  readonly nonceLength: 12
  readonly tagLength: 16
  /** Whether a repeated nonce reveals no more than equality of messages (RFC 8452). */
  readonly misuseResistant: boolean
}

/** The names by which callers choose an AEAD. */
export type CipherName = 'aes-256-gcm' | 'chacha20-poly1305' | 'aes-256-gcm-siv'

/** One HKDF suite of SEAL (RFC 5869 with the given hash). */
export interface Kdf {
  readonly id: number
  readonly name: string
  /** The hash by the name that `node:crypto` gives it. */
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Nh: bytes of the hash's output. */
  readonly hashLength: 32 | 48 | 64
  /** The same hash in a form whose state can be copied half-way. */
  readonly cloneable: CHash
}

function aead(id: number, name: CipherName, misuseResistant: boolean): Aead {
  return { id, name, keyLength: 32, nonceLength: 12, tagLength: 16, misuseResistant }
}

/** All that is known of each AEAD, by name. */
export const AEADS: Readonly<Record<CipherName, Aead>> = {
  'aes-256-gcm': aead(0x0002, 'aes-256-gcm', false),
  'chacha20-poly1305': aead(0x001d, 'chacha20-poly1305', false),
  'aes-256-gcm-siv': aead(0x001f, 'aes-256-gcm-siv', true),
}

export const HKDF_SHA256: Kdf = { id: 0x0001, name: 'HKDF-SHA-256', hash: 'sha256', hashLength: 32, cloneable: sha256 }
export const HKDF_SHA384: Kdf = { id: 0x0002, name: 'HKDF-SHA-384', hash: 'sha384', hashLength: 48, cloneable: sha384 }
export const HKDF_SHA512: Kdf = { id: 0x0003, name: 'HKDF-SHA-512', hash: 'sha512', hashLength: 64, cloneable: sha512 }

const KDFS = [HKDF_SHA256, HKDF_SHA384, HKDF_SHA512]

/** @returns the AEAD with this identifier, or undefined. */
export function findAead(id: number): Aead | undefined {
  return Object.values(AEADS).find((entry) => entry.id === id)
}

/** @returns the KDF with this identifier, or undefined. */
export function findKdf(id: number): Kdf | undefined {
  return KDFS.find((entry) => entry.id === id)
}

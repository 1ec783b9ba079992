import { createCipheriv, createDecipheriv, getCiphers, type CipherGCMTypes } from 'node:crypto'
import { gcm, gcmsiv } from '@noble/ciphers/aes.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { concatBytes, toPlainBytes } from '../bytes/arrays.js'
import { nativeKey } from '../bytes/native-key.js'
import type { Aead, CipherName } from './suites.js'

/** What an AEAD makes: the two parts apart, so that large ones need not be copied to be written. */
export interface Sealed {
  /** As long as the plaintext. */
  readonly ciphertext: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
}

interface Implementation {
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Sealed
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Sealed): Uint8Array | undefined
}

const TAG_LENGTH = 16

/** OpenSSL through `node:crypto`: native speed. */
export function nodeAead(name: 'aes-256-gcm' | 'chacha20-poly1305'): Implementation {
  // One signature serves both: the types of node:crypto know ChaCha20-Poly1305 apart, with a mandatory plaintext length for CCM only.
  const cipher = name as CipherGCMTypes
  const options = { authTagLength: TAG_LENGTH }
  return {
    seal(key, nonce, aad, plaintext) {
      const encryption = createCipheriv(cipher, nativeKey(key), nonce, options)
      encryption.setAAD(aad)
      const ciphertext = toPlainBytes(encryption.update(plaintext))
      encryption.final()
      return { ciphertext, tag: toPlainBytes(encryption.getAuthTag()) }
    },
    open(key, nonce, aad, { ciphertext, tag }) {
      const decryption = createDecipheriv(cipher, nativeKey(key), nonce, options)
      decryption.setAAD(aad)
      decryption.setAuthTag(tag)
      const plaintext = toPlainBytes(decryption.update(ciphertext))
      try {
        decryption.final()
      } catch {
        plaintext.fill(0)
        return undefined
      }
      return plaintext
    },
  }
}

const NOBLE = { 'aes-256-gcm': gcm, 'chacha20-poly1305': chacha20poly1305, 'aes-256-gcm-siv': gcmsiv }

/** `@noble/ciphers`: what OpenSSL in Node lacks, and a second opinion on the rest. Pure JavaScript, some 60 times slower. */
export function nobleAead(name: CipherName): Implementation {
  const create = NOBLE[name]
  return {
    seal(key, nonce, aad, plaintext) {
      const sealed = create(key, nonce, aad).encrypt(plaintext)
      return { ciphertext: sealed.subarray(0, plaintext.length), tag: sealed.subarray(plaintext.length) }
    },
    open(key, nonce, aad, { ciphertext, tag }) {
      try {
        return create(key, nonce, aad).decrypt(concatBytes(ciphertext, tag))
      } catch {
        return undefined
      }
    },
  }
}

const chosen = new Map<CipherName, Implementation>()

function implementationOf(name: CipherName): Implementation {
  let implementation = chosen.get(name)
  if (implementation === undefined) {
    const native = name !== 'aes-256-gcm-siv' && getCiphers().includes(name)
    implementation = native ? nodeAead(name) : nobleAead(name)
    chosen.set(name, implementation)
  }
  return implementation
}

function checkLengths(aead: Aead, key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== aead.keyLength) throw new RangeError(`a key of ${aead.name} has ${aead.keyLength} bytes, not ${key.length}`)
  if (nonce.length !== aead.nonceLength)
    throw new RangeError(`a nonce of ${aead.name} has ${aead.nonceLength} bytes, not ${nonce.length}`)
}

/**
 * Encrypts and authenticates `plaintext` (RFC 5116 §2.1). Pure: no I/O, no randomness, no state.
 * The caller never passes one (`key`, `nonce`) pair for two plaintexts (RFC 5116 §3.1).
 *
 * @param key - 32 bytes.
 * @param nonce - 12 bytes.
 * @param aad - Authenticated, not encrypted. Any length.
 * @throws RangeError if `key` or `nonce` has the wrong length.
 */
export function sealAead(aead: Aead, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Sealed {
  checkLengths(aead, key, nonce)
  return implementationOf(aead.name).seal(key, nonce, aad, plaintext)
}

/**
 * Decrypts what {@link sealAead} made (RFC 5116 §2.2).
 *
 * @returns the plaintext, a new array; or undefined if anything does not authenticate.
 * @throws RangeError if `key` or `nonce` has the wrong length.
 */
export function openAead(aead: Aead, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Sealed): Uint8Array | undefined {
  checkLengths(aead, key, nonce)
  if (sealed.tag.length !== aead.tagLength) return undefined
  return implementationOf(aead.name).open(key, nonce, aad, sealed)
}

import { createHmac } from 'node:crypto'
import { randomBytes } from '../bytes/random.js'
import { DIGEST_LENGTH } from './digest-table.js'

/** Makes digests that nobody can foresee who does not have the key. */
export class KeyedDigest {
  readonly key: Uint8Array

  /** @param key - 32 bytes. @defaultValue random ones */
  constructor(key = randomBytes(32)) {
    this.key = key
  }

  /** @returns 16 bytes, of HMAC-SHA-256 over the parts, one behind the other. */
  of(...parts: readonly (string | Uint8Array)[]): Uint8Array {
    const hmac = createHmac('sha256', this.key)
    for (const part of parts) hmac.update(part)
    return hmac.digest().subarray(0, DIGEST_LENGTH)
  }
}

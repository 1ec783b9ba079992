import { hash } from 'node:crypto'
import { randomBytes } from '../bytes/random.js'
import { DIGEST_LENGTH } from './digest-table.js'

/** Bytes of what is usually put into a digest. */
const USUAL_LENGTH = 8_192

/** Makes digests that nobody can foresee who does not have the key: half of SHA-256 over the key and what comes behind it. */
export class KeyedDigest {
  readonly key: Uint8Array
  readonly #bytes: Buffer

  /** @param key - 32 bytes. @defaultValue random ones */
  constructor(key: Uint8Array = randomBytes(32)) {
    this.key = key
    this.#bytes = Buffer.concat([key], key.length + USUAL_LENGTH)
  }

  /** @returns 16 bytes, of the parts, one behind the other: where one ends must be told by those before it. */
  of(...parts: readonly (string | Uint8Array)[]): Uint8Array {
    const end = parts.reduce((sum, part) => sum + Buffer.byteLength(part), this.key.length)
    const bytes = end > this.#bytes.length ? Buffer.concat([this.key], end) : this.#bytes
    let start = this.key.length
    for (const part of parts) {
      if (typeof part === 'string') start += bytes.write(part, start)
      else start += Buffer.from(part.buffer, part.byteOffset, part.length).copy(bytes, start)
    }
    // A copy, so that millions do not keep what is around them.
    return new Uint8Array(hash('sha256', bytes.subarray(0, end), 'buffer').subarray(0, DIGEST_LENGTH))
  }
}

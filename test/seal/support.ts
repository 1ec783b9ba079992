import { fc } from '@fast-check/vitest'
import type { Protocol, SealParameters } from '../../src/seal/parameters.js'
import { AEADS, HKDF_SHA256, HKDF_SHA384, HKDF_SHA512, type CipherName } from '../../src/seal/suites.js'

export { fromHex } from '../support/wycheproof.js'

export const KDFS = [HKDF_SHA256, HKDF_SHA384, HKDF_SHA512]

export const NO_BYTES = new Uint8Array(0)

/** All combinations that seal.md, "Profiles", allows. */
export const PROFILES: readonly { protocol: Protocol; nonceMode: SealParameters['nonceMode']; cipher: CipherName }[] = [
  { protocol: 'SEAL-RW-v1', nonceMode: 'random', cipher: 'aes-256-gcm' },
  { protocol: 'SEAL-RW-v1', nonceMode: 'random', cipher: 'chacha20-poly1305' },
  { protocol: 'SEAL-RW-v1', nonceMode: 'random', cipher: 'aes-256-gcm-siv' },
  { protocol: 'SEAL-RW-v1', nonceMode: 'derived', cipher: 'aes-256-gcm-siv' },
  { protocol: 'SEAL-RO-v1', nonceMode: 'derived', cipher: 'aes-256-gcm' },
  { protocol: 'SEAL-RO-v1', nonceMode: 'derived', cipher: 'chacha20-poly1305' },
  { protocol: 'SEAL-RO-v1', nonceMode: 'derived', cipher: 'aes-256-gcm-siv' },
]

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** @returns a copy of `bytes` with one bit changed. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[Math.floor(bit / 8)]! ^= 1 << (bit % 8)
  return flipped
}

/** Parameters of property tests: `SLOW=1` runs each twenty times as often. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: process.env['SLOW'] === '1' ? count * 20 : count }
}

export function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length })
}

/** Any index that a segment can have, those around powers of two often. */
export const anyIndex: fc.Arbitrary<number> = fc.oneof(
  fc.nat(300),
  fc
    .tuple(fc.nat(51), fc.integer({ min: -2, max: 2 }))
    .map(([power, step]) => Math.min(Math.max(2 ** power + step, 0), 2 ** 52 - 1)),
  fc.maxSafeNat().map((value) => Math.floor(value / 2)),
)

/** Any parameters that SEAL allows. */
export const anyParameters: fc.Arbitrary<SealParameters> = fc
  .record({
    profile: fc.constantFrom(...PROFILES),
    kdf: fc.constantFrom(...KDFS),
    segmentMax: fc.constantFrom(4_096, 16_384, 65_536),
    epochLength: fc.nat(63),
    salt: bytesOf(32),
  })
  .map(({ profile: { protocol, nonceMode, cipher }, ...rest }) => ({ protocol, nonceMode, aead: AEADS[cipher], ...rest }))

import { hkdfSync } from 'node:crypto'
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { checkParameters, type Protocol, type SealParameters } from '../../src/seal/parameters.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { AEADS, findAead, HKDF_SHA256, type CipherName } from '../../src/seal/suites.js'
import { anyIndex, anyParameters, bytesOf, fromHex, KDFS, NO_BYTES, PROFILES, runs, toHex } from './support.js'

const CIPHERS: readonly CipherName[] = ['aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv']
const CEK = new Uint8Array(32).fill(0xaa)
const USUAL: SealParameters = {
  protocol: 'SEAL-RO-v1',
  aead: AEADS['aes-256-gcm'],
  kdf: HKDF_SHA256,
  segmentMax: 65_536,
  nonceMode: 'derived',
  epochLength: 32,
  salt: new Uint8Array(32).fill(4),
}

test('the AEADs have the identifiers of seal.md', () => {
  expect([0x0002, 0x001d, 0x001f].map((id) => findAead(id)?.name)).toEqual(CIPHERS)
  expect([0, 1, 0x001e, 0x10002, -1, NaN].map(findAead)).toEqual(new Array(6).fill(undefined))
})

describe('checkParameters', () => {
  const PROTOCOLS: readonly Protocol[] = ['SEAL-RW-v1', 'SEAL-RO-v1']
  const GOOD_SIZES = [4_096, 65_536, 2 ** 30]
  const BAD_SIZES = [
    0,
    1,
    2_048,
    4_095,
    4_097,
    4_096.5,
    6_144,
    65_535,
    2 ** 30 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 44,
    -4_096,
    NaN,
    Infinity,
  ]
  const GOOD_EPOCHS = [0, 1, 16, 32, 63]
  const BAD_EPOCHS = [-1, 0.5, 64, 255, NaN, Infinity]
  const GOOD_SALTS = [32]
  const BAD_SALTS = [0, 16, 31, 33, 64]

  const profiles = PROTOCOLS.flatMap((protocol) =>
    (['random', 'derived'] as const).flatMap((nonceMode) => CIPHERS.map((cipher) => ({ protocol, nonceMode, cipher }))),
  )

  test.each(profiles)('$protocol, $nonceMode nonces, $cipher', (profile) => {
    const { protocol, nonceMode, cipher } = profile
    const defined = PROFILES.some((each) => each.protocol === protocol && each.nonceMode === nonceMode && each.cipher === cipher)
    let accepted = 0
    for (const segmentMax of [...GOOD_SIZES, ...BAD_SIZES]) {
      for (const epochLength of [...GOOD_EPOCHS, ...BAD_EPOCHS]) {
        for (const saltLength of [...GOOD_SALTS, ...BAD_SALTS]) {
          const good =
            defined && GOOD_SIZES.includes(segmentMax) && GOOD_EPOCHS.includes(epochLength) && GOOD_SALTS.includes(saltLength)
          const salt = new Uint8Array(saltLength)
          const check = () => {
            checkParameters({ protocol, nonceMode, aead: AEADS[cipher], kdf: HKDF_SHA256, segmentMax, epochLength, salt })
          }
          if (good) check()
          else expect(check).toThrow(RangeError)
          if (good) accepted++
        }
      }
    }
    expect(accepted).toBe(defined ? GOOD_SIZES.length * GOOD_EPOCHS.length : 0)
  })

  test('takes every power of two from 4,096 to 2^30 and every epoch length from 0 to 63', () => {
    for (let power = 12; power <= 30; power++) checkParameters({ ...USUAL, segmentMax: 2 ** power })
    for (let epochLength = 0; epochLength <= 63; epochLength++) checkParameters({ ...USUAL, epochLength })
    for (let power = 12; power <= 30; power++) {
      for (const segmentMax of [2 ** power - 1, 2 ** power + 1]) {
        expect(() => checkParameters({ ...USUAL, segmentMax })).toThrow(RangeError)
      }
    }
  })

  test('is what a key schedule begins with', () => {
    expect(() => new KeySchedule({ ...USUAL, nonceMode: 'random' }, CEK, NO_BYTES)).toThrow(RangeError)
    for (const length of [0, 16, 31, 33, 64])
      expect(() => new KeySchedule(USUAL, new Uint8Array(length), NO_BYTES)).toThrow(RangeError)
  })
})

/** seal.md, "Encoding and KDF" and "Key schedule", written again over node:crypto and BigInt. */
class Oracle {
  readonly #parameters: SealParameters
  readonly #cek: Uint8Array
  readonly #payloadInfo: readonly Uint8Array[]

  constructor(parameters: SealParameters, cek: Uint8Array) {
    const { protocol, aead, segmentMax, kdf, nonceMode, epochLength, salt } = parameters
    this.#parameters = parameters
    this.#cek = cek
    const aeadId = { 'aes-256-gcm': '0002', 'chacha20-poly1305': '001d', 'aes-256-gcm-siv': '001f' }[aead.name]
    const kdfId = { sha256: '0001', sha384: '0002', sha512: '0003' }[kdf.hash]
    this.#payloadInfo = [
      fromHex(aeadId),
      this.#integer(segmentMax, 4),
      fromHex(kdfId),
      fromHex(protocol === 'SEAL-RW-v1' ? '0001' : '0000'),
      fromHex(nonceMode === 'random' ? '00' : '01'),
      this.#integer(epochLength, 1),
      salt,
    ]
  }

  commitment(associatedData: Uint8Array): string {
    return toHex(this.#derive('commit', this.#cek, [...this.#payloadInfo, associatedData], this.#parameters.kdf.hashLength))
  }

  segmentKey(index: bigint): string {
    const payloadKey = this.#derive('payload_key', this.#cek, this.#payloadInfo, 32)
    return toHex(this.#derive('epoch_key', payloadKey, [this.#integer(index >> BigInt(this.#parameters.epochLength), 8)], 32))
  }

  nonce(index: bigint, isFinal: boolean): string {
    const base = BigInt(`0x${toHex(this.#derive('nonce_base', this.#cek, this.#payloadInfo, 12))}`)
    return (base ^ ((index << 1n) | (isFinal ? 1n : 0n))).toString(16).padStart(24, '0')
  }

  #derive(label: string, ikm: Uint8Array, info: readonly Uint8Array[], length: number): Uint8Array {
    const { protocol, kdf } = this.#parameters
    const frames = (elements: readonly (Uint8Array | string)[]) =>
      Buffer.concat(elements.flatMap((element) => [this.#integer(element.length, 2), Buffer.from(element)]))
    const expandInfo = frames([protocol, label, ...info, this.#integer(length, 2)])
    return new Uint8Array(hkdfSync(kdf.hash, frames([protocol, label, ikm]), protocol, expandInfo, length))
  }

  #integer(value: number | bigint, length: number): Uint8Array {
    return fromHex(value.toString(16).padStart(length * 2, '0'))
  }
}

describe('KeySchedule', () => {
  test.prop(
    [anyParameters, bytesOf(32), fc.uint8Array({ maxLength: 400 }), fc.array(anyIndex, { minLength: 1, maxLength: 6 })],
    runs(200),
  )('agrees with a second implementation over BigInt', (parameters, cek, associatedData, indices) => {
    const schedule = new KeySchedule(parameters, cek, associatedData)
    const oracle = new Oracle(parameters, cek)
    expect(toHex(schedule.commitment)).toBe(oracle.commitment(associatedData))
    for (const index of indices) {
      expect(toHex(schedule.segmentKey(index))).toBe(oracle.segmentKey(BigInt(index)))
      if (parameters.nonceMode === 'random') continue
      for (const isFinal of [false, true]) {
        expect(toHex(schedule.derivedNonce(index, isFinal))).toBe(oracle.nonce(BigInt(index), isFinal))
      }
    }
  })

  test.each(KDFS)('$name: the segment key changes where an epoch ends, and only there', (kdf) => {
    const LAST = 2 ** 52 - 1
    for (let epochLength = 0; epochLength <= 63; epochLength++) {
      const parameters = { ...USUAL, kdf, epochLength }
      const schedule = new KeySchedule(parameters, CEK, NO_BYTES)
      const oracle = new Oracle(parameters, CEK)
      const keyAt = (index: number) => {
        const key = toHex(schedule.segmentKey(index))
        expect(key).toBe(oracle.segmentKey(BigInt(index)))
        return key
      }
      const first = keyAt(0)
      if (epochLength >= 52) {
        expect(keyAt(LAST)).toBe(first)
        continue
      }
      const length = 2 ** epochLength
      expect(keyAt(length - 1)).toBe(first)
      expect(keyAt(length)).not.toBe(first)
      // The same within the epoch that begins at or after 2^32, beyond what 32-bit arithmetic holds.
      const begin = Math.ceil(2 ** 32 / length) * length
      const later = keyAt(begin)
      expect(later).not.toBe(keyAt(begin - 1))
      expect(keyAt(begin + length - 1)).toBe(later)
      if (begin + length <= LAST) expect(keyAt(begin + length)).not.toBe(later)
      expect(keyAt(0)).toBe(first)
    }
  })

  test('derives a segment key once an epoch, and overwrites it when the next is derived', () => {
    const schedule = new KeySchedule({ ...USUAL, epochLength: 1 }, CEK, NO_BYTES)
    const key = schedule.segmentKey(0)
    expect(schedule.segmentKey(1)).toBe(key)
    expect(toHex(key)).not.toBe('00'.repeat(32))
    expect(schedule.segmentKey(2)).not.toBe(key)
    expect(toHex(key)).toBe('00'.repeat(32))
  })

  test('a derived nonce is that of its index beyond 2^31 and 2^32', () => {
    const schedule = new KeySchedule(USUAL, CEK, NO_BYTES)
    const oracle = new Oracle(USUAL, CEK)
    const nonces = new Set<string>()
    const indices = [0, 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 51, 2 ** 52 - 1]
    for (const index of indices) {
      for (const isFinal of [false, true]) {
        const nonce = toHex(schedule.derivedNonce(index, isFinal))
        expect(nonce).toBe(oracle.nonce(BigInt(index), isFinal))
        nonces.add(nonce)
      }
    }
    expect(nonces.size).toBe(indices.length * 2)
  })

  test('makes snapshots in the rewritable profile alone', () => {
    expect(new KeySchedule(USUAL, CEK, NO_BYTES).snapshotKey).toBeUndefined()
    expect(new KeySchedule({ ...USUAL, protocol: 'SEAL-RW-v1', nonceMode: 'random' }, CEK, NO_BYTES).snapshotKey).toBeDefined()
  })

  test('gives no nonce in random mode, and no key for what is no index', () => {
    const random = new KeySchedule({ ...USUAL, protocol: 'SEAL-RW-v1', nonceMode: 'random' }, CEK, NO_BYTES)
    expect(() => random.derivedNonce(0, false)).toThrow(TypeError)
    const schedule = new KeySchedule(USUAL, CEK, NO_BYTES)
    for (const index of [-1, NaN, Infinity, -Infinity]) {
      expect(() => schedule.segmentKey(index)).toThrow(RangeError)
      expect(() => schedule.derivedNonce(index, false)).toThrow(RangeError)
    }
    expect(() => schedule.derivedNonce(2 ** 52, false)).toThrow(RangeError)
  })

  test('gives nothing once it is disposed of, and leaves the key that it was given', () => {
    const cek = CEK.slice()
    const schedule = new KeySchedule({ ...USUAL, protocol: 'SEAL-RW-v1', nonceMode: 'random' }, cek, NO_BYTES)
    const key = schedule.segmentKey(0)
    schedule[Symbol.dispose]()
    expect(toHex(key)).toBe('00'.repeat(32))
    expect(cek).toEqual(CEK)
    expect(() => schedule.segmentKey(0)).toThrow(TypeError)
    expect(() => schedule.segmentKey(2 ** 40)).toThrow(TypeError)
    expect(() => schedule.snapshotKey!.seal(0, new Uint8Array(32))).toThrow(TypeError)
    expect(() => schedule.snapshotKey!.contribution(0, new Uint8Array(16))).toThrow()
    schedule.dispose()
    const derived = new KeySchedule(USUAL, CEK, NO_BYTES)
    derived.dispose()
    expect(() => derived.derivedNonce(0, false)).toThrow(TypeError)
  })
})

import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { u64, u8 } from '../../src/bytes/integers.js'
import { sealAead } from '../../src/seal/aead.js'
import { encode } from '../../src/seal/kdf.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { decryptSegment, encryptSegment, type SegmentPlace } from '../../src/seal/segment.js'
import { AEADS, HKDF_SHA256 } from '../../src/seal/suites.js'
import { anyIndex, anyParameters, bytesOf, flipBit, NO_BYTES, PROFILES, runs, toHex } from './support.js'

const CEK = new Uint8Array(32).fill(0xaa)

/** `length` bytes that are not all the same, made faster than fast-check would. */
function someBytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed + Math.floor(i / 256)) % 256)
}

const anyCase = anyParameters.chain((parameters) => {
  const { segmentMax } = parameters
  return fc.record({
    parameters: fc.constant(parameters),
    cek: bytesOf(32),
    associatedData: fc.uint8Array({ maxLength: 50 }),
    place: fc.record(
      { index: anyIndex, isFinal: fc.boolean(), associatedData: fc.uint8Array({ maxLength: 20 }) },
      { requiredKeys: ['index', 'isFinal'] },
    ) satisfies fc.Arbitrary<SegmentPlace>,
    plaintext: fc
      .tuple(fc.oneof(fc.constantFrom(0, 1, 15, 16, 17, segmentMax - 1, segmentMax), fc.nat(300), fc.nat(segmentMax)), fc.nat(255))
      .map(([length, seed]) => someBytes(length, seed)),
    nonce: parameters.nonceMode === 'random' ? bytesOf(12) : fc.constant(undefined),
    anyBit: fc.nat(),
  })
})

test.prop([anyCase], runs(200))('a segment decrypts at its place, and nowhere else', (any) => {
  const { parameters, cek, associatedData, place, plaintext, nonce, anyBit } = any
  const schedule = new KeySchedule(parameters, cek, associatedData)
  const before = plaintext.slice()
  const segment = encryptSegment(schedule, place, plaintext, nonce)
  expect(Buffer.compare(plaintext, before)).toBe(0)
  expect(segment.ciphertext).toHaveLength(plaintext.length)
  expect(segment.tag).toHaveLength(16)
  expect(segment.nonce).toEqual(nonce ?? schedule.derivedNonce(place.index, place.isFinal))

  // Another schedule of the same object, as a reader has.
  const reader = new KeySchedule(parameters, cek, associatedData)
  const opened = decryptSegment(reader, place, segment)
  expect(opened && Buffer.compare(opened, plaintext)).toBe(0)

  const { index, isFinal } = place
  const elsewhere: SegmentPlace[] = [
    { ...place, isFinal: !isFinal },
    { ...place, index: index + 1 < 2 ** 52 ? index + 1 : 0 },
    { ...place, index: Math.max(index - 1, 0) },
    { ...place, index: (index + 2 ** 32) % 2 ** 52 },
    { ...place, associatedData: Uint8Array.of(...(place.associatedData ?? []), 0) },
    { ...place, associatedData: place.associatedData === undefined ? NO_BYTES : undefined },
  ].filter((other) => other.index !== index || other.isFinal !== isFinal || other.associatedData !== place.associatedData)
  for (const other of elsewhere) expect(decryptSegment(reader, other, segment)).toBeUndefined()

  expect(decryptSegment(reader, place, { ...segment, tag: flipBit(segment.tag, anyBit % 128) })).toBeUndefined()
  if (plaintext.length > 0) {
    const ciphertext = flipBit(segment.ciphertext, anyBit % (plaintext.length * 8))
    expect(decryptSegment(reader, place, { ...segment, ciphertext })).toBeUndefined()
  }
  const otherKey = new KeySchedule(parameters, flipBit(cek, anyBit % 256), associatedData)
  expect(decryptSegment(otherKey, place, segment)).toBeUndefined()
})

test.prop(
  [anyParameters.filter(({ nonceMode }) => nonceMode === 'derived'), fc.uniqueArray(anyIndex, { minLength: 2, maxLength: 20 })],
  runs(50),
)('derived nonces do not repeat within an object', (parameters, indices) => {
  const schedule = new KeySchedule(parameters, CEK, NO_BYTES)
  const nonces = indices.flatMap((index) => [false, true].map((isFinal) => toHex(schedule.derivedNonce(index, isFinal))))
  expect(new Set(nonces).size).toBe(indices.length * 2)
})

describe.each(PROFILES)('$protocol, $nonceMode nonces, $cipher', ({ protocol, nonceMode, cipher }) => {
  const salt = new Uint8Array(32).fill(4)
  const parameters = { protocol, nonceMode, aead: AEADS[cipher], kdf: HKDF_SHA256, segmentMax: 4_096, epochLength: 16, salt }
  const schedule = new KeySchedule(parameters, CEK, NO_BYTES)
  const nonce = nonceMode === 'random' ? new Uint8Array(12).fill(9) : undefined
  const place = { index: 3, isFinal: false }
  const segment = encryptSegment(schedule, place, someBytes(10, 0), nonce)

  test('refuses a plaintext or ciphertext longer than a segment', () => {
    const full = encryptSegment(schedule, place, someBytes(4_096, 0), nonce)
    expect(decryptSegment(schedule, place, full)).toEqual(someBytes(4_096, 0))
    expect(() => encryptSegment(schedule, place, someBytes(4_097, 0), nonce)).toThrow(RangeError)
    // One byte more, under the right key, nonce and AAD.
    for (const [length, opens] of [
      [4_096, true],
      [4_097, false],
    ] as const) {
      const aad = nonce ? encode(HKDF_SHA256, ['SEAL-DATA', u64(place.index), u8(0)]) : NO_BYTES
      const used = nonce ?? schedule.derivedNonce(place.index, place.isFinal)
      const sealed = sealAead(parameters.aead, schedule.segmentKey(place.index), used, aad, someBytes(length, 0))
      expect(decryptSegment(schedule, place, { nonce: used, ...sealed }) !== undefined).toBe(opens)
    }
  })

  test('refuses what is no index', () => {
    for (const index of [-1, 0.5, 2 ** 52, 2 ** 53, NaN, Infinity, -Infinity]) {
      expect(() => encryptSegment(schedule, { index, isFinal: true }, NO_BYTES, nonce)).toThrow(RangeError)
      expect(() => decryptSegment(schedule, { index, isFinal: true }, segment)).toThrow(RangeError)
    }
    expect(decryptSegment(schedule, place, segment)).toEqual(someBytes(10, 0))
  })

  test.runIf(nonceMode === 'random')('needs a nonce of 12 bytes', () => {
    expect(() => encryptSegment(schedule, place, NO_BYTES)).toThrow(TypeError)
    const { ciphertext, tag } = segment
    expect(decryptSegment(schedule, place, { ciphertext, tag })).toBeUndefined()
    for (const length of [0, 8, 11, 13, 16]) {
      const other = new Uint8Array(length).fill(9)
      expect(() => encryptSegment(schedule, place, NO_BYTES, other)).toThrow(RangeError)
      expect(decryptSegment(schedule, place, { ...segment, nonce: other })).toBeUndefined()
    }
  })

  test.runIf(nonceMode === 'derived')('takes no nonce', () => {
    expect(() => encryptSegment(schedule, place, NO_BYTES, new Uint8Array(12))).toThrow(TypeError)
    const { ciphertext, tag } = segment
    expect(decryptSegment(schedule, place, { ciphertext, tag })).toEqual(someBytes(10, 0))
    expect(decryptSegment(schedule, place, { ...segment, nonce: NO_BYTES })).toEqual(someBytes(10, 0))
  })

  test('works no more once the schedule is disposed of', () => {
    const disposed = new KeySchedule(parameters, CEK, NO_BYTES)
    encryptSegment(disposed, place, NO_BYTES, nonce)
    disposed.dispose()
    for (const index of [3, 2 ** 40]) {
      expect(() => encryptSegment(disposed, { index, isFinal: false }, NO_BYTES, nonce)).toThrow(TypeError)
      expect(() => decryptSegment(disposed, { index, isFinal: false }, segment)).toThrow(TypeError)
    }
  })
})

test('interleaved segments of two objects do not disturb each other', () => {
  const salt = new Uint8Array(32).fill(4)
  const common = { aead: AEADS['aes-256-gcm'], kdf: HKDF_SHA256, segmentMax: 4_096, epochLength: 1, salt }
  const a = new KeySchedule({ ...common, protocol: 'SEAL-RW-v1', nonceMode: 'random' }, CEK, NO_BYTES)
  const b = new KeySchedule(
    { ...common, protocol: 'SEAL-RW-v1', nonceMode: 'random' },
    CEK.map((byte) => byte ^ 1),
    NO_BYTES,
  )
  const nonce = new Uint8Array(12)
  const order = [5, 0, 4, 1, 0, 5, 2 ** 40, 3]
  const stored = order.map((index) =>
    [a, b].map((schedule) => encryptSegment(schedule, { index, isFinal: false }, someBytes(9, index % 7), nonce)),
  )
  for (const [i, index] of [...order.entries()].reverse()) {
    for (const [j, schedule] of [a, b].entries()) {
      expect(decryptSegment(schedule, { index, isFinal: false }, stored[i]![j]!)).toEqual(someBytes(9, index % 7))
      expect(decryptSegment(schedule, { index, isFinal: false }, stored[i]![1 - j]!)).toBeUndefined()
    }
  }
})

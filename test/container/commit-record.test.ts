import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import {
  buildRecord,
  deriveRecordKey,
  digestRecord,
  parseRecord,
  RECORD_COUNT,
  RECORD_SIZE,
  recordPosition,
  type CommitRecord,
} from '../../src/container/commit-record.js'
import { keySlotPosition } from '../../src/container/key-slots.js'
import { headerSizeOf } from '../../src/container/preamble.js'
import { REDO_COUNT_MAX } from '../../src/container/redo-list.js'
import { patternBytes } from '../support/encrypted-files.js'
import { RECORD_FIELDS, withRecord, type RecordField } from '../support/container-parts.js'

const RECORD_KEY = deriveRecordKey(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2))
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const anyRecord: fc.Arbitrary<CommitRecord> = fc.record({
  sequence: fc.maxSafeNat(),
  durableSequence: fc.maxSafeNat(),
  plaintextLength: fc.maxSafeNat(),
  growthBegan: fc.maxSafeNat(),
  encryptionCount: fc.maxSafeNat(),
  redo: fc.option(
    fc.record({ position: fc.maxSafeNat(), count: fc.integer({ min: 1, max: REDO_COUNT_MAX }), end: fc.maxSafeNat() }),
    {
      nil: undefined,
    },
  ),
  clean: fc.boolean(),
  applied: fc.boolean(),
  redoDigest: bytes(32),
  growthDigest: bytes(32),
  finalNonce: bytes(12),
  finalTag: bytes(16),
  snapshot: bytes(64),
})

const plainBytes = (length: number, seed: number): Uint8Array => new Uint8Array(patternBytes(length, seed))

const RECORD: CommitRecord = {
  sequence: 7,
  durableSequence: 5,
  plaintextLength: 2 ** 40 + 3,
  growthBegan: 2 ** 33,
  encryptionCount: 2 ** 34 + 1,
  redo: { position: 2 ** 41, count: 3, end: 2 ** 41 + 144 },
  clean: true,
  applied: false,
  redoDigest: plainBytes(32, 1),
  growthDigest: plainBytes(32, 2),
  finalNonce: plainBytes(12, 3),
  finalTag: plainBytes(16, 4),
  snapshot: plainBytes(64, 5),
}

describe('a commit record', () => {
  test.prop([anyRecord, fc.nat(RECORD_COUNT - 1)])('round trips', (record, slot) => {
    const built = buildRecord(record, slot, RECORD_KEY)
    expect(built.length).toBe(RECORD_SIZE)
    expect(parseRecord(built, slot, RECORD_KEY)).toEqual(record)
  })

  test.each<[string, Partial<CommitRecord>]>([
    ['the longest list', { redo: { position: 1_280, count: REDO_COUNT_MAX, end: 2 ** 53 - 1 } }],
    ['the largest numbers', { sequence: 2 ** 53 - 1, durableSequence: 2 ** 53 - 1, plaintextLength: 2 ** 53 - 1 }],
    ['both flags', { clean: true, applied: true }],
    ['no flag', { clean: false, applied: false }],
    ['the second flag alone, without a list', { clean: false, applied: true, redo: undefined }],
  ])('round trips at its bounds: %s', (_, fields) => {
    const record = { ...RECORD, ...fields }
    expect(parseRecord(buildRecord(record, 1, RECORD_KEY), 1, RECORD_KEY)).toEqual(record)
  })

  test.prop([anyRecord, anyRecord])(
    'has a digest over all but its MAC: the same in every slot, another for any other record',
    (record, other) => {
      const digestOf = (slot: number) =>
        createHash('sha256')
          .update(buildRecord(record, slot, RECORD_KEY).subarray(0, RECORD_SIZE - 32))
          .digest()
      for (let slot = 0; slot < RECORD_COUNT; slot++) expect(digestRecord(record)).toEqual(digestOf(slot))
      for (const name of Object.keys(record) as (keyof CommitRecord)[]) {
        const changed = { ...record, [name]: other[name] }
        const isSame = isDeepStrictEqual(other[name], record[name])
        expect(Buffer.compare(digestRecord(changed), digestRecord(record)) === 0, name).toBe(isSame)
      }
    },
  )

  test.prop([anyRecord, fc.nat(RECORD_COUNT - 1), fc.nat(RECORD_COUNT - 1)])(
    'counts in its own slot alone',
    (record, slot, other) => {
      fc.pre(slot !== other)
      expect(parseRecord(buildRecord(record, slot, RECORD_KEY), other, RECORD_KEY)).toBeUndefined()
    },
  )

  test('with any bit changed does not authenticate', () => {
    const built = buildRecord(RECORD, 1, RECORD_KEY)
    for (let bit = 0; bit < RECORD_SIZE * 8; bit++) {
      const changed = Uint8Array.from(built)
      changed[Math.floor(bit / 8)]! ^= 1 << (bit % 8)
      if (parseRecord(changed, 1, RECORD_KEY) !== undefined) expect.fail(`bit ${bit} changed, and the record still counts`)
    }
    expect(parseRecord(built, 1, RECORD_KEY)).toBeDefined()
  })

  test('torn at any byte, over zeros or over an older record, does not authenticate', () => {
    const built = buildRecord(RECORD, 0, RECORD_KEY)
    const older = buildRecord({ ...RECORD, sequence: 6, clean: false, snapshot: patternBytes(64, 6) }, 0, RECORD_KEY)
    for (let kept = 1; kept < RECORD_SIZE; kept++) {
      for (const below of [new Uint8Array(RECORD_SIZE), older]) {
        const torn = Uint8Array.from(below)
        torn.set(built.subarray(0, kept))
        const matchesWhole = Buffer.from(torn).equals(built)
        const matchesBelow = Buffer.from(torn).equals(below)
        if (!matchesWhole && !matchesBelow) expect(parseRecord(torn, 0, RECORD_KEY), `torn after ${kept}`).toBeUndefined()
      }
    }
  })

  test('cut short, or all zeros, does not authenticate', () => {
    const built = buildRecord(RECORD, 0, RECORD_KEY)
    for (const size of [0, 1, 31, 32, 224, 255]) expect(parseRecord(built.subarray(0, size), 0, RECORD_KEY)).toBeUndefined()
    expect(parseRecord(new Uint8Array(RECORD_SIZE), 0, RECORD_KEY)).toBeUndefined()
  })

  test('under the key of another file, or of another salt, does not authenticate', () => {
    const built = buildRecord(RECORD, 0, RECORD_KEY)
    expect(parseRecord(built, 0, deriveRecordKey(new Uint8Array(32).fill(9), new Uint8Array(32).fill(2)))).toBeUndefined()
    expect(parseRecord(built, 0, deriveRecordKey(new Uint8Array(32).fill(1), new Uint8Array(32).fill(9)))).toBeUndefined()
  })

  test('keeps its numbers where a reader in any language finds them', () => {
    const view = Buffer.from(buildRecord(RECORD, 0, RECORD_KEY))
    const numbers = Object.fromEntries(
      Object.entries(RECORD_FIELDS).map(([name, [offset, size]]) => [
        name,
        size === 8 ? Number(view.readBigUInt64BE(offset)) : view.readUInt32BE(offset),
      ]),
    )
    expect(numbers).toEqual({
      reserved: 0,
      sequence: 7,
      durableSequence: 5,
      plaintextLength: 2 ** 40 + 3,
      growthBegan: 2 ** 33,
      encryptionCount: 2 ** 34 + 1,
      redoPosition: 2 ** 41,
      redoEnd: 2 ** 41 + 144,
      redoCount: 3,
      flags: 1,
    })
  })

  test.each<[RecordField, readonly bigint[]]>([
    ['sequence', [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]],
    ['durableSequence', [2n ** 53n]],
    ['plaintextLength', [2n ** 53n]],
    ['growthBegan', [2n ** 53n]],
    ['encryptionCount', [2n ** 53n]],
    ['redoPosition', [2n ** 53n]],
    ['redoEnd', [2n ** 64n - 1n]],
    ['redoCount', [BigInt(REDO_COUNT_MAX) + 1n, 2n ** 32n - 1n]],
    ['flags', [4n, 5n, 2n ** 31n]],
    ['reserved', [1n, 2n ** 31n]],
  ])('with a number that no writer gives does not count, whoever made its MAC: %s', (field, values) => {
    const file = new Uint8Array(headerSizeOf('editable'))
    const parseForged = (raw: Partial<Record<RecordField, bigint>>): CommitRecord | undefined => {
      const forged = withRecord(file, RECORD_KEY, RECORD, raw)
      return parseRecord(forged.subarray(recordPosition(1), recordPosition(2)), 1, RECORD_KEY)
    }
    expect(parseForged({})).toEqual(RECORD)
    for (const value of values) expect(parseForged({ [field]: value })).toBeUndefined()
  })

  test('lies within one 512-byte sector, behind the key slots and before the first segment', () => {
    for (let slot = 0; slot < RECORD_COUNT; slot++) {
      const start = recordPosition(slot)
      const end = start + RECORD_SIZE
      expect(Math.floor(start / 512)).toBe(Math.floor((end - 1) / 512))
      expect(start).toBeGreaterThanOrEqual(keySlotPosition(2))
      expect(end).toBeLessThanOrEqual(headerSizeOf('editable'))
      for (let other = 0; other < slot; other++) expect(start).toBeGreaterThanOrEqual(recordPosition(other) + RECORD_SIZE)
    }
  })
})

import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { ByteReader, ByteWriter, putU32, putU64, u16, u32, u64, u8 } from '../../src/bytes/integers.js'

/** `value` in `length` bytes, by way of BigInt. */
function bigEndian(value: number | bigint, length: number): Uint8Array {
  return new Uint8Array(
    Buffer.from(
      BigInt(value)
        .toString(16)
        .padStart(length * 2, '0'),
      'hex',
    ),
  )
}

/** Full range, those around powers of two often. */
function anyUnsigned(bits: number): fc.Arbitrary<number> {
  const max = 2 ** bits - 1
  const edges = fc
    .tuple(fc.nat(bits), fc.integer({ min: -2, max: 2 }))
    .map(([power, step]) => Math.min(Math.max(2 ** power + step, 0), max))
  return fc.oneof(
    fc.maxSafeNat().map((value) => value % (max + 1)),
    edges,
  )
}

const anySafe = fc.oneof(fc.maxSafeNat(), anyUnsigned(52), fc.constantFrom(0, Number.MAX_SAFE_INTEGER))
const RUNS = { numRuns: 1_000 }

test.prop([anyUnsigned(8), anyUnsigned(16), anyUnsigned(32), anySafe], RUNS)('each width is big-endian', (a, b, c, d) => {
  expect(u8(a)).toEqual(bigEndian(a, 1))
  expect(u16(b)).toEqual(bigEndian(b, 2))
  expect(u32(c)).toEqual(bigEndian(c, 4))
  expect(u64(d)).toEqual(bigEndian(d, 8))
})

test.prop([anyUnsigned(32), anySafe, fc.nat(9)], RUNS)('put writes at its offset, and nowhere else', (value, wide, offset) => {
  const bytes = new Uint8Array(20).fill(0xee)
  putU32(bytes, offset, value)
  expect([...bytes]).toEqual([
    ...new Uint8Array(offset).fill(0xee),
    ...bigEndian(value, 4),
    ...new Uint8Array(16 - offset).fill(0xee),
  ])
  bytes.fill(0xee)
  putU64(bytes, offset, wide)
  expect([...bytes]).toEqual([
    ...new Uint8Array(offset).fill(0xee),
    ...bigEndian(wide, 8),
    ...new Uint8Array(12 - offset).fill(0xee),
  ])
})

test.each([-1, -0.5, 0.5, 2 ** 53, 2 ** 63, NaN, Infinity, -Infinity])('%d does not go into eight bytes', (value) => {
  const bytes = new Uint8Array(8).fill(1)
  expect(() => u64(value)).toThrow(RangeError)
  expect(() => {
    putU64(bytes, 0, value)
  }).toThrow(RangeError)
  expect(() => new ByteWriter(8).u64(value)).toThrow(RangeError)
  expect(bytes).toEqual(new Uint8Array(8).fill(1))
})

test.prop([anyUnsigned(8), anyUnsigned(16), anyUnsigned(32), anySafe, fc.uint8Array(), fc.nat(8)], RUNS)(
  'ByteReader reads what ByteWriter wrote, from any place in memory',
  (a, b, c, d, e, offset) => {
    const { bytes } = new ByteWriter(15 + e.length).u8(a).u16(b).u32(c).u64(d).put(e)
    const room = Buffer.alloc(bytes.length + 16, 0xff)
    room.set(bytes, offset)
    const reader = new ByteReader(room.subarray(offset, offset + bytes.length))
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([a, b, c, d])
    expect(reader.bytes(e.length)).toEqual(e)
    expect(() => reader.u8()).toThrow(RangeError)
  },
)

describe('ByteReader', () => {
  test.prop([fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })], RUNS)('reads eight bytes as a safe integer or Infinity', (value) => {
    const expected = value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Infinity
    expect(new ByteReader(bigEndian(value, 8)).u64()).toBe(expected)
  })

  test('reads the last safe integer, and Infinity from there', () => {
    expect(new ByteReader(bigEndian(2n ** 53n - 1n, 8)).u64()).toBe(Number.MAX_SAFE_INTEGER)
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(new ByteReader(bigEndian(value, 8)).u64()).toBe(Infinity)
    }
  })

  test('does not read past the end, nor of its own array alone', () => {
    const room = new Uint8Array(32)
    for (let size = 0; size < 9; size++) {
      const part = room.subarray(3, 3 + size)
      const tooLong: ((reader: ByteReader) => unknown)[] = [(reader) => reader.bytes(size + 1), (reader) => reader.bytes(Infinity)]
      if (size < 1) tooLong.push((reader) => reader.u8())
      if (size < 2) tooLong.push((reader) => reader.u16())
      if (size < 4) tooLong.push((reader) => reader.u32())
      if (size < 8) tooLong.push((reader) => reader.u64())
      for (const read of tooLong) expect(() => read(new ByteReader(part))).toThrow(RangeError)
      expect(new ByteReader(part).bytes(size)).toHaveLength(size)
    }
    expect(() => new ByteReader(room).bytes(NaN)).toThrow(RangeError)
  })

  test.each(['Uint8Array', 'Buffer'])('copies out of a %s', (kind) => {
    const source = kind === 'Buffer' ? Buffer.from([1, 2, 3, 4]) : Uint8Array.of(1, 2, 3, 4)
    const copy = new ByteReader(source).bytes(2)
    source.fill(9)
    expect(copy).toEqual(Uint8Array.of(1, 2))
    copy.fill(8)
    expect([...source]).toEqual([9, 9, 9, 9])
  })
})

describe('ByteWriter', () => {
  test('leaves the rest zero', () => {
    expect(new ByteWriter(6).u16(0x0102).bytes).toEqual(Uint8Array.of(1, 2, 0, 0, 0, 0))
  })

  test('does not write past the end', () => {
    expect(() => new ByteWriter(0).u8(1)).toThrow(RangeError)
    expect(() => new ByteWriter(1).u16(1)).toThrow(RangeError)
    expect(() => new ByteWriter(3).u32(1)).toThrow(RangeError)
    expect(() => new ByteWriter(7).u64(1)).toThrow(RangeError)
    expect(() => new ByteWriter(7).put(new Uint8Array(8))).toThrow(RangeError)
    expect(() => new ByteWriter(7).u32(1).u32(1)).toThrow(RangeError)
  })
})

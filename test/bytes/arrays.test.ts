import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { concatBytes, equalBytes, isZero, toPlainBytes } from '../../src/bytes/arrays.js'

test.prop([fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 })])('equalBytes compares contents', (a, b) => {
  expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
  expect(equalBytes(a, a.slice())).toBe(true)
  expect(equalBytes(a, Uint8Array.of(...a, 0))).toBe(false)
})

test.prop([fc.array(fc.uint8Array())])('concatBytes joins in order, into a new array', (parts) => {
  const joined = concatBytes(...parts)
  expect(joined).toEqual(Uint8Array.from(parts.flatMap((part) => [...part])))
  const before = parts.map((part) => [...part])
  joined.fill(7)
  expect(parts.map((part) => [...part])).toEqual(before)
})

test.prop([fc.uint8Array()])('isZero sees any bit', (bytes) => {
  expect(isZero(bytes)).toBe(!bytes.some((byte) => byte > 0))
})

test('isZero holds for nothing, and not for a last byte of one', () => {
  expect(isZero(new Uint8Array(0))).toBe(true)
  expect(isZero(new Uint8Array(100))).toBe(true)
  const almost = new Uint8Array(100)
  almost[99] = 1
  expect(isZero(almost)).toBe(false)
})

test('toPlainBytes gives the same memory, with a slice that copies', () => {
  const buffer = Buffer.from([1, 2, 3, 4]).subarray(1, 3)
  const plain = toPlainBytes(buffer)
  expect(plain).toEqual(Uint8Array.of(2, 3))
  const copy = plain.slice()
  buffer[0] = 9
  expect(plain).toEqual(Uint8Array.of(9, 3))
  expect(copy).toEqual(Uint8Array.of(2, 3))
})

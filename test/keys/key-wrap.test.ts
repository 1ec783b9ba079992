import { fc, test as propTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { NODE_KEY_WRAP, NOBLE_KEY_WRAP, unwrapKey, wrapKey } from '../../src/keys/key-wrap.js'
import { describeWycheproof } from '../support/wycheproof.js'
import { fromHex, toHex } from './support.js'

const IMPLEMENTATIONS = [
  ['node:crypto', NODE_KEY_WRAP],
  ['@noble/ciphers', NOBLE_KEY_WRAP],
] as const

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

describe('RFC 5649 §6, whose KEK has 192 bits', () => {
  const kek = fromHex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8')
  test.each([
    ['c37b7e6492584340bed12207808941155068f738', '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'],
    ['466f7250617369', 'afbeb0f07dfbf5419200f2ccb50bb24f'],
  ])('%s', (key, wrapped) => {
    expect(toHex(NOBLE_KEY_WRAP.wrap(kek, fromHex(key)))).toBe(wrapped)
    expect(toHex(NOBLE_KEY_WRAP.unwrap(kek, fromHex(wrapped))!)).toBe(key)
  })
})

describeWycheproof('aes_kwp', (file) => {
  const tests = file.testGroups.filter((group) => group.keySize === 256).flatMap((group) => group.tests)
  test.each(IMPLEMENTATIONS)('%s', (_, keyWrap) => {
    expect(tests.length).toBeGreaterThan(50)
    for (const { tcId, key, msg, ct, result } of tests) {
      const unwrapped = keyWrap.unwrap(fromHex(key), fromHex(ct))
      if (result === 'invalid') {
        expect(unwrapped, `test ${tcId}`).toBeUndefined()
      } else {
        expect(toHex(unwrapped!), `test ${tcId}`).toBe(msg)
        expect(toHex(keyWrap.wrap(fromHex(key), fromHex(msg))), `test ${tcId}`).toBe(ct)
      }
    }
  })
})

propTest.prop([bytes(32), fc.uint8Array({ minLength: 1, maxLength: 80 })])('both implementations agree', (kek, key) => {
  const wrapped = NODE_KEY_WRAP.wrap(kek, key)
  expect(NOBLE_KEY_WRAP.wrap(kek, key)).toEqual(wrapped)
  for (const [, { unwrap }] of IMPLEMENTATIONS) expect(unwrap(kek, wrapped)).toEqual(key)
})

propTest.prop([bytes(32), bytes(32), fc.nat({ max: 319 })])('a changed bit does not unwrap', (kek, key, bit) => {
  const wrapped = wrapKey(kek, key)
  expect(wrapped).toHaveLength(40)
  expect(unwrapKey(kek, wrapped)).toEqual(key)
  wrapped[bit >> 3]! ^= 1 << (bit & 7)
  expect(unwrapKey(kek, wrapped)).toBeUndefined()
})

describe('lengths', () => {
  const kek = new Uint8Array(32).fill(1)

  test('what has not 40 bytes does not unwrap', () => {
    for (let length = 0; length <= 64; length++) {
      if (length !== 40) expect(unwrapKey(kek, new Uint8Array(length))).toBeUndefined()
    }
  })

  test('a well-wrapped key of another length does not count', () => {
    // 25 to 32 bytes all take 40 when wrapped.
    for (const length of [25, 31]) expect(unwrapKey(kek, NODE_KEY_WRAP.wrap(kek, new Uint8Array(length)))).toBeUndefined()
  })

  test('keys have 32 bytes', () => {
    expect(() => wrapKey(kek, new Uint8Array(31))).toThrow(RangeError)
    expect(() => wrapKey(new Uint8Array(16), kek)).toThrow(RangeError)
    expect(() => unwrapKey(new Uint8Array(24), new Uint8Array(40))).toThrow(RangeError)
  })
})

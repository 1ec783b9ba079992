import { expect, test } from 'vitest'
import { randomBytes, randomNonce } from '../../src/bytes/random.js'

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

test('a hundred thousand nonces do not repeat', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 100_000; i++) {
    const nonce = randomNonce(12)
    expect(nonce.length).toBe(12)
    seen.add(toHex(nonce))
  }
  expect(seen.size).toBe(100_000)
})

test('no stretch of eight bytes is given twice, whatever the lengths asked for', () => {
  // Lengths that divide the pool (64, 32, 16, 8) and that do not: each change shifts where the pool is filled again.
  const seen = new Set<string>()
  let stretches = 0
  for (let i = 0; i < 20_000; i++) {
    const nonce = randomNonce([12, 64, 8, 63, 32, 9, 24, 16][(i + Math.floor(i / 1_000)) % 8]!)
    for (let offset = 0; offset + 8 <= nonce.length; offset++) {
      seen.add(toHex(nonce.subarray(offset, offset + 8)))
      stretches++
    }
  }
  expect(seen.size).toBe(stretches)
})

test.each([1, 7, 8, 12, 63, 64])('nonces of %d bytes are full and balanced', (length) => {
  const draws = 20_000
  const ones = new Array<number>(length).fill(0)
  for (let i = 0; i < draws; i++) {
    const nonce = randomNonce(length)
    expect(nonce.length).toBe(length)
    for (let at = 0; at < length; at++) ones[at]! += nonce[at]! >> 7
  }
  // Ten standard deviations: a position that is always 0, or half as often 1, is far outside.
  for (const count of ones) expect(Math.abs(count - draws / 2)).toBeLessThan(5 * Math.sqrt(draws))
})

test('a nonce is an array of its own: writing to it changes no other', () => {
  const nonces = Array.from({ length: 1_000 }, () => randomNonce(12))
  const before = nonces.map(toHex)
  for (const [i, nonce] of nonces.entries()) {
    expect(nonce.buffer.byteLength).toBe(12)
    if (i % 2 === 0) nonce.fill(0)
  }
  for (const [i, nonce] of nonces.entries()) expect(toHex(nonce)).toBe(i % 2 === 0 ? '00'.repeat(12) : before[i])
  for (let i = 0; i < 1_000; i++) expect(toHex(randomNonce(12))).not.toBe('00'.repeat(12))
})

test.each([0, -1, -12, 0.5, 65, 4_096, 5_000, NaN, Infinity])(
  'there is no nonce of %d bytes, and the next one is new',
  (length) => {
    const before = toHex(randomNonce(12))
    expect(() => randomNonce(length)).toThrow(RangeError)
    const after = randomNonce(12)
    expect(after).toHaveLength(12)
    expect(toHex(after)).not.toBe(before)
  },
)

test('random bytes are of any length, new each time, and an array of their own', () => {
  for (const length of [0, 1, 32, 4_096, 100_000]) {
    const bytes = randomBytes(length)
    expect(bytes).toHaveLength(length)
    expect(bytes.buffer.byteLength).toBe(length)
  }
  expect(new Set(Array.from({ length: 10_000 }, () => toHex(randomBytes(32)))).size).toBe(10_000)
})

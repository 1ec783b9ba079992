import { randomFillSync } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { estimateEntropy, isCompressible, samplePlaces, SAMPLE_SIZE } from '../../src/batch/entropy.js'
import { readDocument } from '../docs/markdown.js'

const text = Buffer.from(readDocument('docs/format.md'))
const random = (length: number): Buffer => randomFillSync(Buffer.alloc(length))

describe('the entropy of bytes', () => {
  test.each([
    ['nothing', Buffer.alloc(0), 0, 0],
    ['one value', Buffer.alloc(5_000, 7), 0, 0.01],
    ['two values alike often', Buffer.from('ab'.repeat(5_000)), 0.99, 1.01],
    ['all values alike often', Buffer.from(Array.from({ length: 2_560 }, (_, i) => i % 256)), 7.99, 8],
    ['text', text, 4, 6],
    ['base64', Buffer.from(random(20_000).toString('base64')), 5.9, 6.1],
    ['compressed text', gzipSync(text), 7.8, 8],
    ['randomness', random(16_384), 7.95, 8],
  ])('of %s', (_name, bytes, least, most) => {
    expect(estimateEntropy(bytes)).toBeGreaterThanOrEqual(least)
    expect(estimateEntropy(bytes)).toBeLessThanOrEqual(most)
  })

  propertyTest.prop([fc.uint8Array({ maxLength: 5_000 })])('is 0 to 8 bits, whatever their order', (bytes) => {
    const entropy = estimateEntropy(bytes)
    expect(entropy).toBeGreaterThanOrEqual(0)
    expect(entropy).toBeLessThanOrEqual(8)
    expect(estimateEntropy(bytes.slice().sort())).toBeCloseTo(entropy, 9)
  })
})

test('text is worth compressing, what is small, random or compressed is not', () => {
  expect(isCompressible(text.length, text)).toBe(true)
  expect(isCompressible(255, text.subarray(0, 255))).toBe(false)
  for (const length of [256, 1_000, 16_384]) expect(isCompressible(length, random(length))).toBe(false)
  expect(isCompressible(20_000, gzipSync(text).subarray(0, 16_384))).toBe(false)
})

propertyTest.prop([fc.oneof(fc.nat(100_000), fc.maxSafeNat())])('a sample is from all over, and within', (size) => {
  const places = samplePlaces(size)
  expect(places.reduce((sum, { length }) => sum + length, 0)).toBe(Math.min(size, SAMPLE_SIZE))
  let end = 0
  for (const { position, length } of places) {
    expect(position).toBeGreaterThanOrEqual(end)
    end = position + length
  }
  expect(end).toBe(size)
})

import { fc, test } from '@fast-check/vitest'
import { createHash } from 'node:crypto'
import { describe, expect } from 'vitest'
import { buildDirectory, digestDirectory, directorySize, GrowthDigest, parseDirectory } from '../../src/container/redo-list.js'
import { patternBytes } from '../support/encrypted-files.js'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const anyEntry = fc.record({
  index: fc.maxSafeNat(),
  position: fc.maxSafeNat(),
  length: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  nonce: bytes(12),
  tag: bytes(16),
})

describe('a redo list', () => {
  test.prop([fc.array(anyEntry, { maxLength: 20 })])('round trips in its order', (entries) => {
    const directory = buildDirectory(entries)
    expect(directory.length).toBe(directorySize(entries.length))
    expect(parseDirectory(directory)).toEqual(entries)
  })

  test('takes 48 bytes for each entry', () => {
    expect(directorySize(0)).toBe(0)
    expect(directorySize(3)).toBe(144)
    expect(buildDirectory([])).toEqual(new Uint8Array(0))
  })

  test('numbers that JavaScript cannot hold read as infinite', () => {
    const directory = Buffer.from(
      buildDirectory([{ index: 1, position: 2, length: 3, nonce: patternBytes(12), tag: patternBytes(16) }]),
    )
    directory.writeBigUInt64BE(2n ** 53n, 0)
    directory.writeBigUInt64BE(2n ** 64n - 1n, 8)
    expect(parseDirectory(directory)).toMatchObject([{ index: Infinity, position: Infinity, length: 3 }])
  })

  test.prop([fc.array(anyEntry, { minLength: 1, maxLength: 4 }), fc.nat()])(
    'any bit changed changes its digest',
    (entries, where) => {
      const directory = buildDirectory(entries)
      const changed = Uint8Array.from(directory)
      changed[where % directory.length]! ^= 0x04
      expect(digestDirectory(changed)).not.toEqual(digestDirectory(directory))
      expect(digestDirectory(directory).length).toBe(32)
    },
  )
})

describe('a growth digest', () => {
  const tags = [patternBytes(16, 1), patternBytes(16, 2), patternBytes(16, 3)]
  const digest = (...segments: readonly (readonly [number, Uint8Array])[]): string => {
    const growth = new GrowthDigest()
    for (const [index, tag] of segments) growth.add(index, tag)
    return Buffer.from(growth.digest()).toString('hex')
  }

  test('is SHA-256 over index and tag of each segment', () => {
    const hash = createHash('sha256')
    for (const [i, tag] of tags.entries()) {
      const index = Buffer.alloc(8)
      index.writeBigUInt64BE(BigInt(2 ** 33 + i))
      hash.update(index).update(tag)
    }
    expect(digest(...tags.map((tag, i) => [2 ** 33 + i, tag] as const))).toBe(hash.digest('hex'))
    expect(digest()).toBe(createHash('sha256').digest('hex'))
  })

  test('differs with the number, the places and the versions of the segments', () => {
    const [a, b, c] = tags as [Buffer, Buffer, Buffer]
    const all = [digest(), digest([0, a]), digest([1, a]), digest([0, a], [1, b]), digest([0, b], [1, a]), digest([0, a], [1, c])]
    expect(new Set(all).size).toBe(all.length)
  })
})

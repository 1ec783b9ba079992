import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import {
  ciphertextSize,
  geometryOf,
  longestPlaintext,
  plaintextSize,
  segmentCount,
  segmentLength,
  segmentPosition,
  type Geometry,
} from '../../src/container/geometry.js'

const anyGeometry: fc.Arbitrary<Geometry> = fc
  .tuple(fc.constantFrom('editable', 'stream'), fc.integer({ min: 12, max: 24 }))
  .map(([kind, power]) => geometryOf(kind, 2 ** power))

/** Lengths of all magnitudes, those around whole segments often. */
const anyCase = anyGeometry.chain((geometry) => {
  const { segmentSize } = geometry
  const longest = longestPlaintext(geometry)
  const segments = Math.floor(longest / segmentSize) - 1
  return fc.tuple(
    fc.constant(geometry),
    fc.oneof(
      fc.nat(3 * segmentSize),
      fc.integer({ min: 0, max: longest }),
      fc.integer({ min: 2 ** 32 - 10, max: 2 ** 32 + segmentSize + 10 }),
      fc.tuple(fc.integer({ min: 1, max: segments }), fc.integer({ min: -1, max: 1 })).map(([n, step]) => n * segmentSize + step),
      fc.integer({ min: 0, max: 3 }).map((step) => longest - step),
    ),
  )
})

/** The same in integers of any size, as the definition of the layout. */
function exactSize({ headerSize, segmentSize, segmentOverhead, kind }: Geometry, length: number): bigint {
  const [size, step] = [BigInt(segmentSize), BigInt(length)]
  let count = (step + size - 1n) / size
  if (kind === 'stream' && count === 0n) count = 1n
  return BigInt(headerSize) + step + count * BigInt(segmentOverhead)
}

describe('geometry', () => {
  test.prop([anyCase])('plaintextSize inverts ciphertextSize', ([geometry, length]) => {
    expect(plaintextSize(geometry, ciphertextSize(geometry, length))).toBe(length)
  })

  test.prop([anyGeometry, fc.integer({ min: 0, max: 200_000 })])(
    'a size that plaintextSize accepts is that of its result',
    (geometry, size) => {
      const length = plaintextSize(geometry, size)
      if (length !== undefined) expect(ciphertextSize(geometry, length)).toBe(size)
    },
  )

  test('plaintextSize accepts no size that no file has', () => {
    for (const kind of ['editable', 'stream'] as const) {
      const geometry = geometryOf(kind, 4_096)
      const sizes = new Map(Array.from({ length: 10_000 }, (_, length) => [ciphertextSize(geometry, length), length]))
      for (let size = 0; size < ciphertextSize(geometry, 9_999); size++) expect(plaintextSize(geometry, size)).toBe(sizes.get(size))
    }
  })

  test.prop([anyCase])('sizes are exact at every magnitude', ([geometry, length]) => {
    const size = ciphertextSize(geometry, length)
    expect(BigInt(size)).toBe(exactSize(geometry, length))
    expect(Number.isSafeInteger(size)).toBe(true)
  })

  test.prop([anyCase])('segments lie without a gap from the header to the end', ([geometry, length]) => {
    const count = segmentCount(geometry, length)
    const { segmentSize, segmentOverhead, headerSize } = geometry
    expect(segmentPosition(geometry, 0)).toBe(headerSize)
    if (count === 0) {
      expect(ciphertextSize(geometry, length)).toBe(headerSize)
      return
    }
    const last = count - 1
    const lastLength = segmentLength(geometry, length, last)
    expect(last * segmentSize + lastLength).toBe(length)
    expect(segmentPosition(geometry, last) + lastLength + segmentOverhead).toBe(ciphertextSize(geometry, length))
    if (last > 0) {
      expect(lastLength).toBeGreaterThan(0)
      expect(segmentLength(geometry, length, last - 1)).toBe(segmentSize)
      expect(segmentPosition(geometry, last) - segmentPosition(geometry, last - 1)).toBe(segmentSize + segmentOverhead)
    }
  })

  test.prop([anyCase])(
    'an editable file is 1,280 bytes and 28 for each segment longer than its plaintext',
    ([{ segmentSize }, length]) => {
      const geometry = geometryOf('editable', segmentSize)
      const overhead = BigInt(ciphertextSize(geometry, length)) - BigInt(length)
      expect(overhead).toBe(1_280n + 28n * ((BigInt(length) + BigInt(segmentSize) - 1n) / BigInt(segmentSize)))
    },
  )

  test.prop([anyGeometry])('the longest file has room for a redo list within safe integers', (geometry) => {
    const longest = longestPlaintext(geometry)
    expect(Number.isSafeInteger(longest)).toBe(true)
    expect(longest).toBeGreaterThan(2 ** 51)
    // Half of what there is; the rest is for the redo list.
    expect(Math.abs(ciphertextSize(geometry, longest) - 2 ** 52)).toBeLessThan(2_048)
    expect(segmentCount(geometry, longest)).toBeLessThan(2 ** 52)
  })

  test('documented sizes', () => {
    expect(ciphertextSize(geometryOf('editable', 65_536), 1_024)).toBe(2_332)
    expect(ciphertextSize(geometryOf('editable', 65_536), 0)).toBe(1_280)
    expect(ciphertextSize(geometryOf('stream', 65_536), 0)).toBe(304)
    expect(ciphertextSize(geometryOf('editable', 65_536), 10 * 2 ** 30)).toBe(1_280 + 10 * 2 ** 30 + 163_840 * 28)
    expect(segmentPosition(geometryOf('editable', 4_096), 2 ** 32)).toBe(1_280 + 4_124 * 2 ** 32)
  })
})

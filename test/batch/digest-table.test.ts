import { randomFillSync } from 'node:crypto'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { DigestTable } from '../../src/batch/digest-table.js'

/** A digest whose first place in the table is that of many others. */
const digestOf = (first: number, last: number): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, i) => (i < 4 ? first : last >>> (i % 3)))

describe('a table of digests', () => {
  propertyTest.prop([fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(400), fc.nat(255)), { maxLength: 2_000 })])(
    'holds what a map holds, also where many digests begin alike',
    (entries) => {
      const table = new DigestTable(1)
      const map = new Map<string, number>()
      for (const [first, last, value] of entries) {
        const digest = digestOf(first, last)
        const letters = Buffer.from(digest).toString('hex')
        expect(table.get(digest)?.[0]).toBe(map.get(letters))
        expect(table.set(digest, Uint8Array.of(value))).toBe(!map.has(letters))
        map.set(letters, value)
        expect(table.size).toBe(map.size)
      }
      const held = [...table.entries()].map((entry) => Buffer.from(entry).toString('hex'))
      expect(new Set(held)).toEqual(new Set([...map].map(([letters, value]) => letters + Buffer.of(value).toString('hex'))))
      expect(held).toHaveLength(map.size)
    },
  )

  test('grows over several blocks, and keeps them all', () => {
    const count = 100_000
    const digests = randomFillSync(Buffer.alloc(count * 16))
    const table = new DigestTable()
    const nth = (i: number): Uint8Array => digests.subarray(i * 16, i * 16 + 16)
    for (let i = 0; i < count; i++) if (!table.set(nth(i))) expect.fail(`${i} was there`)
    for (let i = 0; i < count; i++) if (table.set(nth(i))) expect.fail(`${i} was gone`)
    expect(table.size).toBe(count)
    expect(table.get(new Uint8Array(16))).toBeUndefined()
    expect(Buffer.concat([...table.entries()]).equals(digests)).toBe(true)
  })

  test('does not keep what is passed in', () => {
    const table = new DigestTable(1)
    const [digest, value] = [new Uint8Array(16).fill(7), Uint8Array.of(1)]
    table.set(digest, value)
    digest.fill(8)
    value.fill(2)
    expect(table.get(new Uint8Array(16).fill(7))).toEqual(Uint8Array.of(1))
  })
})

import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { u64 } from '../../src/bytes/integers.js'
import { deriveKey } from '../../src/seal/kdf.js'
import { accumulate, SnapshotKey } from '../../src/seal/snapshot.js'
import { anyIndex, bytesOf, flipBit, KDFS, runs } from './support.js'

const anyKdf = fc.constantFrom(...KDFS)
const anyTag = bytesOf(16)
const anyTags = fc.uniqueArray(anyTag, { minLength: 2, maxLength: 8, selector: (tag) => Buffer.from(tag).toString('hex') })

function keyOf(kdf: (typeof KDFS)[number], byte = 7): SnapshotKey {
  return new SnapshotKey(kdf, new Uint8Array(kdf.hashLength).fill(byte))
}

/** From the beginning: what every shorter way must agree with. */
function accumulatorOf(key: SnapshotKey, tags: readonly (readonly [index: number, tag: Uint8Array])[]): Uint8Array {
  const accumulator = key.emptyAccumulator()
  for (const [index, tag] of tags) accumulate(accumulator, key.contribution(index, tag))
  return accumulator
}

function inOrder(tags: readonly Uint8Array[]): [number, Uint8Array][] {
  return [...tags.entries()]
}

test.prop([anyKdf, anyIndex, anyTag], runs(200))('a contribution is the KDF of index and tag', (kdf, index, tag) => {
  const accKey = new Uint8Array(kdf.hashLength).fill(7)
  const expected = deriveKey(kdf, 'SEAL-RW-v1', 'acc_contrib', [accKey], [u64(index), tag], kdf.hashLength)
  expect(keyOf(kdf).contribution(index, tag)).toEqual(expected)
})

test('a contribution is of a tag of 16 bytes, and of nothing else', () => {
  const key = keyOf(KDFS[0]!)
  for (const length of [0, 15, 17, 32]) expect(() => key.contribution(0, new Uint8Array(length))).toThrow(RangeError)
  for (const index of [-1, 0.5, 2 ** 53, NaN, Infinity])
    expect(() => key.contribution(index, new Uint8Array(16))).toThrow(RangeError)
})

type Edit = { kind: 'rewrite'; at: number; tag: Uint8Array } | { kind: 'append'; tag: Uint8Array } | { kind: 'truncate' }

const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('rewrite' as const), at: fc.nat(), tag: anyTag }),
  fc.record({ kind: fc.constant('append' as const), tag: anyTag }),
  fc.record({ kind: fc.constant('truncate' as const) }),
)

test.prop([anyKdf, fc.array(anyTag, { maxLength: 5 }), fc.array(anyEdit, { maxLength: 20 })], runs(200))(
  'edits one at a time give the snapshot of the result, each going on from the stored one',
  (kdf, initial, edits) => {
    const tags = [...initial]
    let stored = keyOf(kdf).seal(tags.length, accumulatorOf(keyOf(kdf), inOrder(tags)))
    for (const edit of edits) {
      const key = keyOf(kdf)
      const accumulator = key.open(tags.length, stored)!
      if (edit.kind === 'append') {
        accumulate(accumulator, key.contribution(tags.length, edit.tag))
        tags.push(edit.tag)
      } else if (tags.length > 0) {
        const at = edit.kind === 'rewrite' ? edit.at % tags.length : tags.length - 1
        accumulate(accumulator, key.contribution(at, tags[at]!))
        if (edit.kind === 'rewrite') {
          accumulate(accumulator, key.contribution(at, edit.tag))
          tags[at] = edit.tag
        } else tags.pop()
      }
      stored = key.seal(tags.length, accumulator)
      const recomputed = accumulatorOf(key, inOrder(tags))
      expect(accumulator).toEqual(recomputed)
      expect(key.verify(tags.length, recomputed, stored)).toBe(true)
    }
  },
)

const anyShuffle = anyTags.chain((tags) =>
  fc.record({ tags: fc.constant(tags), shuffled: fc.shuffledSubarray(inOrder(tags), { minLength: tags.length }) }),
)

test.prop([anyKdf, anyShuffle], runs(100))('the order of accumulation does not matter', (kdf, { tags, shuffled }) => {
  const key = keyOf(kdf)
  expect(accumulatorOf(key, shuffled)).toEqual(accumulatorOf(key, inOrder(tags)))
})

describe('a snapshot is refused for', () => {
  const anyDamage = fc.record({ kdf: anyKdf, tags: anyTags, first: fc.nat(), step: fc.nat(), other: anyTag, bit: fc.nat() })
  type Damage = typeof anyDamage extends fc.Arbitrary<infer T> ? T : never

  function refuses(change: (damage: Damage, at: number, elsewhere: number) => readonly [number, Uint8Array][]) {
    return (damage: Damage) => {
      const { kdf, tags, first, step } = damage
      const key = keyOf(kdf)
      const snapshot = key.seal(tags.length, accumulatorOf(key, inOrder(tags)))
      expect(key.verify(tags.length, accumulatorOf(key, inOrder(tags)), snapshot)).toBe(true)
      const at = first % tags.length
      const changed = change(damage, at, (at + 1 + (step % (tags.length - 1))) % tags.length)
      const accumulator = accumulatorOf(key, changed)
      expect(key.verify(changed.length, accumulator, snapshot)).toBe(false)
      expect(key.verify(tags.length, accumulator, snapshot)).toBe(false)
    }
  }

  test.prop([anyDamage], runs(100))(
    'two segments exchanged',
    refuses(({ tags }, at, elsewhere) => {
      const exchanged = [...tags]
      exchanged[at] = tags[elsewhere]!
      exchanged[elsewhere] = tags[at]!
      return inOrder(exchanged)
    }),
  )
  test.prop([anyDamage], runs(100))(
    'a segment dropped, the others staying at their places',
    refuses(({ tags }, at) => inOrder(tags).filter(([index]) => index !== at)),
  )
  test.prop([anyDamage], runs(100))(
    'a segment dropped, the others moving up',
    refuses(({ tags }, at) => inOrder(tags.filter((_, index) => index !== at))),
  )
  test.prop([anyDamage], runs(100))(
    'a segment inserted twice',
    refuses(({ tags }, at) => inOrder(tags.flatMap((tag, index) => (index === at ? [tag, tag] : [tag])))),
  )
  test.prop([anyDamage], runs(100))(
    'a segment copied over another',
    refuses(({ tags }, at, elsewhere) => inOrder(tags.map((tag, index) => (index === at ? tags[elsewhere]! : tag)))),
  )
  test.prop([anyDamage], runs(100))(
    'a segment rolled back to another tag',
    refuses(({ tags, bit }, at) => inOrder(tags.map((tag, index) => (index === at ? flipBit(tag, bit % 128) : tag)))),
  )
  test.prop([anyDamage], runs(100))(
    'a segment added',
    refuses(({ tags, other }) => inOrder([...tags, other])),
  )

  test.prop([anyDamage], runs(100))('another key, count or byte', ({ kdf, tags, bit }) => {
    const key = keyOf(kdf)
    const accumulator = accumulatorOf(key, inOrder(tags))
    const snapshot = key.seal(tags.length, accumulator)
    expect(snapshot).toHaveLength(2 * kdf.hashLength)
    expect(key.open(tags.length, snapshot)).toEqual(accumulator)
    const stranger = keyOf(kdf, 8)
    expect(stranger.verify(tags.length, accumulator, snapshot)).toBe(false)
    expect(stranger.open(tags.length, snapshot)).toBeUndefined()
    for (const count of [0, tags.length - 1, tags.length + 1, tags.length + 2 ** 32]) {
      expect(key.verify(count, accumulator, snapshot)).toBe(false)
      expect(key.open(count, snapshot)).toBeUndefined()
    }
    const changed = flipBit(snapshot, bit % (snapshot.length * 8))
    expect(key.verify(tags.length, accumulator, changed)).toBe(false)
    expect(key.open(tags.length, changed)).toBeUndefined()
  })
})

test.each(KDFS)('$name: no segment at all has a snapshot too', (kdf) => {
  const key = keyOf(kdf)
  const empty = key.emptyAccumulator()
  expect(empty).toEqual(new Uint8Array(kdf.hashLength))
  const snapshot = key.seal(0, empty)
  expect(key.open(0, snapshot)).toEqual(empty)
  expect(key.verify(0, empty, snapshot)).toBe(true)
  expect(key.open(1, snapshot)).toBeUndefined()
})

test('works no more once it is disposed of', () => {
  const key = keyOf(KDFS[0]!)
  const accumulator = key.emptyAccumulator()
  const snapshot = key.seal(0, accumulator)
  key[Symbol.dispose]()
  expect(() => key.seal(0, accumulator)).toThrow(TypeError)
  expect(() => key.open(0, snapshot)).toThrow(TypeError)
  expect(() => key.verify(0, accumulator, snapshot)).toThrow(TypeError)
  expect(() => key.contribution(0, new Uint8Array(16))).toThrow()
})

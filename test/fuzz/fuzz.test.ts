import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../support/seeded-random.js'
import { Find, Fuzzer, readCorpus } from './fuzzer.js'
import { mutateBytes, mutateJson } from './mutate.js'
import { TARGETS, type FuzzTarget } from './targets.js'

const folderOf = (name: string): string => fileURLToPath(new URL(`corpus/${name}`, import.meta.url))

describe.each(TARGETS)('the parser of $name', (target) => {
  test('takes what was kept, and a little more', async () => {
    const corpus = readCorpus(folderOf(target.name))
    expect(corpus.length).toBeGreaterThan(0)
    const fuzzer = new Fuzzer(target, corpus, 1)
    await fuzzer.replay()
    // As many kinds of outcome as what was kept shows: else it has become stale, or the parser another.
    expect(fuzzer.outcomes).toBeGreaterThanOrEqual(corpus.length / 2)
    for (let step = 0; step < 200; step++) await fuzzer.step()
  })
})

test('there is a corpus for each target, and for nothing else', () => {
  expect(readdirSync(folderOf('')).sort()).toEqual(TARGETS.map(({ name }) => name).sort())
})

describe('the fuzzer itself', () => {
  const broken = (run: FuzzTarget['run']): FuzzTarget => ({ name: 'broken', seeds: () => [new Uint8Array(8)], run })

  test.each<[string, FuzzTarget['run']]>([
    [
      'an error without a code',
      (bytes) => {
        if (bytes.some((byte) => byte > 0)) throw new RangeError('out of bounds')
        return 'zeros'
      },
    ],
    [
      'memory',
      (bytes) => {
        if (bytes.some((byte) => byte > 0)) held.push(new Uint8Array(2 ** 28))
        return 'zeros'
      },
    ],
  ])('finds %s', async (_, run) => {
    const fuzzer = new Fuzzer(broken(run), [], 1)
    await expect(
      (async () => {
        for (let step = 0; step < 100; step++) await fuzzer.step()
      })(),
    ).rejects.toBeInstanceOf(Find)
    held.length = 0
  })

  test('repeats itself with the same seed', () => {
    const make = () => {
      const random = new SeededRandom(3)
      return Array.from({ length: 50 }, () => [
        Buffer.from(mutateBytes(new Uint8Array(64), [new Uint8Array(64).fill(1)], random)).toString('hex'),
        Buffer.from(mutateJson(Buffer.from('{"a":[1,{"b":"c"}]}'), random)).toString(),
      ])
    }
    expect(make()).toEqual(make())
    expect(new Set(make().flat()).size).toBeGreaterThan(50)
  })
})

const held: Uint8Array[] = []

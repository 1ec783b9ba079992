import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { chooseValue, measureInTurn, type Trials } from '../../../src/batch/tuning/trials.js'
import { SeededRandom } from '../../support/seeded-random.js'

const VALUES = [16, 64, 256, 1_024]
const seed = fc.integer({ min: 0, max: 2 ** 31 - 1 })

/** Times of values that take so long, where each time is off by at most `noise`, and the machine drifts. */
function trialsOf(milliseconds: Readonly<Record<number, number>>, noise: number, seed: number, rounds = 8): Trials {
  const random = new SeededRandom(seed)
  const drift = Array.from({ length: rounds }, () => 1 + random.next())
  const trials = VALUES.map((value) => ({
    value,
    times: drift.map((factor) => milliseconds[value]! * factor * (1 + noise * (2 * random.next() - 1))),
  }))
  return { usual: 64, trials }
}

describe('a choice', () => {
  propertyTest.prop([seed, fc.double({ min: 0, max: 0.04, noNaN: true })])('is the usual value among equals', (seed, noise) => {
    expect(chooseValue(trialsOf({ 16: 5, 64: 5, 256: 5, 1_024: 5 }, noise, seed)).value).toBe(64)
  })

  propertyTest.prop([seed])('is hardly ever another one where there is nothing but noise', (seed) => {
    const chosen = Array.from({ length: 100 }, (_, i) => chooseValue(trialsOf({ 16: 5, 64: 5, 256: 5, 1_024: 5 }, 0.4, seed + i)))
    expect(chosen.filter(({ value }) => value !== 64).length).toBeLessThan(15)
  })

  propertyTest.prop([seed])('is a value that is better beyond doubt', (seed) => {
    const choice = chooseValue({ ...trialsOf({ 16: 5, 64: 5, 256: 4.9, 1_024: 2 }, 0.05, seed), usual: 64 })
    expect(choice).toMatchObject({ value: 1_024, rounds: 8 })
    expect(choice.speeds.find(({ value }) => value === 1_024)!.speed).toBeCloseTo(2.5, 0)
  })

  propertyTest.prop([seed])('is the nearest one of those that are as good', (seed) => {
    expect(chooseValue(trialsOf({ 16: 10, 64: 5, 256: 2.5, 1_024: 2.49 }, 0.01, seed)).value).toBe(256)
  })

  test('is the usual value where little was measured, or nothing', () => {
    expect(chooseValue(trialsOf({ 16: 1, 64: 5, 256: 1, 1_024: 1 }, 0, 1, 2)).value).toBe(64)
    expect(chooseValue(trialsOf({ 16: 1, 64: 5, 256: 1, 1_024: 1 }, 0, 1, 0))).toEqual({
      value: 64,
      rounds: 0,
      scatter: 0,
      speeds: [],
    })
  })
})

describe('a measurement in turn', () => {
  /** Runs that take so long by a clock of their own. */
  async function measure(budget: number, takes: (value: number, run: number) => number | undefined) {
    let [now, runs] = [0, 0]
    const order: number[] = []
    const run = (value: number): Promise<number | undefined> => {
      const time = takes(value, runs++)
      order.push(value)
      now += time ?? 1
      return Promise.resolve(time)
    }
    const trials = await measureInTurn(VALUES, run, budget, () => now)
    return { trials, order, now }
  }

  propertyTest.prop([fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 1_000 })])(
    'keeps to its time',
    async (takes, budget) => {
      const { now, trials } = await measure(budget, () => takes)
      // The first round is not known to be too long, and is ended after the run that is.
      expect(now).toBeLessThanOrEqual(Math.max(budget, takes) + takes)
      expect(new Set(trials.map(({ times }) => times.length)).size).toBe(1)
    },
  )

  test('gives each value the same rounds, beginning with another one each time, the first for nothing', async () => {
    const { trials, order } = await measure(40, (value, run) => (run < 4 ? 3 : value === 64 ? 2 : 1))
    expect(order.slice(0, 12)).toEqual([16, 64, 256, 1_024, 64, 256, 1_024, 16, 256, 1_024, 16, 64])
    expect(trials.map(({ value }) => value)).toEqual(VALUES)
    for (const { value, times } of trials) expect(new Set(times)).toEqual(new Set([value === 64 ? 2 : 1]))
  })

  test('ends where a run cannot be done, without the round', async () => {
    const { trials } = await measure(1_000, (_, run) => (run === 10 ? undefined : 1))
    expect(trials.map(({ times }) => times.length)).toEqual([1, 1, 1, 1])
  })

  test('has nothing where there is no time', async () => {
    expect((await measure(0, () => 1)).trials.every(({ times }) => times.length === 0)).toBe(true)
  })
})

import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { CostModel, CostModels } from '../../src/batch/cost-model.js'
import { SeededRandom } from '../support/seeded-random.js'

/** How long work takes on a machine that needs so many milliseconds for a file and for a byte. */
function machine(fileMs: number, byteMs: number): (files: number, bytes: number) => number {
  return (files, bytes) => files * fileMs + bytes * byteMs
}

/** What a machine may need. */
const cost = fc.record({
  fileMs: fc.double({ min: 0.02, max: 20, noNaN: true }),
  byteMs: fc.double({ min: 1e-8, max: 1e-5, noNaN: true }),
})

describe('a cost model', () => {
  test('assumes something before it has seen anything', () => {
    const model = new CostModel()
    expect(model.estimate({ files: 1, bytes: 0 })).toBeGreaterThan(0)
    expect(model.estimate({ files: 1, bytes: 2 ** 30 })).toBeGreaterThan(100)
  })

  propertyTest.prop([cost])('learns what files and bytes take', ({ fileMs, byteMs }) => {
    const model = new CostModel()
    const real = machine(fileMs, byteMs)
    for (let i = 0; i < 400; i++) {
      const work = i % 2 === 0 ? { files: 64, bytes: 64 * 1_000 } : { files: 1, bytes: 20_000_000 }
      model.observe(work, real(work.files, work.bytes))
    }
    for (const work of [
      { files: 1_000, bytes: 4_096_000 },
      { files: 1, bytes: 2 ** 30 },
    ]) {
      expect(model.estimate(work) / real(work.files, work.bytes)).toBeGreaterThan(0.9)
      expect(model.estimate(work) / real(work.files, work.bytes)).toBeLessThan(1.1)
    }
  })

  propertyTest.prop([cost, cost])('follows a machine that changes', (...costs) => {
    const model = new CostModel()
    for (const real of [machine(costs[0].fileMs, costs[0].byteMs), machine(costs[1].fileMs, costs[1].byteMs)]) {
      for (let i = 0; i < 800; i++) {
        const work = i % 2 === 0 ? { files: 64, bytes: 64_000 } : { files: 1, bytes: 20_000_000 }
        model.observe(work, real(work.files, work.bytes))
      }
      for (const work of [
        { files: 500, bytes: 500_000 },
        { files: 1, bytes: 2 ** 30 },
      ]) {
        expect(model.estimate(work) / real(work.files, work.bytes)).toBeGreaterThan(0.9)
        expect(model.estimate(work) / real(work.files, work.bytes)).toBeLessThan(1.1)
      }
    }
  })

  propertyTest.prop([cost, fc.integer({ min: 0, max: 2 ** 31 - 1 })])(
    'is not led astray by measurements that scatter',
    ({ fileMs, byteMs }, seed) => {
      const model = new CostModel()
      const real = machine(fileMs, byteMs)
      const generator = new SeededRandom(seed)
      const random = (): number => generator.next()
      for (let i = 0; i < 800; i++) {
        const work = i % 2 === 0 ? { files: 1 + Math.floor(random() * 100), bytes: 50_000 } : { files: 1, bytes: 2e7 * random() }
        model.observe(work, real(work.files, work.bytes) * (0.7 + 0.6 * random()))
      }
      const work = { files: 1_000, bytes: 1e9 }
      expect(model.estimate(work) / real(work.files, work.bytes)).toBeGreaterThan(0.8)
      expect(model.estimate(work) / real(work.files, work.bytes)).toBeLessThan(1.25)
    },
  )

  test('never says that work takes no time', () => {
    const model = new CostModel()
    for (let i = 0; i < 300; i++) model.observe({ files: i % 2 === 0 ? 100 : 1, bytes: 100 }, i % 2 === 0 ? 1 : 100)
    for (let i = 0; i < 10; i++) model.observe({ files: 0, bytes: 0 }, 5)
    model.observe({ files: 1, bytes: 1 }, 0)
    expect(model.fileMs).toBeGreaterThan(0)
    expect(model.byteMs).toBeGreaterThan(0)
  })
})

describe('models of several kinds', () => {
  propertyTest.prop([cost, cost])('learn each for itself, and all together where nothing is known of one', (one, other) => {
    const models = new CostModels()
    const kinds = { one: machine(one.fileMs, one.byteMs), other: machine(other.fileMs, other.byteMs) }
    for (let i = 0; i < 400; i++) {
      const work = i % 2 === 0 ? { files: 64, bytes: 64_000 } : { files: 1, bytes: 20_000_000 }
      for (const [kind, real] of Object.entries(kinds)) models.observe(kind, work, real(work.files, work.bytes))
    }
    for (const [kind, real] of Object.entries(kinds)) {
      const work = { files: 10, bytes: 1e7 }
      expect(models.of(kind).estimate(work) / real(10, 1e7)).toBeGreaterThan(0.9)
      expect(models.of(kind).estimate(work) / real(10, 1e7)).toBeLessThan(1.1)
    }
    const work = { files: 1, bytes: 1_000 }
    expect(models.of('new').estimate(work)).toBeCloseTo(models.all.estimate(work), 6)
  })

  test('are few, however many kinds there are', () => {
    const models = new CostModels()
    for (let i = 0; i < 1_000; i++) models.observe(`${i}`, { files: 100, bytes: 0 }, 300)
    expect(models.of('999')).toBe(models.all)
    expect(models.all.estimate({ files: 1, bytes: 0 })).toBeCloseTo(3, 1)
  })
})

import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { CostModel } from '../../src/batch/cost-model.js'

/** How long work takes on a machine that needs so many milliseconds for a file and for a byte. */
function machine(fileMs: number, byteMs: number): (files: number, bytes: number) => number {
  return (files, bytes) => files * fileMs + bytes * byteMs
}

describe('a cost model', () => {
  test('assumes something before it has seen anything', () => {
    const model = new CostModel()
    expect(model.estimate({ files: 1, bytes: 0 })).toBeGreaterThan(0)
    expect(model.estimate({ files: 1, bytes: 2 ** 30 })).toBeGreaterThan(100)
  })

  propertyTest.prop([fc.double({ min: 0.02, max: 20, noNaN: true }), fc.double({ min: 1e-8, max: 1e-5, noNaN: true })])(
    'learns what files and bytes take',
    (fileMs, byteMs) => {
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
    },
  )

  test('follows a machine that becomes slower', () => {
    const model = new CostModel()
    const work = { files: 50, bytes: 200_000 }
    for (let i = 0; i < 200; i++) model.observe(work, 10)
    expect(model.estimate(work)).toBeCloseTo(10, 0)
    for (let i = 0; i < 400; i++) model.observe(work, 30)
    expect(model.estimate(work)).toBeCloseTo(30, 0)
  })

  test('never says that work takes no time', () => {
    const model = new CostModel()
    for (let i = 0; i < 300; i++) model.observe({ files: i % 2 === 0 ? 100 : 1, bytes: 100 }, i % 2 === 0 ? 1 : 100)
    for (let i = 0; i < 10; i++) model.observe({ files: 0, bytes: 0 }, 5)
    model.observe({ files: 1, bytes: 1 }, 0)
    expect(model.fileMs).toBeGreaterThan(0)
    expect(model.byteMs).toBeGreaterThan(0)
  })
})

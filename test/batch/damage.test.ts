import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { BadRuns, type BadReport } from '../../src/batch/damage.js'

const CODE = 'ERR_SEALFILE_CORRUPTED'
const LENGTH = 4_096

const segmentsOf = ({ bad }: BadReport): number[] =>
  bad.flatMap(({ segment, count }) => Array.from({ length: count }, (_, index) => segment + index))

describe('the bad segments of a file', () => {
  // Near the bound of 1,000 runs, with runs that only the last part to come joins.
  const parts = fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 3), fc.integer({ min: 1, max: 900 })), { minLength: 1, maxLength: 12 })

  test.prop([parts, fc.infiniteStream(fc.nat())])(
    'are the first ones and a count, in whatever order its parts come',
    (spec, order) => {
      const all: number[] = []
      const reports: { readonly report: BadReport; readonly rank: number }[] = []
      let next = 0
      for (const [kind, size] of spec) {
        const segments = Array.from({ length: size }, (_, index) => next + index).filter((segment) => {
          return kind === 3 || (kind > 0 && segment % (kind + 1) === 0)
        })
        next += size
        all.push(...segments)
        const runs = new BadRuns()
        runs.add(segments.map((segment) => ({ segment, position: segment * LENGTH, length: LENGTH, code: CODE })))
        reports.push({ report: runs.report, rank: order.next().value as number })
      }
      const whole = new BadRuns()
      for (const { report } of reports.sort((one, other) => one.rank - other.rank)) whole.add(report.bad, report.badLeftOut)
      const listed = segmentsOf(whole.report)
      expect(listed).toEqual(all.slice(0, listed.length))
      expect(whole.report.badLeftOut).toBe(all.length - listed.length)
      expect(whole.report.bad.length).toBeLessThanOrEqual(1_000)
      const runCount = all.filter((segment, index) => all[index - 1] !== segment - 1).length
      if (runCount <= 1_000 - spec.length) expect(whole.report.badLeftOut).toBe(0)
      else expect(whole.report.bad.length).toBeGreaterThanOrEqual(1_000 - 2 * spec.length)
      for (const { segment, position, length, count } of whole.report.bad) {
        expect([position, length]).toEqual([segment * LENGTH, count * LENGTH])
      }
    },
  )
})

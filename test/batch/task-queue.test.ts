import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { CostModels } from '../../src/batch/cost-model.js'
import { SeededRandom } from '../support/seeded-random.js'
import { POLICIES, TaskQueue, type Policy, type Sized } from '../../src/batch/task-queue.js'

const LIMITS = { workers: 2, largeSize: 2 ** 20, groupMs: 20 }

interface Item extends Sized {
  readonly number: number
}

/** @returns all groups that a queue of these files gives out. */
function groupsOf(policy: Policy, files: readonly Item[], models = new CostModels()): Item[][] {
  const queue = new TaskQueue<Item>(policy, models)
  for (const file of files) queue.add(file)
  expect(queue.count).toBe(files.length)
  const groups = []
  while (queue.count > 0) groups.push(queue.takeGroup(LIMITS))
  expect([queue.cost, queue.peek()]).toEqual([0, undefined])
  return groups
}

function ofSizes(sizes: readonly number[], kind = 'a'): Item[] {
  return sizes.map((size, number) => ({ size, number, kind }))
}

const sizes = fc.array(fc.oneof(fc.nat(10_000), fc.nat(2 ** 22)), { maxLength: 400 })

describe.each(POLICIES)('the policy %s', (policy) => {
  const sign = { fifo: 0, priority: 1, makespan: -1 }[policy]

  propertyTest.prop([sizes])('gives out each file once, in its order', (sizes) => {
    const given = groupsOf(policy, ofSizes(sizes)).flat()
    expect(given).toEqual(ofSizes(sizes).sort((a, b) => sign * (a.size - b.size) || a.number - b.number))
  })

  propertyTest.prop([sizes])('gives out large files alone, and groups that are worth a message', (sizes) => {
    const model = new CostModels().all
    for (const group of groupsOf(policy, ofSizes(sizes))) {
      if (group.some(({ size }) => size >= LIMITS.largeSize)) expect(group).toHaveLength(1)
      const bytes = group.reduce((sum, { size }) => sum + size, 0)
      if (group.length > 1) expect(model.estimate({ files: group.length, bytes })).toBeLessThanOrEqual(LIMITS.groupMs)
    }
  })

  propertyTest.prop([fc.array(fc.tuple(fc.nat(10_000), fc.constantFrom('fast', 'slow')), { maxLength: 200 })])(
    'orders files of several kinds by what they take, and does not mix them in a group',
    (drawn) => {
      const models = new CostModels()
      for (let i = 0; i < 300; i++) {
        const work = i % 2 === 0 ? { files: 10, bytes: 100 } : { files: 1, bytes: 1_000_000 }
        models.observe('fast', work, work.files * 0.1 + work.bytes * 1e-6)
        models.observe('slow', work, work.files * 5 + work.bytes * 1e-4)
      }
      const files = drawn.map(([size, kind], number) => ({ size, kind, number }))
      const groups = groupsOf(policy, files, models)
      for (const group of groups) expect(new Set(group.map(({ kind }) => kind)).size).toBe(1)
      const costs = groups.flat().map(({ kind, size }) => models.of(kind).estimate({ files: 1, bytes: size }))
      if (policy === 'fifo') expect(groups.flat()).toEqual(files)
      else expect(costs).toEqual([...costs].sort((a, b) => sign * (a - b)))
    },
  )
})

test('groups become smaller towards the end, so that workers end together', () => {
  const groups = groupsOf('fifo', ofSizes(Array<number>(2_000).fill(1_000))).map((group) => group.length)
  expect(groups[0]).toBeGreaterThan(40)
  expect(groups.at(-1)).toBeLessThanOrEqual(2)
})

test('an empty queue gives out nothing', () => {
  const queue = new TaskQueue('makespan', new CostModels())
  expect(queue.peek()).toBeUndefined()
  expect(queue.takeGroup(LIMITS)).toEqual([])
})

interface Timed extends Item {
  /** Milliseconds that it takes in truth. */
  readonly takes: number
}

/** Has workers do files that take so long, as a batch does: they learn from each group. @returns when files were done. */
function simulate(policy: Policy, files: readonly Timed[], count: number): { mean: number; makespan: number } {
  const models = new CostModels()
  const queue = new TaskQueue<Timed>(policy, models)
  for (const file of files) queue.add(file)
  const workers = Array.from({ length: count }, () => ({ free: 0, learn: (): void => undefined }))
  let sum = 0
  for (;;) {
    const worker = workers.reduce((one, other) => (other.free < one.free ? other : one))
    worker.learn()
    const group = queue.takeGroup({ ...LIMITS, workers: count, largeSize: 2 ** 24 })
    if (group.length === 0) break
    const began = worker.free
    for (const { takes } of group) sum += worker.free += takes
    const work = { files: group.length, bytes: group.reduce((bytes, { size }) => bytes + size, 0) }
    worker.learn = () => models.observe(group[0]!.kind, work, worker.free - began)
  }
  return { mean: sum / files.length, makespan: Math.max(...workers.map(({ free }) => free)) }
}

const seed = fc.integer({ min: 0, max: 2 ** 31 - 1 })

propertyTest.prop([seed], { numRuns: 10 })(
  'what lies on a slow device does not hold up what is on a fast one, once that is known',
  (seed) => {
    const random = new SeededRandom(seed)
    const files = Array.from({ length: 2_000 }, (_, number) => {
      const [size, kind] = [Math.floor(1_000 * 1_000 ** random.next()), random.chance(0.3) ? 'slow' : 'fast']
      return { size, number, kind, takes: kind === 'slow' ? 5 + size * 1e-5 : 0.1 + size * 1e-6 }
    })
    const alike = files.map((file) => ({ ...file, kind: 'all' }))
    expect(simulate('priority', files, 2).mean / simulate('priority', alike, 2).mean).toBeLessThan(0.7)
  },
)

/** A folder as people have them: sizes are log-normal, a few are large; times scatter. */
function homeFolder(random: SeededRandom, count: number, fileMs: number, byteMs: number): Timed[] {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
  return Array.from({ length: count }, (_, number) => {
    const large = number % (count / 5) === 0 ? random.int(8, 15) * 2 ** 20 : 0
    const size = Math.min(15 * 2 ** 20, large + Math.floor(8_192 * Math.exp(2 * normal())))
    return { size, number, kind: 'all', takes: (fileMs + size * byteMs) * (0.8 + 0.4 * random.next()) }
  })
}

describe.each([
  ['a fast disk', 0.1, 1e-6],
  ['a slow disk', 2, 1e-4],
])('a home folder on %s', (_, fileMs, byteMs) => {
  propertyTest.prop([seed, fc.constantFrom(2, 4, 8), fc.constantFrom(500, 4_000)], { numRuns: 20 })(
    'ends under the default policy hardly later than it could at all, and not later than under fifo',
    (seed, workers, count) => {
      const files = homeFolder(new SeededRandom(seed), count, fileMs, byteMs)
      const total = files.reduce((sum, { takes }) => sum + takes, 0)
      const bound = Math.max(total / workers, ...files.map(({ takes }) => takes))
      const { makespan } = simulate('makespan', files, workers)
      expect(makespan / bound).toBeLessThan(1.15)
      expect(makespan / simulate('fifo', files, workers).makespan).toBeLessThan(1.05)
    },
  )
})

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

/** @returns when files are done, on average, where `workers` do them under the policy `priority` and learn what they take. */
function meanCompletion(files: readonly (Item & { readonly takes: number })[], kindOf: (item: Item) => string): number {
  const models = new CostModels()
  const queue = new TaskQueue<Item & { readonly takes: number }>('priority', models)
  for (const file of files) queue.add({ ...file, kind: kindOf(file) })
  const workers = Array.from({ length: LIMITS.workers }, () => ({ free: 0, learn: (): void => undefined }))
  let sum = 0
  for (;;) {
    const worker = workers.reduce((one, other) => (other.free < one.free ? other : one))
    worker.learn()
    const group = queue.takeGroup(LIMITS)
    if (group.length === 0) return sum / files.length
    const began = worker.free
    for (const { takes } of group) sum += worker.free += takes
    const work = { files: group.length, bytes: group.reduce((bytes, { size }) => bytes + size, 0) }
    worker.learn = () => models.observe(group[0]!.kind, work, worker.free - began)
  }
}

propertyTest.prop([fc.integer({ min: 0, max: 2 ** 31 - 1 })], { numRuns: 10 })(
  'what lies on a slow device does not hold up what is on a fast one, once that is known',
  (seed) => {
    const random = new SeededRandom(seed)
    const files = Array.from({ length: 2_000 }, (_, number) => {
      const [size, kind] = [Math.floor(1_000 * 1_000 ** random.next()), random.chance(0.3) ? 'slow' : 'fast']
      return { size, number, kind, takes: kind === 'slow' ? 5 + size * 1e-5 : 0.1 + size * 1e-6 }
    })
    const apart = meanCompletion(files, ({ kind }) => kind)
    expect(apart / meanCompletion(files, () => 'all')).toBeLessThan(0.7)
  },
)

import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { CostModel } from '../../src/batch/cost-model.js'
import { POLICIES, TaskQueue, type Policy } from '../../src/batch/task-queue.js'

const LIMITS = { workers: 2, largeSize: 2 ** 20 }
const model = new CostModel()

/** @returns all groups that a queue of files of these sizes gives out. */
function groupsOf(policy: Policy, sizes: readonly number[]): { size: number; number: number }[][] {
  const queue = new TaskQueue<{ size: number; number: number }>(policy)
  for (const [number, size] of sizes.entries()) queue.add({ size, number })
  const groups = []
  while (queue.count > 0) groups.push(queue.takeGroup(model, LIMITS))
  expect(queue.bytes).toBe(0)
  return groups
}

const sizes = fc.array(fc.oneof(fc.nat(10_000), fc.nat(2 ** 22)), { maxLength: 400 })

describe.each(POLICIES)('the policy %s', (policy) => {
  propertyTest.prop([sizes])('gives out each file once, in its order', (sizes) => {
    const given = groupsOf(policy, sizes).flat()
    const found = sizes.map((size, number) => ({ size, number }))
    const sign = { fifo: 0, priority: 1, makespan: -1 }[policy]
    expect(given).toEqual(found.sort((a, b) => sign * (a.size - b.size) || a.number - b.number))
  })

  propertyTest.prop([sizes])('gives out large files alone, and groups that are worth a message', (sizes) => {
    for (const group of groupsOf(policy, sizes)) {
      if (group.some(({ size }) => size >= LIMITS.largeSize)) expect(group).toHaveLength(1)
      const bytes = group.reduce((sum, { size }) => sum + size, 0)
      if (group.length > 1) expect(model.estimate({ files: group.length, bytes })).toBeLessThanOrEqual(20)
    }
  })
})

test('groups become smaller towards the end, so that workers end together', () => {
  const groups = groupsOf('fifo', Array<number>(2_000).fill(1_000)).map((group) => group.length)
  expect(groups[0]).toBeGreaterThan(40)
  expect(groups.at(-1)).toBeLessThanOrEqual(2)
})

test('an empty queue gives out nothing', () => {
  const queue = new TaskQueue('makespan')
  expect(queue.peek()).toBeUndefined()
  expect(queue.takeGroup(model, LIMITS)).toEqual([])
})

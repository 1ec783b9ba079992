import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runParallel } from '../../../src/file/tree/run-parallel.js'

/** Gives numbers, and tells how many were asked for. */
function numbers(count: number): { items: AsyncGenerator<number>; taken: () => number } {
  let taken = 0
  async function* give(): AsyncGenerator<number> {
    while (taken < count) {
      await setTimeout(0)
      yield taken++
    }
  }
  return { items: give(), taken: () => taken }
}

test('works on each item once, as many at a time as it may', async () => {
  const done: number[] = []
  let [now, most] = [0, 0]
  await runParallel(numbers(50).items, { concurrency: 4 }, async (item) => {
    most = Math.max(most, ++now)
    await setTimeout(20)
    now--
    done.push(item)
  })
  expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  expect(most).toBe(4)
})

test('ends what was begun and takes no more when one fails', async () => {
  const { items, taken } = numbers(1_000)
  let ended = 0
  const running = runParallel(items, { concurrency: 3 }, async (item) => {
    await setTimeout(1)
    if (item === 5) throw new Error('five')
    ended++
  })
  await expect(running).rejects.toThrow('five')
  expect(taken()).toBeLessThan(20)
  expect(ended).toBe(taken() - 1)
})

test('stops when it is told to', async () => {
  const { items, taken } = numbers(1_000)
  const controller = new AbortController()
  const running = runParallel(items, { concurrency: 2, signal: controller.signal }, async (item) => {
    await setTimeout(1)
    if (item === 6) controller.abort(new Error('enough'))
  })
  await expect(running).rejects.toThrow('enough')
  expect(taken()).toBeLessThan(20)
})

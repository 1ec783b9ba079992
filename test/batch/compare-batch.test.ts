import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareBatch, glob, type BatchInputs, type CompareBatchOptions } from '../../src/batch.js'
import { OPTIONS, patternBytes } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

function makeFiles(sizes: readonly number[]): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const [i, size] of sizes.entries()) writeFileSync(join(folder, `${i}`), patternBytes(size, i))
  return folder
}

function compare(inputs: BatchInputs, options: Partial<CompareBatchOptions> = {}): ReturnType<typeof compareBatch> {
  return compareBatch(inputs, { keyManager: OPTIONS.keyManager, purpose: 'test', workers: 2, target: freshPath(), ...options })
}

describe('a comparison of policies', () => {
  test('tells what each takes, and leaves nothing behind', async () => {
    const sizes = [...Array.from({ length: 200 }, (_, i) => (i * 731) % 20_000), 17 * 2 ** 20, 0]
    const target = freshPath()
    const found = await compare(makeFiles(sizes), { target, rounds: 2 })
    expect(found).toMatchObject({ files: 202, bytes: sizes.reduce((sum, size) => sum + size, 0), workers: 2, failures: [] })
    expect(found.policies.map(({ policy }) => policy)).toEqual(['fifo', 'priority', 'makespan'])
    for (const { rounds, ...times } of found.policies) {
      expect(rounds).toHaveLength(2)
      for (const { firstResultMs, meanCompletionMs, makespanMs } of [times, ...rounds]) {
        expect(firstResultMs).toBeGreaterThan(0)
        expect(meanCompletionMs).toBeGreaterThanOrEqual(firstResultMs)
        expect(makespanMs).toBeGreaterThanOrEqual(meanCompletionMs)
      }
    }
    expect(readdirSync(target)).toEqual([])
  })

  test('shows that the shortest first has results early', async () => {
    // A rate that is kept makes large files take far longer than anything that could disturb.
    const sizes = [...Array<number>(2).fill(12 * 2 ** 20), ...Array<number>(100).fill(100)]
    const limits = { workers: 1, bytesPerSecond: 32 * 2 ** 20, rounds: 1 }
    const { policies } = await compare(makeFiles(sizes), { policies: ['makespan', 'priority'], ...limits })
    const [makespan, priority] = policies
    expect(priority!.firstResultMs).toBeLessThan(makespan!.firstResultMs)
    expect(priority!.meanCompletionMs).toBeLessThan(makespan!.meanCompletionMs)
  })

  test('goes on where files cannot be done', async () => {
    const inputs = [makeFiles([1, 2]), freshPath()]
    const found = await compare(inputs, { policies: ['fifo'], rounds: 1 })
    expect(found).toMatchObject({ files: 2, failures: [{ path: inputs[1], error: { code: 'ENOENT' } }] })
    const nothing = await compare(freshPath(), { policies: ['fifo'], rounds: 1 })
    expect(nothing.policies[0]).toMatchObject({ firstResultMs: NaN, meanCompletionMs: NaN, makespanMs: NaN })
  })

  test('takes patterns, and makes no manifest, which would be of files that are gone', async () => {
    const manifest = freshPath()
    const options = { policies: ['fifo'], rounds: 1, manifest } as const
    expect(await compare(glob(`${makeFiles([1, 2, 3])}/[01]`), options)).toMatchObject({ files: 2, failures: [] })
    expect(existsSync(manifest)).toBe(false)
  })

  test('is not made where it would be in the way', async () => {
    const source = makeFiles([1])
    await expect(compare(source, { target: join(source, 'x') })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(existsSync(join(source, 'x'))).toBe(false)
    await expect(compare(source, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('that was aborted leaves nothing behind', async () => {
    const target = freshPath()
    const controller = new AbortController()
    const running = compare(makeFiles(Array<number>(2_000).fill(1_000)), { target, signal: controller.signal })
    setTimeout(() => controller.abort(), 150)
    await expect(running).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect(readdirSync(target)).toEqual([])
  })

  test.each([
    ['policies', [], 'ERR_INVALID_ARG_VALUE'],
    ['policies', ['best'], 'ERR_INVALID_ARG_VALUE'],
    ['policies', ['fifo', 'fifo'], 'ERR_INVALID_ARG_VALUE'],
    ['policies', 'fifo', 'ERR_INVALID_ARG_TYPE'],
    ['rounds', 0, 'ERR_OUT_OF_RANGE'],
    ['workers', 0, 'ERR_OUT_OF_RANGE'],
  ])('does not take %s %j', async (option, value, code) => {
    await expect(compare(makeFiles([]), { [option]: value })).rejects.toMatchObject({ code })
  })
})

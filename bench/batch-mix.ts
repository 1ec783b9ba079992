import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareBatch, encryptBatch, type Policy } from '../src/batch.js'
import { KeyManager } from '../src/index.js'
import { assert, compare, type Contender } from './harness.js'

/** A folder as people have them, many small files and a few large ones, under each policy: which one should be the default? */

const WORKERS = 2
const options = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(9)), purpose: 'bench' }
/** The default is within this of fifo, and of the time of one thread divided by how many there are. */
const WITHIN = 1.15
/** Half of the files are smaller. */
const MEDIAN_SIZE = 8_192
/** Of the natural logarithm of sizes. */
const DEVIATION = 2
const MIB = 2 ** 20

/** The same numbers each time (mulberry32), so that runs can be compared. */
function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @returns sizes that are log-normal, as those of a home folder are, and some that stand out, anywhere among them. */
function sizesOf(count: number): number[] {
  const random = pseudoRandom(7)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const sizes = Array.from({ length: count }, () => Math.min(64 * MIB, Math.floor(MEDIAN_SIZE * Math.exp(DEVIATION * normal()))))
  for (const large of [15, 14, 12, 40, 100]) sizes[Math.floor(random() * count)] = large * MIB
  return sizes
}

/** @param count - Files. */
export async function benchBatchMix(rounds: number, count: number): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealfile-bench-'))
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  const sizes = sizesOf(count)
  const content = Buffer.alloc(100 * MIB, 'a line of some text. ')
  for (const [i, size] of sizes.entries()) {
    const inner = join(source, `${i % 50}`)
    mkdirSync(inner, { recursive: true })
    writeFileSync(join(inner, `${i}`), content.subarray(0, size))
  }
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const what = `encrypt a mix of ${count} files, ${Math.round(bytes / MIB)} MiB,`
  const batchOf = (name: string, policy: Policy | undefined, workers: number): Contender => ({
    name,
    async run() {
      const report = await encryptBatch(source, { ...options, target, policy, workers })
      assert(report.files === count && report.failures.length === 0, `${report.files} of ${count} files were made`)
      rmSync(target, { recursive: true })
    },
  })
  const ours = batchOf(`the default policy on ${WORKERS} threads`, undefined, WORKERS)
  await compare(`${what} beside fifo`, ours, batchOf('fifo', 'fifo', WORKERS), 1 / WITHIN, rounds)
  await compare(`${what} beside one thread`, ours, batchOf('one thread', undefined, 1), WORKERS / WITHIN, rounds)
  const { policies } = await compareBatch(source, { ...options, target, workers: WORKERS, rounds })
  for (const { policy, firstResultMs, meanCompletionMs, makespanMs } of policies) {
    const [first, mean, makespan] = [firstResultMs, meanCompletionMs, makespanMs].map((ms) => `${ms.toFixed(0)} ms`)
    console.log(`    ${policy}: first result after ${first}, mean completion ${mean}, makespan ${makespan}`)
  }
  rmSync(folder, { recursive: true })
}

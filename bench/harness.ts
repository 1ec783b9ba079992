import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EncryptedFile, KeyManager, type OpenOptions } from '../src/index.js'

/** Shared by the benches: paired rounds, medians, and the table of ratios. */

/** One way to do the work. */
export interface Contender {
  readonly name: string
  /** Does the work once. */
  run(): Promise<void> | void
}

/** What a comparison found. */
export interface Comparison {
  readonly what: string
  readonly ours: string
  readonly baseline: string
  /** Our speed by the baseline's, per round, in ascending order: above 1 is faster. */
  readonly speedRatios: readonly number[]
  readonly oursMs: number
  readonly baselineMs: number
  /** The speed ratio that the project promises. */
  readonly target: number
}

const results: Comparison[] = []

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

async function time(contender: Contender): Promise<number> {
  const start = performance.now()
  await contender.run()
  return performance.now() - start
}

/**
 * Times two contenders in turn, one warm-up round and then `rounds`, and notes the ratio of each pair: the machine's speed
 * drifts, and a pair drifts together.
 *
 * @returns what was noted.
 */
export async function compare(
  what: string,
  ours: Contender,
  baseline: Contender,
  target: number,
  rounds: number,
): Promise<Comparison> {
  await time(baseline)
  await time(ours)
  const pairs: { ours: number; baseline: number }[] = []
  for (let round = 0; round < rounds; round++) pairs.push({ baseline: await time(baseline), ours: await time(ours) })
  const comparison = {
    what,
    ours: ours.name,
    baseline: baseline.name,
    speedRatios: pairs.map((pair) => pair.baseline / pair.ours).sort((a, b) => a - b),
    oursMs: median(pairs.map((pair) => pair.ours)),
    baselineMs: median(pairs.map((pair) => pair.baseline)),
    target,
  }
  results.push(comparison)
  print(comparison)
  return comparison
}

function print({ what, ours, baseline, speedRatios, oursMs, baselineMs, target }: Comparison): void {
  const ratio = median(speedRatios)
  const spread = `${speedRatios[0]?.toFixed(2)} to ${speedRatios.at(-1)?.toFixed(2)}`
  const verdict = ratio >= target ? 'reached' : `short by ${((1 - ratio / target) * 100).toFixed(0)} %`
  console.log(`${what}: ${ratio.toFixed(2)} (${spread}), wanted ${target.toFixed(2)}: ${verdict}`)
  console.log(`    ${ours} ${oursMs.toFixed(3)} ms, ${baseline} ${baselineMs.toFixed(3)} ms`)
}

/** @returns how many comparisons missed their target. */
export function countMissed(): number {
  return results.filter(({ speedRatios, target }) => median(speedRatios) < target).length
}

/** Throws unless a result is right: no speed is measured of wrong work. */
export function assert(condition: boolean, message: string): void {
  if (!condition) throw new Error(`bench: ${message}`)
}

/** A folder for files, removed at the end. Set TMPDIR to choose the disk. */
export const folder = mkdtempSync(join(tmpdir(), 'sealfile-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

export function pathOf(name: string): string {
  return join(folder, name)
}

export const options: OpenOptions = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(7)), purpose: 'bench' }

export { EncryptedFile }

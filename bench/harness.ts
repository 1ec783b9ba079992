import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { EncryptedFile, KeyManager, type OpenOptions } from '../src/index.js'
import { median, noFindings, verdictOf, type Ceiling, type Comparison, type Findings, type Omission } from './findings.js'

/** Shared by the benches: rounds in turn, what they find, and a place for files. */

/** One way to do the work. */
export interface Contender {
  readonly name: string
  /** What must be done before each round, and is not timed. */
  before?(): Promise<void> | void
  /** Does the work once. */
  run(): Promise<void> | void
}

let findings = noFindings()

/** @returns what was found since this was last called. */
export function takeFindings(): Findings {
  const taken = findings
  findings = noFindings()
  return taken
}

async function time(contender: Contender): Promise<number> {
  await contender.before?.()
  const start = performance.now()
  await contender.run()
  return performance.now() - start
}

/**
 * Times contenders in turn: the machine's speed drifts, and what is of one round drifts together.
 *
 * @returns for each contender, the milliseconds of each round.
 */
export async function timeInTurn(contenders: readonly Contender[], rounds: number): Promise<number[][]> {
  const times = contenders.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) times[i]!.push(await time(contender))
  }
  return times
}

/** @returns the quotients of two contenders' rounds, in ascending order. */
export function pairRatios(dividends: readonly number[], divisors: readonly number[]): number[] {
  return dividends.map((dividend, round) => dividend / divisors[round]!).sort((a, b) => a - b)
}

/**
 * Times two contenders in turn, one warm-up round and then `rounds`, and notes the ratio of each pair.
 *
 * @param target - The speed ratio that the project promises; 0 where nothing is.
 * @returns what was noted.
 */
export async function compare(
  what: string,
  ours: Contender,
  baseline: Contender,
  target: number,
  rounds: number,
): Promise<Comparison> {
  await timeInTurn([baseline, ours], 1)
  const [baselineTimes, ourTimes] = (await timeInTurn([baseline, ours], rounds)) as [number[], number[]]
  return noteComparison({
    what,
    ours: ours.name,
    baseline: baseline.name,
    speedRatios: pairRatios(baselineTimes, ourTimes),
    oursMs: median(ourTimes),
    baselineMs: median(baselineTimes),
    target,
  })
}

export function noteComparison(comparison: Comparison): Comparison {
  const { what, ours, baseline, speedRatios, oursMs, baselineMs, target } = comparison
  findings.comparisons.push(comparison)
  const spread = `${speedRatios[0]?.toFixed(2)} to ${speedRatios.at(-1)?.toFixed(2)}`
  const wanted = target === 0 ? '' : `, wanted ${target.toFixed(2)}: ${verdictOf(comparison)}`
  console.log(`${what}: ${median(speedRatios).toFixed(2)} (${spread})${wanted}`)
  console.log(`    ${ours} ${oursMs.toFixed(3)} ms, ${baseline} ${baselineMs.toFixed(3)} ms`)
  return comparison
}

export function noteCeiling(ceiling: Ceiling): void {
  findings.ceilings.push(ceiling)
  const { what, value, unit, wanted } = ceiling
  console.log(`${what}: ${value.toFixed(1)} ${unit}, wanted at most ${wanted}: ${verdictOf(ceiling)}`)
}

/** @param column - With the unit. @param values - One of each round. */
export function noteMeasurement(row: string | number, column: string, values: readonly number[]): void {
  findings.measurements.push({ row, column, values })
  console.log(`${row}: ${column}: ${median(values).toPrecision(3)}`)
}

export function noteTrace(name: string, points: readonly (readonly [x: number, y: number])[]): void {
  findings.traces.push({ name, points })
}

export function noteOmission(omission: Omission): void {
  findings.omissions.push(omission)
  console.log(`${omission.what} is left out: ${omission.why}`)
}

/** Throws unless a result is right: no speed is measured of wrong work. */
export function assert(condition: boolean, message: string): void {
  if (!condition) throw new Error(`bench: ${message}`)
}

function makeFolder(parent: string): string {
  const made = mkdtempSync(join(parent, 'sealfile-bench-'))
  process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}

let folder: string | undefined

/** @returns the path of a file in a folder that is removed at the end. Set TMPDIR to choose the disk. */
export function pathOf(name: string): string {
  folder ??= makeFolder(tmpdir())
  return join(folder, name)
}

let memoryFolder: string | undefined

/** The same, in memory where the system has a place for that: what is measured is not a disk. */
export function pathInMemory(name: string): string {
  memoryFolder ??= makeFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
  return join(memoryFolder, name)
}

/** @returns whether files of so many bytes can be made by `pathInMemory`, and some room be left. */
export function hasRoomInMemory(bytes: number): boolean {
  const { bavail, bsize } = statfsSync(pathInMemory(''))
  return Math.min(bavail * bsize, freemem()) > bytes * 1.2
}

export const options: OpenOptions = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(7)), purpose: 'bench' }

export { EncryptedFile }

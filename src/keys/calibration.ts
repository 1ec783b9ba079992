import { availableParallelism, totalmem } from 'node:os'
import { invalidArgType, outOfRange } from '../argument-errors.js'
import { KeyDerivationError } from '../errors.js'
import { ARGON2_MAXIMA, ARGON2_PROFILES, LEAST_KIB_PER_LANE, type Argon2Parameters } from './argon2-parameters.js'
import { deriveFromPassphrase } from './argon2id.js'
import type { Argon2Run, CalibrateOptions, Calibration } from './calibrate.js'

/** The search that `calibrate` makes, and what it measures. */

/** What a search keeps to. */
export interface CalibrationBounds {
  readonly targetMs: number
  readonly maxMemoryKiB: number
  readonly maxPasses: number
  readonly lanes: number
}

/** Runs Argon2id once. @returns how many milliseconds it took. */
export type MeasureRun = (parameters: Argon2Parameters, signal: AbortSignal | undefined) => Promise<number>

const DEFAULT_CAP_KIB = 1_048_576
const LONGEST_TARGET = 600_000
/** All runs but the first end within this many times the target. */
const BUDGET_FACTOR = 4
const MOST_RUNS = 12
/** Aimed below the target, so that a run that takes a little longer than its share still counts. */
const AIM = 0.9
/** Memory that outgrows the caches costs more than its share, and a clock may show nothing at all. */
const LARGEST_STEP = 4
/** What is not worth another run. */
const CLOSE_ENOUGH = 0.8

function requireInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value) || value < least || value > most)
    throw outOfRange(name, `an integer >= ${least} && <= ${most}`, value)
  return value
}

/** In a container, of the memory that it is allowed. */
function quarterOfMemoryKiB(): number {
  const allowed = process.constrainedMemory()
  const bytes = allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
  return Math.floor(bytes / 4 / 1024)
}

/** @throws TypeError, RangeError for options that cannot be. */
export function resolveBounds(options: CalibrateOptions): CalibrationBounds {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const floor = ARGON2_PROFILES['rfc9106-second'].memoryKiB
  const defaultCap = Math.max(floor, Math.min(DEFAULT_CAP_KIB, quarterOfMemoryKiB()))
  const { targetMs = 500, maxMemoryKiB = defaultCap, maxPasses = 16, maxLanes = 4 } = options
  requireInteger('options.maxMemoryKiB', maxMemoryKiB, LEAST_KIB_PER_LANE, ARGON2_MAXIMA.memoryKiB)
  requireInteger('options.maxLanes', maxLanes, 1, ARGON2_MAXIMA.lanes)
  return {
    targetMs: requireInteger('options.targetMs', targetMs, 1, LONGEST_TARGET),
    maxMemoryKiB,
    maxPasses: requireInteger('options.maxPasses', maxPasses, 1, ARGON2_MAXIMA.passes),
    lanes: Math.min(maxLanes, availableParallelism(), Math.floor(maxMemoryKiB / LEAST_KIB_PER_LANE)),
  }
}

/** The costliest that kept to the time; the first where none did. */
function chooseRun(runs: readonly Argon2Run[], targetMs: number): Argon2Run {
  const cost = ({ parameters }: Argon2Run): number => parameters.memoryKiB * parameters.passes
  return runs.reduce((best, run) => (run.elapsedMs <= targetMs && cost(run) > cost(best) ? run : best))
}

/**
 * The parameters to try next, from what is known: time grows with memory times passes. Memory is raised first, since it is what guessing
 * in parallel lacks; passes where the memory is at its cap.
 */
function proposeParameters(
  { parameters, elapsedMs }: Argon2Run,
  { targetMs, maxMemoryKiB, maxPasses, lanes }: CalibrationBounds,
  leastMemoryKiB: number,
): Argon2Parameters {
  const factor = Math.min(LARGEST_STEP, (AIM * targetMs) / elapsedMs)
  const kibPasses = parameters.memoryKiB * parameters.passes * factor
  if (kibPasses < 2 * maxMemoryKiB || maxPasses === 1) {
    // Argon2 rounds down to a multiple of four blocks a lane; whole MiB are easier to read.
    const step = maxMemoryKiB >= 1024 ? 1024 : 1
    const memoryKiB = Math.min(maxMemoryKiB, Math.max(leastMemoryKiB, Math.floor(kibPasses / step) * step))
    return { memoryKiB, passes: 1, lanes }
  }
  return { memoryKiB: maxMemoryKiB, passes: Math.min(maxPasses, Math.floor(kibPasses / maxMemoryKiB)), lanes }
}

function isSame(a: Argon2Parameters, b: Argon2Parameters): boolean {
  return a.memoryKiB === b.memoryKiB && a.passes === b.passes
}

/**
 * Searches for the costliest parameters that keep to the time.
 *
 * @param measure - Makes one run.
 * @returns parameters that were measured, and never less memory than the profile `rfc9106-second` has or the cap allows, even where
 * that takes longer than the target.
 * @throws what the first run throws, and the signal's reason.
 */
export async function findArgon2Parameters(
  measure: MeasureRun,
  bounds: CalibrationBounds,
  signal?: AbortSignal,
): Promise<Calibration> {
  const { targetMs, maxMemoryKiB, lanes } = bounds
  const leastMemoryKiB = Math.min(ARGON2_PROFILES['rfc9106-second'].memoryKiB, maxMemoryKiB)
  const first = { memoryKiB: leastMemoryKiB, passes: 1, lanes }
  const runs: Argon2Run[] = [{ parameters: first, elapsedMs: await measure(first, signal) }]
  let left = BUDGET_FACTOR * targetMs
  for (let last = runs[0]!; runs.length < MOST_RUNS && left > 0;) {
    if (last.elapsedMs <= targetMs && last.elapsedMs >= CLOSE_ENOUGH * targetMs) break
    const parameters = proposeParameters(last, bounds, leastMemoryKiB)
    if (runs.some((run) => isSame(run.parameters, parameters))) break
    const deadline = AbortSignal.timeout(Math.ceil(left))
    let elapsedMs: number
    try {
      elapsedMs = await measure(parameters, signal === undefined ? deadline : AbortSignal.any([signal, deadline]))
    } catch (error) {
      signal?.throwIfAborted()
      // There is not as much time or memory as it takes: what was measured before is what this machine can do.
      if (deadline.aborted || error instanceof KeyDerivationError) break
      throw error
    }
    left -= elapsedMs
    last = { parameters, elapsedMs }
    runs.push(last)
  }
  return { ...chooseRun(runs, targetMs), runs }
}

/** Makes one run. @returns how many milliseconds it took, the start of its thread included. */
export async function measureRun(parameters: Argon2Parameters, signal: AbortSignal | undefined): Promise<number> {
  const input = { passphrase: new TextEncoder().encode('no passphrase, a measurement'), salt: new Uint8Array(16) }
  const start = performance.now()
  await deriveFromPassphrase({ ...input, parameters, signal })
  return performance.now() - start
}

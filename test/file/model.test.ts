import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isDataUnchanged } from '../support/model-choices.js'
import { FAULTS, withFault } from '../support/model-faults.js'
import { Sequence, type SequenceOptions } from '../support/model-sequence.js'
import type { StyleName } from '../support/model-styles.js'

const OPERATIONS = process.env['SLOW'] === '1' ? 1_000_000 : 100_000
const TIMEOUT = 3_600_000
/** Sequences whose handles wait come after those whose do not. */
const ASYNC_FROM = 1_000_000
/** `MODEL_SEED=n` replays one. */
const GIVEN_SEED = process.env['MODEL_SEED']

/** In how many sequences, of 250 operations each, a fault must be noticed. */
const FAULT_SEQUENCES = 4
/** Sequences that need more operations than others to get to what they are for. */
const LENGTHS: Readonly<Partial<Record<StyleName, number>>> = { huge: 2_000, scattered: 8_000 }

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealfile-model-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function styleOf(seed: number): StyleName {
  if (seed % 100 === 25) return 'huge'
  if (seed % 100 === 75) return 'scattered'
  return (['log', 'edit', 'truncate', 'large'] as const)[seed % 4]!
}

/** Runs one sequence; its failure tells how to see it again. @returns how many operations it had. */
async function runSequence(seed: number, wrap?: SequenceOptions['wrap']): Promise<number> {
  const style = styleOf(seed)
  const length = LENGTHS[style] ?? 250
  const isAsync = seed >= ASYNC_FROM
  const sequence = new Sequence(seed, { folder: join(folder, String(seed)), isAsync, style, length, ...(wrap && { wrap }) })
  try {
    await sequence.run()
  } catch (error) {
    const message = `MODEL_SEED=${seed} (${style}, ${isAsync ? 'async' : 'sync'}), operation ${sequence.count}: ${String(error)}`
    throw new Error(`${message}\n\n${sequence.log}`, { cause: error })
  }
  return sequence.count
}

/**
 * Runs sequences until they have had so many operations.
 *
 * @param first - The first seed.
 * @param lanes - How many go on at a time: those whose handles wait leave the time to others.
 */
async function runSequences(first: number, operations: number, lanes: number): Promise<void> {
  let seed = first
  let left = operations
  const runLane = async (): Promise<void> => {
    try {
      while (left > 0) {
        const count = await runSequence(seed++)
        left -= count
      }
    } catch (error) {
      left = 0
      throw error
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: lanes }, runLane))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  expect(isDataUnchanged(), 'what was given to write').toBe(true)
}

describe.skipIf(GIVEN_SEED !== undefined)('any sequence of operations agrees with node:fs and a model', () => {
  test('on a handle that does not wait', () => runSequences(0, OPERATIONS / 2, 1), TIMEOUT)

  test('on a handle that waits', () => runSequences(ASYNC_FROM, OPERATIONS / 2, 4), TIMEOUT)
})

describe.skipIf(GIVEN_SEED !== undefined)('sequences of operations notice a handle', () => {
  const kinds = [
    ['does not wait', 0],
    ['waits', ASYNC_FROM],
  ] as const
  const cases = kinds.flatMap(([kind, first]) => Object.keys(FAULTS).map((fault) => [kind, fault, first] as const))

  test.each(cases)('that %s and %s', async (_, fault, first) => {
    const notice = async (): Promise<void> => {
      for (let seed = first; seed < first + FAULT_SEQUENCES; seed++) await runSequence(seed, (handle) => withFault(handle, fault))
    }
    await expect(notice()).rejects.toThrow(/^MODEL_SEED=\d+ \(.*\), operation \d+: [^]*\n\nopen /)
  })
})

test.runIf(GIVEN_SEED !== undefined)(`the sequence of seed ${GIVEN_SEED}`, () => runSequence(Number(GIVEN_SEED)), TIMEOUT)

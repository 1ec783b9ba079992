import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { KeyDerivationError } from '../../src/errors.js'
import { resolveArgon2Parameters, type Argon2Parameters } from '../../src/keys/argon2-parameters.js'
import { deriveFromPassphrase } from '../../src/keys/argon2id.js'
import { calibrate } from '../../src/keys/calibrate.js'
import { findArgon2Parameters, type CalibrationBounds, type MeasureRun } from '../../src/keys/calibration.js'
import { coded } from './support.js'

const MIB = 1024
const BOUNDS: CalibrationBounds = { targetMs: 500, maxMemoryKiB: 1024 * MIB, maxPasses: 16, lanes: 4 }

/** A machine that takes as long as that for 64 MiB, each time they are gone over. */
function machine(msFor64MiB: number, fixedMs = 0): MeasureRun & { readonly tried: Argon2Parameters[] } {
  const tried: Argon2Parameters[] = []
  const measure: MeasureRun = (parameters, signal) => {
    tried.push(parameters)
    signal?.throwIfAborted()
    return Promise.resolve(fixedMs + (msFor64MiB * parameters.memoryKiB * parameters.passes) / (64 * MIB))
  }
  return Object.assign(measure, { tried })
}

const costOf = ({ memoryKiB, passes }: Argon2Parameters): number => memoryKiB * passes

test.each([
  ['a slow one', 300],
  ['a middling one', 60],
  ['a fast one', 20],
  ['one that reaches the cap', 8],
  ['one that makes passes', 3],
])('%s: most of the time is used, and not more', async (_, msFor64MiB) => {
  const { elapsedMs, parameters } = await findArgon2Parameters(machine(msFor64MiB), BOUNDS)
  expect(elapsedMs).toBeLessThanOrEqual(500)
  expect(elapsedMs).toBeGreaterThan(250)
  expect(resolveArgon2Parameters(parameters)).toEqual(parameters)
  expect(parameters.lanes).toBe(4)
})

test('memory first: there are passes only at the cap', async () => {
  for (const ms of [300, 60, 20, 8, 3, 1]) {
    const { parameters } = await findArgon2Parameters(machine(ms), BOUNDS)
    if (parameters.passes > 1) expect(parameters.memoryKiB).toBe(BOUNDS.maxMemoryKiB)
  }
  const small = await findArgon2Parameters(machine(20), { ...BOUNDS, maxMemoryKiB: 128 * MIB })
  expect(small.parameters).toEqual({ memoryKiB: 128 * MIB, passes: 11, lanes: 4 })
})

test('caps hold, however fast the machine is', async () => {
  for (const ms of [0, 0.001, 1]) {
    const measure = machine(ms)
    const { parameters } = await findArgon2Parameters(measure, { ...BOUNDS, maxMemoryKiB: 256 * MIB, maxPasses: 3 })
    expect(parameters).toEqual({ memoryKiB: 256 * MIB, passes: 3, lanes: 4 })
    for (const { memoryKiB, passes } of measure.tried) {
      expect(memoryKiB).toBeLessThanOrEqual(256 * MIB)
      expect(passes).toBeLessThanOrEqual(3)
    }
  }
})

describe('a machine that is too slow', () => {
  test('gets the memory of the profile and one pass, and is told how long that takes', async () => {
    const { parameters, elapsedMs, runs } = await findArgon2Parameters(machine(3000), BOUNDS)
    expect(parameters).toEqual({ memoryKiB: 64 * MIB, passes: 1, lanes: 4 })
    expect(elapsedMs).toBe(3000)
    expect(runs.length).toBe(1)
  })

  test('gets less where the cap is less', async () => {
    const { parameters } = await findArgon2Parameters(machine(3000), { ...BOUNDS, maxMemoryKiB: 19 * MIB })
    expect(parameters).toEqual({ memoryKiB: 19 * MIB, passes: 1, lanes: 4 })
  })
})

test('what is given was measured, and the costliest of those that kept to the time', async () => {
  for (const fixed of [0, 100, 400]) {
    const measure = machine(20, fixed)
    const { runs, parameters, elapsedMs } = await findArgon2Parameters(measure, BOUNDS)
    expect(runs.map((run) => run.parameters)).toEqual(measure.tried)
    expect(runs).toContainEqual({ parameters, elapsedMs })
    for (const run of runs) if (run.elapsedMs <= 500) expect(costOf(run.parameters)).toBeLessThanOrEqual(costOf(parameters))
  }
})

test('a machine that slows down as memory grows: the next runs are smaller', async () => {
  const measure: MeasureRun = ({ memoryKiB }) => Promise.resolve((memoryKiB / (64 * MIB)) ** 1.5 * 30)
  const { elapsedMs } = await findArgon2Parameters(measure, BOUNDS)
  expect(elapsedMs).toBeLessThanOrEqual(500)
  expect(elapsedMs).toBeGreaterThan(250)
})

describe('the search ends', () => {
  test('on a machine whose times mean nothing, within four times the target and the last run', async () => {
    let calls = 0
    const measure: MeasureRun = () => Promise.resolve([10, 900, 30, 700, 5, 800][calls++ % 6]!)
    const { runs } = await findArgon2Parameters(measure, BOUNDS)
    const others = runs.slice(1, -1).reduce((sum, { elapsedMs }) => sum + elapsedMs, 0)
    expect(others).toBeLessThanOrEqual(4 * 500)
    expect(runs.length).toBeLessThanOrEqual(12)
  })

  test('where a run does not: it is given up', async () => {
    const measure: MeasureRun = (parameters, signal) =>
      parameters.memoryKiB === 64 * MIB
        ? Promise.resolve(1)
        : new Promise((_, reject) => {
            const alive = setTimeout(() => undefined, 60_000)
            signal!.addEventListener('abort', () => {
              clearTimeout(alive)
              reject(signal!.reason as Error)
            })
          })
    const { parameters, runs } = await findArgon2Parameters(measure, { ...BOUNDS, targetMs: 10 })
    expect(parameters.memoryKiB).toBe(64 * MIB)
    expect(runs.length).toBe(1)
  })

  test('where there is not as much memory as the cap says', async () => {
    const measure: MeasureRun = (parameters) =>
      parameters.memoryKiB > 200 * MIB
        ? Promise.reject(new KeyDerivationError('no memory'))
        : Promise.resolve(parameters.memoryKiB / MIB)
    const { parameters } = await findArgon2Parameters(measure, BOUNDS)
    expect(parameters.memoryKiB).toBe(64 * MIB)
  })

  test('with the first error, where nothing runs; and with any other error', async () => {
    const none: MeasureRun = () => Promise.reject(new KeyDerivationError('no memory'))
    await expect(findArgon2Parameters(none, BOUNDS)).rejects.toEqual(coded(KeyDerivationError, 'ERR_SEALFILE_KEY_DERIVATION'))
    let calls = 0
    const broken: MeasureRun = () => (calls++ === 0 ? Promise.resolve(1) : Promise.reject(new Error('broken')))
    await expect(findArgon2Parameters(broken, BOUNDS)).rejects.toThrow('broken')
  })

  test('with the reason of the signal', async () => {
    const controller = new AbortController()
    const measure: MeasureRun = (_, signal) => {
      controller.abort(new Error('changed my mind'))
      signal?.throwIfAborted()
      return Promise.resolve(1)
    }
    await expect(findArgon2Parameters(measure, BOUNDS, controller.signal)).rejects.toThrow('changed my mind')
  })
})

describe('calibrate', () => {
  test('measures real runs, and gives what Argon2id takes', async () => {
    const maxMemoryKiB = 16 * MIB
    const calibration = await calibrate({ targetMs: 50, maxMemoryKiB, maxPasses: 4 })
    const { parameters, elapsedMs, runs } = calibration
    expect(Object.keys(calibration).sort()).toEqual(['elapsedMs', 'parameters', 'runs'])
    expect(elapsedMs).toBeGreaterThan(0)
    expect(runs).toContainEqual({ parameters, elapsedMs })
    expect(parameters.memoryKiB).toBe(maxMemoryKiB)
    expect(parameters.passes).toBeLessThanOrEqual(4)
    expect(parameters.lanes).toBe(Math.min(4, availableParallelism()))
    const input = { passphrase: Uint8Array.of(1), salt: new Uint8Array(16), parameters: resolveArgon2Parameters(parameters) }
    expect((await deriveFromPassphrase(input)).length).toBe(32)
  })

  test('lanes are as the caller, the processors and the memory allow', async () => {
    expect((await calibrate({ targetMs: 1, maxMemoryKiB: 64, maxLanes: 1 })).parameters.lanes).toBe(1)
    expect((await calibrate({ targetMs: 1, maxMemoryKiB: 8 })).parameters).toMatchObject({ memoryKiB: 8, lanes: 1 })
  })

  test('a signal that is aborted already, and one that aborts meanwhile', async () => {
    await expect(calibrate({ signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
    const controller = new AbortController()
    const work = calibrate({ targetMs: 10_000, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('changed my mind')), 20)
    await expect(work).rejects.toThrow('changed my mind')
  })

  test.each([
    { targetMs: 0 },
    { targetMs: 1.5 },
    { targetMs: 600_001 },
    { maxMemoryKiB: 7 },
    { maxMemoryKiB: 2 ** 32 },
    { maxPasses: 0 },
    { maxLanes: 0 },
    { maxLanes: 2 ** 24 },
  ])('%j is out of range', async (options) => {
    await expect(calibrate(options)).rejects.toEqual(coded(RangeError, 'ERR_OUT_OF_RANGE'))
  })

  test.each([null, 5, { targetMs: '1' }, { maxLanes: null }])('%j is a wrong type', async (options) => {
    await expect(calibrate(options as never)).rejects.toEqual(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  })
})

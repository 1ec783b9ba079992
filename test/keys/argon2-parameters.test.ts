import { describe, expect, test } from 'vitest'
import { LimitError } from '../../src/errors.js'
import {
  ARGON2_PROFILES,
  checkArgon2Limits,
  resolveArgon2Limits,
  resolveArgon2Parameters,
} from '../../src/keys/argon2-parameters.js'
import { coded } from './support.js'

describe('parameters', () => {
  test('the default is the second recommended option of RFC 9106 §4', () => {
    expect(resolveArgon2Parameters()).toEqual({ memoryKiB: 64 * 1024, passes: 3, lanes: 4 })
    expect(resolveArgon2Parameters('rfc9106-second')).toEqual(resolveArgon2Parameters(undefined))
  })

  test('no profile is under the minimum that OWASP gives for one pass, 46 MiB', () => {
    for (const { memoryKiB, passes } of Object.values(ARGON2_PROFILES)) expect(memoryKiB * passes).toBeGreaterThanOrEqual(46 * 1024)
  })

  test('the bounds of RFC 9106 §3.1 are in, one beyond them is out', () => {
    for (const good of [
      { memoryKiB: 8, passes: 1, lanes: 1 },
      { memoryKiB: 8 * 16, passes: 2 ** 32 - 1, lanes: 16 },
      { memoryKiB: 2 ** 32 - 1, passes: 1, lanes: 2 ** 24 - 1 },
    ]) {
      expect(resolveArgon2Parameters(good)).toEqual(good)
    }
    for (const bad of [
      { memoryKiB: 7, passes: 1, lanes: 1 },
      { memoryKiB: 8 * 16 - 1, passes: 1, lanes: 16 },
      { memoryKiB: 2 ** 32, passes: 1, lanes: 1 },
      { memoryKiB: 64, passes: 0, lanes: 1 },
      { memoryKiB: 64, passes: 2 ** 32, lanes: 1 },
      { memoryKiB: 64, passes: 1, lanes: 0 },
      { memoryKiB: 2 ** 32 - 1, passes: 1, lanes: 2 ** 24 },
      { memoryKiB: 64.5, passes: 1, lanes: 1 },
      { memoryKiB: NaN, passes: 1, lanes: 1 },
    ]) {
      expect(() => resolveArgon2Parameters(bad)).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
    }
  })

  test('other things are a TypeError', () => {
    for (const bad of [null, 3, [], { memoryKiB: 64, passes: 1 }, { memoryKiB: '64', passes: 1, lanes: 1 }]) {
      expect(() => resolveArgon2Parameters(bad)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
    }
    for (const bad of ['', 'fast', 'toString', '__proto__']) {
      expect(() => resolveArgon2Parameters(bad)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
    }
  })
})

describe('limits', () => {
  const parameters = { memoryKiB: 1024, passes: 3, lanes: 4 }

  test('by default 1 GiB, 16 passes, 16 lanes, 8 runs', () => {
    const most = { memoryKiB: 2 ** 20, passes: 16, lanes: 16 }
    const runs = Array.from({ length: 8 }, () => most)
    expect(() => checkArgon2Limits(runs, undefined)).not.toThrow()
    expect(() => checkArgon2Limits([...runs, most], {})).toThrow(coded(LimitError, 'ERR_SEALFILE_LIMIT'))
    for (const name of ['memoryKiB', 'passes', 'lanes'] as const) {
      const over = [parameters, { ...most, [name]: most[name] + 1 }]
      expect(() => checkArgon2Limits(over, undefined)).toThrow(coded(LimitError, 'ERR_SEALFILE_LIMIT'))
    }
  })

  test('the caller sets them one by one; undefined leaves the default', () => {
    expect(() => checkArgon2Limits([parameters], { maxMemoryKiB: 1024, maxPasses: 3, maxLanes: 4, maxRuns: 1 })).not.toThrow()
    expect(() => checkArgon2Limits([parameters], { maxMemoryKiB: undefined })).not.toThrow()
    for (const limits of [{ maxMemoryKiB: 1023 }, { maxPasses: 2 }, { maxLanes: 3 }, { maxRuns: 0 }]) {
      expect(() => checkArgon2Limits([parameters], limits)).toThrow(LimitError)
    }
  })

  test('a limit that is no integer is misuse', () => {
    expect(() => resolveArgon2Limits({ maxMemoryKiB: Infinity })).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
    expect(() => resolveArgon2Limits({ maxRuns: -1 })).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
    expect(() => resolveArgon2Limits({ maxPasses: '9' as never })).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
    expect(() => resolveArgon2Limits(5 as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  })
})

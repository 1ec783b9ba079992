import { invalidArgType, invalidArgValue, outOfRange } from '../argument-errors.js'
import { LimitError } from '../errors.js'

/** The cost of one Argon2id run (RFC 9106 §3.1). */
export interface Argon2Parameters {
  /** Memory in KiB: 8 per lane or more, up to 2^32 - 1. */
  readonly memoryKiB: number
  /** Times that the memory is gone over: 1 to 2^32 - 1. */
  readonly passes: number
  /** Lanes that could be computed side by side: 1 to 2^24 - 1. */
  readonly lanes: number
}

/** The costs that have a name. */
export const ARGON2_PROFILES = {
  /** RFC 9106 §4, the second recommended option: 64 MiB, three passes. */
  'rfc9106-second': { memoryKiB: 65_536, passes: 3, lanes: 4 },
  /** 128 MiB gone over once: opens sooner, and keeps the cost of guessing in memory. */
  interactive: { memoryKiB: 131_072, passes: 1, lanes: 2 },
} as const satisfies Readonly<Record<string, Argon2Parameters>>

/** The name of a cost: `rfc9106-second` or `interactive`. */
export type Argon2Profile = keyof typeof ARGON2_PROFILES

/** What opening a keyring may cost. A keyring that asks for more is refused before anything is allocated. */
export interface Argon2Limits {
  /**
   * KiB that one run may fill.
   *
   * @defaultValue 1048576 (1 GiB)
   */
  readonly maxMemoryKiB?: number | undefined
  /**
   * Passes of one run.
   *
   * @defaultValue 16
   */
  readonly maxPasses?: number | undefined
  /**
   * Lanes of one run.
   *
   * @defaultValue 16
   */
  readonly maxLanes?: number | undefined
  /**
   * Runs: a passphrase is tried on one passphrase slot after the other.
   *
   * @defaultValue 8
   */
  readonly maxRuns?: number | undefined
}

/** The largest values that RFC 9106 §3.1 allows. */
export const ARGON2_MAXIMA: Argon2Parameters = { memoryKiB: 2 ** 32 - 1, passes: 2 ** 32 - 1, lanes: 2 ** 24 - 1 }
/** RFC 9106 §3.1: KiB that a lane takes at least. */
export const LEAST_KIB_PER_LANE = 8

function requireInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value)
  return value
}

/**
 * Gives the cost by its name, or checks one that was spelt out. Below the minimum of RFC 9106 nothing is refused or raised:
 * what a passphrase deserves is for the caller to know, and anything under the profiles is for tests.
 *
 * @param option - A profile's name or all three parameters; undefined is `rfc9106-second`.
 * @param name - What the caller called it, for messages.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`.
 */
export function resolveArgon2Parameters(option: unknown = 'rfc9106-second', name = 'options.argon2'): Argon2Parameters {
  if (typeof option === 'string') {
    if (!Object.hasOwn(ARGON2_PROFILES, option)) {
      throw invalidArgValue(name, option, `must be one of: ${Object.keys(ARGON2_PROFILES).join(', ')}`)
    }
    return ARGON2_PROFILES[option as Argon2Profile]
  }
  if (typeof option !== 'object' || option === null) throw invalidArgType(name, 'of type string or object', option)
  const given = option as Readonly<Record<keyof Argon2Parameters, unknown>>
  const lanes = requireInteger(`${name}.lanes`, given.lanes, 1, ARGON2_MAXIMA.lanes)
  return {
    memoryKiB: requireInteger(`${name}.memoryKiB`, given.memoryKiB, LEAST_KIB_PER_LANE * lanes, ARGON2_MAXIMA.memoryKiB),
    passes: requireInteger(`${name}.passes`, given.passes, 1, ARGON2_MAXIMA.passes),
    lanes,
  }
}

/**
 * Checks limits and fills in the ones that were left out.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`.
 */
export function resolveArgon2Limits(
  limits: Argon2Limits = {},
  name = 'options.limits',
): { readonly [K in keyof Argon2Limits]-?: number } {
  // A caller without types may pass anything.
  if (typeof (limits as unknown) !== 'object' || (limits as unknown) === null) throw invalidArgType(name, 'of type object', limits)
  const { maxMemoryKiB = 1_048_576, maxPasses = 16, maxLanes = 16, maxRuns = 8 } = limits
  return {
    maxMemoryKiB: requireInteger(`${name}.maxMemoryKiB`, maxMemoryKiB, 0, ARGON2_MAXIMA.memoryKiB),
    maxPasses: requireInteger(`${name}.maxPasses`, maxPasses, 0, ARGON2_MAXIMA.passes),
    maxLanes: requireInteger(`${name}.maxLanes`, maxLanes, 0, ARGON2_MAXIMA.lanes),
    maxRuns: requireInteger(`${name}.maxRuns`, maxRuns, 0, Number.MAX_SAFE_INTEGER),
  }
}

/**
 * Refuses runs that cost more than the caller allows.
 *
 * @param runs - The cost of each run that a wrong passphrase would take.
 * @param path - The file that asks for it, for the message.
 * @throws LimitError `ERR_SEALFILE_LIMIT`.
 */
export function checkArgon2Limits(runs: readonly Argon2Parameters[], limits: Argon2Limits | undefined, path?: string): void {
  const { maxMemoryKiB, maxPasses, maxLanes, maxRuns } = resolveArgon2Limits(limits)
  const refuseOver = (limit: string, asked: number, allowed: number) => {
    if (asked > allowed) throw new LimitError(`the keyring asks for ${asked}, and ${limit} is ${allowed}`, { path })
  }
  refuseOver('maxRuns', runs.length, maxRuns)
  for (const { memoryKiB, passes, lanes } of runs) {
    refuseOver('maxMemoryKiB', memoryKiB, maxMemoryKiB)
    refuseOver('maxPasses', passes, maxPasses)
    refuseOver('maxLanes', lanes, maxLanes)
  }
}

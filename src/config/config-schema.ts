import * as v from 'valibot'
import { SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN } from '../container/preamble.js'
import { TIMER_MAX } from '../file/options.js'
import { ARGON2_PROFILES, LEAST_KIB_PER_LANE, resolveArgon2Limits } from '../keys/argon2-parameters.js'
import { validatePurpose } from '../keys/purpose.js'
import { AEADS, type CipherName } from '../seal/suites.js'
import { faultOfPattern } from './purpose-rules.js'

/** What a configuration may say. Each message goes on after the key's name and holds no value: a secret may be in the wrong place. */

/** What `KeyManager.open` allows by itself: a keyring that costs more could be made, and then not be opened. */
const { maxMemoryKiB, maxPasses, maxLanes } = resolveArgon2Limits()
const RULES_MAX = 1_000

/** Valibot takes a list for an object. */
const OBJECT = v.pipe(
  v.unknown(),
  v.check((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object'),
)
const TEXT = v.string('must be text')
const CIPHERS = Object.keys(AEADS) as CipherName[]

function integer(min: number, max: number) {
  const message = `must be an integer from ${min} to ${max}`
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message))
}

function isPurpose(text: string): boolean {
  try {
    validatePurpose(text)
    return true
  } catch {
    return false
  }
}

const RULE = v.strictObject({
  pattern: v.pipe(
    TEXT,
    v.rawCheck(({ dataset, addIssue }) => {
      const fault = dataset.typed ? faultOfPattern(dataset.value) : undefined
      if (fault !== undefined) addIssue({ message: fault })
    }),
  ),
  purpose: v.pipe(TEXT, v.check(isPurpose, 'must be 1 to 255 bytes of text without control characters')),
})

const COST = v.strictObject({
  memoryKiB: integer(LEAST_KIB_PER_LANE, maxMemoryKiB),
  passes: integer(1, maxPasses),
  lanes: integer(1, maxLanes),
})

const CHECKED_COST = v.pipe(
  OBJECT,
  COST,
  v.check(
    ({ memoryKiB, lanes }) => memoryKiB >= LEAST_KIB_PER_LANE * lanes,
    `must have ${LEAST_KIB_PER_LANE} KiB per lane or more`,
  ),
)

const FIELDS = v.strictObject({
  keyring: v.optional(v.pipe(TEXT, v.minLength(1, 'must not be empty'), v.excludes('\0', 'must not hold NUL'))),
  segmentSize: v.optional(
    v.pipe(
      integer(SEGMENT_SIZE_MIN, SEGMENT_SIZE_MAX),
      v.check((size) => Number.isInteger(Math.log2(size)), 'must be a power of two'),
    ),
  ),
  cipher: v.optional(v.picklist(CIPHERS, `must be one of: ${CIPHERS.join(', ')}`)),
  durability: v.optional(v.picklist(['os', 'fsync'], 'must be one of: os, fsync')),
  commitInterval: v.optional(integer(1, TIMER_MAX)),
  argon2: v.optional(TEXT),
  argon2Profiles: v.optional(v.pipe(OBJECT, v.record(TEXT, CHECKED_COST))),
  purposes: v.optional(
    v.pipe(v.array(v.pipe(OBJECT, RULE), 'must be a list'), v.maxLength(RULES_MAX, `must have at most ${RULES_MAX} entries`)),
  ),
})

/** What a configuration says, checked. What it leaves out is left out. */
export type ConfigFields = v.InferOutput<typeof FIELDS>

/** What is wrong with one key. */
export interface Fault {
  /** The way to it: keys, and indices of lists. */
  readonly path: readonly (string | number)[]
  /** As it goes on after the key's name. */
  readonly message: string
  /** The keys that there may be in its place, where there is none of this name. */
  readonly known?: readonly string[]
}

/** @returns what a configuration says, or all that is wrong with it. */
export function checkFields(value: unknown): { readonly fields: ConfigFields } | { readonly faults: readonly Fault[] } {
  const { success, issues, output } = v.safeParse(v.pipe(OBJECT, FIELDS), value, { abortPipeEarly: true })
  const faults = success ? profileFaults(output) : issues.map(faultOf)
  return success && faults.length === 0 ? { fields: output } : { faults }
}

function faultOf(issue: v.BaseIssue<unknown>): Fault {
  const path = (issue.path ?? []).map(({ key }) => key as string | number)
  if (issue.type !== 'strict_object') return { path, message: issue.message }
  if (issue.expected === 'never') return { path, message: 'is not known', known: keysAt(path) }
  return { path, message: 'is missing' }
}

function keysAt(path: readonly (string | number)[]): string[] {
  if (path.length === 1) return Object.keys(FIELDS.entries)
  return Object.keys(path[0] === 'purposes' ? RULE.entries : COST.entries)
}

function profileFaults({ argon2, argon2Profiles = {} }: ConfigFields): Fault[] {
  const own = Object.keys(argon2Profiles)
  const names = [...Object.keys(ARGON2_PROFILES), ...own]
  const taken = own.filter((name) => Object.hasOwn(ARGON2_PROFILES, name))
  const faults = taken.map((name): Fault => ({ path: ['argon2Profiles', name], message: 'is a name that is taken' }))
  if (argon2 === undefined || names.includes(argon2)) return faults
  return [...faults, { path: ['argon2'], message: `must be one of: ${names.join(', ')}` }]
}

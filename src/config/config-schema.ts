import * as v from 'valibot'
import { SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN } from '../container/preamble.js'
import { TIMER_MAX } from '../file/options.js'
import { ARGON2_PROFILES, LEAST_KIB_PER_LANE, resolveArgon2Limits } from '../keys/argon2-parameters.js'
import { validatePurpose } from '../keys/purpose.js'
import { AEADS, type CipherName } from '../seal/suites.js'
import { faultOfPattern } from './purpose-rules.js'

/**
 * What a configuration may say. Each message goes on after the key's name and holds no value: a secret may be in the wrong place.
 * `config.schema.json`, for editors, is made of it.
 */

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

const SEGMENT_SIZES = Array.from(
  { length: Math.log2(SEGMENT_SIZE_MAX / SEGMENT_SIZE_MIN) + 1 },
  (_, i) => SEGMENT_SIZE_MIN * 2 ** i,
)
const PURPOSE_MESSAGE = 'must be 1 to 255 bytes of text without control characters'

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
    v.description('A glob, from the folder of this file: `logs/**`, `**/*.json`, `**` for all that is left.'),
  ),
  purpose: v.pipe(
    TEXT,
    v.minLength(1, PURPOSE_MESSAGE),
    v.maxLength(255, PURPOSE_MESSAGE),
    v.check(isPurpose, PURPOSE_MESSAGE),
    v.description('What the files are for. A file opens only under the purpose that it was written for.'),
  ),
})

const COST = v.strictObject({
  memoryKiB: v.pipe(integer(LEAST_KIB_PER_LANE, maxMemoryKiB), v.description('Memory, in KiB.')),
  passes: v.pipe(integer(1, maxPasses), v.description('Passes over it.')),
  lanes: v.pipe(integer(1, maxLanes), v.description(`Threads. Each has ${LEAST_KIB_PER_LANE} KiB or more.`)),
})

const CHECKED_COST = v.pipe(
  OBJECT,
  COST,
  v.check(
    ({ memoryKiB, lanes }) => memoryKiB >= LEAST_KIB_PER_LANE * lanes,
    `must have ${LEAST_KIB_PER_LANE} KiB per lane or more`,
  ),
)

/** All keys, each with what editors show of it. */
export const FIELDS = v.strictObject({
  keyring: v.optional(
    v.pipe(
      TEXT,
      v.minLength(1, 'must not be empty'),
      v.excludes('\0', 'must not hold NUL'),
      v.description('Path of the keyring, from the folder of this file. Without it: keyring.json.'),
    ),
  ),
  segmentSize: v.optional(
    v.pipe(
      integer(SEGMENT_SIZE_MIN, SEGMENT_SIZE_MAX),
      v.values(SEGMENT_SIZES, 'must be a power of two'),
      v.description(
        'Of new files: bytes that are encrypted together. Small for small reads here and there, large for whole files.',
      ),
    ),
  ),
  cipher: v.optional(
    v.pipe(v.picklist(CIPHERS, `must be one of: ${CIPHERS.join(', ')}`), v.description('Of new files: the AEAD.')),
  ),
  durability: v.optional(
    v.pipe(
      v.picklist(['os', 'fsync'], 'must be one of: os, fsync'),
      v.description('Whether a commit waits until the disk has it (fsync), or leaves that to the system (os).'),
    ),
  ),
  commitInterval: v.optional(
    v.pipe(integer(1, TIMER_MAX), v.description('Milliseconds after which what was written is committed by itself.')),
  ),
  argon2: v.optional(
    v.pipe(
      TEXT,
      v.examples(Object.keys(ARGON2_PROFILES)),
      v.description('What a new passphrase costs to try: rfc9106-second, interactive, or a profile of argon2Profiles.'),
    ),
  ),
  argon2Profiles: v.optional(
    v.pipe(OBJECT, v.record(TEXT, CHECKED_COST), v.description('Costs of Argon2id, by names of your own.')),
  ),
  purposes: v.optional(
    v.pipe(
      v.array(v.pipe(OBJECT, RULE), 'must be a list'),
      v.maxLength(RULES_MAX, `must have at most ${RULES_MAX} entries`),
      v.description('Which files are for what. The first pattern that matches counts.'),
    ),
  ),
  $schema: v.optional(v.pipe(TEXT, v.description('Where this schema is, for editors: ./node_modules/sealfile/config.schema.json'))),
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

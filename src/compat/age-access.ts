import { invalidArgType, invalidArgValue, WITHHELD } from '../argument-errors.js'
import { checkInteger } from '../file/options.js'
import type { AgeIdentity, AgeRecipient } from './age-package.js'
import { LEAST_WORK_FACTOR, MOST_WORK_FACTOR, MOST_WORK_FACTOR_READ, USUAL_WORK_FACTOR } from './age-passphrase.js'

/** What opens age files: identities, a passphrase, or both. */
export interface AgeAccess {
  /** `AGE-SECRET-KEY-1…`, or objects as `age-encryption` takes them. */
  readonly identities?: readonly (string | AgeIdentity)[] | undefined
  /** What opens files that were encrypted with a passphrase. */
  readonly passphrase?: string | undefined
  /**
   * What a file that a passphrase opens may cost: the base-2 logarithm of scrypt's N, 1 to 22. A file that asks for more is refused before
   * anything is allocated. 18, which age itself asks for, takes 256 MiB, and each step up twice as much.
   *
   * @defaultValue 20
   */
  readonly maxWorkFactor?: number | undefined
}

/** Who will be able to open an age file: recipients, or one passphrase. */
export interface AgeTarget {
  /** `age1…`, or objects as `age-encryption` takes them. */
  readonly recipients?: readonly (string | AgeRecipient)[] | undefined
  /** What will open the file. Not along with recipients. */
  readonly passphrase?: string | undefined
  /**
   * With a passphrase: the base-2 logarithm of scrypt's N, 1 to 22.
   *
   * @defaultValue 18, as age has it
   */
  readonly workFactor?: number | undefined
}

/** {@link AgeAccess}, checked and complete. */
export interface ResolvedAgeAccess {
  readonly identities: readonly (string | AgeIdentity)[]
  readonly passphrase: string | undefined
  readonly maxWorkFactor: number
}

/** {@link AgeTarget}, checked and complete. */
export interface ResolvedAgeTarget {
  readonly recipients: readonly (string | AgeRecipient)[]
  readonly passphrase: string | undefined
  readonly workFactor: number
}

/** @throws TypeError or RangeError for what is no access. @param name - What the caller called it, for messages. */
export function checkAgeAccess(access: unknown, name: string): ResolvedAgeAccess {
  if (typeof access !== 'object' || access === null) throw invalidArgType(name, 'of type object', WITHHELD)
  const { identities = [], passphrase, maxWorkFactor = MOST_WORK_FACTOR_READ } = access as AgeAccess
  checkEach(identities, `${name}.identities`, 'unwrapFileKey')
  checkPassphrase(passphrase, `${name}.passphrase`)
  checkInteger(`${name}.maxWorkFactor`, maxWorkFactor, LEAST_WORK_FACTOR, MOST_WORK_FACTOR)
  if (identities.length === 0 && passphrase === undefined) {
    throw invalidArgValue(name, WITHHELD, 'must have identities or a passphrase')
  }
  return { identities, passphrase, maxWorkFactor }
}

/** @throws TypeError or RangeError for what is no target. */
export function checkAgeTarget(target: AgeTarget, name: string): ResolvedAgeTarget {
  const { recipients = [], passphrase, workFactor = USUAL_WORK_FACTOR } = target
  checkEach(recipients, `${name}.recipients`, 'wrapFileKey')
  checkPassphrase(passphrase, `${name}.passphrase`)
  checkInteger(`${name}.workFactor`, workFactor, LEAST_WORK_FACTOR, MOST_WORK_FACTOR)
  // A passphrase is the only recipient of a file, or none of it: the format has it so.
  if (recipients.length > 0 === (passphrase !== undefined)) {
    throw invalidArgValue(name, WITHHELD, 'must have either recipients or a passphrase')
  }
  return { recipients, passphrase, workFactor }
}

function checkPassphrase(passphrase: unknown, name: string): void {
  if (passphrase === undefined) return
  if (typeof passphrase !== 'string') throw invalidArgType(name, 'of type string', WITHHELD)
  if (passphrase === '') throw invalidArgValue(name, WITHHELD, 'must not be empty')
}

function checkEach(values: unknown, name: string, method: string): void {
  if (!Array.isArray(values)) throw invalidArgType(name, 'an instance of Array', WITHHELD)
  for (const value of values as unknown[]) {
    const isObject = typeof value === 'object' && value !== null && method in value
    if (typeof value !== 'string' && !isObject) throw invalidArgType(name, 'an array of strings or objects', WITHHELD)
  }
}

import { dirname, join, resolve } from 'node:path'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'
import type { OpenOptions } from '../file/options.js'
import { ARGON2_PROFILES, type Argon2Parameters } from '../keys/argon2-parameters.js'
import type { ConfigFields } from './config-schema.js'
import { makePurposeFor, type PurposeRule } from './purpose-rules.js'

/** What a configuration sets of how one file is opened. What it leaves out has the default of the call. */
export type OpenFromConfig = Pick<OpenOptions, 'purpose' | 'segmentSize' | 'cipher' | 'durability' | 'commitInterval'>

/** What it sets of an `fs`. */
export interface FsFromConfig extends Omit<OpenFromConfig, 'purpose'> {
  /**
   * Tells what a file is for.
   *
   * @param path - As `createEncryptedFs` gives it: absolute.
   */
  readonly purpose: (path: string) => string
}

/** What it sets of a batch. */
export interface BatchFromConfig extends Omit<OpenFromConfig, 'purpose' | 'commitInterval'> {
  /**
   * Tells what a file is for.
   *
   * @param path - As a batch gives it: within its input.
   */
  readonly purpose: (path: string) => string
}

/** What it sets of a keyring. */
export interface KeyringFromConfig {
  /** The cost of a new passphrase. */
  readonly argon2: Argon2Parameters
}

/** A configuration that was read. It is frozen, and does not follow the file. */
export interface Config {
  /** The file that it was read from: absolute. */
  readonly path: string
  /**
   * The keyring: absolute.
   *
   * @defaultValue `keyring.json` beside the configuration
   */
  readonly keyring: string
  /** Which files are for what, the first match first. */
  readonly purposes: readonly PurposeRule[]
  /**
   * Tells what a file is for.
   *
   * @param path - Absolute, or relative to the current folder. It need not exist, and links are not followed.
   * @throws ConfigError `ERR_SEALFILE_CONFIG` where no pattern matches.
   */
  readonly purposeFor: (path: PathLike) => string
  /**
   * Gives the options of one file, to be spread into those of `EncryptedFile.open` and its like.
   *
   * @throws ConfigError `ERR_SEALFILE_CONFIG` where no pattern matches.
   */
  readonly openOptions: (path: PathLike) => OpenFromConfig
  /** Gives the options of an `fs`, to be spread into those of `createEncryptedFs`. */
  readonly fsOptions: () => FsFromConfig
  /**
   * Gives the options of a batch, to be spread into those of `encryptBatch` and `decryptBatch`.
   *
   * @param folder - Where patterns see the files: the input when encrypting, the target when decrypting.
   */
  readonly batchOptions: (folder: PathLike) => BatchFromConfig
  /**
   * Gives the options of a keyring, to be spread into those of `KeyManager.create` and of calls that make a passphrase slot.
   *
   * @param profile - The name of a profile. @defaultValue the one that the configuration names, or `rfc9106-second`
   * @throws TypeError `ERR_INVALID_ARG_VALUE` if there is none of this name.
   */
  readonly keyringOptions: (profile?: string) => KeyringFromConfig
}

/** @param path - Of the configuration: absolute. */
export function makeConfig(fields: ConfigFields, path: string): Config {
  const { keyring = 'keyring.json', argon2 = 'rfc9106-second', argon2Profiles = {}, purposes = [] } = fields
  const { segmentSize, cipher, durability, commitInterval } = fields
  const forBatch = said({ segmentSize, cipher, durability })
  const settings = said({ ...forBatch, commitInterval })
  const folder = dirname(path)
  const rules = Object.freeze(purposes.map((rule) => Object.freeze({ ...rule })))
  const purposeFor = makePurposeFor(rules, folder, path)
  const profiles = new Map<string, Argon2Parameters>(Object.entries({ ...ARGON2_PROFILES, ...argon2Profiles }))
  return Object.freeze({
    path,
    keyring: resolve(folder, keyring),
    purposes: rules,
    purposeFor,
    openOptions: (file: PathLike) => ({ ...settings, purpose: purposeFor(file) }),
    fsOptions: () => ({ ...settings, purpose: purposeFor }),
    batchOptions(root: PathLike) {
      const absolute = resolve(nameOf(root))
      return { ...forBatch, purpose: (within: string) => purposeFor(join(absolute, within)) }
    },
    keyringOptions(profile: string = argon2) {
      if (typeof (profile as unknown) !== 'string') throw invalidArgType('profile', 'of type string', profile)
      const cost = profiles.get(profile)
      if (cost === undefined) throw invalidArgValue('profile', profile, `must be one of: ${[...profiles.keys()].join(', ')}`)
      return { argon2: { ...cost } }
    },
  })
}

/** @returns those that have a value: an option that is undefined would take the place of one that was spread before it. */
function said<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

import { join, resolve } from 'node:path'
import type { Argon2Parameters, Argon2Profile, CipherName, OpenOptions } from 'sealfile'
import type { Config } from 'sealfile/config'
import { usageError } from './command-error.js'

/** The options from which settings are made. */
export interface SettingOptions {
  readonly config?: string
  readonly keyring?: string
  readonly purpose?: string
  readonly context?: string
  readonly segmentSize?: number
  readonly cipher?: CipherName
  readonly argon2?: string
}

/** How one file is opened, but for the keys. */
export type FileSettings = Pick<OpenOptions, 'purpose' | 'context' | 'segmentSize' | 'cipher' | 'durability' | 'commitInterval'>

/** What commands work with: what was given as options, else what the environment says, else a configuration. */
export interface Settings {
  /** @throws CommandError where nothing says which. */
  keyring(): string

  /** @throws CommandError where nothing could say what any file is for. */
  requirePurpose(): void

  /** @returns the purpose of a file. @throws CommandError, ConfigError where nothing says which. */
  purposeOf(path: string): string

  /** @returns the purposes of files, by their paths within a folder; without one, all files must have the same. */
  purposesWithin(folder: string | undefined): (path: string) => string

  fileOptions(path: string): FileSettings

  /** The same without the purpose, for all files of a command. */
  commonOptions(): Omit<FileSettings, 'purpose'>

  /** The cost of a new passphrase; undefined for the library's default. */
  argon2(): Argon2Parameters | Argon2Profile | undefined
}

/** The one place that knows where settings come from. */
export async function resolveSettings(options: SettingOptions): Promise<Settings> {
  const { segmentSize, cipher, argon2 } = options
  const config = await findSettings(options.config)
  const context = options.context === undefined ? undefined : Buffer.from(options.context)
  const common = { ...(config && withoutPurpose(config)), ...said({ context, segmentSize, cipher }) }
  const purpose = options.purpose ?? fromEnvironment('SEALFILE_PURPOSE')
  const purposeOf = (path: string): string => {
    if (purpose !== undefined) return purpose
    if (config === undefined || path === '-') throw noPurpose()
    return config.purposeFor(path)
  }
  return {
    keyring() {
      const keyring = options.keyring ?? fromEnvironment('SEALFILE_KEYRING') ?? config?.keyring
      if (keyring !== undefined) return keyring
      throw usageError(
        'which keyring?',
        'Give --keyring <file>, or set SEALFILE_KEYRING. A new one is made by: sealfile keys create',
      )
    },
    requirePurpose() {
      if (purpose === undefined && config === undefined) throw noPurpose()
    },
    purposeOf,
    purposesWithin(folder) {
      if (purpose !== undefined) return () => purpose
      if (folder === undefined) throw noPurpose()
      const root = resolve(folder)
      return (path) => purposeOf(join(root, path))
    },
    fileOptions: (path) => ({ ...common, purpose: purposeOf(path) }),
    commonOptions: () => common,
    argon2: () => config?.keyringOptions(argon2).argon2 ?? (argon2 as Argon2Profile | undefined),
  }
}

/** @param path - Where the caller says that it is; else it is looked for. */
async function findSettings(path: string | undefined): Promise<Config | undefined> {
  if (path === '')
    throw usageError('--config is empty', 'Give the path of a file, or leave it out: then one is looked for, here and above.')
  const { findConfig, loadConfig } = await import('sealfile/config')
  if (path !== undefined) return loadConfig(path)
  // One that was found is not trusted as one that was named.
  return (await findConfig()) === undefined ? undefined : loadConfig()
}

/** All but the purpose is the same for each file. */
function withoutPurpose(config: Config): Omit<FileSettings, 'purpose'> {
  const { segmentSize, cipher, durability, commitInterval } = config.fsOptions()
  return said({ segmentSize, cipher, durability, commitInterval })
}

function noPurpose(): Error {
  return usageError('what is the file for?', 'Give --purpose <name>, such as config or logs, or set SEALFILE_PURPOSE.')
}

/** What is empty is as good as not set. */
function fromEnvironment(name: string): string | undefined {
  const value = process.env[name]
  return value === '' ? undefined : value
}

/** What is left open leaves the place to what was set before. */
function said<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

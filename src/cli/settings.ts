import type { Argon2Profile, CipherName, OpenOptions } from 'sealfile'
import { usageError } from './command-error.js'

/** The options from which settings are made. */
export interface SettingOptions {
  readonly keyring?: string
  readonly purpose?: string
  readonly context?: string
  readonly segmentSize?: number
  readonly cipher?: CipherName
  readonly argon2?: Argon2Profile
}

/** How one file is opened, but for the keys. */
export type FileSettings = Pick<OpenOptions, 'purpose' | 'context' | 'segmentSize' | 'cipher'>

/** What commands work with: what was given as options, else what the environment says. */
export interface Settings {
  /** @throws CommandError where nothing says which. */
  keyring(): string

  /** @returns the purpose of a file. @throws CommandError where nothing says which. */
  purposeOf(path: string): string

  /** @returns the purposes of files, by their paths within a folder. */
  purposesWithin(folder: string): (path: string) => string

  fileOptions(path: string): FileSettings

  /** The same without the purpose, for all files of a command. */
  commonOptions(): Omit<FileSettings, 'purpose'>

  /** The cost of a new passphrase; undefined for the library's default. */
  argon2(): Argon2Profile | undefined
}

/** The one place that knows where settings come from. */
export function resolveSettings(options: SettingOptions): Settings {
  const { segmentSize, cipher, argon2 } = options
  const context = options.context === undefined ? undefined : Buffer.from(options.context)
  const common = { context, segmentSize, cipher }
  const purposeOf = (): string => {
    const purpose = options.purpose ?? fromEnvironment('SEALFILE_PURPOSE')
    if (purpose !== undefined) return purpose
    throw usageError('what is the file for?', 'Give --purpose <name>, such as config or logs, or set SEALFILE_PURPOSE.')
  }
  return {
    keyring() {
      const keyring = options.keyring ?? fromEnvironment('SEALFILE_KEYRING')
      if (keyring !== undefined) return keyring
      throw usageError(
        'which keyring?',
        'Give --keyring <file>, or set SEALFILE_KEYRING. A new one is made by: sealfile keys create',
      )
    },
    purposeOf,
    purposesWithin: () => purposeOf,
    fileOptions: () => ({ purpose: purposeOf(), ...common }),
    commonOptions: () => common,
    argon2: () => argon2,
  }
}

/** What is empty is as good as not set. */
function fromEnvironment(name: string): string | undefined {
  const value = process.env[name]
  return value === '' ? undefined : value
}

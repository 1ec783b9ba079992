import type { CipherName } from 'sealfile'
import { usageError } from './command-error.js'

/** The options from which settings are made. */
export interface SettingOptions {
  readonly keyring?: string
  readonly purpose?: string
  readonly context?: string
  readonly segmentSize?: number
  readonly cipher?: CipherName
}

/** What commands work with: what was given as options, else what the environment says. */
export interface Settings {
  /** Of new files; undefined for the library's default. */
  readonly segmentSize: number | undefined
  readonly cipher: CipherName | undefined
  readonly context: Uint8Array | undefined

  /** @throws CommandError where nothing says which. */
  keyring(): string

  /** @returns the purpose of a file. @throws CommandError where nothing says which. */
  purposeOf(path: string): string
}

/** The one place that knows where settings come from. */
export function resolveSettings(options: SettingOptions): Settings {
  const { segmentSize, cipher, context } = options
  return {
    segmentSize,
    cipher,
    context: context === undefined ? undefined : Buffer.from(context),
    keyring() {
      const keyring = options.keyring ?? fromEnvironment('SEALFILE_KEYRING')
      if (keyring !== undefined) return keyring
      throw usageError(
        'which keyring?',
        'Give --keyring <file>, or set SEALFILE_KEYRING. A new one is made by: sealfile keys create',
      )
    },
    purposeOf() {
      const purpose = options.purpose ?? fromEnvironment('SEALFILE_PURPOSE')
      if (purpose !== undefined) return purpose
      throw usageError('what is the file for?', 'Give --purpose <name>, such as config or logs, or set SEALFILE_PURPOSE.')
    },
  }
}

/** What is empty is as good as not set. */
function fromEnvironment(name: string): string | undefined {
  const value = process.env[name]
  return value === '' ? undefined : value
}

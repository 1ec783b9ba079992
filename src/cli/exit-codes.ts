import type { SealfileErrorCode } from 'sealfile'
import { CommandError } from './command-error.js'

/** How the command ends (docs/cli.md, "Exit codes"). */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  wrongKey: 3,
  damaged: 4,
  notOurs: 5,
  partial: 6,
  locked: 7,
  hangup: 129,
  interrupted: 130,
  quit: 131,
  closedPipe: 141,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Of errors that tell more than that something failed. */
const CODES: Readonly<Partial<Record<SealfileErrorCode, ExitCode>>> = {
  ERR_SEALFILE_FORMAT: EXIT.notOurs,
  ERR_SEALFILE_FORMAT_VERSION: EXIT.notOurs,
  ERR_SEALFILE_KEYRING_VERSION: EXIT.notOurs,
  ERR_SEALFILE_PACKAGE: EXIT.damaged,
  ERR_SEALFILE_FORMAT_HEADER: EXIT.damaged,
  ERR_SEALFILE_CORRUPTED: EXIT.damaged,
  ERR_SEALFILE_TRUNCATED: EXIT.damaged,
  ERR_SEALFILE_ROLLED_BACK: EXIT.damaged,
  ERR_SEALFILE_KEYRING: EXIT.damaged,
  ERR_SEALFILE_WRONG_KEY: EXIT.wrongKey,
  ERR_SEALFILE_WRONG_PURPOSE: EXIT.wrongKey,
  ERR_SEALFILE_NO_GENERATION: EXIT.wrongKey,
  ERR_SEALFILE_RECOVERY_KEY: EXIT.wrongKey,
  ERR_SEALFILE_KEYRING_SLOT: EXIT.wrongKey,
  ERR_SEALFILE_LOCKED: EXIT.locked,
  ERR_SEALFILE_CONFIG: EXIT.usage,
}

const NODE_CODES: Readonly<Record<string, ExitCode>> = { EPIPE: EXIT.closedPipe }

/** @returns the exit code for what a command has thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  const code = codeOf(error)
  if (code === undefined) return EXIT.failure
  // Only the library finds fault with values, and they come from options.
  if (error instanceof TypeError || error instanceof RangeError) return code.startsWith('ERR_') ? EXIT.usage : EXIT.failure
  return (CODES as Readonly<Record<string, ExitCode | undefined>>)[code] ?? NODE_CODES[code] ?? EXIT.failure
}

/** @returns the stable code that an error has, of ours or of the system. */
export function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}

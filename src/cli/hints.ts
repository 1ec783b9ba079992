import { CommandError } from './command-error.js'
import { codeOf } from './exit-codes.js'

/** What to do about an error, by its code, where its message does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  ERR_SEALFILE_FORMAT: 'Check the path. An editable file does not come through a pipe: name it, or redirect it with <.',
  ERR_SEALFILE_FORMAT_HEADER: 'Copy the file again in binary mode, or restore it.',
  ERR_SEALFILE_FORMAT_VERSION: 'Update sealfile.',
  ERR_SEALFILE_WRONG_KEY: 'Check the passphrase, and that the keyring is the one that the file was written with.',
  ERR_SEALFILE_WRONG_PURPOSE: 'Give the --purpose, and the --context if there was one, that the file was written with.',
  ERR_SEALFILE_NO_GENERATION: 'Use the newest copy of the keyring.',
  ERR_SEALFILE_RECOVERY_KEY: 'Compare it with what was printed.',
  ERR_SEALFILE_CORRUPTED: 'Restore the file from a copy, or save what is left of it: sealfile salvage',
  ERR_SEALFILE_TRUNCATED: 'Restore the file from a copy, or save what is left of it: sealfile salvage',
  ERR_SEALFILE_LOCKED: 'Wait until the other program has closed it, and try again.',
  ERR_SEALFILE_KEYRING: 'Check the path, or restore the keyring from a copy.',
  ERR_SEALFILE_KEYRING_VERSION: 'Update sealfile.',
  ERR_SEALFILE_KEYRING_SLOT: 'See what there is: sealfile keys list',
  ERR_SEALFILE_PACKAGE: 'Check the path, or get the package again from where it was made.',
  ERR_SEALFILE_CONFIG: 'See docs/configuration.md, or give the option.',
  ERR_SEALFILE_PACKAGE_MISSING: 'Install it beside sealfile.',
  EEXIST: 'Nothing was changed. Choose another name, or let --force replace it where the command has that.',
  EISDIR: 'For folders there are: sealfile batch, sealfile pack',
  ENOSPC: 'Make room, and try again.',
}

/** @returns what to do about an error; undefined where nobody knows. */
export function hintFor(error: unknown): string | undefined {
  if (error instanceof CommandError) return error.hint
  const code = codeOf(error)
  return code === undefined ? undefined : HINTS[code]
}

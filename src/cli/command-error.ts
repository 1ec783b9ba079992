import type { ExitCode } from './exit-codes.js'

/** Something that the command itself has to say, and the library knows nothing of. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: 'FAILED' | 'USAGE' | 'INTERRUPTED'
  readonly exitCode: ExitCode
  /** What to do about it. */
  readonly hint: string | undefined

  constructor(
    message: string,
    details: { readonly hint?: string; readonly code?: CommandError['code']; readonly exitCode?: ExitCode },
  ) {
    super(message)
    this.hint = details.hint
    this.code = details.code ?? 'FAILED'
    this.exitCode = details.exitCode ?? 1
  }
}

/** @returns the error for a call that cannot be. */
export function usageError(message: string, hint?: string): CommandError {
  return new CommandError(message, { code: 'USAGE', exitCode: 2, ...(hint === undefined ? {} : { hint }) })
}

/** @returns the error for a question that was answered with Ctrl-C or Ctrl-D. */
export function interrupted(): CommandError {
  return new CommandError('interrupted', { code: 'INTERRUPTED', exitCode: 130 })
}

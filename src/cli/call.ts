import type { Command } from 'commander'
import type { ExitCode } from './exit-codes.js'
import type { GlobalOptions } from './global-options.js'
import type { Report } from './report.js'
import type { Settings } from './settings.js'

/** What a command's work is done with. */
export interface Call<Options = object> {
  readonly options: Options & GlobalOptions
  readonly settings: Settings
  /** Aborted when the command is to stop. */
  readonly signal: AbortSignal
  readonly report: Report
}

/** A command's work. @returns how the command ends; undefined if all is well. */
export type Action<Options, Operands extends unknown[]> = (
  call: Call<Options>,
  ...operands: Operands
) => Promise<ExitCode | undefined>

/** Has a command do its work when it is called. */
export type Bind = <Options, Operands extends unknown[]>(command: Command, action: Action<Options, Operands>) => void

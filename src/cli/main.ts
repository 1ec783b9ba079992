import { CommanderError, type Command } from 'commander'
import type { Action, Bind } from './call.js'
import { CommandError, interrupted, usageError } from './command-error.js'
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js'
import type { GlobalOptions } from './global-options.js'
import { createProgram } from './program.js'
import { Report } from './report.js'
import { resolveSettings, type SettingOptions } from './settings.js'
import { Signals } from './signals.js'

/**
 * Runs the command.
 *
 * @param args - Without the names of Node and the script.
 * @returns its exit code.
 */
export async function main(args: readonly string[]): Promise<ExitCode> {
  // Who writes hears of it as well.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const signals = new Signals()
  let exitCode: ExitCode = EXIT.ok
  const bind: Bind = <Options, Operands extends unknown[]>(command: Command, action: Action<Options, Operands>) => {
    command.action(async (...given: unknown[]) => {
      refuseDash(command, given)
      const options = command.optsWithGlobals<Options & GlobalOptions & SettingOptions>()
      const call = { options, settings: await resolveSettings(options), signal: signals.signal, report: new Report(options) }
      exitCode = (await action(call, ...(given.slice(0, -2) as Operands))) ?? EXIT.ok
    })
  }
  const isJson = args.includes('--json')
  const program = createProgram(bind, isJson ? () => undefined : undefined)
  try {
    await program.parseAsync(helpArguments(args), { from: 'user' })
    return signals.exitCode ?? exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    // Commander has shown its help.
    if (error instanceof CommanderError && error.code === NO_COMMAND && !isJson) return EXIT.usage
    const told = error instanceof CommanderError ? usageErrorOf(error, helpPage(program, args)) : error
    return await end(new Report({ json: isJson }), told, signals)
  }
}

/** Commander's code for one that is missing, or not known to its help. */
const NO_COMMAND = 'commander.help'

/** `help keys create` is `keys create --help`: that of Commander takes one name. */
function helpArguments(args: readonly string[]): readonly string[] {
  const [first, ...names] = args
  return first === 'help' && names.length > 1 ? [...names, '--help'] : args
}

/** @returns how to see the help on what was called. */
function helpPage(program: Command, args: readonly string[]): string {
  const names: string[] = []
  let command = program
  for (const arg of args) {
    const inner = command.commands.find((one) => one.name() === arg)
    if (inner === undefined) continue
    names.push(arg)
    command = inner
  }
  return `See: ${['sealfile', 'help', ...names].join(' ')}`
}

function usageErrorOf({ code, message }: CommanderError, page: string): Error {
  if (code === NO_COMMAND) return usageError('which command?', page)
  const [, fault = message, suggestion] = /^error: (.*?)(?:\n\((.*)\))?$/s.exec(message) ?? []
  return usageError(fault, suggestion ?? page)
}

/** Else what was to go through a pipe would be in a file of this name. */
function refuseDash({ registeredArguments }: Command, operands: readonly unknown[]): void {
  for (const [index, argument] of registeredArguments.entries()) {
    if (argument.defaultValue === '-' || ![operands[index]].flat().includes('-')) continue
    throw usageError(`<${argument.name()}> cannot be a standard stream`, 'A file that is called so is ./-')
  }
}

async function end(report: Report, error: unknown, { exitCode }: Signals): Promise<ExitCode> {
  if (exitCode !== undefined) {
    // Such as where plaintext was left; what else fails after a signal, fails because of it, and people know that.
    const told = error instanceof CommandError ? error : interrupted()
    if (told.code !== 'INTERRUPTED' || report.isJson) await report.error(told).catch(() => undefined)
    return exitCode
  }
  const code = exitCodeOf(error)
  // Whoever reads no more wants to hear no more.
  if (code !== EXIT.closedPipe) await report.error(error).catch(() => undefined)
  return code
}

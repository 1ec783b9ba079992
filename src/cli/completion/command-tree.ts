import type { Command, Option } from 'commander'

/** The commands as completion needs them: what may stand at each place of a line. */

/** A word that may stand somewhere, and what it means. */
export interface Word {
  readonly name: string
  readonly description: string
}

/** What may be the value of an option, or an operand: one of these words, a path, or text that nobody can complete. */
export type Values = readonly Word[] | 'path' | 'text'

/** An option. */
export interface OptionNode {
  /** `-k` and `--keyring`, or one of them. */
  readonly names: readonly string[]
  readonly description: string
  /** Undefined for a switch. */
  readonly value?: Values
}

/** A command, or a group of them. */
export interface CommandNode {
  /** The names that lead to it: none to the program. */
  readonly path: readonly string[]
  /** Of its own, without those of all commands. */
  readonly options: readonly OptionNode[]
  /** Of a group, its commands. */
  readonly operands: Values
  readonly isGroup: boolean
}

/** All that can be completed. */
export interface CommandTree {
  /** The program first, and each group before its commands. */
  readonly nodes: readonly CommandNode[]
  /** Options of all commands. */
  readonly shared: readonly OptionNode[]
}

const HELP = { short: '-h', long: '--help', description: 'display help' }
/** As commands call what is a path. */
const PATH_NAMES = new Set(['file', 'path', 'keyring', 'input', 'output', 'source', 'target', 'package'])

export function commandTree(program: Command): CommandTree {
  const isOfAll = ({ long }: Option): boolean => long !== '--version'
  const own = program.options.filter((option) => !isOfAll(option))
  const shared = [
    { names: [HELP.short, HELP.long], description: HELP.description },
    ...program.options.filter(isOfAll).map(optionNode),
  ]
  return { nodes: [...nodesOf(program, [], own)], shared }
}

/** @returns the options that take a value. */
export function valuedOptions({ nodes, shared }: CommandTree): (OptionNode & { readonly value: Values })[] {
  const all = [...nodes.flatMap(({ options }) => options), ...shared]
  return all.filter((option): option is OptionNode & { readonly value: Values } => option.value !== undefined)
}

function* nodesOf(command: Command, path: readonly string[], options: readonly Option[]): Generator<CommandNode> {
  // `options` is a page of help.
  const commands = command.commands.filter((inner) => inner.name() !== 'options')
  const isGroup = commands.length > 0
  const words = wordsOf(commands)
  const help = { name: 'help', description: HELP.description }
  yield { path, options: options.map(optionNode), operands: isGroup ? [...words, help] : operandsOf(command), isGroup }
  for (const inner of commands) yield* nodesOf(inner, [...path, inner.name()], inner.options)
  if (isGroup) yield* helpNodesOf(command, path, words)
}

/** `keys help create`, and of the program `help keys create`. */
function* helpNodesOf(command: Command, path: readonly string[], words: readonly Word[]): Generator<CommandNode> {
  const here = [...path, 'help']
  const isOfAll = path.length === 0
  const pages = isOfAll ? [{ name: 'options', description: 'options of all commands' }] : []
  yield { path: here, options: [], operands: [...words, ...pages], isGroup: isOfAll }
  if (!isOfAll) return
  for (const group of command.commands.filter((inner) => inner.commands.length > 0)) {
    yield { path: [...here, group.name()], options: [], operands: wordsOf(group.commands), isGroup: false }
  }
}

function wordsOf(commands: readonly Command[]): Word[] {
  return commands.map((command) => ({ name: command.name(), description: command.summary() || command.description() }))
}

function optionNode({ short, long, description, required, optional, argChoices, flags }: Option): OptionNode {
  const names = [short, long].filter((name) => name !== undefined)
  if (!required && !optional) return { names, description }
  const [, name = ''] = /[<[]([\w-]+)/.exec(flags) ?? []
  return { names, description, value: valuesOf(name, argChoices) }
}

/** Where an operand is a path, others are not told from it. */
function operandsOf({ registeredArguments }: Command): Values {
  const all = registeredArguments.map((argument) => valuesOf(argument.name(), argument.argChoices))
  return all.find((values) => values !== 'text') ?? 'text'
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return choices.map((choice) => ({ name: choice, description: '' }))
  return PATH_NAMES.has(name) ? 'path' : 'text'
}

import type { Command, Option } from 'commander'

/** Scripts that complete the command in shells, made of its tree of commands. */

interface Node {
  /** Without the program's name: empty for the program. */
  readonly path: readonly string[]
  readonly commands: readonly Command[]
  readonly options: readonly Option[]
}

const HELP = ['-h', '--help']

function* nodesOf(program: Command): Generator<Node> {
  yield* visit(program, [])

  function* visit(command: Command, path: readonly string[]): Generator<Node> {
    const commands = visible(command)
    const options = command === program ? program.options : [...command.options, ...program.options.filter(isShared)]
    yield { path, commands, options }
    for (const inner of commands) yield* visit(inner, [...path, inner.name()])
  }
}

function isShared({ long }: Option): boolean {
  return long !== '--version'
}

function visible(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== 'help' && command.commands.includes(inner))
}

function wordsOf({ commands, options }: Node): string {
  const names = options.flatMap(({ short, long }) => [short, long].filter((name) => name !== undefined))
  return [...commands.map((command) => command.name()), ...HELP, ...names].join(' ')
}

/** A name of a command for each level, as far as there are any; what is no command ends them. */
function shellCase(program: Command): string {
  return [...nodesOf(program)].map((node) => `    '${node.path.join(' ')}') words='${wordsOf(node)}' ;;`).join('\n')
}

function pathsOf(program: Command): string {
  return [...nodesOf(program)].map(({ path }) => `'${path.join(' ')}'`).join('|')
}

/** @returns a script for bash: names of commands and options, else of files. */
export function bashCompletion(program: Command): string {
  return `_sealfile() {
  local path='' next word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${pathsOf(program)}) path=$next ;; esac
  done
  case "$path" in
${shellCase(program)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sealfile sealfile
`
}

/** @returns a script for zsh, to be evaluated once compinit has run. */
export function zshCompletion(program: Command): string {
  return `#compdef sealfile
_sealfile() {
  local path_='' next word words_
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${path_:+$path_ }$word"
    case "$next" in ${pathsOf(program)}) path_=$next ;; esac
  done
  case "$path_" in
${shellCase(program).replaceAll(" words='", " words_='")}
  esac
  compadd -- \${=words_}
  _files
}
compdef _sealfile sealfile
`
}

/** @returns a script for fish. */
export function fishCompletion(program: Command): string {
  const lines: string[] = []
  for (const { path, commands, options } of nodesOf(program)) {
    const inner = commands.map((command) => command.name()).join(' ')
    const here = path.map((name) => `__fish_seen_subcommand_from ${name}`)
    const condition = [...here, ...(inner === '' ? [] : [`not __fish_seen_subcommand_from ${inner}`])].join('; and ')
    const when = condition === '' ? '' : ` -n ${quote(condition)}`
    for (const command of commands)
      lines.push(`complete -c sealfile${when} -a ${command.name()} -d ${quote(command.description())}`)
    for (const option of path.length === 0 ? options : options.filter((own) => !program.options.includes(own))) {
      lines.push(`complete -c sealfile${path.length === 0 ? '' : when}${fishOption(option)} -d ${quote(option.description)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function fishOption({ short, long, required, optional, argChoices }: Option): string {
  const names = `${short === undefined ? '' : ` -s ${short.slice(1)}`}${long === undefined ? '' : ` -l ${long.slice(2)}`}`
  const value = required || optional ? ' -r' : ''
  return `${names}${value}${argChoices === undefined ? '' : ` -a ${quote(argChoices.join(' '))}`}`
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

import type { Command } from 'commander'
import { commandTree, type CommandNode, type OptionNode, type Values } from './command-tree.js'

/** @returns a script for zsh, to be evaluated once compinit has run, or to lie in a folder of `fpath` as `_sealfile`. */
export function zshCompletion(program: Command): string {
  const { nodes, shared } = commandTree(program)
  return `#compdef sealfile
typeset -ga _sealfile_shared=(${shared.map(specification).join(' ')})
${nodes.map(functionOf).join('\n')}
if [ "$funcstack[1]" = _sealfile ]; then _sealfile "$@"; else compdef _sealfile sealfile; fi
`
}

function functionOf({ path, options, operands, isGroup }: CommandNode): string {
  const name = ['_sealfile', ...path].join('_')
  const own = options.map(specification)
  if (!isGroup)
    return `${name}() {\n  _arguments -s -S -C $_sealfile_shared ${[...own, ...operandSpecifications(operands)].join(' ')}\n}`
  return `${name}() {
  local curcontext=$curcontext context state state_descr line
  local -A opt_args
  local -a commands
  _arguments -s -S -C $_sealfile_shared ${own.join(' ')} ': :->command' '*:: :->operands' && return
  case $state in
    command)
      commands=(${wordsOf(operands)})
      _describe command commands
      ;;
    operands) (( \${+functions[${name}_$words[1]]} )) && ${name}_$words[1] ;;
  esac
}`
}

function wordsOf(values: Values): string {
  return typeof values === 'string' ? '' : values.map(({ name, description }) => quote(`${name}:${description}`)).join(' ')
}

/** May be given again: `-p` of `rewrap` is. */
function specification({ names, description, value }: OptionNode): string {
  const joined = names.map((name) => (value === undefined ? name : name.startsWith('--') ? `${name}=` : `${name}+`))
  const explained = `[${description.replace(/[[\]\\]/g, '\\$&')}]${value === undefined ? '' : `:value:${action(value)}`}`
  return joined.length === 1 ? quote(`*${joined[0]!}${explained}`) : `'*'{${joined.join(',')}}${quote(explained)}`
}

/** An operand that cannot be completed would stand in the way of options. */
function operandSpecifications(operands: Values): string[] {
  return operands === 'text' ? [] : [quote(`*:operand:${action(operands)}`)]
}

function action(values: Values): string {
  if (values === 'path') return '_files'
  return values === 'text' ? ' ' : `(${values.map(({ name }) => name).join(' ')})`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

import type { Command } from 'commander'
import { commandTree, valuedOptions, type OptionNode, type Values } from './command-tree.js'

/** @returns a script for fish, which completes paths wherever `-f` or `-x` does not forbid it. */
export function fishCompletion(program: Command): string {
  const tree = commandTree(program)
  const valued = new Set(valuedOptions(tree).flatMap(({ names }) => names))
  const paths = tree.nodes.slice(1).map(({ path }) => quote(path.join(' ')))
  const ofCommands = tree.nodes.flatMap(({ path, options, operands }) => {
    const at = `-n ${quote(`__sealfile_at ${quote(path.join(' '))}`)}`
    return [...operandLines(operands), ...options.map(optionLine)].map((line) => `${at} ${line}`)
  })
  const lines = [...ofCommands, ...tree.shared.map(optionLine)]
  return `function __sealfile_at
    set -l path
    set -l before
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if not contains -- "$before" ${[...valued].join(' ')}
            set -l next (string join ' ' -- $path $word)
            contains -- $next ${paths.join(' ')}; and set path $next
        end
        set before $word
    end
    test "$path" = "$argv[1]"
end
${lines.map((line) => `complete -c sealfile ${line}`).join('\n')}
`
}

function operandLines(operands: Values): string[] {
  if (operands === 'path') return []
  if (operands === 'text') return ['-f']
  return operands.map(({ name, description }) => `-f -a ${name} -d ${quote(description)}`)
}

function optionLine({ names, description, value }: OptionNode): string {
  const given = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [...given, ...valueWords(value), '-d', quote(description)].join(' ')
}

function valueWords(value: Values | undefined): string[] {
  if (value === undefined) return []
  if (value === 'path') return ['-r', '-F']
  return value === 'text' ? ['-x'] : ['-x', '-a', quote(value.map(({ name }) => name).join(' '))]
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

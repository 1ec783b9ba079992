import type { Command } from 'commander'
import { commandTree, valuedOptions, type Values } from './command-tree.js'

/** @returns a script for bash, 3.2 of macOS included. Where it returns early, bash completes paths. */
export function bashCompletion(program: Command): string {
  const tree = commandTree(program)
  const shared = tree.shared.flatMap(({ names }) => names)
  const valued = valuedOptions(tree)
  const paths = tree.nodes.slice(1).map(({ path }) => path.join(' '))
  // Options such as --cipher belong to several commands.
  const values = new Set(valued.map(({ names, value }) => `    ${patterns(names)}) ${give(value)} ;;`))
  const operands = tree.nodes.flatMap(({ path, options, operands }) => [
    `        '${path.join(' ')}:-'*) words='${[...options.flatMap(({ names }) => names), ...shared].join(' ')}' ;;`,
    `        '${path.join(' ')}:'*) ${give(operands)} ;;`,
  ])
  return `_sealfile() {
  local path='' before='' word next words current=\${COMP_WORDS[COMP_CWORD]}
  [[ $current != '=' ]] || current=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word != '=' ]] || continue
    case "$before" in
      ${patterns(valued.flatMap(({ names }) => names))}) ;;
      *)
        next="\${path:+$path }$word"
        case "$next" in ${patterns(paths)}) path=$next ;; esac
        ;;
    esac
    before=$word
  done
  COMPREPLY=()
  case "$before" in
${[...values].join('\n')}
    *)
      case "$path:$current" in
${operands.join('\n')}
      esac
      ;;
  esac
  compopt +o default 2>/dev/null
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sealfile sealfile
`
}

function give(values: Values): string {
  if (values === 'path') return 'return'
  return `words='${values === 'text' ? '' : values.map(({ name }) => name).join(' ')}'`
}

/** Of one `case`. */
function patterns(texts: readonly string[]): string {
  return [...new Set(texts)].map((text) => `'${text}'`).join('|')
}

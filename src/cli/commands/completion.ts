import { Argument, type Command } from 'commander'
import type { Bind } from '../call.js'
import { bashCompletion, fishCompletion, zshCompletion } from '../completion-scripts.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
type Shell = keyof typeof SHELLS

export function addCompletion(program: Command, bind: Bind): void {
  const command = program
    .command('completion', { hidden: true })
    .description('Print what completes commands in a shell. For bash, in ~/.bashrc: eval "$(sealfile completion bash)"')
    .addArgument(new Argument('<shell>').choices(Object.keys(SHELLS)))
  bind<object, [Shell]>(command, async ({ report }, shell) => {
    const script = SHELLS[shell](program)
    await report.result({ command: 'completion', shell, script }, script.trimEnd())
    return undefined
  })
}

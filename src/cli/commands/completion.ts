import { Argument, type Command } from 'commander'
import { bashCompletion, fishCompletion, zshCompletion } from '../completion-scripts.js'
import type { GlobalOptions } from '../global-options.js'
import { Report } from '../report.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
type Shell = keyof typeof SHELLS

export function addCompletion(program: Command): void {
  const command = program
    .command('completion', { hidden: true })
    .description('Print what completes commands in a shell. For bash, in ~/.bashrc: eval "$(sealfile completion bash)"')
    .addArgument(new Argument('<shell>').choices(Object.keys(SHELLS)))
  // A shell that starts must not fail for settings that are wrong where it does.
  command.action(async (shell: Shell) => {
    const script = SHELLS[shell](program)
    const report = new Report(command.optsWithGlobals<GlobalOptions>())
    await report.result({ command: 'completion', shell, script }, script.trimEnd().split('\n'))
  })
}

import { Argument, type Command } from 'commander'
import { bashCompletion } from '../completion/bash.js'
import { fishCompletion } from '../completion/fish.js'
import { zshCompletion } from '../completion/zsh.js'
import type { GlobalOptions } from '../global-options.js'
import { Report } from '../report.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
type Shell = keyof typeof SHELLS

export function addCompletion(program: Command): void {
  const command = program
    .command('completion', { hidden: true })
    .summary('print what completes commands in a shell')
    .description(
      'Print what completes commands in a shell, for the file that it starts with. In bash: eval "$(sealfile completion bash)", ' +
        'in zsh the same after compinit, in fish: sealfile completion fish | source',
    )
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(SHELLS)))
  // A shell that starts must not fail for settings that are wrong where it does.
  command.action(async (shell: Shell) => {
    const script = SHELLS[shell](program)
    const report = new Report(command.optsWithGlobals<GlobalOptions>())
    await report.result({ command: 'completion', shell, script }, script.trimEnd().split('\n'))
  })
}

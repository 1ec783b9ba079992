import type { Argument, Command, Option } from 'commander'

/** Sets how help looks, of all commands: each fits a screen of 24 lines. */
export function configureHelp(program: Command): void {
  program.configureHelp({
    subcommandTerm: (command: Command) => command.name(),
    // Who reads this knows `--help`. The program's own options are those of all commands, which have a page of their own.
    visibleOptions: (command: Command) => (command === program ? [] : [...command.options]),
    optionDescription: explain,
    argumentDescription: explain,
  })
  program.addHelpText('afterAll', ({ command }) => {
    if (command.name() === 'options') return ''
    if (command !== program) return '\nOptions of all commands, such as --keyring: sealfile help options'
    return '\nOptions of all commands: sealfile help options. In shells: sealfile completion'
  })
}

function explain({ description, argChoices, defaultValue, defaultValueDescription }: Option | Argument): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
  const value: unknown = defaultValue
  const byDefault = defaultValueDescription ?? (value === undefined ? undefined : JSON.stringify(value).replaceAll('"', ''))
  return `${description}${choices}${byDefault === undefined ? '' : ` (default: ${byDefault})`}`
}

/** Adds the command that shows the options of all others. */
export function addOptionsTopic(program: Command): void {
  const topic = program.command('options', { hidden: true }).usage(' ').description('Options of all commands.')
  topic.configureHelp({ ...topic.configureHelp(), showGlobalOptions: true }).helpOption(false)
  topic.action(() => topic.help())
}

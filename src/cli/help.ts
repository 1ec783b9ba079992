import { Help, type Command, type Option } from 'commander'

/** Sets how help looks, of all commands: each fits a screen of 24 lines. */
export function configureHelp(program: Command): void {
  program.configureHelp({
    subcommandTerm: (command: Command) => command.name(),
    // Who reads this knows `--help`. The program's own options are those of all commands, which have a page of their own.
    visibleOptions: (command: Command) => (command === program ? [] : [...command.options]),
    optionDescription(option: Option): string {
      const { description, argChoices, defaultValueDescription } = option
      const defaultValue: unknown = option.defaultValue
      const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
      const byDefault =
        defaultValueDescription ?? (defaultValue === undefined ? undefined : JSON.stringify(defaultValue).replaceAll('"', ''))
      return `${description}${choices}${byDefault === undefined ? '' : ` (default: ${byDefault})`}`
    },
    argumentDescription(argument): string {
      return Help.prototype.argumentDescription.call(this, argument).replace(/\(default: "(.*)"\)$/, '(default: $1)')
    },
  })
  program.addHelpText('afterAll', ({ command }) =>
    command.name() === 'options' ? '' : '\nOptions of all commands, such as --keyring: sealfile help options',
  )
}

/** Adds the command that shows the options of all others. */
export function addOptionsTopic(program: Command): void {
  const topic = program.command('options', { hidden: true }).usage(' ').description('Options of all commands.')
  topic.configureHelp({ ...topic.configureHelp(), showGlobalOptions: true }).helpOption(false)
  topic.action(() => topic.help())
}

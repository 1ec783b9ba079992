import type { Command } from 'commander'
import type { Call } from '../call.js'

/** For commands whose files may have been written for several purposes. */
export interface PurposesOption {
  readonly purpose?: string[]
}

export function addPurposes(command: Command): Command {
  return command.option(
    '-p, --purpose <name>',
    'what files were written for; given again, each is tried',
    (name: string, before: string[] | undefined) => [...(before ?? []), name],
  )
}

/** @returns the purposes to be tried with each file. @throws CommandError where nothing could say any. */
export function purposesOf({ options, settings }: Call<PurposesOption>): string[] | ((path: string) => string) {
  if (options.purpose !== undefined) return options.purpose
  settings.requirePurpose()
  return (path) => settings.purposeOf(path)
}

import type { Command } from 'commander'
import type { Bind, Call } from '../call.js'
import type { ExitCode } from '../exit-codes.js'
import { addLockTimeout } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { count } from '../sizes.js'
import { addPurposes, purposesOf, type PurposesOption } from './purposes.js'
import { reportTree } from './tree-report.js'

interface Options extends PurposesOption {
  readonly lockTimeout?: number
  readonly dryRun?: boolean
}

export function addRewrap(program: Command, bind: Bind): void {
  const command = program
    .command('rewrap')
    .summary('move files over to a new master key')
    .description('Move files over to the newest generation of the master key. Changes headers alone, and can be run again.')
    .argument('<path...>', 'encrypted files, and folders of them')
  addLockTimeout(addPurposes(command)).option('--dry-run', 'check everything, change nothing')
  bind<Options, [string[]]>(command, rewrap)
}

async function rewrap(call: Call<Options>, paths: readonly string[]): Promise<ExitCode | undefined> {
  const { lockTimeout, dryRun = false } = call.options
  const purpose = purposesOf(call)
  const { failures, ...tally } = await withKeys(call, (keyManager) =>
    keyManager.rewrap(paths, { purpose, lockTimeout, dryRun, signal: call.signal }),
  )
  const { files, rewrapped, current, foreign, notEncrypted } = tally
  const text =
    `${count(files, 'file')}: ${rewrapped} ${dryRun ? 'would be ' : ''}rewrapped, ${current} were current, ` +
    `${foreign} of other keyrings, ${notEncrypted} not encrypted`
  return reportTree(call, { command: 'rewrap', dryRun, ...tally }, text, failures)
}

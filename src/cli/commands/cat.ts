import { Option, type Command } from 'commander'
import type { Bind, Call } from '../call.js'
import { writeOut } from '../content.js'
import { addForce, addPurpose, openOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { parseSize } from '../sizes.js'

interface Options {
  readonly force?: boolean
  readonly offset?: number
  readonly length?: number
}

export function addCat(program: Command, bind: Bind): void {
  const command = program
    .command('cat')
    .summary('write the content of files to standard output')
    .description('Write the content of files to standard output, or a part of each. Reads no more of a file than it needs.')
    .argument('<file...>', 'encrypted files')
  addForce(addPurpose(command), 'let binary content go to a terminal')
  command
    .addOption(new Option('--offset <bytes>', 'leave out the beginning').argParser(parseSize))
    .addOption(new Option('--length <bytes>', 'stop after so many').argParser(parseSize))
  bind<Options, [string[]]>(command, cat)
}

async function cat(call: Call<Options>, paths: readonly string[]): Promise<undefined> {
  const { offset: start = 0, length, force = false } = call.options
  for (const path of paths) call.settings.purposeOf(path)
  const end = length === undefined ? undefined : start + length - 1
  const { EncryptedFile } = await import('sealfile')
  await withKeys(call, async (keyManager) => {
    for (const path of paths) {
      const file = await EncryptedFile.open(path, 'r', openOptions(call, keyManager, path))
      try {
        if (length === 0) continue
        const stream = file.createReadStream({ start, autoClose: false, ...(end === undefined ? {} : { end }) })
        await writeOut(stream, force, call.signal)
      } finally {
        await file.close()
      }
    }
  })
  return undefined
}

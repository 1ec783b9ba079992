import { createRequire } from 'node:module'
import { Command } from 'commander'
import type { Bind } from './call.js'
import { addAppend } from './commands/append.js'
import { addBatch } from './commands/batch.js'
import { addBench } from './commands/bench.js'
import { addCat } from './commands/cat.js'
import { addCompletion } from './commands/completion.js'
import { addDecrypt } from './commands/decrypt.js'
import { addEdit } from './commands/edit.js'
import { addEncrypt } from './commands/encrypt.js'
import { addInfo } from './commands/info.js'
import { addKeys } from './commands/keys.js'
import { addMigrate } from './commands/migrate.js'
import { addPack } from './commands/pack.js'
import { addReencrypt } from './commands/reencrypt.js'
import { addRewrap } from './commands/rewrap.js'
import { addSalvage } from './commands/salvage.js'
import { addUnpack } from './commands/unpack.js'
import { addVerify } from './commands/verify.js'
import { addGlobalOptions } from './global-options.js'
import { addOptionsTopic, configureHelp } from './help.js'

/** @returns the tree of all commands, from which help and completion are made, too. */
export function createProgram(bind: Bind, writeErr = (text: string): unknown => process.stderr.write(text)): Command {
  const { version } = createRequire(import.meta.url)('sealfile/package.json') as { readonly version: string }
  const program = new Command('sealfile')
    .description('Encrypted files. `sealfile help <command>` tells more of each command.')
    .usage('<command> [options]')
    .version(version)
    .helpCommand('help [command]')
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeErr })
  configureHelp(program)
  addGlobalOptions(program)
  const groups = [addKeys, addEncrypt, addDecrypt, addCat, addAppend, addEdit, addInfo, addVerify, addSalvage]
  const others = [addRewrap, addReencrypt, addBatch, addPack, addUnpack, addMigrate, addBench]
  for (const add of [...groups, ...others]) add(program, bind)
  addCompletion(program)
  addOptionsTopic(program)
  return program
}

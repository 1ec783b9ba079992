import { Option, type Command } from 'commander'
import type { Bind } from '../call.js'
import { parseNumber } from '../sizes.js'
import { changePassphrase, createKeys, recover } from './keys/passphrases.js'
import { retire, rotate } from './keys/rotation.js'
import { addSlot, KINDS, listSlots, removeSlot } from './keys/slots.js'

/** Adds the commands that make and change keyrings. */
export function addKeys(program: Command, bind: Bind): void {
  const keys = program.command('keys').summary('make and change keyrings').description('Make a keyring, and change what opens it.')

  const create = keys
    .command('create')
    .summary('make a keyring')
    .description('Make a keyring, opened by a passphrase, a key file or the keychain. Keep a copy of it.')
  addNewSlot(create).option('--print-recovery-key', 'add a recovery key, and print it this once')
  bind(create, createKeys)

  bind(
    keys.command('list').summary('list what opens it').description('List what opens the keyring, and its generations.'),
    listSlots,
  )

  const add = keys
    .command('add')
    .summary('add a way into it')
    .description('Add another way into the keyring. A recovery key is made, and printed this once.')
    .addArgument(keys.createArgument('[kind]', 'what opens it').choices(KINDS).default('passphrase'))
  addNewPassphrase(addNewSlot(add)).option('--new-key-file <file>', 'key: a file of 32 random bytes')
  bind(add, addSlot)

  const remove = keys
    .command('remove')
    .summary('remove a way into it')
    .description('Remove a way into the keyring. The last one stays.')
    .argument('<slot>', 'its id, from keys list')
  bind(remove, removeSlot)

  const change = keys
    .command('change-passphrase')
    .summary('put a new passphrase in the place of an old one')
    .description('Put a new passphrase in the place of an old one. No file is touched.')
  bind(addNewPassphrase(addArgon2(change)), changePassphrase)

  const recovery = keys
    .command('recover')
    .summary('open it by a recovery key, and add a passphrase')
    .description('Open the keyring by a recovery key, and add a new passphrase.')
  bind(addNewPassphrase(addNewSlot(recovery)), recover)

  bind(
    keys
      .command('rotate')
      .summary('make a new master key')
      .description('Make a new master key for new files. Then move the others over: sealfile rewrap'),
    rotate,
  )

  const old = keys
    .command('retire')
    .summary('remove an old master key')
    .description('Remove an old master key that no file needs any more. Files elsewhere that need it are lost.')
    .addArgument(keys.createArgument('<generation>').argParser(parseNumber))
    .argument('<path...>', 'all files and folders of the keyring')
  bind(old, retire)
}

function addArgon2(command: Command): Command {
  return command.option('--argon2 <profile>', 'cost: rfc9106-second, interactive, or of the settings')
}

function addNewSlot(command: Command): Command {
  return addArgon2(command).option('--label <text>', 'what to call it')
}

function addNewPassphrase(command: Command): Command {
  return command
    .option('--new-passphrase-file <file>', 'new passphrase: first line of a file')
    .addOption(new Option('--new-passphrase-fd <n>', 'new passphrase: from a descriptor').argParser(parseNumber))
}

import { Option, type Command } from 'commander'
import type { KeyManager } from 'sealfile'
import type { Bind, Call } from '../call.js'
import type { ExitCode } from '../exit-codes.js'
import { addLockTimeout, addShape, type ShapeOptions } from '../file-options.js'
import { getCredential, openKeyring, withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { count, formatSize, parseNumber } from '../sizes.js'
import { addPurposes, purposesOf, type PurposesOption } from './purposes.js'
import { reportTree } from './tree-report.js'

interface Options extends PurposesOption, ShapeOptions {
  readonly lockTimeout?: number
  readonly before?: number
  readonly into?: string
  readonly intoPassphraseFile?: string
  readonly intoPassphraseFd?: number
}

export function addReencrypt(program: Command, bind: Bind): void {
  const command = program
    .command('reencrypt')
    .summary('give files new data keys')
    .description('Encrypt files anew, each with a fresh data key. A damaged file stays as it is.')
    .argument('<path...>', 'encrypted files, and folders of them')
  addLockTimeout(addShape(addPurposes(command)))
    .addOption(new Option('--before <generation>', 'leave out what is of it, or later').argParser(parseNumber))
    .option('--into <keyring>', 'let the files belong to another keyring')
    .option('--into-passphrase-file <file>', 'its passphrase: first line of a file')
    .addOption(new Option('--into-passphrase-fd <n>', 'its passphrase: from a descriptor').argParser(parseNumber))
  bind<Options, [string[]]>(command, reencrypt)
}

async function reencrypt(call: Call<Options>, paths: readonly string[]): Promise<ExitCode | undefined> {
  const { lockTimeout, before } = call.options
  const { segmentSize, cipher, context } = call.settings.commonOptions()
  const { signal } = call
  const purpose = purposesOf(call)
  const { failures, ...tally } = await withKeys(call, async (keyManager) => {
    const into = await openOther(call)
    try {
      return await withProgress(call.report, 'encrypting', (progress) => {
        const onProgress = ({ bytes }: { bytes: number }): void => progress.update(bytes, undefined)
        return keyManager.reencrypt(paths, { segmentSize, cipher, purpose, context, lockTimeout, before, into, signal, onProgress })
      })
    } finally {
      into?.close()
    }
  })
  const { files, bytes, reencrypted, current, foreign, notEncrypted } = tally
  const text =
    `${count(files, 'file')}: ${reencrypted} encrypted anew (${formatSize(bytes)}), ${current} were current, ` +
    `${foreign} of other keyrings, ${notEncrypted} not encrypted`
  return reportTree(call, { command: 'reencrypt', ...tally }, text, failures)
}

async function openOther({ options, signal }: Call<Options>): Promise<KeyManager | undefined> {
  const { into, intoPassphraseFile: passphraseFile, intoPassphraseFd: passphraseFd } = options
  if (into === undefined) return undefined
  const given = {
    ...(passphraseFile === undefined ? {} : { passphraseFile }),
    ...(passphraseFd === undefined ? {} : { passphraseFd }),
  }
  const source = { name: `passphrase of ${into}`, variable: 'SEALFILE_INTO_PASSPHRASE', option: '--into-passphrase-file' }
  return openKeyring(into, await getCredential(given, signal, source), signal)
}

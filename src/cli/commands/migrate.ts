import { readFile, stat } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import type { KeyManager } from 'sealfile'
import type { AgeAccess, AicoKeys, MigrationFormat, MigrationOptions } from 'sealfile/compat'
import type { Bind, Call } from '../call.js'
import { usageError } from '../command-error.js'
import type { ExitCode } from '../exit-codes.js'
import { addForce, addPurpose, addShape, type ShapeOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { getSecret, readSecretFile } from '../secrets.js'
import { count, formatSize } from '../sizes.js'
import { reportTree } from './tree-report.js'

interface Options extends ShapeOptions {
  readonly force?: boolean
  readonly from?: MigrationFormat
  readonly removeSource?: boolean
  readonly dryRun?: boolean
  readonly ageIdentity?: string
  readonly agePassphrase?: boolean
  readonly aicoKey?: string
  readonly aicoSalt?: string
  readonly aicoPurpose?: string
}

/** What opens the files from before. */
interface OldKeys {
  readonly age: AgeAccess | undefined
  readonly aico: { readonly keys: AicoKeys; readonly purpose: string } | undefined
}

export function addMigrate(program: Command, bind: Bind): void {
  const command = program
    .command('migrate')
    .summary('take over plain, AICO and age files')
    .description('Take over plain, AICO and age files. Each is read back before it is in place.')
    .argument('<source>', 'file or folder')
    .argument('[target]', 'file or folder (default: in place)')
  addForce(addShape(addPurpose(command)), 'replace what has the name of a target')
    .addOption(new Option('--from <format>', 'what they are').choices(['auto', 'plain', 'aico', 'age']).default('auto'))
    .option('--remove-source', 'remove each when its target is on the disk')
    .option('--dry-run', 'tell what would be done')
    .option('--age-identity <file>', 'opens age files, as age -i')
    .option('--age-passphrase', 'ask for it, or SEALFILE_AGE_PASSPHRASE')
    .option('--aico-key <file>', '32 bytes: the master key of AICO files')
    .option('--aico-salt <file>', '16 bytes: then ask for the passphrase')
    .option('--aico-purpose <name>', 'of AICO files (default: as --purpose)')
  bind<Options, [string, string | undefined]>(command, migrate)
}

async function migrate(call: Call<Options>, source: string, target = source): Promise<ExitCode | undefined> {
  call.settings.requirePurpose()
  const isFolder = (await stat(source)).isDirectory()
  const old = await getOldKeys(call, source)
  try {
    return await withKeys(call, (keyManager) => (isFolder ? migrateFolder : migrateOne)(call, keyManager, source, target, old))
  } finally {
    old.aico?.keys.dispose()
  }
}

function optionsOf({ options, settings, signal }: Call<Options>, keyManager: KeyManager): MigrationOptions {
  const { force = false, from, removeSource = false, dryRun = false } = options
  const { context, segmentSize, cipher } = settings.commonOptions()
  return { keyManager, context, segmentSize, cipher, from, removeSource, overwrite: force, dryRun, signal }
}

async function migrateOne(
  call: Call<Options>,
  keyManager: KeyManager,
  source: string,
  target: string,
  old: OldKeys,
): Promise<undefined> {
  const { migrateFile } = await import('sealfile/compat')
  const made = await withProgress(call.report, 'migrating', (progress) =>
    migrateFile(source, target, {
      ...optionsOf(call, keyManager),
      ...old,
      purpose: call.settings.purposeOf(target),
      onProgress: ({ done, total }) => progress.update(done, total),
    }),
  )
  const { outcome, format, size, isSourceRemoved, isDryRun } = made
  const facts = { command: 'migrate', source, target, outcome, format, size, isSourceRemoved, isDryRun }
  const done = outcome === 'present' ? 'was taken over before' : `${isDryRun ? 'would be ' : ''}taken over from ${format}`
  await call.report.result(facts, [`${target}: ${done}`])
  return undefined
}

async function migrateFolder(
  call: Call<Options>,
  keyManager: KeyManager,
  source: string,
  target: string,
  old: OldKeys,
): Promise<ExitCode | undefined> {
  const { migrateDirectory } = await import('sealfile/compat')
  const { migrated, present, bytes, failures, skipped } = await withProgress(call.report, 'migrating', (progress) =>
    migrateDirectory(source, target, {
      ...optionsOf(call, keyManager),
      ...old,
      purpose: call.settings.purposesWithin(target),
      onProgress: ({ bytes: done, totalBytes }) => progress.update(done, totalBytes),
    }),
  )
  const dryRun = call.options.dryRun === true
  const text = `${count(migrated, 'file')} ${dryRun ? 'would be ' : ''}taken over, ${present} were before, ${formatSize(bytes)}`
  return reportTree(
    call,
    { command: 'migrate', source, target, migrated, present, bytes, isDryRun: dryRun },
    text,
    failures,
    skipped,
  )
}

async function getOldKeys({ options, settings, signal }: Call<Options>, source: string): Promise<OldKeys> {
  const { ageIdentity, agePassphrase = false, aicoKey, aicoSalt, aicoPurpose } = options
  const askFor = async (name: string, variable: string): Promise<string> =>
    (await getSecret({ name, variable, isForeign: true }, signal)).toString()
  const identities = ageIdentity === undefined ? [] : await readIdentities(ageIdentity)
  const passphrase = agePassphrase ? await askFor('passphrase of the age files', 'SEALFILE_AGE_PASSPHRASE') : undefined
  const age = identities.length === 0 && passphrase === undefined ? undefined : { identities, passphrase }
  if (aicoKey === undefined && aicoSalt === undefined) return { age, aico: undefined }
  if (aicoKey !== undefined && aicoSalt !== undefined)
    throw usageError('AICO files are opened by a key or by a passphrase: which one?')
  const { AicoKeys: Keys } = await import('sealfile/compat')
  const keys =
    aicoKey === undefined
      ? await Keys.fromPassphrase(await askFor('passphrase of the AICO files', 'SEALFILE_AICO_PASSPHRASE'), {
          salt: await readFile(aicoSalt!),
          signal,
        })
      : Keys.fromMasterKey(await readSecretFile(aicoKey, 'key of the AICO files', signal))
  return { age, aico: { keys, purpose: aicoPurpose ?? settings.purposeOf(source) } }
}

/** As `age -i` reads them. */
async function readIdentities(path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('#'))
}

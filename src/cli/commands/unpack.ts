import type { Command } from 'commander'
import type { KeyManager } from 'sealfile'
import type { ListedMember } from 'sealfile/batch'
import type { Bind, Call } from '../call.js'
import { usageError } from '../command-error.js'
import type { ExitCode } from '../exit-codes.js'
import { addForce, addPurpose } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { count, formatSize } from '../sizes.js'
import { reportTree } from './tree-report.js'

interface Options {
  readonly force?: boolean
  readonly list?: boolean
  readonly stopOnError?: boolean
}

export function addUnpack(program: Command, bind: Bind): void {
  const command = program
    .command('unpack')
    .summary('unpack what was packed, or list it')
    .description('Unpack what sealfile pack has packed. A package that is not as it was made is refused as a whole.')
    .argument('<package>', 'which is only read')
    .argument('[target]', 'folder, which is made if it is not there')
  addForce(addPurpose(command), 'replace what has the name of a target')
    .option('--list', 'list what is in it, and unpack nothing')
    .option('--stop-on-error', 'end at the first failure')
  bind<Options, [string, string | undefined]>(command, unpack)
}

async function unpack(call: Call<Options>, path: string, target: string | undefined): Promise<ExitCode | undefined> {
  const { force: overwrite = false, list: isList = false, stopOnError = false } = call.options
  if (isList === (target !== undefined)) throw usageError('give a folder to unpack into, or --list')
  const { purpose, context } = call.settings.fileOptions(path)
  const { signal } = call
  if (target === undefined) return withKeys(call, (keyManager) => list(call, keyManager, path))
  const { unpackBatch } = await import('sealfile/batch')
  const { files, bytes, failures, skipped } = await withKeys(call, (keyManager) =>
    withProgress(call.report, 'unpacking', (progress) =>
      unpackBatch(path, {
        ...{ target, keyManager, purpose, context, overwrite, stopOnError, signal },
        onProgress: ({ bytes: done, totalBytes, isListed }) => progress.update(done, isListed ? totalBytes : undefined),
      }),
    ),
  )
  const text = `${count(files, 'file')} unpacked into ${target}, ${formatSize(bytes)}`
  return reportTree(call, { command: 'unpack', package: path, target, files, bytes }, text, failures, skipped)
}

async function list(call: Call<Options>, keyManager: KeyManager, path: string): Promise<undefined> {
  const { purpose, context } = call.settings.fileOptions(path)
  const { listPackage } = await import('sealfile/batch')
  const members: ListedMember[] = []
  for await (const member of listPackage(path, { keyManager, purpose, context, signal: call.signal })) members.push(member)
  const facts = members.map((member) => ({
    kind: member.kind,
    path: member.path.toString(),
    ...(member.kind === 'folder' ? {} : { size: member.size, modified: new Date(member.mtimeMs).toISOString() }),
  }))
  await call.report.result({ command: 'unpack', package: path, members: facts }, members.map(describe))
  return undefined
}

function describe(member: ListedMember): string {
  const path = member.path.toString()
  return member.kind === 'folder' ? `${' '.repeat(10)}  ${path}/` : `${formatSize(member.size).padStart(10)}  ${path}`
}

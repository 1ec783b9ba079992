import type { Command } from 'commander'
import type { FileInfo, FileInspection, KeyManager } from 'sealfile'
import type { Bind, Call } from '../call.js'
import { addPurpose, openOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { count, formatSize } from '../sizes.js'

interface Options {
  readonly purpose?: string
}

export function addInfo(program: Command, bind: Bind): void {
  const command = program
    .command('info')
    .summary('tell what is known of files')
    .description('Tell what is known of files: without a key what their headers say, with --purpose what is authentic, too.')
    .argument('<file...>', 'encrypted files')
  bind<Options, [string[]]>(addPurpose(command), info)
}

async function info(call: Call<Options>, paths: readonly string[]): Promise<undefined> {
  const { EncryptedFile } = await import('sealfile')
  const look = async (keyManager?: KeyManager): Promise<void> => {
    const files = []
    for (const path of paths) {
      const found = keyManager === undefined ? await EncryptedFile.inspect(path) : await openAndLook(path, keyManager)
      files.push({ path, isAuthentic: keyManager !== undefined, ...found })
    }
    await call.report.result(
      { command: 'info', files },
      files.flatMap((file, index) => [...(index === 0 ? [] : ['']), ...describe(file.path, file)]),
    )
  }
  const openAndLook = async (path: string, keyManager: KeyManager): Promise<FileInfo> => {
    const file = await EncryptedFile.open(path, 'r', openOptions(call, keyManager, path))
    try {
      return await file.info()
    } finally {
      await file.close()
    }
  }
  await (call.options.purpose === undefined ? look() : withKeys(call, look))
  return undefined
}

function describe(path: string, found: FileInspection | FileInfo): string[] {
  const { kind, version, cipher, segmentSize, fileSize, keyringId, generation } = found
  const lines = [
    path,
    `  kind        ${kind}, format version ${version}`,
    `  cipher      ${cipher}, segments of ${formatSize(segmentSize)}`,
    `  keyring     ${keyringId}, generation ${generation}`,
    `  on disk     ${formatSize(fileSize)}`,
  ]
  if ('size' in found) lines.push(`  content     ${count(found.size, 'byte')}`, `  state       ${describeState(found)}`)
  return lines
}

function describeState({ kind, sequence, isClean, pending }: FileInfo): string {
  if (kind === 'stream') return 'a stream, which is not written to'
  const closed = isClean ? 'closed' : 'not closed: a writer is at work, or has died'
  return `commit ${sequence}, ${closed}${pending.length > 0 ? `, ${count(pending.length, 'segment')} pending` : ''}`
}

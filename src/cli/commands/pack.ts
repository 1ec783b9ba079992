import { Option, type Command } from 'commander'
import type { PackBatchOptions } from 'sealfile/batch'
import type { Bind, Call } from '../call.js'
import type { ExitCode } from '../exit-codes.js'
import { addForce, addPurpose, addShape, type ShapeOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { count, formatSize } from '../sizes.js'
import { splitTarget } from './batch.js'
import { reportTree } from './tree-report.js'

interface Options extends ShapeOptions {
  readonly force?: boolean
  readonly compression?: Exclude<PackBatchOptions['compression'], undefined>
  readonly stopOnError?: boolean
}

export function addPack(program: Command, bind: Bind): void {
  const command = program
    .command('pack')
    .summary('pack files and folders into one encrypted file')
    .description('Pack files and folders into one file: a ZIP in which content, names and times are encrypted.')
    .argument('<input...>', 'files and folders, which are only read; the last is the package')
    .usage('[options] <input...> <package>')
  addForce(addShape(addPurpose(command)), 'replace the package')
    .addOption(new Option('--compression <name>', 'before encrypting').choices(['none', 'auto', 'gzip', 'zstd']).default('none'))
    .option('--stop-on-error', 'end at the first failure, without a package')
  bind<Options, [string[]]>(command, pack)
}

async function pack(call: Call<Options>, paths: readonly string[]): Promise<ExitCode | undefined> {
  const { settings, signal } = call
  const { force: overwrite = false, compression, stopOnError = false } = call.options
  const { inputs, target } = splitTarget(paths)
  const { purpose, context, segmentSize, cipher } = settings.fileOptions(target)
  const { packBatch } = await import('sealfile/batch')
  const { files, bytes, failures, skipped } = await withKeys(call, (keyManager) =>
    withProgress(call.report, 'packing', (progress) =>
      packBatch(inputs, {
        ...{ target, keyManager, purpose, context, segmentSize, cipher, compression, stopOnError, signal, overwrite },
        // Whoever packs may remove what was packed.
        durability: 'fsync',
        onProgress: ({ bytes: done, totalBytes, isListed }) => progress.update(done, isListed ? totalBytes : undefined),
      }),
    ),
  )
  const text = `${count(files, 'file')} packed into ${target}, ${formatSize(bytes)}`
  return reportTree(call, { command: 'pack', target, files, bytes }, text, failures, skipped)
}

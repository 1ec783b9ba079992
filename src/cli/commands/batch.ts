import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Option, type Command } from 'commander'
import type { BatchInputs, BatchOptions } from 'sealfile/batch'
import type { Bind, Call } from '../call.js'
import { usageError } from '../command-error.js'
import type { ExitCode } from '../exit-codes.js'
import { addForce, addPurpose, addShape, type ShapeOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { count, formatSize, parseNumber, parseSize } from '../sizes.js'
import { reportTree } from './tree-report.js'

interface Options extends ShapeOptions {
  readonly force?: boolean
  readonly workers?: number
  readonly fsync?: boolean
  readonly bytesPerSecond?: number
  readonly stopOnError?: boolean
  readonly manifest?: string
  readonly patterns?: boolean
  readonly tune?: boolean
}

type Direction = 'encrypt' | 'decrypt'

export function addBatch(program: Command, bind: Bind): void {
  const batch = program
    .command('batch')
    .summary('encrypt or decrypt files and folders')
    .description('Encrypt or decrypt files and folders, on all processors.')
  for (const direction of ['encrypt', 'decrypt'] as const) {
    const verb = direction === 'encrypt' ? 'Encrypt' : 'Decrypt'
    const command = batch
      .command(direction)
      .summary(`${direction} files and folders`)
      .description(`${verb} files and folders into a folder, which is made if it is not there.`)
      .argument('<input...>', 'files and folders, which are only read; the last is the target')
    addForce(addPurpose(command), 'replace what has the name of a target')
    if (direction === 'encrypt') addShape(command)
    command
      .addOption(new Option('--workers <n>', 'threads (default: as many as processors)').argParser(parseNumber))
      .addOption(new Option('--bytes-per-second <bytes>', 'read no faster').argParser(parseSize))
      .option('--fsync', 'wait for the disk with each file')
      .option('--stop-on-error', 'end at the first failure')
      .option('--manifest <file>', 'keep what is done, and go on where a run stopped')
      .option('--patterns', "inputs are patterns, such as 'docs/**/*.md'")
      .option('--tune', 'use what suits this machine, measured once')
      .usage('[options] <input...> <target>')
    bind<Options, [string[]]>(command, (call, paths) => run(call, direction, paths))
  }
}

async function run(call: Call<Options>, direction: Direction, paths: readonly string[]): Promise<ExitCode | undefined> {
  const { settings, signal } = call
  const { force = false, workers, fsync = false, bytesPerSecond, stopOnError = false, manifest } = call.options
  const { inputs: given, target } = splitTarget(paths)
  settings.requirePurpose()
  const { context, durability, segmentSize, cipher } = settings.commonOptions()
  const { decryptBatch, encryptBatch, glob, tuneBatch } = await import('sealfile/batch')
  const patterns = call.options.patterns === true ? given.map((pattern) => glob(pattern)) : undefined
  const inputs: BatchInputs = patterns ?? given
  const root = async (): Promise<string | undefined> =>
    patterns === undefined ? rootOf(given) : patterns.length === 1 ? patterns[0]!.base : undefined
  const purpose = settings.purposesWithin(direction === 'encrypt' ? await root() : target)
  const tuning = call.options.tune === true ? await tuneBatch({ target, signal }) : undefined
  const { files, bytes, unchanged, failures, skipped } = await withKeys(call, (keyManager) =>
    withProgress(call.report, `${direction}ing`, (progress) => {
      const options: BatchOptions = {
        ...{ target, keyManager, workers, bytesPerSecond, stopOnError, manifest, tuning, signal },
        overwrite: force,
        ...{ context, durability: fsync ? 'fsync' : durability },
        purpose,
        onProgress: ({ bytes: done, totalBytes, isListed }) => progress.update(done, isListed ? totalBytes : undefined),
      }
      return direction === 'encrypt' ? encryptBatch(inputs, { ...options, segmentSize, cipher }) : decryptBatch(inputs, options)
    }),
  )
  const kept = unchanged > 0 ? `; ${count(unchanged, 'file')} unchanged` : ''
  const text = `${count(files, 'file')} ${direction}ed into ${target}, ${formatSize(bytes)}${kept}`
  const known = manifest === undefined ? {} : { unchanged }
  return reportTree(call, { command: `batch ${direction}`, target, files, bytes, ...known }, text, failures, skipped)
}

/** @throws CommandError where there are not two paths. */
export function splitTarget(paths: readonly string[]): { readonly inputs: readonly string[]; readonly target: string } {
  const target = paths.at(-1)
  if (paths.length < 2 || target === undefined) throw usageError('give one input or more, and the target')
  return { inputs: paths.slice(0, -1), target }
}

/** @returns the folder that a batch sees the files in; undefined where there are several. */
export async function rootOf(inputs: readonly string[]): Promise<string | undefined> {
  const [input] = inputs
  if (input === undefined || inputs.length > 1) return undefined
  return (await stat(input)).isDirectory() ? input : dirname(input)
}

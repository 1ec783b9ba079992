import type { PathLike } from '../../file/io/steps.js'
import { checkAborted } from '../../file/io/system-errors.js'
import type { PackageReport } from '../batch-options.js'
import type { BatchInputs } from '../inputs.js'
import { fileName } from './bindings.js'
import type { PackedFile, PackedFolder } from './manifest.js'
import { PackRun } from './pack-run.js'
import {
  resolveListOptions,
  resolvePackOptions,
  resolveUnpackOptions,
  type ListPackageOptions,
  type PackBatchOptions,
  type UnpackBatchOptions,
} from './package-options.js'
import { PackageReader } from './package-reader.js'
import { UnpackRun } from './unpack-run.js'
import { localHeaderSize } from './zip-layout.js'

/** A file in a package. */
export interface ListedFile extends Omit<PackedFile, 'number' | 'entryCrc32'> {
  /** The name of the ZIP's entry that holds it: a file of the stream kind. */
  readonly entry: string
  /** Where that file of the stream kind begins in the package. It has `entrySize` bytes. */
  readonly position: number
  /** What that opens with, besides the purpose: the `context` of `EncryptedFile.open`. */
  readonly context: Uint8Array
}

/** What a package holds. */
export type ListedMember = ListedFile | PackedFolder

/**
 * Encrypts files and folders into one file, a ZIP in which nothing can be read but how many files there are and how long: names, times and
 * the rest are in an encrypted manifest. What is taken, and under which paths, is as with `encryptBatch`. The package is written beside its
 * place, and takes it when it is whole.
 *
 * @param inputs - Files, folders, and patterns from {@link glob}. They are only read.
 * @returns what is in the package, and what failed: a file that cannot be read is left out of it.
 * @throws TypeError or RangeError for options that cannot be, such as a target inside an input; system errors where the package cannot be
 * written; an AbortError; ClosedError; PackageError `ERR_SEALFILE_COMPRESSION`; with `stopOnError` whatever fails first. There is no package
 * then.
 *
 * @example
 * ```ts
 * await packBatch('photos', { target: 'photos.zip', keyManager, purpose: 'photos' })
 * ```
 */
export async function packBatch(inputs: BatchInputs, options: PackBatchOptions): Promise<PackageReport> {
  return new PackRun(resolvePackOptions(inputs, options)).run()
}

/**
 * Unpacks what {@link packBatch} has packed. The manifest and the ZIP's directory are compared first; a package that is not whole, or not as it
 * was made, is refused before anything is written. Then each file takes its place once all of it has authenticated.
 *
 * @param path - The package. It is only read.
 * @returns what was done, and what failed: one file's failure does not keep others from being made.
 * @throws PackageError `ERR_SEALFILE_PACKAGE` for another ZIP and what was altered, `ERR_SEALFILE_COMPRESSION`; InvalidFileFormatError for what
 * is no ZIP, or of a later version; InvalidKeyError for another key, purpose or context; CorruptedFileError for a damaged manifest; LimitError; TypeError or RangeError for options that cannot be; system
 * errors; an AbortError; ClosedError; with `stopOnError` whatever fails first.
 *
 * @example
 * ```ts
 * const { failures } = await unpackBatch('photos.zip', { target: 'photos', keyManager, purpose: 'photos' })
 * ```
 */
export async function unpackBatch(path: PathLike, options: UnpackBatchOptions): Promise<PackageReport> {
  return new UnpackRun(resolveUnpackOptions(path, options)).run()
}

/**
 * Tells what is in a package, by its manifest alone. Each member that comes is authenticated; that these are all, and that the ZIP has no other
 * entries, is certain when the iteration has ended.
 *
 * @param path - The package.
 * @returns files and folders, each folder before what is in it.
 * @throws what {@link unpackBatch} throws before it writes.
 */
export async function* listPackage(path: PathLike, options: ListPackageOptions): AsyncGenerator<ListedMember, void, undefined> {
  const plan = resolveListOptions(path, options)
  checkAborted(plan.signal)
  await plan.open.keySource.prepare?.()
  using reader = await PackageReader.open(plan)
  for await (const member of reader.members()) {
    if (member.kind === 'folder') {
      yield member
      continue
    }
    const { kind, path: within, size, sha256, mode, atimeMs, mtimeMs, compression, number, entrySize, context } = member
    const entry = fileName(number)
    const position = member.position + localHeaderSize(entry)
    yield { kind, path: within, size, sha256, mode, atimeMs, mtimeMs, compression, entry, position, entrySize, context }
  }
}

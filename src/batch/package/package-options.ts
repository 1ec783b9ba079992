import { invalidArgType, invalidArgValue } from '../../argument-errors.js'
import { takePath, type Path } from '../../compat/paths.js'
import { checkSignal } from '../../file/data-arguments.js'
import type { PathLike } from '../../file/io/steps.js'
import { checkInteger, resolveOpenOptions, type OpenOptions, type ResolvedOptions } from '../../file/options.js'
import { validatePurpose } from '../../keys/purpose.js'
import { resolveBatchOptions, type BatchOptions, type BatchPlan, type EncryptBatchOptions } from '../batch-options.js'
import type { BatchInputs } from '../inputs.js'
import { checkCompression, hasCompression, type Compression } from './compression.js'

/** How a package is made or opened. */
export interface PackageOptions extends Pick<
  BatchOptions,
  'keyManager' | 'context' | 'name' | 'overwrite' | 'durability' | 'stopOnError' | 'signal' | 'onProgress'
> {
  /** What the package is for: one for its manifest and all of its files. */
  readonly purpose: string
}

/** How a package is made. */
export interface PackBatchOptions extends PackageOptions, Pick<EncryptBatchOptions, 'segmentSize' | 'cipher'> {
  /** The package. Its folder is there; it is in no input folder. */
  readonly target: PathLike
  /**
   * Compress content before it is encrypted, where a sample of a file looks as if that would help. `zstd` is in Node 22.15 and later; `auto`
   * takes it where it is, else gzip. How far content could be compressed shows in the size of its entry.
   *
   * @defaultValue `none`
   */
  readonly compression?: 'none' | 'auto' | Compression | undefined
}

/** What a package may ask for. What asks for more is refused before anything is written. */
export interface PackageLimits {
  /**
   * Files and folders in it.
   *
   * @defaultValue 10,000,000
   */
  readonly members?: number | undefined
  /**
   * Bytes of content in all of its files.
   *
   * @defaultValue no limit
   */
  readonly bytes?: number | undefined
}

/** How a package is read. */
export interface ListPackageOptions extends Pick<OpenOptions, 'keyManager' | 'context'> {
  /** What the package was made for. */
  readonly purpose: string
  /** What a package may come to at most. */
  readonly limits?: PackageLimits | undefined
  /** Ends the call with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/** How a package is unpacked. */
export interface UnpackBatchOptions extends PackageOptions, Pick<ListPackageOptions, 'limits'> {
  /** The folder that files are written into; it is made if it is not there. */
  readonly target: PathLike
  /**
   * Which files to take, by their paths in the package. Folders are made all.
   *
   * @defaultValue all
   */
  readonly filter?: ((path: string) => boolean) | undefined
}

/** {@link PackBatchOptions}, checked and complete. */
export interface PackPlan {
  readonly batch: BatchPlan
  readonly open: ResolvedOptions
  readonly compression: Compression | undefined
}

/** {@link ListPackageOptions}, checked and complete. */
export interface ListPlan {
  readonly path: Path
  readonly open: ResolvedOptions
  readonly limits: Required<{ readonly [Name in keyof PackageLimits]: number }>
  readonly signal: AbortSignal | undefined
}

/** {@link UnpackBatchOptions}, checked and complete. */
export interface UnpackPlan extends ListPlan {
  readonly batch: BatchPlan
  readonly filter: (path: string) => boolean
}

const COMPRESSIONS = ['none', 'auto', 'gzip', 'zstd'] as const
const MEMBERS_MAX = 10_000_000

/** @throws TypeError or RangeError, naming the option; PackageError `ERR_SEALFILE_COMPRESSION`. */
export function resolvePackOptions(inputs: BatchInputs, options: PackBatchOptions): PackPlan {
  checkObject(options)
  const { keyManager, purpose, context, segmentSize, cipher, compression = 'none' } = options
  checkPurpose(purpose)
  if (!COMPRESSIONS.includes(compression)) {
    throw invalidArgValue('options.compression', compression, `must be one of: ${COMPRESSIONS.join(', ')}`)
  }
  return {
    batch: resolveBatchOptions('encrypt', inputs, { ...sharedOptions(options), segmentSize, cipher, target: options.target }),
    open: resolveOpenOptions({ keyManager, purpose, context, segmentSize, cipher }),
    compression: chooseCompression(compression),
  }
}

/** @throws TypeError or RangeError, naming the option. */
export function resolveListOptions(path: PathLike, options: ListPackageOptions): ListPlan {
  checkObject(options)
  const { keyManager, purpose, context, limits = {}, signal } = options
  checkPurpose(purpose)
  checkSignal(signal)
  if (typeof (limits as unknown) !== 'object' || (limits as unknown) === null)
    throw invalidArgType('options.limits', 'of type object', limits)
  const { members = MEMBERS_MAX, bytes = Number.MAX_SAFE_INTEGER } = limits
  for (const [name, value] of Object.entries({ members, bytes })) {
    checkInteger(`options.limits.${name}`, value, 0, Number.MAX_SAFE_INTEGER)
  }
  return {
    path: takePath(path, 'path'),
    open: resolveOpenOptions({ keyManager, purpose, context }),
    limits: { members, bytes },
    signal,
  }
}

/** @throws TypeError or RangeError, naming the option. */
export function resolveUnpackOptions(path: PathLike, options: UnpackBatchOptions): UnpackPlan {
  const list = resolveListOptions(path, options)
  const { filter = () => true, target } = options
  if (typeof filter !== 'function') throw invalidArgType('options.filter', 'of type function', filter)
  return { ...list, batch: resolveBatchOptions('decrypt', [], { ...sharedOptions(options), target }), filter }
}

/** What packages have in common with other batches; of anything else that is given nothing goes on. */
function sharedOptions(options: PackageOptions): PackageOptions {
  const { keyManager, purpose, context, name, overwrite, durability, stopOnError, signal, onProgress } = options
  return { keyManager, purpose, context, name, overwrite, durability, stopOnError, signal, onProgress }
}

function checkObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
}

function checkPurpose(purpose: unknown): void {
  if (typeof purpose !== 'string') throw invalidArgType('options.purpose', 'of type string', purpose)
  validatePurpose(purpose, 'options.purpose')
}

function chooseCompression(wanted: (typeof COMPRESSIONS)[number]): Compression | undefined {
  if (wanted === 'none') return undefined
  if (wanted === 'auto') return hasCompression('zstd') ? 'zstd' : 'gzip'
  checkCompression(wanted)
  return wanted
}

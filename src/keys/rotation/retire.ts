import { invalidArgType } from '../../argument-errors.js'
import { KeyringError } from '../../errors.js'
import { nameOf } from '../../file/open-file.js'
import { checkChangeOptions } from '../key-manager-options.js'
import type { KeyringChangeOptions } from '../keyring-store.js'
import { findGenerations, type FindGenerationsOptions } from './find-generations.js'
import type { RotatingKeys } from './rotating-keys.js'
import type { Roots } from './work-through.js'

/** How a generation is retired. */
export interface RetireOptions extends KeyringChangeOptions, FindGenerationsOptions {
  /** Where to look for files that still need it: files and folders. Required, unless `force` is true. */
  readonly search?: Roots | undefined
  /**
   * Remove it whatever files need it, without looking.
   *
   * @defaultValue false
   */
  readonly force?: boolean | undefined
}

/**
 * Sees to it that no file needs a generation, where the options say to look.
 *
 * @throws KeyringError `ERR_SEALFILE_GENERATION_IN_USE` if one does, or cannot be checked; TypeError.
 */
export async function checkUnused(keys: RotatingKeys, generation: number, options: RetireOptions): Promise<void> {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw invalidArgType('options', 'of type object', options)
  }
  checkChangeOptions(options)
  const { search, force = false, concurrency, signal, onProgress } = options
  if (typeof force !== 'boolean') throw invalidArgType('options.force', 'of type boolean', force)
  if (force) return
  if (search === undefined) throw invalidArgType('options.search', 'a path or an iterable of paths', search)
  const { generations, failures } = await findGenerations(keys, search, { concurrency, signal, onProgress })
  const use = generations.get(generation)
  if (use !== undefined) refuse(`${use.count} files still need generation ${generation}, the first`, use.path)
  const [failure] = failures
  if (failure !== undefined)
    refuse(`of ${failures.length} files nobody knows what they need, the first`, failure.path, failure.error)
}

function refuse(message: string, path: string | Buffer, cause?: unknown): never {
  throw new KeyringError('ERR_SEALFILE_GENERATION_IN_USE', message, { path: nameOf(path), cause })
}

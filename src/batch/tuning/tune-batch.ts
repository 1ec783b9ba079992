import { mkdir, realpath } from 'node:fs/promises'
import { invalidArgType } from '../../argument-errors.js'
import { takePath, type Path } from '../../compat/paths.js'
import { checkSignal } from '../../file/data-arguments.js'
import { checkAborted } from '../../file/io/system-errors.js'
import type { PathLike } from '../../file/io/steps.js'
import { flag } from '../../file/options.js'
import { BatchTuning } from './batch-tuning.js'
import { describeMachine } from './machine.js'
import type { TuningRecord } from './tuning-record.js'
import { defaultCacheFolder, readCache, writeCache } from './tuning-cache.js'

/** What is measured, and where it is kept. */
export interface TuneBatchOptions {
  /** The folder that files are to be written into: what suits its storage is measured. It is made if it is not there. */
  readonly target: PathLike
  /**
   * Measure, also where that was done before.
   *
   * @defaultValue false
   */
  readonly refresh?: boolean | undefined
  /**
   * The folder in which measurements are kept.
   *
   * @defaultValue `sealfile` in the user's cache folder, as the system has it
   */
  readonly cacheFolder?: PathLike | undefined
  /** Ends the call with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Finds out what suits this machine and the storage of a target, for the option `tuning` of batches. Encrypts some MiB in a folder of its own
 * in the target, for less than two seconds, with all processors; what was measured before on the same machine, storage and versions is taken
 * from a file instead.
 *
 * @throws TypeError for options that cannot be; system errors where nothing can be written into the target; an AbortError; BatchError
 * `ERR_SEALFILE_BATCH_WORKER` where threads die.
 *
 * @example
 * ```ts
 * const tuning = await tuneBatch({ target: 'photos-encrypted' })
 * console.log(tuning.explain())
 * await encryptBatch('photos', { target: 'photos-encrypted', keyManager, purpose: 'photos', tuning })
 * ```
 */
export async function tuneBatch(options: TuneBatchOptions): Promise<BatchTuning> {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { cacheFolder, signal } = options
  const target = takePath(options.target, 'options.target')
  const cache = cacheFolder === undefined ? defaultCacheFolder() : takePath(cacheFolder, 'options.cacheFolder')
  const refresh = flag(options, 'refresh')
  checkSignal(signal)
  checkAborted(signal)
  await mkdir(target, { recursive: true })
  const folder = takePath(await realpath(target, { encoding: 'buffer' }))
  const machine = await describeMachine(folder)
  const known = refresh || cache === undefined ? undefined : await readCache(cache, machine)
  if (known !== undefined) return new BatchTuning(known, true)
  checkAborted(signal)
  // It has keys of its own, which nobody else needs here.
  const { measureMachine } = await import('./measure-machine.js')
  const record = await measureMachine(folder, machine, signal)
  checkAborted(signal)
  return new BatchTuning(record, false, await keep(cache, record))
}

/** @returns why it could not be kept: it is as good for this call, and is measured again by the next. */
async function keep(cache: Path | undefined, record: TuningRecord): Promise<string | undefined> {
  if (cache === undefined) return 'the user has no home folder'
  try {
    await writeCache(cache, record)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

import { hasSubscribers } from 'node:diagnostics_channel'
import { availableParallelism } from 'node:os'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import type { ForEachPath, SkippedEntry } from '../compat/migrate-directory.js'
import { takePath, type Path } from '../compat/paths.js'
import { checkSignal } from '../file/data-arguments.js'
import type { PathLike } from '../file/io/steps.js'
import type { KeySource } from '../file/key-source.js'
import { checkInteger, flag, resolveOpenOptions, type OpenOptions } from '../file/options.js'
import { validatePurpose } from '../keys/purpose.js'
import type { FileFailure } from '../keys/rotation/work-through.js'
import { BatchControl } from './control.js'
import { resolveInputs, type BatchInputs, type Input } from './inputs.js'
import { FILE_CHANNELS, type WorkerSettings } from './messages.js'
import type { BatchProgress } from './progress.js'
import { POLICIES, type Policy } from './task-queue.js'
import { BatchTuning } from './tuning/batch-tuning.js'
import { USUAL } from './tuning/tuning-record.js'

/** How a batch is done. */
export interface BatchOptions extends Pick<OpenOptions, 'keyManager' | 'context'> {
  /** The folder that files are written into; it is made if it is not there. Neither inside an input folder nor around one. */
  readonly target: PathLike
  /** What the files are for: the same for all, or a function of the path within the input, with `/` between its parts. */
  readonly purpose: ForEachPath<string>
  /**
   * The name of a target, by the path of its source within the input: a path within the target folder, with `/` between its parts. Folders
   * keep theirs.
   *
   * @defaultValue the same
   */
  readonly name?: ((path: string) => string) | undefined
  /**
   * Replace what has the name of a target; else that is an error of this file.
   *
   * @defaultValue false
   */
  readonly overwrite?: boolean | undefined
  /**
   * What a file waits for before it takes its place. `os`: the operating system has it; a power cut may take it, or leave it empty. `fsync`:
   * the disk has it.
   *
   * @defaultValue `os`
   */
  readonly durability?: 'os' | 'fsync' | undefined
  /**
   * Threads that do the work, 1 to 256.
   *
   * @defaultValue as many as there are processors
   */
  readonly workers?: number | undefined
  /**
   * What {@link tuneBatch} found to suit this machine: taken for `workers`, `groupMs`, and when encrypting `segmentSize` and `bytesInFlight`,
   * each unless it is given here.
   *
   * @defaultValue none
   */
  readonly tuning?: BatchTuning | undefined
  /**
   * Milliseconds of work for which small files are put together into one message to a thread, 1 to 10,000. More make messages count for less,
   * fewer let progress and threads be more even.
   *
   * @defaultValue 20
   */
  readonly groupMs?: number | undefined
  /**
   * In which order files are worked on.
   *
   * @defaultValue `makespan`
   */
  readonly policy?: Policy | undefined
  /**
   * Reject with the first failure, and begin no more, instead of going on with other files.
   *
   * @defaultValue false
   */
  readonly stopOnError?: boolean | undefined
  /**
   * Bytes of sources to be read a second, by all workers together: 1 or more.
   *
   * @defaultValue no limit
   */
  readonly bytesPerSecond?: number | undefined
  /** Pauses the batch and lets it go on. */
  readonly control?: BatchControl | undefined
  /**
   * A file that keeps what is done: it is made if it is not there. A batch that is run again with it goes on where the last one stopped, leaves
   * alone what was done and did not change, and does again what did. Not in the target, nor in an input folder.
   *
   * @defaultValue none
   */
  readonly manifest?: PathLike | undefined
  /** Ends the call with an AbortError. Files that are being written are dropped; those that are done stay. */
  readonly signal?: AbortSignal | undefined
  /** Told at the beginning, four times a second, and at the end. */
  readonly onProgress?: ((progress: BatchProgress) => void) | undefined
}

/** How files are encrypted. */
export interface EncryptBatchOptions extends BatchOptions, Pick<OpenOptions, 'segmentSize' | 'cipher'> {
  /**
   * Plaintext bytes that all threads together read before they write what came of them, 4,096 to 1,073,741,824. Each takes its share, and a
   * segment in any case; the ciphertext takes as much again.
   *
   * @defaultValue 1 MiB for each thread
   */
  readonly bytesInFlight?: number | undefined
}

/** How files are decrypted. */
export type DecryptBatchOptions = BatchOptions

/** How files are checked. */
export type VerifyBatchOptions = Pick<
  BatchOptions,
  'keyManager' | 'context' | 'purpose' | 'workers' | 'tuning' | 'groupMs' | 'bytesPerSecond' | 'control' | 'signal' | 'onProgress'
>

/** What came of a batch. */
export interface BatchReport {
  /** Files that were made. */
  readonly files: number
  /** Plaintext bytes in them. */
  readonly bytes: number
  /** Files that an earlier batch with the same manifest has made, whose sources have not changed since. They were left alone. */
  readonly unchanged: number
  /** What could not be done. Everything else was. */
  readonly failures: readonly FileFailure[]
  /** What is neither file nor folder, and was left alone. */
  readonly skipped: readonly SkippedEntry[]
}

/** What came of a package. */
export type PackageReport = Omit<BatchReport, 'unchanged'>

/** {@link BatchOptions}, checked and complete. */
export interface BatchPlan {
  readonly inputs: readonly Input[]
  /** Undefined where nothing is made. */
  readonly target: Path | undefined
  readonly manifest: string | undefined
  readonly keySource: KeySource
  readonly purposeOf: (path: string) => string
  readonly name: ((path: string) => string) | undefined
  readonly settings: Omit<WorkerSettings, 'desk' | 'common' | 'counters'>
  readonly workers: number
  readonly groupMs: number
  readonly policy: Policy
  readonly stopOnError: boolean
  readonly control: BatchControl | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: BatchProgress) => void) | undefined
}

const WORKERS_MAX = 256
const GROUP_MS_MAX = 10_000
const [IN_FLIGHT_MIN, IN_FLIGHT_MAX] = [4_096, 2 ** 30]

/** @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`, naming the option. */
export function resolveBatchOptions(
  direction: WorkerSettings['direction'],
  inputs: BatchInputs,
  options: Omit<EncryptBatchOptions, 'target'> & Partial<Pick<EncryptBatchOptions, 'target'>>,
): BatchPlan {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { tuning } = options
  if (tuning !== undefined && !(tuning instanceof BatchTuning))
    throw invalidArgType('options.tuning', 'an instance of BatchTuning', tuning)
  const { keyManager, purpose, context, cipher = 'aes-256-gcm', durability = 'os' } = options
  const { segmentSize = tuning?.segmentSize ?? USUAL.segmentSize, groupMs = tuning?.groupMs ?? USUAL.groupMs } = options
  const { name, onProgress, control, signal, bytesPerSecond } = options
  const { workers = tuning?.workers ?? Math.min(availableParallelism(), WORKERS_MAX), policy = 'makespan' } = options
  for (const [key, value] of Object.entries({ name, onProgress })) {
    if (value !== undefined && typeof value !== 'function') throw invalidArgType(`options.${key}`, 'of type function', value)
  }
  const isFunction = typeof purpose === 'function'
  if (!isFunction) validatePurpose(purpose, 'options.purpose')
  const open = { keyManager, purpose: 'checked', context, segmentSize, cipher, durability }
  const resolved = resolveOpenOptions(open)
  checkInteger('options.workers', workers, 1, WORKERS_MAX)
  checkInteger('options.groupMs', groupMs, 1, GROUP_MS_MAX)
  const { bytesInFlight = tuning?.bytesInFlight ?? USUAL.pieceLength * workers } = options
  checkInteger('options.bytesInFlight', bytesInFlight, IN_FLIGHT_MIN, IN_FLIGHT_MAX)
  if (bytesPerSecond !== undefined) checkInteger('options.bytesPerSecond', bytesPerSecond, 1, Number.MAX_SAFE_INTEGER)
  if (!POLICIES.includes(policy)) throw invalidArgValue('options.policy', policy, `must be one of: ${POLICIES.join(', ')}`)
  if (control !== undefined && !(control instanceof BatchControl))
    throw invalidArgType('options.control', 'an instance of BatchControl', control)
  checkSignal(signal)
  return {
    inputs: resolveInputs(inputs),
    target: direction === 'verify' ? undefined : takePath(options.target!, 'options.target'),
    manifest: options.manifest === undefined ? undefined : takeManifest(options.manifest),
    keySource: keyManager,
    purposeOf(path) {
      if (!isFunction) return purpose
      const chosen = purpose(path)
      validatePurpose(chosen, 'options.purpose()')
      return chosen
    },
    name,
    settings: {
      direction,
      context: resolved.context,
      segmentSize,
      cipher,
      pieceLength: Math.ceil(bytesInFlight / workers),
      durability,
      overwrite: flag(options, 'overwrite'),
      isRecorded: options.manifest !== undefined,
      isAudited: FILE_CHANNELS.some((name) => hasSubscribers(name)),
      bytesPerSecond,
    },
    workers,
    groupMs,
    policy,
    stopOnError: flag(options, 'stopOnError'),
    control,
    signal,
    onProgress,
  }
}

/** A lock lies beside it, whose name is text. */
function takeManifest(manifest: PathLike): string {
  const path = takePath(manifest, 'options.manifest')
  if (typeof path !== 'string') throw invalidArgType('options.manifest', 'a path that is UTF-8', manifest)
  return path
}

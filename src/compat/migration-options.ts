import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { checkSignal } from '../file/data-arguments.js'
import { flag, resolveOpenOptions, type OpenOptions, type ResolvedOptions } from '../file/options.js'
import { checkAgeAccess, type AgeAccess, type ResolvedAgeAccess } from './age-access.js'
import { checkAicoAccess, type AicoAccess } from './aico-keys.js'

/** What a file may be taken over from. `auto` looks at how it begins; `plain` takes it as it is, whatever it begins with. */
export type MigrationFormat = 'auto' | 'plain' | 'aico' | 'age'

/** What goes on in a migration. */
export type MigrationPhase =
  /** The target was there, and is compared with the source. */
  | 'comparing'
  /** The source is read, and the target is written. */
  | 'copying'
  /** What was written is read back. */
  | 'verifying'
  /** The source is read again before it is removed. */
  | 'confirming'

/** How far the migration of a file is. */
export interface MigrationProgress {
  /** What is being done. */
  readonly phase: MigrationPhase
  /** Bytes in this phase: of the source's file, in `verifying` of the content. */
  readonly done: number
  /** Bytes that there are in this phase. */
  readonly total: number
}

/** What migrations of a file and of a folder have in common. */
export interface MigrationOptions extends Pick<OpenOptions, 'keyManager' | 'context' | 'segmentSize' | 'cipher' | 'lockTimeout'> {
  /**
   * What the source is.
   *
   * @defaultValue `auto`
   */
  readonly from?: MigrationFormat | undefined
  /** What opens age files. Needs the package `age-encryption`. */
  readonly age?: AgeAccess | undefined
  /**
   * Remove the source when the target is in its place, was read back and is on the disk. Not needed where source and target are the same.
   *
   * @defaultValue false
   */
  readonly removeSource?: boolean | undefined
  /**
   * Replace what has the target's name, whatever it is.
   *
   * @defaultValue false
   */
  readonly overwrite?: boolean | undefined
  /**
   * Compare a target that is there with its source by content, also where size and time of the two are the same.
   *
   * @defaultValue false
   */
  readonly compareContent?: boolean | undefined
  /**
   * Write nothing; tell what would be done.
   *
   * @defaultValue false
   */
  readonly dryRun?: boolean | undefined
  /** Ends the call with an AbortError. The file that is being written is dropped. */
  readonly signal?: AbortSignal | undefined
}

/** How a file is taken over. */
export interface MigrateFileOptions extends MigrationOptions, Pick<OpenOptions, 'purpose'> {
  /**
   * Make a target again whose source was changed since, if nobody has written to the target: the source's time is newer, and that of the
   * target is still the one that its source had. Not together with `removeSource`: the target may be all that there is.
   *
   * @defaultValue false
   */
  readonly update?: boolean | undefined
  /** The keys of AICO files. */
  readonly aico?: AicoAccess | undefined
  /** Told in each phase at its beginning, from time to time, and at its end, how far it is. */
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined
}

/** {@link MigrateFileOptions}, checked and complete. */
export interface MigrationRequest {
  readonly open: ResolvedOptions
  readonly from: MigrationFormat
  readonly aico: AicoAccess | undefined
  readonly age: ResolvedAgeAccess | undefined
  readonly removeSource: boolean
  readonly overwrite: boolean
  readonly update: boolean
  readonly compareContent: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: MigrationProgress) => void) | undefined
}

const FORMATS: readonly MigrationFormat[] = ['auto', 'plain', 'aico', 'age']

/** @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`, naming the option. */
export function resolveMigrationOptions(options: MigrateFileOptions): MigrationRequest {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { keyManager, purpose, context, segmentSize, cipher, lockTimeout, from = 'auto', aico, age, signal, onProgress } = options
  if (!FORMATS.includes(from)) throw invalidArgValue('options.from', from, `must be one of: ${FORMATS.join(', ')}`)
  checkSignal(signal)
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalidArgType('options.onProgress', 'of type function', onProgress)
  return {
    open: resolveOpenOptions({ keyManager, purpose, context, segmentSize, cipher, lockTimeout }),
    from,
    aico: aico === undefined ? undefined : checkAicoAccess(aico, 'options.aico'),
    age: age === undefined ? undefined : checkAgeAccess(age, 'options.age'),
    removeSource: flag(options, 'removeSource'),
    overwrite: flag(options, 'overwrite'),
    update: flag(options, 'update'),
    compareContent: flag(options, 'compareContent'),
    dryRun: flag(options, 'dryRun'),
    signal,
    onProgress,
  }
}

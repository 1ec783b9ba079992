import { realpath } from 'node:fs/promises'
import { invalidArgType, invalidArgValue, WITHHELD } from '../../argument-errors.js'
import { namePlace, publish, type FileKeyChangeMessage } from '../../audit-channels.js'
import { equalBytes } from '../../bytes/arrays.js'
import { nodeDisk } from '../../file/io/node-disk.js'
import { AsyncRunner } from '../../file/io/runners.js'
import type { KeyHeader } from '../../file/key-header.js'
import { nameOf } from '../../file/open-file.js'
import { checkInteger, resolveOpenOptions, type OpenOptions } from '../../file/options.js'
import { reencryptFile, type NewCredentials, type ReencryptSettings } from '../../file/reencrypt-file.js'
import { resolvePurposes, type PurposeOption } from './purposes.js'
import { checkRotatingKeys, checkSlot, isOf, prepareKeys, unwrapUnderAny, type RotatingKeys } from './rotating-keys.js'
import { Turns, whenUnlocked } from './turns.js'
import {
  lookAt,
  resolveTreeOptions,
  workThrough,
  type Roots,
  type Tally,
  type TreeOptions,
  type TreeReport,
} from './work-through.js'

/**
 * What became of a file: `reencrypted`, it has a new data key; `current`, its data key was new enough, or it was in the other keyring
 * before; `foreign`, it belongs to another keyring; `notEncrypted`, sealfile did not write it, or it is empty.
 */
export type ReencryptOutcome = 'reencrypted' | 'current' | 'foreign' | 'notEncrypted'

/** How far it is. */
export type ReencryptProgress = Tally<ReencryptOutcome> & {
  /** Files that could not be re-encrypted. */
  readonly failed: number
  /** Bytes of plaintext that were encrypted. */
  readonly bytes: number
}

/** How to re-encrypt files. */
export interface ReencryptOptions
  extends Omit<TreeOptions<ReencryptOutcome>, 'onProgress'>, Pick<OpenOptions, 'lockTimeout' | 'freshness'> {
  /** What the files were written for, and will be. */
  readonly purpose: PurposeOption
  /** Bytes that the files are bound to, and will be; or a function that tells them of each path. @defaultValue none */
  readonly context?: Uint8Array | ((path: string) => Uint8Array) | undefined
  /**
   * Leave out files whose data key was made under this generation of the master key, or a later one. To be able to go on after an
   * interruption, rotate the master key first, and give the new generation here: what is done then says so itself. From 1 to the newest.
   *
   * @defaultValue none: all files
   */
  readonly before?: number | undefined
  /**
   * The keys of another keyring, to which the files are to belong. Those that do already are left out.
   *
   * @defaultValue the same keyring
   */
  readonly into?: RotatingKeys | undefined
  /** The AEAD of the new files. @defaultValue each one's as it is */
  readonly cipher?: OpenOptions['cipher']
  /** Plaintext bytes in a segment of the new files. @defaultValue each one's as it is */
  readonly segmentSize?: number | undefined
  /** Told after each file, and after each MiB of a large one. */
  readonly onProgress?: ((progress: ReencryptProgress) => void) | undefined
}

/** What became of the files. */
export type ReencryptReport = TreeReport<ReencryptOutcome> & {
  /** Bytes of plaintext that were encrypted. */
  readonly bytes: number
}

const OUTCOMES = ['reencrypted', 'current', 'foreign', 'notEncrypted'] as const
const CONCURRENCY = 4
const NO_BYTES = new Uint8Array(0)

/** {@link ReencryptOptions}, checked. */
interface Task {
  readonly keys: RotatingKeys
  readonly into: RotatingKeys | undefined
  readonly before: number | undefined
  readonly contextOf: (path: string) => Uint8Array
  readonly lockTimeout: number
  readonly settings: Omit<ReencryptSettings, 'control'>
}

/**
 * Encrypts files anew, each under a fresh data key: for when data keys may have leaked, or their budget is used up, or files are to move to
 * another keyring. A file is read and checked as a whole into a new one, which takes its place when the disk has it; a file that is
 * damaged, or cannot be replaced, stays as it is.
 *
 * @throws TypeError or RangeError for options that cannot be; an AbortError; ClosedError if the keys are gone. What goes wrong with a file
 * is in the report, and stops no other.
 */
export async function reencrypt(keys: RotatingKeys, roots: Roots, options: ReencryptOptions): Promise<ReencryptReport> {
  const task = resolveTask(keys, options)
  const purposesOf = resolvePurposes(options.purpose)
  const { onProgress } = options
  let bytes = 0
  let last: Omit<ReencryptProgress, 'bytes'> = { reencrypted: 0, current: 0, foreign: 0, notEncrypted: 0, files: 0, failed: 0 }
  const tell = (progress: Omit<ReencryptProgress, 'bytes'>): void => {
    last = progress
    onProgress?.({ ...last, bytes })
  }
  const { signal, concurrency } = resolveTreeOptions(options, CONCURRENCY)
  const turns = new Turns()
  /** Files that this call has made: a folder that changes may list one again. */
  const made = new Set<string>()
  const prepare = (): Promise<void> => prepareKeys(keys, task.into)
  const work = async (path: string | Buffer): Promise<ReencryptOutcome> => {
    const seen = await lookAt(path)
    if (seen === undefined) return 'notEncrypted'
    const state = stateOf(task, seen.header, made)
    if (state !== 'due') return state
    const name = nameOf(path)
    const purposes = await purposesOf(name)
    const context = task.contextOf(name)
    // Not by the file itself: it is another one as soon as it was replaced, and still locked.
    const place = await realpath(path, { encoding: 'buffer' })
    return turns.take(place.toString('latin1'), async () => {
      const settings = { ...task.settings, control: { signal, onProgress: count() } }
      let change: FileKeyChangeMessage | undefined
      const choose = (header: KeyHeader): NewCredentials | undefined => {
        if (stateOf(task, header, made) !== 'due') return undefined
        const credentials = credentialsFor(task, header, purposes, context)
        const { id: keyringId, generation } = task.into ?? keys
        const to = namePlace({ keyringId, generation })
        change = { path: name, purpose: credentials.to.purpose, from: namePlace(header.live.content), to }
        return credentials
      }
      const reencrypting = async (): Promise<Uint8Array | undefined> => {
        await prepare()
        return new AsyncRunner(nodeDisk).run(() => reencryptFile(path, settings, choose))
      }
      const salt = await whenUnlocked(task.lockTimeout, signal, reencrypting)
      if (salt === undefined) return 'current'
      made.add(toHex(salt))
      publish('sealfile:reencrypt', () => change!)
      return 'reencrypted'
    })
  }
  const report = await workThrough(roots, OUTCOMES, { concurrency, signal, onProgress: tell }, work, prepare)
  return { ...report, bytes }

  function count(): (progress: { readonly done: number; readonly total: number }) => void {
    let counted = 0
    return ({ done, total }) => {
      bytes += done - counted
      counted = done
      if (done < total) tell(last)
    }
  }
}

/** @throws TypeError or RangeError, naming the option. */
function resolveTask(keys: RotatingKeys, options: ReencryptOptions): Task {
  checkRotatingKeys('keys', keys)
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw invalidArgType('options', 'of type object', options)
  }
  const { before, into, context = NO_BYTES, cipher, segmentSize, lockTimeout = 0, freshness } = options
  if (before !== undefined) checkInteger('options.before', before, 1, keys.generation)
  if (into !== undefined) {
    checkRotatingKeys('options.into', into)
    if (equalBytes(into.id, keys.id)) throw invalidArgValue('options.into', WITHHELD, 'must be of another keyring')
    if (before !== undefined) throw invalidArgValue('options.before', before, 'must not be set together with options.into')
  }
  // What all openers take is checked as they do it.
  const fixed = typeof context === 'function' ? NO_BYTES : context
  resolveOpenOptions({ keyManager: keys, purpose: 'any', context: fixed, cipher, segmentSize, lockTimeout, freshness })
  const contextOf = typeof context === 'function' ? context : () => context
  return { keys, into, before, contextOf, lockTimeout, settings: { cipher, segmentSize, freshness } }
}

/** Takes nobody's word for what is done: that a header says so counts if the keyring made it, for this file and as its first. */
function stateOf({ keys, into, before }: Task, header: KeyHeader, made: ReadonlySet<string>): 'foreign' | 'current' | 'due' {
  const { live } = header
  if (into !== undefined && isOf(into, live)) {
    checkSlot(into, header, live)
    return 'current'
  }
  if (!isOf(keys, live)) return 'foreign'
  // A slot of a later sequence was rewrapped, and its data key is older than its generation.
  const isNewEnough = before !== undefined && live.content.sequence === 1 && live.content.generation >= before
  if (!isNewEnough && !made.has(toHex(header.salt))) return 'due'
  checkSlot(keys, header, live)
  return 'current'
}

function credentialsFor({ keys, into }: Task, header: KeyHeader, purposes: readonly string[], context: Uint8Array): NewCredentials {
  const { purpose, dek } = unwrapUnderAny(keys, header, header.live, purposes)
  dek.fill(0)
  return { from: { keySource: keys, purpose, context }, to: { keySource: into ?? keys, purpose, context } }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

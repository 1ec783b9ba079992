import { namePlace, publish, type FileKeyChangeMessage } from '../../audit-channels.js'
import { invalidArgType, invalidArgValue } from '../../argument-errors.js'
import { isZero } from '../../bytes/arrays.js'
import { KEY_SLOT_COUNT, keySlotBytes } from '../../container/key-slots.js'
import { changeKeySlot, type Durability } from '../../file/change-key-slot.js'
import { nodeDisk } from '../../file/io/node-disk.js'
import { AsyncRunner } from '../../file/io/runners.js'
import type { PathLike, Steps } from '../../file/io/steps.js'
import { keyRequestFor, type KeyHeader } from '../../file/key-header.js'
import { nameOf } from '../../file/open-file.js'
import { checkInteger } from '../../file/options.js'
import { resolvePurposes, type PurposeOption } from './purposes.js'
import { checkRotatingKeys, checkSlot, isOf, prepareKeys, unwrapUnderAny, type RotatingKeys } from './rotating-keys.js'
import { Turns, whenUnlocked } from './turns.js'
import { lookAt, resolveTreeOptions, workThrough, type Roots, type TreeOptions, type TreeReport } from './work-through.js'

/**
 * What became of a file: `rewrapped`, its key is wrapped under the newest generation now; `current`, it was before; `foreign`, it belongs
 * to another keyring; `notEncrypted`, sealfile did not write it, or it is empty.
 */
export type RewrapOutcome = 'rewrapped' | 'current' | 'foreign' | 'notEncrypted'

/** How to rewrap files. */
export interface RewrapOptions extends TreeOptions<RewrapOutcome> {
  /** What the files were written for. */
  readonly purpose: PurposeOption
  /**
   * Milliseconds to wait for a writer to close its file, 0 or more.
   *
   * @defaultValue 0: such a file is among the failures, with `ERR_SEALFILE_LOCKED`
   */
  readonly lockTimeout?: number | undefined
  /**
   * What a file waits for. In any case the disk has the new wrapping before the old one is wiped. `os`: the operating system has the wiping;
   * `fsync`: the disk has it.
   *
   * @defaultValue `os`
   */
  readonly durability?: 'os' | 'fsync' | undefined
  /**
   * Check what would be done, keys and purposes included, and write nothing.
   *
   * @defaultValue false
   */
  readonly dryRun?: boolean | undefined
}

/** What became of the files. */
export type RewrapReport = TreeReport<RewrapOutcome>

const OUTCOMES = ['rewrapped', 'current', 'foreign', 'notEncrypted'] as const
/** More than the system's threads: while some wait for the disk, others are worked on. */
const CONCURRENCY = 16
const TIMER_MAX = 2 ** 31 - 1

/**
 * Wraps the keys of files under the newest generation of the master key. Of each file only the header is read and changed: a key slot is
 * written, and when the disk has it, the other is wiped. A crash at any moment leaves a file that opens; calling this again goes on where
 * it was. Readers are not disturbed.
 *
 * @param keys - Must have the generations that the files need.
 * @throws TypeError or RangeError for options that cannot be; an AbortError; ClosedError if the keys are gone. What goes wrong with a file
 * is in the report, and stops no other.
 */
export async function rewrap(keys: RotatingKeys, roots: Roots, options: RewrapOptions): Promise<RewrapReport> {
  checkRotatingKeys('keys', keys)
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw invalidArgType('options', 'of type object', options)
  }
  const { lockTimeout = 0, durability = 'os', dryRun = false } = options
  checkInteger('options.lockTimeout', lockTimeout, 0, TIMER_MAX)
  if (!['os', 'fsync'].includes(durability)) throw invalidArgValue('options.durability', durability, "must be 'os' or 'fsync'")
  if (typeof dryRun !== 'boolean') throw invalidArgType('options.dryRun', 'of type boolean', dryRun)
  const control = resolveTreeOptions(options, CONCURRENCY)
  const purposesOf = resolvePurposes(options.purpose)
  const turns = new Turns()
  const prepare = (): Promise<void> => prepareKeys(keys)
  const work = async (path: string | Buffer): Promise<RewrapOutcome> => {
    const runner = new AsyncRunner(nodeDisk)
    const seen = await lookAt(path, runner)
    if (seen === undefined) return 'notEncrypted'
    const { header, stats } = seen
    const state = stateOf(keys, header)
    if (state !== 'due') return state
    const purposes = await purposesOf(nameOf(path))
    return turns.take(`${stats.dev}:${stats.ino}`, async () => {
      if (!dryRun) {
        const rewrapping = async (): Promise<boolean> => {
          await prepare()
          return runner.run(() => rewrapFile(path, keys, purposes, durability))
        }
        return (await whenUnlocked(lockTimeout, control.signal, rewrapping)) ? 'rewrapped' : 'current'
      }
      unwrapUnderAny(keys, header, header.live, purposes).dek.fill(0)
      return 'rewrapped'
    })
  }
  return workThrough(roots, OUTCOMES, control, work, prepare)
}

function stateOf(keys: RotatingKeys, header: KeyHeader): 'foreign' | 'current' | 'due' {
  if (!isOf(keys, header.live)) return 'foreign'
  if (header.live.content.generation !== keys.generation) return 'due'
  if (!isAlone(header)) return 'due'
  checkSlot(keys, header, header.live)
  return 'current'
}

/** Whether nothing is left of an older wrapping. */
function isAlone({ bytes, live }: KeyHeader): boolean {
  return isZero(keySlotBytes(bytes, KEY_SLOT_COUNT - 1 - live.slot))
}

/**
 * Rewraps one file, or fails at once if it is open for writing.
 *
 * @param purposes - One of them is the file's.
 * @returns whether there was anything to do.
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_PURPOSE` if no purpose is the file's, `ERR_SEALFILE_WRONG_KEY`,
 * `ERR_SEALFILE_NO_GENERATION`; InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` for a header that was altered; what
 * {@link changeKeySlot} throws. Where a key is to blame, nothing was written.
 */
export function* rewrapFile(
  path: PathLike,
  keys: RotatingKeys,
  purposes: readonly string[],
  durability: Durability,
): Steps<boolean> {
  let change: FileKeyChangeMessage | undefined
  const isDone = yield* changeKeySlot(path, durability, (header, { slot, sequence }) => {
    const { content } = header.live
    const { purpose, dek } = unwrapUnderAny(keys, header, header.live, purposes)
    try {
      if (content.generation === keys.generation) return undefined
      const wrapped = keys.wrapFileKey(keyRequestFor(header, slot, sequence, purpose), dek)
      change = { path: nameOf(path), purpose, from: namePlace(content), to: namePlace(wrapped) }
      return wrapped
    } finally {
      dek.fill(0)
    }
  })
  if (change !== undefined) publish('sealfile:rewrap', () => change!)
  return isDone
}

import { constants } from 'node:fs'
import { equalBytes, isZero } from '../bytes/arrays.js'
import { buildKeySlot, keySlotBytes, keySlotPosition } from '../container/key-slots.js'
import { PREAMBLE_SIZE } from '../container/preamble.js'
import { LockedError } from '../errors.js'
import { nameFile } from './engine/container-file.js'
import { parseFlags } from './flags.js'
import { io, readNow, writeFully, type PathLike, type Steps } from './io/steps.js'
import { readKeyHeader, type KeyHeader } from './key-header.js'
import type { WrappedFileKey } from './key-source.js'
import { closeAndUnlock, NO_FOLLOW, openLocked, type LockedFile } from './locked-file.js'
import { nameOf } from './open-file.js'
import type { ResolvedOptions } from './options.js'

/** Where a wrapped key will lie. */
export interface NextSlot {
  /** 0 or 1. */
  readonly slot: number
  readonly sequence: number
}

/**
 * Wraps a file's key anew. Throws if it cannot, before anything was written.
 *
 * @returns undefined if the key that is in use is to stay.
 */
export type WrapAnew = (header: KeyHeader, next: NextSlot) => WrappedFileKey | undefined

/** What is waited for once the old wrapping was wiped. */
export type Durability = ResolvedOptions['durability']

const ACCESS = parseFlags('r+')
const ACCESS_NO_LINK = parseFlags(constants.O_RDWR | NO_FOLLOW)
/** What systems answer to that where there is a link. */
const IS_LINK: readonly unknown[] = ['ELOOP', 'EMLINK', 'EFTYPE']

/**
 * Changes a file over to another wrapping of its key, under its lock, or completes what an earlier call left undone (docs/format.md,
 * "Key slots"). At each moment one slot is whole, and on disk. Nothing else of the file changes.
 *
 * @param path - Of a file whose header was looked at a moment ago.
 * @returns whether there was anything to do.
 * @throws LockedError, InvalidFileFormatError, CorruptedFileError, system errors, and what `wrapAnew` throws.
 */
export function* changeKeySlot(path: PathLike, durability: Durability, wrapAnew: WrapAnew): Steps<boolean> {
  const name = nameOf(path)
  const { fd, lock } = yield* openForChange(path, name)
  try {
    return yield* changeOver(fd, name, durability, wrapAnew)
  } catch (error) {
    throw nameFile(error, name)
  } finally {
    yield* closeAndUnlock(fd, lock)
  }
}

/** Most paths are no links, and to ask costs a call. */
function* openForChange(path: PathLike, name: string): Steps<LockedFile> {
  const options = { lockTimeout: 0, mode: 0o666 }
  try {
    return yield* openLocked(path, name, ACCESS_NO_LINK, options, nothing, noSteps)
  } catch (error) {
    if (!IS_LINK.includes((error as NodeJS.ErrnoException).code)) throw error
    return yield* openLocked(path, name, ACCESS, options, nothing, noSteps)
  }
}

function* changeOver(fd: number, name: string, durability: Durability, wrapAnew: WrapAnew): Steps<boolean> {
  const header = yield* readKeyHeader(fd, name, true)
  const { slot: liveSlot, content } = header.live
  const next: NextSlot = { slot: 1 - liveSlot, sequence: content.sequence + 1 }
  const wrapped = wrapAnew(header, next)
  const preamble = header.bytes.subarray(0, PREAMBLE_SIZE)
  if (wrapped !== undefined) {
    yield* switchTo(next.slot, buildKeySlot(preamble, next.slot, { sequence: next.sequence, ...wrapped }))
    return true
  }
  const other = keySlotBytes(header.bytes, next.slot)
  if (isZero(other)) return false
  // An earlier call died, or the disk failed it, before the other slot was wiped. Whether this one is on disk nobody knows.
  yield* switchTo(liveSlot, keySlotBytes(header.bytes, liveSlot))
  return true

  /** Writes a slot, waits for the disk, and wipes the other. */
  function* switchTo(slot: number, bytes: Uint8Array): Steps<void> {
    const old = 1 - slot
    yield* writeFully(fd, [bytes], keySlotPosition(slot))
    yield* io.fdatasync(fd)
    yield* checkUntouched(slot, bytes, old)
    yield* writeFully(fd, [new Uint8Array(bytes.length)], keySlotPosition(old))
    if (durability === 'fsync') yield* io.fdatasync(fd)
  }

  /** Locks go by names: under another name of the file somebody may be changing it over, too, and wipe what was written here. */
  function* checkUntouched(slot: number, bytes: Uint8Array, old: number): Steps<void> {
    const now = new Uint8Array(header.bytes.length)
    yield* readNow(fd, now, 0)
    const isSame =
      equalBytes(now.subarray(0, PREAMBLE_SIZE), preamble) &&
      equalBytes(keySlotBytes(now, slot), bytes) &&
      equalBytes(keySlotBytes(now, old), keySlotBytes(header.bytes, old))
    if (!isSame) throw new LockedError('the header was changed meanwhile, under another name of the file or against its lock')
  }
}

function nothing(): void {
  // The file exists.
}

function* noSteps(): Steps<void> {
  // Nothing of what is there is dropped.
}

import { constants } from 'node:fs'
import { resolve } from 'node:path'
import { LockedError } from '../errors.js'
import { acquireLock, lockPath, releaseLock, type Lock } from './engine/lock.js'
import type { Access } from './flags.js'
import { begin, fstatNow, io, settle, undoOnError, type Background, type PathLike, type Steps } from './io/steps.js'
import { systemError } from './io/system-errors.js'
import { statIfThere } from './successor-file.js'
import type { ResolvedOptions } from './options.js'

/** Does not follow a symbolic link; its caller is spared a look whether there is one. Windows has no such flag. */
export const NO_FOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0

/** What of a caller's options matters here. */
type LockOptions = Pick<ResolvedOptions, 'lockTimeout' | 'mode'>

/** A file that is open for writing under its lock. */
export interface LockedFile {
  readonly fd: number
  readonly lock: Lock
  readonly size: number
  /** The file did not exist before. */
  readonly isCreated: boolean
}

/**
 * Opens a file for writing under its lock. To make a new file costs no more than one call's time: it is made while the lock is.
 * Nothing is dropped before the lock is held.
 *
 * @param meanwhile - Work to do while the lock is being made.
 * @param whenFound - Called where there is a file, once it is locked, before what it holds is dropped; what it throws prevents that.
 */
export function* openLocked(
  path: PathLike,
  name: string,
  access: Access,
  options: LockOptions,
  meanwhile: () => void,
  whenFound: () => Steps<void>,
): Steps<LockedFile> {
  const { lockTimeout, mode } = options
  const flags = constants.O_RDWR | access.system
  const newFlags = flags | constants.O_CREAT | constants.O_EXCL
  const beginCreating = (): Steps<Background> => begin({ call: 'open', args: [path, newFlags, mode] })
  // What must be new is made under the lock: of two that try at once, one could make it and the other have the lock, and both would fail.
  let creating = access.create && !access.exclusive ? yield* beginCreating() : undefined
  let lock
  try {
    lock = yield* acquireLock(lockPath(resolve(name)), name, lockTimeout, meanwhile)
  } catch (error) {
    const isLocked = error instanceof LockedError
    if (isLocked && access.exclusive) throw (yield* exists(path)) ? systemError('EEXIST', 'open', { path: name }) : error
    // The system's own word on the file comes first.
    const isNew = access.create && !isLocked
    const fd = creating === undefined ? yield* io.open(path, isNew ? newFlags : flags, mode) : yield* settleUnlessExists(creating)
    if (fd !== undefined) {
      yield* io.close(fd)
      if (isNew) yield* io.unlink(path)
    }
    throw error
  }
  try {
    if (access.exclusive) creating = yield* beginCreating()
    const created = creating === undefined ? undefined : yield* settleUnlessExists(creating, access.exclusive)
    if (created !== undefined) {
      // Another writer may have had the lock before, and have written the file that was made here, or put another in its place.
      const { size, nlink } = yield* undoOnError(fstatNow(created), () => io.close(created))
      if (size === 0 && nlink !== 0) return { fd: created, lock, size: 0, isCreated: true }
      yield* io.close(created)
    }
    if ((access.system & NO_FOLLOW) === 0) lock = yield* lockTarget(path, name, lock, access, options)
    yield* whenFound()
    const existingFlags = flags | (access.create ? constants.O_CREAT : 0) | (access.truncate ? constants.O_TRUNC : 0)
    const fd = yield* io.open(path, existingFlags, mode)
    const { size } = yield* undoOnError(fstatNow(fd), () => io.close(fd))
    return { fd, lock, size, isCreated: false }
  } catch (error) {
    yield* releaseLock(lock)
    throw error
  }
}

/** @returns what was opened, or undefined where the file existed and may. */
function* settleUnlessExists(creating: Background, mustBeNew = false): Steps<number | undefined> {
  try {
    return (yield* settle(creating)) as number
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !mustBeNew) return undefined
    throw error
  }
}

/** Tells whether there is anything under a name, a symbolic link that leads nowhere among it. */
export function* exists(path: PathLike): Steps<boolean> {
  return (yield* statIfThere(path)) !== undefined || (yield* isLink(path))
}

/** Tells whether a path is a symbolic link; one that leads nowhere is one, too. */
export function* isLink(path: PathLike): Steps<boolean> {
  try {
    yield* io.readlink(path)
    return true
  } catch {
    return false // or nothing can be said of it: whoever opens it hears why
  }
}

/** Where the path is a symbolic link, changes over to the lock of the file that it leads to. */
function* lockTarget(path: PathLike, name: string, lock: Lock, access: Access, options: LockOptions): Steps<Lock> {
  if (!(yield* isLink(path))) return lock
  const target = yield* resolveLink(path, access, options)
  if (target === undefined) return lock
  const targetLock = yield* acquireLock(lockPath(target), name, options.lockTimeout)
  yield* releaseLock(lock)
  return targetLock
}

/** @returns the file that a path leads to by way of symbolic links; undefined where there is none, and none will be made. */
function* resolveLink(path: PathLike, access: Access, { mode }: LockOptions): Steps<string | undefined> {
  try {
    return yield* io.realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return undefined // whoever opens it hears why
  }
  if (!access.create) return undefined
  // The file is yet to be made: only then is there a name under which it can be locked.
  yield* io.close(yield* io.open(path, constants.O_RDWR | constants.O_CREAT, mode))
  return yield* io.realpath(path)
}

/** Closes the file, and lets go of its lock at the same time. */
export function* closeAndUnlock(fd: number, lock: Lock | undefined): Steps<void> {
  const closing = yield* begin({ call: 'close', args: [fd] })
  try {
    if (lock !== undefined) yield* releaseLock(lock)
  } finally {
    yield* settle(closing)
  }
}

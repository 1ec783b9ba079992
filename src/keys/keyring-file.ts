import { isUtf8 } from 'node:buffer'
import { constants, type Stats } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidArgType } from '../argument-errors.js'
import { acquireLock, lockPath, releaseLock } from '../file/engine/lock.js'
import { io, readFully, undoOnError, writeFully, type Steps } from '../file/io/steps.js'
import { isSystemError, systemError } from '../file/io/system-errors.js'
import { exists } from '../file/locked-file.js'
import { createSuccessor, discardSuccessor, publishSuccessor, type Place, type SuccessorFile } from '../file/successor-file.js'
import { taken, takePlace } from '../file/take-place.js'

/** The keyring on a disk: one small file that is read and replaced as a whole, and the version before it as a backup. */

/** Where a keyring lies: what `node:fs` takes. */
export type KeyringPath = string | Buffer | URL

const OWNER_ONLY = 0o600
const READ_SIZE = 65_536
/** A pipe in the place of a keyring must not hold us up. Windows has no such flag. */
const READ_FLAGS = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0)
const BACKUP_SUFFIX = '.backup'

/** @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no path. */
export function checkKeyringPath(path: unknown): asserts path is KeyringPath {
  if (typeof path === 'string' || Buffer.isBuffer(path) || path instanceof URL) return
  throw invalidArgType('path', 'of type string or an instance of Buffer or URL', path)
}

/** @returns a valid path as text, for messages. */
export function describePath(path: KeyringPath): string {
  return path instanceof URL ? fileURLToPath(path) : path.toString()
}

/** @returns where the version before lies. */
export function backupPath(path: KeyringPath): Place {
  return Buffer.isBuffer(path) ? Buffer.concat([path, Buffer.from(BACKUP_SUFFIX)]) : describePath(path) + BACKUP_SUFFIX
}

/**
 * Follows links: to a keyring, they stay what they are, and whoever comes by one takes the keyring's own lock. Bytes that are no text have
 * none to be resolved to.
 *
 * @throws ENOENT if there is no file.
 */
export function* findKeyring(path: KeyringPath): Steps<Place> {
  return Buffer.isBuffer(path) && !isUtf8(path) ? path : yield* io.realpath(describePath(path))
}

/**
 * Reads a file that should be small.
 *
 * @returns all of it, or `limit + 1` bytes of one that has more.
 */
export function* readKeyringFile(path: KeyringPath, limit: number): Steps<Uint8Array> {
  return (yield* readWithStats(path, limit)).content
}

function* readWithStats(path: KeyringPath, limit: number): Steps<{ readonly content: Uint8Array; readonly stats: Stats }> {
  const fd = yield* io.open(path, READ_FLAGS, 0)
  try {
    const stats = yield* io.fstat(fd)
    const pieces: Uint8Array[] = []
    for (let size = 0; size <= limit;) {
      // The size that stat tells is not asked: what counts is what can be read.
      const piece = Buffer.alloc(Math.min(READ_SIZE, limit + 1 - size))
      const read = yield* readFully(fd, piece, size)
      pieces.push(piece.subarray(0, read))
      size += read
      if (read < piece.length) break
    }
    return { content: Buffer.concat(pieces), stats }
  } finally {
    yield* io.close(fd)
  }
}

/**
 * Begins a keyring file beside its place, so that whatever is against it is an error before any work is done.
 *
 * @returns an empty file that nobody else knows of.
 * @throws EEXIST if something has the name.
 */
export function* beginKeyringFile(path: KeyringPath): Steps<SuccessorFile> {
  const target = placeOf(path)
  if (yield* exists(target)) throw taken(target)
  try {
    return yield* createSuccessor(target, undefined, OWNER_ONLY)
  } catch (error) {
    // The name that the caller knows is not the one that failed.
    throw isSystemError(error) ? systemError(error.code, 'open', { path: target.toString() }) : error
  }
}

/**
 * Gives a keyring file its content and its name. Before it has that, a failure removes it; afterwards others may have opened it.
 *
 * @throws EEXIST if somebody else has made one meanwhile, which is left as it is.
 */
export function* publishKeyringFile(file: SuccessorFile, content: Uint8Array): Steps<void> {
  yield* finish(file, content, () => takePlace(file.temporary, file.target))
}

/**
 * Puts new content in a file's place: at every moment, also after a power cut, the old or the new one is there, whole.
 *
 * @param model - Whose owner and permissions it gets.
 */
function* replaceKeyringFile(path: KeyringPath, content: Uint8Array, model: Stats): Steps<void> {
  const successor = yield* createSuccessor(placeOf(path), model, OWNER_ONLY)
  yield* finish(successor, content, () => publishSuccessor(successor))
}

function* finish(file: SuccessorFile, content: Uint8Array, publish: () => Steps<void>): Steps<void> {
  yield* undoOnError(write(), () => discardSuccessor(file))
  yield* undoOnError(closeAndPublish(), () => io.unlink(file.temporary))

  function* closeAndPublish(): Steps<void> {
    yield* io.close(file.fd)
    yield* publish()
  }

  function* write(): Steps<void> {
    yield* writeFully(file.fd, [content], 0)
    yield* io.fsync(file.fd)
  }
}

function placeOf(path: KeyringPath): Place {
  return path instanceof URL ? fileURLToPath(path) : path
}

/** How a keyring file is changed. */
export interface ChangeOptions {
  /** Milliseconds to wait for another process that changes it. */
  readonly lockTimeout: number
  /** Bytes that it may have. */
  readonly limit: number
  /** Whether the version before stays beside it; else no backup does. */
  readonly keepsBackup: boolean
}

/**
 * Changes a keyring file while nobody else can.
 *
 * @param edit - Gets what is there now, and gives what is to be there; throws to leave it.
 */
export function* changeKeyringFile(
  path: KeyringPath,
  edit: (content: Uint8Array) => Uint8Array,
  { lockTimeout, limit, keepsBackup }: ChangeOptions,
): Steps<void> {
  const place = yield* findKeyring(path)
  const lock = yield* acquireLock(lockPath(resolve(place.toString())), describePath(path), lockTimeout)
  try {
    const { content, stats } = yield* readWithStats(place, limit)
    const edited = edit(content)
    // The backup is worth as much as the keyring: whoever may not read that one may not read this one, whatever lies in its place.
    if (keepsBackup) yield* replaceKeyringFile(backupPath(place), content, stats)
    else yield* removeIfThere(backupPath(place))
    yield* replaceKeyringFile(place, edited, stats)
  } finally {
    yield* releaseLock(lock)
  }
}

function* removeIfThere(path: KeyringPath): Steps<void> {
  try {
    yield* io.unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

import { createHash } from 'node:crypto'
import { constants, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { randomNonce } from '../../bytes/random.js'
import { LockedError } from '../../errors.js'
import { begin, io, readFully, settle, writeFully, type Background, type Steps } from '../io/steps.js'

/**
 * Keeps two writers off one file, in one process and between processes: a symbolic link beside the file, whose target says who
 * made it. Making a link is one atomic call that also says who, which no lock file can offer. It is not followed, and points nowhere.
 */

/** A lock that is held. */
export interface Lock {
  readonly path: string
}

const SUFFIX = '.sealfile-lock'
const NAME_MAX = 255
const RETRY_MS = 25
/** What a lock's name grows by for the one who removes it: a guard, which may need a guard. */
const GUARD_LENGTH = 17
/** Process, its start, which lock of its, host: short enough, as a rule, to need no block of its own on the disk. */
const LOCK_TARGET = /^(\d+):(\d*):[0-9a-f]{16}@([\w.%~!*'()-]+)$/
/** What systems answer that do not make symbolic links, or not for everybody. */
const NO_LINKS = new Set<string | undefined>(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'])
const LOCK_FILE_MAX = 512
/** Somebody else may have put anything there: a pipe must not hold us up. Windows knows neither flag. */
const READ_LOCK_FLAGS =
  constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0) | ((constants.O_NOFOLLOW as number | undefined) ?? 0)
const LOCK_NUMBER = /[0-9a-f]{16}(?=@)/

interface Owner {
  readonly host: string
  readonly pid: number
  /** When the process began, as the system counts it; empty where that cannot be told. Process numbers are used again. */
  readonly started: string
}

/** When process `pid` began: field 22 of its stat file on Linux; `dead` for one that has ended and that nobody has asked about yet. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

let self: Owner | undefined

function describeSelf(): string {
  self ??= { host: encodeURIComponent(hostname()), pid: process.pid, started: startOf(process.pid) }
  return `${self.pid}:${self.started}:${Buffer.from(randomNonce(8)).toString('hex')}@${self.host}`
}

function parseOwner(target: string): Owner | undefined {
  const [, pid, started, host] = LOCK_TARGET.exec(target) ?? []
  return host === undefined || pid === undefined || started === undefined ? undefined : { host, pid: Number(pid), started }
}

/** Whether the owner may still be there. Of another machine's processes nothing is known. */
function mayBeAlive(owner: Owner): boolean {
  if (owner.host !== encodeURIComponent(hostname())) return true
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const started = startOf(owner.pid)
  if (started === 'dead') return false
  return started === '' || owner.started === '' || started === owner.started
}

/** The lock that belongs to a file: beside it, under a name that the file system takes. */
export function lockPath(file: string): string {
  const name = basename(file)
  const short =
    Buffer.byteLength(name + SUFFIX) + 2 * GUARD_LENGTH <= NAME_MAX ? name : createHash('sha256').update(name).digest('hex')
  return join(dirname(file), short + SUFFIX)
}

/**
 * Takes a lock, or waits for it.
 *
 * @param file - For the message.
 * @param timeout - Milliseconds to wait at most.
 * @param meanwhile - Work to do while the lock is being made.
 * @throws LockedError `ERR_SEALFILE_LOCKED` if it is still held by then.
 * @throws the system's error where no lock can be made beside the file.
 */
export function* acquireLock(path: string, file: string, timeout: number, meanwhile?: () => void): Steps<Lock> {
  const deadline = Date.now() + timeout
  for (;;) {
    const holder = yield* tryLock(path, meanwhile)
    meanwhile = undefined
    if (holder === undefined) return { path }
    const left = deadline - Date.now()
    if (left <= 0) throw lockedError(holder, path, file)
    yield* io.sleep(Math.min(left, RETRY_MS))
  }
}

/** @returns undefined if the lock was taken, else what its holder wrote into it. */
function* tryLock(path: string, meanwhile?: () => void): Steps<string | undefined> {
  for (;;) {
    const linking = yield* begin({ call: 'symlink', args: [describeSelf(), path] })
    meanwhile?.()
    meanwhile = undefined
    try {
      yield* makeLock(linking, path)
      return undefined
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const holder = yield* readLock(path)
    if (holder === undefined) continue // released in this moment
    const owner = parseOwner(holder)
    if (owner === undefined || mayBeAlive(owner)) return holder
    const rival = yield* removeStale(path, holder)
    if (rival !== undefined) return rival
  }
}

/**
 * Removes a lock whose owner died. Two processes may try at once, and the slower one must not remove the faster one's new lock:
 * so whoever removes this very lock holds a lock for doing so, named after it.
 *
 * @returns who else is removing it, if anyone.
 */
function* removeStale(path: string, stale: string): Steps<string | undefined> {
  const guard = `${path}-${LOCK_NUMBER.exec(stale)![0]}`
  const rival = yield* tryLock(guard)
  if (rival !== undefined) return rival
  try {
    if ((yield* readLock(path)) === stale) yield* releaseLock({ path })
  } finally {
    yield* releaseLock({ path: guard })
  }
  return undefined
}

/** Waits for the link; where there are none, as on some file systems and on Windows without the right to make them, makes a file. */
function* makeLock(linking: Background, path: string): Steps<void> {
  try {
    yield* settle(linking)
  } catch (error) {
    if (!NO_LINKS.has(codeOf(error))) throw error
    const fd = yield* io.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666)
    try {
      yield* writeFully(fd, [Buffer.from(describeSelf())], 0)
    } catch (error) {
      yield* releaseLock({ path })
      throw error
    } finally {
      yield* io.close(fd)
    }
  }
}

/** @returns what the holder wrote into a lock; undefined where there is none any more. */
function* readLock(path: string): Steps<string | undefined> {
  try {
    return yield* io.readlink(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    return yield* readLockFile(path)
  }
}

function* readLockFile(path: string): Steps<string | undefined> {
  let fd
  try {
    fd = yield* io.open(path, READ_LOCK_FLAGS, 0)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const content = Buffer.alloc(LOCK_FILE_MAX)
    return content.toString('utf8', 0, yield* readFully(fd, content, 0))
  } finally {
    yield* io.close(fd)
  }
}

/** Lets go of a lock. It may be gone: somebody may have removed it by hand. */
export function* releaseLock({ path }: Lock): Steps<void> {
  try {
    yield* io.unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function lockedError(holder: string, path: string, file: string): LockedError {
  const owner = parseOwner(holder)
  const who = owner === undefined ? 'an unknown process' : `process ${owner.pid} on ${owner.host}`
  return new LockedError(`the file is open for writing by ${who} (lock '${path}')`, { path: file })
}

import { dirname, resolve } from 'node:path'
import { acquireLock, lockPath, releaseLock } from './engine/lock.js'
import { moveIntoPlace, syncFolder } from './io/move-file.js'
import { io, type Steps } from './io/steps.js'
import { systemError } from './io/system-errors.js'
import { exists } from './locked-file.js'
import { onText, type Place } from './successor-file.js'

/** What file systems answer that have no hard links. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES', 'EINVAL']
/** Milliseconds to wait for others who have the lock that is used where there are none. */
const PATIENCE_MS = 10_000

/**
 * Gives a file its name, in one step and only where nothing has it: of several that try at once, one gets the name and the others hear of
 * it, and nobody ever finds it half there. Returns when the disk knows it. The file's content must be on the disk already.
 *
 * @param temporary - Where the file is, beside `target`.
 * @throws EEXIST if something has the name, a symbolic link that leads nowhere among it.
 */
export function* takePlace(temporary: Place, target: Place): Steps<void> {
  const folder = onText(target, dirname)
  try {
    yield* io.link(temporary, target)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw taken(target)
    if (!NO_LINKS.includes(code)) throw error
    yield* moveUnderLock(temporary, target, folder)
    return
  }
  yield* io.unlink(temporary)
  yield* syncFolder(folder)
}

/** To rename replaces what is there: only who holds the lock knows that nothing is. */
function* moveUnderLock(temporary: Place, target: Place, folder: Place): Steps<void> {
  const name = target.toString()
  const lock = yield* acquireLock(lockPath(resolve(name)), name, PATIENCE_MS)
  try {
    if (yield* exists(target)) throw taken(target)
    yield* moveIntoPlace(temporary, target, folder)
  } finally {
    yield* releaseLock(lock)
  }
}

/** @returns what the system says where a name is taken. */
export function taken(target: Place): NodeJS.ErrnoException {
  return systemError('EEXIST', 'open', { path: target.toString() })
}

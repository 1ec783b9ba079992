import { constants } from 'node:fs'
import { io, type PathLike, type Steps } from './steps.js'

/** What systems and file systems answer that do not sync folders, or do not let everybody. */
const NO_FOLDER_SYNC: readonly unknown[] = ['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF']
/** What Windows answers while a virus scanner or an indexer has one of the two files open. */
const BUSY: readonly unknown[] = ['EPERM', 'EACCES', 'EBUSY']
/** Milliseconds for which that is put up with, and from one try to the next. */
const PATIENCE_MS = 5_000
const RETRY_MS = 25

/**
 * Moves a file into the place of another, in one step: at every moment the old or the new one is there. Returns when the disk knows
 * it. The new file's content must be on the disk already.
 *
 * @param folder - Where `to` is.
 */
export function* moveIntoPlace(from: PathLike, to: PathLike, folder: PathLike): Steps<void> {
  yield* renameIntoPlace(from, to)
  yield* syncFolder(folder)
}

/** The same, without waiting for the disk. */
export function* renameIntoPlace(from: PathLike, to: PathLike): Steps<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      yield* io.rename(from, to)
      return
    } catch (error) {
      const isBusy = process.platform === 'win32' && BUSY.includes((error as NodeJS.ErrnoException).code)
      if (!isBusy || Date.now() >= deadline) throw error
      yield* io.sleep(RETRY_MS)
    }
  }
}

/** Waits until the disk knows what names a folder holds, where the system can do that. */
export function* syncFolder(folder: PathLike): Steps<void> {
  let fd: number | undefined
  try {
    fd = yield* io.open(folder, constants.O_RDONLY, 0)
    yield* io.fsync(fd)
  } catch (error) {
    if (!NO_FOLDER_SYNC.includes((error as NodeJS.ErrnoException).code)) throw error
  } finally {
    if (fd !== undefined) yield* io.close(fd)
  }
}

import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { randomNonce } from '../bytes/random.js'
import { moveIntoPlace } from './io/move-file.js'
import { io, undoOnError, type PathLike, type Steps } from './io/steps.js'

/** A path; a Buffer where it may be no text. */
export type Place = string | Buffer

/** A new file that is being written beside the one whose place it will take. */
export interface SuccessorFile {
  readonly fd: number
  /** Where it is now. */
  readonly temporary: Place
  /** Where it will be. */
  readonly target: Place
}

const SUFFIX = '.sealfile-tmp'
const NAME_MAX = 255

/** Works on the text of a path: latin1 takes every byte there and back. */
export function onText(path: Place, work: (text: string) => string): Place {
  return typeof path === 'string' ? work(path) : Buffer.from(work(path.toString('latin1')), 'latin1')
}

/** A name beside `target` that nobody else uses. @param token - 16 hexadecimal digits. */
export function temporaryPlace(target: Place, token: string): Place {
  return onText(target, (path) => temporaryPath(path, token))
}

function temporaryPath(target: string, token: string): string {
  const name = basename(target)
  const unique = `.${token}${SUFFIX}`
  const isLong = Buffer.byteLength(name) + unique.length + 1 > NAME_MAX
  const short = isLong ? createHash('sha256').update(name).digest('hex') : name
  return join(dirname(target), `.${short}${unique}`)
}

/** @returns 16 hexadecimal digits that were never used before. */
export function temporaryToken(): string {
  return Buffer.from(randomNonce(8)).toString('hex')
}

/** @returns what the system says of a file; undefined where there is none. */
export function* statIfThere(path: PathLike): Steps<Stats | undefined> {
  try {
    return yield* io.stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Makes a new, empty file, with owner and permissions of the one that it will replace.
 *
 * @param target - No symbolic link: its place is taken.
 * @param predecessor - What the system says of the file that is there.
 * @param mode - Permission bits where there is none.
 */
export function* createSuccessor(target: Place, predecessor: Stats | undefined, mode: number): Steps<SuccessorFile> {
  const temporary = temporaryPlace(target, temporaryToken())
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
  const fd = yield* io.open(temporary, flags, predecessor === undefined ? mode : 0o600)
  const successor = { fd, temporary, target }
  if (predecessor === undefined) return successor
  yield* undoOnError(takeAfter(fd, predecessor), () => discardSuccessor(successor))
  return successor
}

/** Gives a file the owner and the permissions of the one that it will replace, as far as the process may. */
export function* takeAfter(fd: number, { uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>): Steps<void> {
  const own = yield* io.fstat(fd)
  // Only a privileged process may give files away; others may give them to a group that they are in.
  const isTaken = (yield* give(uid, gid)) || (yield* give(own.uid, gid))
  // What the group was allowed was meant for another one: this one may what others may.
  yield* io.fchmod(fd, isTaken ? mode & 0o7777 : (mode & 0o707) | ((mode & 0o007) << 3))

  /** @returns whether the file belongs to that user and group now. */
  function* give(uid: number, gid: number): Steps<boolean> {
    if (own.uid === uid && own.gid === gid) return true
    try {
      yield* io.fchown(fd, uid, gid)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPERM') return false
      throw error
    }
  }
}

/** Closes and removes a successor that nobody wants. */
export function* discardSuccessor({ fd, temporary }: SuccessorFile): Steps<void> {
  yield* io.close(fd)
  yield* io.unlink(temporary)
}

/** Puts a successor, whose content is on the disk and which is closed, into its place. */
export function publishSuccessor({ temporary, target }: SuccessorFile): Steps<void> {
  return moveIntoPlace(temporary, target, onText(target, dirname))
}

import { createWriteStream, type WriteStream } from 'node:fs'
import { chmod, link, lstat, realpath, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { acquireLock, lockPath, releaseLock } from '../file/engine/lock.js'
import { moveIntoPlace, syncFolder } from '../file/io/move-file.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import type { Steps } from '../file/io/steps.js'
import { systemError } from '../file/io/system-errors.js'
import { PRIVATE } from './content.js'
import { temporaryPlace, temporaryToken } from '../file/successor-file.js'

/** How a file is made. */
export interface NewFileOptions {
  /** Replace what has its name. */
  readonly force: boolean
  /** Permission bits, before the umask. */
  readonly mode: number
}

/** What file systems answer that have no hard links. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES', 'EINVAL']

/**
 * Makes a file that has its name only once it is whole and on the disk; until then, and if it fails, nothing but what was there is there.
 *
 * @param write - Makes a file of the name that it is given, which nobody else has, and waits for the disk.
 * @throws EEXIST where something has the name and is not to be replaced; LockedError where that is open for writing; what `write` throws.
 */
export async function makeFile<T>(
  path: string,
  { force, mode }: NewFileOptions,
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  if (!force) await checkFree(path)
  const target = force ? await realpath(path).catch(() => path) : path
  const temporary = temporaryPlace(target, temporaryToken()) as string
  try {
    const made = await write(temporary)
    await chmod(temporary, mode & ~userMask())
    if (force) await new AsyncRunner(nodeDisk).run(() => replace(temporary, target))
    else await take(temporary, target)
    return made
  } finally {
    await rm(temporary, { force: true })
  }
}

/** It can be read only by setting it: for that moment new files are rather too private. */
function userMask(): number {
  const mask = process.umask(0o077)
  process.umask(mask)
  return mask
}

/** Where two do it at once, one gets the name, and the other hears of it. */
async function take(temporary: string, target: string): Promise<void> {
  const runner = new AsyncRunner(nodeDisk)
  try {
    await link(temporary, target)
    await runner.run(() => syncFolder(dirname(target)))
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code)) throw error
    await checkFree(target)
    await runner.run(() => moveIntoPlace(temporary, target, dirname(target)))
  }
}

function* replace(temporary: string, target: string): Steps<void> {
  const lock = yield* acquireLock(lockPath(target), target, 0)
  try {
    yield* moveIntoPlace(temporary, target, dirname(target))
  } finally {
    yield* releaseLock(lock)
  }
}

/** A symbolic link that leads nowhere is something, too. */
async function checkFree(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  if (there !== undefined) throw systemError('EEXIST', 'open', { path })
}

/** Opens a new file for its owner alone, to be written from start to end. It is closed when the disk has it. */
export function createPrivate(path: string): WriteStream {
  const options: WriteStreamOptions = { flags: 'wx', mode: PRIVATE, flush: true }
  return createWriteStream(path, options)
}

/** As Node has had them since 20.10. */
type WriteStreamOptions = Exclude<Parameters<typeof createWriteStream>[1], string | undefined> & { readonly flush: boolean }

import { createWriteStream, type WriteStream } from 'node:fs'
import { chmod, realpath, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { acquireLock, lockPath, releaseLock } from '../file/engine/lock.js'
import { moveIntoPlace } from '../file/io/move-file.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import type { Steps } from '../file/io/steps.js'
import { exists } from '../file/locked-file.js'
import { PRIVATE } from './content.js'
import { temporaryPlace, temporaryToken } from '../file/successor-file.js'
import { taken, takePlace } from '../file/take-place.js'

/** How a file is made. */
export interface NewFileOptions {
  /** Replace what has its name. */
  readonly force: boolean
  /** Permission bits, before the umask. */
  readonly mode: number
}

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
  const runner = new AsyncRunner(nodeDisk)
  if (!force && (await runner.run(() => exists(path)))) throw taken(path)
  const target = force ? await realpath(path).catch(() => path) : path
  const temporary = temporaryPlace(target, temporaryToken()) as string
  try {
    const made = await write(temporary)
    await chmod(temporary, mode & ~userMask())
    await runner.run(() => (force ? replace(temporary, target) : takePlace(temporary, target)))
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

function* replace(temporary: string, target: string): Steps<void> {
  const lock = yield* acquireLock(lockPath(target), target, 0)
  try {
    yield* moveIntoPlace(temporary, target, dirname(target))
  } finally {
    yield* releaseLock(lock)
  }
}

/** Opens a new file for its owner alone, to be written from start to end. It is closed when the disk has it. */
export function createPrivate(path: string): WriteStream {
  const options: WriteStreamOptions = { flags: 'wx', mode: PRIVATE, flush: true }
  return createWriteStream(path, options)
}

/** As Node has had them since 20.10. */
type WriteStreamOptions = Exclude<Parameters<typeof createWriteStream>[1], string | undefined> & { readonly flush: boolean }

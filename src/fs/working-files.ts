import type { Dir, Dirent } from 'node:fs'
import { basename } from 'node:path'
import { isWorkingName } from '../file/tree/working-names.js'

/** What lies beside files only for as long as they are being written, and is nobody's business. */

type Entry = string | Buffer | { readonly name: string | Buffer }

function isVisible(entry: Entry): boolean {
  const name = typeof entry === 'string' || Buffer.isBuffer(entry) ? entry : entry.name
  return !isWorkingName(basename(name.toString()))
}

/** Leaves out of what `readdir` gives whatever is not the caller's. */
export function withoutWorkingFiles<E extends Entry>(entries: readonly E[]): E[] {
  return entries.filter(isVisible)
}

/** Leaves the same out of what a folder gives that was opened by `opendir`. */
export function hideWorkingFiles(dir: Dir): Dir {
  const read: () => Promise<Dirent | null> = dir.read.bind(dir)
  const readSync = dir.readSync.bind(dir)
  const entries = dir[Symbol.asyncIterator].bind(dir)
  const readVisible = async (): Promise<Dirent | null> => {
    let entry
    do entry = await read()
    while (entry !== null && !isVisible(entry))
    return entry
  }
  const iterate = async function* (): AsyncGenerator<Dirent> {
    for await (const entry of entries()) if (isVisible(entry)) yield entry
  }
  return Object.assign(dir, {
    read(callback?: (error: Error | null, entry?: Dirent | null) => void): Promise<Dirent | null> | undefined {
      if (callback === undefined) return readVisible()
      readVisible().then(
        (entry) => process.nextTick(callback, null, entry),
        (error: unknown) => process.nextTick(callback, error),
      )
      return undefined
    },
    readSync(): Dirent | null {
      let entry
      do entry = readSync()
      while (entry !== null && !isVisible(entry))
      return entry
    },
    entries: iterate,
    [Symbol.asyncIterator]: iterate,
  })
}

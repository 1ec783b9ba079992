import { isUtf8 } from 'node:buffer'
import { readdir, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import type { PathLike } from '../io/steps.js'
import { nameOf } from '../open-file.js'
import { isWorkingName } from './working-names.js'

/** A file that was found, or what could not be looked at. */
export interface FoundFile {
  /** A string, or a Buffer where the name is not UTF-8. */
  readonly path: string | Buffer
  /** What the system said, where there is no file to work on. */
  readonly error?: unknown
  /** What it is instead of a file; only where everything was asked for. */
  readonly kind?: 'folder' | 'link' | 'special'
}

/**
 * Names as bytes. Bun knows no types of names that are Buffers; Node needs Buffers to find the types where the file system does not tell them.
 */
const NAME_ENCODING = (process.versions['bun'] === undefined ? 'buffer' : 'latin1') as BufferEncoding

/**
 * Lists files and all files in folders, in no order that means anything, one folder after the other. Symbolic links are followed
 * where they are given, and not where they are met in a folder; other special files are not listed there, and neither is what is only
 * there while a file is being written. The names in a folder are read to their end before the first is given: whoever works on files
 * may make and rename others beside them.
 *
 * @param roots - Files and folders.
 * @param everything - Give folders, too, each before what is in it, and what is met there and is neither.
 */
export async function* listFiles(roots: Iterable<PathLike>, everything = false): AsyncGenerator<FoundFile> {
  for (const root of roots) {
    const path = root instanceof URL ? nameOf(root) : root
    let isFolder
    try {
      isFolder = (await stat(path)).isDirectory()
    } catch (error) {
      yield { path, error }
      continue
    }
    if (isFolder) yield* listFolder(Buffer.from(path), everything)
    else yield { path }
  }
}

async function* listFolder(folder: Buffer, everything: boolean): AsyncGenerator<FoundFile> {
  if (everything) yield { path: textIfPossible(folder), kind: 'folder' }
  const folders: Buffer[] = []
  const files: FoundFile[] = []
  try {
    for (const entry of await readdir(folder, { encoding: NAME_ENCODING, withFileTypes: true })) {
      const name = Buffer.from(entry.name, 'latin1')
      if (isWorkingName(name.toString())) continue
      const path = Buffer.concat([folder, Buffer.from(sep), name])
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) files.push({ path: textIfPossible(path) })
      else if (everything) files.push({ path: textIfPossible(path), kind: entry.isSymbolicLink() ? 'link' : 'special' })
    }
  } catch (error) {
    files.push({ path: textIfPossible(folder), error })
  }
  yield* files
  for (const inner of folders) yield* listFolder(inner, everything)
}

function textIfPossible(path: Buffer): string | Buffer {
  return isUtf8(path) ? path.toString() : path
}

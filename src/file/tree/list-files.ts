import { isUtf8 } from 'node:buffer'
import { opendir, stat } from 'node:fs/promises'
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

/** How folders are gone through. */
export interface ListOptions {
  /** Give folders, too, each before what is in it, and what is met there and is neither. */
  readonly everything?: boolean
  /**
   * Nobody changes the folders meanwhile. Names are given as they are read then: a folder may hold any number of them. Else they are read to
   * the end before the first is given, and whoever works on files may make and rename others beside them.
   */
  readonly isStill?: boolean
  /** Tells whether to go into a folder that is met. Must not throw. */
  readonly enters?: (folder: string | Buffer) => boolean
}

/** Names that are asked for with one call. */
const BUFFER_SIZE = 256
/**
 * Names as bytes. Bun knows no types of names that are Buffers; Node needs Buffers to find the types where the file system does not tell them.
 */
const NAME_ENCODING = (process.versions['bun'] === undefined ? 'buffer' : 'latin1') as BufferEncoding
/** Folders that are open at a time, one in the other. */
const OPEN_MAX = 64

/**
 * Lists files and all files in folders, in no order that means anything, one folder after the other. Symbolic links are followed
 * where they are given, and not where they are met in a folder; other special files are not listed there, and neither is what is only
 * there while a file is being written.
 *
 * @param roots - Files and folders.
 */
export async function* listFiles(roots: Iterable<PathLike>, options: ListOptions = {}): AsyncGenerator<FoundFile> {
  for (const root of roots) {
    const path = root instanceof URL ? nameOf(root) : root
    let isFolder
    try {
      isFolder = (await stat(path)).isDirectory()
    } catch (error) {
      yield { path, error }
      continue
    }
    if (isFolder) yield* listFolder(path, options, 0)
    else yield { path }
  }
}

async function* listFolder(folder: string | Buffer, options: ListOptions, depth: number): AsyncGenerator<FoundFile> {
  const { everything = false, isStill = false, enters = () => true } = options
  if (everything) yield { path: textIfPossible(Buffer.from(folder)), kind: 'folder' }
  const isGivenAsRead = isStill && depth < OPEN_MAX
  const entries = readFolder(folder)
  const later: (string | Buffer)[] = []
  for await (const found of isGivenAsRead ? entries : await collect(entries)) {
    if (found.kind !== 'folder') {
      if (everything || found.kind === undefined) yield found
    } else if (enters(found.path)) {
      if (isGivenAsRead) yield* listFolder(found.path, options, depth + 1)
      else later.push(found.path)
    }
  }
  for (const inner of later) yield* listFolder(inner, options, depth + 1)
}

/** What is in a folder; as the last of it the error that ended the reading, if one did. */
async function* readFolder(folder: string | Buffer): AsyncGenerator<FoundFile> {
  const start = Buffer.concat([Buffer.from(folder), Buffer.from(sep)])
  try {
    for await (const entry of await opendir(folder, { encoding: NAME_ENCODING, bufferSize: BUFFER_SIZE })) {
      const name = Buffer.from(entry.name, 'latin1')
      if (isWorkingName(name.toString())) continue
      const path = textIfPossible(Buffer.concat([start, name]))
      if (entry.isDirectory()) yield { path, kind: 'folder' }
      else if (entry.isFile()) yield { path }
      else yield { path, kind: entry.isSymbolicLink() ? 'link' : 'special' }
    }
  } catch (error) {
    yield { path: textIfPossible(Buffer.from(folder)), error }
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

function textIfPossible(path: Buffer): string | Buffer {
  return isUtf8(path) ? path.toString() : path
}

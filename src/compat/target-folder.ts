import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute, normalize, sep } from 'node:path'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { isWorkingName } from '../file/tree/working-names.js'
import { folderOf, isSamePath, joinPath, nameIn, takePath, type Path } from './paths.js'

const NAME_MAX = 255

/**
 * Checks what a caller's function names a file within a target folder.
 *
 * @param option - For messages.
 * @returns the path with single separators and without `.`, so that two of a kind are alike.
 * @throws TypeError for what is no path of a file inside a folder, or could not be one on every system: with `..` that leads out, absolute,
 * with NUL or a lone surrogate, with a part of more than 255 bytes, or with a name that is for files that are being written.
 */
export function checkTargetName(option: string, chosen: unknown): string {
  if (typeof chosen !== 'string') throw invalidArgType(option, 'of type string', chosen)
  const clean = normalize(chosen)
  const parts = clean.split(sep)
  if (chosen === '' || isAbsolute(clean) || parts[0] === '..' || clean.endsWith(sep) || clean === '.') {
    throw invalidArgValue(option, chosen, 'must be the path of a file inside the target')
  }
  if (/\0|\p{Cs}/u.test(clean)) throw invalidArgValue(option, chosen, 'must not contain NUL or lone surrogates')
  for (const part of parts) {
    if (Buffer.byteLength(part) > NAME_MAX) throw invalidArgValue(option, chosen, `must have parts of at most ${NAME_MAX} bytes`)
    if (isWorkingName(part)) throw invalidArgValue(option, chosen, 'must not be named as files are that are being written')
  }
  return clean
}

/** @returns where a folder is, with links followed, or will be. */
export async function findFolder(path: Path): Promise<Path> {
  const parent = folderOf(path)
  if ((await isThere(path)) || isSamePath(parent, path)) return findPlace(path)
  return joinPath(await findFolder(parent), nameIn(path))
}

async function isThere(path: Path): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** @returns where a path leads by way of links, as far as there is something. */
export async function findPlace(path: Path): Promise<Path> {
  try {
    return takePath(await realpath(path, { encoding: 'buffer' }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return path
  }
}

import { sep } from 'node:path'
import type { Path } from '../../compat/paths.js'
import { PackageError } from '../../errors.js'
import { isWorkingName } from '../../file/tree/working-names.js'

const PART_MAX = 255
/** On Windows these lead elsewhere: to another folder, another drive or another stream of a file. */
const FORBIDDEN = process.platform === 'win32' ? /[\0\\:]/ : /\0/

/**
 * Makes a path of a manifest one of the file system.
 *
 * @returns a path within whatever folder it is put behind.
 * @throws PackageError `ERR_SEALFILE_PACKAGE` for what is absolute, has `.` or `..` or an empty part, NUL or a lone surrogate, a part of
 * more than 255 bytes, or the name of a file that is being written; on Windows also for what is no text or has `\` or `:`.
 */
export function toSystemPath(path: Path): Path {
  const letters = typeof path === 'string' ? path : path.toString('latin1')
  const isPossible = typeof path === 'string' ? !/\p{Cs}/u.test(path) : sep === '/'
  if (!isPossible || FORBIDDEN.test(letters) || !letters.split('/').every((part) => isName(part, path))) {
    throw new PackageError('ERR_SEALFILE_PACKAGE', 'the manifest has a path that no file here may have')
  }
  return typeof path === 'string' ? path.split('/').join(sep) : path
}

function isName(part: string, path: Path): boolean {
  const size = typeof path === 'string' ? Buffer.byteLength(part) : part.length
  return size >= 1 && size <= PART_MAX && part !== '.' && part !== '..' && !isWorkingName(part)
}

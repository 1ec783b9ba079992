import { open, type FileHandle } from 'node:fs/promises'
import { parsePreamble } from '../container/preamble.js'
import { InvalidFileFormatError } from '../errors.js'
import type { PathLike } from '../file/io/steps.js'
import { isAicoStart } from './aico-format.js'
import { takePath } from './paths.js'
import { readFully } from './raw-file.js'

/** What a file begins as: `plain` is everything that is none of the others. */
export type FileFormat = 'sealfile' | 'aico' | 'age' | 'age-armored' | 'plain' | 'empty'

/** Enough for every beginning, with the white space that may come before age's armor. */
const START_SIZE = 1_024
/** So much of our own must be there to be told from chance. */
const LEAST_OF_OURS = 5
const AGE = Buffer.from('age-encryption.org/')
const AGE_ARMOR = '-----BEGIN AGE ENCRYPTED FILE-----'

/**
 * Tells by its first bytes what kind of file it is. Nothing is authenticated: a text file may begin with the letters `AICO`, too.
 *
 * @throws system errors such as `ENOENT` as they are.
 */
export async function detectFormat(path: PathLike): Promise<FileFormat> {
  const file = await open(takePath(path), 'r')
  try {
    return await detectFormatOf(file)
  } finally {
    await file.close()
  }
}

/** {@link detectFormat} of a file that is open. */
export async function detectFormatOf(file: FileHandle): Promise<FileFormat> {
  const buffer = Buffer.alloc(START_SIZE)
  const start = buffer.subarray(0, await readFully(file, buffer, 0))
  if (start.length === 0) return 'empty'
  if (isOurs(start)) return 'sealfile'
  if (isAicoStart(start)) return 'aico'
  if (AGE.equals(start.subarray(0, AGE.length))) return 'age'
  return start.toString('latin1').trimStart().startsWith(AGE_ARMOR) ? 'age-armored' : 'plain'
}

/** A damaged file of ours is ours, too. */
function isOurs(start: Uint8Array): boolean {
  if (start.length < LEAST_OF_OURS) return false
  try {
    parsePreamble(start)
    return true
  } catch (error) {
    return !(error instanceof InvalidFileFormatError && error.code === 'ERR_SEALFILE_FORMAT')
  }
}

import { isUtf8 } from 'node:buffer'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidArgType } from '../argument-errors.js'
import type { PathLike } from '../file/io/steps.js'

/**
 * Paths as text where they can be, as bytes where they are no UTF-8. Bytes are taken apart as latin1, in which each is one letter and
 * none but the separators is special.
 */

/** A path as text, or as bytes where it is no UTF-8. */
export type Path = string | Buffer

/** @returns the path; text is made absolute, so that it means the same file throughout. */
export function takePath(value: PathLike, name = 'path'): Path {
  if (typeof value !== 'string' && !(value instanceof URL) && !Buffer.isBuffer(value)) {
    throw invalidArgType(name, 'of type string or an instance of Buffer or URL', value)
  }
  if (value instanceof URL) return path.resolve(fileURLToPath(value))
  if (typeof value === 'string') return path.resolve(value)
  return isUtf8(value) ? path.resolve(value.toString()) : Buffer.from(value)
}

/** @returns the path as text, for messages. */
export function showPath(value: Path): string {
  return value.toString()
}

function fromLetters(letters: string): Path {
  const bytes = Buffer.from(letters, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : bytes
}

function toLetters(value: Path): string {
  return Buffer.from(value).toString('latin1')
}

/** @returns the folder that a path is in. */
export function folderOf(value: Path): Path {
  return typeof value === 'string' ? path.dirname(value) : fromLetters(path.dirname(toLetters(value)))
}

/** @returns the last part of a path. */
export function nameIn(value: Path): Path {
  return fromLetters(path.basename(toLetters(value)))
}

/** Puts a relative path behind a folder's. */
export function joinPath(folder: Path, relative: Path): Path {
  if (typeof folder === 'string' && typeof relative === 'string') return path.join(folder, relative)
  return fromLetters(path.join(toLetters(folder), toLetters(relative)))
}

/** @returns the way from a folder to something in it. */
export function relativePath(folder: Path, inner: Path): Path {
  const start = Buffer.from(folder).length
  const rest = toLetters(inner).slice(start)
  return fromLetters(rest.startsWith(path.sep) ? rest.slice(1) : rest)
}

/** Tells whether two paths are written alike. */
export function isSamePath(one: Path, other: Path): boolean {
  return Buffer.from(one).equals(Buffer.from(other))
}

/** Tells whether a path leads into a folder, or to the folder itself. */
export function isWithin(inner: Path, folder: Path): boolean {
  const start = toLetters(folder)
  const whole = toLetters(inner)
  return whole === start || whole.startsWith(start.endsWith(path.sep) ? start : start + path.sep)
}

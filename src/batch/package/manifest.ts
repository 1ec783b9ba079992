import { isUtf8 } from 'node:buffer'
import { sep } from 'node:path'
import type { Path } from '../../compat/paths.js'
import { BatchError, InvalidFileFormatError, PackageError } from '../../errors.js'
import type { Compression } from './compression.js'

/** The manifest: JSON, one object to a line, the first of which says what it is. */

/** What the first line says. */
export interface ManifestHeader {
  /** 16 bytes, new for each package. */
  readonly id: Uint8Array
}

/** A folder of the tree. */
export interface PackedFolder {
  /** What it is. */
  readonly kind: 'folder'
  /** With `/` between its parts; a Buffer where it is not UTF-8. */
  readonly path: Path
  /** Permission bits. */
  readonly mode: number
}

/** A file of the tree, and what holds it. */
export interface PackedFile {
  /** What it is. */
  readonly kind: 'file'
  /** With `/` between its parts; a Buffer where it is not UTF-8. */
  readonly path: Path
  /** Bytes of content. */
  readonly size: number
  /** Of the content: 32 bytes. */
  readonly sha256: Uint8Array
  /** Permission bits. */
  readonly mode: number
  /** Milliseconds since the epoch, with fractions. */
  readonly atimeMs: number
  /** When its content was changed, in milliseconds since the epoch. */
  readonly mtimeMs: number
  /** What was done to the content before it was encrypted. */
  readonly compression: Compression | undefined
  /** Makes the name of the entry: 1 or more, each larger than the one before. */
  readonly number: number
  /** Bytes of the entry. */
  readonly entrySize: number
  /** Of the entry. */
  readonly entryCrc32: number
}

/** What a package holds, as its manifest tells it. */
export type PackedMember = PackedFile | PackedFolder

/** Bytes that a line may have. */
export const LINE_SIZE_MAX = 65_536
/** Bytes that a path may have: twice what systems take, and less than a line however its letters are written. */
const PATH_SIZE_MAX = 8_192

const FORMAT = 'sealfile-package'
const VERSION = 1

/** @returns a line, without its end. */
export function headerLine({ id }: ManifestHeader): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, id: Buffer.from(id).toString('hex') })
}

/** @returns a line, without its end. */
export function memberLine(member: PackedMember): string {
  const { kind, path, mode } = member
  const place = typeof path === 'string' ? { path } : { pathBase64: path.toString('base64') }
  return kind === 'folder' ? JSON.stringify({ kind, ...place, mode }) : fileLine(member, place)
}

function fileLine({ kind, size, sha256, mode, atimeMs, mtimeMs, ...entry }: PackedFile, place: object): string {
  const { compression, number, entrySize, entryCrc32 } = entry
  const hash = Buffer.from(sha256).toString('hex')
  return JSON.stringify({ kind, ...place, size, sha256: hash, mode, atimeMs, mtimeMs, compression, number, entrySize, entryCrc32 })
}

/** @throws PackageError for what is no first line; InvalidFileFormatError `ERR_SEALFILE_FORMAT_VERSION`. */
export function parseHeaderLine(line: Buffer): ManifestHeader {
  const fields = parseObject(line)
  if (fields.format !== FORMAT) throw notAsItShould('its first line')
  if (typeof fields.version !== 'number' || fields.version < VERSION) throw notAsItShould('its first line')
  if (fields.version > VERSION) {
    throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_VERSION', 'the package was made by a later version of sealfile')
  }
  return { id: takeHex(fields, 'id', 16) }
}

/** @throws PackageError for what is no line of a file or folder. */
export function parseMemberLine(line: Buffer): PackedMember {
  const fields = parseObject(line)
  const { kind } = fields
  if (kind !== 'file' && kind !== 'folder') throw notAsItShould('kind')
  const [path, mode] = [takePath(fields), takeNumber(fields, 'mode', 0o777)]
  if (kind === 'folder') return { kind, path, mode }
  const { compression } = fields
  if (compression !== undefined && compression !== 'gzip' && compression !== 'zstd') throw notAsItShould('compression')
  return {
    kind,
    path,
    size: takeNumber(fields, 'size'),
    sha256: takeHex(fields, 'sha256', 32),
    mode,
    atimeMs: takeTime(fields, 'atimeMs'),
    mtimeMs: takeTime(fields, 'mtimeMs'),
    compression,
    number: takeNumber(fields, 'number'),
    entrySize: takeNumber(fields, 'entrySize'),
    entryCrc32: takeNumber(fields, 'entryCrc32', 2 ** 32 - 1),
  }
}

/** A path as a manifest has it. @param within - Of the file system. @throws BatchError where it is too long. */
export function toManifestPath(within: Path): Path {
  if (Buffer.byteLength(within) > PATH_SIZE_MAX) {
    throw new BatchError('ERR_SEALFILE_BATCH_TARGET', `a path in a package has at most ${PATH_SIZE_MAX} bytes`)
  }
  return typeof within === 'string' ? within.split(sep).join('/') : within
}

type Fields = Readonly<Record<string, unknown>>

function parseObject(line: Buffer): Fields {
  let value: unknown
  try {
    if (isUtf8(line)) value = JSON.parse(line.toString())
  } catch {
    // Said below: the parser's message would show what is in it.
  }
  if (typeof value !== 'object' || value === null) throw notAsItShould('a line')
  return value as Fields
}

function takePath({ path, pathBase64 }: Fields): Path {
  if (typeof path === 'string' && pathBase64 === undefined) return path
  if (typeof pathBase64 !== 'string' || path !== undefined) throw notAsItShould('path')
  const bytes = Buffer.from(pathBase64, 'base64')
  // So that no path can be written in two ways.
  if (isUtf8(bytes)) throw notAsItShould('path')
  return bytes
}

function takeNumber(fields: Fields, name: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw notAsItShould(name)
}

function takeTime(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw notAsItShould(name)
}

function takeHex(fields: Fields, name: string, length: number): Uint8Array {
  const value = fields[name]
  if (typeof value === 'string' && value.length === 2 * length && /^[0-9a-f]*$/.test(value)) return Buffer.from(value, 'hex')
  throw notAsItShould(name)
}

function notAsItShould(what: string): PackageError {
  return new PackageError('ERR_SEALFILE_PACKAGE', `the manifest authenticates, and is not as it should be: ${what}`)
}

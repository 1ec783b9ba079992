/**
 * The ZIP around a package, as far as it is needed (APPNOTE 6.3.10): entries are stored, their sizes are in Zip64 fields whatever they are,
 * and time and permissions are the same for all. So each byte follows from names, sizes and checksums, and whoever reads a package makes
 * these bytes again and compares.
 */

/** What a ZIP says of an entry. */
export interface ZipEntry {
  /** ASCII. */
  readonly name: string
  /** Bytes, stored as they are. */
  readonly size: number
  readonly crc32: number
}

/** Where a ZIP's directory is. */
export interface ZipDirectory {
  /** Entries in it. */
  readonly count: number
  readonly position: number
  readonly size: number
}

/** 4.5: with Zip64. */
const VERSION = 45
/** On a system with permission bits. */
const MADE_BY = 3 * 256 + VERSION
/** 1 January 1980, 0:00. */
const [TIME, DATE] = [0, 0x21]
/** A regular file, 0644, in the upper half. */
const ATTRIBUTES = 0o100644 * 2 ** 16
/** In place of what is in a Zip64 field. */
const [SEE_ZIP64, SEE_ZIP64_SHORT] = [0xffffffff, 0xffff]
const ZIP64_FIELD = 1
const [LOCAL_SIZE, LOCAL_EXTRA_SIZE] = [30, 20]
const [RECORD_SIZE, RECORD_EXTRA_SIZE] = [46, 28]
const [END64_SIZE, LOCATOR_SIZE, END_SIZE] = [56, 20, 22]

/** Bytes of all that is behind the directory. */
export const DIRECTORY_END_SIZE = END64_SIZE + LOCATOR_SIZE + END_SIZE

const LOCAL_SIGNATURE = 0x04034b50

/** Bytes by which a ZIP is known. */
export const ZIP_START_SIZE = 4

/** Whether a file that begins so may be a ZIP. */
export function beginsAsZip(bytes: Buffer): boolean {
  return bytes.length >= ZIP_START_SIZE && bytes.readUInt32LE(0) === LOCAL_SIGNATURE
}

/** @returns bytes before an entry's content. */
export function localHeaderSize(name: string): number {
  return LOCAL_SIZE + name.length + LOCAL_EXTRA_SIZE
}

/** @returns bytes of an entry in the directory. */
export function directoryRecordSize(name: string): number {
  return RECORD_SIZE + name.length + RECORD_EXTRA_SIZE
}

/** What is before an entry's content. */
export function buildLocalHeader({ name, size, crc32 }: ZipEntry): Buffer {
  const bytes = Buffer.alloc(localHeaderSize(name))
  const extra = LOCAL_SIZE + name.length
  bytes.writeUInt32LE(LOCAL_SIGNATURE, 0)
  putCommon(bytes, 4, name, crc32, LOCAL_EXTRA_SIZE)
  bytes.write(name, LOCAL_SIZE, 'latin1')
  putSizes(bytes, extra, size, LOCAL_EXTRA_SIZE)
  return bytes
}

/** What the directory says of an entry. @param position - Where its local header is. */
export function buildDirectoryRecord({ name, size, crc32 }: ZipEntry, position: number): Buffer {
  const bytes = Buffer.alloc(directoryRecordSize(name))
  const extra = RECORD_SIZE + name.length
  bytes.writeUInt32LE(0x02014b50, 0)
  bytes.writeUInt16LE(MADE_BY, 4)
  putCommon(bytes, 6, name, crc32, RECORD_EXTRA_SIZE)
  bytes.writeUInt32LE(ATTRIBUTES, 38)
  bytes.writeUInt32LE(SEE_ZIP64, 42)
  bytes.write(name, RECORD_SIZE, 'latin1')
  putSizes(bytes, extra, size, RECORD_EXTRA_SIZE)
  putU64(bytes, extra + 20, position)
  return bytes
}

/** What is behind the directory. */
export function buildDirectoryEnd({ count, position, size }: ZipDirectory): Buffer {
  const bytes = Buffer.alloc(DIRECTORY_END_SIZE)
  const [locator, end] = [END64_SIZE, END64_SIZE + LOCATOR_SIZE]
  bytes.writeUInt32LE(0x06064b50, 0)
  putU64(bytes, 4, END64_SIZE - 12)
  bytes.writeUInt16LE(MADE_BY, 12)
  bytes.writeUInt16LE(VERSION, 14)
  putU64(bytes, 24, count)
  putU64(bytes, 32, count)
  putU64(bytes, 40, size)
  putU64(bytes, 48, position)
  bytes.writeUInt32LE(0x07064b50, locator)
  putU64(bytes, locator + 8, position + size)
  bytes.writeUInt32LE(1, locator + 16)
  bytes.writeUInt32LE(0x06054b50, end)
  bytes.writeUInt16LE(SEE_ZIP64_SHORT, end + 8)
  bytes.writeUInt16LE(SEE_ZIP64_SHORT, end + 10)
  bytes.writeUInt32LE(SEE_ZIP64, end + 12)
  bytes.writeUInt32LE(SEE_ZIP64, end + 16)
  return bytes
}

/** @returns what {@link buildDirectoryEnd} was told, if it made these bytes; else undefined. */
export function parseDirectoryEnd(bytes: Buffer): ZipDirectory | undefined {
  if (bytes.length !== DIRECTORY_END_SIZE) return undefined
  const [count, size, position] = [takeU64(bytes, 32), takeU64(bytes, 40), takeU64(bytes, 48)]
  if (![count, size, position, position + size].every(Number.isSafeInteger)) return undefined
  const directory = { count, position, size }
  return buildDirectoryEnd(directory).equals(bytes) ? directory : undefined
}

/** @returns what {@link buildDirectoryRecord} was told, if it made these bytes of this name; else undefined. */
export function parseDirectoryRecord(bytes: Buffer, name: string): { entry: ZipEntry; position: number } | undefined {
  if (bytes.length !== directoryRecordSize(name)) return undefined
  const extra = RECORD_SIZE + name.length
  const [size, position] = [takeU64(bytes, extra + 4), takeU64(bytes, extra + 20)]
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(position)) return undefined
  const entry = { name, size, crc32: bytes.readUInt32LE(16) }
  return buildDirectoryRecord(entry, position).equals(bytes) ? { entry, position } : undefined
}

/** From the version that is needed to the length of the extra field, as both kinds of header have it. Flags and method are 0. */
function putCommon(bytes: Buffer, start: number, name: string, crc32: number, extraSize: number): void {
  bytes.writeUInt16LE(VERSION, start)
  bytes.writeUInt16LE(TIME, start + 6)
  bytes.writeUInt16LE(DATE, start + 8)
  bytes.writeUInt32LE(crc32, start + 10)
  bytes.writeUInt32LE(SEE_ZIP64, start + 14)
  bytes.writeUInt32LE(SEE_ZIP64, start + 18)
  bytes.writeUInt16LE(name.length, start + 22)
  bytes.writeUInt16LE(extraSize, start + 24)
}

function putSizes(bytes: Buffer, start: number, size: number, extraSize: number): void {
  bytes.writeUInt16LE(ZIP64_FIELD, start)
  bytes.writeUInt16LE(extraSize - 4, start + 2)
  putU64(bytes, start + 4, size)
  putU64(bytes, start + 12, size)
}

function putU64(bytes: Buffer, position: number, value: number): void {
  bytes.writeBigUInt64LE(BigInt(value), position)
}

/** @returns a number that is no safe integer where the bytes hold none. */
function takeU64(bytes: Buffer, position: number): number {
  return Number(bytes.readBigUInt64LE(position))
}

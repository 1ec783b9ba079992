import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { Path } from '../../compat/paths.js'
import { InvalidFileFormatError, LimitError, PackageError } from '../../errors.js'
import { nameFile } from '../../file/engine/container-file.js'
import { checkAborted } from '../../file/io/system-errors.js'
import { StreamOpener } from '../../file/streams/stream-opener.js'
import { fileContext, fileName, manifestContext, MANIFEST_NAME } from './bindings.js'
import { readInto, readStretch } from './file-pieces.js'
import { cutLines } from './lines.js'
import { parseHeaderLine, parseMemberLine, LINE_SIZE_MAX, type PackedFile, type PackedFolder } from './manifest.js'
import type { ListPlan } from './package-options.js'
import {
  beginsAsZip,
  buildDirectoryRecord,
  buildLocalHeader,
  directoryRecordSize,
  DIRECTORY_END_SIZE,
  localHeaderSize,
  parseDirectoryEnd,
  parseDirectoryRecord,
  ZIP_START_SIZE,
  type ZipDirectory,
  type ZipEntry,
} from './zip-layout.js'

/** A file of a package, and where it is in there. */
export interface PlacedFile extends PackedFile {
  /** Of its local header. */
  readonly position: number
  /** What its encrypted content is bound to. */
  readonly context: Uint8Array
}

/** What of a ZIP is the manifest. */
interface Placed {
  readonly entry: ZipEntry
  readonly position: number
}

/** A pipe in the place of a file must not hold us up. Windows has no such flag. */
const READ_FLAGS = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0)

/**
 * Reads a package. Of its ZIP nothing is believed: the manifest, which authenticates, says what each byte of it must be, and the last entry
 * is the manifest.
 */
export class PackageReader implements Disposable {
  readonly #plan: ListPlan
  readonly #fd: number
  readonly #directory: ZipDirectory
  readonly #manifest: Placed

  private constructor(plan: ListPlan, fd: number, directory: ZipDirectory, manifest: Placed) {
    this.#plan = plan
    this.#fd = fd
    this.#directory = directory
    this.#manifest = manifest
  }

  /** @throws system errors; InvalidFileFormatError `ERR_SEALFILE_FORMAT` for what is no ZIP, PackageError for one that is no package. */
  static async open(plan: ListPlan): Promise<PackageReader> {
    const fd = openSync(plan.path, READ_FLAGS)
    try {
      const directory = await findDirectory(fd, plan.path)
      return new PackageReader(plan, fd, directory, await findManifest(fd, directory, plan.path))
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /**
   * Reads the manifest, and compares the directory with it. Each member is authenticated; that these are all is certain when the generator
   * has ended.
   *
   * @throws PackageError `ERR_SEALFILE_PACKAGE` where something was dropped, added, moved or altered; LimitError; InvalidKeyError,
   * CorruptedFileError, InvalidFileFormatError, ClosedError of the manifest.
   */
  async *members(): AsyncGenerator<PlacedFile | PackedFolder, void, undefined> {
    const { limits, signal, open } = this.#plan
    const records = new DirectoryCursor(this.#fd, this.#directory)
    let id: Uint8Array | undefined
    let [position, last, members, bytes] = [0, 0, 0, 0]
    for await (const line of cutLines(this.#openManifest(), LINE_SIZE_MAX)) {
      checkAborted(signal)
      if (id === undefined) {
        id = parseHeaderLine(line).id
        continue
      }
      const member = parseMemberLine(line)
      if (++members > limits.members) throw this.#tooMuch('members')
      if (member.kind === 'folder') {
        yield member
        continue
      }
      bytes += member.size
      if (bytes > limits.bytes) throw this.#tooMuch('bytes')
      const entry = entryOf(member)
      const isNext = member.number > last && position + localHeaderSize(entry.name) + entry.size <= this.#manifest.position
      if (!isNext || !(await records.matches(entry, position)))
        throw this.#altered(`the directory tells another entry than '${entry.name}'`)
      last = member.number
      yield { ...member, position, context: fileContext(id, member.number, open.context) }
      position += localHeaderSize(entry.name) + entry.size
    }
    if (id === undefined) throw this.#altered('the manifest is empty')
    const { entry } = this.#manifest
    const isWhole = position === this.#manifest.position && (await records.matches(entry, position)) && records.isAtEnd
    if (!isWhole) throw this.#altered('there is something that is not in the manifest')
  }

  /** @returns the encrypted content of a file, in pieces. @throws PackageError where its local header is not as it should be. */
  content(file: PlacedFile): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#read({ entry: entryOf(file), position: file.position })
  }

  /** Tells whether something is this package. */
  isFile({ dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
    const own = fstatSync(this.#fd)
    return own.dev === dev && own.ino === ino
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  async *#read({ entry, position }: Placed): AsyncGenerator<Uint8Array, void, undefined> {
    const header = buildLocalHeader(entry)
    if (!(await readExactly(this.#fd, position, header.length)).equals(header)) {
      throw this.#altered(`the header of entry '${entry.name}' is not that of the directory`)
    }
    yield* readStretch(this.#fd, position + header.length, entry.size)
  }

  async *#openManifest(): AsyncGenerator<Uint8Array, void, undefined> {
    const { open, path } = this.#plan
    const opener = new StreamOpener({ ...open, context: manifestContext(open.context) })
    try {
      for await (const piece of this.#read(this.#manifest)) yield* opener.push(piece)
      yield* opener.end()
    } catch (error) {
      throw nameFile(error, path.toString())
    } finally {
      opener.dispose()
    }
  }

  #altered(message: string): PackageError {
    return notAPackage(message, this.#plan.path)
  }

  #tooMuch(limit: string): LimitError {
    return new LimitError(`the package has more than 'limits.${limit}' allows`, { path: this.#plan.path.toString() })
  }
}

/** Reads a directory from its beginning to its end. */
class DirectoryCursor {
  readonly #fd: number
  readonly #count: number
  #records = 0
  #left: number
  #next: number
  #buffer: Buffer = Buffer.alloc(0)

  constructor(fd: number, { count, position, size }: ZipDirectory) {
    this.#fd = fd
    this.#count = count
    this.#next = position
    this.#left = size
  }

  /** Tells whether all records were read, as many as the directory is said to have. */
  get isAtEnd(): boolean {
    return this.#left + this.#buffer.length === 0 && this.#records === this.#count
  }

  /** Tells whether the next record is that of an entry, and goes behind it. */
  async matches(entry: ZipEntry, position: number): Promise<boolean> {
    const expected = buildDirectoryRecord(entry, position)
    while (this.#buffer.length < expected.length && this.#left > 0) {
      const more = await readExactly(this.#fd, this.#next, Math.min(this.#left, 2 ** 16))
      if (more.length === 0) return false
      this.#buffer = Buffer.concat([this.#buffer, more])
      this.#next += more.length
      this.#left -= more.length
    }
    const found = this.#buffer.subarray(0, expected.length)
    this.#buffer = this.#buffer.subarray(expected.length)
    this.#records++
    return found.equals(expected)
  }
}

async function findDirectory(fd: number, path: Path): Promise<ZipDirectory> {
  const stats = fstatSync(fd)
  const end = stats.isFile() ? stats.size - DIRECTORY_END_SIZE : -1
  const directory = end < 0 ? undefined : parseDirectoryEnd(await readExactly(fd, end, DIRECTORY_END_SIZE))
  if (directory?.position !== undefined && directory.position + directory.size === end) return directory
  if (directory !== undefined || (stats.isFile() && beginsAsZip(await readExactly(fd, 0, ZIP_START_SIZE)))) {
    throw notAPackage('this is another ZIP, or the end of a package is missing or was altered', path)
  }
  throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'this is no package', { path: path.toString() })
}

/** It is the last entry. */
async function findManifest(fd: number, directory: ZipDirectory, path: Path): Promise<Placed> {
  const size = directoryRecordSize(MANIFEST_NAME)
  const end = directory.position + directory.size
  const found = directory.size < size ? undefined : parseDirectoryRecord(await readExactly(fd, end - size, size), MANIFEST_NAME)
  const isInPlace = found !== undefined && found.position + localHeaderSize(MANIFEST_NAME) + found.entry.size === directory.position
  if (isInPlace) return found
  throw notAPackage('this is another ZIP, or the manifest of a package is missing or was altered', path)
}

function entryOf({ number, entrySize, entryCrc32 }: PackedFile): ZipEntry {
  return { name: fileName(number), size: entrySize, crc32: entryCrc32 }
}

/** @returns as many bytes, or fewer where the file ends. */
async function readExactly(fd: number, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, await readInto(fd, buffer, position))
}

function notAPackage(message: string, path: Path): PackageError {
  return new PackageError('ERR_SEALFILE_PACKAGE', message, { path: path.toString() })
}

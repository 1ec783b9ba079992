import { ftruncate, write } from 'node:fs'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { buildDirectoryEnd, buildDirectoryRecord, buildLocalHeader, localHeaderSize, type ZipEntry } from './zip-layout.js'

const writeAsync = promisify(write)
const truncateAsync = promisify(ftruncate)

/** Bytes that are gathered before they are written. */
const GATHERED_SIZE = 2 ** 20

/**
 * Writes a ZIP into a file, one entry after the other. Of an entry that is done 24 bytes are kept in memory. yazl, the well-kept library for
 * this, keeps an object for each, and goes through all of them for every new one: a million would take half an hour.
 */
export class ZipWriter {
  readonly #fd: number
  readonly #nameOf: (index: number) => string
  /** Of entries that are done. */
  readonly #indexes: number[] = []
  readonly #sizes: number[] = []
  readonly #checksums: number[] = []
  #pending: Uint8Array[] = []
  #pendingSize = 0
  /** Where the pending bytes go. */
  #written = 0
  /** The entry that is being written. */
  #index = 0
  #start = 0
  #size = 0
  #checksum = 0

  /**
   * @param fd - An empty file, open for reading and writing, which stays the caller's.
   * @param nameOf - Names entries by their indexes: ASCII.
   */
  constructor(fd: number, nameOf: (index: number) => string) {
    this.#fd = fd
    this.#nameOf = nameOf
  }

  /** Begins an entry. What it will be is written in front of it at its end. */
  begin(index: number): void {
    this.#index = index
    this.#start = this.#position
    this.#size = 0
    this.#checksum = 0
    this.#push(new Uint8Array(localHeaderSize(this.#nameOf(index))))
  }

  /** @param bytes - The next ones of the entry; the writer's from now on. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length
    this.#checksum = crc32(bytes, this.#checksum)
    this.#push(bytes)
    if (this.#pendingSize >= GATHERED_SIZE) await this.#flush()
  }

  /** Ends the entry. */
  async end(): Promise<ZipEntry> {
    const entry = { name: this.#nameOf(this.#index), size: this.#size, crc32: this.#checksum }
    const header = buildLocalHeader(entry)
    // Where the entry began it did so with a piece of its own.
    if (this.#start >= this.#written) this.#pending[this.#indexAt(this.#start)] = header
    else await this.#writeAt(header, this.#start)
    this.#indexes.push(this.#index)
    this.#sizes.push(entry.size)
    this.#checksums.push(entry.crc32)
    return entry
  }

  /** Drops the entry that was begun, and what was written of it. */
  drop(): void {
    if (this.#start < this.#written) {
      this.#pending = []
      this.#written = this.#start
    } else {
      this.#pending.length = this.#indexAt(this.#start)
    }
    this.#pendingSize = this.#start - this.#written
  }

  /** Writes the directory. @returns the size of the whole. */
  async finish(): Promise<number> {
    const position = this.#position
    let entryPosition = 0
    for (const [i, index] of this.#indexes.entries()) {
      const entry = { name: this.#nameOf(index), size: this.#sizes[i]!, crc32: this.#checksums[i]! }
      this.#push(buildDirectoryRecord(entry, entryPosition))
      entryPosition += localHeaderSize(entry.name) + entry.size
      if (this.#pendingSize >= GATHERED_SIZE) await this.#flush()
    }
    this.#push(buildDirectoryEnd({ count: this.#indexes.length, position, size: this.#position - position }))
    await this.#flush()
    // Of an entry that was dropped more may lie there.
    await truncateAsync(this.#fd, this.#written)
    return this.#written
  }

  get #position(): number {
    return this.#written + this.#pendingSize
  }

  #push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pending.push(bytes)
    this.#pendingSize += bytes.length
  }

  /** @returns which of the pending pieces begins at a position. */
  #indexAt(position: number): number {
    let end = this.#position
    let index = this.#pending.length
    while (end > position) end -= this.#pending[--index]!.length
    return index
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending, this.#pendingSize)
    this.#pending = []
    this.#pendingSize = 0
    const position = this.#written
    this.#written += bytes.length
    await this.#writeAt(bytes, position)
  }

  async #writeAt(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await writeAsync(this.#fd, bytes, done, bytes.length - done, position + done)).bytesWritten
    }
  }
}

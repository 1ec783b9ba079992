import { createHash } from 'node:crypto'
import { ByteReader, ByteWriter, u64 } from '../bytes/integers.js'

/** A segment that replaces a committed one, and waits behind the end of the data (docs/format.md, "Redo list"). */
export interface RedoEntry {
  readonly index: number
  /** Where its ciphertext begins in the file. */
  readonly position: number
  /** Bytes of ciphertext. */
  readonly length: number
  /** 12 bytes. */
  readonly nonce: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
}

const ENTRY_SIZE = 48
/** A writer applies its list long before; a reader refuses a longer one. */
export const REDO_COUNT_MAX = 8_192

/** @returns bytes that a directory of `count` entries takes. */
export function directorySize(count: number): number {
  return count * ENTRY_SIZE
}

export function buildDirectory(entries: readonly RedoEntry[]): Uint8Array {
  const writer = new ByteWriter(directorySize(entries.length))
  for (const { index, position, length, nonce, tag } of entries) {
    writer.u64(index).u64(position).u32(length).put(nonce).put(tag)
  }
  return writer.bytes
}

/** @param bytes - Authenticated by the record's digest. */
export function parseDirectory(bytes: Uint8Array): RedoEntry[] {
  const reader = new ByteReader(bytes)
  return Array.from({ length: bytes.length / ENTRY_SIZE }, () => ({
    index: reader.u64(),
    position: reader.u64(),
    length: reader.u32(),
    nonce: reader.bytes(12),
    tag: reader.bytes(16),
  }))
}

/** @returns 32 bytes: the `redoDigest` of a record. */
export function digestDirectory(directory: Uint8Array): Uint8Array {
  return createHash('sha256').update(directory).digest()
}

/** The `redoDigest` of a record without a list. */
export const EMPTY_DIRECTORY_DIGEST = digestDirectory(new Uint8Array(0))

/** Digests the segments that one commit adds at their places, in ascending order: the `growthDigest` of a record. */
export class GrowthDigest {
  readonly #hash = createHash('sha256')

  /** @param tag - 16 bytes. */
  add(index: number, tag: Uint8Array): void {
    this.#hash.update(u64(index)).update(tag)
  }

  /** @returns 32 bytes. */
  digest(): Uint8Array {
    return this.#hash.digest()
  }
}

import { createHash } from 'node:crypto'
import { concatBytes, equalBytes, isZero } from '../bytes/arrays.js'
import { ByteReader, ByteWriter, u32, u8 } from '../bytes/integers.js'
import { InvalidFileFormatError } from '../errors.js'
import { PREAMBLE_SIZE } from './preamble.js'

/** One of the two places in the header that can hold the wrapped DEK (docs/format.md, "Key slots"). */
export interface KeySlot {
  /** The slot written last counts: 1 or more. */
  readonly sequence: number
  /** 1 or more. */
  readonly generation: number
  /** 16 bytes. */
  readonly keyringId: Uint8Array
  /** 40 bytes. */
  readonly wrappedKey: Uint8Array
  /** 16 bytes. */
  readonly keyCheck: Uint8Array
}

/** A key slot that lies in a header. */
export interface PlacedKeySlot {
  /** 0 or 1. */
  readonly slot: number
  readonly content: KeySlot
}

const SLOT_SIZE = 96
const CHECKSUM_SIZE = 16
export const KEY_SLOT_COUNT = 2

/** Where slot 0 or 1 begins in the file. */
export function keySlotPosition(slot: number): number {
  return PREAMBLE_SIZE + slot * SLOT_SIZE
}

/** Names accidental damage before any key is at hand; authenticity is the key check's part. */
function checksum(preamble: Uint8Array, slot: number, fields: Uint8Array): Uint8Array {
  return createHash('sha256').update(preamble).update(u8(slot)).update(fields).digest().subarray(0, CHECKSUM_SIZE)
}

/** The bytes of the header that the key check covers: the preamble, and which slot this is and when it was written. */
export function keyCheckHeader(preamble: Uint8Array, slot: number, sequence: number): Uint8Array {
  return concatBytes(preamble, u8(slot), u32(sequence))
}

/** @param preamble - The file's 96 bytes. @returns 96 bytes. */
export function buildKeySlot(preamble: Uint8Array, slot: number, content: KeySlot): Uint8Array {
  const fields = new ByteWriter(SLOT_SIZE - CHECKSUM_SIZE)
    .u32(content.sequence)
    .u32(content.generation)
    .put(content.keyringId)
    .put(content.wrappedKey)
    .put(content.keyCheck).bytes
  return concatBytes(fields, checksum(preamble, slot, fields))
}

function parseKeySlot(preamble: Uint8Array, slot: number, bytes: Uint8Array): KeySlot | undefined {
  const fields = bytes.subarray(0, SLOT_SIZE - CHECKSUM_SIZE)
  if (!equalBytes(checksum(preamble, slot, fields), bytes.subarray(SLOT_SIZE - CHECKSUM_SIZE))) return undefined
  const reader = new ByteReader(fields)
  return {
    sequence: reader.u32(),
    generation: reader.u32(),
    keyringId: reader.bytes(16),
    wrappedKey: reader.bytes(40),
    keyCheck: reader.bytes(16),
  }
}

/** @returns the 96 bytes of slot 0 or 1, as they lie in `header`. */
export function keySlotBytes(header: Uint8Array, slot: number): Uint8Array {
  return header.subarray(keySlotPosition(slot), keySlotPosition(slot) + SLOT_SIZE)
}

/**
 * Lists the key slots that are whole, the one that counts first. The others may be empty, wiped or torn.
 *
 * @param header - The file's first 288 bytes or more.
 */
export function listKeySlots(header: Uint8Array): PlacedKeySlot[] {
  const preamble = header.subarray(0, PREAMBLE_SIZE)
  const found: PlacedKeySlot[] = []
  for (let slot = 0; slot < KEY_SLOT_COUNT; slot++) {
    const bytes = keySlotBytes(header, slot)
    const content = isZero(bytes) ? undefined : parseKeySlot(preamble, slot, bytes)
    if (content !== undefined && content.sequence > 0) found.push({ slot, content })
  }
  // Stable: of equal ones slot 0 counts.
  return found.sort((a, b) => b.content.sequence - a.content.sequence)
}

/**
 * Finds the key slot that counts: the whole one that was written last.
 *
 * @param header - The file's first 288 bytes or more.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` if neither slot is whole.
 */
export function findKeySlot(header: Uint8Array): PlacedKeySlot {
  const [newest] = listKeySlots(header)
  if (newest !== undefined) return newest
  throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', 'the header is damaged: no whole copy of the wrapped key is left')
}

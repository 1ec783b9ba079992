import { createHash } from 'node:crypto'
import { equalBytes } from '../bytes/arrays.js'
import { ByteReader, ByteWriter, u8 } from '../bytes/integers.js'
import { computeHmac, deriveKey } from '../seal/kdf.js'
import { HKDF_SHA256 } from '../seal/suites.js'
import { RECORDS_POSITION } from './preamble.js'
import { REDO_COUNT_MAX } from './redo-list.js'

/** Where a commit's redo list lies (docs/format.md, "Redo list"). */
export interface RedoPointer {
  /** Where the directory begins in the file. */
  readonly position: number
  /** Entries of the directory. */
  readonly count: number
  /** No byte of the list, directory or segments, lies at or behind this offset. */
  readonly end: number
}

/** A committed state of an editable file (docs/format.md, "Commit records"). */
export interface CommitRecord {
  /** 1 for the first commit; a newer one has a higher number. */
  readonly sequence: number
  /** The newest commit known to be on disk when this one was written; 0 for none. */
  readonly durableSequence: number
  readonly plaintextLength: number
  /** The first data segment that this commit added at its place; those from here to the end are under `growthDigest`. */
  readonly growthBegan: number
  /** Segments encrypted under this file's key so far, rewrites included. */
  readonly encryptionCount: number
  readonly redo: RedoPointer | undefined
  /** The file was closed after this commit. */
  readonly clean: boolean
  /** The redo list was copied to the segments' places by this commit; it serves to check them, not to read from. */
  readonly applied: boolean
  /** SHA-256 of the redo list's directory. */
  readonly redoDigest: Uint8Array
  /** SHA-256 over index and tag of each segment that this commit added at its place. */
  readonly growthDigest: Uint8Array
  /** The final, empty segment: 12 bytes. */
  readonly finalNonce: Uint8Array
  /** The final, empty segment: 16 bytes. */
  readonly finalTag: Uint8Array
  /** 64 bytes. */
  readonly snapshot: Uint8Array
}

export const RECORD_SIZE = 256
export const RECORD_COUNT = 3
const MAC_SIZE = 32
const FLAG_CLEAN = 1
const FLAG_APPLIED = 2

/** Where record 0, 1 or 2 begins in the file: each within one 512-byte sector. */
export function recordPosition(slot: number): number {
  return RECORDS_POSITION + slot * RECORD_SIZE
}

/** The key of the records' MACs, from the DEK under a label of our own. @returns 32 bytes. */
export function deriveRecordKey(dek: Uint8Array, salt: Uint8Array): Uint8Array {
  return deriveKey(HKDF_SHA256, 'sealfile/v1', 'record_key', [dek], [salt], 32)
}

/** All of a record but its MAC, in the first bytes of as many as a record has. */
function writeFields(record: CommitRecord): ByteWriter {
  return new ByteWriter(RECORD_SIZE)
    .u64(record.sequence)
    .u64(record.durableSequence)
    .u64(record.plaintextLength)
    .u64(record.growthBegan)
    .u64(record.encryptionCount)
    .u64(record.redo?.position ?? 0)
    .u64(record.redo?.end ?? 0)
    .u32(record.redo?.count ?? 0)
    .u32((record.clean ? FLAG_CLEAN : 0) + (record.applied ? FLAG_APPLIED : 0))
    .put(record.redoDigest)
    .put(record.growthDigest)
    .put(record.finalNonce)
    .put(record.finalTag)
    .put(record.snapshot)
    .u32(0)
}

/** What two records have in common only if they are of one commit. @returns SHA-256 over all but the MAC. */
export function digestRecord(record: CommitRecord): Uint8Array {
  return createHash('sha256')
    .update(writeFields(record).bytes.subarray(0, RECORD_SIZE - MAC_SIZE))
    .digest()
}

/** @param slot - 0 to 2. The MAC covers it: a copy in another slot is invalid. @returns 256 bytes. */
export function buildRecord(record: CommitRecord, slot: number, recordKey: Uint8Array): Uint8Array {
  const writer = writeFields(record)
  return writer.put(computeHmac(HKDF_SHA256, recordKey, u8(slot), writer.bytes.subarray(0, RECORD_SIZE - MAC_SIZE))).bytes
}

/** @returns the record, or undefined if it does not authenticate in this slot, or says what no version-1 writer says. */
export function parseRecord(bytes: Uint8Array, slot: number, recordKey: Uint8Array): CommitRecord | undefined {
  const mac = computeHmac(HKDF_SHA256, recordKey, u8(slot), bytes.subarray(0, RECORD_SIZE - MAC_SIZE))
  if (!equalBytes(mac, bytes.subarray(RECORD_SIZE - MAC_SIZE, RECORD_SIZE))) return undefined
  const reader = new ByteReader(bytes)
  const sequence = reader.u64()
  const durableSequence = reader.u64()
  const plaintextLength = reader.u64()
  const growthBegan = reader.u64()
  const encryptionCount = reader.u64()
  const redo = { position: reader.u64(), end: reader.u64(), count: reader.u32() }
  const flags = reader.u32()
  const numbers = [sequence, durableSequence, plaintextLength, growthBegan, encryptionCount, redo.position, redo.end]
  const redoDigest = reader.bytes(32)
  const growthDigest = reader.bytes(32)
  const finalNonce = reader.bytes(12)
  const finalTag = reader.bytes(16)
  const snapshot = reader.bytes(64)
  const isKnown = flags <= FLAG_CLEAN + FLAG_APPLIED && redo.count <= REDO_COUNT_MAX && reader.u32() === 0
  const isBounded = numbers.every(Number.isSafeInteger)
  if (!isKnown || !isBounded) return undefined
  return {
    sequence,
    durableSequence,
    plaintextLength,
    growthBegan,
    encryptionCount,
    redo: redo.count === 0 ? undefined : redo,
    clean: (flags & FLAG_CLEAN) !== 0,
    applied: (flags & FLAG_APPLIED) !== 0,
    redoDigest,
    growthDigest,
    finalNonce,
    finalTag,
    snapshot,
  }
}

import {
  buildRecord,
  deriveRecordKey,
  parseRecord,
  RECORD_COUNT,
  RECORD_SIZE,
  recordPosition,
  type CommitRecord,
} from '../../src/container/commit-record.js'
import { geometryOf, segmentCount, segmentLength, segmentPosition, type Geometry } from '../../src/container/geometry.js'
import { buildKeySlot, findKeySlot, keyCheckHeader } from '../../src/container/key-slots.js'
import {
  buildPreamble,
  globalAssociatedData,
  parsePreamble,
  PREAMBLE_SIZE,
  sealParameters,
  type ContainerKind,
  type Preamble,
} from '../../src/container/preamble.js'
import type { KeySource, OpenOptions } from '../../src/index.js'
import { computeHmac } from '../../src/seal/kdf.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { encryptSegment } from '../../src/seal/segment.js'
import { AEADS, HKDF_SHA256, type CipherName } from '../../src/seal/suites.js'

/** What a file's keys give someone who holds them: the means to build any file that authenticates, hostile ones included. */
export interface UnlockedFile {
  readonly preamble: Preamble
  readonly geometry: Geometry
  readonly schedule: KeySchedule
  readonly recordKey: Uint8Array
  /** As they lie in the file; a stream has none. */
  readonly records: readonly (CommitRecord | undefined)[]
}

type Credentials = Pick<OpenOptions, 'keyManager' | 'purpose' | 'context'>

const NO_BYTES = new Uint8Array(0)

/** Opens the keys and records of a whole file by the container layer alone. */
export function unlock(bytes: Uint8Array, { keyManager, purpose, context = NO_BYTES }: Credentials): UnlockedFile {
  const preamble = parsePreamble(bytes)
  const { kind, parameters } = preamble
  const { slot, content } = findKeySlot(bytes)
  const header = keyCheckHeader(bytes.subarray(0, PREAMBLE_SIZE), slot, content.sequence)
  const dek = keyManager.unwrapFileKey({ purpose, salt: parameters.salt, header }, content)
  const schedule = new KeySchedule(parameters, dek, globalAssociatedData(kind, parameters, purpose, context))
  const recordKey = deriveRecordKey(dek, parameters.salt)
  const records = Array.from({ length: kind === 'stream' ? 0 : RECORD_COUNT }, (_, i) =>
    parseRecord(bytes.subarray(recordPosition(i), recordPosition(i) + RECORD_SIZE), i, recordKey),
  )
  return { preamble, geometry: geometryOf(kind, parameters.segmentMax), schedule, recordKey, records }
}

/** The fields of a record that hold numbers: where they lie in it, and how many bytes they take. */
export const RECORD_FIELDS = {
  sequence: [0, 8],
  durableSequence: [8, 8],
  plaintextLength: [16, 8],
  growthBegan: [24, 8],
  encryptionCount: [32, 8],
  redoPosition: [40, 8],
  redoEnd: [48, 8],
  redoCount: [56, 4],
  flags: [60, 4],
  reserved: [220, 4],
} as const

export type RecordField = keyof typeof RECORD_FIELDS

/**
 * A copy of a file in which all three records say what `record` does.
 *
 * @param raw - Fields to overwrite before the MAC is made, for values that a CommitRecord cannot have.
 */
export function withRecord(
  bytes: Uint8Array,
  recordKey: Uint8Array,
  record: CommitRecord,
  raw: Partial<Record<RecordField, bigint>> = {},
): Buffer {
  const copy = Buffer.from(bytes)
  for (let slot = 0; slot < RECORD_COUNT; slot++) {
    const built = Buffer.from(buildRecord(record, slot, recordKey))
    for (const [name, value] of Object.entries(raw) as [RecordField, bigint][]) {
      const [offset, size] = RECORD_FIELDS[name]
      if (size === 8) built.writeBigUInt64BE(value, offset)
      else built.writeUInt32BE(Number(value), offset)
    }
    const authenticated = built.subarray(0, RECORD_SIZE - 32)
    built.set(computeHmac(HKDF_SHA256, recordKey, Uint8Array.of(slot), authenticated), RECORD_SIZE - 32)
    copy.set(built, recordPosition(slot))
  }
  return copy
}

/** The final segment of a state, as its record holds it. */
export function sealFinal({ schedule, geometry }: UnlockedFile, length: number): Pick<CommitRecord, 'finalNonce' | 'finalTag'> {
  const place = { index: segmentCount(geometry, length), isFinal: true }
  const { nonce, tag } = encryptSegment(schedule, place, NO_BYTES, new Uint8Array(12).fill(7))
  return { finalNonce: nonce, finalTag: tag }
}

/** How {@link buildStreamFile} makes a file. */
export interface StreamOptions {
  readonly keyManager: KeySource
  readonly purpose: string
  readonly context?: Uint8Array | undefined
  readonly cipher?: CipherName | undefined
  readonly segmentSize?: number | undefined
}

/** A file of the kind that is written once from start to end, built by the container and seal layers. */
export function buildStreamFile(
  plaintext: Uint8Array,
  { keyManager, purpose, context = NO_BYTES, cipher = 'aes-256-gcm', segmentSize = 4_096 }: StreamOptions,
): Buffer {
  const kind: ContainerKind = 'stream'
  const salt = new Uint8Array(32).fill(0x5a)
  const dek = new Uint8Array(32).fill(0xd7)
  const parameters = sealParameters(kind, AEADS[cipher], segmentSize, salt)
  const schedule = new KeySchedule(parameters, dek, globalAssociatedData(kind, parameters, purpose, context))
  const preamble = buildPreamble({ kind, parameters, commitment: schedule.commitment })
  const sequence = 1
  const wrapped = keyManager.wrapFileKey({ purpose, salt, header: keyCheckHeader(preamble, 0, sequence) }, dek)
  const slot = buildKeySlot(preamble, 0, { sequence, ...wrapped })
  const parts: Uint8Array[] = [preamble, slot, new Uint8Array(slot.length)]
  const geometry = geometryOf(kind, segmentSize)
  const count = segmentCount(geometry, plaintext.length)
  for (let index = 0; index < count; index++) {
    const start = index * segmentSize
    const piece = plaintext.subarray(start, start + segmentLength(geometry, plaintext.length, index))
    const { ciphertext, tag } = encryptSegment(schedule, { index, isFinal: index === count - 1 }, piece)
    parts.push(ciphertext, tag)
  }
  return Buffer.concat(parts)
}

/** Where a data segment lies in a file of `length` bytes of plaintext. */
export function segmentExtent(geometry: Geometry, length: number, index: number): { readonly start: number; readonly end: number } {
  const start = segmentPosition(geometry, index)
  return { start, end: start + segmentLength(geometry, length, index) + geometry.segmentOverhead }
}

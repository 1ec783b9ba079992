import { equalBytes, isZero } from '../bytes/arrays.js'
import { ByteReader, ByteWriter } from '../bytes/integers.js'
import { CorruptedFileError, InvalidFileFormatError } from '../errors.js'
import { encode } from '../seal/kdf.js'
import { nonceModeId, snapshotId, type SealParameters } from '../seal/parameters.js'
import { findAead, HKDF_SHA256, type Aead } from '../seal/suites.js'

/**
 * `editable`: SEAL-RW-v1 with random nonces, rewritten in place under commit records.
 * `stream`: SEAL-RO-v1 with derived nonces, written once from start to end.
 */
export type ContainerKind = 'editable' | 'stream'

/** The first 96 bytes of every file, fixed when it is created (docs/format.md, "Preamble"). */
export interface Preamble {
  readonly kind: ContainerKind
  readonly parameters: SealParameters
  /** 32 bytes. */
  readonly commitment: Uint8Array
}

export const PREAMBLE_SIZE = 96
/** Where the commit records of an editable file begin; what lies between them and the key slots is zero. */
export const RECORDS_POSITION = 512
/** The part of the preamble that the commitment binds: all before the commitment itself. */
const BOUND_SIZE = 64

export const SEGMENT_SIZE_MIN = 4_096
export const SEGMENT_SIZE_MAX = 16 * 2 ** 20

/** Not ASCII, then a name, then the line ends that a text-mode transfer would change. */
const MAGIC = Uint8Array.of(0xd3, 0x53, 0x45, 0x41, 0x4c, 0x0d, 0x0a, 0x1a)
const NAME_LENGTH = 5
const VERSION = 1

const KINDS = {
  editable: { id: 1, headerSize: 1_280, protocol: 'SEAL-RW-v1', nonceMode: 'random', epochLength: 16 },
  stream: { id: 2, headerSize: 288, protocol: 'SEAL-RO-v1', nonceMode: 'derived', epochLength: 32 },
} as const

/** @returns the bytes before the first segment: 1,280 or 288. */
export function headerSizeOf(kind: ContainerKind): number {
  return KINDS[kind].headerSize
}

/** The SEAL parameters of a kind of container: all but the three that vary are fixed by version 1. */
export function sealParameters(kind: ContainerKind, aead: Aead, segmentSize: number, salt: Uint8Array): SealParameters {
  const { protocol, nonceMode, epochLength } = KINDS[kind]
  return { protocol, aead, kdf: HKDF_SHA256, segmentMax: segmentSize, nonceMode, epochLength, salt }
}

/** Everything of the preamble but the commitment. @returns 64 bytes. */
function boundBytes(kind: ContainerKind, parameters: SealParameters): Uint8Array {
  const { id, headerSize } = KINDS[kind]
  return new ByteWriter(BOUND_SIZE)
    .put(MAGIC)
    .u16(VERSION)
    .u16(headerSize)
    .u8(id)
    .u8(nonceModeId(parameters.nonceMode))
    .u8(parameters.epochLength)
    .u8(0)
    .u16(parameters.aead.id)
    .u16(parameters.kdf.id)
    .u16(snapshotId(parameters.protocol))
    .u16(0)
    .u32(parameters.segmentMax)
    .u32(0)
    .put(parameters.salt).bytes
}

/**
 * G, the associated data that the commitment binds: the preamble's fields, the purpose and the caller's context,
 * so that a file opens under no other.
 *
 * @param context - Any bytes; empty where the caller has none.
 */
export function globalAssociatedData(
  kind: ContainerKind,
  parameters: SealParameters,
  purpose: string,
  context: Uint8Array,
): Uint8Array {
  return encode(parameters.kdf, ['sealfile/v1', boundBytes(kind, parameters), purpose, context])
}

/**
 * Refuses a header in which bytes are set that version 1 does not use.
 *
 * @param header - All of it.
 * @param used - Where the key slots end.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER`.
 */
export function checkUnused(header: Uint8Array, used: number): void {
  if (isZero(header.subarray(used, Math.min(header.length, RECORDS_POSITION)))) return
  throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', 'the header is damaged: bytes are set that version 1 does not use')
}

/** @returns 96 bytes. */
export function buildPreamble({ kind, parameters, commitment }: Preamble): Uint8Array {
  return new ByteWriter(PREAMBLE_SIZE).put(boundBytes(kind, parameters)).put(commitment).bytes
}

/**
 * Reads a preamble. Checks form, not authenticity: that is the key check's and the commitment's part.
 *
 * @param bytes - What the file begins with: the preamble at least, or all of a shorter file.
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT` for another kind of file, `ERR_SEALFILE_FORMAT_VERSION` for a
 *   version that is not known here, `ERR_SEALFILE_FORMAT_HEADER` for a damaged preamble.
 * @throws CorruptedFileError `ERR_SEALFILE_TRUNCATED` if the file ends inside the preamble.
 */
export function parsePreamble(bytes: Uint8Array): Preamble {
  checkMagic(bytes)
  const reader = new ByteReader(bytes.subarray(0, PREAMBLE_SIZE))
  reader.bytes(MAGIC.length)
  const version = reader.u16()
  if (version !== VERSION) {
    const hint = version > VERSION ? 'update sealfile to read it' : 'the header is damaged'
    throw new InvalidFileFormatError(
      'ERR_SEALFILE_FORMAT_VERSION',
      `the file says format version ${version}, known is ${VERSION}: ${hint}`,
    )
  }
  reader.u16()
  const kindId = reader.u8()
  reader.bytes(3)
  const aead = findAead(reader.u16())
  reader.bytes(6)
  const segmentSize = reader.u32()
  reader.u32()
  const salt = reader.bytes(32)
  const commitment = reader.bytes(32)
  const kind = kindId === KINDS.editable.id ? 'editable' : 'stream'
  const sizeAllowed = segmentSize >= SEGMENT_SIZE_MIN && segmentSize <= SEGMENT_SIZE_MAX && Number.isInteger(Math.log2(segmentSize))
  if (aead !== undefined && sizeAllowed) {
    const preamble = { kind, parameters: sealParameters(kind, aead, segmentSize, salt), commitment } as const
    // Version 1 leaves no other freedom, so what was read must be what would be written.
    if (equalBytes(buildPreamble(preamble), bytes.subarray(0, PREAMBLE_SIZE))) return preamble
  }
  throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', 'the header is damaged: its parameters are none of version 1')
}

function checkMagic(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'the file is empty: it was never encrypted')
  const seen = bytes.subarray(0, MAGIC.length)
  if (equalBytes(seen, MAGIC.subarray(0, seen.length))) {
    if (bytes.length >= PREAMBLE_SIZE) return
    throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', `the file ends inside its header, after ${bytes.length} bytes`)
  }
  if (equalBytes(seen.subarray(0, NAME_LENGTH), MAGIC.subarray(0, NAME_LENGTH))) {
    throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', 'the header is damaged, as by a transfer in text mode')
  }
  throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'the file is not one that sealfile encrypted')
}

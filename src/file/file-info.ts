import { constants } from 'node:fs'
import { invalidArgType, outOfRange } from '../argument-errors.js'
import { segmentCount, segmentPosition, type Geometry } from '../container/geometry.js'
import { findKeySlot } from '../container/key-slots.js'
import { headerSizeOf, type ContainerKind } from '../container/preamble.js'
import type { CipherName } from '../seal/suites.js'
import { isCommitted } from './engine/committed-state.js'
import { nameFile, parseHeader, type ContainerFile } from './engine/container-file.js'
import type { ReadableState } from './engine/segment-reader.js'
import { nameOf } from './open-file.js'
import { io, readFully, type PathLike, type Steps } from './io/steps.js'

/** What can be known of a file without a key. Nothing of it is authenticated. */
export interface FileInspection {
  /** `editable`, as `EncryptedFile` writes it, or `stream`, as `createEncryptStream` does. */
  readonly kind: ContainerKind
  /** Of the format. */
  readonly version: 1
  /** What encrypts the segments. */
  readonly cipher: CipherName
  /** Plaintext bytes in a full segment. */
  readonly segmentSize: number
  /** Bytes before the first segment. */
  readonly headerSize: number
  /** Bytes on disk. */
  readonly fileSize: number
  /** Which keyring the file's key is wrapped under, in hexadecimal. */
  readonly keyringId: string
  /** Which of the keyring's master keys. */
  readonly generation: number
}

/** A segment that waits in the redo list, behind the data. */
export interface PendingSegment {
  /** Zero-based. */
  readonly segment: number
  /** Where its ciphertext begins in the file. */
  readonly position: number
  /** Bytes of ciphertext. */
  readonly length: number
}

/** What an open file is, and how it lies on disk. */
export interface FileInfo extends FileInspection {
  /** Bytes of plaintext, with what is not committed yet. */
  readonly size: number
  /** Bytes by which a segment in the file is longer than its plaintext. */
  readonly segmentOverhead: number
  /** The newest commit's number; 0 before the first one, and of streams. */
  readonly sequence: number
  /** The file was closed after that. */
  readonly isClean: boolean
  /** Segments that do not lie at their places. */
  readonly pending: readonly PendingSegment[]
}

/** A stretch of a file. */
export interface ByteRange {
  /** The first byte. */
  readonly start: number
  /** Behind the last byte. */
  readonly end: number
}

/** What is read of a file to look at it. */
const START_SIZE = 8_192

/** Tells what can be known of a file without a key. @throws InvalidFileFormatError, CorruptedFileError, system errors. */
export function* inspectFile(path: PathLike): Steps<FileInspection> {
  const fd = yield* io.open(path, constants.O_RDONLY, 0)
  try {
    const buffer = new Uint8Array(START_SIZE)
    const start = buffer.subarray(0, yield* readFully(fd, buffer, 0))
    const { size: fileSize } = yield* io.fstat(fd)
    const { kind, parameters } = parseHeader(start)
    const { keyringId, generation } = findKeySlot(start).content
    return {
      kind,
      version: 1,
      cipher: parameters.aead.name,
      segmentSize: parameters.segmentMax,
      headerSize: headerSizeOf(kind),
      fileSize,
      keyringId: Buffer.from(keyringId).toString('hex'),
      generation,
    }
  } catch (error) {
    throw nameFile(error, nameOf(path))
  } finally {
    yield* io.close(fd)
  }
}

/** @param size - Plaintext bytes, with what is not committed yet. */
export function describeFile(file: ContainerFile, state: ReadableState | undefined, size: number, fileSize: number): FileInfo {
  const { geometry, schedule, keySlot } = file
  const record = state !== undefined && isCommitted(state) ? state.record : undefined
  return {
    kind: geometry.kind,
    version: 1,
    cipher: schedule.parameters.aead.name,
    segmentSize: geometry.segmentSize,
    headerSize: geometry.headerSize,
    segmentOverhead: geometry.segmentOverhead,
    size,
    fileSize,
    keyringId: Buffer.from(keySlot.keyringId).toString('hex'),
    generation: keySlot.generation,
    sequence: record?.sequence ?? 0,
    isClean: geometry.kind === 'stream' || record?.clean === true,
    pending: [...(state?.redo.values() ?? [])].map(({ index, position, length }) => ({ segment: index, position, length })),
  }
}

/**
 * Tells which bytes of a file hold its plaintext from `start` up to and without `end`: what a reader fetches besides the header.
 *
 * @param info - What `info()` of an open handle returned.
 * @param end - Behind the last byte of plaintext; what lies behind the file's end is left out.
 * @returns stretches in ascending order that do not touch each other; none for no byte. More than one only where segments are pending.
 * @throws TypeError or RangeError for a `start` or `end` that is no integer of 0 or more, or a `start` behind `end`.
 */
export function ciphertextRange(info: FileInfo, start: number, end: number): ByteRange[] {
  for (const [name, value] of [
    ['start', start],
    ['end', end],
  ] as const) {
    if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
    if (!Number.isInteger(value) || value < 0) throw outOfRange(name, 'an integer >= 0', value)
  }
  if (start > end) throw outOfRange('start', `<= "end" (here: ${end})`, start)
  const geometry: Geometry = info
  const behind = Math.min(end, info.size)
  if (start >= behind) return []
  const pending = new Map(info.pending.map((entry) => [entry.segment, entry]))
  const ranges: { start: number; end: number }[] = []
  const last = segmentCount(geometry, behind) - 1
  let first = Math.floor(start / info.segmentSize)
  for (const index of [...pending.keys()].filter((index) => index >= first && index <= last).sort((a, b) => a - b)) {
    if (index > first) ranges.push(placeOf(first, index - 1))
    const { position, length } = pending.get(index)!
    ranges.push({ start: position, end: position + length })
    first = index + 1
  }
  if (first <= last) ranges.push(placeOf(first, last))
  return mergeRanges(ranges)

  function placeOf(from: number, to: number): ByteRange {
    const length = Math.min(info.size, (to + 1) * info.segmentSize) - to * info.segmentSize
    return { start: segmentPosition(geometry, from), end: segmentPosition(geometry, to) + length + info.segmentOverhead }
  }
}

function mergeRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

import { releaseMemory } from '../../bytes/memory.js'
import { segmentLength, segmentPosition } from '../../container/geometry.js'
import { accumulate } from '../../seal/snapshot.js'
import { readFully, writeFully, type Steps } from '../io/steps.js'
import type { ContainerFile } from './container-file.js'
import { SegmentSealer } from './segment-sealer.js'

/** Segments of a file, one behind the other. */
export interface SegmentRange {
  /** Zero-based. */
  readonly first: number
  /** The one behind the last. */
  readonly end: number
}

/** Plaintext bytes that are read, encrypted and written at a time, unless others are asked for. */
const PIECE_LENGTH = 2 ** 20

/**
 * Cuts a file into ranges of segments, which can be encrypted or decrypted apart from each other.
 *
 * @param count - Segments of the file.
 * @param size - Segments of a range.
 */
export function cutIntoRanges(count: number, size: number): SegmentRange[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({ first: i * size, end: Math.min(count, (i + 1) * size) }))
}

/** A file that is encrypted from another. */
export interface SealWork {
  readonly file: ContainerFile
  /** What is encrypted. */
  readonly source: number
  /** Plaintext bytes of the whole file. */
  readonly length: number
  /** Where the segments go. */
  readonly target: number
  /** Plaintext bytes that are read, encrypted and written at a time; a segment in any case. */
  readonly pieceLength?: number
}

/**
 * Encrypts a range of segments of a new file to their places. Ranges may be encrypted by different threads, which share no state: nonces
 * are random, and the accumulators of all ranges, XORed, are that of the file.
 *
 * @param onPiece - Told of plaintext bytes that were done; may throw.
 * @returns the accumulator over the range; undefined where the source ends before `length`.
 */
export function* sealRange(work: SealWork, range: SegmentRange, onPiece: (length: number) => void): Steps<Uint8Array | undefined> {
  const { file, source, target, length, pieceLength = PIECE_LENGTH } = work
  const { geometry, schedule } = file
  const { segmentSize } = geometry
  const snapshotKey = schedule.snapshotKey!
  const sealer = new SegmentSealer(file, 0)
  const accumulator = snapshotKey.emptyAccumulator()
  const segmentsAtOnce = Math.max(1, Math.floor(pieceLength / segmentSize))
  const longest = Math.min(segmentsAtOnce * segmentSize, length - range.first * segmentSize)
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, longest))
  for (let first = range.first; first < range.end; first += segmentsAtOnce) {
    const end = Math.min(range.end, first + segmentsAtOnce)
    const pieceEnd = (end - 1) * segmentSize + segmentLength(geometry, length, end - 1)
    const piece = buffer.subarray(0, pieceEnd - first * segmentSize)
    if ((yield* readFully(source, piece, first * segmentSize)) < piece.length) return undefined
    const buffers: Uint8Array[] = []
    for (let index = first; index < end; index++) {
      const from = (index - first) * segmentSize
      const { nonce, ciphertext, tag } = sealer.seal(index, piece.subarray(from, from + segmentSize))
      accumulate(accumulator, snapshotKey.contribution(index, tag))
      buffers.push(nonce, ciphertext, tag)
    }
    yield* writeFully(target, buffers, segmentPosition(geometry, first))
    for (const bytes of buffers) releaseMemory(bytes)
    onPiece(piece.length)
  }
  releaseMemory(buffer)
  return accumulator
}

import { accumulate } from '../../seal/snapshot.js'
import { writeFully, type Steps } from '../io/steps.js'
import type { ContainerFile } from './container-file.js'
import type { SegmentRange } from './range-sealer.js'
import type { ReadableState, SegmentReader } from './segment-reader.js'

/** A file that is decrypted into another. */
export interface OpenWork {
  readonly file: ContainerFile
  readonly reader: SegmentReader
  readonly state: ReadableState
  /** Where the plaintext goes. */
  readonly target: number
}

/**
 * Decrypts a range of segments to their places. What was written is not to be used before all ranges are done and their accumulators,
 * XORed, were compared with the snapshot of the state.
 *
 * @param onPiece - Told of plaintext bytes that were done; may throw.
 * @returns the accumulator over the range; undefined for a stream, which keeps none: each of its segments is written once.
 * @throws CorruptedFileError if a segment does not authenticate.
 */
export function* openRange(
  work: OpenWork,
  { first, end }: SegmentRange,
  onPiece: (length: number) => void,
): Steps<Uint8Array | undefined> {
  const { file, reader, state, target } = work
  const { geometry, schedule } = file
  const { snapshotKey } = schedule
  const accumulator = snapshotKey?.emptyAccumulator()
  for (let index = first; index < end; index++) {
    const { plaintext, tag } = yield* reader.load(state, index, end - 1)
    if (accumulator !== undefined) accumulate(accumulator, snapshotKey!.contribution(index, tag))
    if (plaintext.length > 0) yield* writeFully(target, [plaintext], index * geometry.segmentSize)
    onPiece(plaintext.length)
  }
  return accumulator
}

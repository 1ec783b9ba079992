import { concatBytes } from '../../bytes/arrays.js'
import { buildRecord, RECORD_COUNT, recordPosition, type CommitRecord } from '../../container/commit-record.js'
import { longestPlaintext, segmentCount } from '../../container/geometry.js'
import { EMPTY_DIRECTORY_DIGEST } from '../../container/redo-list.js'
import { LimitError } from '../../errors.js'
import { accumulate } from '../../seal/snapshot.js'
import type { ContainerFile } from './container-file.js'
import { SegmentSealer } from './segment-sealer.js'

/** The header of a new file, records included. */
export function completeHeader(keyHeader: Uint8Array, records: Uint8Array): Uint8Array {
  const header = new Uint8Array(recordPosition(0) + records.length)
  header.set(keyHeader)
  header.set(records, recordPosition(0))
  return header
}

/** A header without records: what {@link ContainerFile.open} takes, for whoever is to seal a part of a file that is not complete yet. */
export function unfinishedHeader(keyHeader: Uint8Array): Uint8Array {
  return completeHeader(keyHeader, new Uint8Array(recordPosition(RECORD_COUNT) - recordPosition(0)))
}

/** @throws LimitError if no editable file can hold so much. */
export function checkNewLength({ geometry, path }: ContainerFile, length: number): void {
  if (length <= longestPlaintext(geometry)) return
  throw new LimitError('the file would grow longer than its format can hold', { path })
}

/**
 * Makes segments that lie at their places a file: one commit, closed, in all three slots. It is written last, and what was written before
 * it is no file; so nothing else is needed where the file has its name only after that.
 *
 * @param keyHeader - What {@link ContainerFile.create} returned.
 * @param length - Plaintext bytes: all segments that hold them were encrypted once.
 * @param accumulator - Over these segments: that of each range, XORed.
 * @returns 1,280 bytes for the beginning of the file.
 */
export function buildFinishedHeader(
  file: ContainerFile,
  keyHeader: Uint8Array,
  length: number,
  accumulator: Uint8Array,
): Uint8Array {
  const { geometry, schedule, recordKey } = file
  const count = segmentCount(geometry, length)
  const sealer = new SegmentSealer(file, count)
  sealer.checkBudget(count)
  const { nonce, tag } = sealer.sealFinal(count)
  const snapshotKey = schedule.snapshotKey!
  const all = accumulator.slice()
  accumulate(all, snapshotKey.contribution(count, tag))
  const record: CommitRecord = {
    sequence: 1,
    durableSequence: 0,
    plaintextLength: length,
    // Its growth is for openers to check who find the file not closed; nobody will.
    growthBegan: count,
    encryptionCount: sealer.count,
    redo: undefined,
    clean: true,
    applied: false,
    redoDigest: EMPTY_DIRECTORY_DIGEST,
    // Of nothing, too.
    growthDigest: EMPTY_DIRECTORY_DIGEST,
    finalNonce: nonce,
    finalTag: tag,
    snapshot: snapshotKey.seal(count + 1, all),
  }
  const slots = Array.from({ length: RECORD_COUNT }, (_, slot) => buildRecord(record, slot, recordKey.expose()))
  return completeHeader(keyHeader, concatBytes(...slots))
}

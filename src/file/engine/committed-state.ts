import { equalBytes } from '../../bytes/arrays.js'
import { parseRecord, RECORD_COUNT, RECORD_SIZE, recordPosition, type CommitRecord } from '../../container/commit-record.js'
import { ciphertextSize, longestPlaintext, segmentCount, segmentLength } from '../../container/geometry.js'
import { digestDirectory, directorySize, GrowthDigest, parseDirectory, type RedoEntry } from '../../container/redo-list.js'
import { CorruptedFileError } from '../../errors.js'
import { decryptSegment } from '../../seal/segment.js'
import { accumulate } from '../../seal/snapshot.js'
import type { ContainerFile } from './container-file.js'
import { readFully, type Steps } from '../io/steps.js'
import { SegmentReader, type ReadableState } from './segment-reader.js'

/** A committed state of an editable file, and which record says so. */
export interface CommittedState extends ReadableState {
  readonly record: CommitRecord
  /** Where the file could be cut without a loss: behind the data and the redo list. */
  readonly end: number
}

/** Tells whether a state is that of a commit: that of a stream is not. */
export function isCommitted(state: ReadableState): state is CommittedState {
  return 'record' in state
}

/** What an opener found out about an editable file. */
export interface FoundState {
  readonly state: CommittedState
  /** The slot that holds the state's record. */
  readonly slot: number
  /** The record in each slot, undefined where none is valid. */
  readonly slots: readonly (CommitRecord | undefined)[]
  /** The newest commit that is known to be on disk; 0 for none. */
  readonly durableSequence: number
  /** Newer records whose data did not reach the disk were passed over. */
  readonly fellBack: boolean
}

const NO_REDO: ReadonlyMap<number, RedoEntry> = new Map()

/** What an opener wants of a file. */
export interface Search {
  /** Take the newest whole state of a damaged file, too. */
  readonly recover?: boolean
  /** Later commits will carry on what the state's list holds. */
  readonly forWriting?: boolean
  /** The file was open all the time, so that no power cut can have taken part of a commit. */
  readonly wasOpen?: boolean
}

/** How the state of an editable file is chosen among its records (docs/format.md, "Which record counts"). */
export class StateFinder {
  readonly #file: ContainerFile
  readonly #fd: number
  /** Size of the file, of which no byte is authenticated yet. */
  readonly #size: number
  readonly #recover: boolean
  readonly #forWriting: boolean
  readonly #wasOpen: boolean

  constructor(
    file: ContainerFile,
    fd: number,
    size: number,
    { recover = false, forWriting = false, wasOpen = false }: Search = {},
  ) {
    this.#file = file
    this.#fd = fd
    this.#size = size
    this.#recover = recover
    this.#forWriting = forWriting
    this.#wasOpen = wasOpen
  }

  /** @param header - The file's first 1,280 bytes. */
  *find(header: Uint8Array): Steps<FoundState> {
    const slots = this.#parseRecords(header)
    const valid = slots.filter((record) => record !== undefined).sort((a, b) => b.sequence - a.sequence)
    const durableSequence = Math.max(0, ...valid.map((record) => record.durableSequence))
    for (const record of valid) {
      const state = yield* this.#tryRecord(record, durableSequence)
      if (state === undefined) continue
      return { state, slot: slots.indexOf(record), slots, durableSequence, fellBack: record !== valid[0] }
    }
    throw this.#file.damaged('no commit of the file is whole')
  }

  /**
   * Finds the newest commit, whole or not, for whoever wants to save what is left of a damaged file.
   *
   * @param header - The file's first 1,280 bytes.
   * @returns undefined where no record authenticates. Without its redo list, segments may be found in older versions.
   */
  *findNewest(header: Uint8Array): Steps<ReadableState | undefined> {
    const [record] = this.#parseRecords(header)
      .filter((record) => record !== undefined)
      .sort((a, b) => b.sequence - a.sequence)
    const { geometry } = this.#file
    if (record === undefined || record.plaintextLength > longestPlaintext(geometry)) return undefined
    const state = { record, length: record.plaintextLength, count: segmentCount(geometry, record.plaintextLength) }
    try {
      return { ...state, redo: record.applied ? NO_REDO : yield* this.#loadList(record) }
    } catch (error) {
      if (!(error instanceof CorruptedFileError)) throw error
      return { ...state, redo: NO_REDO }
    }
  }

  #parseRecords(header: Uint8Array): (CommitRecord | undefined)[] {
    const slots = Array.from({ length: RECORD_COUNT }, (_, slot) => {
      const bytes = header.subarray(recordPosition(slot), recordPosition(slot) + RECORD_SIZE)
      return parseRecord(bytes, slot, this.#file.recordKey.expose())
    })
    const invalid = slots.filter((record) => record === undefined).length
    if (invalid > 1 && !this.#recover) throw this.#file.damaged(`${invalid} of ${RECORD_COUNT} commit records are damaged`)
    return slots
  }

  /** @returns the record's state; undefined if a power cut took part of it and an older record counts. */
  *#tryRecord(record: CommitRecord, durableSequence: number): Steps<CommittedState | undefined> {
    const mustBeWhole = record.clean || record.sequence <= durableSequence || this.#wasOpen
    try {
      const state = yield* this.#loadState(record, mustBeWhole)
      if (!mustBeWhole) yield* this.#checkGrowth(state)
      if (!mustBeWhole || (this.#forWriting && record.sequence > durableSequence)) yield* this.#checkList(state)
      if (this.#recover) yield* this.#checkAll(state)
      return state
    } catch (error) {
      if ((mustBeWhole && !this.#recover) || !(error instanceof CorruptedFileError)) throw error
      return undefined
    }
  }

  *#loadState(record: CommitRecord, mustBeWhole: boolean): Steps<CommittedState> {
    const { geometry, schedule } = this.#file
    const length = record.plaintextLength
    if (length > longestPlaintext(geometry) || record.growthBegan > segmentCount(geometry, length)) {
      throw this.#file.damaged('a commit record is out of bounds')
    }
    const count = segmentCount(geometry, length)
    const { finalNonce: nonce, finalTag: tag } = record
    if (decryptSegment(schedule, { index: count, isFinal: true }, { nonce, ciphertext: new Uint8Array(0), tag }) === undefined) {
      throw this.#file.corrupted(count)
    }
    if (!record.applied && this.#size < (record.redo?.end ?? 0)) {
      throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', 'the file ends before its redo list does', { path: this.#file.path })
    }
    const redo = record.applied ? NO_REDO : yield* this.#loadList(record)
    const dataEnd = this.#placedEnd(length, count, redo)
    const end = redo.size === 0 ? dataEnd : Math.max(dataEnd, record.redo!.end)
    if (this.#size < end) throw this.#file.truncated(Math.min(count - 1, this.#firstMissing()))
    const state = { record, length, count, redo, end }
    if (record.applied && !mustBeWhole) yield* this.#checkApplied(state)
    return state
  }

  /** Where the last segment ends that must be at its place: a listed one need not be. */
  #placedEnd(length: number, count: number, redo: ReadonlyMap<number, RedoEntry>): number {
    const { geometry } = this.#file
    let placed = count
    while (placed > 0 && redo.has(placed - 1)) placed--
    return ciphertextSize(geometry, placed === count ? length : placed * geometry.segmentSize)
  }

  /** The segment in which the file ends. */
  #firstMissing(): number {
    const { geometry } = this.#file
    return Math.max(0, Math.floor((this.#size - geometry.headerSize) / (geometry.segmentSize + geometry.segmentOverhead)))
  }

  /** Reads the directory of a record's redo list; authenticated by the record. */
  *#loadList({ redo, redoDigest, plaintextLength }: CommitRecord): Steps<ReadonlyMap<number, RedoEntry>> {
    if (redo === undefined) return NO_REDO
    const directory = new Uint8Array(directorySize(redo.count))
    const read = yield* readFully(this.#fd, directory, redo.position)
    if (read < directory.length || !equalBytes(digestDirectory(directory), redoDigest)) {
      throw this.#file.damaged('the redo list is damaged')
    }
    const entries = parseDirectory(directory)
    const { geometry } = this.#file
    const count = segmentCount(geometry, plaintextLength)
    const isWithin = ({ index, position, length }: RedoEntry): boolean =>
      index < count &&
      length === segmentLength(geometry, plaintextLength, index) &&
      position >= geometry.headerSize &&
      position + length <= redo.end
    const byIndex = new Map(entries.map((entry) => [entry.index, entry]))
    const directoryEnd = redo.position + directory.length
    if (!entries.every(isWithin) || byIndex.size !== entries.length || directoryEnd > redo.end) {
      throw this.#file.damaged('the redo list is out of bounds')
    }
    return byIndex
  }

  /** Checks the segments that a commit which is not known to be on disk added at their places. */
  *#checkGrowth(state: CommittedState): Steps<void> {
    const digest = new GrowthDigest()
    const { redo, record } = state
    yield* this.#readFrom(state, record.growthBegan, (index, tag) => {
      if (!redo.has(index)) digest.add(index, tag)
    })
    if (!equalBytes(digest.digest(), record.growthDigest)) throw this.#file.damaged('a commit is not whole')
  }

  /** Decrypts the segments from `first` on. */
  *#readFrom(state: CommittedState, first: number, use: (index: number, tag: Uint8Array) => void): Steps<void> {
    const reader = new SegmentReader(this.#file, this.#fd, new Uint8Array(0))
    try {
      for (let index = first; index < state.count; index++) use(index, (yield* reader.load(state, index, state.count - 1)).tag)
    } finally {
      yield* reader.forget()
    }
  }

  /** Checks the listed segments of a commit that is not known to be on disk. */
  *#checkList(state: CommittedState): Steps<void> {
    const reader = new SegmentReader(this.#file, this.#fd, new Uint8Array(0))
    for (const entry of state.redo.values()) yield* reader.loadListed(entry)
  }

  /**
   * Checks that a list was copied to its segments' places. Where the list itself is gone, its place was written again; that
   * happens only after this commit was on disk.
   */
  *#checkApplied(state: CommittedState): Steps<void> {
    let entries
    try {
      entries = yield* this.#loadList(state.record)
    } catch (error) {
      if (error instanceof CorruptedFileError) return
      throw error
    }
    const reader = new SegmentReader(this.#file, this.#fd, new Uint8Array(0))
    for (const { index, tag } of entries.values()) {
      if (!equalBytes((yield* reader.load(state, index)).tag, tag)) throw this.#file.damaged('a commit is not whole')
    }
    yield* reader.forget()
  }

  /** Checks every segment and the snapshot over all, for an opener that wants the newest whole state. */
  *#checkAll(state: CommittedState): Steps<void> {
    const snapshotKey = this.#file.schedule.snapshotKey!
    const accumulator = snapshotKey.contribution(state.count, state.record.finalTag)
    yield* this.#readFrom(state, 0, (index, tag) => accumulate(accumulator, snapshotKey.contribution(index, tag)))
    if (!snapshotKey.verify(state.count + 1, accumulator, state.record.snapshot)) {
      throw this.#file.rolledBack()
    }
  }
}

import { recordPosition } from '../../container/commit-record.js'
import { ciphertextSize, longestPlaintext, segmentCount, segmentLength, segmentPosition } from '../../container/geometry.js'
import { EMPTY_DIRECTORY_DIGEST, GrowthDigest } from '../../container/redo-list.js'
import { LimitError } from '../../errors.js'
import { accumulate, type SnapshotKey } from '../../seal/snapshot.js'
import type { CommittedState, FoundState } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
import { io, readFully, writeNow, type Steps } from '../io/steps.js'
import { Journal, type CommitContent } from './journal.js'
import { RedoWriter, type RedoList, type Replacement } from './redo-writer.js'
import type { ReadableState, SegmentReader } from './segment-reader.js'
import { SegmentSealer } from './segment-sealer.js'
import { WriteQueue } from './write-queue.js'

/** A segment whose newest plaintext is in memory alone. */
interface DirtySegment {
  readonly buffer: Uint8Array
  length: number
  /** The tag of the version that it replaces, if there is one. */
  readonly replacedTag: Uint8Array | undefined
}

/** The final, empty segment of a state of `count` data segments. */
interface FinalSegment {
  readonly count: number
  readonly nonce: Uint8Array
  readonly tag: Uint8Array
}

/** How much may gather before it is committed, whatever the timer says. */
const COMMIT_SIZE = 4 * 2 ** 20
/** How much memory dirty segments may take before they are committed. */
const DIRTY_SIZE = 8 * 2 ** 20
/** More encryptions than a process that died can have made since its last commit. */
const UNCOUNTED_ENCRYPTIONS = 2 ** 16

/**
 * Changes an editable file: gathers writes in memory as dirty segments, and makes them the file's state in commits
 * (docs/format.md, "Writing"). A segment's newest version is in one of three places: among the dirty ones, at its place in
 * the file since the last commit ("placed"), or in the committed state.
 */
export class Editor {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #reader: SegmentReader
  /** The file existed before. */
  readonly #isBegun: boolean
  /** Every commit waits for the disk. */
  readonly #isDurable: boolean
  readonly #journal: Journal
  readonly #queue: WriteQueue
  readonly #redo: RedoWriter
  readonly #sealer: SegmentSealer
  readonly #snapshotKey: SnapshotKey
  readonly #dirty = new Map<number, DirtySegment>()
  /** The header of a new file, without its records yet, until it is written. */
  #newHeader: Uint8Array | undefined
  #length: number
  /** Segments that are at their place, and where the plaintext of the last one ends. No place is written twice, but to apply a list. */
  #placedCount: number
  #placedLength: number
  /** The tags of the segments that were placed since the last commit. */
  #placedTags: Uint8Array[] = []
  /** Over all data segments but the dirty ones. */
  #accumulator: Uint8Array
  #final: FinalSegment | undefined
  /** Memory of a dirty segment that can be used again. */
  #spareBuffer: Uint8Array | undefined
  #uncommittedBytes = 0
  #writtenTo = 0
  /** Every write since the last commit was at the end. */
  #isAppending = true
  /** No byte of the file lies at or behind this offset. */
  #writtenEnd = 0

  private constructor(file: ContainerFile, fd: number, reader: SegmentReader, isDurable: boolean, found: FoundState | undefined) {
    const state = found?.state
    this.#file = file
    this.#fd = fd
    this.#reader = reader
    this.#isBegun = found !== undefined
    this.#isDurable = isDurable
    this.#journal = new Journal(file, fd, found)
    this.#queue = new WriteQueue(fd)
    this.#sealer = new SegmentSealer(file, found === undefined ? 0 : countEncryptions(found))
    this.#redo = new RedoWriter(file, fd, reader, this.#journal, this.#sealer)
    this.#snapshotKey = file.schedule.snapshotKey!
    this.#accumulator = this.#snapshotKey.emptyAccumulator()
    this.#length = this.#placedLength = state?.length ?? 0
    this.#placedCount = state?.count ?? 0
  }

  /**
   * An editor of a file that has no byte yet. The first is written by a commit, or when much has gathered.
   *
   * @param keyHeader - What {@link ContainerFile.create} returned.
   */
  static create(file: ContainerFile, fd: number, reader: SegmentReader, isDurable: boolean, keyHeader: Uint8Array): Editor {
    const editor = new Editor(file, fd, reader, isDurable, undefined)
    editor.#newHeader = keyHeader
    return editor
  }

  /** An editor of a file that an opener has looked at. @param size - Of the file. */
  static *open(
    file: ContainerFile,
    fd: number,
    reader: SegmentReader,
    isDurable: boolean,
    found: FoundState,
    size: number,
  ): Steps<Editor> {
    const editor = new Editor(file, fd, reader, isDurable, found)
    const { state } = found
    const { finalNonce: nonce, finalTag: tag, snapshot } = state.record
    const accumulator = editor.#snapshotKey.open(state.count + 1, snapshot)
    if (accumulator === undefined) throw file.damaged('the snapshot is damaged')
    accumulate(accumulator, editor.#snapshotKey.contribution(state.count, tag))
    editor.#accumulator = accumulator
    editor.#final = { count: state.count, nonce, tag }
    editor.#writtenEnd = size
    if (!state.record.clean || size > editor.#journal.neededEnd || staleSlots(found).length > 0) yield* editor.#clearRemains(found)
    return editor
  }

  /** Plaintext bytes, with what is not committed yet. */
  get length(): number {
    return this.#length
  }

  /** Where the last write got to, also when it failed on the way. */
  get writtenTo(): number {
    return this.#writtenTo
  }

  /** Something was written that no commit holds. */
  get isDirty(): boolean {
    return this.#uncommittedBytes > 0 || !this.#queue.isEmpty || this.#journal.live === undefined
  }

  /**
   * Writes `data` at `position`; what lies between the end and there becomes zeros. May commit.
   *
   * @throws LimitError if the file would grow too long, or was rewritten too often for its key.
   */
  *write(data: Uint8Array, position: number): Steps<void> {
    this.#journal.checkUsable()
    this.#writtenTo = position
    if (data.length === 0) return
    if (position + data.length > longestPlaintext(this.#file.geometry)) {
      throw new LimitError('the file would grow longer than its format can hold', { path: this.#file.path })
    }
    if (position !== this.#length) this.#isAppending = false
    while (this.#length < position) {
      const zeros = new Uint8Array(Math.min(position - this.#length, this.#file.geometry.segmentSize))
      yield* this.#writePieces(zeros, this.#length)
    }
    yield* this.#writePieces(data, position)
  }

  /**
   * Makes what was written the file's state, without waiting for the disk.
   *
   * @param leaveTail - A short last segment may wait for the next commit, where all that was written since the last one was
   *   appended and there is something else to commit: it would have to be replaced soon.
   * @param clean - The file is about to be closed.
   */
  *commit({ leaveTail = false, clean = false }: { readonly leaveTail?: boolean; readonly clean?: boolean } = {}): Steps<void> {
    this.#journal.checkUsable()
    if (!this.isDirty) return
    const { geometry } = this.#file
    const tail = this.#dirty.get(this.#placedCount)
    const hasMore = this.#placedTags.length > 0 || this.#dirty.size > 1
    if (tail !== undefined && !(leaveTail && this.#isAppending && hasMore)) {
      yield* this.#makeRoom()
      this.#place(this.#placedCount, tail.buffer.subarray(0, tail.length))
    }
    const length = this.#dirty.has(this.#placedCount) ? this.#placedCount * geometry.segmentSize : this.#length
    const count = segmentCount(geometry, length)
    this.#sealer.checkBudget(count)
    const list = yield* this.#redo.write(this.#replacements(count), length)
    const accumulator = this.#accumulator.slice()
    accumulate(accumulator, list.change)
    const final = this.#final?.count === count ? this.#final : { count, ...this.#sealer.sealFinal(count) }
    const content = this.#describe(length, this.#placedTags, accumulator, final, list)
    const state = { length, count, redo: list.entries, end: Math.max(ciphertextSize(geometry, length), list.pointer?.end ?? 0) }
    if (this.#newHeader !== undefined && clean && this.#queue.isOneCall) yield* this.#writeAtOnce(content, state)
    else {
      yield* this.#drain()
      yield* this.#journal.commit(content, state, clean)
    }
    this.#writtenEnd = Math.max(this.#writtenEnd, state.end)
    this.#final = final
    this.#accumulator = accumulator
    this.#placedTags = []
    for (const index of this.#dirty.keys()) if (index < count) this.#dirty.delete(index)
    this.#uncommittedBytes = this.#length - length
    this.#isAppending = true
    yield* this.#reader.forget()
    if (this.#isDurable) yield* this.#journal.barrier()
    if (this.#redo.isListLarge) yield* this.#redo.apply()
  }

  /** Commits, and waits until the commit is on disk. */
  *sync(): Steps<void> {
    yield* this.commit()
    if (!this.#journal.isLiveDurable) yield* this.#journal.barrier()
  }

  /** Commits for the last time, and marks the file as closed; where commits wait for the disk, only once it has the last one. */
  *close(): Steps<void> {
    try {
      yield* this.commit({ clean: !this.#isDurable })
    } catch (error) {
      yield* this.abandon()
      // Of a file that was never begun, nothing is better than a part of its header.
      if (!this.#isBegun && this.#journal.live === undefined) yield* io.ftruncate(this.#fd, 0)
      throw error
    }
    const { live } = this.#journal
    if (live === undefined) return
    if (this.#writtenEnd > this.#journal.neededEnd) yield* io.ftruncate(this.#fd, this.#journal.neededEnd)
    if (!live.record.clean) yield* this.#journal.recommit(true)
  }

  /** Waits for what is under way, whatever comes of it, so that the file can be closed. */
  *abandon(): Steps<void> {
    yield* this.#queue.abandon()
    yield* this.#reader.forget()
  }

  *#writePieces(data: Uint8Array, start: number): Steps<void> {
    const { segmentSize } = this.#file.geometry
    for (let position = start; position < start + data.length;) {
      // Before more is taken: a write that fails here has taken nothing of what follows.
      if (this.#isLarge) yield* this.commit({ leaveTail: true })
      else if (this.#queue.hasFull) yield* this.#writeFull()
      const index = Math.floor(position / segmentSize)
      const offset = position - index * segmentSize
      const piece = data.subarray(position - start, position - start + segmentSize - offset)
      const isNext = index === this.#placedCount
      if (isNext) yield* this.#makeRoom()
      if (isNext && piece.length === segmentSize) this.#place(index, piece)
      else this.#change(yield* this.#dirtySegment(index, offset === 0 ? piece.length : 0), index, offset, piece)
      position += piece.length
      this.#length = Math.max(this.#length, position)
      this.#uncommittedBytes += piece.length
      this.#writtenTo = position
    }
  }

  /** So much waits for a commit that it should not wait for the timer. */
  get #isLarge(): boolean {
    const { segmentSize } = this.#file.geometry
    return (
      this.#uncommittedBytes >= Math.max(COMMIT_SIZE, segmentSize) ||
      this.#dirty.size * segmentSize >= Math.max(DIRTY_SIZE, 2 * segmentSize)
    )
  }

  /** Changes a part of a segment in memory; places it when it is the next one and full. */
  #change(segment: DirtySegment, index: number, offset: number, piece: Uint8Array): void {
    segment.buffer.set(piece, offset)
    segment.length = Math.max(segment.length, offset + piece.length)
    if (index === this.#placedCount && segment.length === segment.buffer.length) this.#place(index, segment.buffer)
  }

  /** The segment in memory. @param covered - How many bytes from its beginning are about to be replaced. */
  *#dirtySegment(index: number, covered: number): Steps<DirtySegment> {
    let segment = this.#dirty.get(index)
    if (segment === undefined) {
      segment = yield* this.#makeDirty(index, covered)
      this.#dirty.set(index, segment)
    }
    return segment
  }

  /** @param covered - How many bytes from the segment's beginning are about to be replaced. */
  *#makeDirty(index: number, covered: number): Steps<DirtySegment> {
    const { geometry } = this.#file
    const buffer = this.#spareBuffer ?? Buffer.allocUnsafeSlow(geometry.segmentSize)
    this.#spareBuffer = undefined
    if (index >= this.#placedCount) return { buffer, length: 0, replacedTag: undefined }
    const state = yield* this.#presentState(index)
    const length = segmentLength(geometry, state.length, index)
    if (covered >= length) return { buffer, length, replacedTag: yield* this.#loadTag(state, index) }
    const { plaintext, tag } = yield* this.#reader.load(state, index)
    buffer.set(plaintext)
    return { buffer, length, replacedTag: tag.slice() }
  }

  /** A state in which segment `index`, which is not dirty, can be read from the file. */
  *#presentState(index: number): Steps<ReadableState> {
    if (!this.#queue.isEmpty) yield* this.#drain()
    const { live } = this.#journal
    if (live !== undefined && index < live.count) return live
    return { length: this.#placedLength, count: this.#placedCount, redo: new Map() }
  }

  /** The tag of a segment that is about to be replaced as a whole. A wrong one would show in the snapshot, and nowhere else. */
  *#loadTag(state: ReadableState, index: number): Steps<Uint8Array> {
    const listed = state.redo.get(index)
    if (listed !== undefined) return listed.tag
    const tag = new Uint8Array(16)
    const { geometry } = this.#file
    const end = segmentPosition(geometry, index) + segmentLength(geometry, state.length, index) + geometry.segmentOverhead
    if ((yield* readFully(this.#fd, tag, end - tag.length)) < tag.length) throw this.#file.truncated(index)
    return tag
  }

  /**
   * Applies pending redo lists before a new segment is placed: they lie behind the data, in its way. Even where there is room for
   * it before a list none is placed, so that what a dead writer left behind the data can always be cut off.
   */
  *#makeRoom(): Steps<void> {
    if (this.#journal.pinned().length > 0) yield* this.#redo.apply()
  }

  /**
   * Where a writer died, takes away what is no part of the state: records that were torn or passed over, and what lies behind the
   * state, such as segments of a commit that was never made, which would pass for later ones in their places if those were lost.
   * First the state itself must be on disk, and in the end that all this is gone.
   */
  *#clearRemains(found: FoundState): Steps<void> {
    yield* this.#journal.barrier()
    const { liveSlot } = this.#journal
    const stale = staleSlots(found).filter((slot) => slot !== liveSlot)
    const isTorn = (slot: number): boolean => found.slots[slot] === undefined
    // Torn ones first: while there is one, no second may come to be torn.
    for (const slots of [stale.filter(isTorn), stale.filter((slot) => !isTorn(slot))]) {
      if (slots.length === 0) continue
      yield* this.#journal.supersede(slots)
      yield* this.#journal.barrier()
    }
    if (this.#writtenEnd <= this.#journal.neededEnd) return
    yield* io.ftruncate(this.#fd, this.#journal.neededEnd)
    yield* this.#journal.barrier()
  }

  /** Encrypts the next segment, and queues it for its place. Its plaintext is not needed any more. */
  #place(index: number, plaintext: Uint8Array): void {
    const { geometry } = this.#file
    const segment = this.#sealer.seal(index, plaintext)
    accumulate(this.#accumulator, this.#snapshotKey.contribution(index, segment.tag))
    this.#placedTags.push(segment.tag)
    this.#placedCount++
    this.#placedLength = index * geometry.segmentSize + plaintext.length
    this.#queue.addSegment(segmentPosition(geometry, index), segment)
    this.#spareBuffer ??= this.#dirty.get(index)?.buffer
    this.#dirty.delete(index)
  }

  /** The dirty segments that are not new. */
  #replacements(count: number): Map<number, Replacement> {
    const replacements = new Map<number, Replacement>()
    for (const [index, { buffer, length, replacedTag }] of this.#dirty) {
      if (index < count && replacedTag !== undefined)
        replacements.set(index, { plaintext: buffer.subarray(0, length), replacedTag })
    }
    return replacements
  }

  /** What the record of a commit says; `placedTags` are those of the segments that it adds. */
  #describe(
    length: number,
    placedTags: readonly Uint8Array[],
    accumulator: Uint8Array,
    final: FinalSegment,
    list: Omit<RedoList, 'change'>,
  ): CommitContent {
    const growthBegan = final.count - placedTags.length
    const growth = new GrowthDigest()
    for (const [i, tag] of placedTags.entries()) {
      if (!list.entries.has(growthBegan + i)) growth.add(growthBegan + i, tag)
    }
    const all = accumulator.slice()
    accumulate(all, this.#snapshotKey.contribution(final.count, final.tag))
    return {
      plaintextLength: length,
      growthBegan,
      encryptionCount: this.#sealer.count,
      redo: list.pointer,
      applied: false,
      redoDigest: list.digest,
      growthDigest: growth.digest(),
      finalNonce: final.nonce,
      finalTag: final.tag,
      snapshot: this.#snapshotKey.seal(final.count + 1, all),
    }
  }

  *#writeFull(): Steps<void> {
    yield* this.#beginFile()
    yield* this.#queue.writeFull()
  }

  *#drain(): Steps<void> {
    yield* this.#beginFile()
    yield* this.#queue.drain()
  }

  /** Lets a new file begin as an empty one, because more comes than one call writes. */
  *#beginFile(): Steps<void> {
    if (this.#newHeader === undefined) return
    const final = { count: 0, ...this.#sealer.sealFinal(0) }
    const list = { entries: new Map(), pointer: undefined, digest: EMPTY_DIRECTORY_DIGEST }
    const content = this.#describe(0, [], this.#snapshotKey.emptyAccumulator(), final, list)
    const first = this.#journal.firstRecord(content, false)
    yield* writeNow(this.#fd, completeHeader(this.#newHeader, first.records), 0)
    this.#journal.adoptFirst(first.record, { length: 0, count: 0, redo: list.entries, end: this.#file.geometry.headerSize })
    this.#newHeader = undefined
    this.#final = final
  }

  /** Writes a whole new file in one call, which is its last. */
  *#writeAtOnce(content: CommitContent, state: Omit<CommittedState, 'record'>): Steps<void> {
    const first = this.#journal.firstRecord(content, true)
    this.#queue.addHeader(completeHeader(this.#newHeader!, first.records))
    this.#newHeader = undefined
    yield* this.#queue.drain()
    this.#journal.adoptFirst(first.record, state)
  }
}

/** The header of a new file, records included. */
function completeHeader(keyHeader: Uint8Array, records: Uint8Array): Uint8Array {
  const header = new Uint8Array(recordPosition(0) + records.length)
  header.set(keyHeader)
  header.set(records, recordPosition(0))
  return header
}

/** The slots whose record was torn, or newer than the one that counts. */
function staleSlots({ state, slots }: FoundState): number[] {
  return [0, 1, 2].filter((slot) => (slots[slot]?.sequence ?? Infinity) > state.record.sequence)
}

/** How many segments were encrypted before, as far as the records tell. */
function countEncryptions({ state, slots, fellBack }: FoundState): number {
  const counted = Math.max(...slots.map((record) => record?.encryptionCount ?? 0))
  return state.record.clean && !fellBack ? counted : counted + UNCOUNTED_ENCRYPTIONS
}

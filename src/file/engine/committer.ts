import { ciphertextSize, segmentCount, segmentLength, segmentPosition } from '../../container/geometry.js'
import { EMPTY_DIRECTORY_DIGEST, GrowthDigest } from '../../container/redo-list.js'
import { accumulate, type SnapshotKey } from '../../seal/snapshot.js'
import { io, readFully, writeNow, type Steps } from '../io/steps.js'
import type { CommittedState, FoundState } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
import { Growth } from './growth.js'
import { Journal, type CommitContent } from './journal.js'
import { completeHeader } from './new-header.js'
import { RedoWriter, type RedoList, type Replacement } from './redo-writer.js'
import type { ReadableState, SegmentReader } from './segment-reader.js'
import { SegmentSealer } from './segment-sealer.js'
import { WriteQueue } from './write-queue.js'

/** The final, empty segment of a state of `count` data segments. */
interface FinalSegment {
  readonly count: number
  readonly nonce: Uint8Array
  readonly tag: Uint8Array
}

/** More encryptions than a process that died can have made since its last commit. */
const UNCOUNTED_ENCRYPTIONS = 2 ** 16
/** What a system writes of a file in one piece, so that no death of the process cuts it in two. */
const PAGE_SIZE = 4_096

/**
 * Makes segments the state of an editable file, in commits (docs/format.md, "Writing"): new ones are placed behind the old, those that
 * replace others go into a redo list, and a record switches over.
 */
export class Committer {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #reader: SegmentReader
  /** The file existed before. */
  readonly #isBegun: boolean
  readonly #journal: Journal
  readonly #queue: WriteQueue
  readonly #growth: Growth
  readonly #redo: RedoWriter
  readonly #sealer: SegmentSealer
  readonly #snapshotKey: SnapshotKey
  /** The header of a new file, without its records yet, until it is written. */
  #newHeader: Uint8Array | undefined
  #final: FinalSegment | undefined
  /** No byte of the file lies at or behind this offset. */
  #writtenEnd = 0
  /** The last commit has made the file shorter, and it was not cut yet. */
  #mustCut = false

  private constructor(
    file: ContainerFile,
    fd: number,
    reader: SegmentReader,
    accumulator: Uint8Array,
    found: FoundState | undefined,
  ) {
    this.#file = file
    this.#fd = fd
    this.#reader = reader
    this.#isBegun = found !== undefined
    this.#sealer = new SegmentSealer(file, found === undefined ? 0 : countEncryptions(found))
    this.#journal = new Journal(file, fd, this.#sealer, found)
    this.#queue = new WriteQueue(fd)
    this.#growth = new Growth(file, this.#sealer, this.#queue, found?.state ?? { length: 0, count: 0 }, accumulator)
    this.#redo = new RedoWriter(file, fd, reader, this.#journal, this.#sealer)
    this.#snapshotKey = file.schedule.snapshotKey!
  }

  /**
   * For a file that has no byte yet. The first is written by a commit, or when much has gathered.
   *
   * @param keyHeader - What {@link ContainerFile.create} returned.
   */
  static create(file: ContainerFile, fd: number, reader: SegmentReader, keyHeader: Uint8Array): Committer {
    const committer = new Committer(file, fd, reader, file.schedule.snapshotKey!.emptyAccumulator(), undefined)
    committer.#newHeader = keyHeader
    return committer
  }

  /** For a file that an opener has looked at. @param size - Of the file. */
  static *open(file: ContainerFile, fd: number, reader: SegmentReader, found: FoundState, size: number): Steps<Committer> {
    const { state } = found
    const { finalNonce: nonce, finalTag: tag, snapshot } = state.record
    const snapshotKey = file.schedule.snapshotKey!
    const accumulator = snapshotKey.open(state.count + 1, snapshot)
    if (accumulator === undefined) throw file.damaged('the snapshot is damaged')
    accumulate(accumulator, snapshotKey.contribution(state.count, tag))
    const committer = new Committer(file, fd, reader, accumulator, found)
    committer.#final = { count: state.count, nonce, tag }
    committer.#writtenEnd = size
    if (!state.record.clean || size > committer.#journal.neededEnd || staleSlots(found).length > 0) {
      yield* committer.#clearRemains(found)
    }
    return committer
  }

  /** The newest committed state; undefined before the first commit of a new file. */
  get live(): CommittedState | undefined {
    return this.#journal.live
  }

  /** Segments that have a place in the file. */
  get placedCount(): number {
    return this.#growth.count
  }

  /** Where the plaintext of the last one ends. */
  get placedLength(): number {
    return this.#growth.length
  }

  /** Segments that have a place and that no commit holds. */
  get addedCount(): number {
    return this.#growth.tags.length
  }

  /** Over the segments at their places: each one's contribution, XORed. Lent. */
  get accumulator(): Uint8Array {
    return this.#growth.accumulator
  }

  /** Something was placed that is not written, or the file has no commit yet. */
  get isBehind(): boolean {
    return !this.#queue.isEmpty || this.#journal.live === undefined
  }

  /** Something has become large enough for a call. */
  get hasFull(): boolean {
    return this.#queue.hasFull
  }

  /** @throws what a barrier threw: after that nobody knows what is on disk. */
  checkUsable(): void {
    this.#journal.checkUsable()
  }

  /**
   * Sees to it that the next segment can be placed. Pending redo lists lie behind the data, in its way. Even where there is room
   * before a list none is placed, so that what a dead writer left behind the data can always be cut off.
   */
  *makeRoom(): Steps<void> {
    yield* this.finishCut()
    if (this.#journal.pinned().length > 0) yield* this.#redo.apply()
    // R3: what was cut off could come back, and pass for what is placed now.
    if (this.#journal.hasUnsyncedCut) yield* this.#journal.barrier()
  }

  /** Encrypts the next segment for its place; before that, {@link Committer.makeRoom}. */
  place(plaintext: Uint8Array): void {
    this.#growth.place(plaintext)
  }

  /** A state in which a segment that has a place can be read. */
  *stateWith(index: number): Steps<ReadableState> {
    const { live } = this
    if (live !== undefined && index < live.count) return live
    yield* this.#drain()
    return this.#growth.state
  }

  /** The tag of a segment that has a place. A wrong one would show in the snapshot, and nowhere else. */
  *tagOf(index: number): Steps<Uint8Array> {
    const { live } = this
    if (live === undefined || index >= live.count) return this.#growth.tags[index - (live?.count ?? 0)]!
    const listed = live.redo.get(index)
    if (listed !== undefined) return listed.tag
    const tag = new Uint8Array(16)
    const { geometry } = this.#file
    const end = segmentPosition(geometry, index) + segmentLength(geometry, live.length, index) + geometry.segmentOverhead
    if ((yield* readFully(this.#fd, tag, end - tag.length)) < tag.length) throw this.#file.truncated(index)
    return tag
  }

  /** Begins to write what has become large enough for a call. */
  *writeFull(): Steps<void> {
    yield* this.#beginFile()
    yield* this.#queue.writeFull()
  }

  /**
   * Makes the segments at their places, with `replacements` in the place of some, the file's state; does not wait for the disk.
   *
   * @param length - Plaintext bytes. Segments behind them are dropped, which asks for a {@link Committer.finishCut}.
   * @param clean - The file is about to be closed.
   */
  *commit(length: number, replacements: ReadonlyMap<number, Replacement>, clean: boolean): Steps<void> {
    const { geometry } = this.#file
    const count = segmentCount(geometry, length)
    yield* this.finishCut()
    this.#sealer.checkBudget(count)
    yield* this.#countEncryptions()
    const isShorter = length < this.#growth.length
    if (isShorter) yield* this.#prepareShorter()
    const dataEnd = Math.max(ciphertextSize(geometry, length), isShorter ? this.#growth.end : 0)
    const list = yield* this.#redo.write(replacements, dataEnd)
    const accumulator = isShorter ? yield* this.#accumulateFirst(count) : this.#growth.accumulator.slice()
    accumulate(accumulator, list.change)
    const final = this.#final?.count === count ? this.#final : { count, ...this.#sealer.sealFinal(count) }
    const added = this.#growth.tags.slice(0, Math.max(0, count - (this.live?.count ?? 0)))
    const content = this.#describe(length, added, accumulator, final, list)
    const state = { length, count, redo: list.entries, end: Math.max(ciphertextSize(geometry, length), list.pointer?.end ?? 0) }
    const isSmall = this.#queue.isUpTo(PAGE_SIZE - geometry.headerSize)
    if (this.#newHeader !== undefined && clean && isSmall) yield* this.#writeAtOnce(content, state)
    else {
      yield* this.#drain()
      yield* this.#journal.commit(content, state, clean && !isShorter && !this.#journal.hasUnsyncedCut)
    }
    this.#writtenEnd = Math.max(this.#writtenEnd, state.end)
    this.#final = final
    this.#growth.adopt(state, accumulator)
    this.#mustCut = isShorter
  }

  /**
   * Where commits failed again and again, or a writer died, records how much was encrypted meanwhile, before it is more than an opener
   * would add.
   */
  *#countEncryptions(): Steps<void> {
    const { live } = this
    if (live === undefined || this.#sealer.count - live.record.encryptionCount < UNCOUNTED_ENCRYPTIONS / 2) return
    yield* this.sync()
    yield* this.#journal.recommit(false)
  }

  /** Cuts off what the last commit has dropped; first that commit must be on disk, with its list at its places (R3). */
  *finishCut(): Steps<void> {
    if (!this.#mustCut) return
    yield* this.#redo.apply() // which waits for the disk in any case
    yield* this.#journal.cut()
    yield* this.#reader.forgetPlaces()
    this.#writtenEnd = this.#journal.neededEnd
    this.#mustCut = false
  }

  /** Waits until the live commit is on disk. */
  *sync(): Steps<void> {
    if (!this.#journal.isLiveDurable) yield* this.#journal.barrier()
  }

  /** Copies the pending list to its places, where it has become large. */
  *applyIfLarge(): Steps<void> {
    if (this.#redo.isListLarge) yield* this.#redo.apply()
  }

  /** Marks the file as closed. All was committed before. */
  *close(): Steps<void> {
    const { live } = this
    if (live === undefined) return
    yield* this.finishCut()
    if (this.#journal.hasUnsyncedCut) yield* this.#journal.barrier()
    if (this.#writtenEnd > this.#journal.neededEnd) yield* io.ftruncate(this.#fd, this.#journal.neededEnd)
    if (this.live?.record.clean === false) yield* this.#journal.recommit(true)
  }

  /** Waits for what is under way, whatever comes of it, so that the file can be closed. */
  *abandon(): Steps<void> {
    yield* this.#queue.abandon()
    yield* this.#reader.forget()
  }

  /** Leaves nothing of a file that was never begun, rather than a part of its header. */
  *removeUnbegun(): Steps<void> {
    if (!this.#isBegun && this.live === undefined) yield* io.ftruncate(this.#fd, 0)
  }

  /**
   * Before a commit that makes the file shorter (R3): lists are applied, so that none holds segments that it drops; and a new file
   * has a first commit, so that there is something to cut.
   */
  *#prepareShorter(): Steps<void> {
    yield* this.#beginFile()
    if (this.#journal.pinned().length > 0) yield* this.#redo.apply()
  }

  /** The accumulator over the first `count` segments at their places, from those or from the others, whichever are fewer. */
  *#accumulateFirst(count: number): Steps<Uint8Array> {
    const placed = this.#growth.count
    const isFewer = count < placed - count
    const accumulator = isFewer ? this.#snapshotKey.emptyAccumulator() : this.#growth.accumulator.slice()
    for (let index = isFewer ? 0 : count, end = isFewer ? count : placed; index < end; index++) {
      accumulate(accumulator, this.#snapshotKey.contribution(index, yield* this.tagOf(index)))
    }
    return accumulator
  }

  /**
   * Where a writer died, takes away what is no part of the state: records that were torn or passed over, and what lies behind the
   * state, such as segments of a commit that was never made, or that a shorter state has dropped: they would pass for later ones in
   * their places if those were lost.
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
    if (this.#journal.isListApart) yield* this.#redo.apply()
    if (this.#writtenEnd <= this.#journal.neededEnd) return
    yield* this.#journal.cut()
    yield* this.#journal.barrier()
  }

  /** What the record of a commit says; `added` are the tags of the segments that it adds at their places. */
  #describe(
    length: number,
    added: readonly Uint8Array[],
    accumulator: Uint8Array,
    final: FinalSegment,
    list: Omit<RedoList, 'change'>,
  ): CommitContent {
    const growthBegan = final.count - added.length
    const growth = new GrowthDigest()
    for (const [i, tag] of added.entries()) {
      if (!list.entries.has(growthBegan + i)) growth.add(growthBegan + i, tag)
    }
    const all = accumulator.slice()
    accumulate(all, this.#snapshotKey.contribution(final.count, final.tag))
    return {
      plaintextLength: length,
      growthBegan,
      redo: list.pointer,
      applied: false,
      redoDigest: list.digest,
      growthDigest: growth.digest(),
      finalNonce: final.nonce,
      finalTag: final.tag,
      snapshot: this.#snapshotKey.seal(final.count + 1, all),
    }
  }

  *#drain(): Steps<void> {
    yield* this.#beginFile()
    if (this.#queue.isEmpty) return
    yield* this.#queue.drain()
    yield* this.#reader.forgetPlaces()
  }

  /** Lets a new file begin as an empty one, because more comes than is written in one piece. */
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

/** The slots whose record was torn, or newer than the one that counts. */
function staleSlots({ state, slots }: FoundState): number[] {
  return [0, 1, 2].filter((slot) => (slots[slot]?.sequence ?? Infinity) > state.record.sequence)
}

/** How many segments were encrypted before, as far as the records tell. */
function countEncryptions({ state, slots, fellBack }: FoundState): number {
  const counted = Math.max(...slots.map((record) => record?.encryptionCount ?? 0))
  return state.record.clean && !fellBack ? counted : Math.min(counted + UNCOUNTED_ENCRYPTIONS, Number.MAX_SAFE_INTEGER)
}

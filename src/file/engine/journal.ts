import { buildRecord, RECORD_COUNT, recordPosition, type CommitRecord } from '../../container/commit-record.js'
import { ciphertextSize } from '../../container/geometry.js'
import { directorySize, GrowthDigest } from '../../container/redo-list.js'
import { concatBytes } from '../../bytes/arrays.js'
import { LimitError } from '../../errors.js'
import type { CommittedState, FoundState } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
import { io, writeNow, type Steps } from '../io/steps.js'
import type { SegmentSealer } from './segment-sealer.js'

/** A stretch of the file: from `start` up to and without `end`. */
export interface Extent {
  readonly start: number
  readonly end: number
}

/** What a new commit says; the journal adds which one it is, and how much was encrypted. */
export type CommitContent = Omit<CommitRecord, 'sequence' | 'durableSequence' | 'clean' | 'encryptionCount'>

/**
 * The commit records of a file that is being written, and what they need on disk (design of the commit: docs/format.md,
 * "Writing"). Keeps rule R4: a new record replaces neither the live one nor the newest durable one.
 */
export class Journal {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #sealer: SegmentSealer
  /** The state that the newest record describes. */
  #live: CommittedState | undefined
  #liveSlot = 0
  /** Whether each slot holds a whole record. */
  readonly #isValid = [true, true, true]
  /** The newest commit that is known to be on disk, and which slot holds it. */
  #durable: { readonly sequence: number; readonly slot: number } | undefined
  /** Where the redo list lies of a durable commit that is not the live one. */
  #durableList: Extent | undefined
  /** The highest sequence that any slot holds, valid states and passed-over ones alike. */
  #sequence = 0
  #failure: { readonly error: unknown } | undefined
  /** The file was cut, and the disk may not know it yet. */
  #hasUnsyncedCut = false

  /** @param found - What an opener found; undefined for a new file. */
  constructor(file: ContainerFile, fd: number, sealer: SegmentSealer, found: FoundState | undefined) {
    this.#file = file
    this.#fd = fd
    this.#sealer = sealer
    if (found === undefined) return
    this.#live = found.state
    this.#liveSlot = found.slot
    this.#sequence = Math.max(...found.slots.map((record) => record?.sequence ?? 0), found.durableSequence)
    for (const [slot, record] of found.slots.entries()) {
      this.#isValid[slot] = record !== undefined
      if (record === undefined || record.sequence > found.durableSequence) continue
      if (record.sequence > (this.#durable?.sequence ?? 0)) {
        this.#durable = { sequence: record.sequence, slot }
        const start = ciphertextSize(file.geometry, record.plaintextLength)
        const hasList = record.redo !== undefined && !record.applied && record.sequence !== found.state.record.sequence
        this.#durableList = hasList ? { start, end: record.redo.end } : undefined
      }
    }
  }

  /** The newest committed state; undefined before the first commit of a new file. */
  get live(): CommittedState | undefined {
    return this.#live
  }

  /** The slot that holds the live record. */
  get liveSlot(): number {
    return this.#liveSlot
  }

  get isLiveDurable(): boolean {
    return this.#live !== undefined && this.#durable?.sequence === this.#live.record.sequence
  }

  /** The stretches behind the data that the live and the durable commit need: no other list may be written over them. */
  pinned(): Extent[] {
    const extents = this.#durableList === undefined ? [] : [this.#durableList]
    for (const { position, length } of this.#live?.redo.values() ?? []) extents.push({ start: position, end: position + length })
    const list = this.#live?.redo.size === 0 ? undefined : this.#live?.record.redo
    if (list !== undefined) extents.push({ start: list.position, end: list.position + directorySize(list.count) })
    return extents
  }

  /** The live commit's list does not begin where its data ends: between the two may lie what an older, longer commit held. */
  get isListApart(): boolean {
    const starts = this.pinned().map(({ start }) => start)
    return starts.length > 0 && Math.min(...starts) > ciphertextSize(this.#file.geometry, this.#live!.length)
  }

  /** Where the file could be cut without a loss: behind all that the live and the durable commit need. */
  get neededEnd(): number {
    return Math.max(this.#live?.end ?? 0, this.#durableList?.end ?? 0)
  }

  /** After a barrier has failed nobody knows what is on disk, and no commit would be worth its name. @throws what the barrier threw. */
  checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /**
   * Waits until all that was written is on disk, which makes the live commit the durable one. A clean record that no other calls
   * durable may be written over by a later writer; so an unclean one takes its place first.
   */
  *barrier(): Steps<void> {
    if (this.#live?.record.clean === true && !this.isLiveDurable) yield* this.recommit(false)
    try {
      yield* io.fdatasync(this.#fd)
    } catch (error) {
      this.#failure = { error }
      throw error
    }
    this.#hasUnsyncedCut = false
    if (this.#live === undefined) return
    this.#durable = { sequence: this.#live.record.sequence, slot: this.#liveSlot }
    this.#durableList = undefined
  }

  /** Whether the disk may not know of a {@link Journal.cut}: what lies behind it could come back over what is written there (R3). */
  get hasUnsyncedCut(): boolean {
    return this.#hasUnsyncedCut
  }

  /** Cuts off all that neither the live nor the durable commit needs, segments of older commits among it. */
  *cut(): Steps<void> {
    this.#hasUnsyncedCut = true
    yield* io.ftruncate(this.#fd, this.neededEnd)
  }

  /**
   * Makes `content` the state of the file. All that it needs is written already.
   *
   * @param clean - The file is about to be closed: the record fills every slot but that of the durable commit.
   */
  *commit(content: CommitContent, state: Omit<CommittedState, 'record'>, clean: boolean): Steps<void> {
    const record = this.#nextRecord(content, clean)
    const spare = this.#findSpare()
    const slots = clean ? [spare, ...[0, 1, 2].filter((slot) => slot !== spare && slot !== this.#durable?.slot)] : [spare]
    for (const slot of slots) {
      yield* this.#write(record, slot)
      if (slot === spare) this.#adopt(record, state, slot)
    }
  }

  /** Commits the live state once more, closed or open. */
  *recommit(clean: boolean): Steps<void> {
    if (this.#live !== undefined) yield* this.commit(contentOf(this.#live), this.#live, clean)
  }

  /**
   * Writes the live state over records that an opener found torn or passed over, so that none of them can count again, and no
   * second one can be torn, when what is written from now on should be lost.
   */
  *supersede(stale: readonly number[]): Steps<void> {
    const live = this.#live!
    const record = this.#nextRecord(contentOf(live), false)
    for (const slot of stale) yield* this.#write(record, slot)
    this.#adopt(record, live, stale[0]!)
  }

  /** The record of a new file's first commit, and the three slots filled with it. */
  firstRecord(content: CommitContent, clean: boolean): { readonly record: CommitRecord; readonly records: Uint8Array } {
    const record = this.#nextRecord(content, clean)
    const slots = Array.from({ length: RECORD_COUNT }, (_, slot) => buildRecord(record, slot, this.#file.recordKey.expose()))
    return { record, records: concatBytes(...slots) }
  }

  /** To be called when the first record is written. */
  adoptFirst(record: CommitRecord, state: Omit<CommittedState, 'record'>): void {
    this.#adopt(record, state, 0)
  }

  *#write(record: CommitRecord, slot: number): Steps<void> {
    this.#isValid[slot] = false
    yield* writeNow(this.#fd, buildRecord(record, slot, this.#file.recordKey.expose()), recordPosition(slot))
    this.#isValid[slot] = true
  }

  /** A slot that holds neither the live record nor the durable one; a damaged one first, because no second may join it. */
  #findSpare(): number {
    const free = [0, 1, 2].filter((slot) => slot !== this.#liveSlot && slot !== this.#durable?.slot)
    return free.find((slot) => !this.#isValid[slot]) ?? free[0]!
  }

  #nextRecord(content: CommitContent, clean: boolean): CommitRecord {
    if (this.#sequence >= Number.MAX_SAFE_INTEGER) {
      throw new LimitError('the file holds as many commits as it can: copy it to a new one', { path: this.#file.path })
    }
    const durableSequence = this.#durable?.sequence ?? 0
    return { ...content, sequence: ++this.#sequence, durableSequence, encryptionCount: this.#sealer.count, clean }
  }

  #adopt(record: CommitRecord, state: Omit<CommittedState, 'record'>, slot: number): void {
    const replaced = this.#live
    if (replaced !== undefined && this.#durable?.sequence === replaced.record.sequence && replaced.redo.size > 0) {
      const start = ciphertextSize(this.#file.geometry, replaced.length)
      this.#durableList = { start, end: replaced.end }
    }
    this.#live = { ...state, record }
    this.#liveSlot = slot
  }
}

/** What another record of the same state says: it adds nothing, and what the first one added is not checked again. */
function contentOf({ record, redo, count }: CommittedState): CommitContent {
  return {
    ...record,
    growthBegan: count,
    growthDigest: new GrowthDigest().digest(),
    redo: redo.size === 0 ? undefined : record.redo,
    applied: false,
  }
}

/** Finds the first place for `size` bytes at or behind `from` that touches none of `pinned`. */
export function findFreePlace(pinned: readonly Extent[], from: number, size: number): number {
  let place = from
  for (const { start, end } of [...pinned].sort((a, b) => a.start - b.start)) {
    if (place + size <= start) break
    place = Math.max(place, end)
  }
  return place
}

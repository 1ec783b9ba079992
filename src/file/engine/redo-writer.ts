import type { RedoPointer } from '../../container/commit-record.js'
import { ciphertextSize, segmentPosition } from '../../container/geometry.js'
import {
  buildDirectory,
  digestDirectory,
  directorySize,
  EMPTY_DIRECTORY_DIGEST,
  GrowthDigest,
  REDO_COUNT_MAX,
  type RedoEntry,
} from '../../container/redo-list.js'
import { accumulate, type SnapshotKey } from '../../seal/snapshot.js'
import type { ContainerFile } from './container-file.js'
import { writeFully, type Steps } from '../io/steps.js'
import { findFreePlace, type Journal } from './journal.js'
import type { SegmentReader } from './segment-reader.js'
import type { SegmentSealer } from './segment-sealer.js'
import { WriteQueue } from './write-queue.js'

/** A segment that replaces one that the file holds. */
export interface Replacement {
  readonly plaintext: Uint8Array
  /** The tag of the version that it replaces. */
  readonly replacedTag: Uint8Array
}

/** The redo list of the next commit. */
export interface RedoList {
  readonly entries: ReadonlyMap<number, RedoEntry>
  readonly pointer: RedoPointer | undefined
  readonly digest: Uint8Array
  /** What the replacements change in the accumulator over all segments. */
  readonly change: Uint8Array
}

/**
 * A list is worth applying when it has this many entries, or takes so much of the file: a share of the data, within bounds. To apply
 * costs two waits for the disk, whatever the list's size.
 */
const LARGE_LIST_COUNT = 1_024
const LARGE_LIST_SHARE = 1 / 8
const LARGE_LIST_SIZE_MIN = 4 * 2 ** 20
const LARGE_LIST_SIZE_MAX = 64 * 2 ** 20

/** Writes segments that replace committed ones behind the data, and later copies them to their places (docs/format.md, "Redo list"). */
export class RedoWriter {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #reader: SegmentReader
  readonly #journal: Journal
  readonly #sealer: SegmentSealer
  readonly #snapshotKey: SnapshotKey

  constructor(file: ContainerFile, fd: number, reader: SegmentReader, journal: Journal, sealer: SegmentSealer) {
    this.#reader = reader
    this.#file = file
    this.#fd = fd
    this.#journal = journal
    this.#sealer = sealer
    this.#snapshotKey = file.schedule.snapshotKey!
  }

  /**
   * Writes the replacements, and the directory of all that are pending, where the live and the durable commit need nothing.
   *
   * @param dataEnd - No segment lies at or behind this offset, neither of the live commit nor of the next.
   */
  *write(replacements: ReadonlyMap<number, Replacement>, dataEnd: number): Steps<RedoList> {
    if (this.#isInTheWay(replacements, dataEnd) || this.#isTooLong(replacements)) yield* this.apply()
    const { live } = this.#journal
    const entries = new Map(live?.redo)
    const change = this.#snapshotKey.emptyAccumulator()
    if (replacements.size === 0) {
      const digest = live !== undefined && entries.size > 0 ? live.record.redoDigest : EMPTY_DIRECTORY_DIGEST
      return { entries, pointer: entries.size === 0 ? undefined : live?.record.redo, digest, change }
    }
    const ciphertexts: Uint8Array[] = []
    let position = this.#findPlace(replacements, dataEnd)
    const place = position
    for (const [index, { plaintext, replacedTag }] of replacements) {
      const { nonce, ciphertext, tag } = this.#sealer.seal(index, plaintext)
      accumulate(change, this.#snapshotKey.contribution(index, replacedTag))
      accumulate(change, this.#snapshotKey.contribution(index, tag))
      entries.set(index, { index, position, length: ciphertext.length, nonce, tag })
      ciphertexts.push(ciphertext)
      position += ciphertext.length
    }
    const directory = buildDirectory([...entries.values()])
    yield* writeFully(this.#fd, [...ciphertexts, directory], place)
    const end = Math.max(position + directory.length, ...[...entries.values()].map((entry) => entry.position + entry.length))
    return { entries, pointer: { position, count: entries.size, end }, digest: digestDirectory(directory), change }
  }

  /** Whether the live commit's list has become so large that it should be applied. */
  get isListLarge(): boolean {
    const { live } = this.#journal
    if (live === undefined || live.redo.size === 0) return false
    const { geometry } = this.#file
    const dataEnd = ciphertextSize(geometry, live.length)
    const share = Math.min(Math.max(dataEnd * LARGE_LIST_SHARE, LARGE_LIST_SIZE_MIN), LARGE_LIST_SIZE_MAX)
    return live.redo.size >= LARGE_LIST_COUNT || live.end - dataEnd >= Math.max(share, 4 * geometry.segmentSize)
  }

  /**
   * Copies the live commit's list to the segments' places, in a commit of its own. Between two barriers: before the first, the
   * list may not be on disk yet; until the second, the list is still needed (R2).
   */
  *apply(): Steps<void> {
    if (!this.#journal.isLiveDurable) yield* this.#journal.barrier()
    const { live } = this.#journal
    if (live === undefined || live.redo.size === 0) return
    const { geometry } = this.#file
    const queue = new WriteQueue(this.#fd)
    try {
      yield* this.#reader.loadEachListed(live.redo.values(), function* ({ index }, segment) {
        queue.addSegment(segmentPosition(geometry, index), segment)
        yield* queue.writeFull()
      })
      yield* queue.drain()
    } finally {
      yield* queue.abandon()
      // Before anything else can fail: what was fetched of these places is of older versions, which would authenticate.
      yield* this.#reader.forgetPlaces()
    }
    const { length, count } = live
    const content = {
      ...live.record,
      growthBegan: count,
      growthDigest: new GrowthDigest().digest(),
      applied: true,
    }
    const state = { length, count, redo: new Map<number, RedoEntry>(), end: ciphertextSize(geometry, length) }
    yield* this.#journal.commit(content, state, false)
    yield* this.#journal.barrier()
  }

  /** A short last segment that grows may come to lie over pending ones, and would be copied over them when the list is applied. */
  #isInTheWay(replacements: ReadonlyMap<number, Replacement>, dataEnd: number): boolean {
    const pending = [...(this.#journal.live?.redo.values() ?? [])]
    return pending.some(({ index, position }) => position < dataEnd && !replacements.has(index))
  }

  /** Whether the list would be longer than a record may say, as one comes to be that cannot be applied because an entry is damaged. */
  #isTooLong(replacements: ReadonlyMap<number, Replacement>): boolean {
    const pending = this.#journal.live?.redo.size ?? 0
    return pending > 0 && pending + replacements.size > REDO_COUNT_MAX
  }

  #findPlace(replacements: ReadonlyMap<number, Replacement>, dataEnd: number): number {
    const pending = new Set([...(this.#journal.live?.redo.keys() ?? []), ...replacements.keys()])
    const ciphertextLength = [...replacements.values()].reduce((sum, { plaintext }) => sum + plaintext.length, 0)
    const size = ciphertextLength + directorySize(pending.size)
    return findFreePlace(this.#journal.pinned(), dataEnd, size)
  }
}

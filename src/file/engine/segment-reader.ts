import { releaseMemory } from '../../bytes/memory.js'
import { segmentLength } from '../../container/geometry.js'
import type { RedoEntry } from '../../container/redo-list.js'
import { CorruptedFileError } from '../../errors.js'
import { decryptSegment, type EncryptedSegment } from '../../seal/segment.js'
import { begin, readFully, settle, settleQuietly, type Background, type Steps } from '../io/steps.js'
import type { ContainerFile } from './container-file.js'
import { ReadAhead, type Extent } from './read-ahead.js'

/** What a reader must know of a committed state. */
export interface ReadableState extends Extent {
  /** Segments that wait in the redo list, by index. */
  readonly redo: ReadonlyMap<number, RedoEntry>
}

/** A segment that authenticated. */
export interface LoadedSegment {
  readonly plaintext: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
}

/** What a read wants of a file. */
export interface Span {
  /** Plaintext bytes of the file. */
  readonly length: number
  /** Where the read begins. */
  readonly position: number
}

const NONCE_SIZE = 12
const TAG_SIZE = 16
/** Segments of the redo list that are fetched at once. */
const FETCHES_MAX = 4
/** Plaintext that is kept for readers that come back for it; the last two segments in any case. */
const CACHE_LENGTH = 2 ** 20

/** Fetches and decrypts segments, and keeps those that were wanted last. */
export class SegmentReader {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #ahead: ReadAhead
  /** From the one that was not wanted for longest to the newest. */
  readonly #cache = new Map<number, LoadedSegment>()
  readonly #cacheCount: number
  readonly #readsAhead: boolean
  /** Where the last read ended. */
  #readTo = -1

  /**
   * @param start - What is known of the file's beginning, header included.
   * @param readsAhead - Fetch what a reader in sequence will want next; else nothing but what was asked for.
   */
  constructor(file: ContainerFile, fd: number, start: Uint8Array, readsAhead = true) {
    this.#file = file
    this.#fd = fd
    this.#readsAhead = readsAhead
    this.#ahead = new ReadAhead(fd, file.geometry, start)
    this.#cacheCount = Math.max(2, Math.floor(CACHE_LENGTH / file.geometry.segmentSize))
  }

  /**
   * Copies plaintext segment by segment into `target`.
   *
   * @param plaintextOf - Loads a segment; the second argument is the last one that will be wanted, as far as is known.
   * @returns bytes copied: fewer than asked for at the end of the file, or where a segment fails that is not the first.
   */
  *copy(
    target: Uint8Array,
    { length, position }: Span,
    plaintextOf: (index: number, last: number) => Steps<Uint8Array>,
  ): Steps<number> {
    const { segmentSize } = this.#file.geometry
    const end = Math.min(target.length, Math.max(0, length - position))
    const isSequential = this.#readsAhead && position === this.#readTo
    const last = Math.floor(((isSequential ? length : position + end) - 1) / segmentSize)
    let done = 0
    while (done < end) {
      const index = Math.floor((position + done) / segmentSize)
      let plaintext
      try {
        plaintext = yield* plaintextOf(index, last)
      } catch (error) {
        // A short read; the next one begins at the segment and reports it.
        if (done > 0 && error instanceof CorruptedFileError) break
        throw error
      }
      const from = position + done - index * segmentSize
      const piece = plaintext.subarray(from, from + end - done)
      if (piece.length === 0) break // the file has become shorter
      target.set(piece, done)
      done += piece.length
    }
    this.#readTo = position + done
    return done
  }

  /**
   * Fetches and decrypts one segment; what it returns is lent until the next call, and not to be changed.
   *
   * @param last - The segments from `index` to this one will be wanted, in this order.
   * @throws CorruptedFileError if it does not authenticate, or is not there.
   */
  *load(state: ReadableState, index: number, last = index): Steps<LoadedSegment> {
    const kept = this.#cache.get(index)
    if (kept !== undefined) {
      this.#cache.delete(index)
      this.#cache.set(index, kept)
      return kept
    }
    const entry = state.redo.get(index)
    const segment = entry === undefined ? yield* this.#loadPlaced(state, index, last) : yield* this.loadListed(entry)
    if (this.#cache.size >= this.#cacheCount) this.drop(this.#cache.keys().next().value!)
    this.#cache.set(index, segment)
    return segment
  }

  /** Decrypts a segment of the redo list. */
  *loadListed(entry: RedoEntry): Steps<LoadedSegment> {
    const ciphertext = new Uint8Array(entry.length)
    if ((yield* readFully(this.#fd, ciphertext, entry.position)) < entry.length) throw this.#file.truncated(entry.index)
    return { plaintext: this.#decryptListed(entry, ciphertext), tag: entry.tag }
  }

  /** Decrypts segments of the redo list, one after the other, while the next ones are being fetched. */
  *loadEachListed(entries: Iterable<RedoEntry>, use: (entry: RedoEntry, segment: EncryptedSegment) => Steps<void>): Steps<void> {
    const waiting = [...entries]
    const fetching: { readonly entry: RedoEntry; readonly ciphertext: Uint8Array; readonly background: Background }[] = []
    try {
      while (waiting.length > 0 || fetching.length > 0) {
        while (fetching.length < FETCHES_MAX && waiting.length > 0) {
          const entry = waiting.shift()!
          const ciphertext = new Uint8Array(entry.length)
          const args = [this.#fd, ciphertext, 0, entry.length, entry.position] as const
          fetching.push({ entry, ciphertext, background: yield* begin({ call: 'read', args: [...args] }) })
        }
        const { entry, ciphertext, background } = fetching.shift()!
        const read = (yield* settle(background)) as number
        // A short read is gone on with.
        const rest = yield* readFully(this.#fd, ciphertext.subarray(read), entry.position + read)
        if (read + rest < entry.length) throw this.#file.truncated(entry.index)
        this.#decryptListed(entry, ciphertext)
        yield* use(entry, { nonce: entry.nonce, ciphertext, tag: entry.tag })
      }
    } finally {
      for (const { background } of fetching) yield* settleQuietly(background)
    }
  }

  #decryptListed({ index, nonce, tag }: RedoEntry, ciphertext: Uint8Array): Uint8Array {
    const plaintext = decryptSegment(this.#file.schedule, { index, isFinal: false }, { nonce, ciphertext, tag })
    if (plaintext === undefined) throw this.#file.corrupted(index)
    return plaintext
  }

  /** Forgets a segment that is about to be replaced. */
  drop(index: number): void {
    const segment = this.#cache.get(index)
    if (segment === undefined) return
    this.#cache.delete(index)
    releaseMemory(segment.plaintext)
  }

  /** Forgets segments from `start` on, because the file has become shorter. */
  dropFrom(start: number): void {
    for (const index of [...this.#cache.keys()]) if (index >= start) this.drop(index)
  }

  /** Forgets how segments lie in the file, because that has changed; what they hold has not. */
  forgetPlaces(): Steps<void> {
    return this.#ahead.forget()
  }

  /** Forgets all that was fetched, because the file has changed or is about to be closed. */
  *forget(): Steps<void> {
    for (const index of [...this.#cache.keys()]) this.drop(index)
    yield* this.#ahead.forget()
  }

  /** To be called where reads may go on that nobody waits for any more. */
  stopReusingMemory(): void {
    this.#ahead.stopReusing()
  }

  *#loadPlaced(state: ReadableState, index: number, last: number): Steps<LoadedSegment> {
    const { geometry, schedule } = this.#file
    const size = segmentLength(geometry, state.length, index) + geometry.segmentOverhead
    const bytes = yield* this.#ahead.fetch(state, index, size, lastPlaced(state, index, last))
    if (bytes.length < size) throw this.#file.truncated(index)
    const isStream = geometry.kind === 'stream'
    const from = isStream ? 0 : NONCE_SIZE
    const tag = new Uint8Array(bytes.subarray(size - TAG_SIZE))
    const segment = { nonce: bytes.subarray(0, from), ciphertext: bytes.subarray(from, size - TAG_SIZE), tag }
    const plaintext = decryptSegment(schedule, { index, isFinal: isStream && index === state.count - 1 }, segment)
    if (plaintext === undefined) throw this.#file.corrupted(index)
    return { plaintext, tag }
  }
}

/** @returns the last segment up to `last` that lies behind `index` at its place, with none between that waits elsewhere. */
function lastPlaced({ redo }: ReadableState, index: number, last: number): number {
  if (last === index) return last
  let end = last
  for (const listed of redo.keys()) if (listed > index && listed <= end) end = listed - 1
  return end
}

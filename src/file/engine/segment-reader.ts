import { releaseMemory } from '../../bytes/memory.js'
import { segmentLength } from '../../container/geometry.js'
import type { RedoEntry } from '../../container/redo-list.js'
import { decryptSegment, type EncryptedSegment } from '../../seal/segment.js'
import type { ContainerFile } from './container-file.js'
import { readFully, type Steps } from '../io/steps.js'
import { ReadAhead, type Content } from './read-ahead.js'

/** What a reader must know of a committed state. */
export interface ReadableState extends Content {
  /** Segments that wait in the redo list, by index. */
  readonly redo: ReadonlyMap<number, RedoEntry>
}

/** A segment that authenticated. */
export interface LoadedSegment {
  readonly plaintext: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
}

const NONCE_SIZE = 12
const TAG_SIZE = 16

/** Fetches and decrypts segments, and keeps the last one for a reader that comes for it in pieces. */
export class SegmentReader {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #ahead: ReadAhead
  #last: { readonly index: number; readonly segment: LoadedSegment } | undefined

  /** @param start - What is known of the file's beginning, header included. */
  constructor(file: ContainerFile, fd: number, start: Uint8Array) {
    this.#file = file
    this.#fd = fd
    this.#ahead = new ReadAhead(fd, file.geometry, start)
  }

  /**
   * Reads plaintext into `target`.
   *
   * @returns bytes read: fewer than asked for at the end of the file.
   * @throws CorruptedFileError if a segment does not authenticate and nothing was read before it.
   */
  *read(state: ReadableState, target: Uint8Array, position: number): Steps<number> {
    const { segmentSize } = this.#file.geometry
    const end = Math.min(target.length, Math.max(0, state.length - position))
    let done = 0
    while (done < end) {
      const index = Math.floor((position + done) / segmentSize)
      let plaintext
      try {
        plaintext = (yield* this.load(state, index)).plaintext
      } catch (error) {
        if (done > 0) break // a short read; the next one begins at the segment and reports it
        throw error
      }
      const from = position + done - index * segmentSize
      const piece = plaintext.subarray(from, from + end - done)
      target.set(piece, done)
      done += piece.length
    }
    return done
  }

  /** Fetches and decrypts one segment; what it returns is lent until the next call, and not to be changed. */
  *load(state: ReadableState, index: number): Steps<LoadedSegment> {
    if (this.#last?.index === index) return this.#last.segment
    const entry = state.redo.get(index)
    const segment = entry === undefined ? yield* this.#loadPlaced(state, index) : yield* this.loadListed(entry)
    this.#forgetLast()
    this.#last = { index, segment }
    return segment
  }

  /** Decrypts a segment of the redo list. */
  *loadListed(entry: RedoEntry): Steps<LoadedSegment & EncryptedSegment> {
    const ciphertext = new Uint8Array(entry.length)
    if ((yield* readFully(this.#fd, ciphertext, entry.position)) < entry.length) throw this.#file.truncated(entry.index)
    const { index, nonce, tag } = entry
    const plaintext = decryptSegment(this.#file.schedule, { index, isFinal: false }, { nonce, ciphertext, tag })
    if (plaintext === undefined) throw this.#file.corrupted(index)
    return { plaintext, nonce, ciphertext, tag }
  }

  /** Forgets what was fetched, because the file has changed or is about to be closed. */
  *forget(): Steps<void> {
    this.#forgetLast()
    yield* this.#ahead.forget()
  }

  #forgetLast(): void {
    if (this.#last !== undefined) releaseMemory(this.#last.segment.plaintext)
    this.#last = undefined
  }

  *#loadPlaced(state: ReadableState, index: number): Steps<LoadedSegment> {
    const { geometry, schedule } = this.#file
    const size = segmentLength(geometry, state.length, index) + geometry.segmentOverhead
    const isSequential = this.#last !== undefined && index === this.#last.index + 1
    const bytes = yield* this.#ahead.fetch(state, index, size, isSequential)
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

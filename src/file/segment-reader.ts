import { ciphertextSize, segmentLength, segmentPosition } from '../container/geometry.js'
import type { RedoEntry } from '../container/redo-list.js'
import { decryptSegment, type EncryptedSegment } from '../seal/segment.js'
import type { ContainerFile } from './container-file.js'
import { begin, readFully, settle, type Background, type Steps } from './io.js'

/** What a reader must know of a committed state. */
export interface ReadableState {
  /** Plaintext bytes. */
  readonly length: number
  /** Data segments. */
  readonly count: number
  /** Segments that wait in the redo list, by index. */
  readonly redo: ReadonlyMap<number, RedoEntry>
}

/** A segment that authenticated. */
export interface LoadedSegment extends EncryptedSegment {
  readonly plaintext: Uint8Array
}

interface Window {
  readonly first: number
  readonly bytes: Uint8Array
}

/** Bytes that a sequential reader fetches at once, and once more ahead. */
const WINDOW_SIZE = 2 ** 20
const NONCE_SIZE = 12
const TAG_SIZE = 16

/** Fetches and decrypts segments; notices sequential reading, and then fetches many at a time and ahead. */
export class SegmentReader {
  readonly #file: ContainerFile
  readonly #fd: number
  #window: Window | undefined
  #ahead: { readonly window: Window; readonly background: Background } | undefined
  #last: { readonly index: number; readonly segment: LoadedSegment } | undefined

  /** @param start - What is known of the file's beginning, header included. */
  constructor(file: ContainerFile, fd: number, start: Uint8Array) {
    this.#file = file
    this.#fd = fd
    if (start.length > file.geometry.headerSize) this.#window = { first: 0, bytes: start.subarray(file.geometry.headerSize) }
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
    this.#last = { index, segment }
    return segment
  }

  /** Decrypts a segment of the redo list. */
  *loadListed(entry: RedoEntry): Steps<LoadedSegment> {
    const ciphertext = new Uint8Array(entry.length)
    if ((yield* readFully(this.#fd, ciphertext, entry.position)) < entry.length) throw this.#file.truncated(entry.index)
    const { index, nonce, tag } = entry
    const plaintext = decryptSegment(this.#file.schedule, { index, isFinal: false }, { nonce, ciphertext, tag })
    if (plaintext === undefined) throw this.#file.corrupted(index)
    return { plaintext, nonce, ciphertext, tag }
  }

  /** Forgets what was fetched, because the file has changed. */
  *forget(): Steps<void> {
    this.#last = undefined
    this.#window = undefined
    const ahead = this.#ahead
    this.#ahead = undefined
    if (ahead === undefined) return
    try {
      yield* settle(ahead.background)
    } catch {
      // Nobody has asked for those bytes.
    }
  }

  *#loadPlaced(state: ReadableState, index: number): Steps<LoadedSegment> {
    const { geometry, schedule } = this.#file
    const size = segmentLength(geometry, state.length, index) + geometry.segmentOverhead
    const bytes = yield* this.#fetch(state, index, size)
    if (bytes.length < size) throw this.#file.truncated(index)
    const isStream = geometry.kind === 'stream'
    const from = isStream ? 0 : NONCE_SIZE
    const segment = {
      nonce: bytes.subarray(0, from),
      ciphertext: bytes.subarray(from, size - TAG_SIZE),
      tag: bytes.subarray(size - TAG_SIZE, size),
    }
    const plaintext = decryptSegment(schedule, { index, isFinal: isStream && index === state.count - 1 }, segment)
    if (plaintext === undefined) throw this.#file.corrupted(index)
    return { plaintext, ...segment }
  }

  /** @returns `size` bytes of the segment's place, or fewer where the file ends. */
  *#fetch(state: ReadableState, index: number, size: number): Steps<Uint8Array> {
    const { geometry } = this.#file
    const isSequential = index === (this.#last?.index ?? -1) + 1
    let bytes = this.#find(this.#window, index, size)
    if (bytes === undefined) {
      if (this.#ahead?.window.first === index) {
        const { window, background } = this.#ahead
        this.#ahead = undefined
        const read = (yield* settle(background)) as number
        this.#window = { first: index, bytes: window.bytes.subarray(0, read) }
        // The first of a window read in the background may be short, as any read may: then it is read again in full.
        bytes = this.#find(this.#window, index, size)
      }
      if (bytes === undefined) {
        const buffer = new Uint8Array(isSequential ? this.#windowSize(state, index) : size)
        const read = yield* readFully(this.#fd, buffer, segmentPosition(geometry, index))
        this.#window = { first: index, bytes: buffer.subarray(0, read) }
        bytes = buffer.subarray(0, Math.min(read, size))
      }
    }
    if (isSequential) yield* this.#readAhead(state)
    return bytes
  }

  #find(window: Window | undefined, index: number, size: number): Uint8Array | undefined {
    if (window === undefined || index < window.first) return undefined
    const { geometry } = this.#file
    const from = segmentPosition(geometry, index) - segmentPosition(geometry, window.first)
    return from + size <= window.bytes.length ? window.bytes.subarray(from, from + size) : undefined
  }

  /** @returns the bytes of a window that begins at segment `first`: whole segments, to the end of the data at most. */
  #windowSize({ length, count }: ReadableState, first: number): number {
    const { geometry } = this.#file
    const segments = Math.max(1, Math.floor(WINDOW_SIZE / geometry.segmentSize))
    const end = first + segments < count ? segmentPosition(geometry, first + segments) : ciphertextSize(geometry, length)
    return end - segmentPosition(geometry, first)
  }

  /** Begins to read the window behind the present one, unless that goes on already. */
  *#readAhead(state: ReadableState): Steps<void> {
    const window = this.#window
    if (window === undefined || this.#ahead !== undefined) return
    const { geometry } = this.#file
    const stride = geometry.segmentSize + geometry.segmentOverhead
    const first = window.first + Math.floor(window.bytes.length / stride)
    if (first === window.first || first >= state.count) return
    const buffer = new Uint8Array(this.#windowSize(state, first))
    const background = yield* begin({
      call: 'read',
      args: [this.#fd, buffer, 0, buffer.length, segmentPosition(geometry, first)],
    })
    this.#ahead = { window: { first, bytes: buffer }, background }
  }
}

import { ciphertextSize, segmentPosition, type Geometry } from '../../container/geometry.js'
import { begin, readFully, settle, settleQuietly, type Background, type Steps } from '../io/steps.js'

/** What must be known of a state to fetch its segments. */
export interface Extent {
  /** Plaintext bytes. */
  readonly length: number
  /** Data segments. */
  readonly count: number
}

/** Segments that lie one behind the other, fetched at once. */
interface Window {
  readonly first: number
  /** The one behind the last. */
  readonly next: number
  readonly bytes: Uint8Array
}

/** Plaintext bytes that are fetched at once, and once more ahead. */
const WINDOW_LENGTH = 2 ** 20

/** Fetches segments as they lie in the file: those that will be wanted many at once, and the next ones while their reader works. */
export class ReadAhead {
  readonly #fd: number
  readonly #geometry: Geometry
  #window: Window | undefined
  #ahead: { readonly window: Window; readonly background: Background } | undefined
  /** A window's memory that can be used again. */
  #spare: ArrayBufferLike | undefined
  #reusesMemory = true

  /** @param start - What is known of the file's beginning, header included. */
  constructor(fd: number, geometry: Geometry, start: Uint8Array) {
    this.#fd = fd
    this.#geometry = geometry
    if (start.length <= geometry.headerSize) return
    const bytes = start.subarray(geometry.headerSize)
    this.#window = { first: 0, next: Math.floor(bytes.length / (geometry.segmentSize + geometry.segmentOverhead)), bytes }
  }

  /**
   * Fetches a segment.
   *
   * @param size - Bytes that it takes in the file.
   * @param wanted - The segments from `index` to this one will be wanted, in this order.
   * @returns `size` bytes, or fewer where the file ends; lent until the next call.
   */
  *fetch(extent: Extent, index: number, size: number, wanted: number): Steps<Uint8Array> {
    // A writer's newest segments are in no committed state.
    const last = Math.min(wanted, extent.count - 1)
    let bytes = this.#find(index, size)
    if (bytes === undefined && this.#ahead?.window.first === index) {
      yield* this.#advance()
      bytes = this.#find(index, size)
    }
    if (bytes === undefined) {
      yield* this.#dropAhead()
      const { bytes: buffer, ...window } = this.#newWindow(extent, index, last)
      const read = yield* readFully(this.#fd, buffer, segmentPosition(this.#geometry, index))
      this.#window = { ...window, bytes: buffer.subarray(0, read) }
      bytes = buffer.subarray(0, Math.min(read, size))
    }
    yield* this.#begin(extent, last)
    return bytes
  }

  /** Forgets what was fetched, because the file has changed or is about to be closed. */
  *forget(): Steps<void> {
    this.#window = undefined
    yield* this.#dropAhead()
  }

  /** From now on memory is used once: reads that go on unwatched may still write into it. */
  stopReusing(): void {
    this.#reusesMemory = false
    this.#spare = undefined
  }

  *#dropAhead(): Steps<void> {
    const ahead = this.#ahead
    this.#ahead = undefined
    if (ahead !== undefined) yield* settleQuietly(ahead.background)
  }

  #find(index: number, size: number): Uint8Array | undefined {
    const window = this.#window
    if (window === undefined || index < window.first) return undefined
    const from = segmentPosition(this.#geometry, index) - segmentPosition(this.#geometry, window.first)
    return from + size <= window.bytes.length ? window.bytes.subarray(from, from + size) : undefined
  }

  /** Goes on to the window that was begun. It may be short, as any read may be. */
  *#advance(): Steps<void> {
    const { window, background } = this.#ahead!
    this.#ahead = undefined
    const read = (yield* settle(background)) as number
    if (this.#reusesMemory) this.#spare = this.#window?.bytes.buffer
    this.#window = { ...window, bytes: window.bytes.subarray(0, read) }
  }

  /** Begins to read the window behind the present one where it will be wanted, unless that goes on already. */
  *#begin(extent: Extent, last: number): Steps<void> {
    const first = this.#window?.next
    if (first === undefined || this.#ahead !== undefined || first > last || first === this.#window!.first) return
    const window = this.#newWindow(extent, first, last)
    const { bytes } = window
    const position = segmentPosition(this.#geometry, first)
    const background = yield* begin({ call: 'read', args: [this.#fd, bytes, 0, bytes.length, position] })
    this.#ahead = { window, background }
  }

  /** @returns room for segments from `first` on: whole ones, as many as fit and are wanted, one at least. */
  #newWindow({ length, count }: Extent, first: number, last: number): Window {
    const fitting = Math.max(1, Math.floor(WINDOW_LENGTH / this.#geometry.segmentSize))
    const next = Math.min(first + fitting, Math.max(first, last) + 1)
    const end = next < count ? segmentPosition(this.#geometry, next) : ciphertextSize(this.#geometry, length)
    return { first, next, bytes: this.#allocate(end - segmentPosition(this.#geometry, first)) }
  }

  #allocate(size: number): Uint8Array {
    const spare = this.#spare
    this.#spare = undefined
    const buffer = spare !== undefined && spare.byteLength >= size ? spare : Buffer.allocUnsafeSlow(size).buffer
    return new Uint8Array(buffer, 0, size)
  }
}

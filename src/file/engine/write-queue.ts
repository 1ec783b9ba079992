import { releaseMemory } from '../../bytes/memory.js'
import type { EncryptedSegment } from '../../seal/segment.js'
import { begin, settle, withoutFirst, writeFully, type Background, type Steps } from '../io/steps.js'

/** Buffers that lie one behind the other in the file. */
interface Batch {
  readonly position: number
  size: number
  readonly buffers: Uint8Array[]
  /** Those of the buffers that nobody needs once they are written. */
  readonly disposable: Uint8Array[]
}

/** Bytes that go into one call. */
const BATCH_SIZE = 2 ** 19
/** Buffers that go into one call (IOV_MAX is 1,024 on the common systems). */
const BATCH_BUFFERS = 960
/** Calls that go on in the background while more is encrypted. */
const IN_FLIGHT_MAX = 2

/**
 * Gathers writes that lie one behind the other into few large calls, and lets them go on in the background. Adding never fails;
 * what could not be written stays queued and is tried again, the same bytes at the same place.
 */
export class WriteQueue {
  readonly #fd: number
  /** In the order of their adding; more may still be gathered into the last. */
  readonly #waiting: Batch[] = []
  readonly #inFlight: { readonly batch: Batch; readonly background: Background }[] = []
  #hasWritten = false

  constructor(fd: number) {
    this.#fd = fd
  }

  /** All that was added is written. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#inFlight.length === 0
  }

  /** Nothing was written, and what was added takes no more than `size` bytes. */
  isUpTo(size: number): boolean {
    return !this.#hasWritten && this.#inFlight.length === 0 && this.#waiting.reduce((sum, batch) => sum + batch.size, 0) <= size
  }

  /** Something has become large enough for a call. */
  get hasFull(): boolean {
    return this.#waiting.length > 1 || (this.#waiting[0] !== undefined && isFull(this.#waiting[0]))
  }

  /** Puts the header before all that was added, which lies behind it in the file and was not written yet. */
  addHeader(header: Uint8Array): void {
    const [first] = this.#waiting
    const buffers = [header, ...(first?.buffers ?? [])]
    this.#waiting[0] = { position: 0, size: header.length + (first?.size ?? 0), buffers, disposable: first?.disposable ?? [] }
  }

  /** Queues a segment for `position`; its ciphertext is the queue's to dispose of. */
  addSegment(position: number, { nonce, ciphertext, tag }: EncryptedSegment): void {
    this.#add(position, [nonce, ciphertext, tag], [ciphertext])
  }

  /** Begins to write what has become large enough for a call. @throws the system error of an earlier write. */
  *writeFull(): Steps<void> {
    while (this.hasFull) yield* this.#writeFirst()
  }

  /** Waits until all that was added is written. @throws the first system error. */
  *drain(): Steps<void> {
    while (this.#waiting.length > 0) yield* this.#writeFirst()
    yield* this.#finish(0)
  }

  /** Waits for what is in flight, whatever comes of it, so that the file can be closed. */
  *abandon(): Steps<void> {
    try {
      yield* this.#finish(0)
    } catch {
      // It was told before, or is about to be.
    }
  }

  #add(position: number, buffers: readonly Uint8Array[], disposable: readonly Uint8Array[]): void {
    let batch = this.#waiting.at(-1)
    if (batch === undefined || batch.position + batch.size !== position || isFull(batch)) {
      batch = { position, size: 0, buffers: [], disposable: [] }
      this.#waiting.push(batch)
    }
    for (const buffer of buffers) batch.size += buffer.length
    batch.buffers.push(...buffers)
    batch.disposable.push(...disposable)
  }

  *#writeFirst(): Steps<void> {
    yield* this.#finish(IN_FLIGHT_MAX - 1)
    const batch = this.#waiting.shift()!
    const background = yield* begin({ call: 'writev', args: [this.#fd, batch.buffers, batch.position] })
    this.#inFlight.push({ batch, background })
  }

  /** Waits until at most `limit` calls are in flight; until none is, where one failed. What failed waits again. */
  *#finish(limit: number): Steps<void> {
    let failure: { readonly error: unknown } | undefined
    while (this.#inFlight.length > (failure === undefined ? limit : 0)) {
      const { batch, background } = this.#inFlight.shift()!
      try {
        const written = (yield* settle(background)) as number
        if (written < batch.size) yield* writeFully(this.#fd, withoutFirst(batch.buffers, written), batch.position + written)
      } catch (error) {
        this.#waiting.unshift(batch)
        failure ??= { error }
        continue
      }
      this.#hasWritten = true
      if (!background.isRepeated) for (const buffer of batch.disposable) releaseMemory(buffer)
    }
    if (failure !== undefined) throw failure.error
  }
}

function isFull({ size, buffers }: Batch): boolean {
  return size >= BATCH_SIZE || buffers.length >= BATCH_BUFFERS
}

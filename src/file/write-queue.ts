import { releaseMemory } from '../bytes/memory.js'
import type { EncryptedSegment } from '../seal/segment.js'
import { begin, settle, withoutFirst, writeFully, type Background, type Steps } from './io.js'

interface Batch {
  position: number
  size: number
  readonly buffers: Uint8Array[]
  /** Those of the buffers that nobody needs once they are written. */
  readonly disposable: Uint8Array[]
}

/** Bytes that go into one call. */
const BATCH_SIZE = 2 ** 20
/** Buffers that go into one call (IOV_MAX is 1,024 on the common systems). */
const BATCH_BUFFERS = 960
/** Calls that go on in the background while more is encrypted. */
const IN_FLIGHT_MAX = 2

/**
 * Gathers writes that lie one behind the other into few large calls, and lets them go on in the background. What could not be
 * written stays queued and is tried again, the same bytes at the same place.
 */
export class WriteQueue {
  readonly #fd: number
  #gathering: Batch | undefined
  readonly #failed: Batch[] = []
  readonly #inFlight: { readonly batch: Batch; readonly background: Background }[] = []

  #beforeFirst: (() => void) | undefined

  /** @param beforeFirst - Called once, before anything is written: the last time to change what was added. */
  constructor(fd: number, beforeFirst: () => void) {
    this.#fd = fd
    this.#beforeFirst = beforeFirst
  }

  /** Queues a header for `position`; it may change until the queue begins to write. */
  *addHeader(position: number, header: Uint8Array): Steps<void> {
    yield* this.#add(position, [header], [])
  }

  /** Queues a segment for `position`; its ciphertext is the queue's to dispose of. */
  *addSegment(position: number, { nonce, ciphertext, tag }: EncryptedSegment): Steps<void> {
    yield* this.#add(position, [nonce, ciphertext, tag], [ciphertext])
  }

  *#add(position: number, buffers: readonly Uint8Array[], disposable: readonly Uint8Array[]): Steps<void> {
    const gathering = this.#gathering
    if (gathering !== undefined && gathering.position + gathering.size !== position) yield* this.#flush()
    const batch = (this.#gathering ??= { position, size: 0, buffers: [], disposable: [] })
    for (const buffer of buffers) {
      batch.buffers.push(buffer)
      batch.size += buffer.length
    }
    batch.disposable.push(...disposable)
    if (batch.size >= BATCH_SIZE || batch.buffers.length >= BATCH_BUFFERS) yield* this.#flush()
  }

  /** Waits until all that was added is written. @throws the first system error; the rest is kept for another try. */
  *drain(): Steps<void> {
    yield* this.#flush()
    yield* this.#finish(0)
    while (this.#failed.length > 0) {
      const { buffers, position, disposable } = this.#failed[0]!
      yield* writeFully(this.#fd, buffers, position)
      this.#failed.shift()
      for (const buffer of disposable) releaseMemory(buffer)
    }
  }

  *#flush(): Steps<void> {
    const batch = this.#gathering
    if (batch === undefined) return
    this.#beforeFirst?.()
    this.#beforeFirst = undefined
    yield* this.#finish(IN_FLIGHT_MAX - 1)
    const background = yield* begin({ call: 'writev', args: [this.#fd, batch.buffers, batch.position] })
    this.#gathering = undefined
    this.#inFlight.push({ batch, background })
  }

  /** Waits until at most `limit` calls are in flight. */
  *#finish(limit: number): Steps<void> {
    while (this.#inFlight.length > limit) {
      const { batch, background } = this.#inFlight.shift()!
      try {
        const written = (yield* settle(background)) as number
        if (written < batch.size) yield* writeFully(this.#fd, withoutFirst(batch.buffers, written), batch.position + written)
      } catch (error) {
        this.#failed.push(batch)
        throw error
      }
      for (const buffer of batch.disposable) releaseMemory(buffer)
    }
  }
}

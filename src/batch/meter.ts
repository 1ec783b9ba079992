/** What a worker counts, and where it learns that it should wait or stop: words in memory that it shares with the main thread. */

const [RUNNING, PAUSED, STOPPED] = [0, 1, 2]
const STATE = 0
/** In 64-bit words: behind the state. When the next byte may be read, in microseconds of {@link now}. */
const NEXT_FREE = 1
const COMMON_SIZE = 16
/** In 64-bit words. */
const [BYTES, FILES, MADE] = [0, 1, 2]
const COUNTERS_SIZE = 24
const NOT_BEGUN = -1
/** Microseconds of a limited rate that may be caught up on. */
const BURST_US = 50_000

/**
 * Milliseconds, the same in all threads, of a clock that nobody sets. Bun and Deno begin to count in each thread anew, from what the clock on
 * the wall showed then.
 */
function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Work was ended because the batch is. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'

  constructor() {
    super('the batch was stopped')
  }
}

/** What the main thread tells all workers. */
export class CommonState {
  readonly memory = new SharedArrayBuffer(COMMON_SIZE)
  readonly #words = new Int32Array(this.memory)

  /** Lets workers wait where they are, or go on. Does nothing once they were stopped. */
  setPaused(isPaused: boolean): void {
    Atomics.compareExchange(this.#words, STATE, isPaused ? RUNNING : PAUSED, isPaused ? PAUSED : RUNNING)
    Atomics.notify(this.#words, STATE)
  }

  /** Lets workers give up what they are at. */
  stop(): void {
    Atomics.store(this.#words, STATE, STOPPED)
    Atomics.notify(this.#words, STATE)
  }
}

/** What the main thread sees of a worker's work. */
export class Counters {
  readonly memory = new SharedArrayBuffer(COUNTERS_SIZE)
  readonly #words = new BigInt64Array(this.memory)

  /** Bytes of sources since the worker has begun. */
  get bytes(): number {
    return Number(Atomics.load(this.#words, BYTES))
  }

  /** Files of the present group that are done with; undefined until the task is begun. */
  get files(): number | undefined {
    const files = Number(Atomics.load(this.#words, FILES))
    return files === NOT_BEGUN ? undefined : files
  }

  /** Plaintext bytes of those that were made. */
  get madeBytes(): number {
    return Number(Atomics.load(this.#words, MADE))
  }

  /** To be called before a worker gets a task: what the last one came to is not that of this one. */
  reset(): void {
    Atomics.store(this.#words, FILES, BigInt(NOT_BEGUN))
  }
}

/** The worker's side of both. */
export class Meter {
  readonly #state: Int32Array
  readonly #times: BigInt64Array
  readonly #counters: BigInt64Array
  readonly #bytesPerSecond: number | undefined

  constructor(common: SharedArrayBuffer, counters: SharedArrayBuffer, bytesPerSecond: number | undefined) {
    this.#state = new Int32Array(common)
    this.#times = new BigInt64Array(common)
    this.#counters = new BigInt64Array(counters)
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Waits while the batch is paused. @throws StoppedError if it was stopped. */
  check(): void {
    while (Atomics.load(this.#state, STATE) === PAUSED) Atomics.wait(this.#state, STATE, PAUSED)
    if (Atomics.load(this.#state, STATE) === STOPPED) throw new StoppedError()
  }

  /** Counts bytes that were done, and waits where the rate is limited. */
  addBytes(count: number): void {
    Atomics.add(this.#counters, BYTES, BigInt(count))
    this.check()
    if (this.#bytesPerSecond === undefined || count === 0) return
    const until = this.#reserve(BigInt(Math.ceil((count / this.#bytesPerSecond) * 1e6)))
    for (let left = until - now(); left > 0; left = until - now()) {
      // Woken by a change of the state alone.
      Atomics.wait(this.#state, STATE, RUNNING, left)
      this.check()
    }
  }

  /**
   * @param count - Files of the present group that are done with.
   * @param bytes - Of plaintext, in those that were made.
   */
  setFiles(count: number, bytes: number): void {
    Atomics.store(this.#counters, MADE, BigInt(bytes))
    Atomics.store(this.#counters, FILES, BigInt(count))
  }

  /** Takes some time behind what others have taken. @returns when it has passed, in milliseconds of {@link now}. */
  #reserve(microseconds: bigint): number {
    for (;;) {
      const free = Atomics.load(this.#times, NEXT_FREE)
      const earliest = BigInt(Math.floor(now() * 1_000) - BURST_US)
      const end = (free > earliest ? free : earliest) + microseconds
      if (Atomics.compareExchange(this.#times, NEXT_FREE, free, end) === free) return Number(end) / 1_000
    }
  }
}

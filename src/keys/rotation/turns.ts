import { setTimeout } from 'node:timers/promises'
import { LockedError } from '../../errors.js'
import { checkAborted } from '../../file/io/system-errors.js'

/** Milliseconds from one try to the next. */
const RETRY_MS = 25

/**
 * Works on a file, or waits for its writer to be done with it, for as long as nobody aborts.
 *
 * @param work - Throws LockedError at once where it cannot begin.
 */
export async function whenUnlocked<T>(timeout: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeout
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const left = deadline - performance.now()
      if (!(error instanceof LockedError) || left <= 0) throw error
      checkAborted(signal)
      await setTimeout(Math.min(left, RETRY_MS))
    }
  }
}

/** Lets work on one file take turns, where it has several names or was named twice. */
export class Turns {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** @param key - What two names of one file have in common, for as long as it is worked on. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#tails.get(key) ?? Promise.resolve()).then(work)
    const tail = mine.catch(() => undefined)
    this.#tails.set(key, tail)
    try {
      return await mine
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}

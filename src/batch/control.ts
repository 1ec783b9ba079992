/** Tells a batch that it is to pause, or to go on. @internal */
export const WATCH: unique symbol = Symbol('watch')

/**
 * Pauses batches that are under way, and lets them go on: give one to the options of a batch, or of several.
 *
 * @example
 * ```ts
 * const control = new BatchControl()
 * const batch = encryptBatch('data', { target: 'data-encrypted', keyManager, purpose: 'data', control })
 * control.pause()
 * ```
 */
export class BatchControl {
  #isPaused = false
  readonly #listeners = new Set<(isPaused: boolean) => void>()

  /** Whether batches are to pause. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Lets the workers stop where they are, files half done. Their locks and temporary files stay. */
  pause(): void {
    this.#set(true)
  }

  /** Lets the workers go on. */
  resume(): void {
    this.#set(false)
  }

  /** @returns what ends the watch. */
  [WATCH](listener: (isPaused: boolean) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#isPaused)
    return () => this.#listeners.delete(listener)
  }

  #set(isPaused: boolean): void {
    this.#isPaused = isPaused
    for (const listener of this.#listeners) listener(isPaused)
  }
}

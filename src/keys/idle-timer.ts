/** Calls back once after a time in which nothing was touched. Keeps no process alive. */
export class IdleTimer {
  readonly #timeout: number
  readonly #onIdle: () => void
  #touched = performance.now()
  #timer: NodeJS.Timeout | undefined

  /** @param timeout - Milliseconds: 1 to 2^31 - 1. */
  constructor(timeout: number, onIdle: () => void) {
    this.#timeout = timeout
    this.#onIdle = onIdle
    this.#wait(timeout)
  }

  /** Begins the time anew. Cheap: the timer itself runs on, and looks when it ends. */
  touch(): void {
    this.#touched = performance.now()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      const left = this.#touched + this.#timeout - performance.now()
      if (left > 0) this.#wait(Math.ceil(left))
      else this.#onIdle()
    }, milliseconds)
    this.#timer.unref()
  }
}

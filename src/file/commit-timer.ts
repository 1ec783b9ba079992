/** What a timer needs of its handle. */
export interface Committable {
  /** Something was written that no commit holds. */
  readonly isDirty: boolean
  /** Begins a commit. An error of it shows in the next call that writes, syncs or closes. */
  commit(): void
  /** Commits, marks the file as closed and lets go of its lock, all without the event loop. */
  finish(): void
}

const writers = new Set<CommitTimer>()
let isListening = false
let isExiting = false

/** When the process exits, by itself, by `process.exit` or by an uncaught error, what open handles hold is committed. */
function finishAll(): void {
  isExiting = true
  for (const writer of writers) writer.update()
}

/** Sees to it that what is written is committed: soon after the first write that no commit holds, and when the process exits. */
export class CommitTimer {
  readonly #handle: Committable
  readonly #interval: number
  #timer: NodeJS.Timeout | undefined

  /** @param interval - Milliseconds. */
  constructor(handle: Committable, interval: number) {
    this.#handle = handle
    this.#interval = interval
    writers.add(this)
    if (!isListening) process.on('exit', finishAll)
    isListening = true
  }

  /** To be called after each operation of the handle. */
  update(): void {
    if (isExiting) this.#finish()
    else if (!this.#handle.isDirty) this.#disarm()
    else this.#timer ??= setTimeout(() => this.#fire(), this.#interval).unref()
  }

  /** To be called when the handle is closed. */
  stop(): void {
    this.#disarm()
    writers.delete(this)
  }

  #fire(): void {
    this.#timer = undefined
    this.#handle.commit()
  }

  #disarm(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #finish(): void {
    try {
      this.#handle.finish()
    } catch {
      // The process is ending, and nobody is left to be told; another handle may have better luck.
    }
  }
}

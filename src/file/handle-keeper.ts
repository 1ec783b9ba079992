import { waitForChanges } from './io/changes.js'

/** What a keeper needs of its handle, without holding the handle itself: that may be forgotten by whoever opened it. */
export interface KeptHandle {
  /** For the warning. */
  readonly path: string | undefined
  /** Something was written that no commit holds. */
  readonly isDirty: boolean
  /** What is written is not the file's yet, and is dropped unless the handle is closed. */
  readonly isProvisional: boolean
  /** Begins a commit. An error of it shows in the next call that writes, syncs or closes. */
  commit(): void
  /** Commits, and marks the file as closed, without the event loop. */
  finish(): void
  /** Lets go of the file's lock, unless a call goes on that may end later. */
  unlock(): void
  /** Closes the file, because nobody can do it any more, whatever comes of it. */
  close(): Promise<void> | void
}

const writers = new Set<HandleKeeper>()
let isListening = false
let isExiting = false
let hasWarned = false

/** Told of handles that were never closed and that nobody can reach any more. */
const forgotten = new FinalizationRegistry<HandleKeeper>((keeper) => keeper.closeForgotten())

/** When the process exits, by itself, by `process.exit` or by an uncaught error, what open handles hold is committed. */
function finishAll(): void {
  isExiting = true
  const unclosed = [...writers].filter(({ isClosing }) => !isClosing)
  // The newest first: what they commit may be told to one that was opened before, as to a FreshnessFile.
  const newestFirst = [...writers].reverse()
  for (const writer of newestFirst) writer.update()
  // Listeners that come later may write. Then the locks stay, and the next writer takes them over.
  if (process.listeners('exit').at(-1) === finishAll) for (const writer of newestFirst) writer.unlock()
  const [first] = unclosed
  if (first !== undefined) warn(first, unclosed.length, (warning) => process.emit('warning', warning))
}

/** Says once that a file was not closed. */
function warn(keeper: HandleKeeper, count: number, tell: (warning: Error) => void): void {
  if (hasWarned) return
  hasWarned = true
  const others = count > 1 ? `, and ${count - 1} more were not` : ''
  const message = `the file '${keeper.kept.path ?? ''}' was never closed${others}${keeper.outcome}. Close every handle, to be told of errors`
  tell(Object.assign(new Error(message), { name: 'SealfileWarning', code: 'SEALFILE_NOT_CLOSED' }))
}

/**
 * Looks after a handle: sees to it that what is written is committed soon after the first write that no commit holds and when the
 * process exits, and that a file which was never closed is closed all the same, with a warning.
 */
export class HandleKeeper {
  readonly kept: KeptHandle
  isClosing = false
  /** Milliseconds; undefined for handles that do not write. */
  readonly #interval: number | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param interval - Milliseconds until a commit; undefined for a handle that does not write.
   * @param handle - What is given to whoever opened the file, if anything.
   */
  constructor(kept: KeptHandle, interval: number | undefined, handle?: object) {
    this.kept = kept
    this.#interval = interval
    if (handle !== undefined) forgotten.register(handle, this, this)
    if (interval === undefined) return
    writers.add(this)
    if (!isListening) process.on('exit', finishAll)
    isListening = true
    this.update()
  }

  /** What becomes of a file that is not closed, for the warning. */
  get outcome(): string {
    if (this.#interval === undefined) return ''
    return this.kept.isProvisional ? ': what was written to it is dropped' : ': what was written to it is committed'
  }

  /** To be called after each operation of the handle. */
  update(): void {
    if (this.#interval === undefined) return
    if (isExiting) this.#finish()
    else if (!this.kept.isDirty) this.#disarm()
    else this.#timer ??= setTimeout(() => this.#fire(), this.#interval).unref()
  }

  /** To be called when the handle is asked to close. */
  beginClose(): void {
    this.isClosing = true
    forgotten.unregister(this)
  }

  /** To be called when the handle is closed. */
  stop(): void {
    this.beginClose()
    this.#disarm()
    writers.delete(this)
  }

  closeForgotten(): void {
    if (this.isClosing) return
    this.isClosing = true
    warn(this, 1, (warning) => process.emitWarning(warning))
    void Promise.resolve(this.kept.close()).then(() => this.stop())
  }

  #fire(): void {
    this.#timer = undefined
    this.kept.commit()
    this.update()
  }

  #disarm(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  unlock(): void {
    attempt(() => this.kept.unlock())
  }

  #finish(): void {
    waitForChanges()
    attempt(() => this.kept.finish())
  }
}

function attempt(work: () => void): void {
  try {
    work()
  } catch {
    // The process is ending, and nobody is left to be told; another handle may have better luck.
  }
}

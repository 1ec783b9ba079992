import { digestRecord, type CommitRecord } from '../container/commit-record.js'
import { RollbackError } from '../errors.js'
import { settleValue, type Steps } from './io/steps.js'

/** What is kept of a file's newest state, elsewhere. */
export interface KeptState {
  /** Which file it is, in hexadecimal: a file that is made anew, or replaced, gets another. */
  readonly fileId: string
  /** The commit's number; 0 for streams. */
  readonly sequence: number
  /** SHA-256 over the commit's record, in hexadecimal. */
  readonly digest: string
  /** The `fileId` of a file that was about to take the place of this one. */
  readonly nextFileId?: string | undefined
}

/**
 * Keeps the newest state of files where whoever can replace the files cannot get at it, so that an older version of a file, put back as a
 * whole, is noticed. Both functions may return a promise; then handles that do not wait cannot be used.
 */
export interface Freshness {
  /**
   * Called before a file is opened.
   *
   * @param path - Absolute.
   * @returns what was kept of the file; undefined if it is not known, in which case it is accepted.
   */
  recall(path: string): KeptState | undefined | Promise<KeptState | undefined>

  /**
   * Called after each commit, when the disk has it. If it throws, so does what made the commit; it is called again at the next.
   *
   * @param path - Absolute.
   */
  remember(path: string, state: KeptState): void | Promise<void>
}

/** Asks a {@link Freshness} about one file, and tells it. */
export class FreshnessGuard {
  readonly #hook: Freshness
  readonly #path: string
  readonly #kept: KeptState | undefined
  #remembered = 0

  private constructor(hook: Freshness, path: string, kept: KeptState | undefined) {
    this.#hook = hook
    this.#path = path
    this.#kept = kept
  }

  /**
   * To be made before anything of the file is looked at: a writer may go on, and tell the hook, at any time after. A writer makes it
   * once it has the lock, so that what it tells is not of older commits than what another has told.
   */
  static *create(hook: Freshness, path: string): Steps<FreshnessGuard> {
    return new FreshnessGuard(hook, path, yield* settleValue(hook.recall(path)))
  }

  /**
   * Checks the state that a file was found in.
   *
   * @param record - Undefined for a stream.
   * @throws RollbackError if it is older than what was kept, or of another file.
   */
  check(salt: Uint8Array, record: CommitRecord | undefined): void {
    const kept = this.#kept
    const fileId = toHex(salt)
    if (kept === undefined || fileId === kept.nextFileId) return
    if (fileId !== kept.fileId) this.#refuse('another file is in the place of the one that was there')
    const { sequence, digest } = stateOf(fileId, record)
    if (sequence < kept.sequence) this.#refuse('the file is older than it was')
    if (sequence === kept.sequence && digest !== kept.digest) this.#refuse('the file is another than it was')
  }

  /** Checks that no file was there, because there is none. @throws RollbackError */
  checkAbsent(): void {
    if (this.#kept !== undefined) this.#refuse('the file that was there is gone, or empty')
  }

  /** Says that a new file will be in the place of what is kept. */
  *announce(salt: Uint8Array): Steps<void> {
    if (this.#kept === undefined) return
    yield* settleValue(this.#hook.remember(this.#path, { ...this.#kept, nextFileId: toHex(salt) }))
  }

  /** Tells of a commit that is on disk, unless it was told already. @param record - Undefined for a stream. */
  *remember(salt: Uint8Array, record: CommitRecord | undefined): Steps<void> {
    const { sequence } = record ?? { sequence: 0 }
    if (record !== undefined && sequence <= this.#remembered) return
    yield* settleValue(this.#hook.remember(this.#path, stateOf(toHex(salt), record)))
    this.#remembered = sequence
  }

  #refuse(message: string): never {
    throw new RollbackError(message, { path: this.#path })
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function stateOf(fileId: string, record: CommitRecord | undefined): KeptState {
  return { fileId, sequence: record?.sequence ?? 0, digest: record === undefined ? '' : toHex(digestRecord(record)) }
}

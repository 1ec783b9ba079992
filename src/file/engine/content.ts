import type { Steps } from '../io/steps.js'
import type { ReadableState } from './segment-reader.js'

/** The plaintext of an open file, as its handle reads it. */
export interface Content {
  /** Plaintext bytes, as far as is known. */
  readonly length: number

  /**
   * Reads into `target`.
   *
   * @returns bytes read: fewer than asked for at the end, or before a segment that does not authenticate.
   * @throws CorruptedFileError if the segment at `position` does not authenticate; or if all segments were read in their order, this
   *   read comes to the end, and the snapshot over them does not match.
   */
  read(target: Uint8Array, position: number): Steps<number>

  /** Looks whether the file has changed. */
  refresh(): Steps<void>

  /**
   * Whether all segments were read in their order since this was asked last, and a writer changed some meanwhile, so that what was
   * read is of several commits.
   */
  takeMixed(): boolean

  /** The newest state that is in the file; undefined before the first commit of a new one. */
  readonly state: ReadableState | undefined

  /** Forgets what was fetched. */
  forget(): Steps<void>
}

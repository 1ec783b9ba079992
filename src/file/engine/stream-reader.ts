import { plaintextSize, segmentCount } from '../../container/geometry.js'
import { CorruptedFileError } from '../../errors.js'
import type { Steps } from '../io/steps.js'
import type { ContainerFile } from './container-file.js'
import type { Content } from './content.js'
import type { ReadableState, SegmentReader } from './segment-reader.js'

/** Reads a file of the stream kind, which was written once. */
export class StreamReader implements Content {
  readonly state: ReadableState
  readonly #reader: SegmentReader

  private constructor(reader: SegmentReader, state: ReadableState) {
    this.#reader = reader
    this.state = state
  }

  /**
   * The length follows from the file's size, and is authenticated by the last segment.
   *
   * @throws CorruptedFileError if the file does not end with the segment that was sealed as the last.
   */
  static *open({ geometry, path }: ContainerFile, reader: SegmentReader, size: number): Steps<StreamReader> {
    const length = plaintextSize(geometry, size)
    if (length === undefined) throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', 'the file ends inside a segment', { path })
    const state = { length, count: segmentCount(geometry, length), redo: new Map() }
    const last = state.count - 1
    try {
      yield* reader.load(state, last)
    } catch (error) {
      if (!(error instanceof CorruptedFileError) || error.code !== 'ERR_SEALFILE_CORRUPTED') throw error
      const message = `segment ${last} does not authenticate as the last: it was altered, or the file was cut or lengthened`
      throw new CorruptedFileError('ERR_SEALFILE_CORRUPTED', message, { segment: last, path })
    }
    return new StreamReader(reader, state)
  }

  get length(): number {
    return this.state.length
  }

  read(target: Uint8Array, position: number): Steps<number> {
    const { state } = this
    const span = { length: state.length, position }
    const reader = this.#reader
    return reader.copy(target, span, function* (index, last) {
      return (yield* reader.load(state, index, last)).plaintext
    })
  }

  *refresh(): Steps<void> {
    // It does not change.
  }

  takeMixed(): boolean {
    return false
  }

  forget(): Steps<void> {
    return this.#reader.forget()
  }
}

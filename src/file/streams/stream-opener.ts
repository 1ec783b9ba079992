import { headerSizeOf, parsePreamble } from '../../container/preamble.js'
import { CorruptedFileError, InvalidFileFormatError } from '../../errors.js'
import { decryptSegment } from '../../seal/segment.js'
import { ContainerFile, type Credentials } from '../engine/container-file.js'
import { SegmentCutter } from './segment-cutter.js'
import type { StreamCore } from './stream-core.js'

const HEADER_SIZE = headerSizeOf('stream')

/** A stream whose header was read. */
interface OpenStream {
  readonly file: ContainerFile
  readonly cutter: SegmentCutter
}

/**
 * Reads a container of the stream kind. Holds one segment at most, and no more than the header before the key has authenticated it.
 * What `push` and `end` return is authenticated; what they throw ends the stream.
 */
export class StreamOpener implements StreamCore {
  readonly #credentials: Credentials
  readonly #header = new Uint8Array(HEADER_SIZE)
  #headerLength = 0
  #stream: OpenStream | undefined
  #index = 0

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /**
   * @throws InvalidFileFormatError, InvalidKeyError: see {@link ContainerFile.open}.
   * @throws CorruptedFileError `ERR_SEALFILE_CORRUPTED` for a segment that was altered or moved, or does not end the stream as it should.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    const rest = this.#stream === undefined ? this.#gatherHeader(chunk) : chunk
    if (this.#headerLength < HEADER_SIZE) return
    this.#stream ??= this.#openHeader()
    const { file, cutter } = this.#stream
    for (const segment of cutter.push(rest)) {
      const plaintext = this.#decrypt(file, segment, false)
      if (plaintext === undefined) throw this.#failedInside(file, segment)
      this.#index++
      yield plaintext
    }
  }

  /**
   * @throws CorruptedFileError `ERR_SEALFILE_TRUNCATED` where the stream was cut in the header, in a tag or between segments,
   *   `ERR_SEALFILE_CORRUPTED` for a last segment that was altered, or cut or lengthened elsewhere.
   * @throws InvalidFileFormatError for a stream without a header, and one shorter than that which is not ours.
   */
  *end(): Generator<Uint8Array, void, undefined> {
    const { file, cutter } = this.#stream ?? this.#openHeader()
    const segment = cutter.end()
    const { segmentOverhead } = file.geometry
    // No segment is empty but that of an empty stream.
    const isWhole = segment.length > segmentOverhead || (segment.length === segmentOverhead && this.#index === 0)
    if (!isWhole) throw file.truncated(this.#index)
    const plaintext = this.#decrypt(file, segment, true)
    if (plaintext === undefined) throw this.#failedAtEnd(file, segment)
    if (plaintext.length > 0) yield plaintext
  }

  dispose(): void {
    this.#stream?.file.dispose()
  }

  /** @returns what lies behind the header. */
  #gatherHeader(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, HEADER_SIZE - this.#headerLength)
    this.#header.set(taken, this.#headerLength)
    this.#headerLength += taken.length
    return chunk.subarray(taken.length)
  }

  /** @throws in any case where the header is not complete. */
  #openHeader(): OpenStream {
    const header = this.#header.subarray(0, this.#headerLength)
    if (parsePreamble(header).kind === 'editable') {
      const message = 'this is an editable file, which is not read from start to end: open it with EncryptedFile'
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', message)
    }
    const file = ContainerFile.open(undefined, this.#credentials, header)
    const { segmentSize, segmentOverhead } = file.geometry
    return { file, cutter: new SegmentCutter(segmentSize + segmentOverhead) }
  }

  #decrypt({ schedule, geometry }: ContainerFile, segment: Uint8Array, isFinal: boolean): Uint8Array | undefined {
    const tagPosition = segment.length - geometry.segmentOverhead
    const sealed = { ciphertext: segment.subarray(0, tagPosition), tag: segment.subarray(tagPosition) }
    return decryptSegment(schedule, { index: this.#index, isFinal }, sealed)
  }

  #failedInside(file: ContainerFile, segment: Uint8Array): CorruptedFileError {
    if (this.#decrypt(file, segment, true) === undefined) return file.corrupted(this.#index)
    const message = `the stream goes on behind segment ${this.#index}, which is its last: something was appended`
    return new CorruptedFileError('ERR_SEALFILE_CORRUPTED', message, { segment: this.#index })
  }

  #failedAtEnd(file: ContainerFile, segment: Uint8Array): CorruptedFileError {
    const { segmentSize, segmentOverhead } = file.geometry
    const isFull = segment.length === segmentSize + segmentOverhead
    if (isFull && this.#decrypt(file, segment, false) !== undefined) return file.truncated(this.#index + 1)
    const message = `segment ${this.#index} does not authenticate as the last: it was altered, or the stream was cut or lengthened`
    return new CorruptedFileError('ERR_SEALFILE_CORRUPTED', message, { segment: this.#index })
  }
}

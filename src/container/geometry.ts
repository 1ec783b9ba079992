import { headerSizeOf, type ContainerKind } from './preamble.js'

/** Where things lie in a container: plaintext offsets to file offsets and back. Pure arithmetic on safe integers. */
export interface Geometry {
  readonly kind: ContainerKind
  /** Bytes before segment 0. */
  readonly headerSize: number
  /** Plaintext bytes in a full segment. */
  readonly segmentSize: number
  /** Bytes that a segment is longer in the file than its plaintext: 28 with a stored nonce, 16 without. */
  readonly segmentOverhead: number
}

const TAG_SIZE = 16
const NONCE_SIZE = 12

export function geometryOf(kind: ContainerKind, segmentSize: number): Geometry {
  return {
    kind,
    headerSize: headerSizeOf(kind),
    segmentSize,
    segmentOverhead: kind === 'editable' ? NONCE_SIZE + TAG_SIZE : TAG_SIZE,
  }
}

/** How many data segments hold `length` bytes of plaintext. A stream has one at least, its final one. */
export function segmentCount({ kind, segmentSize }: Geometry, length: number): number {
  const count = Math.ceil(length / segmentSize)
  return kind === 'stream' ? Math.max(1, count) : count
}

/** Plaintext bytes in segment `index` of a file of `length` bytes. */
export function segmentLength({ segmentSize }: Geometry, length: number, index: number): number {
  return Math.min(segmentSize, length - index * segmentSize)
}

/** Where segment `index` begins in the file. */
export function segmentPosition({ headerSize, segmentSize, segmentOverhead }: Geometry, index: number): number {
  return headerSize + index * (segmentSize + segmentOverhead)
}

/**
 * The size of the file that holds `length` bytes of plaintext, without a pending redo list.
 *
 * @example `ciphertextSize(geometryOf('editable', 65_536), 1_024)` is 2,332.
 */
export function ciphertextSize(geometry: Geometry, length: number): number {
  return geometry.headerSize + length + segmentCount(geometry, length) * geometry.segmentOverhead
}

/**
 * The plaintext length of a file of `size` bytes without a redo list: the inverse of {@link ciphertextSize}. The result is not
 * authenticated; it holds once the last segment decrypts as the last.
 *
 * @returns undefined where no file has that size.
 */
export function plaintextSize(geometry: Geometry, size: number): number | undefined {
  const { headerSize, segmentSize, segmentOverhead } = geometry
  const body = size - headerSize
  const count = Math.ceil(body / (segmentSize + segmentOverhead))
  const length = body - count * segmentOverhead
  return length >= 0 && ciphertextSize(geometry, length) === size ? length : undefined
}

/** The longest plaintext whose file offsets all stay safe integers, redo list included. */
export function longestPlaintext({ segmentSize, segmentOverhead }: Geometry): number {
  return Math.floor((2 ** 52 / (segmentSize + segmentOverhead)) * segmentSize)
}

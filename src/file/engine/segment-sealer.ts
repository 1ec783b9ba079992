import { randomNonce } from '../../bytes/random.js'
import { LimitError } from '../../errors.js'
import { encryptSegment, type EncryptedSegment } from '../../seal/segment.js'
import type { ContainerFile } from './container-file.js'

/** Segments that may be encrypted under one epoch key (seal.md, "Segments"). */
const BUDGET = 2 ** 32

/** Encrypts the segments of an editable file under fresh random nonces, the one place where these are chosen, and counts them. */
export class SegmentSealer {
  readonly #file: ContainerFile
  #count: number

  /** @param count - Segments that were encrypted under this file's key before. */
  constructor(file: ContainerFile, count: number) {
    this.#file = file
    this.#count = count
  }

  /** Segments encrypted under this file's key so far, rewrites included. */
  get count(): number {
    return this.#count
  }

  /**
   * Refuses to go on when an epoch key could have served too often: its epoch's segments once each, and every encryption
   * of this file that was not the first of a segment that it holds.
   *
   * @param segmentCount - Data segments that the file holds.
   * @throws LimitError `ERR_SEALFILE_LIMIT`.
   */
  checkBudget(segmentCount: number): void {
    const rewrites = this.#count - segmentCount
    if (rewrites + 2 ** this.#file.schedule.parameters.epochLength <= BUDGET) return
    const message = 'the file was rewritten as often as its key allows: copy it to a new file, which gets a new key'
    throw new LimitError(message, { path: this.#file.path })
  }

  /** Encrypts a data segment. */
  seal(index: number, plaintext: Uint8Array): EncryptedSegment {
    return this.#seal(index, false, plaintext)
  }

  /** Encrypts the empty segment behind the last of `segmentCount` data segments. */
  sealFinal(segmentCount: number): EncryptedSegment {
    return this.#seal(segmentCount, true, new Uint8Array(0))
  }

  #seal(index: number, isFinal: boolean, plaintext: Uint8Array): EncryptedSegment {
    this.#count++
    return encryptSegment(this.#file.schedule, { index, isFinal }, plaintext, randomNonce(12))
  }
}

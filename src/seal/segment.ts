import { putU64, u8 } from '../bytes/integers.js'
import { openAead, sealAead, type Sealed } from './aead.js'
import { encode } from './kdf.js'
import type { KeySchedule } from './schedule.js'
import { HKDF_SHA256 } from './suites.js'

/** Which segment of its object something is. */
export interface SegmentPlace {
  /** Zero-based; 0 to 2^52 - 1. */
  readonly index: number
  /** Whether it is the last one of the object. */
  readonly isFinal: boolean
  /** A_i: associated data of this segment alone, where there is any. */
  readonly associatedData?: Uint8Array | undefined
}

/** A segment as it is stored. */
export interface EncryptedSegment extends Sealed {
  /** 12 bytes. */
  readonly nonce: Uint8Array
}

const LABEL = 'SEAL-DATA'
const NO_BYTES = new Uint8Array(0)
// The form without A_i is rebuilt in place for every segment: label, eight bytes of index, one of finality.
const template = encode(HKDF_SHA256, [LABEL, new Uint8Array(8), u8(0)])
const INDEX_OFFSET = 2 + LABEL.length + 2
const FINAL_OFFSET = template.length - 1

/** The AAD of a segment (seal.md, "Segments"). @returns bytes that are valid until the next call. */
function segmentAad({ parameters }: KeySchedule, { index, isFinal, associatedData }: SegmentPlace): Uint8Array {
  if (!(Number.isInteger(index) && index >= 0 && index < 2 ** 52)) throw new RangeError(`no segment has the index ${index}`)
  if (parameters.nonceMode === 'derived') {
    return associatedData === undefined ? NO_BYTES : encode(parameters.kdf, [LABEL, associatedData])
  }
  putU64(template, INDEX_OFFSET, index)
  template[FINAL_OFFSET] = isFinal ? 1 : 0
  if (associatedData === undefined) return template
  return encode(parameters.kdf, [
    LABEL,
    template.subarray(INDEX_OFFSET, INDEX_OFFSET + 8),
    template.subarray(FINAL_OFFSET),
    associatedData,
  ])
}

/**
 * Encrypts one segment. Pure but for the schedule's cache of the epoch key.
 *
 * @param nonce - Random mode: 12 fresh random bytes for each call. Derived mode: leave it out.
 * @param plaintext - At most `segmentMax` bytes; exactly that many unless it is the last data of the object.
 * @returns nonce, ciphertext and tag, each apart.
 * @throws RangeError if `plaintext` is longer than a segment, `nonce` has the wrong length, or `index` is out of range.
 * @throws TypeError if a nonce is missing in random mode or given in derived mode.
 */
export function encryptSegment(
  schedule: KeySchedule,
  place: SegmentPlace,
  plaintext: Uint8Array,
  nonce?: Uint8Array,
): EncryptedSegment {
  const { aead, segmentMax, nonceMode } = schedule.parameters
  if (plaintext.length > segmentMax) throw new RangeError(`a segment holds ${segmentMax} bytes, not ${plaintext.length}`)
  if ((nonce === undefined) === (nonceMode === 'random')) throw new TypeError('a nonce belongs to random mode, and only there')
  const used = nonce ?? schedule.derivedNonce(place.index, place.isFinal)
  const { ciphertext, tag } = sealAead(aead, schedule.segmentKey(place.index), used, segmentAad(schedule, place), plaintext)
  return { nonce: used, ciphertext, tag }
}

/**
 * Decrypts one segment.
 *
 * @param segment - As stored. In derived mode the nonce is not stored, and what stands here is not used.
 * @returns the plaintext, a new array; or undefined if the segment is not what was encrypted for this place.
 * @throws RangeError if `index` is out of range.
 */
export function decryptSegment(
  schedule: KeySchedule,
  place: SegmentPlace,
  segment: Sealed & { readonly nonce?: Uint8Array },
): Uint8Array | undefined {
  const { aead, nonceMode, segmentMax } = schedule.parameters
  const nonce = nonceMode === 'derived' ? schedule.derivedNonce(place.index, place.isFinal) : segment.nonce
  if (nonce?.length !== aead.nonceLength || segment.ciphertext.length > segmentMax) return undefined
  return openAead(aead, schedule.segmentKey(place.index), nonce, segmentAad(schedule, place), segment)
}

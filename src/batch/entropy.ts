/** Bytes of which a sample is made, where there are so many. */
export const SAMPLE_SIZE = 16_384
/** A sample is taken from so many places. */
const PLACES = 4
/** With fewer bytes than that, what a compressed format adds outweighs what it saves. */
const SMALLEST_WORTHWHILE = 256
/** Bits in a byte from which on nothing is to be gained: images, archives and ciphertext have more. */
const DENSE_BITS = 7.5

/** A part of something, to be read. */
export interface Stretch {
  readonly position: number
  readonly length: number
}

/**
 * Tells where to look for a sample: at the beginning, at the end, and between them, because headers are not like what follows.
 *
 * @param size - Bytes in all.
 * @returns stretches that do not overlap, in order, of {@link SAMPLE_SIZE} bytes together or all there is.
 */
export function samplePlaces(size: number): Stretch[] {
  if (size <= SAMPLE_SIZE) return size === 0 ? [] : [{ position: 0, length: size }]
  const length = SAMPLE_SIZE / PLACES
  return Array.from({ length: PLACES }, (_, i) => ({ position: Math.floor((size - length) * (i / (PLACES - 1))), length }))
}

/**
 * Estimates the entropy of single bytes, which says how far they can be compressed: text has about 4.5 bits, programs 6, compressed data 8.
 * What repeats as a whole is compressed further than that.
 *
 * @returns bits in a byte: 0 to 8; 0 for nothing.
 */
export function estimateEntropy(sample: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (const byte of sample) counts[byte]!++
  let bits = 0
  let different = 0
  for (const count of counts) {
    if (count === 0) continue
    different++
    bits -= (count / sample.length) * Math.log2(count / sample.length)
  }
  // A small sample does not show all values as often as they come: the correction of Miller and Madow.
  const correction = sample.length === 0 ? 0 : (different - 1) / (2 * sample.length * Math.LN2)
  return Math.min(8, bits + correction)
}

/** Tells whether compression is worth the work. @param size - Bytes in all. @param sample - Some of them: see {@link samplePlaces}. */
export function isCompressible(size: number, sample: Uint8Array): boolean {
  return size >= SMALLEST_WORTHWHILE && estimateEntropy(sample) < DENSE_BITS
}

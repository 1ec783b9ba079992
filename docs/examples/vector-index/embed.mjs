export const DIMENSIONS = 256

/**
 * Stands where a model would: letters in threes, hashed into a vector of length one. Texts that share words are near each other, and that
 * is all it knows.
 *
 * @param {string} text
 * @returns {number[]} DIMENSIONS numbers.
 */
export function embed(text) {
  /** @type {number[]} */
  const vector = Array.from({ length: DIMENSIONS }, () => 0)
  const letters = ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')} `
  for (let i = 0; i + 3 <= letters.length; i++) {
    let hash = 2_166_136_261
    for (const letter of letters.slice(i, i + 3)) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619)
    const place = (hash >>> 0) % DIMENSIONS
    vector[place] = (vector[place] ?? 0) + 1
  }
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((value) => value / norm)
}

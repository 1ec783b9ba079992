import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { CorruptedFileError } from '../../src/index.js'
import { buildStreamFile } from '../support/container-parts.js'
import { OPTIONS, patternBytes } from '../support/encrypted-files.js'
import { HEADER_SIZE, PASSES, passFlowing, readStreamFile, STORED } from '../support/piped-bytes.js'

const { keyManager, purpose } = OPTIONS
const runs = (count: number): { numRuns: number } => ({ numRuns: process.env['SLOW'] === '1' ? count * 20 : count })

/** Lengths around whole segments often. */
const anyLength = fc.oneof(
  fc.nat(4 * 8_192),
  fc.tuple(fc.nat(4), fc.integer({ min: -1, max: 1 })).map(([count, step]) => Math.max(0, count * 4_096 + step)),
)
const anyPass = fc.constantFrom(...PASSES.map(([, pass]) => pass))

/** Where to cut: as parts of the whole, so that they fit any length. */
const anyCuts = fc.oneof(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }), fc.constant([]))

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const positions = [0, ...cuts.map((cut) => Math.round(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
  return positions.slice(1).map((end, i) => bytes.subarray(positions[i], end))
}

const anyCase = fc.record({
  length: anyLength,
  segmentSize: fc.constantFrom(4_096, 8_192),
  cipher: fc.constantFrom('aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv'),
  context: fc.uint8Array({ maxLength: 20 }),
  passes: fc.tuple(anyPass, anyPass),
  cuts: fc.tuple(anyCuts, anyCuts),
})

test.prop([anyCase], runs(100))('what was encrypted decrypts, in whatever chunks it comes', async (any) => {
  const { length, segmentSize, cipher, context, passes, cuts } = any
  const plaintext = patternBytes(length)
  const options = { keyManager, purpose, segmentSize, cipher, context }
  const encrypted = await passes[0]('encrypt', options, cutAt(plaintext, cuts[0]))
  expect(encrypted.ended).toBe(true)
  expect(readStreamFile(encrypted.output, length, options)?.equals(plaintext)).toBe(true)
  const { output, ended } = await passes[1]('decrypt', options, cutAt(encrypted.output, cuts[1]))
  expect(ended && output.equals(plaintext)).toBe(true)
})

/** Changes to a stream, as parts of the whole: cut out from..to, put there what lies elsewhere, or other bytes. */
const anyChange = fc.record({
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.oneof(fc.constantFrom(0, 1, 16, STORED), fc.nat(3 * STORED)),
  copiedFrom: fc.double({ min: 0, max: 1, noNaN: true }),
  copied: fc.oneof(fc.constantFrom(0, 1, 16, STORED), fc.nat(3 * STORED)),
  bySegment: fc.boolean(),
})

test.prop([anyLength, fc.array(anyChange, { minLength: 1, maxLength: 3 }), anyCuts], runs(300))(
  'what is not the whole stream never ends well, and gives nothing but its beginning',
  async (length, changes, cuts) => {
    const plaintext = patternBytes(length)
    const bytes = buildStreamFile(plaintext, OPTIONS)
    let changed = bytes
    for (const { from, removed, copiedFrom, copied, bySegment } of changes) {
      const place = (part: number): number => {
        const position = Math.round(part * (changed.length - HEADER_SIZE))
        return HEADER_SIZE + (bySegment ? Math.floor(position / STORED) * STORED : position)
      }
      const copy = changed.subarray(place(copiedFrom), place(copiedFrom) + copied)
      changed = Buffer.concat([changed.subarray(0, place(from)), copy, changed.subarray(place(from) + removed)])
    }
    const { output, ended, error } = await passFlowing('decrypt', OPTIONS, cutAt(changed, cuts))
    if (changed.equals(bytes)) expect(ended && output.equals(plaintext)).toBe(true)
    else {
      expect(ended).toBe(false)
      // Of a stream that was cut behind a whole segment, that one is held back, and the next one is missed.
      const passed = output.length / 4_096
      expect(error).toMatchObject({ name: 'CorruptedFileError' })
      expect([passed, passed + 1]).toContain((error as CorruptedFileError).segment)
      expect(plaintext.subarray(0, output.length).equals(output)).toBe(true)
    }
  },
)

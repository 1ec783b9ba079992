import { describe, expect, test } from 'vitest'
import { buildKeySlot, findKeySlot, keyCheckHeader, keySlotPosition, type KeySlot } from '../../src/container/key-slots.js'
import { buildPreamble, PREAMBLE_SIZE, sealParameters } from '../../src/container/preamble.js'
import { AEADS } from '../../src/seal/suites.js'
import { errorOf, patternBytes, sealfileError } from '../support/encrypted-files.js'

const PREAMBLE = buildPreamble({
  kind: 'editable',
  parameters: sealParameters('editable', AEADS['aes-256-gcm'], 65_536, patternBytes(32)),
  commitment: patternBytes(32, 2),
})
const EMPTY = new Uint8Array(96)

function slotContent(sequence: number, seed = sequence): KeySlot {
  return {
    sequence,
    generation: seed + 1,
    keyringId: Uint8Array.from(patternBytes(16, seed)),
    wrappedKey: Uint8Array.from(patternBytes(40, seed)),
    keyCheck: Uint8Array.from(patternBytes(16, seed + 9)),
  }
}

function header(first: Uint8Array, second: Uint8Array): Buffer {
  return Buffer.concat([PREAMBLE, first, second, Buffer.alloc(1_000)])
}

const slot = (index: number, content: KeySlot): Uint8Array => buildKeySlot(PREAMBLE, index, content)

describe('key slots', () => {
  test('lie one behind the other behind the preamble', () => {
    expect(keySlotPosition(0)).toBe(PREAMBLE_SIZE)
    expect(keySlotPosition(1)).toBe(PREAMBLE_SIZE + 96)
    expect(slot(0, slotContent(1)).length).toBe(96)
  })

  test('of a new file: the first is live, the other empty', () => {
    expect(findKeySlot(header(slot(0, slotContent(1)), EMPTY))).toEqual({ slot: 0, content: slotContent(1) })
  })

  test('the one written last is live, in whichever place', () => {
    expect(findKeySlot(header(slot(0, slotContent(1)), slot(1, slotContent(2))))).toEqual({ slot: 1, content: slotContent(2) })
    expect(findKeySlot(header(slot(0, slotContent(3)), slot(1, slotContent(2))))).toEqual({ slot: 0, content: slotContent(3) })
    expect(findKeySlot(header(EMPTY, slot(1, slotContent(2))))).toEqual({ slot: 1, content: slotContent(2) })
  })

  test('are two: one that would be whole in a third place does not count', () => {
    const third = Buffer.concat([PREAMBLE, slot(0, slotContent(1)), EMPTY, slot(2, slotContent(9)), Buffer.alloc(900)])
    expect(findKeySlot(third)).toEqual({ slot: 0, content: slotContent(1) })
  })

  test('sequence numbers are compared up to 2^32 - 1', () => {
    const newest = slotContent(2 ** 32 - 1, 5)
    expect(findKeySlot(header(slot(0, newest), slot(1, slotContent(2 ** 32 - 2, 4))))).toEqual({ slot: 0, content: newest })
  })

  test('a newer one that was torn at any byte leaves the older one live', () => {
    const newer = slot(1, slotContent(2))
    for (let kept = 0; kept < newer.length; kept++) {
      const torn = Uint8Array.from(newer).fill(0, kept)
      if (Buffer.from(torn).equals(newer)) continue
      expect(findKeySlot(header(slot(0, slotContent(1)), torn)), `torn after ${kept}`).toEqual({ slot: 0, content: slotContent(1) })
    }
  })

  test('a copy of one in the place of the other is none', () => {
    const copied = slot(0, slotContent(2))
    expect(findKeySlot(header(slot(0, slotContent(1)), copied))).toEqual({ slot: 0, content: slotContent(1) })
    expect(errorOf(() => findKeySlot(header(EMPTY, copied)))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('with any bit changed is none', () => {
    const whole = slot(0, slotContent(1))
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Uint8Array.from(whole)
      changed[Math.floor(bit / 8)]! ^= 1 << (bit % 8)
      expect(errorOf(() => findKeySlot(header(changed, EMPTY))).code).toBe('ERR_SEALFILE_FORMAT_HEADER')
    }
  })

  test('belong to one preamble: any other leaves none', () => {
    const bytes = header(slot(0, slotContent(1)), slot(1, slotContent(2)))
    for (let byte = 0; byte < PREAMBLE_SIZE; byte++) {
      const changed = Buffer.from(bytes)
      changed[byte]! ^= 0x10
      expect(errorOf(() => findKeySlot(changed)).code, `byte ${byte}`).toBe('ERR_SEALFILE_FORMAT_HEADER')
    }
  })

  test('both wiped, or with a sequence that no writer gives, leave none', () => {
    expect(errorOf(() => findKeySlot(header(EMPTY, EMPTY)))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
    expect(errorOf(() => findKeySlot(header(slot(0, slotContent(0)), EMPTY)))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('are authenticated with their place, their sequence and the preamble', () => {
    const headers = [
      keyCheckHeader(PREAMBLE, 0, 1),
      keyCheckHeader(PREAMBLE, 1, 1),
      keyCheckHeader(PREAMBLE, 0, 2),
      keyCheckHeader(Uint8Array.from(PREAMBLE).fill(1, 95), 0, 1),
    ]
    expect(new Set(headers.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBe(headers.length)
    expect(new Set(headers.map((bytes) => bytes.length)).size).toBe(1)
  })
})

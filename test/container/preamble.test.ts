import { describe, expect, test } from 'vitest'
import {
  buildPreamble,
  checkUnused,
  globalAssociatedData,
  headerSizeOf,
  parsePreamble,
  PREAMBLE_SIZE,
  sealParameters,
  type ContainerKind,
  type Preamble,
} from '../../src/container/preamble.js'
import { AEADS, type CipherName } from '../../src/seal/suites.js'
import { errorOf, sealfileError } from '../support/encrypted-files.js'

const KINDS: readonly ContainerKind[] = ['editable', 'stream']
const CIPHERS = Object.keys(AEADS) as CipherName[]
const SALT = Uint8Array.from({ length: 32 }, (_, i) => i + 10)
const COMMITMENT = Uint8Array.from({ length: 32 }, (_, i) => 200 - i)

function preambleOf(kind: ContainerKind, cipher: CipherName = 'aes-256-gcm', segmentSize = 65_536): Preamble {
  return { kind, parameters: sealParameters(kind, AEADS[cipher], segmentSize, SALT), commitment: COMMITMENT }
}

describe('a preamble', () => {
  test.each(KINDS.flatMap((kind) => CIPHERS.map((cipher) => [kind, cipher] as const)))('round trips: %s, %s', (kind, cipher) => {
    for (const segmentSize of [4_096, 65_536, 16 * 2 ** 20]) {
      const preamble = preambleOf(kind, cipher, segmentSize)
      const bytes = buildPreamble(preamble)
      expect(bytes.length).toBe(PREAMBLE_SIZE)
      expect(parsePreamble(bytes)).toEqual(preamble)
    }
  })

  test('lies where a reader in any language finds it', () => {
    const bytes = Buffer.from(buildPreamble(preambleOf('editable')))
    expect(bytes.toString('hex', 0, 8)).toBe('d35345414c0d0a1a')
    expect(bytes.readUInt16BE(8)).toBe(1)
    expect(bytes.readUInt16BE(10)).toBe(1_280)
    expect(bytes.readUInt8(12)).toBe(1)
    expect(bytes.readUInt16BE(16)).toBe(2)
    expect(bytes.readUInt32BE(24)).toBe(65_536)
    expect(bytes.subarray(32, 64)).toEqual(Buffer.from(SALT))
    expect(bytes.subarray(64, 96)).toEqual(Buffer.from(COMMITMENT))
    expect(Buffer.from(buildPreamble(preambleOf('stream'))).readUInt16BE(10)).toBe(288)
  })

  test('fixes the profile of each kind', () => {
    expect(preambleOf('editable').parameters).toMatchObject({ protocol: 'SEAL-RW-v1', nonceMode: 'random' })
    expect(preambleOf('stream').parameters).toMatchObject({ protocol: 'SEAL-RO-v1', nonceMode: 'derived' })
    expect(headerSizeOf('editable')).toBe(1_280)
    expect(headerSizeOf('stream')).toBe(288)
  })

  test('is read from the start of a longer array, and copied from it', () => {
    const bytes = Buffer.concat([buildPreamble(preambleOf('editable')), Buffer.alloc(5_000, 0xff)])
    const preamble = parsePreamble(bytes)
    bytes.fill(0)
    expect(preamble).toEqual(preambleOf('editable'))
  })

  test('with any bit before salt and commitment changed is none', () => {
    for (const kind of KINDS) {
      const bytes = buildPreamble(preambleOf(kind))
      for (let bit = 0; bit < 32 * 8; bit++) {
        const changed = Uint8Array.from(bytes)
        changed[Math.floor(bit / 8)]! ^= 1 << (bit % 8)
        const { code } = errorOf(() => parsePreamble(changed))
        const byte = Math.floor(bit / 8)
        expect(code, `byte ${byte}`).toBe(
          byte < 5
            ? 'ERR_SEALFILE_FORMAT'
            : byte === 8 || byte === 9
              ? 'ERR_SEALFILE_FORMAT_VERSION'
              : 'ERR_SEALFILE_FORMAT_HEADER',
        )
      }
    }
  })

  test('of a later version says so, and what to do', () => {
    const bytes = buildPreamble(preambleOf('editable'))
    bytes[9] = 2
    expect(() => parsePreamble(bytes)).toThrow(/version 2.*update/)
  })

  test('that a text-mode transfer changed is told from another file', () => {
    const bytes = Buffer.from(buildPreamble(preambleOf('editable')))
    const withoutReturn = Buffer.concat([bytes.subarray(0, 5), bytes.subarray(6)])
    expect(() => parsePreamble(withoutReturn)).toThrow(/text mode/)
    const withReturns = Buffer.concat([bytes.subarray(0, 6), Buffer.from('\r'), bytes.subarray(6)])
    expect(errorOf(() => parsePreamble(withReturns))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('cut short is truncated, and an empty file is no file of ours', () => {
    const bytes = buildPreamble(preambleOf('editable'))
    expect(errorOf(() => parsePreamble(bytes.subarray(0, 0)))).toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
    for (let size = 1; size < PREAMBLE_SIZE; size++) {
      expect(errorOf(() => parsePreamble(bytes.subarray(0, size)))).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
    }
  })

  test.each([0, 1, 4_095, 4_097, 12_288, 32 * 2 ** 20, 2 ** 31, 2 ** 32 - 1])('with segments of %d bytes is refused', (size) => {
    const bytes = Buffer.from(buildPreamble(preambleOf('editable')))
    bytes.writeUInt32BE(size, 24)
    expect(errorOf(() => parsePreamble(bytes))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('of one kind does not pass for the other', () => {
    const bytes = Buffer.from(buildPreamble(preambleOf('editable')))
    bytes[12] = 2
    expect(errorOf(() => parsePreamble(bytes))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })
})

test('bytes of an editable header that version 1 does not use must be zero', () => {
  const header = new Uint8Array(1_280).fill(1)
  header.fill(0, 288, 512)
  expect(() => checkUnused(header, 288)).not.toThrow()
  for (const position of [288, 400, 511]) {
    const changed = Uint8Array.from(header)
    changed[position] = 1
    expect(errorOf(() => checkUnused(changed, 288))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  }
})

describe('the associated data', () => {
  const base = sealParameters('editable', AEADS['aes-256-gcm'], 65_536, SALT)
  const bytes = (kind: ContainerKind, parameters: typeof base, purpose: string, context: string) =>
    Buffer.from(globalAssociatedData(kind, parameters, purpose, Buffer.from(context))).toString('hex')

  test('differs with everything that a reader must know', () => {
    const all = [
      bytes('editable', base, 'purpose', 'context'),
      bytes('stream', sealParameters('stream', AEADS['aes-256-gcm'], 65_536, SALT), 'purpose', 'context'),
      bytes('editable', sealParameters('editable', AEADS['chacha20-poly1305'], 65_536, SALT), 'purpose', 'context'),
      bytes('editable', sealParameters('editable', AEADS['aes-256-gcm'], 4_096, SALT), 'purpose', 'context'),
      bytes('editable', sealParameters('editable', AEADS['aes-256-gcm'], 65_536, COMMITMENT), 'purpose', 'context'),
      bytes('editable', base, 'purpos', 'econtext'),
      bytes('editable', base, 'purposecontext', ''),
      bytes('editable', base, 'purpose', ''),
    ]
    expect(new Set(all).size).toBe(all.length)
  })
})

import { describe, expect, test } from 'vitest'
import { KeyringError } from '../../src/errors.js'
import { omitFields, type JsonObject } from '../../src/keys/canonical-json.js'
import { buildGeneration, buildSlot, isAuthentic, parseKeyring, serializeKeyring } from '../../src/keys/keyring.js'
import { coded, fromHex, VECTOR, vectorJson, withChecksum } from './support.js'

type Json = Record<string, unknown>

const refused = coded(KeyringError, 'ERR_SEALFILE_KEYRING') as Error
const text = (json: unknown) => Buffer.from(JSON.stringify(json))
const macKey = fromHex(VECTOR.steps.macKey)

/** The frozen keyring, changed by someone who recomputes the checksum. */
function changed(change: (json: Json & { slots: Json[]; generations: Json[] }) => unknown): Buffer {
  const json = vectorJson() as Json & { slots: Json[]; generations: Json[] }
  return withChecksum(change(json) ?? json)
}

test('the intact keyring is read', () => {
  const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
  expect(keyring.id).toEqual(fromHex(VECTOR.keyringId))
  expect(keyring).toMatchObject({ revision: 3, current: 2, generations: [{ generation: 1 }, { generation: 2 }] })
  expect(keyring.slots).toMatchObject([
    { type: 'passphrase', argon2: { memoryKiB: 256, passes: 2, lanes: 2 } },
    { type: 'unknown' },
  ])
  expect(isAuthentic(keyring, macKey)).toBe(true)
  expect(isAuthentic(keyring, new Uint8Array(32))).toBe(false)
})

test('white space and the order of fields are free', () => {
  const reversed = Object.fromEntries(Object.entries(vectorJson()).reverse())
  const keyring = parseKeyring(Buffer.from(JSON.stringify(reversed, null, '\t\r\n ')))
  expect(isAuthentic(keyring, macKey)).toBe(true)
})

describe('damage that the checksum names', () => {
  const file = Buffer.from(VECTOR.keyring)

  test('every byte', () => {
    let equal = 0
    for (let i = 0; i < file.length; i++) {
      for (const mask of [0x01, 0x20, 0x2a, 0x80]) {
        const damaged = Buffer.from(file)
        damaged[i]! ^= mask
        try {
          const keyring = parseKeyring(damaged)
          // Only white space that became other white space may pass.
          expect(keyring).toEqual(parseKeyring(file))
          expect(String.fromCharCode(file[i]!)).toMatch(/\s/)
          equal++
        } catch (error) {
          expect(error).toEqual(refused)
        }
      }
    }
    expect(equal).toBeGreaterThan(0)
  })

  test('every truncation but that of the last line break', () => {
    for (let length = 0; length < file.length - 1; length++) {
      expect(() => parseKeyring(file.subarray(0, length))).toThrow(refused)
    }
    expect(isAuthentic(parseKeyring(file.subarray(0, -1)), macKey)).toBe(true)
  })

  test('a changed mac, which needs no key to be found', () => {
    expect(() => parseKeyring(text({ ...vectorJson(), mac: Buffer.alloc(32).toString('base64url') }))).toThrow(/checksum/)
  })

  test('a later version that is damage', () => {
    expect(() => parseKeyring(text({ ...vectorJson(), version: 2 }))).toThrow(refused)
  })
})

test('what a stranger changed fits the checksum, and not the mac', () => {
  for (const change of [
    (json: Json) => ({ ...json, revision: 4 }),
    (json: Json) => ({ ...json, current: 1 }),
    (json: Json) => ({ ...json, note: 'other' }),
    (json: Json) => ({ ...json, later: true }),
    (json: Json & { slots: Json[] }) => ({ ...json, slots: json.slots.slice(0, 1) }),
    (json: Json & { slots: Json[] }) => ({ ...json, slots: [json.slots[0], { ...json.slots[1], slot: 10 }] }),
    (json: Json & { generations: Json[] }) => ({ ...json, generations: json.generations.slice(1) }),
  ]) {
    expect(isAuthentic(parseKeyring(changed(change)), macKey)).toBe(false)
  }
  expect(isAuthentic(parseKeyring(changed((json) => json)), macKey)).toBe(true)
})

describe('shapes that no keyring has', () => {
  const slot = (json: Json & { slots: Json[] }) => json.slots[0]!
  const kdf = (json: Json & { slots: Json[] }) => slot(json).kdf as Json
  const other = (i: number) => Buffer.from([...new Uint8Array(12), i >> 8, i, 0, 1]).toString('base64url')

  test.each<[string, (json: Json & { slots: Json[]; generations: Json[] }) => unknown]>([
    ['another format', (json) => (json.format = 'something')],
    ['a version 0', (json) => (json.version = 0)],
    ['a version as text', (json) => (json.version = '1')],
    ['no id', (json) => delete json.id],
    ['a short id', (json) => (json.id = 'AAAA')],
    ['an id with padding', (json) => (json.id = `${String(json.id)}==`)],
    ['an id in the other alphabet', (json) => (json.id = '+/+/+/+/+/+/+/+/+/+/+w')],
    ['an id whose last bits are not zero', (json) => (json.id = 'AAECAwQFBgcICQoLDA0ODx')],
    ['a revision of 0', (json) => (json.revision = 0)],
    ['a revision that is no integer', (json) => (json.revision = 1.5)],
    ['no slots', (json) => (json.slots = [])],
    ['slots that are no list', (json) => (json.slots = {} as never)],
    ['a slot that is null', (json) => (json.slots[1] = null as never)],
    ['a slot without a type', (json) => delete json.slots[1]!.type],
    ['a slot without an id', (json) => delete json.slots[1]!.id],
    ['two slots of one id', (json) => (json.slots[1]!.id = slot(json).id)],
    ['65 slots', (json) => (json.slots = Array.from({ length: 65 }, (_, i) => ({ id: other(i), type: 'x' })))],
    ['a passphrase slot without kdf', (json) => delete slot(json).kdf],
    ['a kdf without a name', (json) => delete kdf(json).name],
    ['too little memory', (json) => (kdf(json).memoryKiB = 15)],
    ['memory over the RFC', (json) => (kdf(json).memoryKiB = 2 ** 32)],
    ['negative memory', (json) => (kdf(json).memoryKiB = -256)],
    ['no passes', (json) => (kdf(json).passes = 0)],
    ['no lanes', (json) => (kdf(json).lanes = 0)],
    ['a short salt', (json) => (kdf(json).salt = 'AAAA')],
    ['a short wrapped key', (json) => (slot(json).wrappedKey = 'AAAA')],
    ['no generations', (json) => (json.generations = [])],
    ['a generation twice', (json) => (json.generations[1]!.generation = 1)],
    ['a generation 0', (json) => (json.generations[0]!.generation = 0)],
    ['a generation over 32 bits', (json) => (json.generations[0]!.generation = 2 ** 32)],
    ['a current generation that is missing', (json) => (json.current = 3)],
    ['no current generation', (json) => delete json.current],
    ['a short mac', (json) => (json.mac = 'AAAA')],
    ['8,193 generations', (json) => (json.generations = Array.from({ length: 8_193 }, (_, i) => ({ generation: i + 1 })))],
    ['a number that is no integer somewhere', (json) => (json.later = [{ ratio: 0.5 }])],
    ['a lone surrogate somewhere', (json) => (json.later = '\ud800')],
  ])('%s', (_, change) => {
    const json = vectorJson() as Json & { slots: Json[]; generations: Json[] }
    change(json)
    let file: Buffer
    try {
      file = withChecksum(json)
    } catch {
      file = text(json)
    }
    expect(() => parseKeyring(file)).toThrow(refused)
  })

  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '17'],
    ['no JSON', '{"format"'],
    ['a byte order mark', `\ufeff${VECTOR.keyring}`],
    ['brackets without end', '['.repeat(1_000_000)],
    [
      'deep nesting',
      `{"format":"sealfile-keyring","version":1,"checksum":"${'A'.repeat(43)}","x":${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
    ],
    ['more than 1 MiB', VECTOR.keyring + ' '.repeat(1_048_577 - Buffer.byteLength(VECTOR.keyring))],
  ])('%s', (_, file) => {
    expect(() => parseKeyring(Buffer.from(file))).toThrow(refused)
  })

  test('1 MiB is not too much', () => {
    const file = Buffer.from(VECTOR.keyring + ' '.repeat(1_048_576 - Buffer.byteLength(VECTOR.keyring)))
    expect(isAuthentic(parseKeyring(file), macKey)).toBe(true)
  })

  test('text that is no UTF-8', () => {
    expect(() => parseKeyring(Buffer.concat([Buffer.from('{"format":"'), Buffer.of(0xff), Buffer.from('"}')]))).toThrow(refused)
  })
})

test('an intact keyring of a later version says so, whatever else it holds', () => {
  const later = withChecksum({ format: 'sealfile-keyring', version: 2, boxes: [] })
  expect(() => parseKeyring(later, '/keys/ring.json')).toThrow(coded(KeyringError, 'ERR_SEALFILE_KEYRING_VERSION'))
  expect(() => parseKeyring(later, '/keys/ring.json')).toThrow('/keys/ring.json')
})

test('fields are own fields: a prototype adds none', () => {
  const file = changed((json) => omitFields(json as JsonObject, 'current'))
  Object.defineProperty(Object.prototype, 'current', { value: 2, configurable: true })
  try {
    expect(() => parseKeyring(file)).toThrow(refused)
  } finally {
    delete (Object.prototype as { current?: unknown }).current
  }
})

describe('forward compatibility', () => {
  test('what is not known is kept, and covered, when the keyring is written again', () => {
    const json = vectorJson() as Json & { slots: Json[]; generations: Json[] }
    json.slots[0]!.label = 'laptop'
    json.generations[0]!.created = { year: 2031 }
    const source = JSON.stringify(json).replace('{', '{"__proto__":{"polluted":[true]},')
    const parsed = parseKeyring(withChecksum(JSON.parse(source)))
    const written = serializeKeyring({ ...parsed, revision: 4 }, macKey)
    const read = parseKeyring(written)
    expect(isAuthentic(read, macKey)).toBe(true)
    const own = JSON.parse(Buffer.from(written).toString()) as Json & { slots: Json[]; generations: Json[] }
    expect(own).toMatchObject({
      revision: 4,
      note: 'déjà vu',
      slots: [{ label: 'laptop' }, { type: 'com.example.token', slot: 9 }],
    })
    expect(own.generations[0]).toMatchObject({ created: { year: 2031 } })
    expect(Object.getOwnPropertyDescriptor(own, '__proto__')!.value).toEqual({ polluted: [true] })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    own.slots[0]!.label = 'stolen'
    expect(isAuthentic(parseKeyring(withChecksum(own)), macKey)).toBe(false)
  })

  test.each([
    ['another type', (slot: Json) => ({ ...slot, type: 'fido2' })],
    ['another KDF', (slot: Json) => ({ ...slot, kdf: { name: 'balloon', rounds: 3 } })],
    ['another version of Argon2', (slot: Json) => ({ ...slot, kdf: { ...(slot.kdf as Json), version: 20 } })],
  ])('a slot of %s is left alone', (_, change) => {
    const keyring = parseKeyring(changed((json) => ({ ...json, slots: [change(json.slots[0]!)] })))
    expect(keyring.slots).toMatchObject([{ type: 'unknown' }])
  })

  test('the same again: a rewrite changes no byte', () => {
    expect(Buffer.from(serializeKeyring(parseKeyring(Buffer.from(VECTOR.keyring)), macKey)).toString()).toBe(VECTOR.keyring)
  })

  test('as many slots and generations as there may be fit into a file', () => {
    const parsed = parseKeyring(Buffer.from(VECTOR.keyring))
    const wrappedKey = new Uint8Array(40).fill(255)
    const slot = {
      argon2: { memoryKiB: 2 ** 32 - 1, passes: 2 ** 32 - 1, lanes: 2 ** 24 - 1 },
      salt: new Uint8Array(16),
      wrappedKey,
    }
    const slots = Array.from({ length: 64 }, (_, i) => buildSlot({ ...slot, type: 'passphrase', id: new Uint8Array(16).fill(i) }))
    const generations = Array.from({ length: 8_192 }, (_, i) => buildGeneration(i === 0 ? 2 ** 32 - 1 : i, wrappedKey))
    const written = parseKeyring(serializeKeyring({ ...parsed, slots, generations }, macKey))
    expect(written.slots).toHaveLength(64)
    expect(written.generations).toHaveLength(8_192)
  })

  test('a keyring that no reader would take is not written', () => {
    const parsed = parseKeyring(Buffer.from(VECTOR.keyring))
    const slots = Array.from({ length: 65 }, () => parsed.slots[0]!)
    expect(() => serializeKeyring({ ...parsed, slots }, macKey)).toThrow(refused)
    expect(() => serializeKeyring({ ...parsed, json: { ...parsed.json, blob: 'x'.repeat(1_048_576) } }, macKey)).toThrow(refused)
  })
})

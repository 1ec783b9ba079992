import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Credential } from '../../src/keys/credentials.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { deriveSlotKek } from '../../src/keys/key-schedule.js'
import { unwrapKey } from '../../src/keys/key-wrap.js'
import { parseKeyring } from '../../src/keys/keyring.js'
import { formatRecoveryKey } from '../../src/keys/recovery-key.js'
import { fromHex, temporaryFolder, toHex } from './support.js'

/** The frozen keyring with a slot of each kind, made by another program. */

interface SlotVector {
  readonly keyring: string
  readonly keyringKey: string
  readonly recovery: { readonly key: string; readonly text: string; readonly kek: string }
  readonly key: { readonly key: string; readonly kek: string }
  readonly provider: { readonly secret: string; readonly sealedSecret: string; readonly kek: string }
}

const VECTOR = JSON.parse(readFileSync(new URL('../vectors/keyring-v1-slots.json', import.meta.url), 'utf8')) as SlotVector
const at = temporaryFolder()

const provider = {
  name: 'example',
  wrap: () => Promise.reject(new Error('nothing is wrapped here')),
  unwrap: (sealed: Uint8Array) => {
    expect(toHex(sealed)).toBe(VECTOR.provider.sealedSecret)
    return Promise.resolve(fromHex(VECTOR.provider.secret))
  },
}

test.each<[string, Credential]>([
  ['its recovery key', { recoveryKey: VECTOR.recovery.text }],
  ['its raw key', { key: fromHex(VECTOR.key.key) }],
  ['its provider', { provider }],
  ['its passphrase', { passphrase: 'correct horse battery staplé' }],
])('opens with %s', async (_, credential) => {
  writeFileSync(at('frozen.json'), VECTOR.keyring)
  using keyManager = await KeyManager.open(at('frozen.json'), credential)
  expect(keyManager.generation).toBe(2)
  expect(keyManager.slots()).toMatchObject([
    { type: 'passphrase' },
    { type: 'unknown' },
    { type: 'recovery', label: 'in the safe' },
    { type: 'key' },
    { type: 'provider', label: 'Tür', provider: 'example' },
  ])
})

test.each([
  ['recovery', VECTOR.recovery.key, VECTOR.recovery.kek],
  ['key', VECTOR.key.key, VECTOR.key.kek],
  ['provider', VECTOR.provider.secret, VECTOR.provider.kek],
] as const)('the slot of type %s, step by step', (type, secret, kek) => {
  const { id, slots } = parseKeyring(Buffer.from(VECTOR.keyring))
  const slot = slots.find((other) => other.type === type)!
  if (slot.type === 'unknown') throw new Error('the slot is of no known type')
  expect(toHex(deriveSlotKek(type, fromHex(secret), id, slot.id))).toBe(kek)
  expect(toHex(unwrapKey(fromHex(kek), slot.wrappedKey)!)).toBe(VECTOR.keyringKey)
})

test('the recovery key as text', () => {
  expect(formatRecoveryKey(fromHex(VECTOR.recovery.key))).toBe(VECTOR.recovery.text)
})

test('docs/keyring.md shows the same values', () => {
  const doc = readFileSync(new URL('../../docs/keyring.md', import.meta.url), 'utf8')
  const { recovery, key, provider: given } = VECTOR
  for (const value of [recovery.text, recovery.key, recovery.kek, key.key, key.kek, given.secret, given.kek]) {
    expect(doc).toContain(value)
  }
})

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { deriveFromPassphrase } from '../../src/keys/argon2id.js'
import { canonicalText, omitFields, type JsonObject } from '../../src/keys/canonical-json.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import {
  computeKeyCheck,
  deriveCheckKey,
  deriveFileKek,
  deriveGenerationKek,
  deriveKeyringMacKey,
  deriveRawKeyId,
  deriveSlotKek,
} from '../../src/keys/key-schedule.js'
import { unwrapKey } from '../../src/keys/key-wrap.js'
import { parseKeyring } from '../../src/keys/keyring.js'
import { encodePassphrase } from '../../src/keys/credentials.js'
import { computeHmac } from '../../src/seal/kdf.js'
import { HKDF_SHA256 } from '../../src/seal/suites.js'
import { fromHex, temporaryFolder, toHex, VECTOR } from './support.js'

const at = temporaryFolder()
const { passphrase, steps, file, fileKeys, rawKey } = VECTOR
const keyringId = fromHex(VECTOR.keyringId)
const request = (purpose: string) => ({ purpose, salt: fromHex(file.salt), header: fromHex(file.header) })

type FileKey = (typeof fileKeys)[number]
const wrappedFileKey = (fileKey: FileKey, id: string) => ({
  keyringId: fromHex(id),
  generation: fileKey.generation,
  wrappedKey: fromHex(fileKey.wrappedKey),
  keyCheck: fromHex(fileKey.keyCheck),
})

describe('the frozen keyring', () => {
  test.each(['NFC', 'NFD'] as const)('opens with its passphrase in form %s', async (form) => {
    const path = at(`frozen-${form}.json`)
    await writeFile(path, VECTOR.keyring)
    using keyManager = await KeyManager.open(path, { passphrase: passphrase.normalize(form) })
    expect(toHex(keyManager.id)).toBe(VECTOR.keyringId)
    expect(keyManager.generation).toBe(2)
    for (const fileKey of fileKeys) {
      expect(toHex(keyManager.unwrapFileKey(request(fileKey.purpose), wrappedFileKey(fileKey, VECTOR.keyringId)))).toBe(file.dek)
    }
    expect(keyManager.wrapFileKey(request('config'), fromHex(file.dek))).toEqual(wrappedFileKey(fileKeys[0]!, VECTOR.keyringId))
  })

  test('a raw key gives what it gave', () => {
    using keyManager = KeyManager.fromKey(fromHex(rawKey.key))
    expect(toHex(keyManager.id)).toBe(rawKey.keyringId)
    const { fileKey } = rawKey
    expect(keyManager.wrapFileKey(request(fileKey.purpose), fromHex(file.dek))).toEqual(wrappedFileKey(fileKey, rawKey.keyringId))
    expect(toHex(keyManager.unwrapFileKey(request(fileKey.purpose), wrappedFileKey(fileKey, rawKey.keyringId)))).toBe(file.dek)
  })
})

describe('step by step', () => {
  const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
  const slot = keyring.slots[0]!
  if (slot.type !== 'passphrase') throw new Error('the first slot is for a passphrase')
  const json = JSON.parse(VECTOR.keyring) as JsonObject

  test('slot', async () => {
    const bytes = encodePassphrase(passphrase)
    expect(toHex(bytes)).toBe(steps.passphraseBytes)
    const output = await deriveFromPassphrase({ passphrase: bytes, salt: slot.salt, parameters: slot.argon2 })
    expect(toHex(output)).toBe(steps.argon2Output)
    const kek = deriveSlotKek('passphrase', output, keyringId, slot.id)
    expect(toHex(kek)).toBe(steps.slotKek)
    expect(toHex(unwrapKey(kek, slot.wrappedKey)!)).toBe(steps.keyringKey)
  })

  test('mac and checksum', () => {
    const macKey = deriveKeyringMacKey(fromHex(steps.keyringKey), keyringId)
    expect(toHex(macKey)).toBe(steps.macKey)
    expect(canonicalText(omitFields(json, 'mac', 'checksum'))).toBe(steps.macText)
    expect(toHex(computeHmac(HKDF_SHA256, macKey, Buffer.from(steps.macText)))).toBe(steps.mac)
    expect(
      createHash('sha256')
        .update(canonicalText(omitFields(json, 'checksum')))
        .digest('hex'),
    ).toBe(steps.checksum)
    expect(json.mac).toBe(Buffer.from(steps.mac, 'hex').toString('base64url'))
    expect(json.checksum).toBe(Buffer.from(steps.checksum, 'hex').toString('base64url'))
  })

  test('generations', () => {
    keyring.generations.forEach(({ generation, wrappedKey }, i) => {
      const kek = deriveGenerationKek(fromHex(steps.keyringKey), { keyringId, generation })
      expect(toHex(kek)).toBe(steps.generationKeks[i])
      expect(toHex(unwrapKey(kek, wrappedKey)!)).toBe(steps.masterKeys[i])
    })
  })

  test.each([
    ...fileKeys.map((fileKey) => [fileKey, VECTOR.keyringId, steps.masterKeys[fileKey.generation - 1]!] as const),
    [rawKey.fileKey, rawKey.keyringId, rawKey.key] as const,
  ])('file key %#', (fileKey, id, masterKey) => {
    const name = { keyringId: fromHex(id), generation: fileKey.generation }
    const kek = deriveFileKek(fromHex(masterKey), Buffer.from(fileKey.purpose), fromHex(file.salt), name)
    expect(toHex(kek)).toBe(fileKey.kek)
    const checkKey = deriveCheckKey(fromHex(masterKey), name)
    expect(toHex(checkKey)).toBe(fileKey.checkKey)
    expect(toHex(computeKeyCheck(checkKey, fromHex(file.header), name, fromHex(fileKey.wrappedKey)))).toBe(fileKey.keyCheck)
  })

  test('identifier of a raw key', () => {
    expect(toHex(deriveRawKeyId(fromHex(rawKey.key)))).toBe(rawKey.keyringId)
  })
})

describe('the worked example in docs/keyring.md', () => {
  const doc = readFileSync(new URL('../../docs/keyring.md', import.meta.url), 'utf8')

  test('shows the frozen keyring', () => {
    expect(doc).toContain('```json\n' + VECTOR.keyring + '```')
  })

  test('shows every value of it', () => {
    const values = JSON.parse(readFileSync(new URL('../vectors/keyring-v1.json', import.meta.url), 'utf8')) as unknown
    const hex = JSON.stringify(values).match(/"[0-9a-f]{18,}"/g)!
    expect(hex.length).toBeGreaterThan(25)
    for (const value of hex) expect(doc).toContain(value.slice(1, -1))
    expect(doc).toContain(steps.macText)
    expect(doc).toContain(passphrase)
  })
})

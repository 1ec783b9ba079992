import { expect, test } from 'vitest'
import { equalBytes } from '../../src/bytes/arrays.js'
import { nodeAead, nobleAead, openAead, sealAead } from '../../src/seal/aead.js'
import { computeHmac, hkdfExpand, hkdfExtract } from '../../src/seal/kdf.js'
import { AEADS, HKDF_SHA256, type CipherName } from '../../src/seal/suites.js'
import { describeWycheproof, fromHex, type AeadTest, type WycheproofFile } from '../support/wycheproof.js'

function bytesOf(vector: AeadTest) {
  const [key, nonce, aad, plaintext, ciphertext, tag] = (['key', 'iv', 'aad', 'msg', 'ct', 'tag'] as const).map((name) =>
    fromHex(vector[name]),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  return { key, nonce, aad, plaintext, sealed: { ciphertext, tag } }
}

function aeadTests(file: WycheproofFile<'aes_gcm' | 'aes_gcm_siv' | 'chacha20_poly1305'>, name: CipherName): void {
  const groups = file.testGroups.filter(({ keySize }) => keySize === 256)
  const usual = groups.filter(({ ivSize, tagSize }) => ivSize === 96 && tagSize === 128).flatMap(({ tests }) => tests)
  const valid = usual.filter(({ result }) => result === 'valid')
  const invalid = usual.filter(({ result }) => result === 'invalid')
  const otherNonces = groups.filter(({ ivSize }) => ivSize !== 96).flatMap(({ tests }) => tests)

  const implementations: [string, ReturnType<typeof nobleAead>][] = [['noble', nobleAead(name)]]
  if (name !== 'aes-256-gcm-siv') implementations.push(['node', nodeAead(name)])
  const aead = AEADS[name]
  implementations.push([
    'chosen',
    {
      seal: (key, nonce, aad, plaintext) => sealAead(aead, key, nonce, aad, plaintext),
      open: (key, nonce, aad, sealed) => openAead(aead, key, nonce, aad, sealed),
    },
  ])

  test('has cases of each kind', () => {
    expect(valid.length).toBeGreaterThan(0)
    expect(invalid.length).toBeGreaterThan(0)
    expect(valid.length + invalid.length).toBe(usual.length)
  })

  test.each(implementations)(`${valid.length} valid cases, %s`, (_, implementation) => {
    for (const vector of valid) {
      const { key, nonce, aad, plaintext, sealed } = bytesOf(vector)
      expect(implementation.seal(key, nonce, aad, plaintext), `tcId ${vector.tcId}`).toEqual(sealed)
      expect(implementation.open(key, nonce, aad, sealed), `tcId ${vector.tcId}`).toEqual(plaintext)
    }
  })

  test.each(implementations)(`${invalid.length} invalid cases, %s`, (_, implementation) => {
    for (const vector of invalid) {
      const { key, nonce, aad, sealed } = bytesOf(vector)
      expect(implementation.open(key, nonce, aad, sealed), `tcId ${vector.tcId}`).toBeUndefined()
    }
  })

  test.runIf(otherNonces.length > 0)(`${otherNonces.length} cases with a nonce that is not of 12 bytes`, () => {
    for (const vector of otherNonces) {
      const { key, nonce, aad, plaintext, sealed } = bytesOf(vector)
      expect(() => sealAead(aead, key, nonce, aad, plaintext), `tcId ${vector.tcId}`).toThrow(RangeError)
      expect(() => openAead(aead, key, nonce, aad, sealed), `tcId ${vector.tcId}`).toThrow(RangeError)
    }
  })
}

describeWycheproof('aes_gcm', (file) => {
  aeadTests(file, 'aes-256-gcm')
})

describeWycheproof('aes_gcm_siv', (file) => {
  aeadTests(file, 'aes-256-gcm-siv')
})

describeWycheproof('chacha20_poly1305', (file) => {
  aeadTests(file, 'chacha20-poly1305')
})

describeWycheproof('hkdf_sha256', (file) => {
  const cases = file.testGroups.flatMap(({ tests }) => tests)

  test('has cases of each kind', () => {
    expect(cases).toHaveLength(file.numberOfTests)
    expect(new Set(cases.map(({ result }) => result))).toEqual(new Set(['valid', 'invalid']))
  })

  test(`${cases.length} cases`, () => {
    for (const { tcId, ikm, salt, info, size, okm, result } of cases) {
      const expand = () => hkdfExpand(HKDF_SHA256, hkdfExtract(HKDF_SHA256, fromHex(salt), fromHex(ikm)), fromHex(info), size)
      if (result === 'valid') expect(expand(), `tcId ${tcId}`).toEqual(fromHex(okm))
      else expect(expand, `tcId ${tcId}`).toThrow(RangeError)
    }
  })
})

describeWycheproof('hmac_sha256', (file) => {
  const cases = file.testGroups.flatMap(({ tagSize, tests }) => tests.map((vector) => ({ tagSize, vector })))

  test('has cases of each kind', () => {
    expect(cases).toHaveLength(file.numberOfTests)
    expect(new Set(cases.map(({ vector }) => vector.result))).toEqual(new Set(['valid', 'invalid']))
    expect(new Set(cases.map(({ tagSize }) => tagSize))).toEqual(new Set([128, 256]))
  })

  test(`${cases.length} cases`, () => {
    for (const { tagSize, vector } of cases) {
      const { tcId, key, msg, tag, result } = vector
      const mac = computeHmac(HKDF_SHA256, fromHex(key), fromHex(msg)).subarray(0, tagSize / 8)
      expect(equalBytes(mac, fromHex(tag)), `tcId ${tcId}`).toBe(result === 'valid')
    }
  })
})

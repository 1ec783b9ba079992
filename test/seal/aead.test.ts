import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { nodeAead, nobleAead, openAead, sealAead } from '../../src/seal/aead.js'
import { AEADS, type CipherName } from '../../src/seal/suites.js'
import { bytesOf, flipBit, fromHex, NO_BYTES, runs } from './support.js'

const NATIVE = ['aes-256-gcm', 'chacha20-poly1305'] as const
const CIPHERS: readonly CipherName[] = [...NATIVE, 'aes-256-gcm-siv']

interface AeadVector {
  readonly source: string
  readonly cipher: CipherName
  readonly key: string
  readonly nonce: string
  readonly aad: string
  readonly plaintext: string
  readonly ciphertext: string
  readonly tag: string
}

const VECTORS: readonly AeadVector[] = [
  {
    source: 'RFC 8439 section 2.8.2',
    cipher: 'chacha20-poly1305',
    key: '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f',
    nonce: '070000004041424344454647',
    aad: '50515253c0c1c2c3c4c5c6c7',
    plaintext: Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    ).toString('hex'),
    ciphertext:
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116',
    tag: '1ae10b594f09e26a7e902ecbd0600691',
  },
  {
    source: 'RFC 8452 appendix C.2, no plaintext',
    cipher: 'aes-256-gcm-siv',
    key: '0100000000000000000000000000000000000000000000000000000000000000',
    nonce: '030000000000000000000000',
    aad: '',
    plaintext: '',
    ciphertext: '',
    tag: '07f5f4169bbf55a8400cd47ea6fd400f',
  },
  {
    source: 'RFC 8452 appendix C.2, three blocks with additional data',
    cipher: 'aes-256-gcm-siv',
    key: '0100000000000000000000000000000000000000000000000000000000000000',
    nonce: '030000000000000000000000',
    aad: '01',
    plaintext: '020000000000000000000000000000000300000000000000000000000000000004000000000000000000000000000000',
    ciphertext: 'c67a1f0f567a5198aa1fcc8e3f21314336f7f51ca8b1af61feac35a86416fa47fbca3b5f749cdf564527f2314f42fe25',
    tag: '03332742b228c647173616cfd44c54eb',
  },
  {
    source: 'RFC 8452 appendix C.2, unaligned lengths',
    cipher: 'aes-256-gcm-siv',
    key: '3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23',
    nonce: '688089e55540db1872504e1c',
    aad: '734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541',
    plaintext: 'ced532ce4159b035277d4dfbb7db62968b13cd4eec',
    ciphertext: '626660c26ea6612fb17ad91e8e767639edd6c9faee',
    tag: '9d6c7029675b89eaf4ba1ded1a286594',
  },
  {
    source: 'RFC 8452 appendix C.3, the counter wraps',
    cipher: 'aes-256-gcm-siv',
    key: '0000000000000000000000000000000000000000000000000000000000000000',
    nonce: '000000000000000000000000',
    aad: '',
    plaintext: '000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108',
    ciphertext: 'f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3ea',
    tag: 'ffffffff000000000000000000000000',
  },
]

test.each(VECTORS)('$source', ({ cipher, key, nonce, aad, plaintext, ciphertext, tag }) => {
  const sealed = { ciphertext: fromHex(ciphertext), tag: fromHex(tag) }
  const places = [fromHex(key), fromHex(nonce), fromHex(aad)] as const
  expect(sealAead(AEADS[cipher], ...places, fromHex(plaintext))).toEqual(sealed)
  expect(openAead(AEADS[cipher], ...places, sealed)).toEqual(fromHex(plaintext))
  for (let bit = 0; bit < 128; bit++) {
    expect(openAead(AEADS[cipher], ...places, { ...sealed, tag: flipBit(sealed.tag, bit) })).toBeUndefined()
  }
})

const anyPlaintext = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 20_000 }))

describe.each(NATIVE)('%s of node:crypto and of @noble/ciphers', (cipher) => {
  const node = nodeAead(cipher)
  const noble = nobleAead(cipher)

  test.prop([bytesOf(32), bytesOf(12), fc.uint8Array({ maxLength: 100 }), anyPlaintext, fc.nat()], runs(100))(
    'agree, and open what the other sealed',
    (key, nonce, aad, plaintext, anyBit) => {
      const sealed = node.seal(key, nonce, aad, plaintext)
      expect(noble.seal(key, nonce, aad, plaintext)).toEqual(sealed)
      expect(sealed.ciphertext).toHaveLength(plaintext.length)
      expect(sealed.tag).toHaveLength(16)
      for (const { open } of [node, noble].map((each) => ({ open: each.open.bind(each) }))) {
        expect(open(key, nonce, aad, sealed)).toEqual(plaintext)
        expect(open(key, nonce, aad, { ...sealed, tag: flipBit(sealed.tag, anyBit % 128) })).toBeUndefined()
        expect(open(flipBit(key, anyBit % 256), nonce, aad, sealed)).toBeUndefined()
        expect(open(key, flipBit(nonce, anyBit % 96), aad, sealed)).toBeUndefined()
        expect(open(key, nonce, Uint8Array.of(...aad, 0), sealed)).toBeUndefined()
        if (plaintext.length > 0) {
          const ciphertext = flipBit(sealed.ciphertext, anyBit % (plaintext.length * 8))
          expect(open(key, nonce, aad, { ...sealed, ciphertext })).toBeUndefined()
        }
      }
    },
  )
})

describe.each(CIPHERS)('%s', (cipher) => {
  const aead = AEADS[cipher]
  const key = new Uint8Array(32).fill(1)
  const nonce = new Uint8Array(12).fill(2)
  const plaintext = new Uint8Array(100).fill(3)
  const sealed = sealAead(aead, key, nonce, NO_BYTES, plaintext)

  test('refuses keys and nonces of another length', () => {
    for (const length of [0, 16, 24, 31, 33, 64]) {
      const other = new Uint8Array(length)
      expect(() => sealAead(aead, other, nonce, NO_BYTES, plaintext)).toThrow(RangeError)
      expect(() => openAead(aead, other, nonce, NO_BYTES, sealed)).toThrow(RangeError)
    }
    for (const length of [0, 8, 11, 13, 16, 24]) {
      const other = new Uint8Array(length)
      expect(() => sealAead(aead, key, other, NO_BYTES, plaintext)).toThrow(RangeError)
      expect(() => openAead(aead, key, other, NO_BYTES, sealed)).toThrow(RangeError)
    }
  })

  test('opens no tag of another length, not even the beginning of the right one', () => {
    for (let length = 0; length < 16; length++) {
      expect(openAead(aead, key, nonce, NO_BYTES, { ...sealed, tag: sealed.tag.subarray(0, length) })).toBeUndefined()
    }
    expect(openAead(aead, key, nonce, NO_BYTES, { ...sealed, tag: Uint8Array.of(...sealed.tag, 0) })).toBeUndefined()
  })

  test.prop([bytesOf(32), bytesOf(12), fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 300 }), fc.nat(7)], runs(50))(
    'takes views into larger arrays and Buffers, and gives plain arrays',
    (key, nonce, aad, plaintext, shift) => {
      const expected = sealAead(aead, key, nonce, aad, plaintext)
      const [k, n, a, p, c, t] = [key, nonce, aad, plaintext, expected.ciphertext, expected.tag].map((bytes) => {
        const room = Buffer.alloc(bytes.length + 16, 0xff)
        room.set(bytes, shift)
        return room.subarray(shift, shift + bytes.length)
      }) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
      const made = sealAead(aead, k, n, a, p)
      const opened = openAead(aead, k, n, a, { ciphertext: c, tag: t })
      expect(made).toEqual(expected)
      expect(opened).toEqual(plaintext)
      for (const bytes of [made.ciphertext, made.tag, opened!]) expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
      expect([k, n, a, p].map((bytes) => new Uint8Array(bytes))).toEqual([key, nonce, aad, plaintext])
    },
  )
})

describe('the native implementation', () => {
  const [key, nonce] = [new Uint8Array(32).fill(1), new Uint8Array(12).fill(2)]

  test.each(Object.values(AEADS))('is what $name uses, where there is one', (aead) => {
    const { ciphertext, tag } = sealAead(aead, key, nonce, NO_BYTES, new Uint8Array(64))
    // The one in JavaScript makes both in one piece.
    expect(ciphertext.buffer === tag.buffer).toBe(aead.name === 'aes-256-gcm-siv')
  })

  test.each(['aes-256-gcm', 'chacha20-poly1305'] as const)('takes no short tag of %s, whoever calls it', (name) => {
    const native = nodeAead(name)
    const { ciphertext, tag } = native.seal(key, nonce, NO_BYTES, new Uint8Array(64))
    for (const length of [4, 8, 12, 15]) {
      expect(() => native.open(key, nonce, NO_BYTES, { ciphertext, tag: tag.subarray(0, length) })).toThrow(TypeError)
    }
    expect(native.open(key, nonce, NO_BYTES, { ciphertext, tag })).toEqual(new Uint8Array(64))
  })
})

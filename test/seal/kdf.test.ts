import { hkdfSync } from 'node:crypto'
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { computeHmac, deriveKey, encode, hkdfExpand, hkdfExtract, KeptKdf } from '../../src/seal/kdf.js'
import { findKdf, HKDF_SHA256, HKDF_SHA384, HKDF_SHA512 } from '../../src/seal/suites.js'
import { fromHex, KDFS, NO_BYTES, runs, toHex } from './support.js'

function text(value: string): Uint8Array {
  return fromHex(Buffer.from(value).toString('hex'))
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

/** The bytes `from` to `to`, both included. */
function counting(from: number, to: number): Uint8Array {
  return Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

test('the suites have the identifiers of seal.md', () => {
  expect([1, 2, 3].map(findKdf)).toEqual([HKDF_SHA256, HKDF_SHA384, HKDF_SHA512])
  expect([0, 4, 0x10001, -1, NaN].map(findKdf)).toEqual([undefined, undefined, undefined, undefined, undefined])
})

describe('HMAC, RFC 4231 section 4', () => {
  const LARGER = 'Test Using Larger Than Block-Size Key - Hash Key First'
  const LARGEST =
    'This is a test using a larger than block-size key and a larger than block-size data. ' +
    'The key needs to be hashed before being used by the HMAC algorithm.'
  test.each([
    {
      section: '4.2',
      key: filled(20, 0x0b),
      data: text('Hi There'),
      macs: [
        'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
        'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
        '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
      ],
    },
    {
      section: '4.3',
      key: text('Jefe'),
      data: text('what do ya want for nothing?'),
      macs: [
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
        'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
        '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
      ],
    },
    {
      section: '4.4',
      key: filled(20, 0xaa),
      data: filled(50, 0xdd),
      macs: [
        '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
        '88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27',
        'fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb',
      ],
    },
    {
      section: '4.5',
      key: counting(0x01, 0x19),
      data: filled(50, 0xcd),
      macs: [
        '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
        '3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb',
        'b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd',
      ],
    },
    {
      section: '4.6 (truncated)',
      key: filled(20, 0x0c),
      data: text('Test With Truncation'),
      macs: ['a3b6167473100ee06e0c796c2955552b', '3abf34c3503b2a23a46efc619baef897', '415fad6271580a531d4179bc891d87a6'],
    },
    {
      section: '4.7',
      key: filled(131, 0xaa),
      data: text(LARGER),
      macs: [
        '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
        '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
        '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
      ],
    },
    {
      section: '4.8',
      key: filled(131, 0xaa),
      data: text(LARGEST),
      macs: [
        '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
        '6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
        'e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58',
      ],
    },
  ])('$section', ({ key, data, macs }) => {
    KDFS.forEach((kdf, i) => {
      const mac = computeHmac(kdf, key, data)
      expect(mac).toHaveLength(kdf.hashLength)
      expect(Object.getPrototypeOf(mac)).toBe(Uint8Array.prototype)
      expect(toHex(mac.subarray(0, macs[i]!.length / 2))).toBe(macs[i])
      expect(computeHmac(kdf, key, data.subarray(0, 5), NO_BYTES, data.subarray(5))).toEqual(mac)
    })
  })
})

describe('HKDF-SHA-256, RFC 5869 appendix A', () => {
  test.each([
    {
      section: 'A.1',
      ikm: filled(22, 0x0b),
      salt: counting(0x00, 0x0c),
      info: counting(0xf0, 0xf9),
      prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
      okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      section: 'A.2',
      ikm: counting(0x00, 0x4f),
      salt: counting(0x60, 0xaf),
      info: counting(0xb0, 0xff),
      prk: '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
      okm:
        'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09' +
        'da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    },
    {
      section: 'A.3',
      ikm: filled(22, 0x0b),
      salt: NO_BYTES,
      info: NO_BYTES,
      prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
      okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ])('$section', ({ ikm, salt, info, prk, okm }) => {
    const extracted = hkdfExtract(HKDF_SHA256, salt, ikm)
    expect(toHex(extracted)).toBe(prk)
    expect(toHex(hkdfExpand(HKDF_SHA256, extracted, info, okm.length / 2))).toBe(okm)
  })
})

describe('hkdfExpand', () => {
  const anyLength = fc.oneof(fc.integer({ min: 1, max: 255 * 32 }), fc.constantFrom(1, 31, 32, 33, 48, 49, 64, 65, 255 * 32))

  test.prop([fc.constantFrom(...KDFS), fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), anyLength], runs(200))(
    'agrees with node:crypto',
    (kdf, salt, ikm, info, length) => {
      const expected = new Uint8Array(hkdfSync(kdf.hash, ikm, salt, info, length))
      expect(hkdfExpand(kdf, hkdfExtract(kdf, salt, ikm), info, length)).toEqual(expected)
    },
  )

  test.each(KDFS)('$name gives 1 to 255 * Nh bytes and no others', (kdf) => {
    const prk = filled(kdf.hashLength, 7)
    const longest = 255 * kdf.hashLength
    expect(hkdfExpand(kdf, prk, NO_BYTES, longest)).toHaveLength(longest)
    for (const length of [0, -1, 0.5, 1.5, longest + 1, NaN, Infinity]) {
      expect(() => hkdfExpand(kdf, prk, NO_BYTES, length)).toThrow(RangeError)
    }
  })

  test.each(KDFS)('$name gives an array of its own, with nothing behind it', (kdf) => {
    const prk = filled(kdf.hashLength, 7)
    for (const length of [12, 32, kdf.hashLength, 100]) {
      const key = hkdfExpand(kdf, prk, NO_BYTES, length)
      expect(Object.getPrototypeOf(key)).toBe(Uint8Array.prototype)
      expect(key.buffer.byteLength).toBe(length)
      expect(prk).toEqual(filled(kdf.hashLength, 7))
    }
  })
})

describe('encode', () => {
  test('frames each element with its length', () => {
    expect(toHex(encode(HKDF_SHA256, []))).toBe('')
    expect(toHex(encode(HKDF_SHA256, ['']))).toBe('0000')
    expect(toHex(encode(HKDF_SHA256, ['', NO_BYTES]))).toBe('00000000')
    expect(toHex(encode(HKDF_SHA256, ['ab', fromHex('010203')]))).toBe('000261620003010203')
    expect(toHex(encode(HKDF_SHA256, ['ä']))).toBe('0002c3a4')
  })

  test.each(KDFS)('$name: an element longer than 0xFFFE bytes is replaced by its digest', (kdf) => {
    for (const length of [0xff, 0x100, 0xfffd, 0xfffe]) {
      const element = filled(length, 0x5a)
      const framed = encode(kdf, [element, 'x'])
      expect(framed).toHaveLength(2 + length + 3)
      expect(toHex(framed.subarray(0, 2))).toBe(length.toString(16).padStart(4, '0'))
      expect(Buffer.compare(framed.subarray(2, 2 + length), element)).toBe(0)
      expect(toHex(framed.subarray(-3))).toBe('000178')
    }
    for (const length of [0xffff, 0x10000, 200_000]) {
      const element = filled(length, 0x5a)
      const digest = computeHmac(kdf, text('raAE-LP-v1'), element)
      expect(toHex(encode(kdf, [element, 'x']))).toBe(`ffff${toHex(digest)}000178`)
    }
  })

  const anyList = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 5 })
  test.prop([anyList, anyList], runs(500))('gives different lists different encodings', (a, b) => {
    const same = a.length === b.length && a.every((element, i) => toHex(element) === toHex(b[i]!))
    expect(toHex(encode(HKDF_SHA256, a)) === toHex(encode(HKDF_SHA256, b))).toBe(same)
  })
})

describe('deriveKey', () => {
  const key = filled(32, 1)

  test('tells an empty list from a list with an empty element', () => {
    const keys = [
      deriveKey(HKDF_SHA256, 'p', 'l', [key], [], 32),
      deriveKey(HKDF_SHA256, 'p', 'l', [key], [NO_BYTES], 32),
      deriveKey(HKDF_SHA256, 'p', 'l', [key], [NO_BYTES, NO_BYTES], 32),
      deriveKey(HKDF_SHA256, 'p', 'l', [key, NO_BYTES], [], 32),
      deriveKey(HKDF_SHA256, 'p', 'l', [], [key], 32),
      deriveKey(HKDF_SHA256, 'pl', '', [key], [], 32),
      deriveKey(HKDF_SHA256, 'p', 'l', [key], [], 31),
    ].map((derived) => toHex(derived.subarray(0, 31)))
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('leaves its inputs as they were', () => {
    const info = filled(8, 2)
    deriveKey(HKDF_SHA256, 'p', 'l', [key], [info], 32)
    expect(key).toEqual(filled(32, 1))
    expect(info).toEqual(filled(8, 2))
  })
})

describe('KeptKdf', () => {
  const anyInputs = fc.array(fc.nat(40), { maxLength: 4 }).chain((lengths) =>
    fc.record({
      lengths: fc.constant(lengths),
      infos: fc.array(fc.tuple(...lengths.map((length) => fc.uint8Array({ minLength: length, maxLength: length }))), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  )

  test.prop(
    [fc.constantFrom(...KDFS), fc.string(), fc.string(), fc.array(fc.uint8Array(), { maxLength: 3 }), anyInputs],
    runs(200),
  )('gives what deriveKey gives', (kdf, protocol, label, ikm, { lengths, infos }) => {
    const kept = new KeptKdf(kdf, protocol, label, ikm, lengths)
    for (const info of infos) {
      const expected = deriveKey(kdf, protocol, label, ikm, info, kdf.hashLength)
      expect(kept.derive(...info)).toEqual(expected)
    }
  })

  test('refuses info of another form, and gives the same afterwards', () => {
    const kept = new KeptKdf(HKDF_SHA256, 'p', 'l', [filled(32, 1)], [8, 16])
    const expected = kept.derive(filled(8, 1), filled(16, 2))
    for (const info of [
      [],
      [filled(8, 9)],
      [filled(7, 9), filled(16, 9)],
      [filled(9, 9), filled(16, 9)],
      [filled(8, 9), filled(15, 9)],
      [filled(8, 9), filled(17, 9)],
      [filled(16, 9), filled(8, 9)],
    ]) {
      expect(() => kept.derive(...info)).toThrow(RangeError)
    }
    expect(kept.derive(filled(8, 1), filled(16, 2))).toEqual(expected)
  })

  test('does not work once it is disposed of', () => {
    const kept = new KeptKdf(HKDF_SHA256, 'p', 'l', [filled(32, 1)], [1])
    kept.derive(Uint8Array.of(1))
    kept.dispose()
    expect(() => kept.derive(Uint8Array.of(1))).toThrow()
  })
})

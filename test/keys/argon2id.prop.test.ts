import * as nodeCrypto from 'node:crypto'
import { argon2id } from '@noble/hashes/argon2.js'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { deriveFromPassphrase, deriveInWorker, deriveNatively, type Argon2Input } from '../../src/keys/argon2id.js'
import { fromHex, toHex } from './support.js'

/**
 * A third implementation is the measure, because it takes all that RFC 9106 has and runs on every version of Node: it gives the tag of
 * the RFC, and what is used here, by the runtime and in the worker, gives what it gives.
 */
function deriveByNoble({ passphrase, salt, parameters, secret }: Argon2Input, associatedData?: Uint8Array): Uint8Array {
  const { memoryKiB: m, passes: t, lanes: p } = parameters
  return argon2id(passphrase, salt, {
    ...{ m, t, p, dkLen: 32, version: 0x13 },
    ...(secret && { key: secret }),
    ...(associatedData && { personalization: associatedData }),
  })
}

/** RFC 9106 §5.3. */
const RFC_INPUT = {
  passphrase: new Uint8Array(32).fill(1),
  salt: new Uint8Array(16).fill(2),
  secret: new Uint8Array(8).fill(3),
  parameters: { memoryKiB: 32, passes: 3, lanes: 4 },
}
const RFC_ASSOCIATED_DATA = new Uint8Array(12).fill(4)
const RFC_TAG = '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659'

type NativeSync = (algorithm: string, parameters: Readonly<Record<string, unknown>>) => Uint8Array
const { argon2Sync } = nodeCrypto as unknown as { readonly argon2Sync?: NativeSync }

describe('the vector of RFC 9106 §5.3', () => {
  test('by @noble/hashes', () => {
    expect(toHex(deriveByNoble(RFC_INPUT, RFC_ASSOCIATED_DATA))).toBe(RFC_TAG)
  })

  test.skipIf(argon2Sync === undefined)('by the runtime', () => {
    const { passphrase: message, salt: nonce, secret } = RFC_INPUT
    const costs = { memory: 32, passes: 3, parallelism: 4, tagLength: 32 }
    expect(toHex(argon2Sync!('argon2id', { message, nonce, secret, associatedData: RFC_ASSOCIATED_DATA, ...costs }))).toBe(RFC_TAG)
  })
})

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const input: fc.Arbitrary<Argon2Input> = fc
  .record({ lanes: fc.integer({ min: 1, max: 5 }), passes: fc.integer({ min: 1, max: 4 }), more: fc.integer({ min: 0, max: 120 }) })
  .chain(({ lanes, passes, more }) =>
    fc.record({
      // Longer than a block of BLAKE2b, too; bytes that are no text; zeros at the end.
      passphrase: bytes(1, 300),
      salt: bytes(8, 40),
      secret: fc.option(bytes(1, 40), { nil: undefined }),
      // Not only multiples of four blocks a lane, to which Argon2 rounds down.
      parameters: fc.constant({ memoryKiB: 8 * lanes + more, passes, lanes }),
    }),
  )

const runs = { numRuns: process.env['SLOW'] === '1' ? 500 : 25 }

describe('is what a third implementation gives', () => {
  property.prop([input], runs)('in the worker', async (given) => {
    expect(await deriveInWorker(given)).toEqual(deriveByNoble(given))
  })

  if (deriveNatively !== undefined) {
    const derive = deriveNatively
    property.prop([input], runs)('by the runtime', async (given) => {
      expect(await derive(given)).toEqual(deriveByNoble(given))
    })
  }
})

test('a passphrase of zeros is not an empty one, nor one of another length', async () => {
  const given = { salt: fromHex('000102030405060708090a0b0c0d0e0f'), parameters: { memoryKiB: 8, passes: 1, lanes: 1 } }
  const tags = await Promise.all(
    [1, 2, 64, 128].map((length) => deriveFromPassphrase({ ...given, passphrase: new Uint8Array(length) })),
  )
  expect(new Set(tags.map(toHex)).size).toBe(4)
})

import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { SecretBytes } from '../../src/bytes/secret.js'

const PATTERN = 'abcdefgh'

function secretOf(): { secret: SecretBytes; bytes: Uint8Array } {
  const bytes = Uint8Array.from(Buffer.from(PATTERN))
  return { secret: new SecretBytes(bytes), bytes }
}

const WAYS: Record<string, (secret: SecretBytes) => string> = {
  inspect: (secret) => inspect(secret),
  'inspect with hidden members': (secret) => inspect(secret, { showHidden: true, depth: Infinity }),
  'inspect without custom inspection': (secret) => inspect(secret, { showHidden: true, customInspect: false, depth: Infinity }),
  'inspect within another object': (secret) => inspect({ deep: { er: [secret] } }, { depth: Infinity }),
  'format %s': (secret) => format('%s', secret),
  'format %o': (secret) => format('%o', secret),
  'format %j': (secret) => format('%j', { secret }),
  JSON: (secret) => JSON.stringify({ secret }),
  template: (secret) => `the secret ${secret as unknown as string}`,
  String: (secret) => String(secret),
  'an error message': (secret) => inspect(new Error('failed', { cause: { secret } }), { depth: Infinity }),
  'a structured clone': (secret) => inspect(structuredClone({ secret }), { showHidden: true, depth: Infinity }),
  'its members': (secret) =>
    inspect([Object.assign({}, secret), Object.getOwnPropertyNames(secret), Object.getOwnPropertySymbols(secret)]),
}

test.each(Object.keys(WAYS))('is not shown by %s', (way) => {
  const { secret } = secretOf()
  const text = WAYS[way]!(secret)
  expect(text).not.toContain(PATTERN)
  expect(text).not.toMatch(/61,? ?(0x)?62/)
  expect(text).not.toMatch(/97,\s*98/)
  expect(text).not.toContain(Buffer.from(PATTERN).toString('base64').slice(0, 8))
})

test.each(['inspect', 'JSON', 'template', 'String'])('says in %s that it is redacted', (way) => {
  expect(WAYS[way]!(secretOf().secret)).toContain('redacted')
})

test('lends the bytes themselves', () => {
  const { secret, bytes } = secretOf()
  expect(secret.expose()).toBe(bytes)
  expect(secret).toHaveLength(8)
})

test.each(['dispose', 'Symbol.dispose'] as const)('%s overwrites the bytes, and they are lent no more', (way) => {
  const { secret, bytes } = secretOf()
  const lent = secret.expose()
  if (way === 'dispose') secret.dispose()
  else secret[Symbol.dispose]()
  expect(bytes).toEqual(new Uint8Array(8))
  expect(lent).toEqual(new Uint8Array(8))
  expect(() => secret.expose()).toThrow(TypeError)
  secret.dispose()
  expect(() => secret.expose()).toThrow(TypeError)
})

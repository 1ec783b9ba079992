import { expect, test } from 'vitest'
import { validatePurpose } from '../../src/keys/purpose.js'
import { coded } from './support.js'

test('1 to 255 bytes of UTF-8, as they are', () => {
  for (const purpose of ['a', 'config', ' ', 'naïve/パス', '\u{1f512}', 'x'.repeat(255), 'é'.repeat(127)]) {
    expect(Buffer.from(validatePurpose(purpose)).toString('utf8')).toBe(purpose)
  }
  expect(validatePurpose('e\u0301')).not.toEqual(validatePurpose('\u00e9'))
})

test('other text is ERR_INVALID_ARG_VALUE', () => {
  for (const bad of [
    '',
    'x'.repeat(256),
    'é'.repeat(128),
    'a\0',
    'a\nb',
    '\u007f',
    '\u0085',
    '\ud800',
    'a\udc00b',
    '\udc00\ud800',
  ]) {
    expect(() => validatePurpose(bad)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
  }
})

test('anything else is ERR_INVALID_ARG_TYPE', () => {
  for (const bad of [undefined, null, 1, {}, new Uint8Array(3), ['a']]) {
    expect(() => validatePurpose(bad)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  }
})

import { describe, expect, test } from 'vitest'
import { WeakPassphraseError } from '../../src/errors.js'
import { runPassphraseCheck, type PassphraseCheck } from '../../src/keys/passphrase-check.js'
import { coded } from './support.js'

/** A check that keeps what it was given. */
function recording(): { readonly seen: string[]; readonly check: PassphraseCheck } {
  const seen: string[] = []
  return { seen, check: (passphrase) => void seen.push(passphrase) }
}

const weak = coded(WeakPassphraseError, 'ERR_SEALFILE_WEAK_PASSPHRASE')

describe('what is checked', () => {
  const utf8 = (text: string) => new TextEncoder().encode(text)
  test.each([
    ['text', 'a passphrase', 'a passphrase'],
    ['text, in form NFC', 'passe\u0301', 'pass\u00e9'],
    ['bytes that are text', utf8('a passphrase'), 'a passphrase'],
    ['bytes that are text, in form NFC', utf8('passe\u0301'), 'pass\u00e9'],
    ['a Buffer that is part of a larger one', Buffer.from('xxa passphrase').subarray(2), 'a passphrase'],
    ['bytes with a byte order mark, which is part of the passphrase', utf8('\ufeffa'), '\ufeffa'],
  ])('%s', async (_, passphrase, expected) => {
    const { seen, check } = recording()
    await runPassphraseCheck(check, passphrase)
    expect(seen).toEqual([expected])
  })

  test.each([
    ['bytes that are no text', Uint8Array.of(0xff, 0x00, 0x80)],
    ['half a character', utf8('é').subarray(0, 1)],
    ['a surrogate in UTF-8', Uint8Array.of(0xed, 0xa0, 0x80)],
  ])('not %s', async (_, passphrase) => {
    const { seen, check } = recording()
    await runPassphraseCheck(check, passphrase)
    expect(seen).toEqual([])
  })
})

test('no check: nothing is refused', async () => {
  await expect(runPassphraseCheck(undefined, 'a')).resolves.toBeUndefined()
})

describe('what a check throws is passed on', () => {
  const refusal = new WeakPassphraseError('too short')
  const failure = new Error('the list could not be read')
  test.each<[string, PassphraseCheck, Error]>([
    [
      'at once',
      () => {
        throw refusal
      },
      refusal,
    ],
    ['later', () => Promise.reject(refusal), refusal],
    ['another error', () => Promise.reject(failure), failure],
  ])('%s', async (_, check, expected) => {
    await expect(runPassphraseCheck(check, 'a')).rejects.toBe(expected)
  })
})

test('a predicate that answers false refuses, and one that answers true does not', async () => {
  const isLong = (passphrase: string) => passphrase.length > 3
  await expect(runPassphraseCheck(isLong as unknown as PassphraseCheck, 'abc')).rejects.toEqual(weak)
  await expect(runPassphraseCheck(isLong as unknown as PassphraseCheck, 'abcd')).resolves.toBeUndefined()
  const later = (passphrase: string) => Promise.resolve(passphrase.length > 3)
  await expect(runPassphraseCheck(later as unknown as PassphraseCheck, 'abc')).rejects.toEqual(weak)
})

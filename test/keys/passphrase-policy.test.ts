import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { WeakPassphraseError } from '../../src/errors.js'
import { createPassphrasePolicy, type PassphrasePolicyOptions } from '../../src/keys/passphrase-policy.js'
import { coded } from './support.js'

const weak = coded(WeakPassphraseError, 'ERR_SEALFILE_WEAK_PASSPHRASE')

async function refusalOf(passphrase: string, options?: PassphrasePolicyOptions): Promise<string | undefined> {
  try {
    await createPassphrasePolicy(options)(passphrase)
    return undefined
  } catch (error) {
    expect(error).toEqual(weak)
    return (error as Error).message
  }
}

test.each([
  'correct horse battery staple',
  'purple monkey dishwasher lamp',
  'mein hund heisst waldi und bellt',
  'vR9#kq2!mPzX8wLd',
  '鯨は夜の海を静かに渡って家に帰る',
  'x'.repeat(3) + ' marks the spot where we buried it ' + 'y'.repeat(100),
])('by default it takes %j', async (passphrase) => {
  expect(await refusalOf(passphrase)).toBeUndefined()
})

test.each([
  ['too short', 'vR9#kq2!mPzX8w', /too short: it needs 15 characters/],
  ['a leaked one, twice', 'passwordpassword', /too easy.*withstand 10\^12/],
  ['a row of the keyboard', 'qwertyuiopasdfghjkl', /too easy/],
  ['one letter', 'aaaaaaaaaaaaaaaaaaaaaaaa', /Repeated characters/],
  ['a pattern, however long', 'ab'.repeat(1000), /too easy/],
  ['digits in order', '12345678901234567890', /too easy/],
  ['a word in disguise', 'P@ssw0rdP@ssw0rd', /too easy/],
])('by default it refuses %s', async (_, passphrase, reason) => {
  const message = await refusalOf(passphrase)
  expect(message).toMatch(reason)
  expect(message).not.toContain(passphrase)
})

describe('length', () => {
  const options = { minimumLength: 4, minimumGuessesLog10: 0 }
  test.each([
    ['letters', 'abcd'],
    ['letters with accents', 'a\u0301b\u0301c\u0301d\u0301'],
    ['emoji of several code points', '👩‍👩‍👧‍👦🇩🇪👍🏽❤️'],
  ])('counts %s as people do', async (_, passphrase) => {
    expect(await refusalOf(passphrase, options)).toBeUndefined()
    expect(await refusalOf(passphrase, { ...options, minimumLength: 5 })).toMatch(/too short/)
  })

  test('a megabyte of accents is one character', async () => {
    expect(await refusalOf(`a${'\u0301'.repeat(2 ** 20)}`, options)).toMatch(/too short/)
  })
})

describe('guesses', () => {
  test('as many as the caller wants', async () => {
    expect(await refusalOf('x8#Kq!2mPz9', { minimumLength: 8, minimumGuessesLog10: 11 })).toBeUndefined()
    expect(await refusalOf('x8#Kq!2mPz9', { minimumLength: 8, minimumGuessesLog10: 11.5 })).toMatch(/about 10\^11 guesses/)
  })

  test('words that the caller names are tried first', async () => {
    const passphrase = 'Brunhildeschnuckelbach'
    expect(await refusalOf(passphrase)).toBeUndefined()
    expect(await refusalOf(passphrase, { userInputs: ['brunhilde', 'schnuckelbach'] })).toMatch(/too easy/)
    expect(await refusalOf(passphrase)).toBeUndefined()
  })
})

test('there are no rules of composition', async () => {
  expect(await refusalOf('neverusethelampoutside')).toBeUndefined()
})

describe('options', () => {
  test('undefined leaves the default', async () => {
    const nothing = { minimumLength: undefined, minimumGuessesLog10: undefined, userInputs: undefined }
    expect(await refusalOf('vR9#kq2!mPzX8w', nothing)).toMatch(/15 characters/)
  })

  test.each([
    { minimumLength: 0 },
    { minimumLength: 65 },
    { minimumLength: 1.5 },
    { minimumGuessesLog10: -1 },
    { minimumGuessesLog10: NaN },
  ])('%j is out of range', (options) => {
    expect(() => createPassphrasePolicy(options)).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
  })

  test.each([null, 5, { minimumLength: '8' }, { userInputs: 'word' }, { userInputs: [5] }])('%j is a wrong type', (options) => {
    expect(() => createPassphrasePolicy(options as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  })
})

test('without the packages: an error that names the missing one; the length is checked all the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealfile-policy-'))
  try {
    const outfile = join(folder, 'policy.mjs')
    const entry = fileURLToPath(new URL('../../src/passphrase-policy.ts', import.meta.url))
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['@zxcvbn-ts/*'],
    })
    const script = `import { createPassphrasePolicy } from './policy.mjs'
      for (const text of ['short', 'long enough to be estimated']) await createPassphrasePolicy()(text).catch(({ code, message }) => console.log(code, message))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^ERR_SEALFILE_WEAK_PASSPHRASE .*\nERR_SEALFILE_PACKAGE_MISSING .*npm install @zxcvbn-ts\/core\n$/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

import type { SpawnSyncReturns } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProviderError } from '../../src/errors.js'
import { createKeychainProvider } from '../../src/providers/keychain.js'
import { coded } from '../keys/support.js'
import { openKeychainSession, whyNoKeychain, type KeychainSession } from '../support/keychain-session.js'

const CONTEXT = { keyringId: 'AAECAwQFBgcICQoLDA0ODw', slotId: 'EBESExQVFhcYGRobHB0eHw' }
const KEY = new Uint8Array(32).fill(7)

let session: KeychainSession
beforeAll(async () => {
  session = await openKeychainSession()
})
afterAll(() => session.remove())

/** What the programs of these tests begin with. */
const PRELUDE = `
  const context = ${JSON.stringify(CONTEXT)}
  const key = new Uint8Array(32).fill(7)
  const refused = (pattern) => (error) => {
    assert(error instanceof ProviderError, error)
    assert.equal(error.code, 'ERR_SEALFILE_PROVIDER')
    assert.match(error.message, pattern)
    return true
  }
  const provider = createKeychainProvider({ service: 'a program' })
`

function expectSuccess({ status, stderr, stdout }: SpawnSyncReturns<string>): string {
  // A session's own programs write to stderr as they like.
  expect(status, stderr).toBe(0)
  return stdout
}

const missing = whyNoKeychain()
if (missing !== undefined) console.warn(`the keychain provider is not tested with a keychain: ${missing}`)

describe.skipIf(missing !== undefined)('with an unlocked keychain', () => {
  test('a key is wrapped, and unwrapped in another session; forgotten, it is gone', () => {
    expectSuccess(
      session.runUnlocked(`${PRELUDE}
        const wrapped = await provider.wrap(key, context)
        assert.equal(wrapped.length, 57)
        assert.deepEqual(key, new Uint8Array(32).fill(7))
        const { writeFileSync } = await import('node:fs')
        writeFileSync('wrapped', wrapped)`),
    )
    const stdout = expectSuccess(
      session.runUnlocked(`${PRELUDE}
        const { readFileSync } = await import('node:fs')
        const wrapped = readFileSync('wrapped')
        assert.deepEqual(await provider.unwrap(wrapped, context), key)
        await provider.forget(wrapped, context)
        await assert.rejects(provider.unwrap(wrapped, context), refused(/has no entry of 'a program'/))
        await provider.forget(wrapped, context)
        console.log('done')`),
    )
    expect(stdout).toBe('done\n')
  })

  test('it opens no other slot, keyring or service, and nothing that was altered', () => {
    expectSuccess(
      session.runUnlocked(`${PRELUDE}
        const wrapped = await provider.wrap(key, context)
        const other = 'ICEiIyQlJicoKSorLC0uLw'
        await assert.rejects(provider.unwrap(wrapped, { ...context, slotId: other }), refused(/does not open this slot/))
        await assert.rejects(provider.unwrap(wrapped, { ...context, keyringId: other }), refused(/has no entry/))
        await assert.rejects(createKeychainProvider({ service: 'another' }).unwrap(wrapped, context), refused(/has no entry/))
        for (const index of [0, 1, 16, 17, 56]) {
          const altered = Uint8Array.from(wrapped)
          altered[index] ^= 1
          await assert.rejects(provider.unwrap(altered, context), refused(/./))
        }
        assert.deepEqual(await provider.unwrap(wrapped, context), key)`),
    )
  })

  test('to wrap for a slot again leaves what was wrapped before', () => {
    expectSuccess(
      session.runUnlocked(`${PRELUDE}
        const first = await provider.wrap(key, context)
        const second = await provider.wrap(new Uint8Array(32).fill(8), context)
        assert.deepEqual(await provider.unwrap(first, context), key)
        await provider.forget(first, context)
        assert.deepEqual(await provider.unwrap(second, context), new Uint8Array(32).fill(8))`),
    )
  })

  test('a signal: its reason, and no entry stays', () => {
    expectSuccess(
      session.runUnlocked(`${PRELUDE}
        const reason = new Error('changed my mind')
        const isReason = (error) => error === reason
        await assert.rejects(provider.wrap(key, { ...context, signal: AbortSignal.abort(reason) }), isReason)
        const controller = new AbortController()
        const hasty = createKeychainProvider({ service: 'a hasty program' })
        const { findCredentials } = await import('@napi-rs/keyring')
        const wrapping = hasty.wrap(key, { ...context, signal: controller.signal })
        await new Promise(setImmediate)
        controller.abort(reason)
        await assert.rejects(wrapping, isReason)
        // When nothing is left to do, the entry that was made all the same has been removed.
        process.once('exit', () => assert.deepEqual(findCredentials('a hasty program'), []))`),
    )
  })
})

describe.skipIf(missing !== undefined)('with a locked keychain', () => {
  test('a ProviderError says to unlock it', () => {
    expectSuccess(session.runLocked(`${PRELUDE}\nawait assert.rejects(provider.wrap(key, context), refused(/unlocked/))`))
  })
})

describe.skipIf(process.platform !== 'linux')('without a keychain', () => {
  test('a ProviderError says what is needed, with its cause', () => {
    expectSuccess(
      session.runOutside(`${PRELUDE}
        const hasCause = (error) => refused(/Secret Service such as gnome-keyring/)(error) && error.cause instanceof Error
        await assert.rejects(provider.wrap(key, context), hasCause)
        const wrapped = Uint8Array.from({ length: 57 }, (_, i) => (i === 0 ? 1 : 0))
        await assert.rejects(provider.unwrap(wrapped, context), hasCause)
        await assert.rejects(provider.forget(wrapped, context), hasCause)`),
    )
  })
})

test('without the package: an error that names it', () => {
  expectSuccess(
    session.runWithoutPackage(`${PRELUDE}
      await assert.rejects(provider.wrap(key, context), (error) => {
        assert(error instanceof PackageMissingError)
        assert.equal(error.code, 'ERR_SEALFILE_PACKAGE_MISSING')
        assert.match(error.message, /npm install @napi-rs\\/keyring/)
        assert.equal(error.cause.code, 'ERR_MODULE_NOT_FOUND')
        return true
      })`),
  )
})

describe('a slot that is not of this provider', () => {
  test.each([
    ['nothing', new Uint8Array(0)],
    ['another length', new Uint8Array(58).fill(1)],
    ['another version', new Uint8Array(57).fill(2)],
  ])('%s', async (_, wrapped) => {
    await expect(createKeychainProvider().unwrap(wrapped, CONTEXT)).rejects.toEqual(coded(ProviderError, 'ERR_SEALFILE_PROVIDER'))
    await expect(createKeychainProvider().forget(wrapped, CONTEXT)).rejects.toThrow(/not made by this keychain provider/)
  })
})

describe('options', () => {
  test('all have defaults', () => {
    expect(createKeychainProvider().name).toBe('keychain')
    expect(createKeychainProvider({ name: undefined, service: undefined, linuxStore: undefined }).name).toBe('keychain')
    expect(createKeychainProvider({ name: 'login' }).name).toBe('login')
  })

  test.each([{ service: '' }, { service: 'a\n' }, { name: 'ä'.repeat(128) }, { name: '\ud800' }, { linuxStore: 'kwallet' }])(
    '%j cannot be',
    (options) => {
      expect(() => createKeychainProvider(options as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
    },
  )

  test.each([{ service: 5 }, { name: null }, null, 'a'])('%j is a wrong type', (options) => {
    expect(() => createKeychainProvider(options as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  })
})

test('a signal that is aborted already', async () => {
  const reason = new Error('too late')
  await expect(createKeychainProvider().wrap(KEY, { ...CONTEXT, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

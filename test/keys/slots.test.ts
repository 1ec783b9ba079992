import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { InvalidKeyError, KeyringError, LimitError, ProviderError, WeakPassphraseError } from '../../src/errors.js'
import type { Credential } from '../../src/keys/credentials.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import type { KeyProvider, ProviderContext } from '../../src/keys/key-provider.js'
import { deriveKeyringMacKey } from '../../src/keys/key-schedule.js'
import { createSlot } from '../../src/keys/keyring-slots.js'
import { parseKeyring, serializeKeyring } from '../../src/keys/keyring.js'
import { CHEAP, coded, countWorkers, fromHex, temporaryFolder, VECTOR, vectorJson, withChecksum, workersFor } from './support.js'

/** The ways into a keyring. */

const at = temporaryFolder()
const passphrase = 'correct horse'
const cheap = { argon2: CHEAP }
const request = { purpose: 'config', salt: new Uint8Array(32).fill(7), header: new Uint8Array(100).fill(9) }
const dek = new Uint8Array(32).map((_, i) => i + 1)
const key = new Uint8Array(32).fill(0x5a)

const wrongKey = coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_KEY') as Error
const noSlot = coded(KeyringError, 'ERR_SEALFILE_KEYRING_SLOT') as Error

let count = 0
async function create(): Promise<{ path: string; keyManager: KeyManager }> {
  const path = at(`ring-${count++}.json`)
  return { path, keyManager: await KeyManager.create(path, { passphrase, ...cheap }) }
}

/** A provider that works, in memory; it keeps to the context that it was given. */
class MemoryProvider implements KeyProvider {
  readonly kept = new Map<string, Uint8Array>()
  readonly name: string

  constructor(name = 'memory') {
    this.name = name
  }

  wrap(secret: Uint8Array, { keyringId, slotId }: ProviderContext): Promise<Uint8Array> {
    this.kept.set(`${keyringId} ${slotId}`, new Uint8Array(secret))
    return Promise.resolve(Buffer.from(slotId))
  }

  unwrap(wrapped: Uint8Array, { keyringId, slotId }: ProviderContext): Promise<Uint8Array> {
    const secret = this.kept.get(`${keyringId} ${slotId}`)
    if (secret === undefined || Buffer.from(wrapped).toString() !== slotId)
      return Promise.reject(new ProviderError('nothing is kept'))
    return Promise.resolve(new Uint8Array(secret))
  }

  forget(_wrapped: Uint8Array, { keyringId, slotId }: ProviderContext): Promise<void> {
    this.kept.delete(`${keyringId} ${slotId}`)
    return Promise.resolve()
  }
}

async function expectOpens(path: string, credential: Credential, by: KeyManager): Promise<void> {
  using opened = await KeyManager.open(path, credential)
  expect(opened.unwrapFileKey(request, by.wrapFileKey(request, dek))).toEqual(dek)
}

describe('each kind of slot opens the keyring', () => {
  test('a second passphrase', async () => {
    const { path, keyManager } = await create()
    const slot = await keyManager.addPassphrase('second', { ...cheap, label: 'Ärztin' })
    expect(slot).toMatchObject({ type: 'passphrase', label: 'Ärztin', argon2: CHEAP })
    await expectOpens(path, { passphrase: 'second' }, keyManager)
    await expectOpens(path, { passphrase }, keyManager)
    expect(await countWorkers(() => KeyManager.open(path, { passphrase: 'second', slot: slot.id }))).toBe(workersFor(1))
    await expect(KeyManager.open(path, { passphrase, slot: slot.id })).rejects.toThrow(wrongKey)
    await expect(KeyManager.open(path, { passphrase, slot: 'nothing' })).rejects.toThrow(noSlot)
  })

  test('a recovery key, as it was printed and as it is typed', async () => {
    const { path, keyManager } = await create()
    const { recoveryKey, slot } = await keyManager.addRecoveryKey({ label: 'in the safe' })
    expect(recoveryKey).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){13}[0-9A-HJKMNP-TV-Z]{4}$/)
    expect(slot).toMatchObject({ type: 'recovery', label: 'in the safe' })
    await expectOpens(path, { recoveryKey }, keyManager)
    const typed = ` ${recoveryKey.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')}\n`
    await expectOpens(path, { recoveryKey: typed }, keyManager)
    const { recoveryKey: other } = await (await create()).keyManager.addRecoveryKey()
    await expect(KeyManager.open(path, { recoveryKey: other })).rejects.toThrow(wrongKey)
    expect(readFileSync(path, 'utf8')).not.toContain(recoveryKey.slice(0, 9))
  })

  test('a key that is kept elsewhere', async () => {
    const { path, keyManager } = await create()
    await keyManager.addKey(key)
    await expectOpens(path, { key }, keyManager)
    await expect(KeyManager.open(path, { key: new Uint8Array(32).fill(1) })).rejects.toThrow(wrongKey)
  })

  test('a provider, which gets and gives no more than it must', async () => {
    const { path, keyManager } = await create()
    const provider = new MemoryProvider()
    const slot = await keyManager.addProvider(provider)
    expect(slot).toMatchObject({ type: 'provider', provider: 'memory' })
    await expectOpens(path, { provider }, keyManager)
    // What it keeps is not what the keyring is opened with: alone it is of no use.
    const [kept] = [...provider.kept.values()]
    await expect(KeyManager.open(path, { key: kept! })).rejects.toThrow(noSlot)
    await keyManager.addKey(key)
    await expect(KeyManager.open(path, { key: kept! })).rejects.toThrow(wrongKey)
    await expect(KeyManager.open(path, { provider: new MemoryProvider('other') })).rejects.toThrow(noSlot)
    await expect(KeyManager.open(path, { provider: new MemoryProvider() })).rejects.toThrow(ProviderError)
    await expect(keyManager.removeSlot(slot.id, { provider: new MemoryProvider('other') })).rejects.toThrow(noSlot)
    await expectOpens(path, { provider }, keyManager)
    await keyManager.removeSlot(slot.id, { provider })
    expect(provider.kept.size).toBe(0)
    await expect(KeyManager.open(path, { provider })).rejects.toThrow(noSlot)
  })

  test('a provider whose slot could not be written has nothing to keep', async () => {
    const { path, keyManager } = await create()
    const provider = new MemoryProvider()
    writeFileSync(path, 'damaged')
    await expect(keyManager.addProvider(provider)).rejects.toThrow(KeyringError)
    expect(provider.kept.size).toBe(0)
  })

  test('a provider that forgets in its own way does not hide what went wrong', async () => {
    const { path, keyManager } = await create()
    writeFileSync(path, 'damaged')
    const provider = new MemoryProvider()
    for (const forget of [
      () => undefined,
      () => {
        throw new Error('forgetting')
      },
    ] as unknown as KeyProvider['forget'][]) {
      await expect(keyManager.addProvider(Object.assign(provider, { forget }))).rejects.toThrow(KeyringError)
    }
  })

  test('nor has one whose keyring could not be written', async () => {
    const provider = new MemoryProvider()
    const folder = at('vanishing')
    mkdirSync(folder)
    const wrap = provider.wrap.bind(provider)
    provider.wrap = (...args) => {
      rmSync(folder, { recursive: true })
      return wrap(...args)
    }
    await expect(KeyManager.create(`${folder}/ring.json`, { provider })).rejects.toMatchObject({ code: 'ENOENT' })
    expect(provider.kept.size).toBe(0)
  })

  test.each<[string, (provider: MemoryProvider) => Credential]>([
    ['a key', () => ({ key })],
    ['a provider', (provider) => ({ provider })],
  ])('a keyring can begin with %s, and takes no Argon2id run then', async (name, give) => {
    const [path, provider] = [at(`begun with ${name}.json`), new MemoryProvider()]
    const run = async (): Promise<void> => {
      using keyManager = await KeyManager.create(path, give(provider))
      await expectOpens(path, give(provider), keyManager)
    }
    expect(await countWorkers(run)).toBe(0)
    await expect(KeyManager.open(path, { passphrase })).rejects.toThrow(noSlot)
  })
})

test('changePassphrase takes nothing from a keyring that was altered', async () => {
  const { path, keyManager } = await create()
  const genuine = readFileSync(path, 'utf8')
  const json = JSON.parse(genuine) as { slots: Record<string, unknown>[] }
  json.slots[0]!['label'] = 'not mine'
  writeFileSync(path, withChecksum(json))
  let isAboutToBeRead = false
  const passphraseCheck = (): void => void (isAboutToBeRead = true)
  // Put back as soon as it was read: the limits are what it is held against next.
  const limits = {
    get maxMemoryKiB() {
      if (isAboutToBeRead) writeFileSync(path, genuine)
      return undefined
    },
  }
  await expect(keyManager.changePassphrase(passphrase, 'new', { ...cheap, passphraseCheck, limits })).rejects.toThrow(/altered/)
  expect(readFileSync(path, 'utf8')).toBe(genuine)
})

describe('a signal', () => {
  const signal = AbortSignal.abort()
  const aborted = expect.objectContaining({ name: 'AbortError' }) as Error

  test('that says so before the start: nothing is made, opened or changed, and nobody is told of a failure', async () => {
    const path = at('never.json')
    const failed: unknown[] = []
    const listen = (message: unknown): void => void failed.push(message)
    subscribe('sealfile:unlock-failed', listen)
    await expect(KeyManager.create(path, { key, signal })).rejects.toEqual(aborted)
    expect(existsSync(path)).toBe(false)
    const { path: there, keyManager } = await create()
    await expect(keyManager.addKey(key, { signal })).rejects.toEqual(aborted)
    await keyManager.addKey(key)
    await expect(KeyManager.open(there, { key, signal })).rejects.toEqual(aborted)
    unsubscribe('sealfile:unlock-failed', listen)
    expect([keyManager.slots().length, failed]).toEqual([2, []])
  })

  test('that says so while somebody else changes the keyring', async () => {
    const { path, keyManager } = await create()
    symlinkSync(`1:1:0123456789abcdef@elsewhere`, `${path}.sealfile-lock`)
    const controller = new AbortController()
    const adding = keyManager.addKey(key, { signal: controller.signal })
    controller.abort()
    unlinkSync(`${path}.sealfile-lock`)
    await expect(adding).rejects.toEqual(aborted)
    await keyManager.reload()
    expect(keyManager.slots().length).toBe(1)
  })

  test('ends the wait for a provider that never answers, and overwrites what comes late', async () => {
    const { path, keyManager } = await create()
    const provider = new MemoryProvider()
    await keyManager.addProvider(provider)
    const [secret] = provider.kept.values()
    let answer: (late: Uint8Array) => void = () => undefined
    const silent: KeyProvider = {
      name: 'memory',
      wrap: () => new Promise(() => undefined),
      unwrap: () => new Promise((resolve) => (answer = resolve)),
    }
    const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(50) })
    await expect(keyManager.addProvider(silent, soon())).rejects.toThrow(/timeout/)
    await expect(KeyManager.open(path, { provider: silent, ...soon() })).rejects.toThrow(/timeout/)
    answer(secret!)
    await setImmediate()
    expect(secret).toEqual(new Uint8Array(32))
  })
})

test('no error shows what was given in the wrong place', async () => {
  const { path, keyManager } = await create()
  const open = KeyManager.open(path, { passphrase, unlock: passphrase as never })
  const error = await open.catch((reason: unknown) => reason)
  expect((error as Error).message).toMatch(/options.unlock/)
  expect(inspect(error)).not.toContain(passphrase)
  keyManager.close()
})

test('a recovery key that was mistyped: every letter, every two neighbours, every length', async () => {
  const mistyped = coded(InvalidKeyError, 'ERR_SEALFILE_RECOVERY_KEY')
  const { path, keyManager } = await create()
  const { recoveryKey } = await keyManager.addRecoveryKey()
  const wrong: string[] = [recoveryKey.slice(1), `${recoveryKey}0`, '', recoveryKey.replace('-', 'U-').slice(0, -1)]
  for (let i = 0; i < recoveryKey.length; i++) {
    if (recoveryKey[i] === '-') continue
    for (const letter of '07AZU!é') {
      if (letter !== recoveryKey[i]) wrong.push(recoveryKey.slice(0, i) + letter + recoveryKey.slice(i + 1))
    }
    const [one, two] = [recoveryKey[i]!, recoveryKey[i + 1] ?? '-']
    if (two !== '-' && one !== two) wrong.push(recoveryKey.slice(0, i) + two + one + recoveryKey.slice(i + 2))
  }
  for (const text of wrong) {
    const error: unknown = await KeyManager.open(path, { recoveryKey: text }).catch((reason: unknown) => reason)
    expect(error, text).toEqual(mistyped)
    expect(inspect(error)).not.toContain(recoveryKey.slice(5, 30))
  }
})

describe('slots are listed and removed', () => {
  test('without secrets, and the last that opens stays', async () => {
    const { path, keyManager } = await create()
    const second = await keyManager.addPassphrase('second', cheap)
    const { slot: recovery } = await keyManager.addRecoveryKey()
    expect(keyManager.slots().map(({ type }) => type)).toEqual(['passphrase', 'passphrase', 'recovery'])
    for (const field of keyManager.slots().flatMap(Object.keys)) expect(['id', 'type', 'argon2']).toContain(field)
    const [first] = keyManager.slots()
    await keyManager.removeSlot(first!.id)
    await expect(KeyManager.open(path, { passphrase })).rejects.toThrow(wrongKey)
    await keyManager.removeSlot(recovery.id)
    await expect(keyManager.removeSlot(second.id)).rejects.toThrow(noSlot)
    await expect(keyManager.removeSlot('nothing')).rejects.toThrow(noSlot)
    await expectOpens(path, { passphrase: 'second' }, keyManager)
  })

  test('a slot of a later version is kept, told of, and does not count as the last', async () => {
    const path = at('later.json')
    writeFileSync(path, VECTOR.keyring)
    using keyManager = await KeyManager.open(path, { passphrase: VECTOR.passphrase })
    const [own, later] = keyManager.slots()
    expect(later).toEqual({ id: 'MDEyMzQ1Njc4OTo7PD0-Pw', type: 'unknown' })
    await expect(keyManager.removeSlot(own!.id)).rejects.toThrow(noSlot)
    await keyManager.addKey(key)
    const file = JSON.parse(readFileSync(path, 'utf8')) as { note: string; slots: { slot?: number }[] }
    expect([file.note, file.slots[1]!.slot]).toEqual(['déjà vu', 9])
    await keyManager.removeSlot(later!.id)
    expect(keyManager.slots()).toHaveLength(2)
  })

  test('64 are the most', async () => {
    const { keyManager } = await create()
    for (let i = 0; i < 63; i++) await keyManager.addKey(new Uint8Array(32).fill(i + 1))
    await expect(keyManager.addKey(key)).rejects.toThrow(LimitError)
    expect(keyManager.slots()).toHaveLength(64)
  })
})

describe('changePassphrase', () => {
  test('puts a new one in the place of the old one, in one run each', async () => {
    const { path, keyManager } = await create()
    await keyManager.addPassphrase('other', { ...cheap, label: 'other' })
    const runs = await countWorkers(() => keyManager.changePassphrase(passphrase, 'new', cheap))
    expect(runs).toBe(workersFor(2))
    await expectOpens(path, { passphrase: 'new' }, keyManager)
    await expectOpens(path, { passphrase: 'other' }, keyManager)
    await expect(KeyManager.open(path, { passphrase })).rejects.toThrow(wrongKey)
    const slot = await keyManager.changePassphrase('other', 'another', cheap)
    expect(keyManager.slots().map(({ label }) => label)).toEqual([undefined, 'other'])
    expect(keyManager.slots()[1]!.id).toBe(slot.id)
  })

  test('leaves all as it is where the old one is wrong, or the new one is refused', async () => {
    const { path, keyManager } = await create()
    const before = readFileSync(path)
    await expect(keyManager.changePassphrase('wrong', 'new', cheap)).rejects.toThrow(wrongKey)
    const passphraseCheck = (text: string): void => {
      if (text.length < 12) throw new WeakPassphraseError('too short')
    }
    await expect(keyManager.changePassphrase(passphrase, 'new', { passphraseCheck })).rejects.toThrow(WeakPassphraseError)
    await expect(keyManager.addPassphrase('new', { passphraseCheck })).rejects.toThrow(WeakPassphraseError)
    await expect(KeyManager.create(at('weak.json'), { passphrase: 'new', passphraseCheck })).rejects.toThrow(WeakPassphraseError)
    const runs = await countWorkers(async () => {
      await expect(keyManager.changePassphrase(passphrase, 'new', { ...cheap, lockTimeout: -1 })).rejects.toThrow(RangeError)
      keyManager.lock()
      await expect(keyManager.changePassphrase(passphrase, 'new', cheap)).rejects.toThrow(/locked/)
    })
    expect(runs).toBe(0)
    await keyManager.unlock({ passphrase })
    await expect(keyManager.changePassphrase(passphrase, '', cheap)).rejects.toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
    expect(readFileSync(path)).toEqual(before)
  })

  test('raises a cost that has fallen behind, and no other', async () => {
    const { keyManager } = await create()
    const raised = await keyManager.changePassphrase(passphrase, 'one')
    expect(raised.argon2).toEqual({ memoryKiB: 65_536, passes: 3, lanes: 4 })
    const interactive = await keyManager.changePassphrase('one', 'two', { argon2: 'interactive' })
    expect(interactive.argon2).toEqual({ memoryKiB: 131_072, passes: 1, lanes: 2 })
    const kept = await keyManager.changePassphrase('two', 'three')
    expect(kept.argon2).toEqual(interactive.argon2)
  })
})

describe('what a hostile keyring cannot do', () => {
  const provider = { id: 'AAAAAAAAAAAAAAAAAAAAAA', type: 'provider', provider: 'memory', wrappedKey: 'A'.repeat(54) }
  test.each<[string, object]>([
    ['a provider without a name', { ...provider, provider: '', sealedSecret: '' }],
    ['a provider with a sealed secret that is too long', { ...provider, sealedSecret: 'A'.repeat(8_000) }],
    ['a provider without one', provider],
    ['a label that is none', { ...provider, type: 'key', label: 'line\nbreak' }],
    ['a label that is no text', { ...provider, type: 'recovery', label: 7 }],
    ['a wrapped key that is short', { ...provider, type: 'key', wrappedKey: 'AAAA' }],
  ])('%s', async (_, slot) => {
    const json = vectorJson() as { slots: object[] }
    json.slots.push(slot)
    writeFileSync(at('hostile.json'), withChecksum(json))
    const open = KeyManager.open(at('hostile.json'), { passphrase: VECTOR.passphrase })
    await expect(open).rejects.toThrow(coded(KeyringError, 'ERR_SEALFILE_KEYRING'))
  })

  test('a slot of one kind is none of another, even for one secret', async () => {
    const [keyringId, keyringKey] = [fromHex(VECTOR.keyringId), fromHex(VECTOR.steps.keyringKey)]
    const slot = await createSlot({ type: 'key', secret: key }, { keyringId, keyringKey, argon2: CHEAP })
    const posing = { ...slot, type: 'provider', json: { ...slot.json, type: 'provider', provider: 'odd', sealedSecret: '' } }
    const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
    const content = serializeKeyring({ ...keyring, slots: [posing as never] }, deriveKeyringMacKey(keyringKey, keyringId))
    writeFileSync(at('posing.json'), content)
    const odd: KeyProvider = {
      name: 'odd',
      wrap: () => Promise.resolve(new Uint8Array(0)),
      unwrap: () => Promise.resolve(new Uint8Array(key)),
    }
    await expect(KeyManager.open(at('posing.json'), { provider: odd })).rejects.toThrow(wrongKey)
  })
})

describe('misuse', () => {
  test.each<[string, unknown, string]>([
    ['two credentials', { passphrase, key }, 'ERR_INVALID_ARG_VALUE'],
    ['a key of zeros', { key: new Uint8Array(32) }, 'ERR_INVALID_ARG_VALUE'],
    ['a short key', { key: new Uint8Array(31) }, 'ERR_OUT_OF_RANGE'],
    ['a key that is text', { key: 'k'.repeat(32) }, 'ERR_INVALID_ARG_TYPE'],
    ['a recovery key that is bytes', { recoveryKey: key }, 'ERR_INVALID_ARG_TYPE'],
    ['a provider that cannot unwrap', { provider: { name: 'x', wrap: () => undefined } }, 'ERR_INVALID_ARG_TYPE'],
    ['a provider without a name', { provider: { wrap: () => 0, unwrap: () => 0 } }, 'ERR_INVALID_ARG_TYPE'],
    ['an idle time of nothing', { passphrase, idleTimeout: 0 }, 'ERR_OUT_OF_RANGE'],
    ['an unlock that is no function', { passphrase, unlock: 'ask' }, 'ERR_INVALID_ARG_TYPE'],
    ['a check that is no function', { passphrase, passphraseCheck: 'strong' }, 'ERR_INVALID_ARG_TYPE'],
    ['a label with a line break', { passphrase, label: 'a\nb' }, 'ERR_INVALID_ARG_VALUE'],
  ])('%s', async (_, options, code) => {
    await expect(KeyManager.create(at('misuse.json'), options as never)).rejects.toMatchObject({ code })
  })

  test('a raw key has no keyring', async () => {
    using keyManager = KeyManager.fromKey(key)
    const noKeyring = { code: 'ERR_INVALID_STATE' }
    expect(() => keyManager.slots()).toThrow(expect.objectContaining(noKeyring))
    expect(() => keyManager.lock()).toThrow(expect.objectContaining(noKeyring))
    for (const call of ['rotateMasterKey', 'reload', 'unlock'] as const) {
      await expect(keyManager[call]()).rejects.toMatchObject(noKeyring)
    }
  })

  test.each<[string, () => unknown]>([
    ['no bytes', () => 'secret'],
    ['too many bytes', () => new Uint8Array(4_097)],
  ])('a provider that wraps into %s', async (_, give) => {
    const { path, keyManager } = await create()
    const before = readFileSync(path)
    const provider = { name: 'odd', wrap: () => Promise.resolve(give()), unwrap: () => Promise.resolve(key) } as KeyProvider
    await expect(keyManager.addProvider(provider)).rejects.toThrow(ProviderError)
    expect(readFileSync(path)).toEqual(before)
  })

  test.each<[string, unknown, unknown]>([
    ['another key', new Uint8Array(32).fill(3), wrongKey],
    ['a short one', new Uint8Array(16), coded(ProviderError, 'ERR_SEALFILE_PROVIDER')],
    ['text', 'secret', coded(ProviderError, 'ERR_SEALFILE_PROVIDER')],
  ])('a provider that unwraps to %s', async (_, given, error) => {
    const { path, keyManager } = await create()
    const provider = {
      name: 'odd',
      wrap: () => Promise.resolve(new Uint8Array(0)),
      unwrap: () => Promise.resolve(given),
    } as KeyProvider
    await keyManager.addProvider(provider)
    await expect(KeyManager.open(path, { provider })).rejects.toThrow(error)
  })
})

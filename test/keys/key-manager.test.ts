import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { format, inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ClosedError, InvalidFileFormatError, InvalidKeyError, KeyringError, LimitError } from '../../src/errors.js'
import { deriveNatively } from '../../src/keys/argon2id.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import type { NewPassphraseOptions } from '../../src/keys/key-manager-options.js'
import { deriveKeyringMacKey } from '../../src/keys/key-schedule.js'
import { parseKeyring, serializeKeyring } from '../../src/keys/keyring.js'
import { MasterKey } from '../../src/keys/master-key.js'
import { createSlot } from '../../src/keys/keyring-slots.js'
import { CHEAP, coded, countWorkers, fromHex, temporaryFolder, VECTOR, vectorJson, withChecksum } from './support.js'

const at = temporaryFolder()
const passphrase = 'correct horse'
const cheap = { passphrase, argon2: CHEAP }
const request = { purpose: 'config', salt: new Uint8Array(32).fill(7), header: new Uint8Array(100).fill(9) }
const dek = new Uint8Array(32).map((_, i) => i + 1)

const noGeneration = coded(InvalidKeyError, 'ERR_SEALFILE_NO_GENERATION') as Error
const wrongKey = coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_KEY') as Error
const badKeyring = coded(KeyringError, 'ERR_SEALFILE_KEYRING') as Error

describe('create and open', () => {
  test('what one wraps, the other unwraps', async () => {
    const path = at('ring.json')
    using created = await KeyManager.create(path, cheap)
    const wrapped = created.wrapFileKey(request, dek)
    expect(wrapped).toMatchObject({ keyringId: created.id, generation: 1 })
    expect([wrapped.wrappedKey.length, wrapped.keyCheck.length]).toEqual([40, 16])
    using opened = await KeyManager.open(path, { passphrase })
    expect(opened.id).toEqual(created.id)
    expect(opened.unwrapFileKey(request, wrapped)).toEqual(dek)
    expect(created.unwrapFileKey(request, wrapped)).toEqual(dek)
  })

  test('the file is its owner’s alone, and alone in its folder', async () => {
    await mkdir(at('modes'))
    const path = at('modes/ring.json')
    const umask = process.umask(0)
    try {
      ;(await KeyManager.create(path, cheap)).close()
    } finally {
      process.umask(umask)
    }
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(at('modes'))).toEqual(['ring.json'])
  })

  test('the path is text, bytes or a URL', async () => {
    await mkdir(at('päths'))
    for (const [path, name] of [
      [Buffer.from(at('päths/a')), at('päths/a')],
      [pathToFileURL(at('päths/b')), at('päths/b')],
    ] as const) {
      ;(await KeyManager.create(path, cheap)).close()
      ;(await KeyManager.open(path, { passphrase })).close()
      await expect(KeyManager.open(path, { passphrase: 'x' })).rejects.toMatchObject({ path: name })
    }
    expect(readdirSync(at('päths')).sort()).toEqual(['a', 'b'])
  })

  test('two keyrings of one passphrase share nothing', async () => {
    using a = await KeyManager.create(at('a.json'), cheap)
    using b = await KeyManager.create(at('b.json'), cheap)
    expect(a.id).not.toEqual(b.id)
    const [x, y] = ['a.json', 'b.json'].map((name) => readFileSync(at(name), 'utf8').match(/[\w-]{22,}/g)!)
    expect(x!.length).toBeGreaterThan(5)
    expect(x!.filter((value) => y!.includes(value))).toEqual([])
  })

  test('a passphrase of bytes is the UTF-8 of one of text', async () => {
    const path = at('bytes.json')
    ;(await KeyManager.create(path, { ...cheap, passphrase: 'naïve' })).close()
    ;(await KeyManager.open(path, { passphrase: new TextEncoder().encode('naïve') })).close()
    ;(await KeyManager.open(path, { passphrase: 'nai\u0308ve' })).close()
    await expect(KeyManager.open(path, { passphrase: new TextEncoder().encode('nai\u0308ve') })).rejects.toThrow(wrongKey)
  })

  test('by default a keyring costs what RFC 9106 recommends', async () => {
    const path = at('default.json')
    ;(await KeyManager.create(path, { passphrase })).close()
    expect(parseKeyring(readFileSync(path)).slots).toMatchObject([{ argon2: { memoryKiB: 65_536, passes: 3, lanes: 4 } }])
    ;(await KeyManager.open(path, { passphrase })).close()
  })

  test.skipIf(deriveNatively !== undefined)('one Argon2id run opens the keyring, none a file', async () => {
    const path = at('runs.json')
    expect(await countWorkers(async () => (await KeyManager.create(path, cheap)).close())).toBe(1)
    let keyManager!: KeyManager
    expect(await countWorkers(async () => void (keyManager = await KeyManager.open(path, { passphrase })))).toBe(1)
    const use = () => Promise.resolve(keyManager.unwrapFileKey(request, keyManager.wrapFileKey(request, dek)))
    expect(await countWorkers(use)).toBe(0)
    expect(await countWorkers(() => expect(KeyManager.open(path, { passphrase: 'wrong' })).rejects.toThrow(wrongKey))).toBe(1)
  })

  test('each of several passphrases opens the keyring', async () => {
    const path = at('several.json')
    const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
    const [id, keyringKey] = [fromHex(VECTOR.keyringId), fromHex(VECTOR.steps.keyringKey)]
    const second = await createSlot(
      { type: 'passphrase', secret: Buffer.from('second') },
      { keyringId: id, keyringKey, argon2: CHEAP },
    )
    const changed = { ...keyring, slots: [...keyring.slots, second] }
    await writeFile(path, serializeKeyring(changed, deriveKeyringMacKey(keyringKey, id)))
    for (const word of [VECTOR.passphrase, 'second']) {
      using keyManager = await KeyManager.open(path, { passphrase: word })
      expect(keyManager.generation).toBe(2)
    }
    await expect(KeyManager.open(path, { passphrase: 'third' })).rejects.toThrow(wrongKey)
    await expect(KeyManager.open(path, { passphrase: 'second', limits: { maxRuns: 1 } })).rejects.toThrow(LimitError)
  })
})

describe('create fails', () => {
  test('EEXIST leaves the file that is there as it is', async () => {
    await mkdir(at('exists'))
    const path = at('exists/ring.json')
    writeFileSync(path, 'precious')
    const create = () => expect(KeyManager.create(path, cheap)).rejects.toMatchObject({ code: 'EEXIST', syscall: 'open' })
    expect(await countWorkers(create)).toBe(0)
    expect(readFileSync(path, 'utf8')).toBe('precious')
    expect(readdirSync(at('exists'))).toEqual(['ring.json'])
  })

  test('of two at once, one', async () => {
    const results = await Promise.allSettled([1, 2, 3].map(() => KeyManager.create(at('race.json'), cheap)))
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EEXIST' })
    ;(await KeyManager.open(at('race.json'), { passphrase })).close()
  })

  test.each<[string, NewPassphraseOptions & { signal?: AbortSignal }, RegExp]>([
    ['aborted before', { signal: AbortSignal.abort(new Error('stop')) }, /stop/],
    ['aborted meanwhile', { signal: AbortSignal.timeout(30), argon2: { memoryKiB: 65_536, passes: 16, lanes: 1 } }, /timeout/],
    ['more memory than there is', { argon2: { memoryKiB: 2 ** 32 - 1, passes: 1, lanes: 1 } }, /Argon2id/],
  ])('%s: no file stays', async (name, options, message) => {
    await mkdir(at(name))
    await expect(KeyManager.create(at(`${name}/ring.json`), { ...cheap, ...options })).rejects.toThrow(message)
    expect(readdirSync(at(name))).toEqual([])
  })

  test('ENOENT passes through', async () => {
    await expect(KeyManager.create(at('nowhere/ring.json'), cheap)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(KeyManager.open(at('nowhere/ring.json'), cheap)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('misuse', () => {
  test.each<[unknown, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['tell no one', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: 4711 }, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: ['tell no one'] }, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ passphrase: new Uint8Array(0) }, 'ERR_INVALID_ARG_VALUE'],
    [{ passphrase: 'tell no one\ud800' }, 'ERR_INVALID_ARG_VALUE'],
  ])('options %o', async (options, code) => {
    for (const call of ['create', 'open'] as const) {
      const error: unknown = await KeyManager[call](at('misuse'), options as never).catch((reason: unknown) => reason)
      expect(error).toEqual(coded(TypeError, code))
      expect(inspect(error)).not.toMatch(/tell no one|4711/)
    }
    expect(readdirSync(at('.'))).not.toContain('misuse')
  })

  test('a path that is none', async () => {
    const error = coded(TypeError, 'ERR_INVALID_ARG_TYPE') as Error
    await expect(KeyManager.create(3.5 as never, cheap)).rejects.toThrow(error)
    await expect(KeyManager.open(undefined as never, cheap)).rejects.toThrow(error)
  })
})

describe('open fails', () => {
  const open = async (content: Uint8Array | string, options: object = {}) => {
    await writeFile(at('bad.json'), content)
    return KeyManager.open(at('bad.json'), { passphrase: VECTOR.passphrase, ...options })
  }
  const noRun = async (check: () => Promise<unknown>) => expect(await countWorkers(check)).toBe(0)

  test('the wrong passphrase, with the path', async () => {
    const wrong = open(VECTOR.keyring, { passphrase: 'wrong' })
    await expect(wrong).rejects.toThrow(wrongKey)
    await expect(wrong).rejects.toMatchObject({ path: at('bad.json') })
  })

  test('damage is named before any expensive work', async () => {
    for (const content of ['', 'x', '{}', VECTOR.keyring.replace('"current": 2', '"current": 1'), Buffer.alloc(2_000_000, 0x20)]) {
      await noRun(() => expect(open(content)).rejects.toThrow(badKeyring))
    }
  })

  test('a limit is named before anything is allocated', async () => {
    const json = vectorJson() as { slots: { kdf: { memoryKiB: number } }[] }
    json.slots[0]!.kdf.memoryKiB = 2 ** 32 - 1
    const before = process.memoryUsage().rss
    await noRun(() => expect(open(withChecksum(json))).rejects.toThrow(coded(LimitError, 'ERR_SEALFILE_LIMIT')))
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
    await noRun(() => expect(open(VECTOR.keyring, { limits: { maxMemoryKiB: 255 } })).rejects.toThrow(LimitError))
    ;(await open(VECTOR.keyring, { limits: { maxMemoryKiB: 256 } })).close()
  })

  test('what was altered, by someone who knows no passphrase', async () => {
    await expect(open(withChecksum({ ...vectorJson(), current: 1 }))).rejects.toThrow(badKeyring)
  })

  test('a generation that does not unwrap, in a keyring that is authentic', async () => {
    const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
    const [first, second] = vectorJson().generations as [object, { wrappedKey: string }]
    const generations = [keyring.generations[0]!, { ...keyring.generations[1]!, json: { ...first, generation: 2 } }]
    expect(generations[1]!.json).not.toEqual(second)
    await expect(open(serializeKeyring({ ...keyring, generations }, fromHex(VECTOR.steps.macKey)))).rejects.toThrow(/generation 2/)
  })

  test('a keyring without a slot for passphrases', async () => {
    const keyring = parseKeyring(Buffer.from(VECTOR.keyring))
    const content = serializeKeyring({ ...keyring, slots: keyring.slots.slice(1) }, fromHex(VECTOR.steps.macKey))
    const noSlot = coded(KeyringError, 'ERR_SEALFILE_KEYRING_SLOT') as Error
    await noRun(() => expect(open(content)).rejects.toThrow(noSlot))
  })
})

describe('file keys', () => {
  const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(3))
  const wrapped = keyManager.wrapFileKey(request, dek)
  const damagedHeader = coded(InvalidFileFormatError, 'ERR_SEALFILE_FORMAT_HEADER') as Error

  test('another purpose', () => {
    const wrongPurpose = coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_PURPOSE') as Error
    expect(() => keyManager.unwrapFileKey({ ...request, purpose: 'Config' }, wrapped)).toThrow(wrongPurpose)
  })

  test('another salt wraps otherwise', () => {
    const other = { ...request, salt: new Uint8Array(32).fill(8) }
    expect(keyManager.wrapFileKey(other, dek).wrappedKey).not.toEqual(wrapped.wrappedKey)
    expect(() => keyManager.unwrapFileKey(other, wrapped)).toThrow(InvalidKeyError)
  })

  test('another key', () => {
    using other = KeyManager.fromKey(new Uint8Array(32).fill(4))
    expect(() => other.unwrapFileKey(request, wrapped)).toThrow(wrongKey)
    // Even one that claims to be meant.
    expect(() => other.unwrapFileKey(request, { ...wrapped, keyringId: other.id })).toThrow(damagedHeader)
  })

  test('a missing generation', () => {
    for (const generation of [0, 2, 2 ** 32 - 1]) {
      expect(() => keyManager.unwrapFileKey(request, { ...wrapped, generation })).toThrow(noGeneration)
    }
  })

  test('an altered header, wrapped key or key check: every byte', () => {
    for (const field of ['wrappedKey', 'keyCheck'] as const) {
      wrapped[field].forEach((_, i) => {
        const bytes = wrapped[field].slice()
        bytes[i]! ^= 1
        expect(() => keyManager.unwrapFileKey(request, { ...wrapped, [field]: bytes })).toThrow(damagedHeader)
      })
    }
    request.header.forEach((_, i) => {
      const header = request.header.slice()
      header[i]! ^= 0x80
      expect(() => keyManager.unwrapFileKey({ ...request, header }, wrapped)).toThrow(damagedHeader)
    })
    const moved = { ...wrapped, wrappedKey: wrapped.wrappedKey.slice(0, 39) }
    expect(() => keyManager.unwrapFileKey(request, moved)).toThrow(damagedHeader)
  })

  test('a purpose that is none is misuse', () => {
    for (const purpose of ['', 'a\n', 'x'.repeat(256), 5]) {
      const bad = { ...request, purpose: purpose as string }
      expect(() => keyManager.wrapFileKey(bad, dek)).toThrow(TypeError)
      expect(() => keyManager.unwrapFileKey(bad, wrapped)).toThrow(TypeError)
    }
  })

  test('a DEK has 32 bytes', () => {
    expect(() => keyManager.wrapFileKey(request, new Uint8Array(16))).toThrow(RangeError)
  })

  test('results are the caller’s own', () => {
    keyManager.unwrapFileKey(request, wrapped).fill(0)
    keyManager.wrapFileKey(request, dek).keyringId.fill(0)
    keyManager.id.fill(0)
    expect(keyManager.unwrapFileKey(request, wrapped)).toEqual(dek)
  })
})

describe('fromKey', () => {
  test('copies the key', () => {
    const key = new Uint8Array(32).fill(5)
    using keyManager = KeyManager.fromKey(key)
    using same = KeyManager.fromKey(Buffer.alloc(32, 5))
    key.fill(0)
    expect(keyManager.generation).toBe(1)
    expect(same.unwrapFileKey(request, keyManager.wrapFileKey(request, dek))).toEqual(dek)
  })

  test('takes 32 bytes that are not all zero', () => {
    expect(() => KeyManager.fromKey('x'.repeat(32) as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
    for (const length of [0, 16, 31, 33, 64]) {
      expect(() => KeyManager.fromKey(new Uint8Array(length).fill(1))).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
    }
    expect(() => KeyManager.fromKey(new Uint8Array(32))).toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
  })
})

describe('the end of keys', () => {
  test('close: nothing works any more, and it may be called again', () => {
    const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(6))
    const wrapped = keyManager.wrapFileKey(request, dek)
    const id = keyManager.id
    keyManager.close()
    keyManager[Symbol.dispose]()
    const closed = coded(ClosedError, 'ERR_SEALFILE_CLOSED') as Error
    expect(() => keyManager.wrapFileKey(request, dek)).toThrow(closed)
    expect(() => keyManager.unwrapFileKey(request, wrapped)).toThrow(closed)
    expect(() => keyManager.unwrapFileKey(request, { ...wrapped, generation: 2 })).toThrow(closed)
    expect(keyManager.id).toEqual(id)
  })

  test('a master key is overwritten', () => {
    const key = new Uint8Array(32).fill(0xab)
    const masterKey = new MasterKey(key, { keyringId: new Uint8Array(16), generation: 1 })
    masterKey.wrap(request, dek)
    masterKey.dispose()
    expect(key).toEqual(new Uint8Array(32))
    expect(() => masterKey.wrap(request, dek)).toThrow()
  })

  test('no print of a key manager shows a key', async () => {
    await writeFile(at('print.json'), VECTOR.keyring)
    using ring = await KeyManager.open(at('print.json'), { passphrase: VECTOR.passphrase })
    using raw = KeyManager.fromKey(fromHex(VECTOR.rawKey.key))
    const prints = [ring, raw, { deep: { ring, raw } }].flatMap((value) => [
      inspect(value, { depth: 50, showHidden: true, getters: true }),
      JSON.stringify(value),
      format('%s %o %O %j', value, value, value, value),
    ])
    prints.push(String(ring), String(raw), inspect(Object.entries(ring)))
    expect(String(ring)).toContain('AAECAwQFBgcICQoLDA0ODw')
    const secrets = [VECTOR.rawKey.key, VECTOR.steps.keyringKey, ...VECTOR.steps.masterKeys].map((hex) => Buffer.from(hex, 'hex'))
    for (const secret of secrets) {
      for (const part of [secret.subarray(0, 6), secret.subarray(12, 18)]) {
        const forms = [
          part.toString('hex'),
          part.toString('base64').slice(0, 8),
          part.toString('base64url').slice(0, 8),
          [...part].join(','),
          [...part].join(', '),
          [...part].map((byte) => byte.toString(16)).join(' '),
        ]
        for (const form of forms) for (const print of prints) expect(print.toLowerCase()).not.toContain(form.toLowerCase())
      }
    }
  })
})

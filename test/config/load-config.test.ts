import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findConfig, loadConfig } from '../../src/config.js'
import { ConfigError } from '../../src/index.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
/** @returns a new folder, with files in it. */
function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = inFolder(`folder-${folders++}`)
  mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

const NAME = 'sealfile.config.json'
const write = (content: string | Uint8Array, name = NAME): string => join(folderWith({ [name]: content }), name)
const load = (value: unknown) => loadConfig(write(JSON.stringify(value)))

async function errorOf(promise: Promise<unknown>): Promise<ConfigError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConfigError)
  expect(error).toHaveProperty('code', 'ERR_SEALFILE_CONFIG')
  return error as ConfigError
}

describe('a configuration', () => {
  const whole = {
    keyring: 'keys/ring.json',
    segmentSize: 4096,
    cipher: 'chacha20-poly1305',
    durability: 'fsync',
    commitInterval: 50,
    argon2: 'server',
    argon2Profiles: { server: { memoryKiB: 262_144, passes: 2, lanes: 4 } },
    purposes: [{ pattern: '**/*.log', purpose: 'logs' }],
  }

  test('gives what it says', async () => {
    const path = write(JSON.stringify(whole))
    const config = await loadConfig(path)
    expect(config.path).toBe(path)
    expect(config.keyring).toBe(join(path, '../keys/ring.json'))
    expect(config.purposes).toEqual(whole.purposes)
    const settings = { segmentSize: 4096, cipher: 'chacha20-poly1305', durability: 'fsync' }
    expect(config.openOptions(join(path, '../a.log'))).toEqual({ ...settings, commitInterval: 50, purpose: 'logs' })
    expect(config.fsOptions()).toMatchObject({ ...settings, commitInterval: 50 })
    expect(config.batchOptions('.')).toEqual({ ...settings, purpose: expect.any(Function) as unknown })
    expect(config.keyringOptions()).toEqual({ argon2: whole.argon2Profiles.server })
    expect(config.keyringOptions('interactive')).toEqual({ argon2: { memoryKiB: 131_072, passes: 1, lanes: 2 } })
  })

  test('leaves out what it does not say', async () => {
    const path = write('{}')
    const config = await loadConfig(path)
    expect(config.keyring).toBe(join(path, '../keyring.json'))
    expect(config.fsOptions()).toStrictEqual({ purpose: expect.any(Function) as unknown })
    expect(config.keyringOptions()).toEqual({ argon2: { memoryKiB: 65_536, passes: 3, lanes: 4 } })
  })

  test('is frozen', async () => {
    const config = await load(whole)
    for (const part of [config, config.purposes, config.purposes[0]]) expect(Object.isFrozen(part)).toBe(true)
    const { argon2 } = config.keyringOptions()
    Object.assign(argon2, { passes: 1 })
    expect(config.keyringOptions().argon2.passes).toBe(2)
  })

  test('knows no other profile', async () => {
    const config = await load(whole)
    for (const name of ['none', 'toString', '__proto__']) {
      expect(() => config.keyringOptions(name)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error)
    }
    expect(() => config.keyringOptions(1 as unknown as string)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
    )
  })

  test('may begin with a byte order mark, and be given by URL or Buffer', async () => {
    const path = write('\uFEFF{}')
    expect((await loadConfig(pathToFileURL(path))).path).toBe(path)
    expect((await loadConfig(Buffer.from(path))).path).toBe(path)
  })
})

describe('what is wrong is named', () => {
  const rule = { pattern: '**', purpose: 'p' }
  const cost = { memoryKiB: 65_536, passes: 3, lanes: 4 }

  test.each<[string, unknown, string]>([
    ['segmentSize', { segmentSize: 5000 }, 'must be a power of two'],
    ['segmentSize', { segmentSize: 2048 }, 'must be an integer from 4096 to 16777216'],
    ['segmentSize', { segmentSize: '64 KiB' }, 'must be an integer'],
    ['segmentSize', { segmentSize: 4096.5 }, 'must be an integer'],
    ['segmentSize', { segmentSize: null }, 'must be an integer'],
    ['cipher', { cipher: 'aes-128-gcm' }, 'must be one of: aes-256-gcm, chacha20-poly1305, aes-256-gcm-siv'],
    ['durability', { durability: true }, 'must be one of: os, fsync'],
    ['commitInterval', { commitInterval: 0 }, 'must be an integer from 1'],
    ['keyring', { keyring: '' }, 'must not be empty'],
    ['keyring', { keyring: 'a\0b' }, 'must not hold NUL'],
    ['argon2', { argon2: 'serve', argon2Profiles: { server: cost } }, 'must be one of: rfc9106-second, interactive, server'],
    ['argon2', { argon2: 'toString' }, 'must be one of'],
    ['argon2Profiles.interactive', { argon2Profiles: { interactive: cost } }, 'is a name that is taken'],
    ['argon2Profiles.a.memoryKiB', { argon2Profiles: { a: { ...cost, memoryKiB: 2 ** 21 } } }, 'to 1048576'],
    ['argon2Profiles.a', { argon2Profiles: { a: { ...cost, memoryKiB: 16 } } }, '8 KiB per lane'],
    ['argon2Profiles.a.lanes', { argon2Profiles: { a: { memoryKiB: 64, passes: 1 } } }, 'is missing'],
    ['argon2Profiles.a.lane', { argon2Profiles: { a: { ...cost, lane: 1 } } }, 'did you mean lanes?'],
    ['argon2Profiles', { argon2Profiles: [] }, 'must be an object'],
    ['purposes', { purposes: { '**': 'p' } }, 'must be a list'],
    ['purposes', { purposes: Array.from({ length: 1001 }, () => rule) }, 'at most 1000'],
    ['purposes[1].pattern', { purposes: [rule, { purpose: 'p' }] }, 'is missing'],
    ['purposes[2].pattern', { purposes: [rule, rule, { ...rule, pattern: 7 }] }, 'must be text'],
    ['purposes[0].patern', { purposes: [{ ...rule, patern: '' }] }, 'did you mean pattern?'],
    ['purposes[0]', { purposes: ['**'] }, 'must be an object'],
    ['purposes[0].purpose', { purposes: [{ ...rule, purpose: 'a\n' }] }, 'without control characters'],
    ['segmentsize', { segmentsize: 1 }, 'did you mean segmentSize?'],
    ['commit-interval', { 'commit-interval': 1 }, 'did you mean commitInterval?'],
    ['colour', { colour: 1 }, 'there may be keyring, segmentSize'],
    ['"a b"', { 'a b': 1 }, 'is not known'],
    ['', [], 'must be an object'],
    ['', null, 'must be an object'],
    ['', 7, 'must be an object'],
  ])('%s of %j', async (key, value, message) => {
    const error = await errorOf(load(value))
    expect(error.keys).toEqual([key])
    expect(error.message).toContain(message)
    expect(error.message).toContain(key === '' ? 'the configuration' : `${key} `)
    expect(error.message).toContain(NAME)
  })

  test('all of it at once, and not without end', async () => {
    const two = await errorOf(load({ segmentSize: 1, purposes: [{ ...rule, purpose: '' }] }))
    expect(two.keys).toEqual(['segmentSize', 'purposes[0].purpose'])
    const many = await errorOf(load({ purposes: Array.from({ length: 500 }, () => ({ ...rule, purpose: '' })) }))
    expect(many.keys).toHaveLength(500)
    expect(many.message).toContain('and 490 more')
    expect(many.message.length).toBeLessThan(2_000)
  })

  test.each([
    '\\*',
    '',
    '!a',
    '/a',
    'a/',
    '+(a|aa)b',
    '{a/b,c}',
    '**/a/**/b/**',
    '*a*a*a*b',
    '[a]+[a]+[a]+[a]+b',
    'a'.repeat(1_025),
    '*a*a*/*a*a*b',
    '**/*a*/**/*a*b',
  ])('a pattern that cannot be, or that could take for ever: %s', async (pattern) => {
    const { keys } = await errorOf(load({ purposes: [{ pattern, purpose: 'p' }] }))
    expect(keys).toEqual(['purposes[0].pattern'])
  })
})

describe('a secret', () => {
  const SECRET = 'hunter2-correct-horse'

  test.each([
    ...[
      'passphrase',
      'PASSWORD',
      'dbPassword',
      'passwd',
      'secret',
      'clientSecret',
      'key',
      'keys',
      'masterKey',
      'private_key',
      'privatekey',
    ],
    ...['apiKey', 'recovery', 'recoveryKey', 'recovery-key', 'token', 'vaultToken', 'credential', 'passphraseFile', 'pin', 'pwd'],
  ])('is refused under the name %s, wherever it is', async (name) => {
    for (const [value, path] of [
      [{ [name]: SECRET }, name],
      [{ purposes: [{ pattern: '**', purpose: 'p', [name]: SECRET }] }, `purposes[0].${name}`],
      [{ nobody: { knows: [{ [name]: SECRET }] } }, `nobody.knows[0].${name}`],
    ] as const) {
      const error = await errorOf(load(value))
      expect(error.keys).toEqual([path])
      expect(error.message).toMatch(/holds none: give passphrases and keys to KeyManager/)
      expect(JSON.stringify(error) + String(error.stack)).not.toContain(SECRET)
    }
  })

  test('is shown by no message, wherever it stands', async () => {
    const texts = [
      `{"passphrase": ${SECRET}}`,
      SECRET,
      `{"cipher": "${SECRET}"}`,
      `{"segmentSize": "${SECRET}"}`,
      `{"purposes": "${SECRET}"}`,
      `{"purposes": [{"pattern": "/${SECRET}", "purpose": "p"}]}`,
      `{"argon2": "${SECRET}"}`,
      `"${SECRET}"`,
      `{"keyring": "${SECRET}`,
    ]
    for (const [name, text] of texts.flatMap((text) => [[NAME, text] as const, ['a.yaml', text] as const])) {
      let thrown: unknown
      try {
        await loadConfig(write(text, name))
      } catch (error) {
        thrown = error
      }
      expect(thrown, text).toBeInstanceOf(ConfigError)
      const { message, stack, cause } = thrown as Error
      expect(`${message}${stack ?? ''}${String(cause)}`, text).not.toContain(SECRET)
    }
  })

  test.each(['keyring', 'argon2Profiles'])('%s is not the name of one', async (name) => {
    const { message } = await errorOf(load({ [name]: 1 }))
    expect(message).not.toContain('secret')
  })

  test('is not what a profile is named for', async () => {
    const config = await load({
      argon2: 'token-server',
      argon2Profiles: { 'token-server': { memoryKiB: 64, passes: 1, lanes: 1 } },
    })
    expect(config.keyringOptions().argon2.memoryKiB).toBe(64)
  })
})

describe('hostile files', () => {
  test.each(['__proto__', 'constructor', 'prototype'])('the key %s', async (name) => {
    const cost = '{"memoryKiB": 64, "passes": 1, "lanes": 1}'
    for (const text of [
      `{"${name}": {"segmentSize": 4096}}`,
      `{"argon2Profiles": {"${name}": ${cost}}}`,
      `{"purposes": [{"pattern": "**", "purpose": "p", "${name}": {}}]}`,
    ]) {
      for (const path of [write(text), write(text, 'a.yml')]) {
        const { message } = await errorOf(loadConfig(path))
        expect(message).toContain(`${name} is not allowed`)
      }
    }
    expect(({} as { segmentSize?: unknown }).segmentSize).toBeUndefined()
  })

  test.each<[string, string | Uint8Array]>([
    ['too large', ' '.repeat(65_537)],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d])],
    ['empty', ''],
    ['no JSON', '{"a":1,}'],
    ['nested', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['nested in a known key', `{"purposes":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
  ])('%s', async (_, text) => {
    await errorOf(loadConfig(write(text)))
  })

  test('as large as may be', async () => {
    await expect(loadConfig(write(`{}${' '.repeat(65_534)}`))).resolves.toBeDefined()
  })

  test('a line is told, where JSON.parse tells a position', async () => {
    const { message } = await errorOf(loadConfig(write('{\n  "cipher": "aes-256-gcm",\n}')))
    expect(message).toContain('line 3')
  })

  test('a folder, and nothing at all, are errors of the system', async () => {
    await expect(loadConfig(folderWith({}))).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(loadConfig(inFolder('none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each([7, null, ''])('%s in place of a path', async (where) => {
    await expect(loadConfig(where as unknown as string)).rejects.toThrow()
  })
})

describe('YAML', () => {
  const yaml = (text: string, name = 'sealfile.config.yaml') => loadConfig(write(text, name))

  test('says the same', async () => {
    const text = `
# Comments are what it is taken for.
segmentSize: 4096
keyring: ring.json
argon2: small
argon2Profiles:
  small: { memoryKiB: 64, passes: 1, lanes: 1 }
purposes:
  - pattern: "**/*.log"
    purpose: logs
`
    for (const name of ['a.yaml', 'a.YML']) {
      const config = await yaml(text, name)
      expect(config.fsOptions().segmentSize).toBe(4096)
      expect(config.purposes).toEqual([{ pattern: '**/*.log', purpose: 'logs' }])
      expect(config.keyringOptions().argon2.memoryKiB).toBe(64)
    }
  })

  test.each<[string, string, RegExp]>([
    ['an alias', 'keyring: &a x\ncipher: *a', /aliases/],
    ['a bomb', `${bomb()}purposes: *i`, /aliases/],
    ['code', 'keyring: !!js/function "() => 1"', /tags.*line 1/],
    ['a tag', 'cipher: aes-256-gcm\nkeyring: !own x', /tags.*line 2/],
    ['bytes', 'keyring: !!binary aGk=', /tags/],
    ['a merge', '<<: { cipher: aes-256-gcm }', /"<<" is not known/],
    ['a key twice', 'cipher: aes-256-gcm\ncipher: aes-256-gcm', /DUPLICATE_KEY.*line 2/],
    ['two documents', 'cipher: aes-256-gcm\n---\ncipher: aes-256-gcm', /MULTIPLE_DOCS/],
    ['a list in a key', '? [a]\n: 1', /no text/],
    ['an alias as a key', '&a x: 1\n*a : 2', /no text|aliases/],
    ['no end', 'keyring: "a', /not YAML/],
    ['nothing', '', /must be an object/],
    ['truth as YAML 1.1 has it', '%YAML 1.1\n---\ndurability: yes', /durability must be one of/],
    ['deep lists in a line', '- '.repeat(30_000), /nested too deep, line 1/],
    ['deep lists in many lines', '- - - - - - - - - - - - - - - -\n'.repeat(2_000), /is nested deeper than 8/],
    ['deep brackets', ' [\n'.repeat(20_000), /nested too deep/],
    ['brackets in a line', '['.repeat(60_000), /nested too deep/],
    ['deep braces', ' {\n'.repeat(20_000), /nested too deep/],
    ['deep keys', '? '.repeat(30_000), /nested too deep/],
    [
      'deep indentation',
      Array.from({ length: 340 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      /nested too deep, line \d+/,
    ],
    ['nine levels', 'keyring: [[[[[[[[[x]]]]]]]]]', /keyring is nested deeper than 8 levels/],
  ])('refuses %s', async (_, text, message) => {
    expect((await errorOf(yaml(text))).message).toMatch(message)
  })
})

/** Nine levels, each nine times the one before. */
function bomb(): string {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
  return names
    .map(
      (name, index) =>
        `${name}: &${name} [${Array.from({ length: 9 }, () => (index === 0 ? 'x' : `*${names[index - 1]!}`)).join(',')}]\n`,
    )
    .join('')
}

describe('looking for it', () => {
  test('upwards, the nearest', async () => {
    const outer = folderWith({ [NAME]: '{"commitInterval": 1}' })
    const inner = join(outer, 'a/b/c')
    mkdirSync(inner, { recursive: true })
    expect(await findConfig({ from: inner })).toBe(join(outer, NAME))
    expect((await loadConfig({ from: pathToFileURL(inner) })).fsOptions().commitInterval).toBe(1)
    writeFileSync(join(outer, 'a/sealfile.config.yml'), 'commitInterval: 2')
    expect((await loadConfig({ from: inner })).fsOptions().commitInterval).toBe(2)
    expect(await findConfig({ from: join(inner, 'not there/at all') })).toBe(join(outer, 'a/sealfile.config.yml'))
  })

  test('two in one folder', async () => {
    const folder = folderWith({ [NAME]: '{}', 'sealfile.config.yaml': '' })
    expect((await errorOf(loadConfig({ from: folder }))).message).toContain(`${NAME}, sealfile.config.yaml`)
  })

  test('none', async () => {
    const folder = folderWith({})
    expect(await findConfig({ from: folder })).toBeUndefined()
    expect((await errorOf(loadConfig({ from: folder }))).message).toContain('there is none of sealfile.config.json')
  })

  test('from where the program runs', async () => {
    expect(await findConfig()).toBe(await findConfig({ from: process.cwd() }))
    await expect(findConfig(null as unknown as object)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(findConfig({ from: 7 as unknown as string })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })

  test('a link that leads nowhere is not passed over', async () => {
    const folder = folderWith({})
    symlinkSync('nowhere', join(folder, NAME))
    await expect(loadConfig({ from: folder })).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.skipIf(process.platform === 'win32')('one that everybody can write to is used only by its path', async () => {
    const path = write('{}')
    chmodSync(path, 0o666)
    expect((await errorOf(findConfig({ from: join(path, '..') }))).message).toContain('everybody can write to it')
    expect((await loadConfig(path)).path).toBe(path)
  })

  test.skipIf(process.platform === 'win32')('one that comes into the place of another meanwhile is not used', async () => {
    const path = write('{}')
    let isOver = false
    const swap = (turn: number): void => {
      if (isOver) return
      const isBad = turn % 3 === 0
      writeFileSync(`${path}.new`, `{"commitInterval": ${isBad ? 2 : 1}}`)
      chmodSync(`${path}.new`, isBad ? 0o666 : 0o644)
      renameSync(`${path}.new`, path)
      setImmediate(swap, turn + 1)
    }
    swap(1)
    const used = new Set<unknown>()
    for (let i = 0; i < 60; i++) {
      const config = await loadConfig({ from: join(path, '..') }).catch(() => undefined)
      if (config !== undefined) used.add(config.fsOptions().commitInterval)
    }
    isOver = true
    expect([...used]).not.toContain(2)
  })

  test.skipIf(process.getuid?.() !== 0)("another user's is used only by its path", async () => {
    const path = write('{}')
    chownSync(path, 65_534, 65_534)
    expect((await errorOf(loadConfig({ from: join(path, '..') }))).message).toContain('belongs to another user')
    expect((await loadConfig(path)).path).toBe(path)
    const folder = folderWith({})
    symlinkSync(path, join(folder, NAME))
    await errorOf(loadConfig({ from: folder }))
  })
})

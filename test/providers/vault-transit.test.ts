import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ProviderError } from '../../src/errors.js'
import type { KeyProvider, ProviderContext } from '../../src/keys/key-provider.js'
import { createVaultTransitProvider, type VaultTransitProviderOptions } from '../../src/providers/vault-transit.js'
import { coded } from '../keys/support.js'
import { startVaultStandIn, type Fault, type VaultStandIn } from '../support/vault-transit.js'

const newId = () => randomBytes(16).toString('base64url')
const CONTEXT: ProviderContext = { keyringId: newId(), slotId: newId() }
const KEY = new Uint8Array(randomBytes(32))
const refused = coded(ProviderError, 'ERR_SEALFILE_PROVIDER')

/** A real server, where the tests are given one: its address, and a token that may make keys in its transit engine. */
const { SEALFILE_TEST_VAULT_ADDR: realAddress, SEALFILE_TEST_VAULT_TOKEN: realToken } = process.env

let vault: VaultStandIn
beforeAll(async () => {
  vault = await startVaultStandIn()
})
afterAll(() => vault.close())
afterEach(() => {
  vault.faults.length = 0
  vault.requests.length = 0
  vault.sealed = false
  vault.ignoresAssociatedData = false
})

async function errorOf(work: Promise<unknown>): Promise<Error & { cause?: unknown }> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

interface Target {
  readonly address: string
  readonly rootToken: string
}

/** What an administrator does. */
async function administer({ address, rootToken }: Target, path: string, fields: object = {}): Promise<void> {
  const { status } = await fetch(`${address}/v1/${path}`, {
    method: 'POST',
    headers: { 'X-Vault-Token': rootToken },
    body: JSON.stringify(fields),
  })
  expect(status).toBeLessThan(300)
}

async function newKey(target: Target, fields: object = {}): Promise<string> {
  const name = `sealfile-${randomBytes(6).toString('hex')}`
  await administer(target, `transit/keys/${name}`, fields)
  return name
}

/** A provider with a key of its own, in the stand-in. */
async function newProvider(options: Partial<VaultTransitProviderOptions> = {}): Promise<KeyProvider> {
  const key = options.key ?? (await newKey(vault, { derived: options.derived ?? false }))
  return createVaultTransitProvider({ address: vault.address, token: vault.rootToken, key, ...options })
}

const targets: (readonly [string, () => Target])[] = [['the stand-in', () => vault]]
if (realAddress !== undefined && realToken !== undefined) {
  targets.push(['a real server', () => ({ address: realAddress, rootToken: realToken })])
}

describe.each(targets)('with %s', (_, target) => {
  const create = async (fields: object, options: Partial<VaultTransitProviderOptions> = {}) => {
    const { address, rootToken } = target()
    const key = await newKey(target(), fields)
    return { key, provider: createVaultTransitProvider({ address, token: rootToken, allowHttp: true, key, ...options }) }
  }

  const kinds = [
    [{ type: 'aes256-gcm96' }, {}],
    [{ type: 'aes128-gcm96' }, {}],
    [{ type: 'chacha20-poly1305' }, {}],
    [{ type: 'aes256-gcm96', derived: true }, { derived: true }],
  ] as const

  test.each(kinds)('a key of %j wraps and unwraps', async (fields, options) => {
    const { provider } = await create(fields, options)
    const wrapped = await provider.wrap(KEY, CONTEXT)
    expect(Buffer.from(wrapped).toString()).toMatch(/^vault:v1:/)
    expect(wrapped.length).toBeLessThanOrEqual(4_096)
    expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(KEY)
  })

  test.each(kinds)('a key of %j opens no other slot, keyring or ciphertext', async (fields, options) => {
    const { provider } = await create(fields, options)
    const wrapped = await provider.wrap(KEY, CONTEXT)
    await expect(provider.unwrap(wrapped, { ...CONTEXT, slotId: newId() })).rejects.toEqual(refused)
    await expect(provider.unwrap(wrapped, { ...CONTEXT, keyringId: newId() })).rejects.toEqual(refused)
    const changed = new Uint8Array(wrapped)
    changed[20] = changed[20] === 65 ? 66 : 65
    await expect(provider.unwrap(changed, CONTEXT)).rejects.toEqual(refused)
    await expect(provider.unwrap(new Uint8Array(0), CONTEXT)).rejects.toEqual(refused)
  })

  test('after a rotation old slots open, new ones are of the new version, and a version can be shut out', async () => {
    const { key, provider } = await create({})
    const old = await provider.wrap(KEY, CONTEXT)
    await administer(target(), `transit/keys/${key}/rotate`)
    expect(await provider.unwrap(old, CONTEXT)).toEqual(KEY)
    const fresh = await provider.wrap(KEY, CONTEXT)
    expect(Buffer.from(fresh).toString()).toMatch(/^vault:v2:/)
    await administer(target(), `transit/keys/${key}/config`, { min_decryption_version: 2 })
    expect(await provider.unwrap(fresh, CONTEXT)).toEqual(KEY)
    await expect(provider.unwrap(old, CONTEXT)).rejects.toThrow(/too old/)
  })

  test('a key that was made to be derived is refused without `derived`', async () => {
    const { provider } = await create({ derived: true })
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/context/)
  })

  test('a wrong token, a missing key and a missing engine are told apart', async () => {
    const { provider } = await create({}, { token: 'hvs.wrong' })
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/refused the token/)
    const missing = await create({}, { key: 'no-such-key' })
    await expect(missing.provider.unwrap(Buffer.from('vault:v1:AAAA'), CONTEXT)).rejects.toThrow(/has no key 'no-such-key'/)
    const elsewhere = await create({}, { mount: 'no/such/mount' })
    await expect(elsewhere.provider.wrap(KEY, CONTEXT)).rejects.toThrow(/has nothing at no\/such\/mount/)
  })
})

test('what a server decrypts that does not know associated data is checked all the same', async () => {
  vault.ignoresAssociatedData = true
  const provider = await newProvider()
  const wrapped = await provider.wrap(KEY, CONTEXT)
  expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(KEY)
  const error = await errorOf(provider.unwrap(wrapped, { ...CONTEXT, slotId: newId() }))
  expect(error).toEqual(refused)
  expect(error.message).toMatch(/not of this slot/)
})

test('a token that may update two paths is enough, and makes no key that is missing', async () => {
  const key = await newKey(vault)
  const may = (name: string) => ({ [`transit/encrypt/${name}`]: ['update'], [`transit/decrypt/${name}`]: ['update'] }) as const
  const provider = await newProvider({ key, token: vault.addToken(may(key)) })
  expect(await provider.unwrap(await provider.wrap(KEY, CONTEXT), CONTEXT)).toEqual(KEY)
  const other = await newProvider({ key: 'absent', token: vault.addToken(may('absent')) })
  await expect(other.wrap(KEY, CONTEXT)).rejects.toThrow(/refused the token/)
})

test('namespace and nested mount are sent', async () => {
  const provider = await newProvider({ mount: 'team/transit', namespace: 'ns' })
  expect(await provider.unwrap(await provider.wrap(KEY, CONTEXT), CONTEXT)).toEqual(KEY)
  expect(vault.requests.at(-1)?.headers['x-vault-namespace']).toBe('ns')
  const outside = await newProvider({ mount: 'team/transit' })
  await expect(outside.wrap(KEY, CONTEXT)).rejects.toThrow(/has nothing at/)
})

test('the name is the caller’s', async () => {
  expect((await newProvider()).name).toBe('vault-transit')
  expect((await newProvider({ name: 'vault-berlin' })).name).toBe('vault-berlin')
})

test('the key stays the caller’s', async () => {
  const key = new Uint8Array(KEY)
  const provider = await newProvider()
  await provider.wrap(key, CONTEXT)
  expect(key).toEqual(KEY)
})

describe('the token', () => {
  test('is not shown where it was given for what gives it', () => {
    const options = { address: 'https://vault.example.com', key: 'k', getToken: 'hvs.token' as never }
    expect(() => createVaultTransitProvider(options)).toThrow(/^((?!hvs).)*$/s)
  })

  test('is asked for with each call', async () => {
    let calls = 0
    const provider = await newProvider({
      token: undefined,
      getToken: () => Promise.resolve(++calls > 1 ? vault.rootToken : 'hvs.old'),
    })
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/refused the token/)
    expect(await provider.wrap(KEY, CONTEXT)).toBeInstanceOf(Uint8Array)
    expect(calls).toBe(2)
  })

  test('that cannot be had is a ProviderError with the cause', async () => {
    const cause = new Error('login failed')
    const failing = await newProvider({ token: undefined, getToken: () => Promise.reject(cause) })
    const error = await errorOf(failing.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(error.cause).toBe(cause)
    const wrong = await newProvider({ token: undefined, getToken: () => 'a token\nwith a line' })
    expect(inspect(await errorOf(wrong.wrap(KEY, CONTEXT)), { depth: 9 })).not.toContain('with a line')
  })

  test('is in no error and no inspection, whatever the server answers; neither is the key', async () => {
    const token = 'hvs.the-secret-token'
    const provider = await newProvider({ token, retries: 0 })
    const sent = () => (JSON.parse(vault.requests.at(-1)!.body) as { plaintext: string }).plaintext
    vault.faults.push((response) => {
      response.writeHead(400).end(JSON.stringify({ errors: [`bad request of ${token}: ${sent()}`, 7, 'and\n\u0007more'] }))
    })
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(error.message).toContain('bad request of (withheld): (withheld); and more')
    for (const shown of [
      inspect(error, { depth: 9 }),
      inspect(provider, { depth: 9, showHidden: true }),
      JSON.stringify(provider),
    ]) {
      expect(shown).not.toContain(token)
      expect(shown).not.toContain(sent())
    }
  })

  test('does not follow a redirection', async () => {
    const provider = await newProvider()
    const { requests } = vault
    vault.faults.push((response) => response.writeHead(307, { Location: `${vault.address}/v1/elsewhere` }).end())
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(error.message).toMatch(/sends elsewhere/)
    expect(requests.length).toBe(2)
  })
})

const busy =
  (status: number, headers = {}): Fault =>
  (response) =>
    response.writeHead(status, headers).end('{"errors":["busy"]}')
const broken: Fault = (response) => response.destroy()

describe('when the server fails', () => {
  test.each([
    ['429', busy(429)],
    ['429, with a time', busy(429, { 'Retry-After': '1' })],
    ['500', busy(500)],
    ['503, but not sealed', busy(503)],
    ['412', busy(412)],
    ['the connection breaks', broken],
  ])('it is asked again: %s', async (_, fault) => {
    const provider = await newProvider()
    vault.faults.push(fault)
    expect(await provider.unwrap(await provider.wrap(KEY, CONTEXT), CONTEXT)).toEqual(KEY)
    expect(vault.faults).toEqual([])
  })

  test('it is asked `retries` times again, and no more', async () => {
    const provider = await newProvider({ retries: 1 })
    vault.faults.push(busy(500), busy(502), busy(500))
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(error.message).toMatch(/HTTP status 502: busy/)
    expect(error.cause).toMatchObject({ status: 502 })
    expect(vault.faults.length).toBe(1)
  })

  test.each([
    ['400', busy(400)],
    ['403', busy(403)],
    ['501', busy(501)],
  ])('it is not asked again: %s', async (_, fault) => {
    const provider = await newProvider()
    vault.faults.push(fault, fault)
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toEqual(refused)
    expect(vault.faults.length).toBe(1)
  })

  test('a sealed server is an error at once', async () => {
    const provider = await newProvider()
    vault.sealed = true
    vault.requests.length = 0
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/is sealed/)
    expect(vault.requests.length).toBe(1)
  })

  test('nobody there: a ProviderError with the cause', async () => {
    const free = await startVaultStandIn()
    const { address } = free
    await free.close()
    const provider = await newProvider({ address, key: 'k', retries: 0 })
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(error.message).toContain(address)
    expect(error.cause).toBeInstanceOf(TypeError)
  })

  test.each<[string, Fault]>([
    ['nothing', (response) => response.end()],
    ['no JSON', (response) => response.end('<html>')],
    ['null', (response) => response.end('null')],
    ['no data', (response) => response.end('{"data":[]}')],
    ['a number', (response) => response.end('{"data":{"ciphertext":7,"plaintext":7}}')],
    ['an inherited field', (response) => response.end('{"data":{"__proto__":{"ciphertext":"a","plaintext":"a"}}}')],
    [
      'more than a slot can hold',
      (response) => response.end(JSON.stringify({ data: { ciphertext: 'x'.repeat(5000), plaintext: 'AA==' } })),
    ],
    ['control characters', (response) => response.end(JSON.stringify({ data: { ciphertext: 'vault:\n', plaintext: '' } }))],
    ['an empty text', (response) => response.end(JSON.stringify({ data: { ciphertext: '', plaintext: '' } }))],
  ])('an answer without sense is a ProviderError: %s', async (_, fault) => {
    const provider = await newProvider({ retries: 0 })
    vault.faults.push(fault, fault)
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toEqual(refused)
    await expect(provider.unwrap(Buffer.from('vault:v1:AAAA'), CONTEXT)).rejects.toEqual(refused)
    expect(vault.faults).toEqual([])
  })

  test('an answer without an end is cut off', async () => {
    const provider = await newProvider({ retries: 0 })
    let written = 0
    const closed = new Promise<void>((resolve) => {
      vault.faults.push((response) => {
        response.once('close', resolve)
        const more = () => {
          while (!response.closed && response.write('x'.repeat(65_536))) written += 65_536
        }
        response.on('drain', more)
        more()
      })
    })
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error).toEqual(refused)
    expect(inspect(error.cause)).toMatch(/longer than 65536 bytes/)
    await closed
    expect(written).toBeLessThan(2 ** 28)
  })
})

describe('time', () => {
  const silent: Fault = () => undefined

  test('a server that is silent: a ProviderError after the timeout', async () => {
    const provider = await newProvider({ timeout: 100 })
    vault.faults.push(silent)
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toEqual(refused)
    vault.faults.push(silent)
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/did not answer within 100 ms/)
  })

  test('a server that is busy for longer: the timeout, with the last answer as its cause', async () => {
    const provider = await newProvider({ timeout: 300 })
    vault.faults.push(busy(429, { 'Retry-After': '3600' }))
    const error = await errorOf(provider.wrap(KEY, CONTEXT))
    expect(error.message).toMatch(/did not answer within 300 ms/)
    expect((error.cause as Error).message).toMatch(/too many requests/)
  })

  test('a token that never comes', async () => {
    const provider = await newProvider({ timeout: 100, token: undefined, getToken: () => new Promise<string>(() => undefined) })
    // The timer of the timeout alone would not keep this process alive.
    const alive = setTimeout(() => undefined, 60_000)
    await expect(provider.wrap(KEY, CONTEXT)).rejects.toThrow(/did not answer within/)
    clearTimeout(alive)
  })

  test.each<[string, Fault]>([
    ['while the server is silent', silent],
    ['while it waits to ask again', busy(429, { 'Retry-After': '60' })],
  ])('the caller gives up %s: the reason of the signal', async (_, fault) => {
    const provider = await newProvider()
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    vault.faults.push(fault)
    const work = errorOf(provider.wrap(KEY, { ...CONTEXT, signal: controller.signal }))
    setTimeout(() => controller.abort(reason), 50)
    expect(await work).toBe(reason)
  })

  test('the caller gave up before: nothing is asked', async () => {
    const provider = await newProvider()
    vault.requests.length = 0
    const reason = new Error('too late')
    expect(await errorOf(provider.unwrap(Buffer.from('vault:v1:AAAA'), { ...CONTEXT, signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    )
    expect(vault.requests).toEqual([])
  })
})

describe('options', () => {
  const good = { address: 'https://vault.example.com', token: 'hvs.a', key: 'sealfile' }
  const create = (options: object) => () => createVaultTransitProvider({ ...good, ...options })

  test.each([
    { address: new URL('https://vault.example.com:8200/behind/a/proxy/') },
    { address: 'http://localhost:8200' },
    { address: 'http://127.1:8200' },
    { address: 'http://[::1]:8200' },
    { address: 'http://vault.internal:8200', allowHttp: true },
    { mount: 'team/transit-2' },
    { key: 'a.b-c_d' },
  ])('%j can be', (options) => {
    expect(create(options)).not.toThrow()
  })

  test.each([
    { address: 'http://vault.internal:8200' },
    { address: 'http://localhost.example.com' },
    { address: 'http://127.0.0.1.example.com' },
    { address: 'ftp://localhost' },
    { address: 'vault.example.com' },
    { address: 'https://vault.example.com/?a=b' },
    { address: 'https://vault.example.com/#a' },
    { token: '' },
    { token: 'a\r\nX-Evil: 1' },
    { token: undefined },
    { getToken: () => 'a' },
    { key: '' },
    { key: '../sys/seal' },
    { key: 'a/b' },
    { key: 'a?b' },
    { mount: '' },
    { mount: '../sys' },
    { mount: '/transit' },
    { mount: 'a//b' },
    { namespace: 'a\nb' },
    { namespace: 'ä' },
    { name: '' },
    { name: 'a\u0000' },
  ])('%j cannot be', (options) => {
    expect(create(options)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_VALUE'))
  })

  test.each([
    { address: 5 },
    { token: 5 },
    { token: undefined, getToken: 'a' },
    { key: undefined },
    { mount: 5 },
    { derived: 'yes' },
    { allowHttp: 1 },
    { timeout: '1' },
    { retries: null },
    { fetch: {} },
  ])('%j is a wrong type', (options) => {
    expect(create(options)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
  })

  test.each([{ timeout: 0 }, { timeout: 2 ** 31 }, { timeout: 1.5 }, { retries: -1 }, { retries: 101 }])(
    '%j is out of range',
    (options) => {
      expect(create(options)).toThrow(coded(RangeError, 'ERR_OUT_OF_RANGE'))
    },
  )

  test('no options, and undefined ones', () => {
    expect(() => createVaultTransitProvider(undefined as never)).toThrow(coded(TypeError, 'ERR_INVALID_ARG_TYPE'))
    expect(create({ mount: undefined, timeout: undefined, fetch: undefined, name: undefined })).not.toThrow()
  })

  test('an address with a password is refused without showing it', () => {
    expect(create({ address: 'https://user:geheim@vault.example.com' })).toThrow(/credentials$/)
    expect(create({ address: 'https://user:geheim@:bad' })).not.toThrow(/geheim/)
    expect(create({ token: 'geheim geheim' })).not.toThrow(/geheim/)
  })

  test('the path of an address is kept, and `fetch` is the caller’s', async () => {
    const urls: string[] = []
    const ask = (url: string) => {
      urls.push(url)
      return Promise.resolve(Response.json({ data: { ciphertext: 'vault:v1:AAAA' } }))
    }
    const provider = createVaultTransitProvider({ ...good, address: 'https://example.com/vault/', fetch: ask as typeof fetch })
    expect(await provider.wrap(KEY, CONTEXT)).toEqual(new TextEncoder().encode('vault:v1:AAAA'))
    expect(urls).toEqual(['https://example.com/vault/v1/transit/encrypt/sealfile'])
  })
})

test('the stand-in is closed to whoever has no token', async () => {
  const { status } = await fetch(`${vault.address}/v1/transit/keys/a`, { method: 'POST' })
  expect(status).toBe(403)
})

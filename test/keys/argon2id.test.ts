import type { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { KeyDerivationError } from '../../src/errors.js'
import { deriveFromPassphrase, deriveInWorker, deriveNatively, type Argon2Input } from '../../src/keys/argon2id.js'
import { CHEAP, coded, countWorkers, toHex } from './support.js'

const text = (value: string) => new TextEncoder().encode(value)
const password = { passphrase: text('password'), salt: text('somesalt') }

/** [source, input, output in hex] */
const VECTORS: readonly (readonly [string, Argon2Input, string])[] = [
  [
    'reference implementation (P-H-C/phc-winner-argon2, test.c): 64 MiB, 2 passes, 1 lane',
    { ...password, parameters: { memoryKiB: 65_536, passes: 2, lanes: 1 } },
    '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7',
  ],
  [
    'reference implementation: 256 KiB, 2 passes, 1 lane',
    { ...password, parameters: { memoryKiB: 256, passes: 2, lanes: 1 } },
    '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe',
  ],
  [
    'reference implementation: 256 KiB, 2 passes, 2 lanes',
    { ...password, parameters: { memoryKiB: 256, passes: 2, lanes: 2 } },
    '6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037',
  ],
  [
    // The vector of the RFC has associated data, which hash-wasm does not take and no keyring has.
    'input of RFC 9106 §5.3 without its associated data, computed with OpenSSL 3.5',
    {
      passphrase: new Uint8Array(32).fill(1),
      salt: new Uint8Array(16).fill(2),
      secret: new Uint8Array(8).fill(3),
      parameters: { memoryKiB: 32, passes: 3, lanes: 4 },
    },
    '0034de3c8a75efc1148100eaf5ba9b1ce6d50ba5cdf6ae4018c54a4fc03ac10d',
  ],
]

const native = deriveNatively
const ways: [string, (input: Argon2Input) => Promise<Uint8Array>][] = [
  ['either way', deriveFromPassphrase],
  ['in a worker', deriveInWorker],
]
if (native) ways.push(['natively', native])

describe.each(ways)('%s', (_, derive) => {
  test.each(VECTORS)('%s', async (__, input, expected) => {
    const before = toHex(input.passphrase)
    expect(toHex(await derive(input))).toBe(expected)
    expect(toHex(input.passphrase)).toBe(before)
  })
})

test('input in a Buffer stays the caller’s', async () => {
  const passphrase = Buffer.from('password')
  const secret = Buffer.from('secret')
  const salt = Buffer.from('somesalt')
  const input = { passphrase, salt, secret, parameters: CHEAP }
  expect(await deriveInWorker(input)).toEqual(await deriveInWorker(input))
  expect([passphrase, secret, salt].map(String)).toEqual(['password', 'secret', 'somesalt'])
})

test('the event loop turns while 64 MiB are filled', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await deriveInWorker({ ...password, parameters: { memoryKiB: 65_536, passes: 3, lanes: 4 } })
  clearInterval(timer)
  expect(turns).toBeGreaterThan(0)
})

test('one run starts one worker at most', async () => {
  expect(await countWorkers(() => deriveInWorker({ ...password, parameters: CHEAP }))).toBe(1)
  expect(await countWorkers(() => deriveFromPassphrase({ ...password, parameters: CHEAP }))).toBe(native ? 0 : 1)
})

test('more memory than there is: KeyDerivationError with its cause', async () => {
  const error: unknown = await deriveFromPassphrase({
    ...password,
    parameters: { memoryKiB: 2 ** 32 - 1, passes: 1, lanes: 1 },
  }).catch((reason: unknown) => reason)
  expect(error).toEqual(coded(KeyDerivationError, 'ERR_SEALFILE_KEY_DERIVATION'))
  expect((error as Error).cause).toBeInstanceOf(Error)
})

test('a worker that cannot do its work is an error too', async () => {
  await expect(deriveInWorker({ ...password, parameters: { memoryKiB: 1, passes: 1, lanes: 1 } })).rejects.toThrow(/memory/i)
})

describe('signal', () => {
  const parameters = { memoryKiB: 65_536, passes: 8, lanes: 1 }

  test('aborted before: nothing runs', async () => {
    const signal = AbortSignal.abort(new Error('too late'))
    const run = () => expect(deriveFromPassphrase({ ...password, parameters, signal })).rejects.toThrow('too late')
    expect(await countWorkers(run)).toBe(0)
  })

  test('aborted meanwhile: its reason, at once', async () => {
    const controller = new AbortController()
    const result = deriveFromPassphrase({ ...password, parameters, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('changed my mind')), 20)
    await expect(result).rejects.toThrow('changed my mind')
  })

  test('the worker of an aborted run ends', async () => {
    const started = new Promise<Worker>((resolve) => process.once('worker', resolve))
    const controller = new AbortController()
    const endless = { memoryKiB: 65_536, passes: 1_000_000, lanes: 1 }
    const result = deriveInWorker({ ...password, parameters: endless, signal: controller.signal })
    const ended = new Promise((resolve) => void started.then((worker) => worker.once('exit', resolve)))
    setTimeout(() => controller.abort(new Error('changed my mind')), 50)
    await expect(result).rejects.toThrow('changed my mind')
    // 0 where it had not come up yet.
    expect([0, 1]).toContain(await ended)
  }, 30_000)
})

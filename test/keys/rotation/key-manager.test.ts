import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { InvalidKeyError, KeyringError } from '../../../src/errors.js'
import { EncryptedFile, KeyManager } from '../../../src/index.js'
import { coded, temporaryFolder } from '../support.js'

/** The three rotations of a key manager and its files, together. */

const at = temporaryFolder()
const key = new Uint8Array(32).fill(0x5a)
const inUse = coded(KeyringError, 'ERR_SEALFILE_GENERATION_IN_USE') as Error
const noGeneration = coded(InvalidKeyError, 'ERR_SEALFILE_NO_GENERATION') as Error

let count = 0

/** A keyring, and files of three purposes beside it. */
async function create(): Promise<{ folder: string; ring: string; files: string; keyManager: KeyManager }> {
  const folder = at(`rotation-${count++}`)
  const files = `${folder}/files`
  mkdirSync(`${files}/inner`, { recursive: true })
  const keyManager = await KeyManager.create(`${folder}/ring.json`, { key })
  for (const [name, purpose] of [
    ['one', 'config'],
    ['two', 'logs'],
    ['inner/three', 'vectors'],
  ] as const) {
    await EncryptedFile.writeFile(`${files}/${name}`, `${name}, ${purpose}`, { keyManager, purpose })
  }
  return { folder, ring: `${folder}/ring.json`, files, keyManager }
}

const PURPOSES = ['config', 'logs', 'vectors']

async function expectReadable(files: string, keyManager: KeyManager): Promise<void> {
  const read = (name: string, purpose: string): Promise<string> =>
    EncryptedFile.readFile(`${files}/${name}`, { keyManager, purpose, encoding: 'utf8' })
  expect(await read('one', 'config')).toBe('one, config')
  expect(await read('two', 'logs')).toBe('two, logs')
  expect(await read('inner/three', 'vectors')).toBe('inner/three, vectors')
}

test('rotate, rewrap, retire: only the new generation is left, and opens all', async () => {
  const { ring, files, keyManager } = await create()
  const first = readFileSync(ring)
  expect(await keyManager.rotateMasterKey()).toBe(2)
  await expect(keyManager.retireGeneration(1, { search: files })).rejects.toThrow(inUse)
  expect(await keyManager.rewrap(files, { purpose: PURPOSES })).toMatchObject({ files: 3, rewrapped: 3, failures: [] })
  expect(await keyManager.rewrap(files, { purpose: PURPOSES })).toMatchObject({ files: 3, current: 3, failures: [] })
  await keyManager.retireGeneration(1, { search: files, keepBackup: false })
  expect(keyManager.generations).toEqual([2])
  using opened = await KeyManager.open(ring, { key })
  await expectReadable(files, opened)
  // The keyring from before the rotation opens none of them.
  writeFileSync(`${ring}.old`, first)
  using old = await KeyManager.open(`${ring}.old`, { key })
  await expect(expectReadable(files, old)).rejects.toThrow(noGeneration)
})

test('reencrypt: a header from before does not open what is there now', async () => {
  const { files, keyManager } = await create()
  const header = readFileSync(`${files}/one`).subarray(0, 288)
  await keyManager.rotateMasterKey()
  const options = { purpose: PURPOSES, before: keyManager.generation }
  expect(await keyManager.reencrypt(files, options)).toMatchObject({ files: 3, reencrypted: 3, failures: [] })
  expect(await keyManager.reencrypt(files, options)).toMatchObject({ files: 3, current: 3, reencrypted: 0, failures: [] })
  await expectReadable(files, keyManager)
  const mixed = readFileSync(`${files}/one`)
  header.copy(mixed)
  writeFileSync(at('mixed'), mixed)
  await expect(EncryptedFile.readFile(at('mixed'), { keyManager, purpose: 'config' })).rejects.toMatchObject({
    code: 'ERR_SEALFILE_CORRUPTED',
  })
})

test('to another keyring: the old one opens nothing any more', async () => {
  const { files, keyManager } = await create()
  const other = await create()
  const report = await keyManager.reencrypt(files, { purpose: PURPOSES, into: other.keyManager })
  expect(report).toMatchObject({ reencrypted: 3, failures: [] })
  await expectReadable(files, other.keyManager)
  await expect(expectReadable(files, keyManager)).rejects.toThrow(coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_KEY'))
})

describe('retireGeneration refuses', () => {
  test('the current one, one that is not there, and to guess where files are', async () => {
    const { files, keyManager } = await create()
    await expect(keyManager.retireGeneration(1, { force: true })).rejects.toThrow(inUse)
    await keyManager.rotateMasterKey()
    const never = { search: files, onProgress: () => expect.unreachable('it has looked') }
    await expect(keyManager.retireGeneration(2, never)).rejects.toThrow(inUse)
    await expect(keyManager.retireGeneration(7, never)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(keyManager.retireGeneration(1, { ...never, lockTimeout: -1 })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(keyManager.retireGeneration(7, { force: true })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(keyManager.retireGeneration(1, {})).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(keyManager.retireGeneration(1, undefined as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    const error: unknown = await keyManager.retireGeneration(1, { search: `${files}/inner` }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ path: `${files}/inner/three`, message: expect.stringContaining('generation 1') as string })
    expect(keyManager.generations).toEqual([1, 2])
  })

  test('while a file cannot be checked', async () => {
    const { files, keyManager } = await create()
    await keyManager.rotateMasterKey()
    await keyManager.rewrap(files, { purpose: PURPOSES })
    const damaged = readFileSync(`${files}/one`)
    damaged.fill(1, 96, 288)
    writeFileSync(`${files}/damaged`, damaged)
    const error: unknown = await keyManager.retireGeneration(1, { search: files }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ path: `${files}/damaged`, cause: { code: 'ERR_SEALFILE_FORMAT_HEADER' } })
    await keyManager.retireGeneration(1, { force: true })
    expect(keyManager.generations).toEqual([2])
    await expectReadable(files, keyManager)
  })
})

test('a number does not come again when the one before it was retired', async () => {
  const { keyManager } = await create()
  await keyManager.rotateMasterKey()
  await keyManager.retireGeneration(1, { force: true })
  expect(await keyManager.rotateMasterKey()).toBe(3)
})

test('another process that makes files notices the rotation by itself', async () => {
  const { ring, files, keyManager } = await create()
  using other = await KeyManager.open(ring, { key })
  await keyManager.rotateMasterKey()
  const deadline = Date.now() + 20_000
  let generation: number | null | undefined
  while (generation !== 2 && Date.now() < deadline) {
    await EncryptedFile.writeFile(`${files}/new`, '', { keyManager: other, purpose: 'config' })
    ;({ generation } = await EncryptedFile.inspect(`${files}/new`))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(generation).toBe(2)
})

test('a locked key manager asks once for all that is to be done', async () => {
  const { ring, files, keyManager } = await create()
  keyManager.close()
  let asked = 0
  const unlock = (): { key: Uint8Array } => {
    asked++
    return { key }
  }
  using locked = await KeyManager.open(ring, { key, unlock })
  await locked.rotateMasterKey()
  locked.lock()
  expect(await locked.rewrap(files, { purpose: PURPOSES })).toMatchObject({ rewrapped: 3 })
  expect(asked).toBe(1)
})

test('one that locks itself between two files asks again, and so does the one that files go into', async () => {
  const { folder, ring, files, keyManager } = await create()
  await keyManager.rotateMasterKey()
  let asked = 0
  const unlock = (): { key: Uint8Array } => {
    asked++
    return { key }
  }
  using locking = await KeyManager.open(ring, { key, unlock })
  const onProgress = (): void => locking.lock()
  expect(await locking.rewrap(files, { purpose: PURPOSES, concurrency: 1, onProgress })).toMatchObject({
    rewrapped: 3,
    failures: [],
  })
  expect(asked).toBe(2)
  ;(await KeyManager.create(`${folder}/other.json`, { key })).close()
  using into = await KeyManager.open(`${folder}/other.json`, { key, unlock })
  into.lock()
  const options = {
    purpose: PURPOSES,
    into,
    concurrency: 1,
    onProgress: (): void => [locking, into].forEach((keys) => keys.lock()),
  }
  expect(await locking.reencrypt(files, options)).toMatchObject({ reencrypted: 3, failures: [] })
  const refusing = await KeyManager.open(ring, { key, unlock: () => Promise.reject(new Error('nobody is there')) })
  const report = refusing.rewrap(files, { purpose: PURPOSES, concurrency: 1, onProgress: () => refusing.lock() })
  await expect(report).rejects.toThrow('nobody is there')
})

test('channels tell of each file', async () => {
  const { files, keyManager } = await create()
  const heard: unknown[] = []
  const listen = (message: unknown, name: string | symbol): void => void heard.push([name, message])
  for (const name of ['sealfile:rewrap', 'sealfile:reencrypt']) subscribe(name, listen)
  await keyManager.rotateMasterKey()
  await keyManager.rewrap(`${files}/one`, { purpose: 'config' })
  await keyManager.reencrypt(`${files}/one`, { purpose: 'config' })
  await keyManager.rewrap(`${files}/one`, { purpose: 'config' })
  for (const name of ['sealfile:rewrap', 'sealfile:reencrypt']) unsubscribe(name, listen)
  const keyringId = Buffer.from(keyManager.id).toString('base64url')
  const [old, fresh] = [1, 2].map((generation) => ({ keyringId, generation }))
  expect(heard).toEqual([
    ['sealfile:rewrap', { path: `${files}/one`, purpose: 'config', from: old, to: fresh }],
    ['sealfile:reencrypt', { path: `${files}/one`, purpose: 'config', from: fresh, to: fresh }],
  ])
})

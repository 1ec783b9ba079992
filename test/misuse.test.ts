import { constants, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { encryptBatch } from '../src/batch.js'
import { exportToAge } from '../src/compat.js'
import { findConfig } from '../src/config.js'
import { createEncryptedFs } from '../src/fs.js'
import { EncryptedFile, KeyManager } from '../src/index.js'
import { KEY, OPTIONS, writeEncrypted } from './support/encrypted-files.js'
import { temporaryFolder } from './support/temporary-folder.js'

const inFolder = temporaryFolder()
const COST = { memoryKiB: 64, passes: 1, lanes: 1 }
const none = undefined as never

/** What callers without types get wrong, and what no other test passes in. */
describe('misuse is told with the codes of Node', () => {
  const keyring = async (): Promise<KeyManager> => {
    const path = inFolder(`keyring-${count++}`)
    return KeyManager.create(path, { passphrase: 'a passphrase', argon2: COST })
  }
  let count = 0
  const efs = createEncryptedFs(OPTIONS)

  test.each<[string, string, () => unknown]>([
    ['a batch without options', 'ERR_INVALID_ARG_TYPE', () => encryptBatch('a', none)],
    ['a batch of a number', 'ERR_INVALID_ARG_TYPE', () => encryptBatch(7 as never, { ...OPTIONS, target: 'b' })],
    ['an export without options', 'ERR_INVALID_ARG_TYPE', () => exportToAge('a', 'b', none)],
    [
      'both flags for reading and writing at once',
      'ERR_INVALID_ARG_VALUE',
      () => EncryptedFile.open('a', constants.O_WRONLY | constants.O_RDWR, OPTIONS),
    ],
    ['flush that is no boolean', 'ERR_INVALID_ARG_TYPE', () => efs.promises.writeFile(inFolder('a'), '', { flush: 1 as never })],
    ['half a mode of a copy', 'ERR_OUT_OF_RANGE', () => efs.promises.copyFile(inFolder('a'), inFolder('b'), 0.5)],
    [
      'a provider whose name is empty',
      'ERR_INVALID_ARG_VALUE',
      () =>
        KeyManager.create(inFolder('provider'), {
          provider: { name: '', wrap: () => Promise.resolve(KEY), unwrap: () => Promise.resolve(KEY) },
        }),
    ],
    [
      'a label that is no text',
      'ERR_INVALID_ARG_TYPE',
      () => KeyManager.create(inFolder('label'), { key: KEY, label: 7 as never }),
    ],
    [
      'a backup that is no boolean',
      'ERR_INVALID_ARG_TYPE',
      async () => (await keyring()).rotateMasterKey({ keepBackup: 1 as never }),
    ],
    [
      'retiring by force that is no boolean',
      'ERR_INVALID_ARG_TYPE',
      async () => {
        const keyManager = await keyring()
        await keyManager.rotateMasterKey()
        await keyManager.retireGeneration(1, { force: 1 as never })
      },
    ],
  ])('%s: %s', async (_, code, call) => {
    await expect(Promise.resolve().then(call)).rejects.toMatchObject({ code })
  })
})

describe('memory of the caller for readFile', () => {
  const open = (): Promise<EncryptedFile> => {
    const path = inFolder('content')
    writeEncrypted(path, 'content')
    return EncryptedFile.open(path, 'r', OPTIONS)
  }

  test('is used, given or made for the length', async () => {
    const file = await open()
    const memory = new Uint8Array(16)
    const read = await file.readFile({ buffer: memory } as object)
    expect(read.toString()).toBe('content')
    expect(read.buffer).toBe(memory.buffer)
    await file.seek(0)
    const lengths: number[] = []
    const buffer = (length: number): Uint8Array => {
      lengths.push(length)
      return new Uint8Array(length)
    }
    expect((await file.readFile({ buffer } as object)).toString()).toBe('content')
    expect(lengths).toEqual([7])
    await file.close()
  })

  test.each<[unknown, string]>([
    [7, 'ERR_INVALID_ARG_TYPE'],
    [() => 'no view', 'ERR_INVALID_ARG_TYPE'],
    [new Uint8Array(6), 'ERR_INVALID_ARG_VALUE'],
    [() => new Uint8Array(6), 'ERR_INVALID_ARG_VALUE'],
  ])('is refused where it is not fit: %s', async (buffer, code) => {
    const file = await open()
    await expect(file.readFile({ buffer } as object)).rejects.toMatchObject({ code })
    await file.close()
  })
})

describe('what newcomers forget is named', () => {
  test.each<[string, string, () => unknown]>([
    ['a variable that is not set', '"options.passphrase" .* Received undefined$', () => KeyManager.open('k', { passphrase: none })],
    ['the options of a keyring', '"options" .* Received undefined$', () => KeyManager.open('k', none)],
    ['the word options', '"options" .* Received type string$', () => KeyManager.open('k', 'a passphrase' as never)],
    [
      'to wait for the keyring',
      '"options.keyManager" .* Received an instance of Promise$',
      () => EncryptedFile.readFile('a', { keyManager: Promise.resolve() as never, purpose: 'p' }),
    ],
    ['the flags', "'flags' must be text such as 'r', before the options", () => EncryptedFile.open('a', OPTIONS as never, none)],
  ])('%s', async (_, message, call) => {
    await expect(Promise.resolve().then(call)).rejects.toThrow(new RegExp(message))
  })
})

test('an error of the system ends the search for a configuration', async () => {
  await expect(findConfig({ from: inFolder('n'.repeat(300)) })).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
})

test('an export needs a target whose name is text', async () => {
  const path = inFolder('to-export')
  writeFileSync(path, '')
  const target = Buffer.concat([Buffer.from(inFolder('')), Buffer.of(0xff)])
  await expect(exportToAge(path, target, { ...OPTIONS, passphrase: 'a passphrase' })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  })
})

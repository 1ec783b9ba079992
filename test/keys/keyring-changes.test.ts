import { build } from 'esbuild'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { chmod, copyFile } from 'node:fs/promises'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { ClosedError, InvalidKeyError, KeyringError, LimitError, LockedError } from '../../src/errors.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { addGeneration } from '../../src/keys/keyring-edits.js'
import { KeyringStore } from '../../src/keys/keyring-store.js'
import { failingDisk } from '../support/failing-disk.js'
import { SeededRandom } from '../support/seeded-random.js'
import { CHEAP, coded, countWorkers, fromHex, temporaryFolder, VECTOR, workersFor } from './support.js'

/** What becomes of a keyring that is changed: by several at once, by someone who dies, by one that forgets its keys. */

const at = temporaryFolder()
const passphrase = 'correct horse'
const request = { purpose: 'config', salt: new Uint8Array(32).fill(7), header: new Uint8Array(100).fill(9) }
const dek = new Uint8Array(32).map((_, i) => i + 1)
const key = new Uint8Array(32).fill(0x5a)
const ROUNDS = process.env['SLOW'] === '1' ? 400 : 40

const badKeyring = coded(KeyringError, 'ERR_SEALFILE_KEYRING') as Error

let count = 0
async function create(): Promise<{ path: string; keyManager: KeyManager }> {
  const folder = at(`ring-${count++}`)
  mkdirSync(folder)
  return { path: `${folder}/ring.json`, keyManager: await KeyManager.create(`${folder}/ring.json`, { key }) }
}

describe('rotateMasterKey', () => {
  test('new files get the new generation, old ones stay readable, here and after opening', async () => {
    const { path, keyManager } = await create()
    const old = keyManager.wrapFileKey(request, dek)
    expect(await keyManager.rotateMasterKey()).toBe(2)
    expect([keyManager.generation, keyManager.generations]).toEqual([2, [1, 2]])
    const fresh = keyManager.wrapFileKey(request, dek)
    expect([old.generation, fresh.generation]).toEqual([1, 2])
    using opened = await KeyManager.open(path, { key })
    for (const wrapped of [old, fresh])
      for (const by of [keyManager, opened]) expect(by.unwrapFileKey(request, wrapped)).toEqual(dek)
  })

  test('by another process is noticed when a file needs it', async () => {
    const { path, keyManager } = await create()
    using other = await KeyManager.open(path, { key })
    await other.rotateMasterKey()
    await other.rotateMasterKey()
    const wrapped = other.wrapFileKey(request, dek)
    expect(keyManager.generation).toBe(1)
    expect(keyManager.unwrapFileKey(request, wrapped)).toEqual(dek)
    expect(keyManager.generation).toBe(3)
  })

  test('is noticed when it is asked for', async () => {
    const { path, keyManager } = await create()
    using other = await KeyManager.open(path, { key })
    await other.rotateMasterKey()
    await keyManager.reload()
    expect(keyManager.generation).toBe(2)
  })

  test('a generation that nobody has is looked for in the file once, and not again while that stays as it is', async () => {
    const { path, keyManager } = await create()
    const missing = { ...keyManager.wrapFileKey(request, dek), generation: 99 }
    const noGeneration = coded(InvalidKeyError, 'ERR_SEALFILE_NO_GENERATION') as Error
    expect(() => keyManager.unwrapFileKey(request, missing)).toThrow(noGeneration)
    // Whoever replaces the keyring does not get its keys in, nor those that are there out.
    for (const content of ['damaged', VECTOR.keyring]) {
      writeFileSync(path, content)
      expect(() => keyManager.unwrapFileKey(request, missing)).toThrow(noGeneration)
    }
    unlinkSync(path)
    expect(() => keyManager.unwrapFileKey(request, missing)).toThrow(noGeneration)
    expect(keyManager.unwrapFileKey(request, keyManager.wrapFileKey(request, dek))).toEqual(dek)
  })
})

describe('the file', () => {
  test('keeps the version before as a backup, which opens', async () => {
    const { path, keyManager } = await create()
    const first = readFileSync(path)
    await keyManager.rotateMasterKey()
    expect(readFileSync(`${path}.backup`)).toEqual(first)
    const second = readFileSync(path)
    await keyManager.addKey(new Uint8Array(32).fill(1))
    expect(readFileSync(`${path}.backup`)).toEqual(second)
    using backup = await KeyManager.open(`${path}.backup`, { key })
    expect(backup.generation).toBe(2)
    expect(statSync(`${path}.backup`).mode & 0o777).toBe(0o600)
    await keyManager.rotateMasterKey({ keepBackup: false })
    expect(readdirSync(at(`ring-${count - 1}`))).toEqual(['ring.json'])
  })

  test('when it is damaged, the error names the backup', async () => {
    const { path, keyManager } = await create()
    await keyManager.rotateMasterKey()
    for (const content of [
      '',
      readFileSync(path, 'utf8').slice(0, 300),
      readFileSync(path, 'utf8').replace('"revision": 2', '"revision": 3'),
    ]) {
      writeFileSync(path, content)
      const error: unknown = await KeyManager.open(path, { key }).catch((reason: unknown) => reason)
      expect(error).toEqual(badKeyring)
      expect(error).toMatchObject({
        path,
        message: expect.stringContaining(`'${path}.backup' is whole, and has revision 1`) as string,
      })
      // What is damaged is not changed, and so the backup stays.
      await expect(keyManager.rotateMasterKey()).rejects.toThrow(badKeyring)
    }
    await copyFile(`${path}.backup`, path)
    ;(await KeyManager.open(path, { key })).close()
  })

  test('keeps its permissions, and a link to it stays one', async () => {
    const { path, keyManager } = await create()
    keyManager.close()
    await chmod(path, 0o640)
    symlinkSync(path, `${path}-link`)
    using linked = await KeyManager.open(`${path}-link`, { key })
    await linked.rotateMasterKey()
    expect(statSync(path).mode & 0o777).toBe(0o640)
    using opened = await KeyManager.open(path, { key })
    expect(opened.generation).toBe(2)
  })

  test.runIf(process.platform !== 'win32')(
    'by a link is kept apart from one by its own name, however the path is given',
    async () => {
      const { path, keyManager } = await create()
      symlinkSync(path, `${path}-link`)
      using linked = await KeyManager.open(Buffer.from(`${path}-link`), { key })
      symlinkSync(`1:1:0123456789abcdef@elsewhere`, `${path}.sealfile-lock`)
      await expect(linked.rotateMasterKey({ lockTimeout: 0 })).rejects.toThrow(LockedError)
      unlinkSync(`${path}.sealfile-lock`)
      await Promise.all([...Array(4).keys()].map((i) => (i % 2 === 0 ? linked : keyManager).rotateMasterKey()))
      expect(lstatSync(`${path}-link`).isSymbolicLink()).toBe(true)
      using opened = await KeyManager.open(path, { key })
      expect(opened.generations).toEqual([1, 2, 3, 4, 5])
      writeFileSync(path, 'damaged')
      await expect(KeyManager.open(`${path}-link`, { key })).rejects.toThrow(/its backup .* is whole/)
    },
  )

  test.runIf(process.platform !== 'win32')(
    'gives its backup the permissions that it has, whatever lies in the place of that',
    async () => {
      const { path, keyManager } = await create()
      writeFileSync(`${path}-open`, '', { mode: 0o666 })
      await chmod(`${path}-open`, 0o666)
      for (const mode of [0o600, 0o640]) {
        await chmod(path, mode)
        symlinkSync(`${path}-open`, `${path}.backup`)
        await keyManager.rotateMasterKey()
        expect(lstatSync(`${path}.backup`).mode & 0o777).toBe(mode)
        unlinkSync(`${path}.backup`)
      }
    },
  )

  test('does not happen where the backup that is to go cannot be removed', async () => {
    const { path, keyManager } = await create()
    mkdirSync(`${path}.backup`)
    await expect(keyManager.rotateMasterKey({ keepBackup: false })).rejects.toThrow(/EISDIR|EPERM/)
    expect(keyManager.generation).toBe(1)
    using opened = await KeyManager.open(path, { key })
    expect(opened.generation).toBe(1)
  })

  test.runIf(process.platform !== 'win32')('a pipe in its place holds nobody up', { timeout: 10_000 }, async () => {
    const { path, keyManager } = await create()
    unlinkSync(path)
    execFileSync('mkfifo', [path])
    await expect(KeyManager.open(path, { key })).rejects.toThrow()
    const wrapped = { ...keyManager.wrapFileKey(request, dek), generation: 9 }
    expect(() => keyManager.unwrapFileKey(request, wrapped)).toThrow(InvalidKeyError)
  })

  test('while it is read is not taken for an older version that was put back', async () => {
    const { path, keyManager } = await create()
    keyManager.close()
    const first = readFileSync(path)
    using other = await KeyManager.open(path, { key })
    await other.rotateMasterKey()
    const wrapped = other.wrapFileKey(request, dek)
    const second = readFileSync(path)
    for (let turns = 0; turns < 60; turns++) {
      writeFileSync(path, first)
      using reloading = await KeyManager.open(path, { key })
      const reloaded = reloading.reload()
      for (let turn = 0; turn < turns; turn++) await setImmediate()
      writeFileSync(`${path}.new`, second)
      renameSync(`${path}.new`, path)
      // What comes to a file of the new generation takes over the new version while the old one is still being read.
      expect(reloading.unwrapFileKey(request, wrapped)).toEqual(dek)
      await reloaded
      expect(reloading.generation).toBe(2)
    }
  })

  test('an older version, or another keyring, that was put in its place is not changed', async () => {
    const { path, keyManager } = await create()
    const first = readFileSync(path)
    await keyManager.rotateMasterKey()
    writeFileSync(path, first)
    await expect(keyManager.rotateMasterKey()).rejects.toThrow(badKeyring)
    await expect(keyManager.reload()).rejects.toThrow(badKeyring)
    writeFileSync(path, VECTOR.keyring)
    await expect(keyManager.rotateMasterKey()).rejects.toThrow(badKeyring)
    await expect(keyManager.reload()).rejects.toThrow(badKeyring)
    expect(readFileSync(path, 'utf8')).toBe(VECTOR.keyring)
  })

  test('is changed by one at a time', async () => {
    const { path, keyManager } = await create()
    symlinkSync(`1:1:0123456789abcdef@elsewhere`, `${path}.sealfile-lock`)
    await expect(keyManager.rotateMasterKey({ lockTimeout: 0 })).rejects.toThrow(LockedError)
    unlinkSync(`${path}.sealfile-lock`)
    expect(await keyManager.rotateMasterKey({ lockTimeout: 0 })).toBe(2)
  })
})

describe('failures', () => {
  const keyringKey = fromHex(VECTOR.steps.keyringKey)

  test.each(['EIO', 'ENOSPC', 'EACCES'])(
    '%s from any call leaves the old keyring or the new one, and nothing else',
    async (code) => {
      const run = async (from: number, until: number): Promise<{ calls: string[]; path: string; error: unknown }> => {
        const folder = at(`failing-${code}-${count++}`)
        mkdirSync(folder)
        const path = `${folder}/ring.json`
        writeFileSync(path, VECTOR.keyring)
        const { disk, calls } = failingDisk(from, code, until)
        const store = new KeyringStore(path, disk)
        const error: unknown = await store.change(keyringKey, 3, addGeneration(keyringKey), {}).catch((reason: unknown) => reason)
        return { calls, path, error }
      }
      const { calls: all } = await run(Infinity, Infinity)
      // What is put in a place is on the disk before, and the place is before the call returns.
      expect(all.filter((name) => ['fsync', 'rename'].includes(name))).toEqual([
        'fsync',
        'rename',
        'fsync',
        'fsync',
        'rename',
        'fsync',
      ])
      for (let from = 0; from < all.length; from++) {
        for (const until of [from + 1, Infinity]) {
          const { path, error, calls } = await run(from, until)
          const what = `${calls[from]!}, call ${from}, ${until === Infinity ? 'the process dies' : 'once'}`
          const { revision } = await new KeyringStore(path).read()
          expect([3, 4], what).toContain(revision)
          if (error instanceof Error) expect(error, what).toMatchObject({ code })
          else expect(revision, what).toBe(4)
          // A lock is left by one who could not remove it; whoever holds it is alive here.
          const lock = `${path}.sealfile-lock`
          if (until === Infinity && lstatSync(lock, { throwIfNoEntry: false })) unlinkSync(lock)
          const next = new KeyringStore(path).change(keyringKey, 3, addGeneration(keyringKey), { lockTimeout: 0 })
          if (!['unlink', 'symlink'].includes(calls[from]!)) {
            expect((await next).revision, what).toBe(revision + 1)
          } else await next.catch(() => undefined)
        }
      }
    },
  )

  test('a keyring that has as many generations as it can gets no more', async () => {
    const { path } = await create()
    const keyring = await new KeyringStore(path).read()
    const edit = addGeneration(new Uint8Array(32))
    const numbered = (generation: number) => ({ ...keyring.generations[0]!, generation })
    const full = edit({ ...keyring, generations: Array.from({ length: 8_191 }, (_, i) => numbered(i + 1)) })
    expect(full.current).toBe(8_192)
    const newest = { ...keyring, generations: [numbered(2 ** 32 - 1)] }
    for (const last of [full, newest]) expect(() => edit(last)).toThrow(coded(LimitError, 'ERR_SEALFILE_LIMIT'))
  })

  test('an edit that fails changes nothing', async () => {
    const { path, keyManager } = await create()
    const before = readFileSync(path)
    await keyManager.addKey(key)
    await expect(keyManager.addKey(key, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
    await expect(keyManager.addPassphrase('x', { argon2: CHEAP, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    )
    await expect(keyManager.removeSlot('none')).rejects.toThrow(KeyringError)
    expect(readFileSync(`${path}.backup`)).toEqual(before)
  })
})

/** Adds keys, one after the other, and tells of each. */
const CHILD = `
import { KeyManager } from './sealfile.js'
const [path, from, count] = process.argv.slice(2)
const keyManager = await KeyManager.open(path, { key: new Uint8Array(32).fill(0x5a) })
for (let i = 0; i < Number(count); i++) {
  const n = Number(from) + i
  if (n % 3 === 0) await keyManager.rotateMasterKey()
  else await keyManager.addKey(new Uint8Array(32).fill((n % 255) + 1), { label: 'key ' + n })
  process.stdout.write(n + '\\n')
}
`

describe('several processes', () => {
  let folder: string

  beforeAll(async () => {
    folder = at('library')
    mkdirSync(folder)
    const entry = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
    await build({
      entryPoints: [entry],
      outfile: `${folder}/sealfile.js`,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    })
    writeFileSync(`${folder}/package.json`, '{ "type": "module" }')
    writeFileSync(`${folder}/child.js`, CHILD)
  })

  interface Child {
    readonly process: ChildProcess
    readonly output: () => string
    readonly end: Promise<void>
  }

  function start(path: string, from: number, steps: number): Child {
    const child = spawn(process.execPath, [`${folder}/child.js`, path, String(from), String(steps)])
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    const end = new Promise<void>((resolve, reject) => {
      child.on('close', (code, signal) => (code === 0 || signal === 'SIGKILL' ? resolve() : reject(new Error(stderr))))
    })
    return { process: child, output: () => stdout, end }
  }

  test('that change one keyring at once lose nothing', async () => {
    const { path, keyManager } = await create()
    const children = [0, 1, 2].map((i) => start(path, 100 * i, 15))
    await Promise.all(children.map(({ end }) => end))
    await keyManager.reload()
    // Of each 15 numbers five are for rotations.
    expect(keyManager.slots()).toHaveLength(1 + 30)
    expect(keyManager.generations).toHaveLength(1 + 15)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ revision: 46 })
    expect(readdirSync(at(`ring-${count - 1}`)).sort()).toEqual(['ring.json', 'ring.json.backup'])
  })

  test(`that are killed leave the old keyring or the new one: ${ROUNDS} times`, async () => {
    const random = new SeededRandom(Date.now() % 2 ** 31)
    let { path, keyManager } = await create()
    let [revision, done] = [1, 0]
    for (let round = 0; round < ROUNDS; round++) {
      if (keyManager.slots().length > 40) {
        ;({ path, keyManager } = await create())
        revision = 1
      }
      const child = start(path, round * 20, 12)
      await setTimeout(random.int(60, 160))
      // On a machine that is busy all might be killed before they have done anything.
      while (round % 8 === 0 && child.output() === '') await setTimeout(5)
      child.process.kill('SIGKILL')
      await child.end
      const told = child.output().split('\n').length - 1
      await keyManager.reload()
      const found = (JSON.parse(readFileSync(path, 'utf8')) as { revision: number }).revision
      expect(found - revision, `round ${round}`).toBeGreaterThanOrEqual(told)
      expect(found - revision, `round ${round}`).toBeLessThanOrEqual(told + 1)
      revision = found
      done += told
    }
    expect(done).toBeGreaterThan(0)
  })
})

describe('a key manager that is not used', () => {
  const options = { passphrase, argon2: CHEAP } as const
  const locked = coded(ClosedError, 'ERR_SEALFILE_KEYS_LOCKED') as Error

  test('forgets its keys, and asks when a file is opened by a call that waits', async () => {
    const path = at('idle.json')
    let asked = 0
    const unlock = (): { passphrase: string } => {
      asked++
      return { passphrase }
    }
    using keyManager = await KeyManager.create(path, { ...options, idleTimeout: 200, unlock })
    const untilLocked = async (): Promise<void> => {
      while (!keyManager.isLocked) await setTimeout(5)
    }
    const file = { keyManager, purpose: 'idle' }
    await EncryptedFile.writeFile(at('idle.enc'), 'content', file)
    const open = await EncryptedFile.open(at('idle.enc'), 'r', file)
    await untilLocked()
    // Where others have the processor, it may have been locked before.
    asked = 0
    expect(() => keyManager.wrapFileKey(request, dek)).toThrow(locked)
    expect(() => EncryptedFile.openSync(at('idle.enc'), 'r', file)).toThrow(locked)
    expect(asked).toBe(0)
    // What is open already needs no key of the keyring.
    expect(await open.readText()).toBe('content')
    const runs = await countWorkers(async () => {
      const all = await Promise.all([1, 2, 3].map(() => EncryptedFile.readFile(at('idle.enc'), { ...file, encoding: 'utf8' })))
      expect(all).toEqual(['content', 'content', 'content'])
    })
    expect([asked, runs]).toEqual([1, workersFor(1)])
    await untilLocked()
    await keyManager.addKey(key)
    expect(asked).toBe(2)
    await open.close()
  })

  test('stays open while it is used', async () => {
    using keyManager = await KeyManager.create(at('busy.json'), { ...options, idleTimeout: 200 })
    for (let i = 0; i < 10; i++) {
      await setTimeout(40)
      keyManager.wrapFileKey(request, dek)
    }
    expect(keyManager.isLocked).toBe(false)
  })

  test('without anyone to ask stays locked until it is unlocked', async () => {
    using keyManager = await KeyManager.create(at('manual.json'), options)
    const file = { keyManager, purpose: 'idle' }
    keyManager.lock()
    await expect(EncryptedFile.writeFile(at('manual.enc'), '', file)).rejects.toThrow(locked)
    await expect(keyManager.unlock()).rejects.toThrow(locked)
    await expect(keyManager.rotateMasterKey()).rejects.toThrow(locked)
    await expect(keyManager.reload()).rejects.toThrow(locked)
    await expect(keyManager.unlock({ passphrase: 'wrong' })).rejects.toThrow(coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_KEY'))
    await keyManager.unlock({ passphrase })
    await EncryptedFile.writeFile(at('manual.enc'), '', file)
    expect([keyManager.slots().length, keyManager.generation, keyManager.isLocked]).toEqual([1, 1, false])
  })

  test('does not unlock by another keyring, or an older version', async () => {
    const path = at('replaced.json')
    using keyManager = await KeyManager.create(path, options)
    const first = readFileSync(path)
    await keyManager.rotateMasterKey()
    keyManager.lock()
    writeFileSync(path, first)
    await expect(keyManager.unlock({ passphrase })).rejects.toThrow(badKeyring)
    unlinkSync(path)
    ;(await KeyManager.create(path, options)).close()
    await expect(keyManager.unlock({ passphrase })).rejects.toThrow(badKeyring)
    expect(keyManager.isLocked).toBe(true)
  })

  test('tries what it is given, whatever somebody else gives, or never gives', async () => {
    let answer: (credential: { passphrase: string }) => void = () => undefined
    const unlock = (): Promise<{ passphrase: string }> => new Promise((resolve) => (answer = resolve))
    using keyManager = await KeyManager.create(at('several.json'), { ...options, unlock })
    const wrongKey = coded(InvalidKeyError, 'ERR_SEALFILE_WRONG_KEY') as Error
    keyManager.lock()
    const asking = keyManager.unlock()
    const wrong = keyManager.unlock({ passphrase: 'wrong' })
    const right = keyManager.unlock({ passphrase })
    await expect(wrong).rejects.toThrow(wrongKey)
    await right
    expect(keyManager.isLocked).toBe(false)
    answer({ passphrase: 'wrong' })
    await asking
    expect(keyManager.unwrapFileKey(request, keyManager.wrapFileKey(request, dek))).toEqual(dek)
  })

  test('unlocked by two at once is unlocked once', async () => {
    using keyManager = await KeyManager.create(at('two.json'), { ...options, idleTimeout: 60_000 })
    await keyManager.addKey(key)
    keyManager.lock()
    await Promise.all([keyManager.unlock({ key }), keyManager.unlock({ passphrase }), keyManager.unlock({ key })])
    expect(await keyManager.rotateMasterKey()).toBe(2)
  })

  test('locked while it is being unlocked, stays locked', async () => {
    using keyManager = await KeyManager.create(at('relocked.json'), options)
    keyManager.lock()
    const unlocking = keyManager.unlock({ passphrase })
    keyManager.lock()
    await expect(unlocking).rejects.toThrow(locked)
    expect(keyManager.isLocked).toBe(true)
    await keyManager.unlock({ passphrase })
  })

  test('opened by one slot, is unlocked by another when that one is gone, or not for what is given', async () => {
    const path = at('slot.json')
    ;(await KeyManager.create(path, options)).close()
    using other = await KeyManager.open(path, { passphrase })
    using keyManager = await KeyManager.open(path, { passphrase, slot: other.slots()[0]!.id })
    await other.addKey(key)
    keyManager.lock()
    await keyManager.unlock({ key })
    await keyManager.changePassphrase(passphrase, 'a better one')
    keyManager.lock()
    await keyManager.unlock({ passphrase: 'a better one' })
  })

  test('locked in the middle of a change, still knows what is older', async () => {
    const path = at('middle.json')
    using keyManager = await KeyManager.create(path, options)
    await keyManager.addKey(key)
    const first = readFileSync(path)
    const changing = keyManager.rotateMasterKey()
    await Promise.resolve()
    keyManager.lock()
    expect(await changing).toBe(2)
    writeFileSync(path, first)
    await expect(keyManager.unlock({ key })).rejects.toThrow(badKeyring)
  })

  test('closed while somebody is asked for what opens it, stays closed', async () => {
    const unlock = (): { passphrase: string } => {
      keyManager.close()
      return { passphrase }
    }
    const keyManager: KeyManager = await KeyManager.create(at('asked.json'), { ...options, unlock })
    keyManager.lock()
    expect(await countWorkers(() => expect(keyManager.unlock()).rejects.toThrow(coded(ClosedError, 'ERR_SEALFILE_CLOSED')))).toBe(0)
    expect(() => keyManager.wrapFileKey(request, dek)).toThrow(coded(ClosedError, 'ERR_SEALFILE_CLOSED'))
  })

  test('closed while it is being unlocked, stays closed', async () => {
    const keyManager = await KeyManager.create(at('closed.json'), options)
    keyManager.lock()
    const unlocking = keyManager.unlock({ passphrase })
    keyManager.close()
    await expect(unlocking).rejects.toThrow(coded(ClosedError, 'ERR_SEALFILE_CLOSED'))
    await expect(keyManager.unlock({ passphrase })).rejects.toThrow(coded(ClosedError, 'ERR_SEALFILE_CLOSED'))
    expect(() => keyManager.wrapFileKey(request, dek)).toThrow(coded(ClosedError, 'ERR_SEALFILE_CLOSED'))
  })
})

test('channels tell of all that happens, and hold no secret', async () => {
  const names = ['unlock', 'unlock-failed', 'lock', 'keyring-change', 'file-open', 'file-create']
  const heard: [string, Record<string, unknown>][] = []
  const listeners = names.map((name) => {
    const listen = (message: unknown): void => void heard.push([name, message as Record<string, unknown>])
    subscribe(`sealfile:${name}`, listen)
    return () => unsubscribe(`sealfile:${name}`, listen)
  })
  const path = at('heard.json')
  const keyManager = await KeyManager.create(path, { passphrase, argon2: CHEAP })
  await keyManager.rotateMasterKey()
  const { recoveryKey, slot } = await keyManager.addRecoveryKey()
  await EncryptedFile.writeFile(at('heard.enc'), 'content', { keyManager, purpose: 'heard' })
  await EncryptedFile.readFile(at('heard.enc'), { keyManager, purpose: 'heard' })
  await KeyManager.open(path, { passphrase: 'wrong' }).catch(() => undefined)
  ;(await KeyManager.open(path, { recoveryKey })).close()
  keyManager.lock()
  for (const stop of listeners) stop()
  await EncryptedFile.readFile(at('heard.enc'), { keyManager: await KeyManager.open(path, { recoveryKey }), purpose: 'heard' })

  const keyringId = Buffer.from(keyManager.id).toString('base64url')
  expect(heard).toMatchObject([
    ['keyring-change', { path, keyringId, revision: 1, change: 'create', slotType: 'passphrase' }],
    ['keyring-change', { revision: 2, change: 'rotate-master-key', generation: 2 }],
    ['keyring-change', { revision: 3, change: 'add-slot', slotType: 'recovery', slotId: slot.id }],
    ['file-create', { purpose: 'heard', keyringId, generation: 2 }],
    ['file-open', { path: at('heard.enc'), purpose: 'heard', keyringId, generation: 2 }],
    ['unlock-failed', { path, slotType: 'passphrase', error: { code: 'ERR_SEALFILE_WRONG_KEY' } }],
    ['unlock', { path, keyringId, revision: 3, slotId: slot.id, slotType: 'recovery' }],
    ['lock', { path, keyringId, reason: 'close' }],
    ['lock', { path, keyringId, reason: 'lock' }],
  ])
  const shown = inspect(heard, { depth: 9, showHidden: true })
  for (const secret of [passphrase, 'wrong', recoveryKey]) expect(shown).not.toContain(secret)
  keyManager.close()
})

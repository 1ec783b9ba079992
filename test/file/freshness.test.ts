import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  EncryptedFile,
  FreshnessFile,
  KeyManager,
  type Freshness,
  type KeptState,
  type KeySource,
  type OpenOptions,
} from '../../src/index.js'
import { errorOf, KEY, OPTIONS, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`file-${count++}`)
const ROLLED_BACK = 'ERR_SEALFILE_ROLLED_BACK'

/** Keeps states in memory, and takes down what it is asked. */
class Memory implements Freshness {
  readonly kept = new Map<string, KeptState>()
  readonly calls: string[] = []
  failure: Error | undefined
  whenTold: ((state: KeptState) => void) | undefined

  recall(path: string): KeptState | undefined {
    this.calls.push('recall')
    return this.kept.get(path)
  }

  remember(path: string, state: KeptState): void {
    this.calls.push(`remember ${state.sequence}${state.nextFileId === undefined ? '' : ' and another'}`)
    if (this.failure !== undefined) throw this.failure
    this.kept.set(path, state)
    this.whenTold?.(state)
  }
}

function guarded(): { readonly memory: Memory; readonly options: OpenOptions; readonly path: string } {
  const memory = new Memory()
  return { memory, options: { ...OPTIONS, freshness: memory, commitInterval: 60_000 }, path: freshPath() }
}

/** Opens a file in all ways that keep what is in it. */
async function expectRefused(path: string, options: OpenOptions): Promise<void> {
  for (const flags of ['r', 'r+', 'a']) {
    expect(errorOf(() => EncryptedFile.openSync(path, flags, options))).toEqual(sealfileError(ROLLED_BACK, { path }))
    await expect(EncryptedFile.open(path, flags, options)).rejects.toEqual(sealfileError(ROLLED_BACK, { path }))
  }
  await expect(EncryptedFile.readFile(path, options)).rejects.toEqual(sealfileError(ROLLED_BACK))
  await expect(EncryptedFile.appendFile(path, 'x', options)).rejects.toEqual(sealfileError(ROLLED_BACK))
}

describe('a freshness hook', () => {
  test('is told of each commit once the disk has it, and asked at each opening', async () => {
    const { memory, options, path } = guarded()
    const file = await EncryptedFile.open(path, 'w', options)
    await file.write('one')
    expect(memory.calls).toEqual(['recall'])
    await file.commit()
    await file.write('two')
    await file.sync()
    await file.sync()
    await file.close()
    expect(memory.calls.length).toBe(3)
    const [first, second] = memory.calls.slice(1).map((call) => Number(call.replace('remember ', '')))
    expect(second).toBeGreaterThan(first!)
    expect(memory.kept.get(path)).toMatchObject({
      fileId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      sequence: second,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    })
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('onetwo')
    expect(memory.calls.length).toBe(4)
  })

  test('notices an older version of the file', async () => {
    const { options, path } = guarded()
    await EncryptedFile.writeFile(path, patternBytes(10_000), options)
    const older = freshPath()
    copyFileSync(path, older)
    await EncryptedFile.appendFile(path, 'more', options)
    const newer = freshPath()
    copyFileSync(path, newer)
    copyFileSync(older, path)
    await expectRefused(path, options)
    copyFileSync(newer, path)
    expect((await EncryptedFile.readFile(path, options)).length).toBe(10_004)
  })

  test('notices another file of the same key in its place', async () => {
    const { options, path } = guarded()
    await EncryptedFile.writeFile(path, 'mine', options)
    const other = freshPath()
    await EncryptedFile.writeFile(other, 'other', options)
    copyFileSync(other, path)
    await expectRefused(path, options)
  })

  test('notices the version from before it was written anew', async () => {
    for (const atomic of [true, false]) {
      const { options, path } = guarded()
      await EncryptedFile.writeFile(path, 'one', options)
      const older = freshPath()
      copyFileSync(path, older)
      await EncryptedFile.writeFile(path, 'two', { ...options, atomic })
      expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('two')
      copyFileSync(older, path)
      await expectRefused(path, options)
    }
  })

  test('notices that the file is gone, or empty, where another would be begun', async () => {
    const { options, path } = guarded()
    await EncryptedFile.writeFile(path, 'one', options)
    rmSync(path)
    for (const flags of ['a', 'a+', 'ax', 'wx']) {
      await expect(EncryptedFile.open(path, flags, options)).rejects.toEqual(sealfileError(ROLLED_BACK, { path }))
    }
    await expect(EncryptedFile.open(path, 'r', options)).rejects.toMatchObject({ code: 'ENOENT' })
    await EncryptedFile.writeFile(path, 'two', options)
    truncateSync(path)
    await expect(EncryptedFile.open(path, 'a', options)).rejects.toEqual(sealfileError(ROLLED_BACK, { path }))
    await EncryptedFile.writeFile(path, 'three', options)
    await EncryptedFile.appendFile(path, '!', options)
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('three!')
  })

  test('accepts what it does not know, and what is newer than it knows', async () => {
    const { memory, options, path } = guarded()
    writeEncrypted(path, 'one')
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('one')
    await EncryptedFile.appendFile(path, ' two', options)
    const kept = memory.kept.get(path)!
    await EncryptedFile.appendFile(path, ' three', options)
    memory.kept.set(path, kept)
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('one two three')
  })

  test('is no obstacle to whoever opens a file that was closed, read or written', async () => {
    const { options, path } = guarded()
    for (let i = 0; i < 12; i++) {
      const file = EncryptedFile.openSync(path, i === 0 ? 'w+' : 'r+', options)
      file.write(patternBytes(500, i), 0, 500, i * 5_000)
      if (i % 3 === 1) file.sync()
      if (i % 3 === 2) file.truncate(i * 4_000)
      file.close()
      expect((await EncryptedFile.readFile(path, options)).length).toBeGreaterThan(0)
    }
  })

  test('makes a file whose replacement was interrupted readable, the old one and the new', async () => {
    const { memory, options, path } = guarded()
    await EncryptedFile.writeFile(path, 'old', options)
    const file = await EncryptedFile.open(path, 'w', { ...options, atomic: true })
    await file.write('new')
    await file.sync()
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('old')
    let before: KeptState | undefined
    memory.whenTold = (state) => (before ??= state)
    await file.close()
    expect(memory.calls.at(-2)).toMatch(/and another$/)
    memory.kept.set(path, before!) // as if the process had died before it could tell
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('new')
  })

  test('is not told of a replacement that is given up', async () => {
    const { memory, options, path } = guarded()
    await EncryptedFile.writeFile(path, 'one', options)
    const kept = memory.kept.get(path)
    const file = await EncryptedFile.open(path, 'w', { ...options, atomic: true })
    await file.write('two')
    await file.discard()
    expect(memory.kept.get(path)).toBe(kept)
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('one')
  })

  test('is asked by a writer that has waited once it has the lock', async () => {
    const { memory, options, path } = guarded()
    await EncryptedFile.writeFile(path, 'one', options)
    const other = await EncryptedFile.open(path, 'a', options)
    const opening = ['r+', 'a'].map((flags) => EncryptedFile.open(path, flags, { ...options, lockTimeout: 5_000 }))
    const writing = EncryptedFile.open(path, 'w', { ...options, atomic: true, lockTimeout: 5_000 })
    await new Promise((resolve) => setTimeout(resolve, 40))
    const calls = memory.calls.length
    await other.write('two')
    await other.close()
    await Promise.all([...opening, writing].map(async (file) => (await file).close()))
    expect(memory.calls.slice(calls).filter((call) => call === 'recall').length).toBe(3)
    const sequences = memory.calls.flatMap((call) => (call.endsWith('another') ? [Number(call.split(' ')[1])] : []))
    expect(sequences.every((sequence) => sequence > 1)).toBe(true)
  })

  test('that fails fails the commit, and is told at the next', async () => {
    const { memory, options, path } = guarded()
    const file = await EncryptedFile.open(path, 'w', options)
    await file.write('one')
    memory.failure = new Error('no room')
    await expect(file.sync()).rejects.toBe(memory.failure)
    expect(memory.kept.size).toBe(0)
    memory.failure = undefined
    await file.sync()
    expect(memory.kept.size).toBe(1)
    await file.close()
    expect(readEncrypted(path).toString()).toBe('one')
  })

  test('that fails when the timer commits is told at the next commit, or by close', async () => {
    const { memory, options, path } = guarded()
    const file = await EncryptedFile.open(path, 'w', { ...options, commitInterval: 2 })
    memory.failure = new Error('no room')
    await file.write('one')
    while (memory.calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 2))
    await expect(file.commit()).rejects.toBe(memory.failure)
    memory.failure = undefined
    await file.close()
    const [last] = memory.calls.slice(-1)
    expect(memory.kept.get(path)?.sequence).toBe(Number(last!.replace('remember ', '')))
    const again = await EncryptedFile.open(path, 'a', options)
    await again.write('two')
    memory.failure = new Error('no room')
    await expect(again.commit()).rejects.toBe(memory.failure)
    await expect(again.close()).rejects.toBe(memory.failure)
  })

  test('may return promises where the handle waits', async () => {
    const { memory, path } = guarded()
    const slow: Freshness = {
      recall: async (name) => {
        await Promise.resolve()
        return memory.recall(name)
      },
      remember: async (name, state) => {
        await new Promise((resolve) => setTimeout(resolve, 2))
        memory.remember(name, state)
      },
    }
    const options = { ...OPTIONS, freshness: slow }
    await EncryptedFile.writeFile(path, 'one', options)
    const older = freshPath()
    copyFileSync(path, older)
    await EncryptedFile.appendFile(path, 'two', options)
    copyFileSync(older, path)
    await expect(EncryptedFile.readFile(path, options)).rejects.toEqual(sealfileError(ROLLED_BACK))
    expect(errorOf(() => EncryptedFile.openSync(path, 'r', options))).toBeInstanceOf(TypeError)
    const failing: Freshness = { ...slow, recall: () => Promise.reject(new Error('no answer')) }
    await expect(EncryptedFile.readFile(path, { ...OPTIONS, freshness: failing })).rejects.toThrow('no answer')
  })

  test('does not stand in the way of recover', async () => {
    const { options, path } = guarded()
    await EncryptedFile.writeFile(path, 'one', options)
    const older = freshPath()
    copyFileSync(path, older)
    await EncryptedFile.appendFile(path, ' two', options)
    copyFileSync(older, path)
    expect(await EncryptedFile.readFile(path, { ...options, recover: true, encoding: 'utf8' })).toBe('one')
  })

  test.each([[{}], ['text'], [{ recall: () => undefined }], [null]])('is not %o', (freshness) => {
    const options = { ...OPTIONS, freshness } as unknown as OpenOptions
    expect(errorOf(() => EncryptedFile.openSync(freshPath(), 'w', options))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

describe('FreshnessFile', () => {
  const STORE = { ...OPTIONS, purpose: 'freshness' }

  test('keeps what it was told', async () => {
    const store = freshPath()
    const path = freshPath()
    {
      using freshness = FreshnessFile.open(store, STORE)
      await EncryptedFile.writeFile(path, 'one', { ...OPTIONS, freshness })
      copyFileSync(path, `${path}-older`)
      await EncryptedFile.appendFile(path, ' two', { ...OPTIONS, freshness })
    }
    using freshness = FreshnessFile.open(store, STORE)
    const options = { ...OPTIONS, freshness }
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('one two')
    copyFileSync(`${path}-older`, path)
    await expectRefused(path, options)
    freshness.forget(path)
    expect(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })).toBe('one')
  })

  test('forgets for good', async () => {
    const store = freshPath()
    const path = freshPath()
    {
      using freshness = FreshnessFile.open(store, STORE)
      await EncryptedFile.writeFile(path, 'one', { ...OPTIONS, freshness })
      rmSync(path)
      freshness.forget(path)
      freshness.forget(path)
    }
    using freshness = FreshnessFile.open(store, STORE)
    await EncryptedFile.appendFile(path, 'new', { ...OPTIONS, freshness })
    expect(readEncrypted(path).toString()).toBe('new')
  })

  test('knows files by their place under a root', async () => {
    const root = freshPath()
    mkdirSync(root)
    const store = freshPath()
    {
      using freshness = FreshnessFile.open(store, { ...STORE, root })
      await EncryptedFile.writeFile(join(root, 'a'), 'one', { ...OPTIONS, freshness })
      copyFileSync(join(root, 'a'), join(root, 'older'))
      await EncryptedFile.appendFile(join(root, 'a'), ' two', { ...OPTIONS, freshness })
    }
    const moved = freshPath()
    renameSync(root, moved)
    using freshness = FreshnessFile.open(store, { ...STORE, root: moved })
    const options = { ...OPTIONS, freshness }
    expect(await EncryptedFile.readFile(join(moved, 'a'), { ...options, encoding: 'utf8' })).toBe('one two')
    copyFileSync(join(moved, 'older'), join(moved, 'a'))
    await expectRefused(join(moved, 'a'), options)
  })

  test('stays small', () => {
    const store = freshPath()
    const state = { fileId: 'ab'.repeat(32), digest: 'cd'.repeat(32) }
    {
      using freshness = FreshnessFile.open(store, STORE)
      for (let i = 0; i < 400; i++) freshness.remember(`/data/file-${i % 20}`, { ...state, sequence: i })
    }
    const large = statSync(store).size
    // The old file stays as it is: a crash on the way must not leave a part of what was known.
    linkSync(store, `${store}-old`)
    const old = readFileSync(store)
    {
      using freshness = FreshnessFile.open(store, STORE)
      for (let i = 0; i < 20; i++) expect(freshness.recall(`/data/file-${i}`)).toEqual({ ...state, sequence: 380 + i })
    }
    expect(statSync(store).size).toBeLessThan(large / 5)
    expect(readFileSync(`${store}-old`).equals(old)).toBe(true)
    using freshness = FreshnessFile.open(store, STORE)
    expect(freshness.recall('/data/file-7')).toEqual({ ...state, sequence: 387 })
  })

  test('that cannot be made smaller stays as it is', () => {
    const folder = freshPath()
    mkdirSync(folder)
    const store = join(folder, 'store')
    const state = { fileId: 'ab'.repeat(32), digest: 'cd'.repeat(32) }
    {
      using freshness = FreshnessFile.open(store, STORE)
      for (let i = 0; i < 130; i++) freshness.remember(`/data/file-${i % 5}`, { ...state, sequence: i })
    }
    const before = readFileSync(store)
    // Keys that are gone when the old file is to be read into the new one.
    const closing = KeyManager.fromKey(KEY)
    let opened = 0
    const keyManager: KeySource = {
      wrapFileKey: (request, dek) => closing.wrapFileKey(request, dek),
      unwrapFileKey: (request, wrapped) => {
        if (++opened === 2) closing.close()
        return closing.unwrapFileKey(request, wrapped)
      },
    }
    expect(errorOf(() => FreshnessFile.open(store, { ...STORE, keyManager }))).toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
    expect(readdirSync(folder)).toEqual(['store'])
    expect(readFileSync(store)).toEqual(before)
    using freshness = FreshnessFile.open(store, STORE)
    expect(freshness.recall('/data/file-4')).toEqual({ ...state, sequence: 129 })
  })

  test.each(['a secret diary', '5', 'null', '{"path":"x"}', '["a secret"]'])('is no file that holds %j', (content) => {
    const folder = freshPath()
    mkdirSync(folder)
    const path = join(folder, 'file')
    writeEncrypted(path, `${content}\n`, STORE)
    const error = errorOf(() => FreshnessFile.open(path, STORE))
    expect(error).toEqual(sealfileError('ERR_SEALFILE_FORMAT', { path }))
    expect(error.message).not.toContain('secret')
    expect(readEncrypted(path, STORE).toString()).toBe(`${content}\n`)
    expect(readdirSync(folder)).toEqual(['file'])
  })

  test('serves one process at a time', () => {
    const store = freshPath()
    using freshness = FreshnessFile.open(store, STORE)
    expect(freshness.recall('/x')).toBeUndefined()
    expect(errorOf(() => FreshnessFile.open(store, STORE))).toEqual(sealfileError('ERR_SEALFILE_LOCKED'))
  })

  test('does not open with another purpose, or a root that is none', () => {
    const store = freshPath()
    FreshnessFile.open(store, STORE).close()
    expect(errorOf(() => FreshnessFile.open(store, OPTIONS))).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    expect(errorOf(() => FreshnessFile.open(store, { ...STORE, root: 5 as unknown as string }))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })
})

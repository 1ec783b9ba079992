import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildKeySlot, findKeySlot } from '../../../src/container/key-slots.js'
import { EncryptedFile, KeyManager, type FreshnessFile } from '../../../src/index.js'
import { rewrap, type RewrapOptions, type RewrapReport } from '../../../src/keys/rotation/rewrap.js'
import { sealfileError } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { makeFile, NEW, NEWER, OLD, ONLY_NEW, optionsFor, OTHER, PURPOSE, read, restOf, slotsOf, streamOf } from './support.js'

const inFolder = temporaryFolder()
const EMPTY = Buffer.alloc(96)
const NOTHING = { files: 0, rewrapped: 0, current: 0, foreign: 0, notEncrypted: 0, failures: [] }

function run(path: string, others: Partial<RewrapOptions> = {}, keys = NEW): Promise<RewrapReport> {
  return rewrap(keys, path, { purpose: PURPOSE, ...others })
}

/** @returns the code of the only failure, or its name. */
function failureOf(report: RewrapReport): unknown {
  expect(report.failures.length).toBe(1)
  const error = report.failures[0]!.error as NodeJS.ErrnoException
  return error.code ?? error.name
}

/** Changes bytes of a file. */
function patch(path: string, position: number, bytes: Uint8Array): void {
  const content = readFileSync(path)
  content.set(bytes, position)
  writeFileSync(path, content)
}

describe('one file', () => {
  test.each([
    [
      'editable',
      (path: string) => {
        makeFile(path, 'content')
        return Promise.resolve()
      },
    ],
    ['stream', async (path: string) => writeFileSync(path, await streamOf('content'))],
  ])('%s: opens under the new generation alone, and nothing else of it has changed', async (kind, make) => {
    const path = inFolder(`one-${kind}`)
    await make(path)
    const rest = restOf(path)
    expect(await run(path)).toEqual({ ...NOTHING, files: 1, rewrapped: 1 })
    expect(read(path, ONLY_NEW)).toBe('content')
    expect(restOf(path).equals(rest)).toBe(true)
    expect(slotsOf(path)[0].equals(EMPTY)).toBe(true)
    expect(() => read(path, OLD)).toThrow(sealfileError('ERR_SEALFILE_NO_GENERATION'))
    expect(await run(path)).toEqual({ ...NOTHING, files: 1, current: 1 })
    expect(await run(path, {}, NEWER)).toEqual({ ...NOTHING, files: 1, rewrapped: 1 })
    expect(slotsOf(path)[1].equals(EMPTY)).toBe(true)
    expect(read(path, NEWER)).toBe('content')
    expect(await run(path, { durability: 'fsync' }, NEW).then(failureOf)).toBe('ERR_SEALFILE_NO_GENERATION')
  })

  test('with the keys of a key manager', async () => {
    const [path, key] = [inFolder('manager'), new Uint8Array(32).fill(3)]
    makeFile(path, 'content', KeyManager.fromKey(key))
    expect(await rewrap(KeyManager.fromKey(key), path, { purpose: 'another' })).toMatchObject({ current: 1, failures: [] })
    const closed = KeyManager.fromKey(key)
    closed.close()
    await expect(rewrap(closed, path, { purpose: PURPOSE })).rejects.toThrow(sealfileError('ERR_SEALFILE_CLOSED'))
  })

  test('its modification time moves on, for those who copy what has changed', async () => {
    const path = inFolder('time')
    makeFile(path, 'content')
    const { mtimeMs, size, mode, ino } = statSync(path)
    await new Promise((resolve) => setTimeout(resolve, 20))
    await run(path)
    const after = statSync(path)
    expect(after.mtimeMs).toBeGreaterThan(mtimeMs)
    expect({ size: after.size, mode: after.mode, ino: after.ino }).toEqual({ size, mode, ino })
    await run(path)
    expect(statSync(path).mtimeMs).toBe(after.mtimeMs)
  })

  test('a freshness hook takes it for what it was', async () => {
    const path = inFolder('fresh')
    const kept = new Map<string, unknown>()
    const freshness = {
      recall: (name: string) => kept.get(name) as ReturnType<FreshnessFile['recall']>,
      remember: (name: string, state: unknown) => void kept.set(name, state),
    }
    makeFile(path, 'content', OLD, { freshness })
    expect(kept.size).toBe(1)
    await run(path)
    expect(read(path, NEW, { freshness })).toBe('content')
  })

  test('a dry run checks keys and purposes, and writes nothing', async () => {
    const path = inFolder('dry')
    makeFile(path, 'content')
    const before = readFileSync(path)
    expect(await run(path, { dryRun: true })).toEqual({ ...NOTHING, files: 1, rewrapped: 1 })
    expect(failureOf(await run(path, { dryRun: true, purpose: 'another' }))).toBe('ERR_SEALFILE_WRONG_PURPOSE')
    expect(readFileSync(path).equals(before)).toBe(true)
  })
})

describe('purposes', () => {
  test('several are tried in turn, and a function tells them of each path', async () => {
    const folder = inFolder('purposes')
    mkdirSync(folder)
    for (const purpose of ['config', 'logs', 'mail']) makeFile(join(folder, purpose), purpose, OLD, { purpose })
    const first = await run(folder, { purpose: ['logs', 'config'] })
    expect(first).toMatchObject({ rewrapped: 2 })
    expect(first.failures[0]).toEqual({
      path: join(folder, 'mail'),
      error: sealfileError('ERR_SEALFILE_WRONG_PURPOSE', { path: join(folder, 'mail') }),
    })
    const seen: string[] = []
    const purpose = async (path: string): Promise<string> => {
      seen.push(path)
      return Promise.resolve('mail')
    }
    expect(await run(folder, { purpose })).toEqual({ ...NOTHING, files: 3, rewrapped: 1, current: 2 })
    expect(seen).toEqual([join(folder, 'mail')])
    expect(read(join(folder, 'mail'), ONLY_NEW, { purpose: 'mail' })).toBe('mail')
  })

  test('a wrong one changes nothing', async () => {
    const path = inFolder('wrong')
    makeFile(path, 'content')
    const before = readFileSync(path)
    expect(failureOf(await run(path, { purpose: 'another' }))).toBe('ERR_SEALFILE_WRONG_PURPOSE')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test('what a function throws or gives is the failure of that file', async () => {
    const path = inFolder('function')
    makeFile(path, 'content')
    const thrown = new Error('not known')
    const report = await run(path, { purpose: () => Promise.reject(thrown) })
    expect(report.failures).toEqual([{ path, error: thrown }])
    expect(failureOf(await run(path, { purpose: () => '' }))).toBe('ERR_INVALID_ARG_VALUE')
  })
})

describe('folders', () => {
  test('each kind of file is counted, and failures stop nothing', async () => {
    const folder = inFolder('mixed')
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    const at = (name: string): string => join(folder, name)
    makeFile(at('deep/er/one'), 'one')
    makeFile(at('two'), 'two')
    makeFile(at('current'), 'current', NEW)
    makeFile(at('foreign'), 'foreign', OTHER)
    writeFileSync(at('plain'), 'plain')
    writeFileSync(at('empty'), '')
    makeFile(at('cut'), 'cut')
    truncateSync(at('cut'), 700)
    makeFile(at('damaged'), 'damaged')
    patch(at('damaged'), 96 + 70, Buffer.from('xx'))
    makeFile(at('later'), 'later', NEWER)
    symlinkSync(at('two'), at('link'))
    const seen: number[] = []
    const report = await rewrap(NEW, [folder, inFolder('missing')], {
      purpose: PURPOSE,
      onProgress: ({ files, rewrapped, failed }) => seen.push(files, rewrapped, failed),
    })
    expect(report).toMatchObject({ files: 10, rewrapped: 2, current: 1, foreign: 1, notEncrypted: 2 })
    const failures = report.failures.map(({ path, error }) => [path, (error as NodeJS.ErrnoException).code])
    expect(Object.fromEntries(failures)).toEqual({
      [at('cut')]: 'ERR_SEALFILE_TRUNCATED',
      [at('damaged')]: 'ERR_SEALFILE_FORMAT_HEADER',
      [at('later')]: 'ERR_SEALFILE_NO_GENERATION',
      [inFolder('missing')]: 'ENOENT',
    })
    expect(seen.slice(-3)).toEqual([10, 2, 4])
    expect(read(at('deep/er/one'), ONLY_NEW)).toBe('one')
    expect(readdirSync(folder).filter((name) => name.includes('sealfile-lock'))).toEqual([])
  })

  test('a file that has several names, or is named twice, is rewrapped once', async () => {
    const folder = inFolder('names')
    mkdirSync(folder)
    for (let i = 0; i < 20; i++) {
      makeFile(join(folder, `${i}`), `${i}`)
      linkSync(join(folder, `${i}`), join(folder, `${i}-again`))
    }
    const report = await rewrap(NEW, [folder, folder, join(folder, '7')], { purpose: PURPOSE })
    expect(report).toEqual({ ...NOTHING, files: 81, rewrapped: 20, current: 61 })
    for (let i = 0; i < 20; i++) expect(read(join(folder, `${i}`), ONLY_NEW)).toBe(`${i}`)
  })

  test('links are followed where they are given, and the file that they lead to is locked', async () => {
    const [path, link] = [inFolder('target'), inFolder('link')]
    makeFile(path, 'content')
    symlinkSync(path, link)
    const writer = EncryptedFile.openSync(path, 'a', optionsFor(NEW))
    expect(failureOf(await run(link))).toBe('ERR_SEALFILE_LOCKED')
    writer.close()
    expect(await run(link)).toMatchObject({ rewrapped: 1 })
    expect(read(path, ONLY_NEW)).toBe('content')
  })

  test('names that are no UTF-8', async () => {
    const folder = inFolder('bytes')
    mkdirSync(folder)
    const odd = Buffer.concat([Buffer.from(join(folder, 'odd')), Buffer.from([0xff])])
    makeFile(join(folder, 'even'), 'odd')
    copyFileSync(join(folder, 'even'), odd)
    expect(await run(folder)).toMatchObject({ files: 2, rewrapped: 2 })
    expect(EncryptedFile.readFileSync(odd, { ...optionsFor(ONLY_NEW), encoding: 'utf8' })).toBe('odd')
  })

  test('an abort ends it with an AbortError, and another call goes on', async () => {
    const folder = inFolder('aborted')
    mkdirSync(folder)
    for (let i = 0; i < 50; i++) makeFile(join(folder, `${i}`), `${i}`)
    const controller = new AbortController()
    const running = run(folder, {
      signal: controller.signal,
      concurrency: 3,
      onProgress: ({ rewrapped }) => rewrapped === 10 && controller.abort(new Error('enough')),
    })
    await expect(running).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: new Error('enough') })
    const rest = await run(folder)
    expect(rest.current).toBeGreaterThanOrEqual(10)
    expect(rest.current).toBeLessThan(14)
    expect(rest.rewrapped).toBe(50 - rest.current)
    await expect(run(folder, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('two calls at once get into nobody else’s way', async () => {
    const folder = inFolder('both')
    mkdirSync(folder)
    for (let i = 0; i < 60; i++) makeFile(join(folder, `${i}`), `${i}`)
    const reports = await Promise.all([run(folder, { lockTimeout: 5_000 }), run(folder, { lockTimeout: 5_000 })])
    expect(reports[0].rewrapped + reports[1].rewrapped).toBe(60)
    expect(reports.flatMap(({ failures }) => failures)).toEqual([])
    for (let i = 0; i < 60; i++) expect(read(join(folder, `${i}`), ONLY_NEW)).toBe(`${i}`)
  })
})

describe('others at work', () => {
  test('a file that is open for writing is left alone, or waited for', async () => {
    const path = inFolder('open')
    makeFile(path, 'one ')
    const writer = await EncryptedFile.open(path, 'a', optionsFor(NEW))
    const before = readFileSync(path)
    const report = await run(path)
    expect(report.failures).toEqual([{ path, error: sealfileError('ERR_SEALFILE_LOCKED', { path }) }])
    expect(readFileSync(path).equals(before)).toBe(true)
    const waiting = run(path, { lockTimeout: 10_000 })
    await writer.write('two')
    await writer.close()
    expect(await waiting).toMatchObject({ rewrapped: 1 })
    expect(read(path, ONLY_NEW)).toBe('one two')
    expect(await run(path)).toMatchObject({ current: 1 })
  })

  test('who waits for a writer can be told to stop', async () => {
    const path = inFolder('waiting')
    const writer = await EncryptedFile.open(path, 'w', optionsFor(OLD))
    await writer.sync()
    const signal = AbortSignal.timeout(60)
    await expect(run(path, { lockTimeout: 100_000, signal })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await expect(run(path, { lockTimeout: 60 }).then(failureOf)).resolves.toBe('ERR_SEALFILE_LOCKED')
    await writer.close()
  })

  test.skipIf(process.getuid?.() === 0)('what may not be written is reported as the system says it', async () => {
    const path = inFolder('read-only')
    makeFile(path, 'content')
    chmodSync(path, 0o444)
    expect(failureOf(await run(path))).toBe('EACCES')
    chmodSync(path, 0)
    expect(failureOf(await run(path))).toBe('EACCES')
  })

  test('a file that is current needs no lock', async () => {
    const path = inFolder('open-current')
    const writer = await EncryptedFile.open(path, 'w', optionsFor(NEW))
    await writer.write('content')
    await writer.sync()
    expect(await run(path)).toEqual({ ...NOTHING, files: 1, current: 1 })
    await writer.close()
  })

  test('readers go on, and follow who writes after', async () => {
    const path = inFolder('read')
    makeFile(path, 'x'.repeat(20_000))
    const reader = await EncryptedFile.open(path, 'r', optionsFor(OLD))
    await reader.read(Buffer.alloc(10), 0, 10, 0)
    expect(await run(path)).toMatchObject({ rewrapped: 1 })
    await EncryptedFile.appendFile(path, 'more', optionsFor(ONLY_NEW))
    expect((await reader.readFile()).toString()).toBe(`${'x'.repeat(20_000)}more`)
    await reader.close()
  })
})

describe('headers that somebody has touched', () => {
  test('slots whose key check does not hold are not rewrapped, nor is anything wiped', async () => {
    const path = inFolder('forged')
    makeFile(path, 'content')
    const bytes = readFileSync(path)
    const { content } = findKeySlot(bytes)
    const forgeries = [
      [0, { ...content, wrappedKey: new Uint8Array(40) }],
      [1, { ...content, sequence: 2 }],
      [1, { ...content, sequence: 2, generation: 2 }],
      [1, { ...content, sequence: 2, keyCheck: new Uint8Array(16) }],
    ] as const
    for (const [slot, forged] of forgeries) {
      writeFileSync(path, bytes)
      patch(path, 96 + 96 * slot, buildKeySlot(bytes.subarray(0, 96), slot, forged))
      const before = readFileSync(path)
      expect(failureOf(await run(path))).toBe('ERR_SEALFILE_FORMAT_HEADER')
      expect(readFileSync(path).equals(before)).toBe(true)
    }
  })

  test('a slot that names another keyring costs the genuine one nothing', async () => {
    const path = inFolder('foreign-slot')
    makeFile(path, 'content')
    const bytes = readFileSync(path)
    const { content } = findKeySlot(bytes)
    patch(path, 192, buildKeySlot(bytes.subarray(0, 96), 1, { ...content, sequence: 2, keyringId: OTHER.id }))
    const before = readFileSync(path)
    expect(await run(path)).toEqual({ ...NOTHING, files: 1, foreign: 1 })
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test('a torn idle slot is written over, and what is left of one wiped', async () => {
    const path = inFolder('torn')
    makeFile(path, 'content')
    patch(path, 200, Buffer.from('left by a crash'))
    expect(await run(path)).toMatchObject({ rewrapped: 1 })
    expect(read(path, ONLY_NEW)).toBe('content')
    patch(path, 100, Buffer.from('left by a crash'))
    expect(await run(path)).toMatchObject({ rewrapped: 1 })
    expect(slotsOf(path)[0].equals(EMPTY)).toBe(true)
    expect(read(path, ONLY_NEW)).toBe('content')
  })

  test('headers cut at any byte are reported, and are not written to', async () => {
    const path = inFolder('cut')
    makeFile(path, 'content')
    const bytes = readFileSync(path)
    for (let size = 1; size < 1_280; size += size < 300 ? 1 : 49) {
      writeFileSync(path, bytes.subarray(0, size))
      const report = await run(path)
      expect(report.rewrapped + report.current, `${size} bytes`).toBe(0)
      expect(readFileSync(path).equals(bytes.subarray(0, size))).toBe(true)
    }
  })

  test('a pipe is no file', async () => {
    const path = inFolder('pipe')
    if (spawnSync('mkfifo', [path]).status !== 0) return
    const report = await run(path)
    expect(report.failures.length).toBe(1)
    expect((report.failures[0]!.error as NodeJS.ErrnoException).syscall).toBe('read')
  })
})

describe('options', () => {
  test.each([
    ['ERR_INVALID_ARG_TYPE', undefined],
    ['ERR_INVALID_ARG_TYPE', {}],
    ['ERR_INVALID_ARG_TYPE', { purpose: 7 }],
    ['ERR_INVALID_ARG_VALUE', { purpose: '' }],
    ['ERR_INVALID_ARG_VALUE', { purpose: [] }],
    ['ERR_INVALID_ARG_VALUE', { purpose: ['a', '\n'] }],
    ['ERR_OUT_OF_RANGE', { purpose: 'a', concurrency: 0 }],
    ['ERR_OUT_OF_RANGE', { purpose: 'a', lockTimeout: -1 }],
    ['ERR_INVALID_ARG_VALUE', { purpose: 'a', durability: 'disk' }],
    ['ERR_INVALID_ARG_TYPE', { purpose: 'a', signal: 'stop' }],
    ['ERR_INVALID_ARG_TYPE', { purpose: 'a', onProgress: 1 }],
    ['ERR_INVALID_ARG_TYPE', { purpose: 'a', dryRun: 1 }],
  ])('%s for %o', async (code, options) => {
    await expect(rewrap(NEW, inFolder('none'), options as RewrapOptions)).rejects.toMatchObject({ code })
  })

  test('keys and roots are checked, too', async () => {
    const code = 'ERR_INVALID_ARG_TYPE'
    await expect(rewrap({} as never, 'x', { purpose: 'a' })).rejects.toMatchObject({ code })
    await expect(rewrap(NEW, 7 as never, { purpose: 'a' })).rejects.toMatchObject({ code })
    await expect(rewrap(NEW, ['x', 7] as never, { purpose: 'a' })).rejects.toMatchObject({ code })
  })
})

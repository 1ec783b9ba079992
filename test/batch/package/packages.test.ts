import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  listPackage,
  packBatch,
  unpackBatch,
  type BatchProgress,
  type ListedFile,
  type ListedMember,
  type PackBatchOptions,
  type UnpackBatchOptions,
} from '../../../src/batch.js'
import { EncryptedFile, KeyManager } from '../../../src/index.js'
import { OPTIONS, OTHER_KEY, patternBytes, sealfileError } from '../../support/encrypted-files.js'
import { COMMON, describeTree, varyModes, workshop } from './support.js'

const { freshPath, makeTree } = workshop()

async function pack(
  inputs: Parameters<typeof packBatch>[0],
  options: Partial<PackBatchOptions> = {},
): Promise<{ path: string; report: Awaited<ReturnType<typeof packBatch>> }> {
  const path = freshPath('package')
  const report = await packBatch(inputs, { ...COMMON, segmentSize: 4_096, target: path, ...options })
  return { path, report }
}

async function unpack(path: string, options: Partial<UnpackBatchOptions> = {}) {
  const target = freshPath('unpacked')
  return { target, report: await unpackBatch(path, { ...COMMON, target, ...options }) }
}

async function list(path: string, options: Partial<Parameters<typeof listPackage>[1]> = {}): Promise<ListedMember[]> {
  const members: ListedMember[] = []
  for await (const member of listPackage(path, { ...COMMON, ...options })) members.push(member)
  return members
}

const codeOf = ({ error }: { readonly error: unknown }): unknown => (error as NodeJS.ErrnoException).code
const MIB = 2 ** 20
const isSlow = process.env['SLOW'] === '1'

const FILES = {
  'a.txt': 'one',
  'b/c/d.bin': patternBytes(10_000),
  'b/empty': '',
  'ä/世界.txt': 'Grüße',
  'back\\slash': 'x',
  'nothing/here/': '',
  large: patternBytes(2 * MIB + 4_321),
}
const BYTES = Object.values(FILES).reduce((sum, content) => sum + Buffer.byteLength(content as string), 0)

describe('a package', () => {
  test('gives back a tree: names, content, empty folders, permissions, times', async () => {
    const source = makeTree(FILES)
    varyModes(source)
    utimesSync(join(source, 'a.txt'), 1_000, 2_000.5)
    const { path, report } = await pack(source)
    expect(report).toEqual({ files: 6, bytes: BYTES, failures: [], skipped: [] })
    const { target, report: unpacked } = await unpack(path)
    expect(unpacked).toEqual(report)
    expect(describeTree(target)).toEqual(describeTree(source))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(path)).filter((name) => name.includes('sealfile-tmp'))).toEqual([])
  })

  test('of a real tree is opened elsewhere, with the keyring opened again from its file', async () => {
    const passphrase = 'correct horse battery staple'
    const keyring = freshPath('keyring')
    const argon2 = { memoryKiB: 1_024, passes: 1, lanes: 1 }
    const elsewhere = freshPath('elsewhere')
    mkdirSync(elsewhere)
    const keyManager = await KeyManager.create(keyring, { passphrase, argon2 })
    const packages = isSlow ? [''] : ['yauzl', '@noble/hashes', 'valibot', 'read', 'picomatch']
    const inputs = packages.map((name) => join(import.meta.dirname, '../../../node_modules', name))
    for (const [index, input] of inputs.entries()) {
      const target = join(elsewhere, `${index}.zip`)
      const { failures } = await packBatch(input, { keyManager, purpose: 'move', target })
      expect(failures).toEqual([])
    }
    keyManager.close()
    cpSync(keyring, join(elsewhere, 'keyring.json'))
    const again = await KeyManager.open(join(elsewhere, 'keyring.json'), { passphrase })
    for (const [index, input] of inputs.entries()) {
      const { target, report } = await unpack(join(elsewhere, `${index}.zip`), { keyManager: again, purpose: 'move' })
      expect(report.failures).toEqual([])
      const [found, expected] = [describeTree(target), describeTree(input)]
      expect(Object.keys(found).length).toBeGreaterThan(3)
      expect(found).toEqual(expected)
      rmSync(target, { recursive: true })
    }
    again.close()
  }, 600_000)

  test('keeps names that are no UTF-8', async () => {
    const source = makeTree({})
    const name = Buffer.from([0x66, 0xff, 0x6f])
    mkdirSync(Buffer.concat([Buffer.from(`${source}/`), name]))
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), name, Buffer.from('/'), name]), 'bytes')
    const { path } = await pack(source)
    const { target, report } = await unpack(path)
    expect(report).toMatchObject({ files: 1, failures: [] })
    expect(describeTree(target)).toEqual(describeTree(source))
    const members = await list(path)
    expect(members.map(({ path }) => path)).toEqual([name, Buffer.concat([name, Buffer.from('/'), name])])
    // There is no text that could be given another name.
    const renamed = await unpack(path, { name: (path) => path })
    const failure = { path: members[1]!.path, error: sealfileError('ERR_SEALFILE_BATCH_TARGET') }
    expect(renamed.report).toMatchObject({ files: 0, failures: [failure] })
  })

  test('is empty where there is nothing', async () => {
    const { path } = await pack(makeTree({}))
    expect(await list(path)).toEqual([])
    expect((await unpack(path)).report).toEqual({ files: 0, bytes: 0, failures: [], skipped: [] })
  })

  test('shows nothing of names, times and permissions, and no content', async () => {
    const source = makeTree({ 'secret-name/secret-file': 'secret-content'.repeat(100) })
    const bytes = readFileSync((await pack(source)).path).toString('latin1')
    for (const secret of ['secret-name', 'secret-file', 'secret-content', 'sealfile-package']) expect(bytes).not.toContain(secret)
  })

  test('is made of several inputs, with other names', async () => {
    const [one, other] = [makeTree({ 'x/a': 'a' }), makeTree({ 'x/b': 'b', c: 'c' })]
    const name = (path: string): string => `in/${path}`
    const { path, report } = await pack([one, join(other, 'c'), join(other, 'x')], { name })
    expect(report).toMatchObject({ files: 3, failures: [] })
    const { target } = await unpack(path, { name: (path) => path.slice(3) })
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['b', 'c', 'x', 'x/a'])
  })

  test('is made under one master key, and opened when there are newer ones', async () => {
    const keyring = freshPath('keyring')
    const passphrase = 'correct horse battery staple'
    const argon2 = { memoryKiB: 1_024, passes: 1, lanes: 1 }
    using keyManager = await KeyManager.create(keyring, { passphrase, argon2 })
    const source = makeTree({ a: 'a' })
    const before = await pack(source, { keyManager })
    await keyManager.rotateMasterKey()
    const after = await pack(source, { keyManager })
    for (const { path } of [before, after]) {
      const { target, report } = await unpack(path, { keyManager })
      expect(report).toMatchObject({ files: 1, failures: [] })
      expect(describeTree(target)).toEqual(describeTree(source))
    }
  })

  test('tells what it holds', async () => {
    const source = makeTree({ 'b/a.txt': 'one' })
    const { path } = await pack(source)
    const members = await list(path)
    expect(members).toMatchObject([
      { kind: 'folder', path: 'b' },
      { kind: 'file', path: 'b/a.txt', size: 3, entry: 'files/00000001.seal', compression: undefined },
    ])
    expect(members[1]).toMatchObject({ mtimeMs: statSync(join(source, 'b/a.txt')).mtimeMs })
  })

  test('is not made inside an input, nor in its place', async () => {
    const source = makeTree({ 'b/a.txt': 'one' })
    for (const target of [join(source, 'new.zip'), join(source, 'b/a.txt')]) {
      await expect(pack(source, { target })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    }
    expect(readdirSync(source)).toEqual(['b'])
  })

  test('has a member that anybody can take out and decrypt alone', async () => {
    const source = makeTree({ a: 'first', 'b.bin': patternBytes(100_000) })
    const context = Buffer.from('tenant')
    const { path } = await pack(source, { context })
    const files = (await list(path, { context })).filter((member): member is ListedFile => member.kind === 'file')
    const folder = freshPath('unzipped')
    const { status } = spawnSync('python3', ['-m', 'zipfile', '-e', path, folder])
    if (status !== 0) expect(spawnSync('unzip', ['-q', path, '-d', folder]).status).toBe(0)
    for (const { path, entry, context } of files) {
      await using file = await EncryptedFile.open(join(folder, entry), 'r', { ...OPTIONS, context })
      expect((await file.readFile()).equals(readFileSync(join(source, path.toString())))).toBe(true)
    }
  })
})

test('a member is read where it is, without unpacking', async () => {
  const content = patternBytes(100_000)
  const { path } = await pack(makeTree({ a: 'first', 'b.bin': content }))
  const bytes = readFileSync(path)
  const member = (await list(path)).find(({ path }) => path === 'b.bin') as ListedFile
  const readAt = (position: number, length: number): Uint8Array =>
    bytes.subarray(member.position + position, member.position + position + length)
  const { context, entrySize: size } = member
  await using file = await EncryptedFile.fromSource({ size, readAt }, { ...OPTIONS, context })
  const { buffer } = await file.read({ buffer: Buffer.alloc(1_000), position: 70_000 })
  expect(buffer.equals(content.subarray(70_000, 71_000))).toBe(true)
})

describe('what goes wrong with a source', () => {
  test('is told, and the package is made without it', async () => {
    const source = makeTree({ a: 'a', growing: patternBytes(30 * MIB), z: 'z' })
    spawnSync('mkfifo', [join(source, 'pipe')])
    symlinkSync('a', join(source, 'link'))
    const grow = setInterval(() => appendFileSync(join(source, 'growing'), 'more'), 1)
    const missing = join(source, 'missing')
    const { path, report } = await pack([source, missing])
    clearInterval(grow)
    expect(report.files).toBe(2)
    expect(report.skipped.map(({ kind }) => kind).sort()).toEqual(['link', 'special'])
    expect(report.failures.map((failure) => [failure.path, codeOf(failure)]).sort()).toEqual([
      [join(source, 'growing'), 'ERR_SEALFILE_BATCH_SOURCE'],
      [missing, 'ENOENT'],
    ])
    const { target } = await unpack(path)
    expect(readdirSync(target).sort()).toEqual(['a', 'z'])
  })

  test('ends the call where that is asked for, and there is no package', async () => {
    const path = freshPath('package')
    const missing = freshPath('missing')
    await expect(packBatch(missing, { ...COMMON, target: path, stopOnError: true })).rejects.toMatchObject({ code: 'ENOENT' })
    expect(existsSync(path)).toBe(false)
  })

  test('is a file that is cut while others are found', async () => {
    const source = makeTree({ a: patternBytes(2 * MIB), b: 'b' })
    const inputs = ['a', 'b'].map((name) => join(source, name))
    const name = (path: string): string => {
      if (path === 'b') truncateSync(inputs[0]!, MIB)
      return path
    }
    const { path, report } = await pack(inputs, { name })
    expect(report.failures).toEqual([{ path: inputs[0], error: sealfileError('ERR_SEALFILE_BATCH_SOURCE') }])
    expect((await list(path)).map(({ path }) => path)).toEqual(['b'])
  })

  test('is a path that is too long for a manifest', async () => {
    const long = Array<string>(40).fill('x'.repeat(250)).join('/')
    const { path, report } = await pack(makeTree({ a: 'a', b: 'b' }), { name: (path) => (path === 'a' ? long : path) })
    expect(report).toMatchObject({ files: 1, failures: [{ error: { code: 'ERR_SEALFILE_BATCH_TARGET' } }] })
    expect((await list(path)).map(({ path }) => path)).toEqual(['b'])
  })

  test('is a second file of one name', async () => {
    const source = makeTree({ a: 'a', b: 'b' })
    const { report } = await pack(source, { name: () => 'same' })
    expect(report.files).toBe(1)
    expect(report.failures).toMatchObject([{ error: { code: 'ERR_SEALFILE_BATCH_TARGET' } }])
  })

  test.skipIf(process.getuid?.() === 0)('is a file that may not be read', async () => {
    const source = makeTree({ a: 'a', b: 'b' })
    chmodSync(join(source, 'a'), 0)
    expect((await pack(source)).report).toMatchObject({ files: 1, failures: [{ error: { code: 'EACCES' } }] })
  })
})

describe('the end of a call', () => {
  test('by a signal leaves nothing', async () => {
    const source = makeTree({ large: patternBytes(20 * MIB), other: 'x' })
    const { path } = await pack(source)
    const folder = freshPath('folder')
    mkdirSync(folder)
    for (const run of [
      (signal: AbortSignal) => packBatch(source, { ...COMMON, target: join(folder, 'package'), signal }),
      (signal: AbortSignal) => unpackBatch(path, { ...COMMON, target: folder, signal, filter: (path) => path === 'large' }),
    ]) {
      const controller = new AbortController()
      setTimeout(() => controller.abort(), 10)
      await expect(run(controller.signal)).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
      await expect(run(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('by a signal between two files leaves nothing', async () => {
    const source = makeTree(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}`, 'x'])))
    const folder = makeTree({})
    const controller = new AbortController()
    let files = 0
    const name = (path: string): string => {
      if (++files === 8) controller.abort()
      return path
    }
    const { signal } = controller
    await expect(pack(source, { target: join(folder, 'package'), signal, name })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect({ files, left: readdirSync(folder) }).toEqual({ files: 8, left: [] })
  })

  test('by the first file that cannot be unpacked, where that is asked for', async () => {
    const { path } = await pack(makeTree({ a: 'a' }))
    const target = makeTree({ a: 'old' })
    const unpacking = unpack(path, { target, stopOnError: true })
    await expect(unpacking).rejects.toMatchObject({ code: 'EEXIST', path: join(target, 'a') })
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('old')
    expect(readdirSync(target)).toEqual(['a'])
  })

  test('by a folder that is moved away leaves nothing that has the name of a package', async () => {
    const source = makeTree({ a: 'a' })
    const [folder, moved] = [makeTree({}), freshPath('moved')]
    // Called when the package was begun, and before its manifest is.
    const onProgress = (): void => {
      if (existsSync(folder)) renameSync(folder, moved)
    }
    await expect(pack(source, { target: join(folder, 'package'), onProgress })).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'open',
    })
    expect([existsSync(folder), readdirSync(moved)]).toEqual([false, [expect.stringMatching(/^\..*\.sealfile-tmp$/)]])
  })

  test('by keys that are closed leaves nothing', async () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    const source = makeTree({ a: patternBytes(5 * MIB), b: 'x' })
    const folder = freshPath('folder')
    mkdirSync(folder)
    const packed = await pack(source, { keyManager })
    const target = join(folder, 'package')
    const closeSoon = (): void => keyManager.close()
    await expect(packBatch(source, { ...COMMON, keyManager, target, name: (path) => (closeSoon(), path) })).rejects.toEqual(
      sealfileError('ERR_SEALFILE_CLOSED'),
    )
    expect(readdirSync(folder)).toEqual([])
    await expect(unpack(packed.path, { keyManager })).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
  })

  test('by what onProgress throws leaves nothing', async () => {
    const folder = freshPath('folder')
    mkdirSync(folder)
    const onProgress = (): void => {
      throw new Error('enough')
    }
    const source = makeTree({ a: 'a' })
    await expect(packBatch(source, { ...COMMON, target: join(folder, 'package'), onProgress })).rejects.toThrow('enough')
    const { path } = await pack(source)
    await expect(unpack(path, { target: folder, onProgress })).rejects.toThrow('enough')
    expect(readdirSync(folder)).toEqual([])
  })

  test('is told, and so is the beginning', async () => {
    const source = makeTree(FILES)
    const told: BatchProgress[] = []
    const onProgress = (progress: BatchProgress): void => void told.push(progress)
    const { path } = await pack(source, { onProgress })
    const end = { files: 6, totalFiles: 6, bytes: BYTES, totalBytes: BYTES, failed: 0, isListed: true }
    expect(told[0]).toMatchObject({ files: 0, isListed: false })
    expect(told.at(-1)).toMatchObject(end)
    await unpack(path, { onProgress })
    expect(told.at(-1)).toMatchObject(end)
  })
})

describe('a target', () => {
  test('is not replaced unless that is asked for', async () => {
    const source = makeTree({ a: 'new' })
    const { path } = await pack(source)
    const before = readFileSync(path)
    await expect(pack(source, { target: path })).rejects.toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(path).equals(before)).toBe(true)
    await pack(source, { target: path, overwrite: true })
    expect(readFileSync(path).equals(before)).toBe(false)

    const target = makeTree({ a: 'old' })
    const { report } = await unpack(path, { target })
    expect(report.failures).toMatchObject([{ path: 'a', error: { code: 'EEXIST' } }])
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('old')
    expect((await unpack(path, { target, overwrite: true })).report.files).toBe(1)
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('new')
  })

  test('takes the place of no device, pipe or folder', async () => {
    const source = makeTree({ file: 'content' })
    const [device, pipe, there] = [freshPath('device'), freshPath('pipe'), makeTree({ file: 'stays' })]
    symlinkSync('/dev/null', device)
    spawnSync('mkfifo', [pipe])
    for (const target of [device, pipe, there]) {
      const before = lstatSync(target).mode
      await expect(pack(source, { target, overwrite: true })).rejects.toEqual(sealfileError('ERR_SEALFILE_BATCH_TARGET'))
      expect(lstatSync(target).mode).toBe(before)
    }
    expect(readdirSync(there)).toEqual(['file'])
  })

  test('is not reached by way of a link in it', async () => {
    const { path } = await pack(makeTree({ 'inner/a': 'a' }))
    const [target, outside] = [makeTree({}), makeTree({})]
    symlinkSync(outside, join(target, 'inner'))
    const { report } = await unpack(path, { target })
    expect(report.files).toBe(0)
    expect(report.failures.map(codeOf)).toEqual(['ERR_SEALFILE_BATCH_TARGET', 'ERR_SEALFILE_BATCH_TARGET'])
    expect(readdirSync(outside)).toEqual([])
  })

  test('is never the package', async () => {
    const { path } = await pack(makeTree({ a: 'a' }))
    const target = makeTree({})
    renameSync(path, join(target, 'a'))
    const { report } = await unpack(join(target, 'a'), { target, overwrite: true })
    expect(report.failures).toMatchObject([{ error: { code: 'ERR_SEALFILE_BATCH_TARGET' } }])
  })

  test('gets only what is wanted', async () => {
    const { path } = await pack(makeTree(FILES))
    const { target, report } = await unpack(path, { filter: (path) => path.startsWith('b/') })
    expect(report).toMatchObject({ files: 2, bytes: 10_000, failures: [] })
    expect(existsSync(join(target, 'a.txt'))).toBe(false)
  })
})

describe('what a package is opened with', () => {
  test('must be what it was made with', async () => {
    const source = makeTree({ a: 'a' })
    const { path } = await pack(source, { context: Buffer.from('x') })
    const target = freshPath('target')
    const right = { ...COMMON, target, context: Buffer.from('x') }
    const wrong = { WRONG_KEY: { keyManager: KeyManager.fromKey(OTHER_KEY) }, WRONG_PURPOSE: { purpose: 'other' } }
    for (const [code, options] of [...Object.entries(wrong), ['WRONG_PURPOSE', { context: undefined }] as const]) {
      await expect(unpackBatch(path, { ...right, ...options })).rejects.toEqual(sealfileError(`ERR_SEALFILE_${code}`, { path }))
    }
    expect(existsSync(target)).toBe(false)
    expect(await unpackBatch(path, right)).toMatchObject({ files: 1 })
  })

  test('may limit what it costs', async () => {
    const { path } = await pack(makeTree({ 'x/a': 'a', b: 'bbb' }))
    for (const limits of [{ members: 2 }, { bytes: 3 }]) {
      const target = freshPath('target')
      await expect(unpackBatch(path, { ...COMMON, target, limits })).rejects.toEqual(sealfileError('ERR_SEALFILE_LIMIT'))
      await expect(list(path, { limits })).rejects.toEqual(sealfileError('ERR_SEALFILE_LIMIT'))
      expect(existsSync(target)).toBe(false)
    }
    expect(await list(path, { limits: { members: 3, bytes: 4 } })).toHaveLength(3)
  })

  test('must be given', async () => {
    const path = freshPath('package')
    const error = { code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('"options"') as string }
    await expect(packBatch(makeTree({ a: 'a' }), undefined as never)).rejects.toMatchObject(error)
    await expect(unpackBatch(path, null as never)).rejects.toMatchObject(error)
    await expect(listPackage(path, 'x' as never).next()).rejects.toMatchObject(error)
  })

  test.each([
    ['purpose', { purpose: (): string => 'x' }, 'ERR_INVALID_ARG_TYPE'],
    ['purpose', { purpose: '' }, 'ERR_INVALID_ARG_VALUE'],
    ['keyManager', { keyManager: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['target', { target: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['overwrite', { overwrite: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    ['signal', { signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['compression', { compression: 'lzma' }, 'ERR_INVALID_ARG_VALUE'],
    ['limits.bytes', { limits: { bytes: -1 } }, 'ERR_OUT_OF_RANGE'],
    ['limits', { limits: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['filter', { filter: 'x' }, 'ERR_INVALID_ARG_TYPE'],
  ])('must make sense: %s', async (name, wrong, code) => {
    const options = { ...COMMON, target: freshPath('target'), ...wrong } as never
    const calls = [packBatch(makeTree({ a: 'a' }), options), unpackBatch(freshPath('missing'), options)]
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes).toContainEqual({ status: 'rejected', reason: expect.objectContaining({ code }) as never })
    const messages = outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : ''))
    expect(messages.some((message) => message.includes(`options.${name}`))).toBe(true)
  })
})

describe.runIf(isSlow)('what is large', () => {
  test('a file of more than 4 GiB, in bounded memory', async () => {
    const source = makeTree({ x: 'x' })
    const size = 2 ** 32 + 54_321
    writeFileSync(join(source, 'large'), 'beginning')
    truncateSync(join(source, 'large'), size)
    appendFileSync(join(source, 'large'), 'end')
    const idle = process.memoryUsage().rss
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20)
    const { path, report } = await pack(source, { segmentSize: 65_536 })
    expect(report).toMatchObject({ files: 2, bytes: size + 4 })
    const { target } = await unpack(path)
    clearInterval(watch)
    expect((most - idle) / MIB).toBeLessThan(150)
    expect(spawnSync('cmp', [join(source, 'large'), join(target, 'large')]).status).toBe(0)
    expect(spawnSync('python3', ['-m', 'zipfile', '-t', path]).status).toBe(0)
    for (const used of [path, target, source]) rmSync(used, { recursive: true })
  }, 900_000)

  test('more than 65,535 files', async () => {
    const files = Object.fromEntries(Array.from({ length: 66_000 }, (_, i) => [`${i % 100}/${i}`, `${i}`]))
    const source = makeTree(files)
    const { path, report } = await pack(source)
    expect(report).toMatchObject({ files: 66_000, failures: [] })
    const { target, report: unpacked } = await unpack(path)
    expect(unpacked).toMatchObject({ files: 66_000, failures: [] })
    expect(describeTree(target)).toEqual(describeTree(source))
    for (const used of [target, source]) rmSync(used, { recursive: true })
  }, 900_000)
})

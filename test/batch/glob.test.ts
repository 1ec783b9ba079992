import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fc, test as propertyTest } from '@fast-check/vitest'
import picomatch from 'picomatch'
import { describe, expect, test } from 'vitest'
import {
  encryptBatch,
  glob,
  listPackage,
  packBatch,
  unpackBatch,
  verifyBatch,
  type BatchInputs,
  type EncryptBatchOptions,
  type GlobOptions,
} from '../../src/batch.js'
import { migrateDirectory } from '../../src/compat.js'
import { KeyManager } from '../../src/index.js'
import { OPTIONS, readEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

function makeTree(...paths: readonly string[]): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), path)
  }
  return folder
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

const encrypt = (inputs: BatchInputs, target: string, options: Partial<EncryptBatchOptions> = {}) =>
  encryptBatch(inputs, { keyManager: OPTIONS.keyManager, purpose: 'test', workers: 1, target, ...options })

/** @returns what a pattern takes of a folder. */
async function take(pattern: string, cwd: string, options: GlobOptions = {}): Promise<string[]> {
  const target = freshPath()
  const { failures } = await encrypt(glob(pattern, { cwd, ...options }), target)
  expect(failures).toEqual([])
  return filesIn(target)
}

const TREE = [
  'a.txt',
  'B.TXT',
  '.hidden.txt',
  'src/a.txt',
  'src/x/b.txt',
  'src/x/y/c.md',
  'src/.git/d.txt',
  '[id].txt',
  'new\nline/e.txt',
]

describe('a pattern', () => {
  test.each<[string, string[], GlobOptions?]>([
    ['*.txt', ['.hidden.txt', '[id].txt', 'a.txt']],
    ['*.txt', ['[id].txt', 'a.txt'], { dot: false }],
    ['*.txt', ['.hidden.txt', 'B.TXT', '[id].txt', 'a.txt'], { nocase: true }],
    ['**/*.txt', ['.hidden.txt', '[id].txt', 'a.txt', 'new\nline/e.txt', 'src/.git/d.txt', 'src/a.txt', 'src/x/b.txt']],
    ['**/*.txt', ['[id].txt', 'a.txt', 'new\nline/e.txt', 'src/a.txt', 'src/x/b.txt'], { dot: false }],
    ['src/**', ['.git/d.txt', 'a.txt', 'x/b.txt', 'x/y/c.md']],
    ['src/**', ['x/b.txt', 'x/y/c.md'], { exclude: ['.git', 'a.*'] }],
    ['src/**', ['a.txt', 'x/b.txt'], { exclude: ['**/{y,.git}/**'] }],
    ['src/x/*', ['b.txt']],
    ['./src/*/b.txt', ['x/b.txt']],
    ['{src/x,src}/*.txt', ['src/a.txt', 'src/x/b.txt']],
    ['s?c/[xz]/@(b|c).txt', ['src/x/b.txt']],
    ['\\[id\\].*', ['[id].txt']],
    ['[!b-z].txt', ['a.txt']],
    ['[!a-z].txt', []],
    ['[[:alpha:]].txt', ['a.txt']],
    ['src', []],
    ['!a.txt*', []],
    ['none/*', []],
  ])('%j takes %j with %j', async (pattern, files, options = {}) => {
    const cwd = makeTree(...TREE)
    // A pattern without wildcards is a path.
    if (pattern === 'src') files.push('.git/d.txt', 'a.txt', 'x/b.txt', 'x/y/c.md')
    if (pattern === 'none/*') mkdirSync(join(cwd, 'none'))
    expect(await take(pattern, cwd, options)).toEqual(files)
  })

  test('is no pattern in a text', async () => {
    const cwd = makeTree(...TREE)
    const target = freshPath()
    expect(await encrypt(join(cwd, '[id].txt'), target)).toMatchObject({ files: 1, failures: [] })
    const { failures } = await encrypt(join(cwd, '*.txt'), freshPath())
    expect(failures).toMatchObject([{ error: { code: 'ENOENT' } }])
  })

  test('may be absolute, or one of several inputs', async () => {
    const cwd = makeTree(...TREE)
    const target = freshPath()
    const inputs = [glob(`${cwd}/src/x/**`), join(cwd, 'a.txt'), glob('src/*.txt', { cwd })]
    const { files, failures } = await encrypt(inputs, target)
    expect(files).toBe(3)
    expect(failures).toMatchObject([{ path: join(cwd, 'src/a.txt'), error: { code: 'ERR_SEALFILE_BATCH_TARGET' } }])
    expect(filesIn(target)).toEqual(['a.txt', 'b.txt', 'y/c.md'])
  })

  test('gives functions the paths from its base', async () => {
    const cwd = makeTree(...TREE)
    const target = freshPath()
    const options = { name: (path: string) => `${path}.enc`, purpose: (path: string) => `for ${path}` }
    expect(await encrypt(glob('src/x/**', { cwd }), target, options)).toMatchObject({ files: 2, failures: [] })
    expect(readEncrypted(join(target, 'y/c.md.enc'), { purpose: 'for y/c.md' }).toString()).toBe('src/x/y/c.md')
  })

  test('makes the folders that its files are in, as private as they are, and no others', async () => {
    const cwd = makeTree('a/b/c.txt', 'd/e.md')
    chmodSync(join(cwd, 'a'), 0o700)
    const target = freshPath()
    expect(await encrypt(glob('**/*.txt', { cwd }), target)).toMatchObject({ files: 1, failures: [] })
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/c.txt'])
    expect(statSync(join(target, 'a')).mode & 0o777).toBe(0o700)
  })

  test('passes over the target in its base, and tells of links that match', async () => {
    const cwd = makeTree(...TREE)
    symlinkSync('a.txt', join(cwd, 'link.txt'))
    symlinkSync('a.txt', join(cwd, 'link.md'))
    const target = join(cwd, 'target')
    const pattern = glob('**/*.txt', { cwd })
    const first = await encrypt(pattern, target)
    expect(first).toMatchObject({ files: 7, failures: [], skipped: [{ path: join(cwd, 'link.txt'), kind: 'link' }] })
    expect(await encrypt(pattern, target, { overwrite: true })).toMatchObject({ files: 7, failures: [] })
    await expect(encrypt(glob('*', { cwd }), cwd)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    await expect(encrypt(glob('*', { cwd }), dirname(cwd))).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  })

  test('whose base is not there, is a failure; where that is a file, nothing matches', async () => {
    const cwd = makeTree(...TREE)
    const { failures } = await encrypt(glob('missing/*.txt', { cwd }), freshPath())
    expect(failures).toMatchObject([{ path: join(cwd, 'missing'), error: { code: 'ENOENT' } }])
    expect(await take('a.txt/*', cwd)).toEqual([])
  })

  test.each([
    ['', {}],
    ['a\0', {}],
    ['a'.repeat(70_000), {}],
    ['*/../x', {}],
    ['*', { exclude: '' }],
  ])('may not be %j with %j', (pattern, options) => {
    expect(() => glob(pattern, options)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }))
  })

  test.each([
    [1, {}],
    ['*', null],
    ['*', { exclude: 1 }],
    ['*', { exclude: [1] }],
    ['*', { dot: 'no' }],
    ['*', { nocase: 1 }],
    ['*', { cwd: 1 }],
    ['*', { cwd: Buffer.from([0x2f, 0xff]) }],
  ])('may not be of another type: %j with %j', (pattern, options) => {
    expect(() => glob(pattern as string, options as GlobOptions)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  })

  const part = fc.constantFrom('a', 'b', '*', '**', '?', '{a,b}', '{a,b/a}', '[ab]', '@(a|b)', '!(a)', '.a', 'a*')
  const within = fc.array(fc.constantFrom('a', 'b', 'ab', '.a'), { minLength: 1, maxLength: 5 })
  propertyTest.prop([fc.array(part, { minLength: 1, maxLength: 5 }), within, fc.boolean()], { numRuns: 5_000 })(
    'enters each folder on the way to what it matches',
    (parts, path, dot) => {
      const pattern = glob(parts.join('/'), { dot })
      if (!pattern.hasWildcard) return
      const { glob: rest } = picomatch.scan(parts.join('/'), { nonegate: true })
      const isMeant = picomatch(rest, { dot, nonegate: true })(path.join('/'))
      expect(pattern.matches(path.join('/'))).toBe(isMeant)
      if (isMeant) for (let i = 1; i < path.length; i++) expect(pattern.enters(path.slice(0, i).join('/'))).toBe(true)
    },
  )

  test('does not enter folders in which nothing can match', () => {
    const pattern = glob('src/a*/*/x.txt', { exclude: 'ab/no/**' })
    expect(pattern.enters('ab')).toBe(true)
    expect(pattern.enters('ab/c')).toBe(true)
    for (const folder of ['b', 'b/c', 'ab/c/d', 'ab/no']) expect(pattern.enters(folder)).toBe(false)
  })
})

describe('a pattern', () => {
  const keys = { keyManager: OPTIONS.keyManager, purpose: 'test' }

  test('is packed as a folder is encrypted, without the package that lies in its base', async () => {
    const folder = makeTree(...TREE)
    const target = join(folder, 'package.txt')
    const { files, failures } = await packBatch([glob('**/*.txt', { cwd: folder })], { ...keys, target })
    const names: string[] = []
    for await (const { kind, path } of listPackage(target, keys)) if (kind === 'file') names.push(path.toString())
    expect(failures).toEqual([])
    expect(names.sort()).toEqual(TREE.filter((name) => name.endsWith('.txt')).sort())
    expect(files).toBe(names.length)
  })

  test('is checked', async () => {
    const encrypted = freshPath()
    await encrypt(makeTree('a.txt', 'b.log'), encrypted)
    expect(await verifyBatch(glob('*.txt', { cwd: encrypted }), keys)).toMatchObject({ ok: true, files: 1 })
  })

  test('is refused where paths are taken alone', async () => {
    const pattern = glob('*')
    const error = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }) as Error
    using keyManager = KeyManager.fromKey(new Uint8Array(32).fill(1))
    const options = { keyManager, purpose: 'test', target: freshPath() }
    // @ts-expect-error -- no path
    await expect(keyManager.rewrap(pattern, options)).rejects.toThrow(error)
    // @ts-expect-error -- no path
    await expect(keyManager.rewrap([pattern], options)).rejects.toThrow(error)
    // @ts-expect-error -- no path
    await expect(keyManager.reencrypt(pattern, options)).rejects.toThrow(error)
    // @ts-expect-error -- no path
    await expect(migrateDirectory(pattern, options)).rejects.toThrow(error)
    // @ts-expect-error -- no path
    await expect(unpackBatch(pattern, options)).rejects.toThrow(error)
  })
})

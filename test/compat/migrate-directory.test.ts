import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  migrateDirectory,
  writeAicoFile,
  type DirectoryProgress,
  type MigratedFile,
  type MigrateDirectoryOptions,
} from '../../src/compat.js'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { ACCESS } from './support.js'

const inFolder = temporaryFolder()
let count = 0

/** @returns a new folder with files in it, by their paths. */
function makeTree(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = inFolder(`tree-${count++}`)
  mkdirSync(folder)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    if (path.endsWith('/')) mkdirSync(join(folder, path), { recursive: true })
    else writeFileSync(join(folder, path), content)
  }
  return folder
}

const freshTarget = (): string => inFolder(`target-${count++}`)

/** @returns what is in a folder, sorted. */
function namesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

const PLAIN: MigrateDirectoryOptions = {
  keyManager: OPTIONS.keyManager,
  purpose: 'test',
  segmentSize: 4_096,
}
const FILES = {
  'a.txt': 'one',
  'b/c/d.bin': patternBytes(10_000),
  'b/empty': '',
  'ä/世界.txt': 'Grüße',
  '.hidden': 'x',
  'hollow/in/': '',
}

function expectTree(folder: string, files: Readonly<Record<string, string | Uint8Array>> = FILES): void {
  for (const [path, content] of Object.entries(files)) {
    if (path.endsWith('/')) expect(statSync(join(folder, path)).isDirectory()).toBe(true)
    else expect(readEncrypted(join(folder, path)).equals(Buffer.from(content)), path).toBe(true)
  }
}

describe('a tree', () => {
  test('is taken over with its folders, and the second time found to be done', async () => {
    const source = makeTree(FILES)
    const target = freshTarget()
    expect(await migrateDirectory(source, join(target, 'deep'), PLAIN)).toEqual({
      migrated: 5,
      present: 0,
      bytes: 3 + 10_000 + 0 + 7 + 1,
      failures: [],
      skipped: [],
    })
    expectTree(join(target, 'deep'))
    expect(namesIn(join(target, 'deep'))).toEqual(namesIn(source))
    expect(readFileSync(join(source, 'a.txt'), 'utf8')).toBe('one')
    const inode = statSync(join(target, 'deep/a.txt')).ino
    expect(await migrateDirectory(source, join(target, 'deep'), PLAIN)).toMatchObject({ migrated: 0, present: 5, failures: [] })
    expect(statSync(join(target, 'deep/a.txt')).ino).toBe(inode)
  })

  test('is taken over in place, plaintext and AICO together', async () => {
    const source = makeTree(FILES)
    await writeAicoFile(join(source, 'b/old.aico'), 'from before', ACCESS)
    const seen: MigratedFile[] = []
    const options = { ...PLAIN, aico: ACCESS, onFile: (file: MigratedFile) => seen.push(file) }
    const before = namesIn(source)
    expect(await migrateDirectory(source, source, options)).toMatchObject({ migrated: 6, present: 0, failures: [] })
    expectTree(source, { ...FILES, 'b/old.aico': 'from before' })
    expect(seen.map(({ format }) => format).sort()).toEqual(['aico', ...Array<string>(5).fill('plain')])
    expect(await migrateDirectory(source, `${source}/.`, options)).toMatchObject({ migrated: 0, present: 6, failures: [] })
    expect(namesIn(source)).toEqual(before)
  })

  test('gets other names and purposes, as functions say', async () => {
    const source = makeTree({ 'a.log': 'log', 'b/c.txt': 'text', 'b/skip.tmp': 'x' })
    await writeAicoFile(join(source, 'b/d'), 'from before', ACCESS)
    const options: MigrateDirectoryOptions = {
      ...PLAIN,
      purpose: (path) => (path.endsWith('.log') ? 'logs' : 'data'),
      aico: { keys: ACCESS.keys, purpose: (path) => (path === 'b/d' ? ACCESS.purpose : 'none') },
      name: (path) => `${path}.enc`,
      filter: (path) => !path.endsWith('.tmp'),
      removeSource: true,
    }
    expect(await migrateDirectory(source, source, options)).toMatchObject({ migrated: 3, present: 0, failures: [] })
    expect(namesIn(source)).toEqual(['a.log.enc', 'b', 'b/c.txt.enc', 'b/d.enc', 'b/skip.tmp'])
    expect(readEncrypted(join(source, 'a.log.enc'), { purpose: 'logs' }).toString()).toBe('log')
    expect(readEncrypted(join(source, 'b/d.enc'), { purpose: 'data' }).toString()).toBe('from before')
  })

  test('has links and special files that are left alone and told of', async () => {
    const source = makeTree({ 'a/b': 'one' })
    symlinkSync('b', join(source, 'a/link'))
    symlinkSync('..', join(source, 'a/loop'))
    symlinkSync('nowhere', join(source, 'dangling'))
    spawnSync('mkfifo', [join(source, 'pipe')])
    writeFileSync(join(source, 'a/.b.0123456789abcdef.sealfile-tmp'), 'left by a writer')
    const target = freshTarget()
    const { skipped, migrated, failures } = await migrateDirectory(source, target, PLAIN)
    expect({ migrated, failures }).toEqual({ migrated: 1, failures: [] })
    const expected = [
      { path: join(source, 'a/link'), kind: 'link' },
      { path: join(source, 'a/loop'), kind: 'link' },
      { path: join(source, 'dangling'), kind: 'link' },
      ...(existsSync(join(source, 'pipe')) ? [{ path: join(source, 'pipe'), kind: 'special' }] : []),
    ]
    expect([...skipped].sort((a, b) => (String(a.path) < String(b.path) ? -1 : 1))).toEqual(expected)
    expect(namesIn(target)).toEqual(['a', 'a/b'])
  })

  test.runIf(process.platform === 'linux')('has names that are no UTF-8, of files and folders', async () => {
    const source = makeTree({ good: 'good' })
    const [file, folder] = [Buffer.from([0x66, 0xff]), Buffer.from([0x64, 0xfe])]
    const inSource = (...parts: Buffer[]): Buffer =>
      Buffer.concat(
        parts.flatMap((part, i) => (i === 0 ? [Buffer.from(source), Buffer.from('/'), part] : [Buffer.from('/'), part])),
      )
    writeFileSync(inSource(file), 'odd')
    mkdirSync(inSource(folder))
    writeFileSync(inSource(folder, file), 'odder')
    writeFileSync(inSource(folder, Buffer.from('plain')), 'even')
    const target = freshTarget()
    const elsewhere = await migrateDirectory(source, target, PLAIN)
    expect(elsewhere).toMatchObject({ migrated: 4, failures: [] })
    expect(await migrateDirectory(source, target, PLAIN)).toMatchObject({ present: 4, failures: [] })
    const inTarget = Buffer.concat([Buffer.from(target), Buffer.from('/'), folder, Buffer.from('/'), file])
    expect(await EncryptedFile.readFile(inTarget, { ...OPTIONS, encoding: 'utf8' })).toBe('odder')
    expect(await migrateDirectory(source, source, PLAIN)).toMatchObject({ migrated: 4, failures: [] })
    expect(await migrateDirectory(source, source, PLAIN)).toMatchObject({ present: 4, failures: [] })
    expect(readdirSync(inSource(folder), { encoding: 'buffer' })).toHaveLength(2)
    const named = await migrateDirectory(source, freshTarget(), { ...PLAIN, name: (path) => path, dryRun: true })
    expect(named.failures.length).toBeGreaterThan(0)
  })
})

describe('what fails', () => {
  test('is told, and does not keep the rest from being done', async () => {
    const source = makeTree({ a: 'one', b: 'AICO is no format', 'c/d': 'two', 'c/e': 'three' })
    const target = freshTarget()
    mkdirSync(join(target, 'c/d'), { recursive: true })
    const { migrated, failures } = await migrateDirectory(source, target, { ...PLAIN, concurrency: 1 })
    expect(migrated).toBe(2)
    expect(failures.map(({ path }) => path)).toEqual([join(source, 'b'), join(source, 'c/d')])
    for (const { error } of failures) expect(error).toEqual(sealfileError('ERR_SEALFILE_MIGRATION'))
    rmSync(join(target, 'c/d'), { recursive: true })
    const again = await migrateDirectory(source, target, { ...PLAIN, from: 'plain' })
    expect(again).toMatchObject({ migrated: 2, present: 2, failures: [] })
  })

  test('ends it where that is asked for', async () => {
    const source = makeTree(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`file-${i}`, i === 3 ? 'AICO' : 'text'])))
    const target = freshTarget()
    const running = migrateDirectory(source, target, { ...PLAIN, aico: ACCESS, stopOnError: true, concurrency: 1 })
    await expect(running).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path: join(source, 'file-3') }))
    expect(namesIn(target).length).toBeLessThan(50)
  })

  test('a folder that is gone when its turn comes is told', async () => {
    const source = makeTree({ a: 'one', 'gone/b': 'two' })
    const gone = join(source, 'gone')
    const filter = (): boolean => {
      rmSync(gone, { recursive: true, force: true })
      return true
    }
    const { migrated, failures } = await migrateDirectory(source, source, { ...PLAIN, concurrency: 1, filter })
    expect({ migrated, failures }).toEqual({
      migrated: 1,
      failures: [{ path: gone, error: expect.objectContaining({ code: 'ENOENT', path: gone }) as never }],
    })
    expectTree(source, { a: 'one' })
  })

  test('a signal ends it', async () => {
    const source = makeTree(FILES)
    const controller = new AbortController()
    const running = migrateDirectory(source, freshTarget(), {
      ...PLAIN,
      signal: controller.signal,
      concurrency: 1,
      onFile: () => controller.abort(),
    })
    await expect(running).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('a file that is encrypted already is not encrypted once more', async () => {
    const source = makeTree({ plain: 'text' })
    writeEncrypted(join(source, 'ours'), 'text')
    const { migrated, failures } = await migrateDirectory(source, freshTarget(), PLAIN)
    expect({ migrated, failures }).toEqual({
      migrated: 1,
      failures: [{ path: join(source, 'ours'), error: sealfileError('ERR_SEALFILE_MIGRATION') }],
    })
    expect(await migrateDirectory(source, source, PLAIN)).toMatchObject({ migrated: 1, present: 1, failures: [] })
  })

  test('two files do not get the same name', async () => {
    const source = makeTree({ a: 'one', b: 'two' })
    const target = freshTarget()
    const { migrated, failures } = await migrateDirectory(source, target, { ...PLAIN, name: () => 'x/same' })
    expect(migrated).toBe(1)
    expect(failures).toEqual([{ path: expect.any(String) as never, error: sealfileError('ERR_SEALFILE_MIGRATION') }])
  })

  test.each(['', '.', '..', '../x', 'a/../../x', '/x', 'x/', 5])('%j is no name', async (name) => {
    const source = makeTree({ a: 'one' })
    const { migrated, failures } = await migrateDirectory(source, freshTarget(), { ...PLAIN, name: () => name as never })
    expect(migrated).toBe(0)
    expect(failures).toEqual([{ path: join(source, 'a'), error: expect.any(TypeError) as never }])
  })

  test('a target in the source or around it is refused, also by way of links', async () => {
    const source = makeTree(FILES)
    symlinkSync(source, `${source}-link`)
    for (const target of [join(source, 'x'), join(`${source}-link`, 'x/y'), dirname(source)]) {
      await expect(migrateDirectory(source, target, PLAIN), target).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    }
    expect(namesIn(source)).toEqual(namesIn(makeTree(FILES)))
  })

  test('a source that is no folder is told in the words of the system', async () => {
    const source = makeTree(FILES)
    await expect(migrateDirectory(join(source, 'a.txt'), freshTarget(), PLAIN)).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(migrateDirectory(join(source, 'none'), freshTarget(), PLAIN)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, purpose: undefined }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, concurrency: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ...PLAIN, concurrency: 65 }, 'ERR_OUT_OF_RANGE'],
    [{ ...PLAIN, name: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, filter: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, aico: { keys: 5, purpose: 'x' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, stopOnError: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, update: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('misuse is told before anything is done: %o', async (options, code) => {
    const target = freshTarget()
    await expect(migrateDirectory(makeTree(FILES), target, options as never)).rejects.toMatchObject({ code })
    expect(existsSync(target)).toBe(false)
  })
})

test('sources that were changed are taken over again, and targets that were written to are not', async () => {
  const source = makeTree({ same: 'same', changed: 'old', both: 'old' })
  for (const name of namesIn(source)) utimesSync(join(source, name), 1_000_000_000, 1_000_000_000)
  const target = freshTarget()
  await migrateDirectory(source, target, PLAIN)
  await EncryptedFile.appendFile(join(target, 'both'), ' of the target', OPTIONS)
  appendFileSync(join(source, 'changed'), ' and new')
  appendFileSync(join(source, 'both'), ' and new')
  const unchanged = await migrateDirectory(source, target, { ...PLAIN, update: false })
  expect(unchanged).toMatchObject({ migrated: 0, present: 1 })
  expect(unchanged.failures.map(({ path }) => path).sort()).toEqual([join(source, 'both'), join(source, 'changed')])
  const { migrated, present, failures } = await migrateDirectory(source, target, PLAIN)
  expect({ migrated, present, failures }).toEqual({
    migrated: 1,
    present: 1,
    failures: [{ path: join(source, 'both'), error: sealfileError('ERR_SEALFILE_MIGRATION') }],
  })
  expect(readEncrypted(join(target, 'changed')).toString()).toBe('old and new')
  expect(readEncrypted(join(target, 'both')).toString()).toBe('old of the target')
})

test('where sources are removed, a target that may be the only copy is not replaced by another source of its name', async () => {
  const source = makeTree({ inbox: 'first' })
  utimesSync(join(source, 'inbox'), 1_000_000_000, 1_000_000_000)
  const target = freshTarget()
  const options = { ...PLAIN, removeSource: true }
  expect(await migrateDirectory(source, target, options)).toMatchObject({ migrated: 1, failures: [] })
  writeFileSync(join(source, 'inbox'), 'second')
  const { migrated, failures } = await migrateDirectory(source, target, options)
  expect({ migrated, failures }).toEqual({
    migrated: 0,
    failures: [{ path: join(source, 'inbox'), error: sealfileError('ERR_SEALFILE_MIGRATION') }],
  })
  expect(readEncrypted(join(target, 'inbox')).toString()).toBe('first')
  expect(readFileSync(join(source, 'inbox'), 'utf8')).toBe('second')
})

test('a dry run tells what would happen, and does nothing', async () => {
  const source = makeTree(FILES)
  const target = freshTarget()
  const seen: MigratedFile[] = []
  const dry = { ...PLAIN, dryRun: true, removeSource: true, onFile: (file: MigratedFile) => seen.push(file) }
  expect(await migrateDirectory(source, target, dry)).toMatchObject({ migrated: 5, present: 0, failures: [] })
  expect(existsSync(target)).toBe(false)
  expect(seen.every(({ isDryRun, isSourceRemoved }) => isDryRun && !isSourceRemoved)).toBe(true)
  expect(seen.map(({ target }) => String(target)).sort()).toContain(join(target, 'b/c/d.bin'))
  expect(await migrateDirectory(source, source, dry)).toMatchObject({ migrated: 5 })
  expectUntouched()
  await migrateDirectory(source, target, PLAIN)
  unlinkSync(join(target, 'a.txt'))
  expect(await migrateDirectory(source, target, dry)).toMatchObject({ migrated: 1, present: 4 })
  expectUntouched()

  function expectUntouched(): void {
    expect(namesIn(source)).toEqual(namesIn(makeTree(FILES)))
    expect(readFileSync(join(source, 'a.txt'), 'utf8')).toBe('one')
  }
})

test('progress counts files and bytes up to what there is', async () => {
  const source = makeTree({ ...FILES, large: patternBytes(3_000_000), bad: 'AICO' })
  const seen: DirectoryProgress[] = []
  await migrateDirectory(source, freshTarget(), { ...PLAIN, onProgress: (progress) => seen.push(progress) })
  const totals = { totalFiles: 7, totalBytes: 3_010_015 }
  expect(seen.at(0)).toEqual({ files: 0, bytes: 0, ...totals })
  expect(seen.at(-1)).toEqual({ files: 7, bytes: 3_010_015, ...totals })
  for (const [i, { files, bytes }] of seen.entries()) {
    expect(files).toBeGreaterThanOrEqual(seen[i - 1]?.files ?? 0)
    expect(bytes).toBeGreaterThanOrEqual(seen[i - 1]?.bytes ?? 0)
  }
})

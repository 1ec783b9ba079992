import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decryptBatch, encryptBatch, type BatchReport } from '../../src/batch.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { batchProcess } from '../support/batch-process.js'
import { OPTIONS, patternBytes, readEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

function makeTree(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}

const namesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
const COMMON = { keyManager: OPTIONS.keyManager, purpose: 'test', workers: 2 }
const MIB = 2 ** 20

const CHILD = `
const [direction, source, target, manifest] = process.argv.slice(2)
const keyManager = sealfile.KeyManager.fromKey(new Uint8Array(32).fill(0x44))
// A limit on the size of files kills otherwise.
process.on('SIGXFSZ', () => undefined)
try {
  const options = { keyManager, purpose: 'test', workers: 2, target, ...(manifest ? { manifest } : {}) }
  const { failures, ...counts } = await sealfile[direction + 'Batch'](source, options)
  say({ ...counts, failures: failures.map(({ path, error }) => [path, error.code]).sort() })
} catch (error) {
  say({ error: error.code })
}
`
const start = batchProcess(CHILD)
const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))

const hasLimits = spawnSync('prlimit', ['--version']).status === 0
const isRoot = process.getuid?.() === 0
/** @returns whether it was mounted. */
const mountSmall = (folder: string): boolean =>
  isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0

describe('a disk that is full', () => {
  test.skipIf(!hasLimits)('or a file that may not grow, is one file’s failure, and nothing of it is left', async () => {
    const source = makeTree({ a: 'a', medium: patternBytes(3 * MIB), large: Buffer.alloc(20 * MIB, 'x'), z: 'z' })
    const [encrypted, target] = [freshPath(), freshPath()]
    const limit = ['prlimit', `--fsize=${2 * MIB}`]
    const failures = ['large', 'medium'].map((name) => [join(source, name), 'EFBIG'])
    expect(await start(['encrypt', source, encrypted], limit).end()).toMatchObject([{ files: 2, failures }])
    expect(namesIn(encrypted)).toEqual(['a', 'z'])
    expect(readEncrypted(join(encrypted, 'z'), { keyManager }).toString()).toBe('z')
    rmSync(encrypted, { recursive: true })
    expect(await start(['encrypt', source, encrypted]).end()).toMatchObject([{ files: 4, failures: [] }])
    const back = ['large', 'medium'].map((name) => [join(encrypted, name), 'EFBIG'])
    expect(await start(['decrypt', encrypted, target], limit).end()).toMatchObject([{ files: 2, failures: back }])
    expect(namesIn(target)).toEqual(['a', 'z'])
  })

  test('does not keep smaller files from being done, and has room again when there is some', async (context) => {
    const mount = freshPath()
    mkdirSync(mount)
    if (!mountSmall(mount)) {
      context.skip('a file system can be mounted by root alone')
      return
    }
    try {
      const source = makeTree({ small: 's', medium: patternBytes(6 * MIB), large: Buffer.alloc(20 * MIB, 'x'), tiny: 't' })
      const target = join(mount, 'target')
      const manifest = `${freshPath()}.manifest`
      const failures = ['large', 'medium'].map((name) => [join(source, name), 'ENOSPC'])
      expect(await start(['encrypt', source, target, manifest]).end()).toMatchObject([{ files: 2, failures }])
      expect(namesIn(target)).toEqual(['small', 'tiny'])
      spawnSync('mount', ['-o', 'remount,size=64m', mount])
      expect(await start(['encrypt', source, target, manifest]).end()).toMatchObject([{ files: 2, unchanged: 2, failures: [] }])
      expect(readEncrypted(join(target, 'large'), { keyManager }).equals(readFileSync(join(source, 'large')))).toBe(true)
      // Where the manifest itself finds no room, the batch cannot go on.
      spawnSync('mount', ['-o', 'remount,size=26m', mount])
      writeFileSync(join(mount, 'filler'), '')
      spawnSync('dd', ['if=/dev/zero', `of=${join(mount, 'filler')}`, 'bs=4096'])
      const outcome = await start(['encrypt', source, freshPath(), join(mount, 'manifest')]).end()
      expect(outcome).toEqual([{ error: 'ENOSPC' }])
    } finally {
      spawnSync('umount', [mount])
    }
  })
})

describe('a source', () => {
  test.skipIf(isRoot)('that is a folder which may not be read, is told of, and the rest is done', async () => {
    const source = makeTree({ 'closed/a': 'a', b: 'b' })
    chmodSync(join(source, 'closed'), 0)
    const { files, failures } = await encryptBatch(source, { ...COMMON, target: freshPath() })
    chmodSync(join(source, 'closed'), 0o700)
    expect(files).toBe(1)
    expect(failures).toMatchObject([{ path: join(source, 'closed'), error: { code: 'EACCES' } }])
  })

  test('may be in a tree that is deeper than folders are open at a time', async () => {
    const deep = Array.from({ length: 100 }, (_, i) => i % 10).join('/')
    const source = makeTree({ [`${deep}/deep`]: 'deep', 'a/b': 'b' })
    const target = freshPath()
    expect(await encryptBatch(source, { ...COMMON, target })).toMatchObject({ files: 2, failures: [] })
    expect(readEncrypted(join(target, deep, 'deep')).toString()).toBe('deep')
  })

  test('that is encrypted and open for writing elsewhere, stays as it is', async () => {
    const source = makeTree({})
    const file = EncryptedFile.openSync(join(source, 'log'), 'w', OPTIONS)
    file.write('line\n')
    file.sync()
    const before = statSync(join(source, 'log')).size
    const [encrypted, target] = [freshPath(), freshPath()]
    expect(await encryptBatch(source, { ...COMMON, target: encrypted })).toMatchObject({ files: 1, failures: [] })
    expect(await decryptBatch(source, { ...COMMON, target })).toMatchObject({ files: 1, failures: [] })
    expect(namesIn(source)).toContain('log.sealfile-lock')
    expect(namesIn(target)).toEqual(['log'])
    expect(statSync(join(source, 'log')).size).toBe(before)
    file.close()
  })
})

test('what workers do with files is told on the channels of the main thread, once for each file', async () => {
  const source = makeTree({ a: 'a', 'b/c': 'c', large: Buffer.alloc(18 * MIB) })
  const [encrypted, target] = [freshPath(), freshPath()]
  const heard: [string, unknown][] = []
  const listeners = (['open', 'create'] as const).map((name) => {
    const listener = (message: unknown): void => void heard.push([name, (message as { readonly path: string }).path])
    subscribe(`sealfile:file-${name}`, listener)
    return () => unsubscribe(`sealfile:file-${name}`, listener)
  })
  const run = async (batch: () => Promise<BatchReport>): Promise<unknown[]> => {
    heard.length = 0
    expect(await batch()).toMatchObject({ files: 3, failures: [] })
    return heard.splice(0).sort()
  }
  const named = (name: string, folder: string): unknown[] => ['a', 'b/c', 'large'].map((path) => [name, join(folder, path)])
  expect(await run(() => encryptBatch(source, { ...COMMON, target: encrypted }))).toEqual(named('create', encrypted))
  expect(await run(() => decryptBatch(encrypted, { ...COMMON, target }))).toEqual(named('open', encrypted))
  for (const stop of listeners) stop()
  expect(await run(() => encryptBatch(source, { ...COMMON, target: freshPath() }))).toEqual([])
})

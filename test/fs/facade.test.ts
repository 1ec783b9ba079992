import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { KeyManager } from '../../src/index.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { FS_OPTIONS, makeFolder } from './twins.js'

/** What createEncryptedFs gives, as a whole. */

const inFolder = temporaryFolder()
const efs = createEncryptedFs(FS_OPTIONS)

const library = inFolder('sealfile.mjs')

beforeAll(async () => {
  const contents = "export * from './src/index.ts'; export * from './src/fs.ts'"
  const stdin = { contents, loader: 'ts', resolveDir: fileURLToPath(new URL('../../', import.meta.url)) } as const
  await build({ stdin, outfile: library, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' })
})

/** What is about the contents of files: the rest is that of node:fs. */
const OWN = [
  ...['appendFile', 'copyFile', 'cp', 'lstat', 'open', 'opendir', 'readFile', 'readdir', 'stat', 'truncate', 'writeFile'],
  ...['close', 'fchmod', 'fchown', 'fdatasync', 'fstat', 'fsync', 'ftruncate', 'futimes', 'read', 'readv', 'write', 'writev'],
]
const OWN_BESIDES = [
  'ReadStream',
  'WriteStream',
  'FileReadStream',
  'FileWriteStream',
  'createReadStream',
  'createWriteStream',
  'openAsBlob',
  'openAsBlobSync',
  'promises',
  'Utf8Stream',
]
const OWN_PROMISED = [
  'appendFile',
  'copyFile',
  'cp',
  'lstat',
  'open',
  'opendir',
  'readFile',
  'readdir',
  'stat',
  'truncate',
  'writeFile',
]

/** @returns what an object has under its own names, getters not asked. */
const membersOf = (object: object): Record<string, PropertyDescriptor> => Object.getOwnPropertyDescriptors(object)

describe('the facade', () => {
  test('has all that node:fs has, and nothing else', () => {
    expect(Object.keys(membersOf(efs)).sort()).toEqual(Object.keys(membersOf(fs)).sort())
    expect(Object.keys(membersOf(efs.promises)).sort()).toEqual(Object.keys(membersOf(fs.promises)).sort())
  })

  test('has its own of what is about contents, and the rest from node:fs', () => {
    const own = new Set([...OWN, ...OWN.map((name) => `${name}Sync`), ...OWN_BESIDES])
    for (const [name, descriptor] of Object.entries(membersOf(fs))) {
      const ours = membersOf(efs)[name]
      if (own.has(name)) expect(ours?.value, name).not.toBe(descriptor.value)
      else expect(ours, name).toEqual(descriptor)
    }
    for (const [name, { value }] of Object.entries(membersOf(fs.promises))) {
      const ours: unknown = membersOf(efs.promises)[name]!.value
      if (OWN_PROMISED.includes(name)) expect(ours, name).not.toBe(value)
      else expect(ours, name).toBe(value)
    }
  })

  test('may be spread, copied and taken to pieces', async () => {
    const folder = makeFolder(efs)
    for (const copy of [{ ...efs }, Object.assign({}, efs), Object.create(efs) as typeof efs]) {
      const { readFileSync, createReadStream, openSync, closeSync } = copy
      expect(readFileSync(join(folder, 'folder/inner'), 'utf8')).toBe('inner')
      expect(await createReadStream(join(folder, 'folder/inner'), 'utf8').toArray()).toEqual(['inner'])
      const promises = { ...copy.promises }
      expect(await promises.readFile(join(folder, 'folder/inner'), 'utf8')).toBe('inner')
      closeSync(openSync(join(folder, 'text'), 'r'))
    }
  })

  test('may be changed without a change to node:fs', () => {
    const changed = createEncryptedFs(FS_OPTIONS)
    const before = [{ ...membersOf(fs) }, { ...membersOf(fs.promises) }]
    Object.assign(changed, { readFileSync: undefined, mkdirSync: undefined })
    Object.assign(changed.promises, { mkdir: undefined })
    expect([membersOf(fs), membersOf(fs.promises)]).toEqual(before)
    expect(changed.mkdirSync).toBeUndefined()
  })

  test('is made for util.promisify', async () => {
    const folder = makeFolder(efs)
    const path = join(folder, 'folder/inner')
    expect(await promisify(efs.readFile)(path, 'utf8')).toBe('inner')
    expect((await promisify(efs.stat)(path)).size).toBe(5)
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- it has a form of its own for promisify
    expect(await promisify(efs.exists)(path)).toBe(true)
    expect(await promisify(efs.readdir)(join(folder, 'folder'))).toEqual(['hollow', 'inner'])
    const fd = await promisify(efs.open)(path, 'r+')
    await promisify(efs.ftruncate)(fd, 2)
    expect((await promisify(efs.fstat)(fd)).size).toBe(2)
    await promisify(efs.close)(fd)
    await promisify(efs.appendFile)(path, 'x')
    await promisify(efs.copyFile)(path, `${path}-2`)
    expect(efs.readFileSync(`${path}-2`, 'utf8')).toBe('inx')
  })

  test('throws what a callback throws where nobody catches it', () => {
    const program = `
      const io = createEncryptedFs({ keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'test' })
      process.on('uncaughtException', (error) => { console.log(error.message); process.exitCode = 7 })
      process.on('unhandledRejection', () => console.log('a rejection'))
      const fd = io.openSync(process.argv[1], 'w')
      io.write(fd, 'x', () => { throw new Error('from write') })
      io.readFile('missing', () => { throw new Error('from readFile') })
      io.stat('.', () => { throw new Error('from stat') })
      io.fsync(fd, () => io.close(fd))
    `
    const { stdout, status, stderr } = run(program, inFolder('callbacks'))
    expect(stderr).toBe('')
    expect(stdout.split('\n').sort()).toEqual(['', 'from readFile', 'from stat', 'from write'])
    expect(status).toBe(7)
  })

  test('tells of an error in close where there is no callback', () => {
    const program = `
      import fs from 'node:fs'
      const io = createEncryptedFs({ keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'test' })
      process.on('uncaughtException', (error) => { console.log(error.code); process.exitCode = 7 })
      const fd = io.openSync(process.argv[1], 'w')
      io.writeSync(fd, 'x')
      fs.closeSync(fd)
      io.close(fd)
    `
    expect(run(program, inFolder('close')).stdout).toBe('EBADF\n')
  })

  test('closes a handle that nobody refers to any more', () => {
    const program = `
      import fs from 'node:fs'
      const io = createEncryptedFs({ keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'test' })
      const path = process.argv[1]
      await (async () => { await (await io.promises.open(path, 'w')).write('text') })()
      process.on('warning', () => undefined)
      const isLocked = () => fs.lstatSync(path + '.sealfile-lock', { throwIfNoEntry: false }) !== undefined
      for (let i = 0; i < 200 && isLocked(); i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)) }
      console.log(isLocked(), io.readFileSync(path, 'utf8'))
    `
    expect(run(program, inFolder('forgotten')).stdout).toBe('false text\n')
  })

  test('leaves what a stream was given, where the process ends meanwhile', () => {
    const program = `
      import { pbkdf2 } from 'node:crypto'
      const io = createEncryptedFs({ keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'test' })
      const stream = io.createWriteStream(process.argv[1])
      await new Promise((resolve) => stream.on('open', resolve))
      for (let i = 0; i < 4; i++) pbkdf2('x', 'y', 200_000, 32, 'sha256', () => undefined)
      stream.write(Buffer.alloc(5 * 2 ** 20, 'some text '))
      await new Promise(setImmediate)
      process.exit(0)
    `
    const path = inFolder('stream')
    run(program, path)
    const io = createEncryptedFs({ ...FS_OPTIONS, keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)) })
    expect(io.readFileSync(path).equals(Buffer.alloc(5 * 2 ** 20, 'some text '))).toBe(true)
  })

  test('warns of nothing when it is made', () => {
    const program = `
      const io = createEncryptedFs({ keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'test' })
      io.writeFileSync(process.argv[1], 'text')
      console.log(io.readFileSync(process.argv[1], 'utf8'), typeof io.promises.open, typeof io.ReadStream)
    `
    const { stdout, stderr } = run(program, inFolder('warnings'))
    expect(stderr).toBe('')
    expect(stdout).toBe('text function function\n')
  })
})

describe('openAsBlob', () => {
  test('gives the plaintext', async () => {
    const path = join(makeFolder(efs), 'folder/inner')
    const blob = await efs.openAsBlob(path, { type: 'text/plain' })
    expect([await blob.text(), blob.size, blob.type]).toEqual(['inner', 5, 'text/plain'])
    await expect(efs.openAsBlob(`${path}-missing`)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

/** Runs a program with the library in a process of its own. */
function run(program: string, ...args: string[]): SpawnSyncReturns<string> {
  const code = `import { createEncryptedFs, KeyManager } from ${JSON.stringify(library)}\n${program}`
  return spawnSync(process.execPath, ['--pending-deprecation', '--expose-gc', '--input-type=module', '-e', code, ...args], {
    encoding: 'utf8',
  })
}

import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import git from 'isomorphic-git'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { OTHER_KEY, patternBytes, sealfileError } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { classesOf, FS_OPTIONS, treeOf, type Fs } from './twins.js'

/** Well-known packages that take an fs, as they come. */

const require = createRequire(import.meta.url)
const inFolder = temporaryFolder()
let count = 0

/** @returns a new folder. */
function freshFolder(): string {
  const folder = inFolder(`package-${count++}`)
  fs.mkdirSync(folder)
  return folder
}

/** @returns the files below a folder, as they lie on the disk. */
function filesIn(folder: string): string[] {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** All files below a folder are encrypted, and nothing is left that was only needed for writing. */
async function expectEncrypted(folder: string, secrets: readonly string[]): Promise<void> {
  const files = filesIn(folder)
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) {
    expect((await EncryptedFile.inspect(file)).kind).toBe('editable')
    const bytes = fs.readFileSync(file)
    for (const secret of secrets) expect(bytes.includes(secret)).toBe(false)
  }
  expect(fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('sealfile'))).toEqual([])
}

describe('isomorphic-git', () => {
  const author = { name: 'A. Author', email: 'author@example.org', timestamp: 1_700_000_000, timezoneOffset: 0 }

  /** Writes a small history. @returns what git says of it. */
  async function makeHistory(io: Fs, dir: string): Promise<unknown> {
    const repository = { fs: io, dir }
    await git.init({ ...repository, defaultBranch: 'main' })
    await io.promises.mkdir(join(dir, 'src'))
    await io.promises.writeFile(join(dir, 'README.md'), 'A secret project\n')
    await io.promises.writeFile(join(dir, 'src/large.bin'), patternBytes(100_000))
    await git.add({ ...repository, filepath: ['README.md', 'src/large.bin'] })
    const first = await git.commit({ ...repository, message: 'Begin the secret', author })
    await git.branch({ ...repository, ref: 'other', checkout: true })
    await io.promises.appendFile(join(dir, 'README.md'), 'with a second line\n')
    await io.promises.writeFile(join(dir, 'untracked'), 'not in git')
    const before = await git.statusMatrix(repository)
    await git.add({ ...repository, filepath: 'README.md' })
    const second = await git.commit({ ...repository, message: 'Go on', author })
    await git.remove({ ...repository, filepath: 'src/large.bin' })
    await io.promises.unlink(join(dir, 'src/large.bin'))
    const third = await git.commit({ ...repository, message: 'Remove', author })
    const after = await git.statusMatrix(repository)
    await git.checkout({ ...repository, ref: 'main' })
    const log = await git.log(repository)
    await git.checkout({ ...repository, ref: 'other' })
    await git.merge({ ...repository, ours: 'main', theirs: 'other', author })
    await git.packObjects({ ...repository, oids: [first, second], write: true })
    return {
      first,
      second,
      third,
      before,
      after,
      log,
      branches: await git.listBranches(repository),
      main: await git.log({ ...repository, ref: 'main' }),
    }
  }

  test('keeps a history in an encrypted folder, as in a plain one', async () => {
    const [plain, encrypted] = [freshFolder(), freshFolder()]
    const efs = createEncryptedFs(FS_OPTIONS)
    expect(await makeHistory(efs, encrypted)).toEqual(await makeHistory(fs, plain))
    await expectEncrypted(encrypted, ['secret', 'second line', 'commit', 'author'])

    // A copy is read by another fs with the same key, and by none with another.
    const copy = freshFolder()
    fs.cpSync(encrypted, copy, { recursive: true })
    const reader = createEncryptedFs({ ...FS_OPTIONS, segmentSize: 65_536 })
    expect(await git.log({ fs: reader, dir: copy, ref: 'other' })).toEqual(await git.log({ fs, dir: plain, ref: 'other' }))
    await git.checkout({ fs: reader, dir: copy, ref: 'main', force: true })
    expect(await reader.promises.readFile(join(copy, 'README.md'), 'utf8')).toBe('A secret project\nwith a second line\n')
    const stranger = createEncryptedFs({ ...FS_OPTIONS, keyManager: KeyManager.fromKey(OTHER_KEY) })
    await expect(git.log({ fs: stranger, dir: copy })).rejects.toThrow()
    await expect(stranger.promises.readFile(join(copy, 'README.md'))).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
  })

  test('works with callbacks as well', async () => {
    const dir = freshFolder()
    const efs = createEncryptedFs(FS_OPTIONS)
    const withoutPromises: Partial<Fs> = { ...efs }
    delete withoutPromises.promises
    await git.init({ fs: withoutPromises as Fs, dir })
    efs.writeFileSync(join(dir, 'file'), 'text')
    await git.add({ fs: withoutPromises as Fs, dir, filepath: 'file' })
    const oid = await git.commit({ fs: withoutPromises as Fs, dir, message: 'One', author })
    expect((await git.readCommit({ fs: efs, dir, oid })).commit.message).toBe('One\n')
    await expectEncrypted(dir, ['text', 'One'])
  })
})

interface TarFs {
  pack(folder: string, options: object): Readable
  extract(folder: string, options: object): Writable
}

describe('tar-fs', () => {
  const tar = require('tar-fs') as TarFs
  const efs = createEncryptedFs(FS_OPTIONS)

  function makeTree(io: Fs): string {
    const folder = freshFolder()
    io.mkdirSync(join(folder, 'deep/deeper'), { recursive: true })
    io.writeFileSync(join(folder, 'text'), 'some secret text')
    io.writeFileSync(join(folder, 'deep/empty'), '')
    io.writeFileSync(join(folder, 'deep/deeper/large'), patternBytes(300_000), { mode: 0o600 })
    io.symlinkSync('../text', join(folder, 'deep/link'))
    for (const name of ['text', 'deep/empty', 'deep/deeper/large']) io.utimesSync(join(folder, name), 1_000, 1_700_000_000)
    return folder
  }

  async function bytesFrom(stream: Readable): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  const timesOf = (folder: string): unknown => filesIn(folder).map((file) => [file.slice(folder.length), fs.statSync(file).mtimeMs])

  test('packs an encrypted tree as it packs a plain one', async () => {
    const [plain, encrypted] = [makeTree(fs), makeTree(efs)]
    const options = { map: (header: { mtime: Date }) => ({ ...header, mtime: new Date(0) }) }
    const packed = await bytesFrom(tar.pack(encrypted, { ...options, fs: efs }))
    expect(packed.equals(await bytesFrom(tar.pack(plain, options)))).toBe(true)
  })

  test('extracts into an encrypted tree, with times and permissions', async () => {
    const plain = makeTree(fs)
    const encrypted = freshFolder()
    await pipeline(tar.pack(plain, {}), tar.extract(encrypted, { fs: efs }))
    expect(treeOf(efs, encrypted)).toEqual(treeOf(fs, plain))
    expect(timesOf(encrypted)).toEqual(timesOf(plain))
    await expectEncrypted(encrypted, ['secret'])

    const again = freshFolder()
    await pipeline(tar.pack(encrypted, { fs: efs }), tar.extract(again, {}))
    expect(treeOf(fs, again)).toEqual(treeOf(fs, plain))
    expect(timesOf(again)).toEqual(timesOf(plain))
  })
})

describe('graceful-fs', () => {
  const { gracefulify } = require('graceful-fs') as { readonly gracefulify: (io: Fs) => Fs }

  test('makes an encrypted fs more patient, in place', async () => {
    const folder = freshFolder()
    const io = gracefulify(createEncryptedFs(FS_OPTIONS))
    const path = join(folder, 'file')
    await new Promise<void>((resolve, reject) => io.writeFile(path, 'one', (error) => (error === null ? resolve() : reject(error))))
    await new Promise<void>((resolve, reject) =>
      io.appendFile(path, ' two', (error) => (error === null ? resolve() : reject(error))),
    )
    const writer = io.createWriteStream(path, { flags: 'a' })
    writer.write(' three')
    writer.end(' four')
    await once(writer, 'close')
    expect(Buffer.concat((await io.createReadStream(path).toArray()) as Buffer[]).toString()).toBe('one two three four')
    expect(await new (classesOf(io).ReadStream)(path, { encoding: 'utf8' }).toArray()).toEqual(['one two three four'])
    await new Promise<void>((resolve, reject) =>
      io.copyFile(path, `${path}-2`, (error) => (error === null ? resolve() : reject(error))),
    )
    await new Promise<void>((resolve, reject) =>
      io.rename(`${path}-2`, `${path}-3`, (error) => (error === null ? resolve() : reject(error))),
    )
    expect(await new Promise((resolve) => io.readdir(folder, (_, names) => resolve(names)))).toEqual(['file', 'file-3'])
    expect(io.readFileSync(`${path}-3`, 'utf8')).toBe('one two three four')
    const buffer = Buffer.alloc(3)
    const fd = io.openSync(path, 'r')
    expect(io.readSync(fd, buffer, 0, 3, 4)).toBe(3)
    expect(buffer.toString()).toBe('two')
    io.closeSync(fd)
    await expectEncrypted(folder, ['one', 'three'])
  })

  test('lets many files be written at once', async () => {
    const folder = freshFolder()
    const io = gracefulify(createEncryptedFs({ ...FS_OPTIONS, atomic: false }))
    const names = Array.from({ length: 100 }, (_, i) => `file-${i}`)
    await Promise.all(
      names.map(
        (name) =>
          new Promise<void>((resolve, reject) =>
            io.writeFile(join(folder, name), name, (error) => (error === null ? resolve() : reject(error))),
          ),
      ),
    )
    for (const name of names) expect(io.readFileSync(join(folder, name), 'utf8')).toBe(name)
  })
})

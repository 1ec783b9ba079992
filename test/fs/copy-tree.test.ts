import nodeFs, { type CopyOptions } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS } from '../support/encrypted-files.js'
import { FS_OPTIONS, inAllStyles, makeFolder, sameOnBoth, treeOf, type Twin } from './twins.js'

/** fs.cp: node:fs is the oracle. */

/** Makes another folder, part of which is in the way. */
function makeTarget({ fs, at }: Twin): void {
  fs.mkdirSync(at('target/folder'), { recursive: true })
  fs.writeFileSync(at('target/folder/inner'), 'old')
  fs.writeFileSync(at('target/other'), 'other')
}

type Arguments = (twin: Twin) => readonly unknown[]

describe.each<[string, Arguments]>([
  ['a folder', ({ at }) => [at('folder'), at('new'), { recursive: true }]],
  ['a folder into a folder that is not there', ({ at }) => [at('folder'), at('new/deep'), { recursive: true }]],
  ['a folder over another', (twin) => (makeTarget(twin), [twin.at('folder'), twin.at('target/folder'), { recursive: true }])],
  ['a folder without leave', ({ at }) => [at('folder'), at('new')]],
  ['a file', ({ at }) => [at('binary'), at('new')]],
  ['a file, with undefined for options', ({ at }) => [at('binary'), at('new'), undefined]],
  ['a file into a folder that is not there', ({ at }) => [at('binary'), at('new/deep/file')]],
  ['a file over another', ({ at }) => [at('binary'), at('text')]],
  ['a file over another, without force', ({ at }) => [at('binary'), at('text'), { force: false }]],
  ['a file over another, which is an error', ({ at }) => [at('binary'), at('text'), { force: false, errorOnExist: true }]],
  ['a file over another, with force all the same', ({ at }) => [at('binary'), at('text'), { errorOnExist: true }]],
  [
    'a folder over another, without force',
    (twin) => (makeTarget(twin), [twin.at('folder'), twin.at('target/folder'), { recursive: true, force: false }]),
  ],
  [
    'a folder over another, which is an error',
    (twin) => (
      makeTarget(twin),
      twin.fs.mkdirSync(twin.at('target/folder/hollow')),
      [twin.at('folder'), twin.at('target/folder'), { recursive: true, force: false, errorOnExist: true }]
    ),
  ],
  ['a file over a folder', ({ at }) => [at('text'), at('folder')]],
  ['a folder over a file', ({ at }) => [at('folder'), at('text'), { recursive: true }]],
  ['a file over itself', ({ at }) => [at('text'), at('text')]],
  ['a folder into itself', ({ at }) => [at('folder'), at('folder/hollow/new'), { recursive: true }]],
  ['a file over a link', ({ at }) => [at('binary'), at('link')]],
  ['a link', ({ at }) => [at('link'), at('new')]],
  ['a link that leads nowhere', ({ at }) => [at('dangling'), at('new')]],
  [
    'some, by a filter',
    ({ at }) => [at('folder'), at('new'), { recursive: true, filter: (source: string) => !source.endsWith('inner') }],
  ],
  ['nothing, by a filter', ({ at }) => [at('folder'), at('new'), { recursive: true, filter: () => false }]],
  [
    'by a filter that fails',
    ({ at }) => [
      at('folder'),
      at('new'),
      {
        recursive: true,
        filter: () => {
          throw new Error('no')
        },
      },
    ],
  ],
  [
    'with options that hold nothing',
    ({ at }) => [at('folder'), at('new'), { recursive: true, filter: undefined, mode: undefined }],
  ],
  ['with a mode', ({ at }) => [at('binary'), at('text'), { mode: nodeFs.constants.COPYFILE_EXCL, force: true }]],
  ['no file', ({ at }) => [at('missing'), at('new')]],
  ['a URL', ({ at }) => [pathToFileURL(at('text')), pathToFileURL(at('new'))]],
  ['with a filter that is none', ({ at }) => [at('text'), at('new'), { filter: 7 }]],
  ['with options that are none', ({ at }) => [at('text'), at('new'), 7]],
  ['no path', () => []],
])('cp %s', (_, args) => inAllStyles('cp', args))

describe('cp', () => {
  sameOnBoth('asks the filter for each, once', async ({ fs, at }) => {
    const asked: string[][] = []
    const filter = (...paths: [string, string]): boolean => asked.push(paths) > 0
    await fs.promises.cp(at('folder'), at('new'), { recursive: true, filter })
    fs.cpSync(at('folder'), at('new sync'), { recursive: true, filter })
    return asked.sort()
  })

  sameOnBoth('takes a filter that waits, where it waits itself', async ({ fs, at, attempt }) => {
    const filter = (source: string): Promise<boolean> => Promise.resolve(!source.endsWith('inner'))
    await fs.promises.cp(at('folder'), at('new'), { recursive: true, filter })
    return attempt(() => fs.cpSync(at('folder'), at('new sync'), { recursive: true, filter } as never))
  })

  // Node 22 refuses this without waiting.
  sameOnBoth('copies what a link leads to', ({ fs, at }) => fs.promises.cp(at('link'), at('new'), { dereference: true }))

  sameOnBoth('keeps times and permissions', async ({ fs, at }) => {
    fs.chmodSync(at('folder/inner'), 0o440)
    fs.utimesSync(at('folder/inner'), 1_000, 2_000)
    await fs.promises.cp(at('folder'), at('new'), { recursive: true, preserveTimestamps: true })
    fs.cpSync(at('folder'), at('new sync'), { recursive: true, preserveTimestamps: true })
    return ['new', 'new sync'].map((name) => fs.statSync(at(`${name}/inner`)).mtimeMs)
  })

  test.each<[string, CopyOptions]>([
    ['all', {}],
    ['what links lead to', { dereference: true, filter: (source) => !source.endsWith('dangling') }],
    ['links as they are', { verbatimSymlinks: true }],
  ])('copies a tree: %s', async (_, options) => {
    const efs = createEncryptedFs(FS_OPTIONS)
    const [plain, encrypted] = [makeFolder(nodeFs), makeFolder(efs)]
    await nodeFs.promises.cp(plain, `${plain}-copy`, { recursive: true, ...options })
    await efs.promises.cp(encrypted, `${encrypted}-copy`, { recursive: true, ...options })
    const readable = (tree: object): string => JSON.stringify(tree).replaceAll(plain, '').replaceAll(encrypted, '')
    expect(readable(treeOf(efs, `${encrypted}-copy`))).toBe(readable(treeOf(nodeFs, `${plain}-copy`)))
  })

  test('gives each copy a key of its own, and the purpose of its place', async () => {
    const efs = createEncryptedFs({ ...FS_OPTIONS, purpose: (path) => (path.includes('/new') ? 'copies' : 'test') })
    const folder = makeFolder(efs)
    await efs.promises.cp(join(folder, 'folder'), join(folder, 'new'), { recursive: true })
    efs.copyFileSync(join(folder, 'binary'), join(folder, 'new/binary'))
    expect(await EncryptedFile.readFile(join(folder, 'new/inner'), { ...OPTIONS, purpose: 'copies', encoding: 'utf8' })).toBe(
      'inner',
    )
    expect(efs.readFileSync(join(folder, 'new/binary'))).toEqual(efs.readFileSync(join(folder, 'binary')))
    expect(nodeFs.readFileSync(join(folder, 'new/binary')).subarray(0, 200)).not.toEqual(
      nodeFs.readFileSync(join(folder, 'binary')).subarray(0, 200),
    )
  })

  test('leaves locks, and files that are not in their place yet, where they are', async () => {
    const efs = createEncryptedFs(FS_OPTIONS)
    const folder = makeFolder(efs)
    const writer = efs.openSync(join(folder, 'folder/log'), 'w')
    efs.writeSync(writer, 'a line')
    efs.fsyncSync(writer)
    nodeFs.writeFileSync(join(folder, 'folder/.inner.0123456789abcdef.sealfile-tmp'), 'half')
    await efs.promises.cp(join(folder, 'folder'), join(folder, 'new'), { recursive: true })
    efs.cpSync(join(folder, 'folder'), join(folder, 'new sync'), { recursive: true })
    efs.closeSync(writer)
    for (const name of ['new', 'new sync']) {
      expect(nodeFs.readdirSync(join(folder, name)).sort()).toEqual(['hollow', 'inner', 'log'])
      expect(efs.readFileSync(join(folder, name, 'log'), 'utf8')).toBe('a line')
    }
  })

  test('fails where a file is not encrypted, unless those may be read', async () => {
    const folder = makeFolder(nodeFs)
    const refusing = createEncryptedFs(FS_OPTIONS)
    const code = 'ERR_SEALFILE_FORMAT'
    await expect(refusing.promises.cp(join(folder, 'folder'), join(folder, 'new'), { recursive: true })).rejects.toMatchObject({
      code,
    })
    expect(() => refusing.cpSync(join(folder, 'text'), join(folder, 'third'))).toThrow(expect.objectContaining({ code }))
    const reading = createEncryptedFs({ ...FS_OPTIONS, plaintext: 'read' })
    await reading.promises.cp(folder, `${folder}-encrypted`, { recursive: true })
    expect(refusing.readFileSync(`${folder}-encrypted/binary`)).toEqual(nodeFs.readFileSync(join(folder, 'binary')))
    expect(refusing.readFileSync(`${folder}-encrypted/folder/inner`, 'utf8')).toBe('inner')
  })
})

describe('copyFile', () => {
  const efs = createEncryptedFs(FS_OPTIONS)

  test('to a file in the way of nothing leaves nothing where it fails', async () => {
    const folder = makeFolder(efs)
    const source = join(folder, 'binary')
    const bytes = nodeFs.readFileSync(source)
    bytes[6_000]! ^= 1
    nodeFs.writeFileSync(source, bytes)
    for (const io of [efs, createEncryptedFs({ ...FS_OPTIONS, atomic: false })]) {
      for (const mode of [0, nodeFs.constants.COPYFILE_EXCL]) {
        await expect(io.promises.copyFile(source, join(folder, 'new'), mode)).rejects.toMatchObject({
          code: 'ERR_SEALFILE_CORRUPTED',
        })
        expect(() => io.copyFileSync(source, join(folder, 'new'), mode)).toThrow(
          expect.objectContaining({ code: 'ERR_SEALFILE_CORRUPTED' }),
        )
      }
    }
    await expect(efs.promises.copyFile(source, join(folder, 'text'))).rejects.toThrow()
    expect(efs.readFileSync(join(folder, 'text'), 'utf8')).toBe('grüße\n')
    expect(nodeFs.readdirSync(folder).sort()).toEqual(['binary', 'dangling', 'empty', 'folder', 'link', 'text'])
  })

  test('writes in place where it is told to', async () => {
    const io = createEncryptedFs({ ...FS_OPTIONS, atomic: false })
    const folder = makeFolder(io)
    const { ino } = nodeFs.statSync(join(folder, 'text'))
    await io.promises.copyFile(join(folder, 'binary'), join(folder, 'text'))
    io.copyFileSync(join(folder, 'binary'), join(folder, 'text'))
    io.copyFileSync(join(folder, 'text'), join(folder, 'text'))
    expect(nodeFs.statSync(join(folder, 'text')).ino).toBe(ino)
    expect(io.readFileSync(join(folder, 'text'))).toEqual(io.readFileSync(join(folder, 'binary')))
  })

  test('does not pretend to clone', () => {
    const folder = makeFolder(efs)
    expect(() => efs.copyFileSync(join(folder, 'text'), join(folder, 'new'), nodeFs.constants.COPYFILE_FICLONE_FORCE)).toThrow(
      expect.objectContaining({ code: 'ENOTSUP', syscall: 'copyfile', path: join(folder, 'text'), dest: join(folder, 'new') }),
    )
  })
})

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listFiles, type FoundFile } from '../../../src/file/tree/list-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const inFolder = temporaryFolder()

async function list(...roots: (string | Buffer)[]): Promise<FoundFile[]> {
  const found: FoundFile[] = []
  for await (const file of listFiles(roots)) found.push(file)
  return found.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

test('lists files and what is in folders, however deep, but no links, locks and temporary files', async () => {
  const folder = inFolder('tree')
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  mkdirSync(join(folder, 'hollow'))
  for (const name of ['one', 'a/two', 'a/b/three', 'one.sealfile-lock', '.one.0123456789abcdef.sealfile-tmp'])
    writeFileSync(join(folder, name), '')
  symlinkSync(join(folder, 'one'), join(folder, 'link'))
  symlinkSync(folder, join(folder, 'a/loop'))
  const odd = Buffer.concat([Buffer.from(join(folder, 'a/')), Buffer.from([0xff, 0x2e])])
  writeFileSync(odd, '')
  const paths = (await list(folder)).map(({ path }) => path)
  expect(paths).toEqual(['a/b/three', 'a/two'].map((name) => join(folder, name)).concat([odd as never, join(folder, 'one')]))
  expect(await list(join(folder, 'link'))).toEqual([{ path: join(folder, 'link') }])
})

test('gives folders and what else is in them where that is asked for, folders first', async () => {
  const folder = inFolder('everything')
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  writeFileSync(join(folder, 'a/one'), '')
  symlinkSync('a', join(folder, 'link'))
  const found: FoundFile[] = []
  for await (const file of listFiles([folder], { everything: true })) found.push(file)
  expect(found).toEqual([
    { path: folder, kind: 'folder' },
    { path: join(folder, 'link'), kind: 'link' },
    { path: join(folder, 'a'), kind: 'folder' },
    { path: join(folder, 'a/one') },
    { path: join(folder, 'a/b'), kind: 'folder' },
  ])
})

test('tells of what is missing, and goes on', async () => {
  const [missing, there] = [inFolder('missing'), inFolder('there')]
  writeFileSync(there, '')
  const [first, second] = await list(missing, there)
  expect(first).toMatchObject({ path: missing, error: { code: 'ENOENT' } })
  expect(second).toEqual({ path: there })
})

test('gives names as they are read where nobody changes folders, and enters those alone that are wanted', async () => {
  const folder = inFolder('still')
  mkdirSync(join(folder, 'a/deep'), { recursive: true })
  mkdirSync(join(folder, 'b'))
  const count = 20_000
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `a/${i}`), '')
  for (const path of ['a/deep/x', 'b/y']) writeFileSync(join(folder, path), '')
  let found = 0
  for await (const { path } of listFiles([folder], { isStill: true, enters: (inner) => !inner.toString().endsWith('/b') })) {
    expect(path.toString().endsWith('/y')).toBe(false)
    // What is gone before it was read is not given.
    if (found++ === 0) rmSync(join(folder, 'a'), { recursive: true })
  }
  expect(found).toBeGreaterThan(0)
  expect(found).toBeLessThan(count / 2)
})

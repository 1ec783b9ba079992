import { spawn } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { listPackage, packBatch, unpackBatch, type ListedFile } from '../../../src/batch.js'
import { sealfileError } from '../../support/encrypted-files.js'
import { craftPackage, putTogether, takeApart } from '../../support/crafted-package.js'
import { COMMON, describeTree, workshop } from './support.js'

const { freshPath, makeTree } = workshop()
const text = 'all work and no play makes jack a dull boy\n'
const random = (length: number): Buffer => randomFillSync(Buffer.alloc(length))
/** From Node 22.15 on. */
const hasZstd = 'createZstdCompress' in zlib

async function listFiles(path: string): Promise<Record<string, ListedFile>> {
  const files: Record<string, ListedFile> = {}
  for await (const member of listPackage(path, COMMON)) if (member.kind === 'file') files[member.path.toString()] = member
  return files
}

describe.each(['gzip', 'zstd', 'auto'] as const)('compression by %s', (compression) => {
  test.runIf(compression !== 'zstd' || hasZstd)('is done where it helps, and undone', async () => {
    const source = makeTree({
      text: text.repeat(3_000),
      'long text': text.repeat(60_000),
      random: random(100_000),
      mixed: Buffer.concat([random(2_000_000), Buffer.from(text.repeat(50_000))]),
      small: text,
      empty: '',
    })
    const path = freshPath('package')
    expect(await packBatch(source, { ...COMMON, target: path, compression })).toMatchObject({ files: 6, failures: [] })
    expect(statSync(path).size).toBeLessThan(2_600_000)
    const files = await listFiles(path)
    const chosen = compression === 'auto' ? (hasZstd ? 'zstd' : 'gzip') : compression
    for (const name of ['text', 'long text']) expect(files[name]!.compression).toBe(chosen)
    for (const name of ['random', 'small', 'empty']) expect(files[name]!.compression).toBeUndefined()
    const target = freshPath('target')
    expect(await unpackBatch(path, { ...COMMON, target })).toMatchObject({ files: 6, failures: [] })
    expect(describeTree(target)).toEqual(describeTree(source))
  })
})

test('without compression nothing is compressed', async () => {
  const path = freshPath('package')
  await packBatch(makeTree({ text: text.repeat(3_000) }), { ...COMMON, target: path })
  expect((await listFiles(path)).text!.compression).toBeUndefined()
  expect(statSync(path).size).toBeGreaterThan(text.length * 3_000)
})

test.runIf(!hasZstd)('zstd is refused where the runtime has none, before anything is written', async () => {
  const path = freshPath('package')
  const error = sealfileError('ERR_SEALFILE_COMPRESSION', { name: 'PackageError' })
  await expect(packBatch(makeTree({ a: 'a' }), { ...COMMON, target: path, compression: 'zstd' })).rejects.toEqual(error)
  expect(existsSync(path)).toBe(false)
  await craftPackage(path, COMMON, [{}, { fields: { compression: 'zstd' } }])
  const target = freshPath('target')
  await expect(unpackBatch(path, { ...COMMON, target })).rejects.toEqual(error)
  expect(existsSync(target)).toBe(false)
  const filter = (path: string): boolean => path === 'file-0'
  expect(await unpackBatch(path, { ...COMMON, target, filter })).toMatchObject({ files: 1, failures: [] })
})

interface Compressor {
  readonly compression: string
  readonly compress: (content: Uint8Array) => Buffer
}

/** What the types of Node 20 do not have. */
const { zstdCompressSync, constants } = zlib as unknown as {
  readonly zstdCompressSync: (content: Uint8Array, options?: { readonly params: Readonly<Record<number, number>> }) => Buffer
  readonly constants: Readonly<Record<string, number>>
}
const COMPRESSORS: readonly Compressor[] = [
  { compression: 'gzip', compress: zlib.gzipSync },
  ...(hasZstd ? [{ compression: 'zstd', compress: (content: Uint8Array) => zstdCompressSync(content) }] : []),
]

/** Unpacks a package of two files, of which the first is as it is told here. */
async function refuseFirst(content: Uint8Array, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const path = freshPath('package')
  await craftPackage(path, COMMON, [{ content, fields }, {}])
  const target = freshPath('target')
  const before = process.memoryUsage().rss
  const { failures, files } = await unpackBatch(path, { ...COMMON, target })
  expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
  expect(failures).toEqual([{ path: 'file-0', error: sealfileError('ERR_SEALFILE_PACKAGE') }])
  expect(files).toBe(1)
  expect(existsSync(join(target, 'file-0'))).toBe(false)
  expect(readFileSync(join(target, 'file-1'), 'utf8')).toBe('content')
}

describe.each(COMPRESSORS)('what is compressed by $compression', ({ compression, compress }) => {
  const plain = Buffer.from(text)
  test.each([
    ['a bomb', compress(Buffer.alloc(50_000_000)), 1_000],
    ['more than is told', compress(plain), plain.length - 1],
    ['less than is told', compress(plain), plain.length + 1],
    ['cut', compress(random(1_000)).subarray(0, 500), 1_000],
    ['not compressed', plain, plain.length],
    ['other content than is told', compress(plain), plain.length],
  ])('and is %s is a failure of its file', (_name, content, size) => refuseFirst(content, { compression, size }))
})

test('what is damaged is told of as such, also where it is compressed', async () => {
  const path = freshPath('package')
  await packBatch(makeTree({ text: text.repeat(3_000) }), { ...COMMON, target: path, compression: 'gzip' })
  const parts = takeApart(path)
  const { content } = parts[0]!
  content[content.length - 1]! ^= 1
  putTogether(path, parts)
  const target = freshPath('target')
  const { failures } = await unpackBatch(path, { ...COMMON, target })
  expect(failures).toEqual([{ path: 'text', error: sealfileError('ERR_SEALFILE_CORRUPTED', { path }) }])
  expect(readdirSync(target)).toEqual([])
})

test.runIf(hasZstd)('zstd that asks for more than 8 MiB of memory is a failure of its file', async () => {
  const content = Buffer.concat([random(20_000_000), Buffer.from(text)])
  const sha256 = createHash('sha256').update(content).digest('hex')
  const params = { [constants['ZSTD_c_windowLog']!]: 27, [constants['ZSTD_c_contentSizeFlag']!]: 0 }
  await refuseFirst(zstdCompressSync(content, { params }), { compression: 'zstd', size: content.length, sha256 })
})

test('a source that changes while it is compressed is left out', async () => {
  const source = makeTree({ growing: text.repeat(400_000), other: 'x' })
  const appending = `for (;;) require('node:fs').appendFileSync(process.argv[1], 'more')`
  const child = spawn(process.execPath, ['-e', appending, join(source, 'growing')])
  while (statSync(join(source, 'growing')).size === text.length * 400_000) await new Promise((resolve) => setTimeout(resolve, 10))
  const path = freshPath('package')
  const { failures, files } = await packBatch(source, { ...COMMON, target: path, compression: 'gzip' })
  child.kill()
  expect(failures).toMatchObject([{ path: join(source, 'growing'), error: { code: 'ERR_SEALFILE_BATCH_SOURCE' } }])
  expect(files).toBe(1)
  expect(Object.keys(await listFiles(path))).toEqual(['other'])
})

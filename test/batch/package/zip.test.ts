import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import * as yauzl from 'yauzl'
import { ZipFile } from 'yazl'
import { packBatch, unpackBatch } from '../../../src/batch.js'
import { ZipWriter } from '../../../src/batch/package/zip-writer.js'
import { patternBytes, sealfileError } from '../../support/encrypted-files.js'
import { takeApart } from '../../support/crafted-package.js'
import { COMMON, workshop } from './support.js'

const { freshPath, makeTree } = workshop()
const nameOf = (index: number): string => `files/${index}.seal`

/** Writes a ZIP of entries in pieces; `undefined` after the pieces drops the entry. */
async function write(path: string, entries: readonly (readonly (Uint8Array | undefined)[])[]): Promise<void> {
  const fd = openSync(path, 'w+')
  const zip = new ZipWriter(fd, nameOf)
  for (const [index, pieces] of entries.entries()) {
    zip.begin(index)
    for (const piece of pieces) if (piece !== undefined) await zip.write(piece)
    if (pieces.includes(undefined)) zip.drop()
    else await zip.end()
  }
  const size = await zip.finish()
  closeSync(fd)
  expect(readFileSync(path)).toHaveLength(size)
}

/** @returns what yauzl reads: a third party's opinion. */
async function readByYauzl(path: string): Promise<Record<string, Buffer>> {
  const zip = await yauzl.openPromise(path, { strictFileNames: true })
  const found: Record<string, Buffer> = {}
  for await (const entry of zip.eachEntry()) {
    const pieces: Buffer[] = []
    for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer)
    found[entry.fileName] = Buffer.concat(pieces)
    expect(crc32(found[entry.fileName]!)).toBe(entry.crc32)
    expect(entry.getLastModDate({ timezone: 'UTC' }).getTime()).toBe(Date.UTC(1980, 0, 1))
  }
  return found
}

/** Has Python and Info-ZIP look whether a ZIP is whole, as far as they are here. */
function checkElsewhere(path: string, count: number): void {
  const script = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))'
  const python = spawnSync('python3', ['-c', script, path], { encoding: 'utf8' })
  if (python.error === undefined) expect(python.stdout.trim()).toBe(`None ${count}`)
  const unzip = spawnSync('unzip', ['-tq', path], { encoding: 'utf8' })
  if (unzip.error === undefined) expect([unzip.status, unzip.stdout]).toEqual([0, expect.stringContaining('No errors')])
}

const piece = fc.nat(5_000).map((length) => patternBytes(length, length))
const large = fc.constantFrom(700_000, 1_500_000).map((length) => Buffer.alloc(length, 'x'))
const pieces = fc.array(fc.oneof({ weight: 9, arbitrary: piece }, large, fc.constant(undefined)), { maxLength: 4 })

propertyTest.prop([fc.array(pieces, { maxLength: 12 })], { numRuns: 60 })(
  'what is written, and not dropped, is what another reader finds',
  async (entries) => {
    const path = freshPath('zip')
    await write(path, entries)
    const kept = entries.flatMap((pieces, index) =>
      pieces.includes(undefined) ? [] : [[nameOf(index), Buffer.concat(pieces as Uint8Array[])] as const],
    )
    expect(Object.keys(await readByYauzl(path))).toEqual(kept.map(([name]) => name))
    const found = await readByYauzl(path)
    for (const [name, content] of kept) expect(found[name]!.equals(content)).toBe(true)
  },
)

test('more than 65,535 entries are found by others', async () => {
  const path = freshPath('zip')
  await write(
    path,
    Array.from({ length: 70_000 }, (_, i) => [Buffer.from(`content ${i}`)]),
  )
  checkElsewhere(path, 70_000)
})

test('a package is a ZIP for others, too', async () => {
  const path = freshPath('package')
  await packBatch(makeTree({ a: 'a', 'b/c': patternBytes(3_000_000) }), { ...COMMON, target: path })
  checkElsewhere(path, 3)
  const found = await readByYauzl(path)
  expect(Object.keys(found)).toEqual(['files/00000001.seal', 'files/00000002.seal', 'manifest.seal'])
  for (const { name, content } of takeApart(path)) expect(found[name]!.equals(content)).toBe(true)
})

describe('a ZIP that is no package is refused', () => {
  const refused = async (path: string, code = 'ERR_SEALFILE_FORMAT'): Promise<void> => {
    const unpacking = unpackBatch(path, { ...COMMON, target: freshPath('target') })
    await expect(unpacking).rejects.toEqual(sealfileError(code, { path }))
  }

  test.each([{ compress: true }, { compress: false }, { compress: false, forceZip64Format: true }])(
    'also one with the entries of a package: %j',
    async (options) => {
      const [original, path] = [freshPath('package'), freshPath('zip')]
      await packBatch(makeTree({ a: 'a' }), { ...COMMON, target: original })
      const zip = new ZipFile()
      for (const { name, content } of takeApart(original)) zip.addBuffer(content, name, options)
      zip.end({ forceZip64Format: options.forceZip64Format ?? false, comment: '' })
      await pipeline(zip.outputStream, createWriteStream(path))
      await refused(path, 'ERR_SEALFILE_PACKAGE')
    },
  )

  test.each([
    ['nothing', ''],
    ['text', 'some text that is long enough to have an end in it'.repeat(10)],
    ['the end of an empty ZIP', Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18)])],
  ])('%s', async (_name, content) => {
    const path = freshPath('zip')
    writeFileSync(path, content)
    await refused(path)
  })

  test('a folder, a pipe, and what is not there', async () => {
    await expect(unpackBatch(makeTree({}), { ...COMMON, target: freshPath('x') })).rejects.toEqual(
      sealfileError('ERR_SEALFILE_FORMAT'),
    )
    const pipe = freshPath('pipe')
    spawnSync('mkfifo', [pipe])
    await refused(pipe)
    await expect(unpackBatch(freshPath('none'), { ...COMMON, target: freshPath('x') })).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

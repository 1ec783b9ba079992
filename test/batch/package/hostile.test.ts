import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listPackage, packBatch, unpackBatch, type PackBatchOptions } from '../../../src/batch.js'
import { SealfileError } from '../../../src/index.js'
import { patternBytes, sealfileError } from '../../support/encrypted-files.js'
import { craftPackage, putTogether, seal, takeApart, type Part } from '../../support/crafted-package.js'
import { COMMON, describeTree, workshop } from './support.js'

const { freshPath, makeTree } = workshop()

async function pack(files: Readonly<Record<string, string | Uint8Array>>, options: Partial<PackBatchOptions> = {}) {
  const source = makeTree(files)
  const path = freshPath('package')
  await packBatch(source, { ...COMMON, segmentSize: 4_096, target: path, ...options })
  return { source, path }
}

/** Unpacks into a folder beside which nothing may come to be. */
async function unpack(path: string, overwrite = false) {
  const outer = freshPath('outer')
  const target = join(outer, 'target')
  try {
    return { target, report: await unpackBatch(path, { ...COMMON, target, overwrite }) }
  } finally {
    if (existsSync(outer)) expect(readdirSync(outer)).toEqual(['target'])
  }
}

const codesOf = ({ failures }: { readonly failures: readonly { readonly error: unknown }[] }): unknown[] =>
  failures.map(({ error }) => (error as NodeJS.ErrnoException).code)

const [PACKAGE, PURPOSE, CORRUPTED] = ['ERR_SEALFILE_PACKAGE', 'ERR_SEALFILE_WRONG_PURPOSE', 'ERR_SEALFILE_CORRUPTED']

describe('whoever has no key', () => {
  const three = { one: 'first!', two: 'second', three: 'third!' }

  async function tamper(change: (parts: Part[]) => Part[] | undefined): Promise<string> {
    const { path } = await pack(three)
    const parts = takeApart(path)
    putTogether(path, change(parts) ?? parts)
    return path
  }

  /** Lets an entry have other content, and nothing else. */
  const replace = (parts: Part[], index: number, content: Buffer): Part[] =>
    parts.map((part, i) => (i === index ? { ...part, content } : part))

  test('can put a package together as it was', async () => {
    const path = await tamper(() => undefined)
    expect((await unpack(path)).report).toMatchObject({ files: 3, failures: [] })
  })

  test('cannot change a byte of what is behind the directory', async () => {
    const { path } = await pack({ a: 'a' })
    const bytes = readFileSync(path)
    for (let i = 1; i <= 98; i++) {
      const altered = Buffer.from(bytes)
      altered[bytes.length - i]! ^= 1
      writeFileSync(path, altered)
      await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
    }
    // How many entries there are is said twice.
    const altered = Buffer.from(bytes)
    for (const at of [24, 32]) altered[bytes.length - 98 + at]!++
    writeFileSync(path, altered)
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
  })

  test('cannot swap two files', async () => {
    const { target, report } = await unpack(
      await tamper((parts) => replace(replace(parts, 0, parts[1]!.content), 1, parts[0]!.content)),
    )
    expect(codesOf(report)).toEqual([PURPOSE, PURPOSE])
    expect(readdirSync(target)).toHaveLength(1)
  })

  test('cannot put a file in the place of another, nor of the manifest', async () => {
    const path = await tamper((parts) => replace(parts, 0, parts[1]!.content))
    expect(codesOf((await unpack(path)).report)).toEqual([PURPOSE])
    const other = await tamper((parts) => replace(parts, 3, parts[1]!.content))
    await expect(unpack(other)).rejects.toEqual(sealfileError(PURPOSE))
  })

  test("cannot put another package's file in its place, though purpose and number are the same", async () => {
    const { path: other } = await pack(three)
    const path = await tamper((parts) => replace(parts, 1, takeApart(other)[1]!.content))
    const { report } = await unpack(path)
    expect(report.files).toBe(2)
    expect(codesOf(report)).toEqual([PURPOSE])
  })

  test("cannot put another package's manifest over the files", async () => {
    const { path: other } = await pack(three)
    const theirs = takeApart(other)
    const path = await tamper((parts) => [
      // Checksums as that manifest tells them: else the headers would give it away.
      ...parts.slice(0, 3).map((part, i) => ({ ...part, crc32: theirs[i]!.crc32 })),
      theirs[3]!,
    ])
    expect(codesOf((await unpack(path)).report)).toEqual([PURPOSE, PURPOSE, PURPOSE])
  })

  test.each<[string, (parts: Part[]) => Part[]]>([
    ['drop a file', (parts) => parts.slice(1)],
    ['drop the last file', (parts) => [...parts.slice(0, 2), parts[3]!]],
    ['drop the manifest', (parts) => parts.slice(0, 3)],
    ['add a file', (parts) => [...parts.slice(0, 3), { ...parts[0]!, name: 'files/00000004.seal' }, parts[3]!]],
    ['add a file behind the manifest', (parts) => [...parts, { ...parts[0]!, name: 'files/00000004.seal' }]],
    ['add one that leads out', (parts) => [{ ...parts[0]!, name: '../../evil' }, ...parts]],
    ['duplicate a file', (parts) => [parts[0]!, parts[0]!, ...parts.slice(1)]],
    ['duplicate the manifest', (parts) => [parts[3]!, ...parts]],
    ['change the order', (parts) => [parts[1]!, parts[0]!, ...parts.slice(2)]],
    ['rename a file', (parts) => [{ ...parts[0]!, name: 'files/00000009.seal' }, ...parts.slice(1)]],
    [
      'lengthen a file',
      (parts) => [{ ...parts[0]!, content: Buffer.concat([parts[0]!.content, Buffer.from('x')]) }, ...parts.slice(1)],
    ],
    ['shorten a file', (parts) => [{ ...parts[0]!, content: parts[0]!.content.subarray(0, -1) }, ...parts.slice(1)]],
  ])('cannot %s', async (_name, change) => {
    const path = await tamper(change)
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE, { path }))
  })

  test('cannot have one part of a file read as two', async () => {
    // Entries that overlap: the directory says of the second that it begins where the first does.
    const { path } = await pack(three)
    const bytes = readFileSync(path)
    const record = Number(bytes.readBigUInt64LE(bytes.length - 98 + 48)) + 46 + 'files/00000001.seal'.length + 28
    bytes.writeBigUInt64LE(0n, record + 46 + 'files/00000001.seal'.length + 20)
    writeFileSync(path, bytes)
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
  })

  test.each([
    ['flags', 8, 1],
    ['method', 10, 8],
    ['time', 12, 1],
    ['checksum', 16, 1],
    ['size', 20, 1],
    ['disk', 34, 1],
    ['attributes', 38, 1],
  ])('cannot change the %s in the directory or in a local header', async (_name, offset, value) => {
    const { path } = await pack(three)
    const bytes = readFileSync(path)
    const directory = Number(bytes.readBigUInt64LE(bytes.length - 98 + 48))
    const altered = Buffer.from(bytes)
    altered[directory + offset]! ^= value
    writeFileSync(path, altered)
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
    if (offset >= 28) return
    bytes[offset - 2]! ^= value
    writeFileSync(path, bytes)
    const { report } = await unpack(path)
    expect(report.files).toBe(2)
    expect(codesOf(report)).toEqual([PACKAGE])
  })

  test.each([
    ['before it', (bytes: Buffer) => Buffer.concat([Buffer.from('MZ'), bytes])],
    ['behind it', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
    ['between files and directory', insertBeforeDirectory],
  ])('cannot hide anything %s', async (_name, change) => {
    const { path } = await pack(three)
    writeFileSync(path, change(readFileSync(path)))
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
  })
})

function insertBeforeDirectory(bytes: Buffer): Buffer {
  const end = bytes.length - 98
  const directory = Number(bytes.readBigUInt64LE(end + 48))
  const longer = Buffer.concat([bytes.subarray(0, directory), Buffer.from('PK'), bytes.subarray(directory)])
  longer.writeBigUInt64LE(BigInt(directory + 2), end + 2 + 48)
  longer.writeBigUInt64LE(BigInt(end + 2), end + 2 + 56 + 8)
  return longer
}

describe('whoever has the keys', () => {
  test.each<[string, unknown]>([
    ['leads out', '../evil'],
    ['leads out further on', 'a/../../evil'],
    ['is absolute', '/tmp/sealfile-evil'],
    ['is empty', ''],
    ['is a dot', '.'],
    ['has an empty part', 'a//b'],
    ['is a folder', 'a/'],
    ['has a NUL', 'a\0b'],
    ['has a lone surrogate', '\ud800'],
    ['has a part that is too long', 'x'.repeat(256)],
    ['is that of a lock', 'a.sealfile-lock'],
    ['is that of a file being written', '.a.0123456789abcdef.sealfile-tmp'],
  ])('cannot make a file whose path %s', async (_name, evil) => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [{ fields: { path: evil } }, {}], { lines: [{ kind: 'folder', path: evil, mode: 0o755 }] })
    const { target, report } = await unpack(path, true)
    expect(codesOf(report)).toEqual([PACKAGE, PACKAGE])
    expect(readdirSync(target)).toEqual(['file-1'])
    expect(existsSync('/tmp/sealfile-evil')).toBe(false)
  })

  test('cannot make bytes that lead out, either', async () => {
    const path = freshPath('package')
    const evil = Buffer.concat([Buffer.from('../'), Buffer.from([0xff])]).toString('base64')
    await craftPackage(path, COMMON, [{ fields: { path: undefined, pathBase64: evil } }])
    expect(codesOf((await unpack(path)).report)).toEqual([PACKAGE])
  })

  test('can have a backslash in a name, where that is a letter', async () => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [{ fields: { path: '..\\evil' } }])
    const { target, report } = await unpack(path)
    if (process.platform === 'win32') expect(codesOf(report)).toEqual([PACKAGE])
    else expect(readdirSync(target)).toEqual(['..\\evil'])
  })

  test.each([
    [false, { path: 'same' }],
    [true, { path: 'same' }],
    [true, { path: undefined, pathBase64: Buffer.from([0x61, 0xff]).toString('base64') }],
  ])('cannot have a second file of a name, overwrite: %s, %j', async (overwrite, fields) => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [
      { fields, content: Buffer.from('first') },
      { fields, content: Buffer.alloc(3_000_000) },
    ])
    const { report } = await unpack(path, overwrite)
    expect(report.files).toBe(1)
    expect(codesOf(report)).toEqual([overwrite ? 'ERR_SEALFILE_BATCH_TARGET' : 'EEXIST'])
  })

  test('cannot have a file where a folder is, nor in a file', async () => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [{ fields: { path: 'a' } }], {
      lines: [
        { kind: 'folder', path: 'a', mode: 0o755 },
        { kind: 'folder', path: 'a/b', mode: 0o755 },
      ],
    })
    const { report } = await unpack(path)
    expect(report.failures.length).toBeGreaterThanOrEqual(1)
    for (const { error } of report.failures)
      expect((error as NodeJS.ErrnoException).code).toMatch(/BATCH_TARGET|EEXIST|EISDIR|ENOTDIR/)
  })

  test('cannot tell a size or a hash that is not that of the content', async () => {
    for (const fields of [{ size: 3 }, { size: 30 }, { size: 2 ** 52 }, { sha256: '00'.repeat(32) }]) {
      const path = freshPath('package')
      await craftPackage(path, COMMON, [{ fields }])
      const { target, report } = await unpack(path)
      expect(codesOf(report)).toEqual([PACKAGE])
      expect(readdirSync(target)).toEqual([])
    }
  })

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['a field of another type', { mode: '644' }],
    ['more permission than there is', { mode: 0o4755 }],
    ['a negative size', { size: -1 }],
    ['a size that is no integer', { size: 1e300 }],
    ['a short hash', { sha256: '00' }],
    ['a time that is none', { mtimeMs: null }],
    ['a compression that is not known', { compression: 'lzma' }],
    ['a kind that is not known', { kind: 'link' }],
    ['no path', { path: undefined }],
    ['two paths', { pathBase64: '/w==' }],
    ['a path as bytes that is text', { path: undefined, pathBase64: 'YQ==' }],
    ['another number', { number: 2 }],
    ['number 0', { number: 0 }],
    ['an entry of another size', { entrySize: 10 }],
    ['an entry beyond the end', { entrySize: 2 ** 53 - 1 }],
    ['an entry of another checksum', { entryCrc32: 1 }],
  ])('cannot have %s in a manifest', async (_name, fields) => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [{ fields }, {}])
    await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
  })

  test.each<[string, { header?: object; lines?: (string | object)[] }, string?]>([
    ['no header', { header: { format: 'other' } }],
    ['a later version', { header: { version: 2 } }, 'ERR_SEALFILE_FORMAT_VERSION'],
    ['a version that there never was', { header: { version: 0 } }],
    ['a short id', { header: { id: '00' } }],
    ['a line that is no JSON', { lines: ['{'] }],
    ['an empty line', { lines: [''] }],
    ['a line that is no object', { lines: ['1'] }],
    ['null for a line', { lines: ['null'] }],
    ['a line of a megabyte', { lines: [{ kind: 'folder', path: 'x'.repeat(2 ** 20), mode: 0 }] }],
    ['a file without an entry', { lines: [{ kind: 'file', path: 'x', size: 0 }] }],
  ])('cannot have a manifest with %s, whether it comes in small pieces or in one', async (_name, change, code = PACKAGE) => {
    for (const segmentSize of [4_096, 2 ** 22]) {
      const path = freshPath('package')
      await craftPackage(path, { ...COMMON, segmentSize }, [{}], change)
      await expect(unpack(path)).rejects.toEqual(sealfileError(code))
    }
  })

  test('cannot have a manifest without a line', async () => {
    const path = freshPath('package')
    await craftPackage(path, COMMON, [])
    const parts = takeApart(path)
    const context = Buffer.from('sealfile-package/v1/manifest\0')
    for (const text of ['', '{"format":"sealfile-package"']) {
      putTogether(path, [await seal(parts[0]!.name, Buffer.from(text), { ...COMMON, context })])
      await expect(unpack(path)).rejects.toEqual(sealfileError(PACKAGE))
    }
  })
})

describe('damage', () => {
  const files = { 'a.txt': 'one', 'b/c.bin': patternBytes(9_000), 'b/d': patternBytes(300, 3), e: '' }

  /** Unpacks what may be damaged: whatever comes of it is right, and whatever does not is told of by an error of ours. */
  async function attempt(path: string, expected: Record<string, string>): Promise<'refused' | 'some' | 'all'> {
    const target = freshPath('target')
    try {
      const { failures, files } = await unpackBatch(path, { ...COMMON, target })
      for (const { error } of failures) expect(error).toBeInstanceOf(SealfileError)
      const found = describeTree(target)
      for (const [name, content] of Object.entries(found)) expect(content).toBe(expected[name])
      expect(files + failures.length).toBe(4)
      if (failures.length === 0) expect(found).toEqual(expected)
      return failures.length === 0 ? 'all' : 'some'
    } catch (error) {
      if (!(error instanceof SealfileError)) throw error
      expect(existsSync(target)).toBe(false)
      return 'refused'
    } finally {
      rmSync(target, { recursive: true, force: true })
    }
  }

  const step = process.env['SLOW'] === '1' ? 3 : 41

  test('of any byte gives nothing wrong', async () => {
    const { source, path } = await pack(files)
    const expected = describeTree(source)
    const bytes = readFileSync(path)
    const outcomes = { refused: 0, some: 0, all: 0 }
    for (let position = 0; position < bytes.length; position += step) {
      const altered = Buffer.from(bytes)
      altered[position]! ^= 1 << (position % 8)
      writeFileSync(path, altered)
      outcomes[await attempt(path, expected)]++
    }
    expect(outcomes.refused).toBeGreaterThan(outcomes.all)
    expect(outcomes.some).toBeGreaterThan(outcomes.all)
    // The second key slot of a stream is never used: 96 bytes in each of five entries.
    expect(outcomes.all).toBeLessThanOrEqual(Math.ceil((5 * 96) / step) + 5)
  }, 900_000)

  test('by a cut anywhere is refused', async () => {
    const { source, path } = await pack(files)
    const expected = describeTree(source)
    const bytes = readFileSync(path)
    for (let length = 0; length < bytes.length; length += step) {
      writeFileSync(path, bytes.subarray(0, length))
      expect(await attempt(path, expected)).toBe('refused')
    }
  }, 900_000)

  test('of the manifest is seen by whoever lists a package, at the latest at the end', async () => {
    const { path } = await pack(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`file-${i}`, `${i}`])))
    const parts = takeApart(path)
    const manifest = parts.at(-1)!
    const altered = Buffer.from(manifest.content)
    altered[altered.length - 20]! ^= 1
    putTogether(path, [...parts.slice(0, -1), { ...manifest, content: altered }])
    let count = 0
    const list = async (): Promise<void> => {
      for await (const { kind } of listPackage(path, COMMON)) count += kind === 'file' ? 1 : 0
    }
    await expect(list()).rejects.toEqual(sealfileError(CORRUPTED, { path }))
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThan(200)
  })
})

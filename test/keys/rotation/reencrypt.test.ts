import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EncryptedFile, FreshnessFile, KeyManager } from '../../../src/index.js'
import { reencrypt, type ReencryptOptions, type ReencryptReport } from '../../../src/keys/rotation/reencrypt.js'
import { rewrap } from '../../../src/keys/rotation/rewrap.js'
import { patternBytes, sealfileError } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { makeFile, NEW, NEWER, OLD, ONLY_NEW, optionsFor, OTHER, PURPOSE, read, saltOf, streamOf } from './support.js'

const inFolder = temporaryFolder()
const NOTHING = { files: 0, reencrypted: 0, current: 0, foreign: 0, notEncrypted: 0, bytes: 0, failures: [] }

function run(path: string | string[], others: Partial<ReencryptOptions> = {}, keys = NEW): Promise<ReencryptReport> {
  return reencrypt(keys, path, { purpose: PURPOSE, ...others })
}

function codeOf(report: ReencryptReport): unknown {
  expect(report.failures.length).toBe(1)
  return (report.failures[0]!.error as NodeJS.ErrnoException).code
}

async function makeKind(kind: string, path: string, content: Uint8Array, others = {}): Promise<void> {
  if (kind === 'editable') makeFile(path, content, OLD, others)
  else writeFileSync(path, await streamOf(content, OLD, others))
}

describe.each(['editable', 'stream'])('%s', (kind) => {
  test.each([0, 1, 4_095, 4_096, 4_097, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 5])(
    '%i bytes: another key, the same kind, content and permissions',
    async (size) => {
      const path = inFolder(`${kind}-${size}`)
      const content = patternBytes(size)
      await makeKind(kind, path, content, { cipher: 'chacha20-poly1305', context: Buffer.from('tenant') })
      chmodSync(path, 0o640)
      const [salt, { ino }] = [saltOf(path), statSync(path)]
      const before = await EncryptedFile.inspect(path)
      const report = await run(path, { context: () => Buffer.from('tenant') })
      expect(report).toEqual({ ...NOTHING, files: 1, reencrypted: 1, bytes: size })
      expect(saltOf(path)).not.toBe(salt)
      expect(statSync(path).mode & 0o777).toBe(0o640)
      expect(statSync(path).ino).not.toBe(ino)
      expect(await EncryptedFile.inspect(path)).toEqual({ ...before, generation: 2 })
      await using file = await EncryptedFile.open(path, 'r', optionsFor(ONLY_NEW, { context: Buffer.from('tenant') }))
      expect((await file.readFile()).equals(content)).toBe(true)
      expect(await file.verify()).toMatchObject({ ok: true, size })
    },
  )

  test('in another shape, if that is asked for', async () => {
    const path = inFolder(`${kind}-shape`)
    await makeKind(kind, path, patternBytes(100_000))
    expect(await run(path, { cipher: 'aes-256-gcm-siv', segmentSize: 16_384 })).toMatchObject({ reencrypted: 1 })
    expect(await EncryptedFile.inspect(path)).toMatchObject({ kind, cipher: 'aes-256-gcm-siv', segmentSize: 16_384 })
    expect(EncryptedFile.readFileSync(path, optionsFor(NEW)).equals(patternBytes(100_000))).toBe(true)
  })

  test('a damaged file is reported and stays as it is, wherever the damage is', async () => {
    const path = inFolder(`${kind}-damaged`)
    await makeKind(kind, path, patternBytes(20_000))
    const bytes = readFileSync(path)
    for (let position = 0; position < bytes.length; position += 97) {
      const damaged = Buffer.from(bytes)
      damaged[position]! ^= 1
      writeFileSync(path, damaged)
      const report = await run(path)
      // A byte of one of three equal records, or of a slot that is empty, can be lost.
      if (report.reencrypted === 1) expect(read(path, NEW)).toBe(patternBytes(20_000).toString())
      else expect(readFileSync(path).equals(damaged)).toBe(true)
      if (position > 1_280) expect(codeOf(report)).toBe('ERR_SEALFILE_CORRUPTED')
    }
    writeFileSync(path, bytes)
    truncateSync(path, bytes.length - 1)
    expect((await run(path)).failures.length).toBe(1)
    expect(readdirSync(inFolder('')).filter((name) => name.includes('sealfile-'))).toEqual([])
  })
})

test('an older version of a segment that was put back is found, and nothing is written', async () => {
  const path = inFolder('put-back')
  makeFile(path, patternBytes(20_000, 1))
  const older = readFileSync(path)
  const file = EncryptedFile.openSync(path, 'r+', optionsFor(OLD))
  file.write(patternBytes(4_096, 2), 0, 4_096, 4_096)
  file.close()
  // Apply the redo list, so that the segment lies at its place.
  await EncryptedFile.appendFile(path, patternBytes(30_000, 3), optionsFor(OLD))
  const now = readFileSync(path)
  const stride = 12 + 4_096 + 16
  now.set(older.subarray(1_280 + stride, 1_280 + 2 * stride), 1_280 + stride)
  writeFileSync(path, now)
  const report = await run(path)
  expect(codeOf(report)).toBe('ERR_SEALFILE_CORRUPTED')
  expect(String(report.failures[0]!.error)).toMatch(/snapshot/)
  expect(readFileSync(path).equals(now)).toBe(true)
})

describe('which files', () => {
  test('all; or those whose data key is from before a generation, rewrapped or not', async () => {
    const folder = inFolder('before')
    mkdirSync(folder)
    for (const name of ['old', 'rewrapped']) makeFile(join(folder, name), name, OLD)
    makeFile(join(folder, 'new'), 'new', NEW)
    await rewrap(NEW, join(folder, 'rewrapped'), { purpose: PURPOSE })
    const salt = saltOf(join(folder, 'new'))
    expect(await run(folder, { before: 2 })).toMatchObject({ files: 3, reencrypted: 2, current: 1 })
    expect(saltOf(join(folder, 'new'))).toBe(salt)
    expect(await run(folder, { before: 2 })).toMatchObject({ reencrypted: 0, current: 3 })
    expect(await run(folder)).toMatchObject({ reencrypted: 3 })
    await rewrap(NEWER, folder, { purpose: PURPOSE })
    expect(await run(folder, { before: 3 }, NEWER)).toMatchObject({ reencrypted: 3 })
    for (const name of ['old', 'new', 'rewrapped']) expect(read(join(folder, name), NEWER)).toBe(name)
  })

  test('a header that says so for itself is not left out', async () => {
    const path = inFolder('forged')
    makeFile(path, 'content', OLD)
    const bytes = readFileSync(path)
    const newer = inFolder('newer')
    makeFile(newer, 'content', NEW)
    // The slot of another file: genuine, and with a checksum that fits nothing here.
    bytes.set(readFileSync(newer).subarray(96, 192), 96)
    writeFileSync(path, bytes)
    expect(codeOf(await run(path, { before: 2 }))).toBe('ERR_SEALFILE_FORMAT_HEADER')
  })

  test('into another keyring, where that was not done before', async () => {
    const folder = inFolder('into')
    mkdirSync(folder)
    makeFile(join(folder, 'one'), 'one', NEW)
    makeFile(join(folder, 'two'), 'two', OTHER)
    makeFile(join(folder, 'three'), 'three', KeyManager.fromKey(new Uint8Array(32).fill(5)))
    expect(await run(folder, { into: OTHER })).toMatchObject({ reencrypted: 1, current: 1, foreign: 1, failures: [] })
    expect(read(join(folder, 'one'), OTHER)).toBe('one')
    expect(await run(folder, { into: OTHER })).toMatchObject({ reencrypted: 0, current: 2, foreign: 1 })
  })

  test('once where it is named twice, at whatever moment it is come to again', async () => {
    for (let round = 0; round < 20; round++) {
      const folder = inFolder(`twice-${round}`)
      mkdirSync(folder)
      for (let i = 0; i < 15; i++) makeFile(join(folder, `${i}`), `${i}`)
      expect(await run([folder, folder])).toMatchObject({ files: 30, reencrypted: 15, current: 15, failures: [] })
    }
  })

  test('all of a tree, with what is no file of ours left alone', async () => {
    const folder = inFolder('tree')
    mkdirSync(join(folder, 'deep'), { recursive: true })
    for (let i = 0; i < 30; i++) makeFile(join(folder, i % 2 === 0 ? 'deep' : '', `${i}`), `${i}`)
    writeFileSync(join(folder, 'plain'), 'plain')
    writeFileSync(join(folder, 'empty'), '')
    symlinkSync(join(folder, 'plain'), join(folder, 'link'))
    const seen: number[] = []
    const report = await run([folder, folder, join(folder, '1')], { onProgress: ({ reencrypted }) => seen.push(reencrypted) })
    expect(report).toMatchObject({ files: 65, reencrypted: 30, current: 31, notEncrypted: 4, failures: [] })
    expect(seen.at(-1)).toBe(30)
    for (let i = 0; i < 30; i++) expect(read(join(folder, i % 2 === 0 ? 'deep' : '', `${i}`), ONLY_NEW)).toBe(`${i}`)
    expect(readdirSync(folder).filter((name) => name.includes('sealfile-'))).toEqual([])
  })
})

describe('names', () => {
  test('a link stays one, and what it leads to is replaced', async () => {
    const [path, link] = [inFolder('target'), inFolder('link')]
    makeFile(path, 'content')
    symlinkSync(path, link)
    expect(await run(link)).toMatchObject({ reencrypted: 1 })
    expect(read(path, ONLY_NEW)).toBe('content')
    expect(read(link, ONLY_NEW)).toBe('content')
  })

  test.runIf(process.platform === 'linux')('names that are no UTF-8 are kept', async () => {
    const folder = inFolder('bytes')
    mkdirSync(folder)
    const odd = Buffer.concat([Buffer.from(join(folder, 'odd')), Buffer.from([0xff])])
    makeFile(join(folder, 'even'), 'odd')
    copyFileSync(join(folder, 'even'), odd)
    const names = readdirSync(folder, { encoding: 'buffer' })
    expect(await run(folder)).toMatchObject({ files: 2, reencrypted: 2, failures: [] })
    expect(readdirSync(folder, { encoding: 'buffer' })).toEqual(names)
    expect(EncryptedFile.readFileSync(odd, { ...optionsFor(ONLY_NEW), encoding: 'utf8' })).toBe('odd')
    // What such a link leads to has no text to be named by.
    const link = join(folder, 'link')
    symlinkSync(odd, link)
    expect((await run(link)).failures.length).toBe(1)
    expect(readdirSync(folder).length).toBe(3)
  })

  test('a file that somebody else puts in its place meanwhile is not lost', async () => {
    const [path, other] = [inFolder('replaced'), inFolder('replacing')]
    makeFile(path, patternBytes(3 * 2 ** 20))
    makeFile(other, 'other')
    const onProgress = ({ bytes }: { bytes: number }): void => {
      if (bytes > 0 && existsSync(other)) renameSync(other, path)
    }
    expect(codeOf(await run(path, { onProgress }))).toBe('ERR_SEALFILE_LOCKED')
    expect(read(path, OLD)).toBe('other')
    expect(readdirSync(inFolder('')).filter((name) => name.includes('sealfile-'))).toEqual([])
  })

  test('hard links become files of their own, and no name keeps the old key', async () => {
    const folder = inFolder('hard')
    mkdirSync(folder)
    makeFile(join(folder, 'a'), 'content')
    linkSync(join(folder, 'a'), join(folder, 'b'))
    expect(await run(folder)).toMatchObject({ reencrypted: 2 })
    for (const name of ['a', 'b']) expect(read(join(folder, name), ONLY_NEW)).toBe('content')
    expect(saltOf(join(folder, 'a'))).not.toBe(saltOf(join(folder, 'b')))
  })
})

describe('others at work', () => {
  test('a file that is open for writing is left alone, or waited for', async () => {
    const path = inFolder('open')
    makeFile(path, 'one ')
    const writer = await EncryptedFile.open(path, 'a', optionsFor(NEW))
    expect(codeOf(await run(path))).toBe('ERR_SEALFILE_LOCKED')
    const waiting = run(path, { lockTimeout: 10_000 })
    await writer.write('two')
    await writer.close()
    expect(await waiting).toMatchObject({ reencrypted: 1 })
    expect(read(path, ONLY_NEW)).toBe('one two')
  })

  test('a file that is written to by another name, which the lock does not know of, is left as it is then', async () => {
    const folder = inFolder('written')
    mkdirSync(folder)
    const [path, link] = [join(folder, 'file'), join(folder, 'link')]
    makeFile(path, patternBytes(3 * 2 ** 20))
    linkSync(path, link)
    let isWritten = false
    const onProgress = ({ bytes }: { bytes: number }): void => {
      if (bytes === 0 || isWritten) return
      isWritten = true
      EncryptedFile.appendFileSync(link, ' and more', optionsFor(OLD))
    }
    expect(codeOf(await run(path, { onProgress }))).toBe('ERR_SEALFILE_LOCKED')
    expect(read(path, OLD).slice(-9)).toBe(' and more')
    expect(readdirSync(folder).sort()).toEqual(['file', 'link'])
  })

  test('what a writer left that died is read as it would be opened', async () => {
    const path = inFolder('died')
    const writer = await EncryptedFile.open(path, 'w', optionsFor(OLD))
    await writer.write('content')
    await writer.sync()
    const copy = inFolder('died-copy')
    writeFileSync(copy, readFileSync(path))
    await writer.close()
    expect(await run(copy)).toMatchObject({ reencrypted: 1 })
    expect(read(copy, ONLY_NEW)).toBe('content')
  })

  test('an abort in the middle of a file leaves it as it was, and nothing beside it', async () => {
    const folder = inFolder('aborted')
    mkdirSync(folder)
    const path = join(folder, 'large')
    makeFile(path, patternBytes(5 * 2 ** 20))
    const before = readFileSync(path)
    const controller = new AbortController()
    const running = run(path, { signal: controller.signal, onProgress: ({ bytes }) => bytes > 2 ** 21 && controller.abort() })
    await expect(running).rejects.toMatchObject({ name: 'AbortError' })
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(readdirSync(folder)).toEqual(['large'])
  })

  test.each(['editable', 'stream'])('a freshness hook is told of the new file: %s', async (kind) => {
    const path = inFolder(`fresh-${kind}`)
    const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(8))
    using freshness = FreshnessFile.open(inFolder(`freshness-${kind}`), { keyManager, purpose: 'freshness' })
    await makeKind(kind, path, Buffer.from('content'), { freshness })
    const old = readFileSync(path)
    expect(await run(path, { freshness })).toMatchObject({ reencrypted: 1 })
    expect(read(path, NEW, { freshness })).toBe('content')
    writeFileSync(path, old)
    expect(() => read(path, NEW, { freshness })).toThrow(sealfileError('ERR_SEALFILE_ROLLED_BACK'))
    expect(codeOf(await run(path, { freshness }))).toBe('ERR_SEALFILE_ROLLED_BACK')
  })
})

test('purpose and context must be right', async () => {
  const path = inFolder('wrong')
  makeFile(path, 'content', OLD, { context: Buffer.from('a') })
  const before = readFileSync(path)
  for (const others of [{ purpose: ['b', 'c'] }, { context: Buffer.from('b') }, {}]) {
    expect(codeOf(await run(path, others))).toBe('ERR_SEALFILE_WRONG_PURPOSE')
  }
  expect(readFileSync(path).equals(before)).toBe(true)
  expect(await run(path, { purpose: ['b', PURPOSE], context: Buffer.from('a') })).toMatchObject({ reencrypted: 1 })
})

test.each([
  ['ERR_INVALID_ARG_TYPE', undefined],
  ['ERR_INVALID_ARG_TYPE', {}],
  ['ERR_OUT_OF_RANGE', { purpose: 'a', before: 0 }],
  ['ERR_INVALID_ARG_TYPE', { purpose: 'a', into: {} }],
  ['ERR_INVALID_ARG_VALUE', { purpose: 'a', into: NEWER }],
  ['ERR_INVALID_ARG_VALUE', { purpose: 'a', into: OTHER, before: 2 }],
  ['ERR_OUT_OF_RANGE', { purpose: 'a', segmentSize: 5_000 }],
  ['ERR_INVALID_ARG_VALUE', { purpose: 'a', cipher: 'rot13' }],
  ['ERR_INVALID_ARG_TYPE', { purpose: 'a', context: 'text' }],
  ['ERR_OUT_OF_RANGE', { purpose: 'a', concurrency: 1.5 }],
])('%s for %o', async (code, options) => {
  await expect(reencrypt(NEW, inFolder('none'), options as never)).rejects.toMatchObject({ code })
})

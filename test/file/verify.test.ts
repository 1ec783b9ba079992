import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { recordPosition, RECORD_SIZE } from '../../src/container/commit-record.js'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import { resolveOpenOptions } from '../../src/file/options.js'
import { salvageFile } from '../../src/file/salvage.js'
import { EncryptedFile, type FileInfo, type Progress } from '../../src/index.js'
import { buildStreamFile } from '../support/container-parts.js'
import {
  appendEncrypted,
  errorOf,
  KEY,
  OPTIONS,
  OTHER_KEY,
  patternBytes,
  readEncrypted,
  SEGMENT_SIZE,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { KeyManager } from '../../src/index.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const STRIDE = SEGMENT_SIZE + 28
const HEADER = 1_280
const CONTENT = patternBytes(5 * SEGMENT_SIZE + 700)
let count = 0

const freshPath = (): string => inFolder(`file-${count++}`)

function fileOf(content: Uint8Array): string {
  const path = freshPath()
  writeEncrypted(path, content)
  return path
}

/** Flips a bit of each of these bytes. */
function damage(path: string, ...positions: readonly number[]): void {
  const bytes = readFileSync(path)
  for (const position of positions) bytes[position]! ^= 1
  writeFileSync(path, bytes)
}

const inSegment = (index: number): number => HEADER + index * STRIDE + 100

/** A file whose segment 1 waits in the redo list, as its writer leaves it. */
function pendingFile(): { readonly path: string; readonly content: Buffer; readonly info: FileInfo } {
  const path = fileOf(CONTENT)
  const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
  const replacement = patternBytes(SEGMENT_SIZE, 9)
  file.write(replacement, 0, SEGMENT_SIZE, SEGMENT_SIZE)
  file.close()
  const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
  const info = reader.info()
  reader.close()
  expect(info.pending.map(({ segment }) => segment)).toEqual([1])
  const content = Buffer.from(CONTENT)
  replacement.copy(content, SEGMENT_SIZE)
  return { path, content, info }
}

/** A file whose first segment was put back to an older version. */
function rolledBackFile(): string {
  const path = fileOf(CONTENT)
  const older = readFileSync(path)
  const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
  file.write(Buffer.from('new'), 0, 3, 0)
  file.sync()
  file.append(CONTENT)
  file.close()
  const bytes = readFileSync(path)
  expect(bytes.subarray(HEADER, HEADER + STRIDE).equals(older.subarray(HEADER, HEADER + STRIDE))).toBe(false)
  older.copy(bytes, HEADER, HEADER, HEADER + STRIDE)
  writeFileSync(path, bytes)
  return path
}

describe('verify', () => {
  test('finds nothing wrong with a file that is whole', async () => {
    await using file = await EncryptedFile.open(fileOf(CONTENT), 'r', OPTIONS)
    const whole = { ok: true, size: CONTENT.length, segments: 6, bad: [], snapshot: 'matches' }
    expect(await file.verify()).toEqual(whole)
    const sync = EncryptedFile.openSync(fileOf(CONTENT), 'r', OPTIONS)
    expect(sync.verify()).toEqual(whole)
    sync.close()
    await using empty = await EncryptedFile.open(fileOf(Buffer.alloc(0)), 'r', OPTIONS)
    expect(await empty.verify()).toEqual({ ok: true, size: 0, segments: 0, bad: [], snapshot: 'matches' })
    await using pending = await EncryptedFile.open(pendingFile().path, 'r', OPTIONS)
    expect(await pending.verify()).toEqual(whole)
  })

  test('names every segment that is bad, and goes on', async () => {
    const path = fileOf(CONTENT)
    damage(path, inSegment(1), inSegment(2), inSegment(5))
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    const code = 'ERR_SEALFILE_CORRUPTED'
    expect(await file.verify()).toEqual({
      ok: false,
      size: CONTENT.length,
      segments: 6,
      bad: [
        { segment: 1, position: SEGMENT_SIZE, length: SEGMENT_SIZE, code },
        { segment: 2, position: 2 * SEGMENT_SIZE, length: SEGMENT_SIZE, code },
        { segment: 5, position: 5 * SEGMENT_SIZE, length: 700, code },
      ],
      snapshot: 'unchecked',
    })
    expect((await file.read(Buffer.alloc(10), 0, 10, 3 * SEGMENT_SIZE)).bytesRead).toBe(10)
  })

  test('does not trust what was read before', async () => {
    const path = fileOf(CONTENT)
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    expect(await file.readFile()).toEqual(CONTENT)
    damage(path, inSegment(0))
    expect((await file.verify()).bad.map(({ segment }) => segment)).toEqual([0])
  })

  test('finds a damaged segment of the redo list', async () => {
    const { path, info } = pendingFile()
    damage(path, info.pending[0]!.position)
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    expect((await file.verify()).bad.map(({ segment }) => segment)).toEqual([1])
  })

  test('is not needed where a last segment that was read has grown, and others were added', () => {
    const file = EncryptedFile.openSync(freshPath(), 'w+', OPTIONS)
    file.write(patternBytes(SEGMENT_SIZE + 20))
    const target = Buffer.alloc(SEGMENT_SIZE)
    file.read(target, 0, SEGMENT_SIZE, 0)
    file.read(target, 0, 10, SEGMENT_SIZE)
    file.append(patternBytes(2 * SEGMENT_SIZE - 20))
    expect(file.read(target, 0, SEGMENT_SIZE, 2 * SEGMENT_SIZE)).toBe(SEGMENT_SIZE)
    file.close()
  })

  test('finds an older version of a segment by the snapshot alone', async () => {
    await using file = await EncryptedFile.open(rolledBackFile(), 'r', OPTIONS)
    expect(await file.verify()).toMatchObject({ ok: false, bad: [], snapshot: 'differs' })
  })

  test('commits first on a handle that writes', async () => {
    await using file = await EncryptedFile.open(freshPath(), 'w+', { ...OPTIONS, commitInterval: 60_000 })
    expect(await file.verify()).toEqual({ ok: true, size: 0, segments: 0, bad: [], snapshot: 'matches' })
    await file.write(CONTENT)
    expect(await file.verify()).toMatchObject({ ok: true, size: CONTENT.length })
    await file.write('edit', 5_000)
    await file.truncate(9_000)
    expect(await file.verify()).toMatchObject({ ok: true, size: 9_000, segments: 3 })
    await file.write('more', 20_000)
    expect(await file.verify()).toMatchObject({ ok: true, size: 20_004 })
  })

  test('gives up where the file is written anew each time meanwhile', () => {
    const path = fileOf(CONTENT)
    const writer = EncryptedFile.openSync(path, 'r+', { ...OPTIONS, commitInterval: 60_000 })
    const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
    let times = 0
    const onProgress = ({ done }: Progress): void => {
      if (done > 0) return
      writer.truncate(0)
      writer.commit()
      writer.write(patternBytes(CONTENT.length, ++times), 0, CONTENT.length, 0)
      writer.commit()
    }
    expect(errorOf(() => reader.verify({ onProgress }))).toEqual(sealfileError('ERR_SEALFILE_LOCKED', { path }))
    expect(times).toBeGreaterThan(1)
    expect(reader.verify()).toMatchObject({ ok: true, size: CONTENT.length })
    reader.close()
    writer.close()
  })

  test('reads streams as well', async () => {
    const path = freshPath()
    writeFileSync(path, buildStreamFile(CONTENT, OPTIONS))
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    expect(await file.verify()).toEqual({ ok: true, size: CONTENT.length, segments: 6, bad: [], snapshot: 'none' })
    await file.close()
  })

  test('tells how far it is, to the end', async () => {
    const path = freshPath()
    const size = 3.5 * 2 ** 20
    writeEncrypted(path, Buffer.alloc(size), { segmentSize: 65_536 })
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    const seen: Progress[] = []
    await file.verify({ onProgress: (progress) => seen.push(progress) })
    expect(seen.length).toBeGreaterThanOrEqual(4)
    expect(seen.length).toBeLessThan(8)
    expect(seen.every(({ done, total }, i) => total === size && done > (seen[i - 1]?.done ?? -1))).toBe(true)
    expect(seen.at(-1)).toEqual({ done: size, total: size })
  })

  test('ends where its signal says so', async () => {
    await using file = await EncryptedFile.open(fileOf(CONTENT), 'r', OPTIONS)
    await expect(file.verify({ signal: AbortSignal.abort('why') })).rejects.toMatchObject({ code: 'ABORT_ERR', cause: 'why' })
    const controller = new AbortController()
    const verifying = file.verify({ signal: controller.signal, onProgress: () => controller.abort() })
    await expect(verifying).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect((await file.verify()).ok).toBe(true)
  })

  test.each([
    [5, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ onProgress: true }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %o', async (control, code) => {
    await using file = await EncryptedFile.open(fileOf(CONTENT), 'r', OPTIONS)
    await expect(file.verify(control as never)).rejects.toMatchObject({ code })
  })

  test('is refused on a closed handle', async () => {
    const file = await EncryptedFile.open(fileOf(CONTENT), 'r', OPTIONS)
    await file.close()
    await expect(file.verify()).rejects.toMatchObject({ code: 'EBADF' })
    await expect(file.info()).rejects.toMatchObject({ code: 'EBADF' })
  })
})

describe('salvage', () => {
  const salvage = (source: string, target = freshPath(), options = OPTIONS) => ({
    target,
    report: EncryptedFile.salvageSync(source, target, options),
  })

  test('copies a file that is whole', async () => {
    const whole = { size: CONTENT.length, salvaged: CONTENT.length, gaps: [], older: [], isSizeKnown: true, snapshot: 'matches' }
    for (const [source, content] of [
      [fileOf(CONTENT), CONTENT],
      [pendingFile().path, pendingFile().content],
    ] as const) {
      const target = freshPath()
      expect(await EncryptedFile.salvage(source, target, OPTIONS)).toEqual(whole)
      expect(readEncrypted(target)).toEqual(content)
    }
  })

  test('leaves gaps where segments are bad', () => {
    const source = fileOf(CONTENT)
    damage(source, inSegment(1), inSegment(2), inSegment(4))
    const before = readFileSync(source)
    const { target, report } = salvage(source)
    const gaps = [
      { position: SEGMENT_SIZE, length: 2 * SEGMENT_SIZE },
      { position: 4 * SEGMENT_SIZE, length: SEGMENT_SIZE },
    ]
    const salvaged = CONTENT.length - 3 * SEGMENT_SIZE
    expect(report).toEqual({ size: CONTENT.length, salvaged, gaps, older: [], isSizeKnown: true, snapshot: 'unchecked' })
    const expected = Buffer.from(CONTENT)
    for (const { position, length } of gaps) expected.fill(0, position, position + length)
    expect(readEncrypted(target)).toEqual(expected)
    expect(readFileSync(source)).toEqual(before)
  })

  test.each([
    ['in the middle of a segment', HEADER + 3 * STRIDE + 50, 3],
    ['between two segments', HEADER + 2 * STRIDE, 2],
    ['behind the header', HEADER, 0],
  ])('saves what comes before a cut %s', (_, size, segments) => {
    const source = fileOf(CONTENT)
    writeFileSync(source, readFileSync(source).subarray(0, size))
    expect(errorOf(() => readEncrypted(source))).toMatchObject({ code: 'ERR_SEALFILE_TRUNCATED' })
    const { target, report } = salvage(source)
    const saved = segments * SEGMENT_SIZE
    expect(report).toMatchObject({ size: saved, salvaged: saved, isSizeKnown: true })
    expect(report.gaps).toEqual([{ position: saved, length: CONTENT.length - saved }])
    expect(readEncrypted(target)).toEqual(CONTENT.subarray(0, saved))
  })

  test('finds the segments without any commit record', () => {
    const source = fileOf(CONTENT)
    damage(source, recordPosition(0), recordPosition(1), recordPosition(2), inSegment(2))
    const { target, report } = salvage(source)
    const gaps = [{ position: 2 * SEGMENT_SIZE, length: SEGMENT_SIZE }]
    const salvaged = CONTENT.length - SEGMENT_SIZE
    expect(report).toEqual({ size: CONTENT.length, salvaged, gaps, older: [], isSizeKnown: false, snapshot: 'unchecked' })
    const expected = Buffer.from(CONTENT).fill(0, 2 * SEGMENT_SIZE, 3 * SEGMENT_SIZE)
    expect(readEncrypted(target)).toEqual(expected)
  })

  test('takes one commit record of three for enough', () => {
    const source = fileOf(CONTENT)
    damage(source, recordPosition(0), recordPosition(2) + RECORD_SIZE - 1)
    expect(errorOf(() => readEncrypted(source))).toMatchObject({ code: 'ERR_SEALFILE_CORRUPTED' })
    expect(salvage(source).report).toMatchObject({ salvaged: CONTENT.length, isSizeKnown: true, snapshot: 'matches' })
  })

  test('takes an older version where the newest is damaged, and says so', () => {
    const { path, info } = pendingFile()
    damage(path, info.pending[0]!.position)
    const { target, report } = salvage(path)
    expect(report).toMatchObject({ gaps: [], older: [{ position: SEGMENT_SIZE, length: SEGMENT_SIZE }], snapshot: 'unchecked' })
    expect(readEncrypted(target)).toEqual(CONTENT)
  })

  test('without the redo list, the snapshot shows that something is older', () => {
    const { path, info } = pendingFile()
    const { position, length } = info.pending[0]!
    damage(path, position + length)
    const { target, report } = salvage(path)
    expect(report).toMatchObject({ salvaged: CONTENT.length, snapshot: 'differs' })
    expect(readEncrypted(target)).toEqual(CONTENT)
  })

  test('saves what is left of a stream', () => {
    const stream = buildStreamFile(CONTENT, OPTIONS)
    const streamOf = (bytes: Uint8Array): string => {
      const path = freshPath()
      writeFileSync(path, bytes)
      return path
    }
    const whole = salvage(streamOf(stream))
    expect(whole.report).toMatchObject({ salvaged: CONTENT.length, isSizeKnown: true, snapshot: 'none' })
    expect(readEncrypted(whole.target)).toEqual(CONTENT)
    for (const size of [stream.length - 1, 288 + 3 * (SEGMENT_SIZE + 16), 288 + 3 * (SEGMENT_SIZE + 16) + 20]) {
      const { target, report } = salvage(streamOf(stream.subarray(0, size)))
      expect(report.isSizeKnown).toBe(false)
      const segments = size === stream.length - 1 ? 5 : 3
      expect(readEncrypted(target)).toEqual(CONTENT.subarray(0, segments * SEGMENT_SIZE))
    }
  })

  test('makes the new file with a key of its own, and the same cipher and segments', async () => {
    const source = freshPath()
    writeEncrypted(source, CONTENT, { cipher: 'chacha20-poly1305', segmentSize: 8_192 })
    const { target } = salvage(source)
    expect(await EncryptedFile.inspect(target)).toMatchObject({ cipher: 'chacha20-poly1305', segmentSize: 8_192 })
    expect(readFileSync(target).subarray(32, 64).equals(readFileSync(source).subarray(32, 64))).toBe(false)
  })

  test('needs the key, the header, and a name that is free', () => {
    const source = fileOf(CONTENT)
    const target = freshPath()
    const other = { ...OPTIONS, keyManager: KeyManager.fromKey(OTHER_KEY) }
    expect(errorOf(() => salvage(source, target, other))).toMatchObject({ code: 'ERR_SEALFILE_WRONG_KEY' })
    const noHeader = fileOf(CONTENT)
    damage(noHeader, 40)
    expect(errorOf(() => salvage(noHeader, target))).toMatchObject({ code: 'ERR_SEALFILE_FORMAT_HEADER' })
    expect(errorOf(() => salvage(freshPath(), target))).toMatchObject({ code: 'ENOENT' })
    expect(existsSync(target)).toBe(false)
    writeEncrypted(target, 'precious')
    expect(errorOf(() => salvage(source, target))).toMatchObject({ code: 'EEXIST' })
    expect(readEncrypted(target).toString()).toBe('precious')
  })

  test('leaves nothing where its signal ends it', async () => {
    const source = fileOf(CONTENT)
    const target = freshPath()
    const controller = new AbortController()
    const onProgress = (): void => controller.abort()
    await expect(
      EncryptedFile.salvage(source, target, { ...OPTIONS, signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect(existsSync(target)).toBe(false)
    expect(existsSync(`${target}.sealfile-lock`)).toBe(false)
  })
})

describe('salvage to a full disk', () => {
  test('leaves nothing', () => {
    const source = fileOf(CONTENT)
    const target = freshPath()
    const writev = (): never => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    }
    const full = { ...nodeDisk, sync: { ...nodeDisk.sync, writev } }
    expect(errorOf(() => runSync(full, salvageFile(source, target, resolveOpenOptions(OPTIONS), {})))).toMatchObject({
      code: 'ENOSPC',
    })
    expect(existsSync(target)).toBe(false)
  })
})

describe('inspect and info', () => {
  test('tell what a file is', async () => {
    const path = fileOf(CONTENT)
    const inspection = {
      kind: 'editable',
      version: 1,
      cipher: 'aes-256-gcm',
      segmentSize: SEGMENT_SIZE,
      headerSize: HEADER,
      fileSize: HEADER + CONTENT.length + 6 * 28,
      keyringId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      generation: 1,
    }
    expect(await EncryptedFile.inspect(path)).toEqual(inspection)
    expect(EncryptedFile.inspectSync(path)).toEqual(inspection)
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    const info = { ...inspection, size: CONTENT.length, segmentOverhead: 28, sequence: 2, isClean: true, pending: [] }
    expect(await file.info()).toEqual(info)
  })

  test('follow what is written', async () => {
    await using file = await EncryptedFile.open(freshPath(), 'w', { ...OPTIONS, commitInterval: 60_000 })
    await file.write('text')
    expect(await file.info()).toMatchObject({ size: 4, sequence: 0, fileSize: 0, isClean: false })
    await file.commit()
    expect(await file.info()).toMatchObject({ size: 4, isClean: false, fileSize: HEADER + 4 + 28 })
    expect((await file.info()).sequence).toBeGreaterThan(0)
  })

  test('know files of one key by their keyring', async () => {
    const other = { keyManager: KeyManager.fromKey(OTHER_KEY) }
    const [one, two, three] = [freshPath(), freshPath(), freshPath()]
    writeEncrypted(one, 'a')
    writeEncrypted(two, 'b', { keyManager: KeyManager.fromKey(KEY) })
    writeEncrypted(three, 'c', other)
    const [a, b, c] = await Promise.all([one, two, three].map((path) => EncryptedFile.inspect(path)))
    expect(a!.keyringId).toBe(b!.keyringId)
    expect(a!.keyringId).not.toBe(c!.keyringId)
  })

  test('name the file that they refuse', async () => {
    const path = freshPath()
    writeFileSync(path, 'not encrypted')
    await expect(EncryptedFile.inspect(path)).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT', { path }))
    await expect(EncryptedFile.inspect(freshPath())).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each([20, 100, 150, 250, 500, 1_279])('name a file of %i bytes as one that ends inside its header', async (size) => {
    const path = fileOf(CONTENT)
    truncateSync(path, size)
    await expect(EncryptedFile.inspect(path)).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path }))
  })

  test('tell of a file that grew that it did', async () => {
    const path = fileOf(CONTENT)
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    appendEncrypted(path, 'more')
    expect((await file.info()).size).toBe(CONTENT.length + 4)
  })
})

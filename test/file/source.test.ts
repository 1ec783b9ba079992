import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ciphertextRange, EncryptedFile, type ByteSource, type FileInfo } from '../../src/index.js'
import { buildStreamFile } from '../support/container-parts.js'
import {
  appendEncrypted,
  errorOf,
  OPTIONS,
  patternBytes,
  SEGMENT_SIZE,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const CONTENT = patternBytes(20 * SEGMENT_SIZE + 700)
const HEADER = 1_280
let count = 0
const freshPath = (): string => inFolder(`file-${count++}`)

function bytesOf(content: Uint8Array): Buffer {
  const path = freshPath()
  writeEncrypted(path, content)
  return readFileSync(path)
}

/** A file of which some segments wait in the redo list. */
function pendingBytes(): { readonly bytes: Buffer; readonly content: Buffer } {
  const path = freshPath()
  writeEncrypted(path, CONTENT)
  const content = Buffer.from(CONTENT)
  const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
  for (const index of [2, 3, 9, 20]) {
    const piece = patternBytes(500, index)
    piece.copy(content, index * SEGMENT_SIZE)
    file.write(piece, 0, 500, index * SEGMENT_SIZE)
  }
  file.close()
  return { bytes: readFileSync(path), content }
}

interface Fetch {
  readonly start: number
  readonly end: number
}

/** A source in memory that takes down what was fetched. */
function sourceOf(bytes: Uint8Array): ByteSource & { readonly fetches: Fetch[] } {
  const fetches: Fetch[] = []
  return {
    fetches,
    size: bytes.length,
    name: 'memory',
    readAt(position, length) {
      expect(position >= 0 && length > 0 && position + length <= bytes.length).toBe(true)
      fetches.push({ start: position, end: position + length })
      return bytes.subarray(position, position + length)
    },
  }
}

function merge(fetches: readonly Fetch[]): Fetch[] {
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of [...fetches].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(end, last.end)
    else merged.push({ start, end })
  }
  return merged
}

describe('a file that is not on a disk', () => {
  test('is read at any position', async () => {
    const random = new SeededRandom(1)
    for (const { bytes, content } of [{ bytes: bytesOf(CONTENT), content: CONTENT }, pendingBytes()]) {
      const file = await EncryptedFile.fromSource(sourceOf(bytes), OPTIONS)
      expect((await file.stat()).size).toBe(content.length)
      expect((await file.stat()).isFile()).toBe(true)
      for (let i = 0; i < 100; i++) {
        const position = random.int(0, content.length + 10)
        const buffer = Buffer.alloc(random.int(1, 3 * SEGMENT_SIZE))
        const { bytesRead } = await file.read({ buffer, position })
        expect(buffer.subarray(0, bytesRead).equals(content.subarray(position, position + buffer.length))).toBe(true)
      }
      expect(await file.readFile()).toEqual(content)
      expect((await file.verify()).ok).toBe(true)
      await file.close()
    }
  })

  test('is fetched no further than a read needs: what ciphertextRange says, in one piece where it lies together', async () => {
    const random = new SeededRandom(2)
    for (const { bytes, content } of [{ bytes: bytesOf(CONTENT), content: CONTENT }, pendingBytes()]) {
      for (let i = 0; i < 60; i++) {
        const source = sourceOf(bytes)
        const file = await EncryptedFile.fromSource(source, OPTIONS)
        const opened = source.fetches.splice(0)
        expect(opened[0]).toEqual({ start: 0, end: HEADER })
        expect(opened.length).toBeLessThanOrEqual(2)
        const start = random.int(0, content.length)
        const buffer = Buffer.alloc(random.int(1, 6 * SEGMENT_SIZE))
        const { bytesRead } = await file.read({ buffer, position: start })
        const expected = ciphertextRange(await file.info(), start, start + bytesRead)
        expect(merge(source.fetches)).toEqual(expected)
        const pending = (await file.info()).pending.length
        expect(source.fetches.length).toBeLessThanOrEqual(1 + 2 * pending)
        await file.close()
      }
    }
  })

  test('is fetched once where a reader stays in one place', async () => {
    const source = sourceOf(bytesOf(CONTENT))
    const file = await EncryptedFile.fromSource(source, OPTIONS)
    source.fetches.length = 0
    for (let i = 0; i < 10; i++) await file.read({ buffer: Buffer.alloc(100), position: SEGMENT_SIZE + i })
    expect(source.fetches.length).toBe(1)
    await file.close()
  })

  test('may be a stream container, a Blob, and empty', async () => {
    const blob = new Blob([buildStreamFile(CONTENT, OPTIONS)])
    const source: ByteSource = {
      size: blob.size,
      readAt: async (position, length) => new Uint8Array(await blob.slice(position, position + length).arrayBuffer()),
    }
    const file = await EncryptedFile.fromSource(source, OPTIONS)
    expect(await file.readFile()).toEqual(CONTENT)
    await file.close()
    const empty = await EncryptedFile.fromSource(sourceOf(bytesOf(Buffer.alloc(0))), OPTIONS)
    expect(await empty.readFile()).toEqual(Buffer.alloc(0))
    await empty.close()
  })

  test('streams, and tells its source that it is closed', async () => {
    let closed = 0
    const source: ByteSource = {
      ...sourceOf(bytesOf(CONTENT)),
      close: () => {
        closed++
      },
    }
    const file = await EncryptedFile.fromSource(source, OPTIONS)
    const pieces: Buffer[] = []
    for await (const piece of file.createReadStream({ start: 5_000, end: 30_000 })) pieces.push(piece as Buffer)
    expect(Buffer.concat(pieces)).toEqual(CONTENT.subarray(5_000, 30_001))
    expect(closed).toBe(1)
  })

  test('is authenticated like any other', async () => {
    const bytes = bytesOf(CONTENT)
    bytes[HEADER + 3 * (SEGMENT_SIZE + 28) + 40]! ^= 1
    const file = await EncryptedFile.fromSource(sourceOf(bytes), OPTIONS)
    const read = file.read({ buffer: Buffer.alloc(10), position: 3 * SEGMENT_SIZE })
    await expect(read).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3, path: 'memory' }))
    expect((await file.read({ buffer: Buffer.alloc(10), position: 0 })).bytesRead).toBe(10)
    await file.close()
    await expect(EncryptedFile.fromSource(sourceOf(bytes.subarray(0, 500)), OPTIONS)).rejects.toEqual(
      sealfileError('ERR_SEALFILE_TRUNCATED'),
    )
    await expect(EncryptedFile.fromSource(sourceOf(Buffer.alloc(0)), OPTIONS)).rejects.toEqual(
      sealfileError('ERR_SEALFILE_FORMAT', { path: 'memory' }),
    )
  })

  test('passes on what its source throws', async () => {
    const bytes = bytesOf(CONTENT)
    let fails = false
    const source: ByteSource = {
      size: bytes.length,
      readAt: (position, length) => {
        if (fails) throw new Error('503')
        return bytes.subarray(position, position + Math.min(length, 1_000)) // short reads are gone on with
      },
    }
    const file = await EncryptedFile.fromSource(source, OPTIONS)
    expect((await file.read({ buffer: Buffer.alloc(9_000), position: 0 })).bytesRead).toBe(9_000)
    fails = true
    await expect(file.read({ buffer: Buffer.alloc(10), position: 40_000 })).rejects.toThrow('503')
    fails = false
    expect((await file.read({ buffer: Buffer.alloc(10), position: 40_000 })).bytesRead).toBe(10)
    await file.close()
  })

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['no size', { readAt: () => new Uint8Array() }, 'ERR_INVALID_ARG_TYPE'],
    ['a size that is none', { size: -1, readAt: () => new Uint8Array() }, 'ERR_OUT_OF_RANGE'],
    ['no readAt', { size: 10 }, 'ERR_INVALID_ARG_TYPE'],
    ['a name that is none', { size: 10, readAt: () => new Uint8Array(), name: 5 }, 'ERR_INVALID_ARG_TYPE'],
    ['text for bytes', { size: 10, readAt: () => 'text' }, 'ERR_INVALID_ARG_TYPE'],
    ['more bytes than it was asked for', { size: 10, readAt: () => new Uint8Array(11) }, 'ERR_OUT_OF_RANGE'],
  ])('is not %s', async (_, source, code) => {
    await expect(EncryptedFile.fromSource(source as ByteSource, OPTIONS)).rejects.toMatchObject({ code })
  })

  test('is not written', async () => {
    const file = await EncryptedFile.fromSource(sourceOf(bytesOf(CONTENT)), OPTIONS)
    await expect(file.write('x')).rejects.toMatchObject({ code: 'EBADF' })
    await expect(file.truncate(0)).rejects.toMatchObject({ code: 'EINVAL' })
    await expect(file.chmod(0o600)).rejects.toMatchObject({ code: 'EROFS' })
    await file.sync()
    await file.close()
  })
})

describe('behind HTTP', () => {
  const files = new Map<string, Buffer>()
  const requests: string[] = []
  let server: Server
  let base: string

  beforeAll(async () => {
    server = createServer((request, response) => {
      const body = files.get(request.url!)
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      requests.push(`${request.method} ${request.headers.range ?? 'all'}`)
      if (body === undefined) response.writeHead(404).end()
      else if (request.method === 'HEAD') response.writeHead(200, { 'content-length': body.length }).end()
      else if (start === undefined) response.writeHead(200).end(body)
      else response.writeHead(206).end(body.subarray(Number(start), Number(end) + 1))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  async function openUrl(url: string): Promise<EncryptedFile> {
    const head = await fetch(url, { method: 'HEAD' })
    const readAt = async (position: number, length: number): Promise<Uint8Array> => {
      const response = await fetch(url, { headers: { range: `bytes=${position}-${position + length - 1}` } })
      if (response.status !== 206) throw new Error(`${url}: ${response.status}`)
      return new Uint8Array(await response.arrayBuffer())
    }
    return EncryptedFile.fromSource({ size: Number(head.headers.get('content-length')), readAt, name: url }, OPTIONS)
  }

  test('a large file is read by Range, and only what is needed comes over the wire', async () => {
    const path = freshPath()
    const content = patternBytes(3 * 2 ** 20)
    writeEncrypted(path, content, { segmentSize: 65_536 })
    files.set('/large', readFileSync(path))
    const file = await openUrl(`${base}/large`)
    requests.length = 0
    const buffer = Buffer.alloc(100)
    await file.read({ buffer, position: 2_000_000 })
    expect(buffer).toEqual(content.subarray(2_000_000, 2_000_100))
    const segment = Math.floor(2_000_000 / 65_536)
    const start = HEADER + segment * (65_536 + 28)
    expect(requests).toEqual([`GET bytes=${start}-${start + 65_536 + 28 - 1}`])
    expect((await file.readFile()).equals(content)).toBe(true)
    await file.close()
  })

  test('what ciphertextRange names is enough to read a part, fetched by somebody else', async () => {
    const path = freshPath()
    writeEncrypted(path, CONTENT)
    const bytes = readFileSync(path)
    files.set('/part', bytes)
    const whole = await openUrl(`${base}/part`)
    const [range, ...others] = ciphertextRange(await whole.info(), 30_000, 40_000)
    await whole.close()
    expect(others).toEqual([])
    const part = Buffer.alloc(bytes.length)
    bytes.copy(part, 0, 0, HEADER)
    const response = await fetch(`${base}/part`, { headers: { range: `bytes=${range!.start}-${range!.end - 1}` } })
    Buffer.from(await response.arrayBuffer()).copy(part, range!.start)
    const file = await EncryptedFile.fromSource(sourceOf(part), OPTIONS)
    const buffer = Buffer.alloc(10_000)
    expect((await file.read({ buffer, position: 30_000 })).bytesRead).toBe(10_000)
    expect(buffer).toEqual(CONTENT.subarray(30_000, 40_000))
    await file.close()
  })

  test('a server that fails is an error, and not a short file', async () => {
    const path = freshPath()
    writeEncrypted(path, CONTENT)
    files.set('/gone', readFileSync(path))
    const file = await openUrl(`${base}/gone`)
    files.delete('/gone')
    await expect(file.readFile()).rejects.toThrow('404')
    await file.close()
  })
})

describe('ciphertextRange', () => {
  const info = async (bytes: Uint8Array): Promise<FileInfo> => {
    const path = freshPath()
    writeFileSync(path, bytes)
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    return await file.info()
  }

  test('names the segments that hold a range', async () => {
    const whole = await info(bytesOf(CONTENT))
    const stride = SEGMENT_SIZE + 28
    expect(ciphertextRange(whole, 0, 1)).toEqual([{ start: HEADER, end: HEADER + stride }])
    expect(ciphertextRange(whole, SEGMENT_SIZE - 1, SEGMENT_SIZE + 1)).toEqual([{ start: HEADER, end: HEADER + 2 * stride }])
    expect(ciphertextRange(whole, SEGMENT_SIZE, SEGMENT_SIZE)).toEqual([])
    expect(ciphertextRange(whole, 0, Number.MAX_SAFE_INTEGER)).toEqual([{ start: HEADER, end: HEADER + CONTENT.length + 21 * 28 }])
    expect(ciphertextRange(whole, CONTENT.length, CONTENT.length + 10)).toEqual([])
    const stream = await info(buildStreamFile(CONTENT, OPTIONS))
    expect(ciphertextRange(stream, 0, 1)).toEqual([{ start: 288, end: 288 + SEGMENT_SIZE + 16 }])
    expect(ciphertextRange(stream, CONTENT.length - 1, CONTENT.length)).toEqual([
      { start: 288 + 20 * (SEGMENT_SIZE + 16), end: 288 + CONTENT.length + 21 * 16 },
    ])
  })

  test('names segments where they wait, too', async () => {
    const { bytes } = pendingBytes()
    const pending = await info(bytes)
    expect(pending.pending.map(({ segment }) => segment).sort((a, b) => a - b)).toEqual([2, 3, 9, 20])
    const [first, second, ...others] = ciphertextRange(pending, SEGMENT_SIZE, 4 * SEGMENT_SIZE)
    expect(others).toEqual([])
    expect(first).toEqual({ start: HEADER + SEGMENT_SIZE + 28, end: HEADER + 2 * (SEGMENT_SIZE + 28) })
    expect(second!.end - second!.start).toBe(2 * SEGMENT_SIZE)
  })

  test.each([
    [-1, 5, 'ERR_OUT_OF_RANGE'],
    [0, 1.5, 'ERR_OUT_OF_RANGE'],
    [5, 4, 'ERR_OUT_OF_RANGE'],
    ['0', 5, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %o to %o', async (start, end, code) => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    appendEncrypted(path, ' and more')
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    const whole = await file.info()
    expect(errorOf(() => ciphertextRange(whole, start as number, end))).toMatchObject({ code })
  })
})

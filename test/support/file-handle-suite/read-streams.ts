import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { ReadStream } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { CONTENT, expectBytes, readTen, rejection, type Subject } from './subject.js'
import { closeOf, collect, EventLog, settled, streamRefusal } from './stream-support.js'

/** `createReadStream`. */
export function readStreamTests(subject: Subject): void {
  describe('a read stream', () => {
    contentTests(subject)
    endingTests(subject)
    refusalTests(subject)
  })
}

function contentTests({ opened, updating, withHandle, fileOf }: Subject): void {
  test('is a ReadStream of the whole file', async () => {
    const handle = await opened('r')
    const { fd } = handle
    const stream = handle.createReadStream()
    expect(stream).toBeInstanceOf(ReadStream)
    expect((stream as unknown as { fd: number }).fd).toBe(fd)
    expect(stream.path).toBeUndefined()
    expect(stream.pending).toBe(false)
    expectBytes(await collect(stream), CONTENT)
    expect(stream.bytesRead).toBe(10_000)
  })

  test.each<[object, number, number]>([
    [{ start: 0 }, 0, 10_000],
    [{ start: 4_000 }, 4_000, 10_000],
    [{ start: 0, end: 0 }, 0, 1],
    [{ start: 4_000, end: 8_200 }, 4_000, 8_201],
    [{ start: 4_096, end: 8_191 }, 4_096, 8_192],
    [{ start: 9_999, end: 9_999 }, 9_999, 10_000],
    [{ start: 9_000, end: 20_000 }, 9_000, 10_000],
    [{ start: 9_000, end: Infinity }, 9_000, 10_000],
    [{ start: 10_000 }, 10_000, 10_000],
    [{ start: 2 ** 40 }, 10_000, 10_000],
  ])('with %j reads from %i to %i, and leaves the position', async (settings, from, to) => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ ...settings, autoClose: false })
    expectBytes(await collect(stream), CONTENT.subarray(from, to))
    expect(stream.bytesRead).toBe(to - from)
    expect(await readTen(handle)).toBe(0)
    await handle.close()
  })

  test('without a start reads from the position, and moves it', async () => {
    const handle = await opened('r')
    await handle.read(Buffer.alloc(100))
    expectBytes(await collect(handle.createReadStream({ end: 9, autoClose: false })), CONTENT.subarray(100, 110))
    expect(await readTen(handle)).toBe(110)
    expectBytes(await collect(handle.createReadStream({ autoClose: false })), CONTENT.subarray(120))
    expectBytes(await collect(handle.createReadStream()), Buffer.alloc(0))
  })

  test('comes in chunks of highWaterMark at most', async () => {
    const handle = await opened('r')
    const lengths: number[] = []
    for await (const chunk of handle.createReadStream({ highWaterMark: 3_000 })) lengths.push((chunk as Buffer).length)
    expect(lengths).toEqual([3_000, 3_000, 3_000, 1_000])
  })

  test('is text where it has an encoding, and keeps characters whole', async () => {
    const text = 'aüЖ語😀'.repeat(100)
    for (const settings of [
      { encoding: 'utf8', highWaterMark: 7 },
      { encoding: 'hex', highWaterMark: 7 },
    ] as const) {
      const handle = await opened('r', text)
      const chunks: unknown[] = []
      for await (const chunk of handle.createReadStream(settings)) chunks.push(chunk)
      expect(chunks.every((chunk) => typeof chunk === 'string')).toBe(true)
      expect(chunks.join('')).toBe(Buffer.from(text).toString(settings.encoding))
    }
  })

  test('takes an encoding later', async () => {
    const handle = await opened('r', 'grüße')
    let text = ''
    for await (const chunk of handle.createReadStream({ highWaterMark: 3 }).setEncoding('utf8')) text += chunk as string
    expect(text).toBe('grüße')
  })

  test('is read by and by', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ highWaterMark: 1_000 })
    const pieces: Buffer[] = []
    stream.on('readable', () => {
      for (let piece = stream.read(700) as Buffer | null; piece !== null; piece = stream.read(700) as Buffer | null)
        pieces.push(piece)
    })
    await once(stream, 'end')
    expectBytes(Buffer.concat(pieces), CONTENT)
    expect(pieces.slice(0, -1).every(({ length }) => length === 700)).toBe(true)
  })

  test('waits where it is paused', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ highWaterMark: 1_000 })
    const chunks: Buffer[] = []
    stream.on('data', (chunk) => {
      chunks.push(chunk as Buffer)
      stream.pause()
    })
    await once(stream, 'data')
    await settled()
    expect(chunks.length).toBe(1)
    stream.on('pause', () => setImmediate(() => stream.resume()))
    stream.resume()
    await once(stream, 'end')
    expectBytes(Buffer.concat(chunks), CONTENT)
  })

  test('of an empty file ends at once', async () => {
    const handle = await opened('r', '')
    const stream = handle.createReadStream()
    expectBytes(await collect(stream), Buffer.alloc(0))
    expect(stream.bytesRead).toBe(0)
  })

  test('has what was just written', async () => {
    await updating(async (handle) => {
      await handle.write('abc', 4_095)
      const stream = handle.createReadStream({ start: 4_090, end: 4_099, autoClose: false })
      expect((await collect(stream)).subarray(5, 8).toString()).toBe('abc')
    })
  })

  test('follows others on one handle', async () => {
    const handle = await opened('r')
    const windows = [
      [0, 10],
      [5_000, 9_000],
      [1, 10_000],
      [9_990, 10_000],
    ] as const
    for (const [start, end] of windows) {
      const stream = handle.createReadStream({ start, end: end - 1, autoClose: false })
      expectBytes(await collect(stream), CONTENT.subarray(start, end))
    }
    const all = windows.map(([start, end]) =>
      collect(handle.createReadStream({ start, end: end - 1, autoClose: false, highWaterMark: 777 })),
    )
    expect(await Promise.all(all)).toEqual(windows.map(([start, end]) => CONTENT.subarray(start, end)))
    await handle.close()
  })

  test('is piped', async () => {
    const path = await fileOf(CONTENT)
    const chunks: Buffer[] = []
    const sink = new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(chunk)
        setImmediate(done)
      },
    })
    await withHandle(path, 'r', (handle) =>
      pipeline(handle.createReadStream({ highWaterMark: 500 }), createGzip(), createGunzip(), sink),
    )
    expectBytes(Buffer.concat(chunks), CONTENT)
    await withHandle(path, 'r', async (handle) => {
      const through = handle.createReadStream({ highWaterMark: 500 }).pipe(new PassThrough({ highWaterMark: 100 }))
      expectBytes(await collect(through), CONTENT)
    })
  })
}

function endingTests({ opened }: Subject): void {
  test('closes its handle at its end', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream()
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.resume()
    await once(stream, 'close')
    expect(log.seen).toEqual(['stream end', 'handle close', 'stream close'])
    expect(handle.fd).toBe(-1)
    expect(stream.destroyed).toBe(true)
    await expect(handle.close()).resolves.toBeUndefined()
  })

  test('leaves its handle open where autoClose is false', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ autoClose: false })
    const log = new EventLog()
    log.watchBoth(handle, stream)
    await collect(stream)
    await settled()
    expect(log.seen).toEqual(['stream end'])
    expect(await readTen(handle, 50)).toBe(50)
    await handle.close()
    expect(log.seen).toEqual(['stream end', 'handle close', 'stream close'])
    expect(handle.fd).toBe(-1)
  })

  test('does not say that it is closed where emitClose is false', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ emitClose: false })
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.resume()
    await once(stream, 'end')
    await handle.close()
    await settled()
    expect(log.seen).toEqual(['stream end', 'handle close'])
    expect(handle.fd).toBe(-1)
  })

  test('ends with its handle', async () => {
    for (const settings of [{}, { autoClose: false }]) {
      const handle = await opened('r')
      const stream = handle.createReadStream(settings)
      const log = new EventLog()
      log.watchBoth(handle, stream)
      const closing = handle.close().then(() => log.seen.push('closed'))
      log.seen.push('called')
      await closing
      expect(log.seen).toEqual(['handle close', 'called', 'stream close', 'closed'])
      expect(stream.destroyed).toBe(true)
      expect(handle.fd).toBe(-1)
    }
  })

  test('ends with its handle in the middle of a read', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream({ highWaterMark: 1_000 })
    const chunks: Buffer[] = []
    stream.on('data', (chunk) => chunks.push(chunk as Buffer))
    await once(stream, 'data')
    const closed = once(stream, 'close')
    await handle.close()
    await closed
    const read = Buffer.concat(chunks)
    expectBytes(read, CONTENT.subarray(0, read.length))
    expect(stream.readableEnded).toBe(false)
    expect(handle.fd).toBe(-1)
  })

  test('closes its handle where it is left before its end, whatever autoClose says', async () => {
    for (const settings of [{ highWaterMark: 1_000 }, { highWaterMark: 1_000, autoClose: false }]) {
      const handle = await opened('r')
      const stream = handle.createReadStream(settings)
      const closed = closeOf(stream)
      for await (const chunk of stream) {
        expectBytes(chunk as Buffer, CONTENT.subarray(0, 1_000))
        break
      }
      await closed
      expect(stream.destroyed).toBe(true)
      expect(handle.fd).toBe(-1)
    }
  })

  test('closes its handle where it is destroyed, with an error or without', async () => {
    for (const error of [undefined, new Error('enough')]) {
      const handle = await opened('r')
      const stream = handle.createReadStream()
      const log = new EventLog()
      log.watchBoth(handle, stream)
      const closed = closeOf(stream)
      stream.destroy(error)
      await closed
      expect(log.seen).toEqual(['handle close', ...(error === undefined ? [] : ['stream error: enough']), 'stream close'])
      expect(handle.fd).toBe(-1)
    }
  })

  test('closes its handle where it is closed', async () => {
    const handle = await opened('r')
    const stream = handle.createReadStream()
    await new Promise<unknown>((resolve) => stream.close(resolve))
    expect(handle.fd).toBe(-1)
  })

  test('fails, and closes its handle, where the handle does not read', async () => {
    for (const flags of ['w', 'a']) {
      const handle = await opened(flags)
      const stream = handle.createReadStream()
      const refused = { code: 'EBADF', syscall: 'read', message: 'EBADF: bad file descriptor, read' }
      expect(await rejection(() => collect(stream))).toMatchObject(refused)
      await handle.close()
      expect(handle.fd).toBe(-1)
    }
  })

  test('is aborted by its signal, before and meanwhile', async () => {
    for (const isBefore of [true, false]) {
      const handle = await opened('r')
      const controller = new AbortController()
      if (isBefore) controller.abort('reason')
      const stream = handle.createReadStream({ signal: controller.signal, highWaterMark: 1_000 })
      const end = rejection(() => finished(stream.resume()))
      if (!isBefore) stream.once('data', () => controller.abort('reason'))
      expect(await end).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
      await handle.close()
      expect(handle.fd).toBe(-1)
    }
  })

  test('is not aborted by a signal that says nothing', async () => {
    const handle = await opened('r')
    const { signal } = new AbortController()
    expectBytes(await collect(handle.createReadStream({ signal })), CONTENT)
  })
}

function refusalTests(subject: Subject): void {
  test.each<[string, unknown, string]>([
    ['a negative start', { start: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a broken start', { start: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ['text for a start', { start: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['null for a start', { start: null }, 'ERR_INVALID_ARG_TYPE'],
    ['a bigint for a start', { start: 1n }, 'ERR_INVALID_ARG_TYPE'],
    ['a negative end', { end: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a broken end', { end: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ['text for an end', { end: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['a start behind the end', { start: 5, end: 4 }, 'ERR_OUT_OF_RANGE'],
    ['a negative highWaterMark', { highWaterMark: -1 }, 'ERR_INVALID_ARG_VALUE'],
    ['text for a highWaterMark', { highWaterMark: 'x' }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown encoding', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
    ['a signal that is none', { signal: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ])('does not take %s', async (_, settings, code) => {
    expect((await streamRefusal(subject, (handle) => handle.createReadStream(settings))).code).toBe(code)
  })

  test.each([
    [undefined],
    [null],
    [{}],
    ['utf8'],
    [{ start: undefined, end: undefined, highWaterMark: undefined, encoding: null }],
  ])('takes %j for its defaults', async (settings) => {
    const handle = await subject.opened('r')
    expectBytes(await collect(handle.createReadStream(settings)), CONTENT)
  })
}

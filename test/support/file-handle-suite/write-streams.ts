import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { WriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { patternBytes } from '../encrypted-files.js'
import { CONTENT, contentWith, expectBytes, readTen, rejection, type Subject } from './subject.js'
import { closeOf, EventLog, settled, streamRefusal } from './stream-support.js'

/** `createWriteStream`. */
export function writeStreamTests(subject: Subject): void {
  describe('a write stream', () => {
    contentTests(subject)
    endingTests(subject)
    refusalTests(subject)
  })
}

/** Lets what was finished without autoClose let go of its handle: Node's handle waits for it. */
const letGo = (...streams: readonly WriteStream[]): void => {
  for (const stream of streams) stream.destroy()
}

function contentTests({ open, freshPath, fileOf, opened, contentOf, textOf, writing, updating }: Subject): void {
  test('is a WriteStream', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const { fd } = handle
    const stream = handle.createWriteStream()
    expect(stream).toBeInstanceOf(WriteStream)
    expect((stream as unknown as { fd: number }).fd).toBe(fd)
    expect(stream.path).toBeUndefined()
    expect(stream.pending).toBe(false)
    stream.write('abc')
    stream.write(Buffer.from('def'))
    stream.write(new Uint8Array([103]))
    stream.write('6869', 'hex')
    stream.end('jé')
    await finished(stream)
    expect(stream.bytesWritten).toBe(12)
    expect(await textOf(path)).toBe('abcdefghijé')
  })

  test('with a start writes there, and leaves the position', async () => {
    const content = await updating(async (handle) => {
      const stream = handle.createWriteStream({ start: 4_090, autoClose: false })
      stream.write('0123456789')
      stream.end('abc')
      await finished(stream)
      expect(await readTen(handle)).toBe(0)
      letGo(stream)
    })
    expectBytes(content, contentWith([4_090, '0123456789abc']))
  })

  test('with a start behind the end leaves zeros between', async () => {
    const content = await updating(async (handle) => {
      const stream = handle.createWriteStream({ start: 15_000 })
      await finished(stream.end('abc'))
    })
    expectBytes(content, contentWith([15_000, 'abc']))
  })

  test('without a start writes from the position, and moves it', async () => {
    const content = await updating(async (handle) => {
      await handle.read(Buffer.alloc(100))
      const stream = handle.createWriteStream({ autoClose: false })
      stream.write('abc')
      await finished(stream.end('def'))
      expect(await readTen(handle)).toBe(106)
      await handle.write('ghi')
      letGo(stream)
    })
    expectBytes(content, contentWith([100, 'abcdef'], [116, 'ghi']))
  })

  test('appends, whatever its start, where the handle appends', async () => {
    const content = await updating((handle) => finished(handle.createWriteStream({ start: 5 }).end('abc')), 'a')
    expectBytes(content, contentWith([10_000, 'abc']))
  })

  test('takes text in its encoding', async () => {
    const text = await writing(async (handle) => {
      const stream = handle.createWriteStream({ encoding: 'hex' })
      stream.write('6162')
      stream.write('cd', 'utf8')
      stream.setDefaultEncoding('base64')
      await finished(stream.end('ZWY='))
    })
    expect(text).toBe('abcdef')
  })

  test('asks for a pause where more waits than highWaterMark', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream({ highWaterMark: 1_000 })
    expect(stream.writableHighWaterMark).toBe(1_000)
    expect(stream.write(Buffer.alloc(999, 'a'))).toBe(true)
    expect(stream.write('b')).toBe(false)
    expect(stream.writableNeedDrain).toBe(true)
    await once(stream, 'drain')
    expect(stream.write('c')).toBe(true)
    await finished(stream.end())
    expect(await textOf(path)).toBe(`${'a'.repeat(999)}bc`)
  })

  test('calls back in order', async () => {
    const seen: unknown[] = []
    const text = await writing(async (handle) => {
      const stream = handle.createWriteStream()
      for (let i = 0; i < 5; i++) stream.write(String(i), (error) => seen.push(error ?? i))
      await new Promise<void>((resolve) => {
        stream.end('end', () => {
          seen.push('end')
          resolve()
        })
      })
    })
    expect(seen).toEqual([0, 1, 2, 3, 4, 'end'])
    expect(text).toBe('01234end')
  })

  test('writes what was held together', async () => {
    const pieces = Array.from({ length: 300 }, (_, i) => patternBytes(50, i))
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream()
    stream.cork()
    for (const piece of pieces) stream.write(piece)
    expect(stream.bytesWritten).toBe(0)
    stream.uncork()
    await finished(stream.end())
    expect(stream.bytesWritten).toBe(15_000)
    expectBytes(await contentOf(path), Buffer.concat(pieces))
  })

  test('follows others on one handle', async () => {
    const content = await updating(async (handle) => {
      const streams = []
      for (const [start, text] of [
        [9_998, 'abcd'],
        [0, 'ef'],
        [undefined, 'gh'],
        [undefined, 'ij'],
      ] as const) {
        const stream = handle.createWriteStream({ start, autoClose: false })
        await finished(stream.end(text))
        streams.push(stream)
      }
      letGo(...streams)
    })
    expectBytes(content, contentWith([9_998, 'abcd'], [0, 'ghij']))
  })

  test('has written, when it has finished, what another handle reads', async () => {
    const path = await fileOf(CONTENT)
    const handle = await open(path, 'r+')
    const stream = handle.createWriteStream({ start: 10_000, autoClose: false })
    stream.end('abc')
    await once(stream, 'finish')
    expectBytes(await contentOf(path), contentWith([10_000, 'abc']))
    letGo(stream)
    await handle.close()
  })

  test.each([true, false])('with flush: %j', async (flush) => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream({ flush })
    stream.write('abc')
    await finished(stream.end())
    expect(await textOf(path)).toBe('abc')
  })

  test('is piped to', async () => {
    const path = freshPath()
    const pieces = Array.from({ length: 40 }, (_, i) => patternBytes(1_000, i))
    const handle = await open(path, 'w')
    await pipeline(Readable.from(pieces), createGzip(), createGunzip(), handle.createWriteStream({ highWaterMark: 500 }))
    expectBytes(await contentOf(path), Buffer.concat(pieces))
    expect(handle.fd).toBe(-1)
  })

  test('copies a file', async () => {
    const [source, path] = [await opened('r'), freshPath()]
    const target = await open(path, 'w')
    await pipeline(source.createReadStream({ highWaterMark: 900 }), target.createWriteStream())
    expectBytes(await contentOf(path), CONTENT)
    expect([source.fd, target.fd]).toEqual([-1, -1])
  })

  test('keeps what came before a pipeline failed', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    async function* failing(): AsyncGenerator<string> {
      yield 'abc'
      await settled()
      throw new Error('no more')
    }
    expect((await rejection(() => pipeline(failing, handle.createWriteStream()))).message).toBe('no more')
    await handle.close()
    expect(handle.fd).toBe(-1)
    expect(await textOf(path)).toBe('abc')
  })
}

function endingTests({ open, freshPath, opened, textOf }: Subject): void {
  test('closes its handle when it has finished', async () => {
    const handle = await open(freshPath(), 'w')
    const stream = handle.createWriteStream()
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.end('abc')
    await once(stream, 'close')
    expect(log.seen).toEqual(['stream finish', 'handle close', 'stream close'])
    expect(handle.fd).toBe(-1)
  })

  test('leaves its handle open where autoClose is false', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream({ autoClose: false })
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.end('abc')
    await once(stream, 'finish')
    await settled()
    expect(log.seen).toEqual(['stream finish'])
    await handle.write('def')
    expect((await handle.stat()).size).toBe(6)
    const closed = once(stream, 'close')
    letGo(stream)
    await closed
    expect(log.seen).toEqual(['stream finish', 'handle close', 'stream close'])
    expect(handle.fd).toBe(-1)
    expect(await textOf(path)).toBe('abcdef')
  })

  test('does not say that it is closed where emitClose is false', async () => {
    const handle = await open(freshPath(), 'w')
    const stream = handle.createWriteStream({ emitClose: false })
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.end('abc')
    await once(stream, 'finish')
    await handle.close()
    await settled()
    expect(log.seen).toEqual(['stream finish', 'handle close'])
    expect(handle.fd).toBe(-1)
  })

  test('is ended by its handle, and all of it is written', async () => {
    for (const settings of [{}, { autoClose: false }]) {
      const path = freshPath()
      const handle = await open(path, 'w')
      const stream = handle.createWriteStream(settings)
      const log = new EventLog()
      log.watchBoth(handle, stream)
      stream.write('abc', () => log.seen.push('written'))
      stream.write('def')
      const closing = handle.close().then(() => log.seen.push('closed'))
      log.seen.push('called')
      await closing
      expect(log.seen).toEqual(['handle close', 'called', 'written', 'stream finish', 'stream close', 'closed'])
      expect(handle.fd).toBe(-1)
      expect(await textOf(path)).toBe('abcdef')
    }
  })

  test('is ended by its handle, though nothing was written', async () => {
    const handle = await open(freshPath(), 'w')
    const stream = handle.createWriteStream()
    await handle.close()
    expect(stream.destroyed).toBe(true)
    expect(stream.writableFinished).toBe(true)
    expect(handle.fd).toBe(-1)
  })

  test('closes its handle where it is destroyed, with an error or without', async () => {
    for (const error of [undefined, new Error('enough')]) {
      const handle = await open(freshPath(), 'w')
      const stream = handle.createWriteStream()
      const log = new EventLog()
      log.watchBoth(handle, stream)
      const closed = closeOf(stream)
      stream.destroy(error)
      await closed
      expect(log.seen).toEqual(['handle close', ...(error === undefined ? [] : ['stream error: enough']), 'stream close'])
      expect(handle.fd).toBe(-1)
      expect(stream.writableFinished).toBe(false)
    }
  })

  test('destroyed in the middle of a write: what waits is not written, and says so', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream()
    await settled()
    const codes: unknown[] = []
    stream.write('abc', (error) => codes.push((error as NodeJS.ErrnoException | null | undefined)?.code))
    stream.write('def', (error) => codes.push((error as NodeJS.ErrnoException | null | undefined)?.code))
    const closed = closeOf(stream)
    stream.on('error', (error: NodeJS.ErrnoException) => codes.push(`event ${error.code}`))
    stream.destroy()
    await closed
    expect(codes).toEqual(['ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED', 'event ERR_STREAM_DESTROYED'])
    expect(await textOf(path)).toBe('abc')
    expect(handle.fd).toBe(-1)
  })

  test('is closed by close, which waits for all of it', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream()
    stream.write('abc')
    await new Promise<unknown>((resolve) => stream.close(resolve))
    expect(handle.fd).toBe(-1)
    expect(await textOf(path)).toBe('abc')
  })

  test('fails, and closes its handle, where the handle does not write', async () => {
    const handle = await opened('r')
    const stream = handle.createWriteStream()
    const log = new EventLog()
    log.watchBoth(handle, stream)
    stream.write('abc', (error) => log.seen.push(`callback: ${error?.message}`))
    const error = await rejection(() => finished(stream))
    expect(error).toMatchObject({ code: 'EBADF', syscall: 'write', message: 'EBADF: bad file descriptor, write' })
    expect(log.seen).toEqual([
      'callback: EBADF: bad file descriptor, write',
      'handle close',
      'stream error: EBADF: bad file descriptor, write',
      'stream close',
    ])
    expect(handle.fd).toBe(-1)
  })

  test('takes nothing after its end', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    const stream = handle.createWriteStream()
    stream.end('abc')
    const failing = once(stream, 'error')
    stream.write('def')
    expect((await failing)[0]).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' })
    await handle.close()
  })

  test('is aborted by its signal, before and meanwhile', async () => {
    for (const isBefore of [true, false]) {
      const handle = await open(freshPath(), 'w')
      const controller = new AbortController()
      if (isBefore) controller.abort('reason')
      const stream = handle.createWriteStream({ signal: controller.signal })
      const end = rejection(() => finished(stream))
      if (!isBefore) stream.write('abc', () => controller.abort('reason'))
      expect(await end).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
      await handle.close()
      expect(handle.fd).toBe(-1)
    }
  })
}

function refusalTests(subject: Subject): void {
  test.each<[string, unknown, string]>([
    ['a negative start', { start: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a broken start', { start: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ['text for a start', { start: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['null for a start', { start: null }, 'ERR_INVALID_ARG_TYPE'],
    ['a negative highWaterMark', { highWaterMark: -1 }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown encoding', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
    ['a number for flush', { flush: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['a signal that is none', { signal: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ])('does not take %s', async (_, settings, code) => {
    expect((await streamRefusal(subject, (handle) => handle.createWriteStream(settings))).code).toBe(code)
  })

  test('does not take what is neither text nor bytes', async () => {
    const handle = await subject.open(subject.freshPath(), 'w')
    const stream = handle.createWriteStream()
    expect(await rejection(() => stream.write(5))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    expect(await rejection(() => stream.write(null))).toMatchObject({ code: 'ERR_STREAM_NULL_VALUES' })
    await handle.close()
  })
}

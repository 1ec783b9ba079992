import { Buffer } from 'node:buffer'
import type { ReadableStream } from 'node:stream/web'
import { describe, expect, test } from 'vitest'
import type { Handle } from './handle.js'
import { CONTENT, expectBytes, NODE_MAJOR, readTen, rejection, type Subject } from './subject.js'
import { collect, EventLog, settled } from './stream-support.js'

/** In Node 20 only this type is a stream of bytes; later there is no other. */
const BYTES = { type: 'bytes' }

const webStream = (handle: Handle, settings: object = {}): ReadableStream<Uint8Array> =>
  handle.readableWebStream({ ...BYTES, ...settings })

/** `readableWebStream`. Never of a handle that does not read: Node's own would not close any more. */
export function webStreamTests(subject: Subject): void {
  describe('a web stream', () => {
    contentTests(subject)
    endingTests(subject)
    refusalTests(subject)
  })
}

function contentTests({ options, opened, reading }: Subject): void {
  test('has the whole file, in chunks that are Uint8Arrays', () =>
    reading(async (handle) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of webStream(handle)) chunks.push(chunk)
      expect(chunks.every((chunk) => chunk instanceof Uint8Array)).toBe(true)
      expectBytes(Buffer.concat(chunks), CONTENT)
    }))

  test('has all of a long file', async () => {
    const content = Buffer.concat(Array.from({ length: 10 }, () => CONTENT))
    const handle = await opened('r', content)
    expectBytes(await collect(webStream(handle)), content)
    await handle.close()
  })

  test('reads from the position, and moves it', () =>
    reading(async (handle) => {
      await handle.read(Buffer.alloc(9_000))
      expectBytes(await collect(webStream(handle)), CONTENT.subarray(9_000))
      expect((await handle.read(Buffer.alloc(1))).bytesRead).toBe(0)
    }))

  test('of an empty file has no chunk', async () => {
    const handle = await opened('r', '')
    const reader = webStream(handle).getReader()
    expect(await reader.read()).toEqual({ done: true, value: undefined })
    await reader.closed
    await handle.close()
  })

  test('has what was just written', async () => {
    const handle = await opened('r+')
    await handle.write('abc', 9_998)
    expect((await collect(webStream(handle))).subarray(9_998).toString()).toBe('abc')
    await handle.close()
  })

  test('fills the views of a reader that brings its own', () =>
    reading(async (handle) => {
      const reader = webStream(handle).getReader({ mode: 'byob' })
      const chunks: Uint8Array[] = []
      for (const length of [100, 1, 4_096, 10_000, 10]) {
        const { done, value } = await reader.read(new Uint8Array(length))
        if (done) {
          expect(value?.byteLength).toBe(0)
          break
        }
        expect(value.buffer.byteLength).toBe(length)
        chunks.push(value)
      }
      expect(chunks.map(({ length }) => length)).toEqual([100, 1, 4_096, 5_803])
      expectBytes(Buffer.concat(chunks), CONTENT)
      await reader.closed
    }))

  test('fills views of other kinds', () =>
    reading(async (handle) => {
      const reader = webStream(handle).getReader({ mode: 'byob' })
      const words = await reader.read(new Uint16Array(8))
      expect(words.value).toBeInstanceOf(Uint16Array)
      expectBytes(Buffer.from(words.value!.buffer), CONTENT.subarray(0, 16))
      const view = await reader.read(new DataView(new ArrayBuffer(5)))
      expect(view.value).toBeInstanceOf(DataView)
      expectBytes(Buffer.from(view.value!.buffer), CONTENT.subarray(16, 21))
      await reader.cancel()
    }))

  test.skipIf(options.withoutViewOffsets)('fills views that begin within their memory', () =>
    reading(async (handle) => {
      const reader = webStream(handle).getReader({ mode: 'byob' })
      const { value } = await reader.read(new Uint8Array(new ArrayBuffer(100), 30, 20))
      expect([value!.byteOffset, value!.byteLength, value!.buffer.byteLength]).toEqual([30, 20, 100])
      expectBytes(Buffer.from(value!), CONTENT.subarray(0, 20))
      expectBytes(Buffer.from(value!.buffer, 0, 30), Buffer.alloc(30))
      await reader.cancel()
    }),
  )

  test('answers reads that were made together, each in turn', () =>
    reading(async (handle) => {
      const reader = webStream(handle).getReader({ mode: 'byob' })
      const results = await Promise.all(Array.from({ length: 6 }, () => reader.read(new Uint8Array(2_000))))
      expect(results.map(({ done }) => done)).toEqual([false, false, false, false, false, true])
      expectBytes(Buffer.concat(results.slice(0, 5).map(({ value }) => value!)), CONTENT)
    }))

  test('goes through other streams, in two directions, and into a Response', async () => {
    const text = 'grüße '.repeat(2_000)
    for (const use of [
      async (stream: ReadableStream) => {
        let all = ''
        for await (const piece of stream.pipeThrough(new TextDecoderStream())) all += piece
        return all
      },
      async (stream: ReadableStream) => new Response(stream).text(),
      async (stream: ReadableStream) => {
        const [one, other] = stream.tee()
        const [first, second] = await Promise.all([collect(one), collect(other)])
        expectBytes(first, second)
        return first.toString()
      },
    ]) {
      const handle = await opened('r', text)
      expect(await use(webStream(handle))).toBe(text)
      await handle.close()
    }
  })
}

function endingTests({ options, opened, reading }: Subject): void {
  test('leaves its handle open at its end', () =>
    reading(async (handle) => {
      const log = new EventLog()
      log.watch('handle', handle as unknown as NodeJS.EventEmitter, ['close'])
      await collect(webStream(handle))
      await settled()
      expect(log.seen).toEqual([])
      expect(await readTen(handle, 40)).toBe(40)
    }))

  test.skipIf(options.withoutWebStreamOptions)('closes its handle at its end where autoClose is true', async () => {
    const handle = await opened('r')
    const log = new EventLog()
    log.watch('handle', handle as unknown as NodeJS.EventEmitter, ['close'])
    expectBytes(await collect(webStream(handle, { autoClose: true })), CONTENT)
    await settled()
    expect(log.seen).toEqual(['handle close'])
    expect(handle.fd).toBe(-1)
    await expect(handle.close()).resolves.toBeUndefined()
  })

  test.skipIf(options.withoutWebStreamOptions)('closes its handle where it is cancelled and autoClose is true', async () => {
    const handle = await opened('r')
    await webStream(handle, { autoClose: true }).cancel()
    expect(handle.fd).toBe(-1)
  })

  test('leaves its handle open where it is cancelled', () =>
    reading(async (handle) => {
      const reader = webStream(handle).getReader({ mode: 'byob' })
      await reader.read(new Uint8Array(100))
      await expect(reader.cancel('enough')).resolves.toBeUndefined()
      expect((await reader.read(new Uint8Array(5))).done).toBe(true)
      await reader.closed
      expect(await readTen(handle)).toBe(100)
    }))

  test('leaves its handle open where a loop leaves it', () =>
    reading(async (handle) => {
      const stream = webStream(handle)
      for await (const chunk of stream) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect(stream.locked).toBe(false)
      expect(await readTen(handle, 40)).toBe(40)
    }))

  test('ends with its handle, with a reader and without', async () => {
    for (const mode of [undefined, 'default', 'byob'] as const) {
      const handle = await opened('r')
      const stream = webStream(handle)
      const early = mode === undefined ? undefined : mode === 'byob' ? stream.getReader({ mode }) : stream.getReader()
      await handle.close()
      expect(handle.fd).toBe(-1)
      const reader = early ?? stream.getReader()
      await expect(reader.closed).resolves.toBeUndefined()
      expect((await reader.read(new Uint8Array(5))).done).toBe(true)
    }
  })

  test('ends with its handle in the middle of a read', async () => {
    for (const mode of ['default', 'byob'] as const) {
      const handle = await opened('r')
      const stream = webStream(handle)
      const reader = mode === 'byob' ? stream.getReader({ mode }) : stream.getReader()
      const reading = reader.read(new Uint8Array(5))
      await handle.close()
      expect(handle.fd).toBe(-1)
      expect((await reading).done).toBe(true)
      await expect(reader.closed).resolves.toBeUndefined()
    }
  })

  test('that was left unread keeps nothing from closing', async () => {
    const handle = await opened('r')
    const stream = webStream(handle)
    await settled()
    await handle.close()
    expect(handle.fd).toBe(-1)
    expectBytes(await collect(stream), Buffer.alloc(0))
  })
}

function refusalTests({ options, reading, opened, refusal }: Subject): void {
  const locked = { name: 'Error', code: 'ERR_INVALID_STATE', message: 'Invalid state: The FileHandle is locked' }

  test('is the only one of its handle, also when it has ended or was cancelled', async () => {
    await reading(async (handle) => {
      const stream = webStream(handle)
      expect(await rejection(() => webStream(handle))).toMatchObject(locked)
      await collect(stream)
      expect(await rejection(() => webStream(handle))).toMatchObject(locked)
    })
    await reading(async (handle) => {
      await webStream(handle).cancel()
      expect(await rejection(() => webStream(handle))).toMatchObject(locked)
    })
  })

  test('is not given by a handle that is closing', async () => {
    const handle = await opened('r')
    const reading = handle.readFile()
    const closing = handle.close()
    expect(await rejection(() => webStream(handle))).toMatchObject({
      code: 'ERR_INVALID_STATE',
      message: 'Invalid state: The FileHandle is closing',
    })
    await Promise.all([reading, closing])
  })

  test.skipIf(options.withoutWebStreamOptions).each<[string, unknown]>([
    ['null', null],
    ['a number', 5],
    ['text', 'bytes'],
    ['text for autoClose', { type: 'bytes', autoClose: 'true' }],
    ['a number for autoClose', { type: 'bytes', autoClose: 1 }],
  ])('does not take %s', async (_, settings) => {
    // FileHandle has nothing to compare with in Node 20.
    const error = await refusal((handle) => handle.readableWebStream(settings), 'r', CONTENT, NODE_MAJOR >= 22)
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  })
}

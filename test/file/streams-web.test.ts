import { describe, expect, test } from 'vitest'
import { createDecryptTransformStream, createEncryptTransformStream } from '../../src/index.js'
import { buildStreamFile } from '../support/container-parts.js'
import { OPTIONS, patternBytes, sealfileError } from '../support/encrypted-files.js'
import { cut, HEADER_SIZE, passFlowing, STORED } from '../support/piped-bytes.js'

const SEGMENT = 4_096

/** For streams whose end is of no interest. */
const ignore = (): void => undefined

describe('as Web streams', () => {
  const plaintext = patternBytes(3 * SEGMENT + 9)
  const bytes = buildStreamFile(plaintext, OPTIONS)
  const sourceOf = (chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> => ReadableStream.from(chunks)

  test('they stand in pipes', async () => {
    const received: Uint8Array[] = []
    await sourceOf(cut(plaintext, 1_000))
      .pipeThrough(createEncryptTransformStream(OPTIONS))
      .pipeThrough(createDecryptTransformStream(OPTIONS))
      .pipeTo(new WritableStream<Uint8Array>({ write: (piece) => void received.push(piece) }))
    expect(Buffer.concat(received).equals(plaintext)).toBe(true)
    expect(received.every((piece) => piece.constructor === Uint8Array && piece.length > 0)).toBe(true)
  })

  test('no chunk is empty', async () => {
    const { readable, writable } = createDecryptTransformStream(OPTIONS)
    const writer = writable.getWriter()
    const writing = Promise.all([writer.write(buildStreamFile(new Uint8Array(0), OPTIONS)), writer.close()])
    expect(await readable.getReader().read()).toEqual({ done: true, value: undefined })
    await writing
  })

  test('ArrayBuffers and all views of them go in', async () => {
    const source = new Uint8Array(plaintext)
    const chunks = [
      source.buffer.slice(0, 100),
      new DataView(source.buffer, 100, 51),
      source.subarray(151, 152),
      new Uint32Array(source.buffer, 152, 10),
      Buffer.from(source.buffer, 192, source.length - 192),
    ]
    for (const create of [createEncryptTransformStream, createDecryptTransformStream]) {
      const input = create === createEncryptTransformStream ? chunks : [new DataView(new Uint8Array(bytes).buffer)]
      const { readable, writable } = create(OPTIONS)
      const writer = writable.getWriter()
      const writing = Promise.all([...input.map((chunk) => writer.write(chunk)), writer.close()])
      const output = Buffer.from(await new Response(readable).arrayBuffer())
      await writing
      expect(
        (create === createEncryptTransformStream ? (await passFlowing('decrypt', OPTIONS, [output])).output : output).equals(
          plaintext,
        ),
      ).toBe(true)
    }
  })

  test.each(['text', 5, null, undefined, { length: 1 }])('%o does not', async (chunk) => {
    for (const create of [createEncryptTransformStream, createDecryptTransformStream]) {
      const { readable, writable } = create(OPTIONS)
      const reading = readable.getReader().read()
      const writing = writable.getWriter().write(chunk as unknown as Uint8Array)
      await expect(writing).rejects.toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
      await expect(reading).rejects.toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    }
  })

  test('damage rejects reads, writes and pipes', async () => {
    const changed = Buffer.from(bytes)
    changed[HEADER_SIZE + STORED + 5]! ^= 1
    const expected = sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 1 })
    const { readable, writable } = createDecryptTransformStream(OPTIONS)
    const [reader, writer] = [readable.getReader(), writable.getWriter()]
    const first = reader.read()
    await writer.write(changed.subarray(0, HEADER_SIZE + STORED + 1))
    expect((await first).value?.length).toBe(SEGMENT)
    const second = reader.read()
    await expect(writer.write(changed.subarray(HEADER_SIZE + STORED + 1))).rejects.toEqual(expected)
    await expect(second).rejects.toEqual(expected)
    await expect(writer.closed).rejects.toEqual(expected)
    await expect(reader.read()).rejects.toEqual(expected)

    const pipe = sourceOf([changed]).pipeThrough(createDecryptTransformStream(OPTIONS)).pipeTo(new WritableStream())
    await expect(pipe).rejects.toEqual(expected)
  })

  test.each([createEncryptTransformStream, createDecryptTransformStream])('cancelling or aborting ends them', async (create) => {
    const input = create === createEncryptTransformStream ? plaintext : bytes
    const cancelled = create(OPTIONS)
    const writer = cancelled.writable.getWriter()
    const reader = cancelled.readable.getReader()
    void writer.write(input.subarray(0, 5_000))
    expect((await reader.read()).done).toBe(false)
    await reader.cancel(new Error('enough'))
    await expect(writer.write(input)).rejects.toThrow('enough')

    const aborted = create(OPTIONS)
    const reading = aborted.readable.getReader().read()
    await Promise.all([aborted.writable.abort(new Error('no more')), expect(reading).rejects.toThrow('no more')])
  })

  test('a signal of the pipe ends them', async () => {
    const controller = new AbortController()
    const endless = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(plaintext) })
    const encrypted = endless.pipeThrough(createEncryptTransformStream(OPTIONS), { signal: controller.signal })
    let pieces = 0
    const sink = new WritableStream<Uint8Array>({
      write() {
        if (++pieces === 50) controller.abort()
      },
    })
    await expect(encrypted.pipeTo(sink)).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('a slow reader holds the writer back', async () => {
    const { readable, writable } = createEncryptTransformStream(OPTIONS)
    const writer = writable.getWriter()
    let written = 0
    const writing = (async () => {
      for (; written < 100; written++) {
        await writer.ready
        await writer.write(plaintext)
      }
    })()
    writing.catch(ignore)
    const reader = readable.getReader()
    for (let i = 0; i < 3; i++) await reader.read()
    await new Promise(setImmediate)
    expect(written).toBeLessThan(4)
    await reader.cancel()
  })
})

import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CONTENT, contentWith, expectBytes, rejection, type Subject } from './subject.js'

/** Whether the `readFile` of this Node takes a buffer: some of Node 24 and 26 do; the others do not look at the option. */
function knowsBufferOption(): boolean {
  try {
    readFileSync(fileURLToPath(import.meta.url), { buffer: new Uint8Array(0) } as object)
    return false
  } catch {
    return true
  }
}

/** `readFile`, from the position to the end. */
export function readFileTests({ whenAsync, reading, updating, opened, fileOf, withHandle, refusal }: Subject): void {
  describe('readFile', () => {
    const text = 'grüße'
    const bytes = Buffer.from(text)

    test.each([[undefined], [null], [{}], [{ encoding: null }], [{ encoding: undefined }], [''], [{ encoding: '' }]])(
      'returns a Buffer for %j',
      async (settings) => {
        await withHandle(await fileOf(text), 'r', async (handle) => {
          const content = await handle.readFile(settings)
          expect(Buffer.isBuffer(content)).toBe(true)
          expect(content).toEqual(bytes)
        })
      },
    )

    test.each<[unknown, BufferEncoding]>([
      ['utf8', 'utf8'],
      [{ encoding: 'utf-8' }, 'utf8'],
      ['UTF8', 'utf8'],
      ['hex', 'hex'],
      [{ encoding: 'base64' }, 'base64'],
      ['base64url', 'base64url'],
      ['latin1', 'latin1'],
      ['binary', 'latin1'],
      ['ascii', 'ascii'],
      [{ encoding: 'utf16le' }, 'utf16le'],
      ['ucs2', 'utf16le'],
    ])('returns text for %j', async (settings, encoding) => {
      await withHandle(await fileOf(text), 'r', async (handle) =>
        expect(await handle.readFile(settings)).toBe(bytes.toString(encoding)),
      )
    })

    test('keeps a character whole that lies on both sides of a boundary', async () => {
      const long = `x${'üЖ語😀'.repeat(1_000)}`
      await withHandle(await fileOf(long), 'r', async (handle) => expect(await handle.readFile('utf8')).toBe(long))
    })

    test('reads from where the last read ended, and to the end', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(4_500)
        await handle.read(buffer)
        await handle.read(buffer, 0, 10, 9_000)
        expectBytes(await handle.readFile(), CONTENT.subarray(4_500))
        expectBytes(await handle.readFile(), Buffer.alloc(0))
        expect(await handle.readFile('utf8')).toBe('')
        expect((await handle.read(buffer)).bytesRead).toBe(0)
        expect((await handle.read(buffer, 0, 10, 0)).bytesRead).toBe(10)
      }))

    test('returns memory of its own', () =>
      reading(async (handle) => {
        const first = await handle.readFile()
        first.fill(0)
        const buffer = Buffer.alloc(10_000)
        await handle.read(buffer, 0, 10_000, 0)
        expectBytes(buffer, CONTENT)
      }))

    test('reads what was just written, and then from behind it', async () => {
      await updating(async (handle) => {
        await handle.write('abc', 5_000)
        await handle.write('xyz', 10_000)
        expectBytes(await handle.readFile(), contentWith([5_000, 'abc'], [10_000, 'xyz']))
        await handle.write('end')
        expect(await handle.readFile('utf8')).toBe('')
      })
    })

    test('of an empty file is empty', async () => {
      const handle = await opened('r', '')
      expectBytes(await handle.readFile(), Buffer.alloc(0))
      expect(await handle.readFile('utf8')).toBe('')
      await handle.close()
    })

    test.each<[string, unknown, string]>([
      ['an unknown encoding', 'nonsense', 'ERR_INVALID_ARG_VALUE'],
      ['an unknown encoding in options', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
      ['a number as encoding', { encoding: 5 }, 'ERR_INVALID_ARG_VALUE'],
      ['a number', 5, 'ERR_INVALID_ARG_TYPE'],
      ['true', true, 'ERR_INVALID_ARG_TYPE'],
    ])('refuses %s', async (_, settings, code) => {
      expect((await refusal((handle) => handle.readFile(settings), 'r')).code).toBe(code)
    })
  })

  describe('readFile with a signal', () => {
    whenAsync.each(['', 'text'])('gives up where it says so, also on a file of "%s"', async (content) => {
      const read = (await refusal(
        (handle) => handle.readFile({ signal: AbortSignal.abort('reason') }),
        'r',
        content,
      )) as NodeJS.ErrnoException & { cause: unknown }
      expect(read).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason', message: 'The operation was aborted' })
    })

    whenAsync('that said so leaves the position', () =>
      reading(async (handle) => {
        await rejection(() => handle.readFile({ signal: AbortSignal.abort() }))
        expectBytes(await handle.readFile(), CONTENT)
      }),
    )

    whenAsync('gives up where it comes to say so meanwhile', async () => {
      const error = await refusal(async (handle) => {
        const controller = new AbortController()
        const call = handle.readFile({ signal: controller.signal })
        controller.abort(new Error('enough'))
        await call
      }, 'r')
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    })

    whenAsync('reads all where it says nothing, and where it does so later', () =>
      reading(async (handle) => {
        const controller = new AbortController()
        expectBytes(await handle.readFile({ signal: controller.signal }), CONTENT)
        controller.abort()
        expect(await handle.readFile({ encoding: 'utf8', signal: undefined })).toBe('')
      }),
    )

    whenAsync('takes one that is not of this realm', () =>
      reading(async (handle) => {
        expectBytes(await handle.readFile({ signal: { aborted: false } }), CONTENT)
        const error = await rejection(() => handle.readFile({ signal: { aborted: true, reason: 'polyfill' } }))
        expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'polyfill' })
      }),
    )

    whenAsync.each<[string, unknown]>([
      ['a number', 5],
      ['null', null],
      ['an object that is none', {}],
      ['a controller', new AbortController()],
    ])('refuses %s', async (_, signal) => {
      expect((await refusal((handle) => handle.readFile({ signal }), 'r')).code).toBe('ERR_INVALID_ARG_TYPE')
    })
  })

  describe.skipIf(!knowsBufferOption())('readFile with a buffer', () => {
    test('fills it, and returns what it filled', () =>
      reading(async (handle) => {
        const buffer = new Uint8Array(12_000)
        const content = await handle.readFile({ buffer })
        expectBytes(content, CONTENT)
        expect(content.buffer).toBe(buffer.buffer)
        expectBytes(Buffer.from(buffer.buffer, 0, 10_000), CONTENT)
      }))

    test('takes it from a function, which is told the size', () =>
      reading(async (handle) => {
        const sizes: unknown[] = []
        const buffer = Buffer.alloc(10_000)
        const content = await handle.readFile({
          buffer: (size: unknown) => {
            sizes.push(size)
            return buffer
          },
        })
        expect(sizes).toEqual([10_000])
        expect(content.buffer).toBe(buffer.buffer)
        expectBytes(buffer, CONTENT)
      }))

    test.each<[string, unknown, string]>([
      ['one that is too small', Buffer.alloc(9_999), 'ERR_INVALID_ARG_VALUE'],
      ['text', 'text', 'ERR_INVALID_ARG_TYPE'],
      ['a function that gives none', () => 5, 'ERR_INVALID_ARG_TYPE'],
    ])('refuses %s', async (_, buffer, code) => {
      expect((await refusal((handle) => handle.readFile({ buffer }), 'r')).code).toBe(code)
    })
  })
}

import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { patternBytes } from '../encrypted-files.js'
import { CONTENT, contentWith, expectBytes, rejection, type Subject } from './subject.js'

/** `write`, in all its forms. */
export function writeTests({ options, writing, updating, freshPath, withHandle, contentOf, refusal, opened }: Subject): void {
  describe('write', () => {
    test('takes a buffer, and writes on from where the last write ended', async () => {
      const buffer = Buffer.from('abc')
      const content = await writing(async (handle) => {
        const result = await handle.write(buffer)
        expect(result.bytesWritten).toBe(3)
        expect(result.buffer).toBe(buffer)
        await handle.write(new Uint8Array([100, 101]))
      })
      expect(content).toBe('abcde')
    })

    test('takes buffer, offset, length and position', async () => {
      const content = await writing(async (handle) => {
        expect((await handle.write(Buffer.from('0123456789'), 2, 5, 0)).bytesWritten).toBe(5)
        expect((await handle.write(Buffer.from('abc'), 1)).bytesWritten).toBe(2)
        expect((await handle.write(Buffer.from('xyz'), undefined, undefined, 5)).bytesWritten).toBe(3)
        expect((await handle.write(Buffer.from('de'), null, null, null)).bytesWritten).toBe(2)
      })
      expect(content).toBe('bcde6xyz')
    })

    test('takes buffer and options', async () => {
      const content = await writing(async (handle) => {
        expect((await handle.write(Buffer.from('0123456789'), { offset: 8 })).bytesWritten).toBe(2)
        expect((await handle.write(Buffer.from('0123456789'), { offset: 1, length: 3, position: 5 })).bytesWritten).toBe(3)
        expect((await handle.write(Buffer.from('ab'), {})).bytesWritten).toBe(2)
        expect((await handle.write(Buffer.from('Z'), { position: 0 })).bytesWritten).toBe(1)
        expect((await handle.write(Buffer.from('cde'), { length: 1, position: null })).bytesWritten).toBe(1)
      })
      expect(content).toBe('Z9abc123')
    })

    test('takes text, its position and its encoding', async () => {
      const content = await writing(async (handle) => {
        const result = await handle.write('grüße')
        expect(result).toMatchObject({ bytesWritten: 7, buffer: 'grüße' })
        await handle.write('616263', null, 'hex')
        await handle.write('ZGVm', undefined, 'base64')
        await handle.write('G', 0, 'utf8')
        expect((await handle.write('é', 20, 'latin1')).bytesWritten).toBe(1)
        expect((await handle.write('ab', 14, 'utf16le')).bytesWritten).toBe(4)
        expect((await handle.write('Pz8_', 22, 'base64url')).bytesWritten).toBe(3)
      })
      expect(content).toBe('Grüßeabcdef\x00a\x00b\x00\x00\x00\ufffd\x00???')
    })

    test('takes any kind of view, and what it shows alone', async () => {
      const memory = new Uint8Array(Buffer.from('..abcdefghijklmnop..')).buffer
      const content = await writing(async (handle) => {
        await handle.write(new DataView(memory, 2, 3))
        await handle.write(new Uint8Array(memory, 5, 1))
        expect((await handle.write(new Uint16Array(memory, 6, 1))).bytesWritten).toBe(2)
        expect((await handle.write(new BigUint64Array(memory, 8, 1))).bytesWritten).toBe(8)
        expect((await handle.write(new Uint16Array(memory, 16, 1), 1, 1)).bytesWritten, 'counted in bytes').toBe(1)
      })
      expect(content).toBe('abcdefghijklmnp')
    })

    test('takes shared memory', async () => {
      const view = new Uint8Array(new SharedArrayBuffer(6_000), 100, 5_000)
      view.set(CONTENT.subarray(0, 5_000))
      const content = await updating((handle) => handle.write(view, 0, 5_000, 3_000))
      expectBytes(content, contentWith([3_000, CONTENT.subarray(0, 5_000)]))
    })

    test('at a position leaves the place where the next write goes', async () => {
      const content = await writing(async (handle) => {
        await handle.write('abcdef')
        await handle.write('X', 1)
        await handle.write('Y', 20)
        await handle.write('ghi')
      })
      expect(content).toBe(`aXcdefghi${'\0'.repeat(11)}Y`)
    })

    test('behind the end leaves zeros between', async () => {
      const path = freshPath()
      await withHandle(path, 'w', async (handle) => {
        expect((await handle.write(Buffer.from('end'), 0, 3, 9_000)).bytesWritten).toBe(3)
      })
      expectBytes(await contentOf(path), Buffer.concat([Buffer.alloc(9_000), Buffer.from('end')]))
    })

    test('replaces what was written, across what lies together on disk', async () => {
      const path = freshPath()
      const expected = Buffer.from(CONTENT)
      await withHandle(path, 'w', async (handle) => {
        await handle.write(CONTENT)
        await handle.sync()
        for (const [position, length] of [
          [4_000, 200],
          [0, 1],
          [9_999, 1],
          [8_000, 3_000],
        ] as const) {
          const piece = patternBytes(length, 9)
          await handle.write(piece, 0, length, position)
          piece.copy(expected, position)
        }
      })
      expectBytes(await contentOf(path), Buffer.concat([expected, patternBytes(3_000, 9).subarray(2_000)]))
    })

    test('at many positions at once writes each', async () => {
      const positions = Array.from({ length: 30 }, (_, i) => i * 331)
      const content = await updating((handle) =>
        Promise.all(positions.map((position, i) => handle.write(Buffer.alloc(7, i), 0, 7, position))),
      )
      expectBytes(content, contentWith(...positions.map((position, i) => [position, Buffer.alloc(7, i)] as const)))
    })

    test('of no byte changes nothing, wherever it is', async () => {
      const content = await writing(async (handle) => {
        await handle.write('abc')
        expect((await handle.write(Buffer.alloc(0))).bytesWritten).toBe(0)
        expect((await handle.write('')).bytesWritten).toBe(0)
        expect((await handle.write(Buffer.alloc(5), 0, 0)).bytesWritten).toBe(0)
        expect((await handle.write(Buffer.alloc(5), 5)).bytesWritten).toBe(0)
        expect((await handle.write(Buffer.alloc(5), 0, 0, 100)).bytesWritten).toBe(0)
        expect((await handle.write('', 200)).bytesWritten).toBe(0)
        await handle.write('def')
      })
      expect(content).toBe('abcdef')
    })

    test('of an empty buffer is not refused by a handle that reads alone, as text of no byte is', async () => {
      const handle = await opened('r')
      try {
        expect(await rejection(() => handle.write(''))).toMatchObject({ code: 'EBADF', syscall: 'write' })
        expect(await rejection(() => handle.write(Buffer.alloc(4), 4))).toMatchObject({ code: 'EBADF', syscall: 'write' })
        if (options.isSync === true) return // fs.writeSync asks the system in each case
        expect((await handle.write(Buffer.alloc(0))).bytesWritten).toBe(0)
      } finally {
        await handle.close()
      }
    })

    test.each<[string, unknown[], string]>([
      ['a number', [5], 'ERR_INVALID_ARG_TYPE'],
      ['nothing', [], 'ERR_INVALID_ARG_TYPE'],
      ['null', [null], 'ERR_INVALID_ARG_TYPE'],
      ['an object', [{}], 'ERR_INVALID_ARG_TYPE'],
      ['an array', [[97]], 'ERR_INVALID_ARG_TYPE'],
      ['an ArrayBuffer', [new ArrayBuffer(8)], 'ERR_INVALID_ARG_TYPE'],
      ['a negative offset', [Buffer.alloc(10), -1], 'ERR_OUT_OF_RANGE'],
      ['a broken offset', [Buffer.alloc(10), 1.5], 'ERR_OUT_OF_RANGE'],
      ['a string as offset', [Buffer.alloc(10), '1'], 'ERR_INVALID_ARG_TYPE'],
      ['an offset behind the buffer', [Buffer.alloc(10), 11], 'ERR_OUT_OF_RANGE'],
      ['a negative length', [Buffer.alloc(10), 0, -1], 'ERR_OUT_OF_RANGE'],
      ['a length that is not there', [Buffer.alloc(10), 5, 6], 'ERR_OUT_OF_RANGE'],
      ['options with an offset behind the buffer', [Buffer.alloc(10), { offset: 11 }], 'ERR_OUT_OF_RANGE'],
      ['options with a length that is not there', [Buffer.alloc(10), { offset: 5, length: 6 }], 'ERR_OUT_OF_RANGE'],
      ['half a byte in hex', ['abc', 0, 'hex'], 'ERR_INVALID_ARG_VALUE'],
    ])('refuses %s, and writes nothing', async (_, args, code) => {
      expect((await refusal((handle) => handle.write(...args))).code).toBe(code)
    })

    test.each<[string, unknown]>([
      ['a broken number', 1.5],
      ['a negative number', -5],
      ['no number', NaN],
      ['a string', '3'],
      ['an object', {}],
    ])('takes %s for the current position, or refuses it', async (_, position) => {
      const content = await writing(async (handle) => {
        await handle.write('abc')
        for (const data of [Buffer.from('de'), 'fg']) {
          const write = (): unknown =>
            typeof data === 'string' ? handle.write(data, position) : handle.write(data, 0, 2, position)
          if (options.isStrict !== true) await write()
          else if (typeof position === 'number') expect((await rejection(write)).code).toBe('ERR_OUT_OF_RANGE')
          else if (typeof position === 'string') expect((await rejection(write)).code).toBe('ERR_INVALID_ARG_TYPE')
        }
      })
      expect(content).toBe(options.isStrict === true ? 'abc' : 'abcdefg')
    })

    test('takes a bigint for a position, or for the current one', async () => {
      const content = await writing(async (handle) => {
        await handle.write('abc')
        await handle.write(Buffer.from('de'), 0, 2, 1n)
      })
      expect(content).toBe(options.isStrict === true ? 'ade' : 'abcde')
    })

    test('takes an unknown encoding for UTF-8, or refuses it', async () => {
      const content = await writing(async (handle) => {
        await handle.write('abc')
        const write = (): unknown => handle.write('dé', null, 'nonsense')
        if (options.isStrict === true) expect((await rejection(write)).code).toBe('ERR_INVALID_ARG_VALUE')
        else await write()
      })
      expect(content).toBe(options.isStrict === true ? 'abc' : 'abcdé')
    })
  })
}

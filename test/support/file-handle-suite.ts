import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { patternBytes } from './encrypted-files.js'

/** A handle's methods that return their results at once, as those of fs.*Sync do. */
export interface SyncHandle {
  read(buffer: NodeJS.ArrayBufferView, ...rest: unknown[]): number
  write(data: unknown, ...rest: unknown[]): number
  readFile(options?: unknown): Buffer | string
  writeFile(data: unknown, options?: unknown): void
  appendFile(data: unknown, options?: unknown): void
  stat(): unknown
  sync(): void
  datasync(): void
  close(): void
}

/** What an implementation does not have, or has in another way on purpose. */
export interface SuiteOptions {
  /** It has no `read()` that brings its own buffer, takes no iterables and no signal: fs.*Sync. */
  readonly isSync?: boolean
  /** It knows nothing of closed handles: fs.*Sync. */
  readonly withoutClosedState?: boolean
  /** It takes what is no position, bigints included, for "where the last read ended": FileHandle, at least in Node 20. */
  readonly withoutPositionChecks?: boolean
  /** It does not take an offset alone, or undefined for a default: fs.readSync. */
  readonly withoutOmissions?: boolean
}

type Open = (path: string, flags: string) => Promise<FileHandle>

const CONTENT = patternBytes(10_000)

/** FileHandle takes any view, though its types say otherwise. */
const bytesLike = (view: ArrayBufferView): Uint8Array => view as Uint8Array

/** Lets a handle that does not wait pass for one that does. */
export function awaitable(handle: SyncHandle): FileHandle {
  const calls: Record<string, (...args: unknown[]) => unknown> = {
    read: (buffer, ...rest) => ({ bytesRead: handle.read(buffer as Buffer, ...rest), buffer }),
    write: (buffer, ...rest) => ({ bytesWritten: handle.write(buffer, ...rest), buffer }),
    readFile: (options) => handle.readFile(options),
    writeFile: (data, options) => handle.writeFile(data, options),
    appendFile: (data, options) => handle.appendFile(data, options),
    stat: () => handle.stat(),
    sync: () => handle.sync(),
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  }
  const awaitableCalls: Record<string, unknown> = {}
  for (const [name, call] of Object.entries(calls)) {
    awaitableCalls[name] = (...args: unknown[]) => new Promise<unknown>((resolve) => resolve(call(...args)))
  }
  return awaitableCalls as unknown as FileHandle
}

/**
 * What callers of Node's FileHandle rely on, for the flags `r`, `w` and `a`. Node's own handle must pass it as it stands.
 *
 * @param inFolder - Gives a path for a name.
 */
export function fileHandleSuite(name: string, open: Open, inFolder: (name: string) => string, options: SuiteOptions = {}): void {
  const { isSync = false, withoutClosedState = false, withoutPositionChecks = false, withoutOmissions = false } = options
  let count = 0
  const freshPath = (): string => inFolder(`${name.replaceAll(/\W/g, '-')}-${count++}`)

  async function withHandle<T>(path: string, flags: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
    const handle = await open(path, flags)
    try {
      return await use(handle)
    } finally {
      await handle.close()
    }
  }

  async function fileOf(content: string | Uint8Array): Promise<string> {
    const path = freshPath()
    await withHandle(path, 'w', (handle) => handle.writeFile(content))
    return path
  }

  const contentOf = (path: string): Promise<Buffer> => withHandle(path, 'r', (handle) => handle.readFile())
  const textOf = (path: string): Promise<string> => withHandle(path, 'r', (handle) => handle.readFile('utf8'))

  /** Reads a file of CONTENT. */
  const reading = async (use: (handle: FileHandle) => Promise<void>): Promise<void> => {
    await withHandle(await fileOf(CONTENT), 'r', use)
  }

  /** @returns what a new file holds after `use`. */
  const writing = async (use: (handle: FileHandle) => Promise<unknown>, flags = 'w'): Promise<string> => {
    const path = freshPath()
    await withHandle(path, flags, use)
    return textOf(path)
  }

  const refusingToRead = (args: unknown[], code: string): Promise<void> =>
    reading(async (handle) => {
      const error = await rejection(handle.read(...(args as [Buffer])))
      expect(error.code).toBe(code)
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError)
    })

  /** @returns where in CONTENT ten bytes came from. */
  const readTen = async (handle: FileHandle, position: number | bigint | null): Promise<number> => {
    const buffer = Buffer.alloc(10)
    await handle.read(buffer, 0, 10, position as number)
    return CONTENT.indexOf(buffer)
  }

  /** @returns what a call is rejected with. */
  const rejection = async (call: Promise<unknown>): Promise<NodeJS.ErrnoException> => {
    try {
      await call
    } catch (error) {
      return error as NodeJS.ErrnoException
    }
    return expect.fail('the call was not rejected')
  }

  const writeWith = async (handle: FileHandle, buffer: Buffer, settings: object): Promise<void> => {
    const { bytesWritten } = await handle.write(buffer, settings as unknown as number) // the types of Node 20 do not know this form
    expect(bytesWritten).toBeGreaterThan(0)
  }

  const whenAsync = test.skipIf(isSync)

  describe(name, () => {
    describe('read', () => {
      test('fills the buffer from where the last read ended', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(4_000)
          const first = await handle.read(buffer)
          expect(first.bytesRead).toBe(4_000)
          expect(first.buffer).toBe(buffer)
          expect(buffer).toEqual(CONTENT.subarray(0, 4_000))
          await handle.read(buffer)
          expect(buffer).toEqual(CONTENT.subarray(4_000, 8_000))
        }))

      test('takes buffer, offset, length and position', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(20, 0xee)
          const { bytesRead } = await handle.read(buffer, 5, 10, 4_090)
          expect(bytesRead).toBe(10)
          const expected = Buffer.alloc(20, 0xee)
          CONTENT.copy(expected, 5, 4_090, 4_100)
          expect(buffer).toEqual(expected)
        }))

      test('takes buffer and options', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(20)
          expect((await handle.read(buffer, { offset: 2, length: 3, position: 9_000 })).bytesRead).toBe(3)
          expect(buffer.subarray(2, 5)).toEqual(CONTENT.subarray(9_000, 9_003))
          expect((await handle.read(buffer, { position: 100 })).bytesRead).toBe(20)
          expect(buffer).toEqual(CONTENT.subarray(100, 120))
          expect((await handle.read(buffer, {})).bytesRead).toBe(20)
          expect(buffer).toEqual(CONTENT.subarray(0, 20))
        }))

      whenAsync('takes options alone', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(20)
          const result = await handle.read({ buffer, offset: 10, position: 5_000 })
          expect(result.bytesRead).toBe(10)
          expect(result.buffer).toBe(buffer)
          expect(buffer.subarray(10)).toEqual(CONTENT.subarray(5_000, 5_010))
        }),
      )

      whenAsync('brings a buffer of 16,384 bytes where none is given', () =>
        reading(async (handle) => {
          for (const result of [await handle.read({ position: 0 }), await handle.read()]) {
            expect(result.bytesRead).toBe(10_000)
            expect(Buffer.isBuffer(result.buffer)).toBe(true)
            expect(result.buffer.byteLength).toBe(16_384)
            expect((result.buffer as Buffer).subarray(0, 10_000)).toEqual(CONTENT)
          }
        }),
      )

      test.skipIf(withoutOmissions)('takes null and undefined for the defaults', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(10)
          expect((await handle.read(buffer, null, null, null)).bytesRead).toBe(10)
          expect((await handle.read(buffer, undefined, undefined, undefined)).bytesRead).toBe(10)
          expect(buffer).toEqual(CONTENT.subarray(10, 20))
        }),
      )

      test('fills any kind of view', () =>
        reading(async (handle) => {
          const memory = new ArrayBuffer(64)
          const views = [new Uint8Array(memory, 8, 16), new Uint16Array(memory, 8, 8), new DataView(memory, 8, 16)]
          for (const view of views) {
            new Uint8Array(memory).fill(0)
            const result = await handle.read(view, 0, 16, 300)
            expect(result.bytesRead).toBe(16)
            expect(result.buffer).toBe(view)
            expect(Buffer.from(memory, 8, 16)).toEqual(CONTENT.subarray(300, 316))
            expect(Buffer.from(memory, 0, 8)).toEqual(Buffer.alloc(8))
            expect(Buffer.from(memory, 24)).toEqual(Buffer.alloc(40))
          }
        }))

      test('reads less near the end, and nothing at it and behind it', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(100, 0xee)
          expect((await handle.read(buffer, 0, 100, 9_990)).bytesRead).toBe(10)
          expect(buffer.subarray(0, 10)).toEqual(CONTENT.subarray(9_990))
          expect(buffer.subarray(10)).toEqual(Buffer.alloc(90, 0xee))
          expect((await handle.read(buffer, 0, 100, 10_000)).bytesRead).toBe(0)
          expect((await handle.read(buffer, 0, 100, 2 ** 40)).bytesRead).toBe(0)
        }))

      test('reads to the end in pieces, and then nothing', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(3_000)
          const counts = []
          for (let i = 0; i < 6; i++) counts.push((await handle.read(buffer)).bytesRead)
          expect(counts).toEqual([3_000, 3_000, 3_000, 1_000, 0, 0])
        }))

      test('at a position leaves the place where the next read goes; null and -1 mean that place', () =>
        reading(async (handle) => {
          const found = []
          for (const position of [null, 5_000, -1, 4_095, 0, null]) found.push(await readTen(handle, position))
          expect(found).toEqual([0, 5_000, 10, 4_095, 0, 20])
        }))

      test.skipIf(withoutPositionChecks)('takes a bigint as position', () =>
        reading(async (handle) => {
          const found = []
          for (const position of [6_000n, -1n, 0n, null]) found.push(await readTen(handle, position))
          expect(found).toEqual([6_000, 0, 0, 10])
        }),
      )

      test('of no byte reads nothing and moves nothing', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(10, 0xee)
          expect((await handle.read(buffer, 0, 0, null)).bytesRead).toBe(0)
          expect((await handle.read(buffer, { offset: 10 })).bytesRead).toBe(0)
          expect((await handle.read(Buffer.alloc(0))).bytesRead).toBe(0)
          expect(buffer).toEqual(Buffer.alloc(10, 0xee))
          await handle.read(buffer)
          expect(buffer).toEqual(CONTENT.subarray(0, 10))
        }))

      test('of an empty file reads nothing', async () => {
        await withHandle(await fileOf(''), 'r', async (handle) => {
          expect((await handle.read(Buffer.alloc(10))).bytesRead).toBe(0)
          expect((await handle.read(Buffer.alloc(10), 0, 10, 5)).bytesRead).toBe(0)
        })
      })

      test.each<[string, unknown[], string]>([
        ['a string as buffer', ['text'], 'ERR_INVALID_ARG_TYPE'],
        ['a number as buffer', [5], 'ERR_INVALID_ARG_TYPE'],
        ['a negative offset', [Buffer.alloc(10), -1, 1, 0], 'ERR_OUT_OF_RANGE'],
        ['a broken offset', [Buffer.alloc(10), 1.5, 1, 0], 'ERR_OUT_OF_RANGE'],
        ['a string as offset', [Buffer.alloc(10), '1', 1, 0], 'ERR_INVALID_ARG_TYPE'],
        ['an offset behind the buffer', [Buffer.alloc(10), 11, 1, 0], 'ERR_OUT_OF_RANGE'],
        ['a negative length', [Buffer.alloc(10), 0, -1, 0], 'ERR_OUT_OF_RANGE'],
        ['a length that does not fit', [Buffer.alloc(10), 5, 6, 0], 'ERR_OUT_OF_RANGE'],
        ['an empty buffer with a length', [Buffer.alloc(0), 0, 1, 0], 'ERR_INVALID_ARG_VALUE'],
        ['options with a negative offset', [Buffer.alloc(10), { offset: -1 }], 'ERR_OUT_OF_RANGE'],
      ])('refuses %s', (_, args, code) => refusingToRead(args, code))

      test.skipIf(withoutPositionChecks).each<[string, unknown, string]>([
        ['a position below -1', -2, 'ERR_OUT_OF_RANGE'],
        ['a broken position', 1.5, 'ERR_OUT_OF_RANGE'],
        ['a string as position', '1', 'ERR_INVALID_ARG_TYPE'],
        ['a huge bigint as position', 2n ** 63n, 'ERR_OUT_OF_RANGE'],
      ])('refuses %s', (_, position, code) => refusingToRead([Buffer.alloc(10), 0, 1, position], code))

      whenAsync('refuses options whose buffer is none', () =>
        reading(async (handle) => {
          const options = { buffer: 'text' } as unknown as { buffer: Buffer }
          expect((await rejection(handle.read(options))).code).toBe('ERR_INVALID_ARG_TYPE')
        }),
      )

      test.each(['w', 'a'])('is refused by a handle with the flag %s', async (flags) => {
        await withHandle(await fileOf('abc'), flags, async (handle) => {
          for (const call of [handle.read(Buffer.alloc(3)), handle.readFile()]) {
            const error = await rejection(call)
            expect(error).toMatchObject({ code: 'EBADF', syscall: 'read', message: 'EBADF: bad file descriptor, read' })
            expect(error.errno).toBeLessThan(0)
          }
        })
      })
    })

    describe('readFile', () => {
      test('returns a Buffer, or text where there is an encoding', async () => {
        const path = await fileOf('grüße')
        const readAs = (options?: unknown): Promise<unknown> =>
          withHandle(path, 'r', (handle) => handle.readFile(options as { encoding: null }))
        const bytes = Buffer.from('grüße')
        for (const none of [undefined, null, {}, { encoding: null }]) expect(await readAs(none)).toEqual(bytes)
        expect(Buffer.isBuffer(await readAs())).toBe(true)
        expect(await readAs('utf8')).toBe('grüße')
        expect(await readAs({ encoding: 'utf-8' })).toBe('grüße')
        expect(await readAs('hex')).toBe(bytes.toString('hex'))
        expect(await readAs({ encoding: 'base64' })).toBe(bytes.toString('base64'))
        expect(await readAs('latin1')).toBe(bytes.toString('latin1'))
      })

      test('reads from where the last read ended, and to the end', () =>
        reading(async (handle) => {
          const buffer = Buffer.alloc(4_500)
          await handle.read(buffer)
          await handle.read(buffer, 0, 10, 9_000)
          expect(await handle.readFile()).toEqual(CONTENT.subarray(4_500))
          expect(await handle.readFile()).toEqual(Buffer.alloc(0))
          expect(await handle.readFile('utf8')).toBe('')
          expect((await handle.read(buffer)).bytesRead).toBe(0)
          expect((await handle.read(buffer, 0, 10, 0)).bytesRead).toBe(10)
        }))

      test.each<[string, unknown, string]>([
        ['an unknown encoding', 'nonsense', 'ERR_INVALID_ARG_VALUE'],
        ['an unknown encoding in options', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
        ['a number', 5, 'ERR_INVALID_ARG_TYPE'],
      ])('refuses %s', (_, options, code) =>
        reading(async (handle) => {
          expect((await rejection(handle.readFile(options as 'utf8'))).code).toBe(code)
        }),
      )

      whenAsync.each(['', 'text'])('gives up where its signal says so, also on a file of "%s"', async (content) => {
        await withHandle(await fileOf(content), 'r', async (handle) => {
          const error = await rejection(handle.readFile({ signal: AbortSignal.abort('reason') } as unknown as { encoding: null }))
          expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
          expect(await handle.readFile('utf8')).toBe(content)
        })
      })
    })

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
        })
        expect(content).toBe('bc456xyz')
      })

      test('takes buffer and options', async () => {
        const content = await writing(async (handle) => {
          await writeWith(handle, Buffer.from('0123456789'), { offset: 8 })
          await writeWith(handle, Buffer.from('0123456789'), { offset: 1, length: 3, position: 5 })
          await writeWith(handle, Buffer.from('ab'), {})
          await writeWith(handle, Buffer.from('Z'), { position: 0 })
        })
        expect(content).toBe('Z9ab\x00123')
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
        })
        expect(content).toBe('Grüßeabcdef\x00a\x00b\x00\x00\x00\ufffd')
      })

      test('takes any kind of view', async () => {
        const memory = Buffer.from('..abcdef..')
        const shared = new Uint8Array(memory).buffer
        const content = await writing(async (handle) => {
          await handle.write(bytesLike(new DataView(shared, 2, 3)))
          await handle.write(bytesLike(new Uint8Array(shared, 5, 1)))
          expect((await handle.write(bytesLike(new Uint16Array(shared, 6, 1)))).bytesWritten).toBe(2)
        })
        expect(content).toBe('abcdef')
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
          await handle.write(Buffer.from('end'), 0, 3, 9_000)
        })
        expect(await contentOf(path)).toEqual(Buffer.concat([Buffer.alloc(9_000), Buffer.from('end')]))
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
        expect(await contentOf(path)).toEqual(Buffer.concat([expected, patternBytes(3_000, 9).subarray(2_000)]))
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

      test.each<[string, unknown[], string]>([
        ['a number', [5], 'ERR_INVALID_ARG_TYPE'],
        ['null', [null], 'ERR_INVALID_ARG_TYPE'],
        ['an object', [{}], 'ERR_INVALID_ARG_TYPE'],
        ['a negative offset', [Buffer.alloc(10), -1], 'ERR_OUT_OF_RANGE'],
        ['a broken offset', [Buffer.alloc(10), 1.5], 'ERR_OUT_OF_RANGE'],
        ['a string as offset', [Buffer.alloc(10), '1'], 'ERR_INVALID_ARG_TYPE'],
        ['an offset behind the buffer', [Buffer.alloc(10), 11], 'ERR_OUT_OF_RANGE'],
        ['a negative length', [Buffer.alloc(10), 0, -1], 'ERR_OUT_OF_RANGE'],
        ['a length that is not there', [Buffer.alloc(10), 5, 6], 'ERR_OUT_OF_RANGE'],
      ])('refuses %s, and writes nothing', async (_, args, code) => {
        const content = await writing(async (handle) => {
          await handle.write('abc')
          const error = await rejection(handle.write(...(args as [Buffer])))
          expect(error.code).toBe(code)
          expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError)
        })
        expect(content).toBe('abc')
      })

      test('is refused by a handle that reads', () =>
        reading(async (handle) => {
          for (const call of [
            handle.write('x'),
            handle.write(Buffer.from('x'), 0, 1, 0),
            handle.writeFile('x'),
            handle.appendFile('x'),
          ]) {
            expect(await rejection(call)).toMatchObject({
              code: 'EBADF',
              syscall: 'write',
              message: 'EBADF: bad file descriptor, write',
            })
          }
          expect(await handle.readFile()).toEqual(CONTENT)
        }))
    })

    describe('writeFile and appendFile', () => {
      test('take text and bytes', async () => {
        expect(await writing((handle) => handle.writeFile('grüße'))).toBe('grüße')
        expect(await writing((handle) => handle.writeFile(Buffer.from('abc')))).toBe('abc')
        expect(await writing((handle) => handle.writeFile(bytesLike(new Uint16Array([0x6261, 0x6463]))))).toBe('abcd')
        expect(await writing((handle) => handle.writeFile(bytesLike(new DataView(new Uint8Array([97, 98, 99]).buffer, 1))))).toBe(
          'bc',
        )
        expect(await writing((handle) => handle.appendFile('text'))).toBe('text')
        expect(await writing((handle) => handle.writeFile(''))).toBe('')
        expect(await writing((handle) => handle.writeFile(new Uint8Array(0)))).toBe('')
      })

      test('take an encoding', async () => {
        expect(await writing((handle) => handle.writeFile('616263', 'hex'))).toBe('abc')
        expect(await writing((handle) => handle.writeFile('YWJj', { encoding: 'base64' }))).toBe('abc')
        expect(await writing((handle) => handle.writeFile('abc', null))).toBe('abc')
        expect(await writing((handle) => handle.appendFile('616263', 'hex'))).toBe('abc')
      })

      test('write on from where the last write ended, and leave what lies behind', async () => {
        const content = await writing(async (handle) => {
          await handle.write('0123456789', 0)
          await handle.writeFile('ab')
          await handle.writeFile('cd')
          await handle.appendFile('ef')
          await handle.write('g')
        })
        expect(content).toBe('abcdefg789')
      })

      whenAsync('take iterables, async iterables and streams, of text and of bytes', async () => {
        function* pieces(): Generator<string | Uint8Array> {
          yield 'a'
          yield Buffer.from('bc')
          yield ''
          yield new Uint8Array([100])
        }
        async function* slowPieces(): AsyncGenerator<string | Uint8Array> {
          for (const piece of pieces()) {
            await Promise.resolve()
            yield piece
          }
        }
        expect(await writing((handle) => handle.writeFile(pieces() as unknown as string))).toBe('abcd')
        expect(await writing((handle) => handle.writeFile(slowPieces() as unknown as string))).toBe('abcd')
        expect(await writing((handle) => handle.writeFile(Readable.from(['x', 'y', Buffer.from('z')]) as unknown as string))).toBe(
          'xyz',
        )
        expect(await writing((handle) => handle.writeFile(['6162', '63'] as unknown as string, 'hex'))).toBe('abc')
        expect(await writing((handle) => handle.appendFile(pieces() as unknown as string))).toBe('abcd')
        expect(await writing((handle) => handle.writeFile([] as unknown as string))).toBe('')
      })

      whenAsync('keep what came before a piece that fails', async () => {
        function* failing(): Generator<string> {
          yield 'abc'
          throw new Error('no more')
        }
        const content = await writing(async (handle) => {
          expect((await rejection(handle.writeFile(failing() as unknown as string))).message).toBe('no more')
          await handle.write('def')
        })
        expect(content).toBe('abcdef')
      })

      test.each<[string, unknown, unknown, string]>([
        ['a number', 5, undefined, 'ERR_INVALID_ARG_TYPE'],
        ['nothing', undefined, undefined, 'ERR_INVALID_ARG_TYPE'],
        ['null', null, undefined, 'ERR_INVALID_ARG_TYPE'],
        ['an unknown encoding', 'abc', 'nonsense', 'ERR_INVALID_ARG_VALUE'],
        ['a number for options', 'abc', 5, 'ERR_INVALID_ARG_TYPE'],
      ])('refuse %s', async (_, data, settings, code) => {
        const content = await writing(async (handle) => {
          expect((await rejection(handle.writeFile(data as string, settings as 'utf8'))).code).toBe(code)
          expect((await rejection(handle.appendFile(data as string, settings as 'utf8'))).code).toBe(code)
        })
        expect(content).toBe('')
      })

      whenAsync('refuse pieces that are neither text nor bytes', async () => {
        const content = await writing(async (handle) => {
          expect((await rejection(handle.writeFile(['ab', 5] as unknown as string))).code).toBe('ERR_INVALID_ARG_TYPE')
        })
        expect(content).toBe('ab')
      })

      whenAsync('refuse a signal that is none', async () => {
        await writing(async (handle) => {
          const settings = { signal: 5 } as unknown as { encoding: 'utf8' }
          expect((await rejection(handle.writeFile('ab', settings))).code).toBe('ERR_INVALID_ARG_TYPE')
        })
      })

      whenAsync.each<[string, string | readonly string[]]>([
        ['text', 'text'],
        ['no text', ''],
        ['no piece', []],
      ])('give up on %s where their signal says so, and write nothing', async (_, data) => {
        const content = await writing(async (handle) => {
          const settings = { signal: AbortSignal.abort() } as unknown as { encoding: 'utf8' }
          const error = await rejection(handle.writeFile(data as string, settings))
          expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
        })
        expect(content).toBe('')
      })

      whenAsync('give up between two pieces, and keep what was written', async () => {
        const controller = new AbortController()
        function* pieces(): Generator<string> {
          yield 'abc'
          controller.abort()
          yield 'def'
        }
        const content = await writing(async (handle) => {
          const settings = { signal: controller.signal } as unknown as { encoding: 'utf8' }
          expect((await rejection(handle.writeFile(pieces() as unknown as string, settings))).name).toBe('AbortError')
        })
        expect(content).toBe('abc')
      })
    })

    describe('the flags', () => {
      test('r needs a file', async () => {
        const path = freshPath()
        const error = await rejection(open(path, 'r'))
        expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open', path })
        expect(error.message).toBe(`ENOENT: no such file or directory, open '${path}'`)
      })

      test.each(['r', 'w', 'a'])('%s needs a folder', async (flags) => {
        const path = `${freshPath()}/file`
        expect(await rejection(open(path, flags))).toMatchObject({ code: 'ENOENT', syscall: 'open', path })
      })

      test.each(['w', 'a'])('%s does not open a folder', async (flags) => {
        expect(await rejection(open(inFolder('.'), flags))).toMatchObject({ code: 'EISDIR', syscall: 'open' })
      })

      test('w makes a file, and drops what was in it', async () => {
        const path = await fileOf(CONTENT)
        await withHandle(path, 'w', (handle) => handle.write('new'))
        expect(await textOf(path)).toBe('new')
        await withHandle(path, 'w', () => Promise.resolve())
        expect(await textOf(path)).toBe('')
      })

      test('a makes a file, and writes at its end wherever the position is', async () => {
        const path = freshPath()
        await withHandle(path, 'a', (handle) => handle.write('abc'))
        await withHandle(path, 'a', async (handle) => {
          await handle.write('def', 0)
          await handle.write(Buffer.from('ghi'), 0, 3, 1)
          await handle.writeFile('jkl')
          await handle.appendFile('mno')
        })
        expect(await textOf(path)).toBe('abcdefghijklmno')
      })

      test('a adds to long files, time after time', async () => {
        const path = await fileOf(CONTENT)
        const expected = [CONTENT]
        for (let i = 0; i < 6; i++) {
          const piece = patternBytes(1_500, i)
          expected.push(piece)
          await withHandle(path, 'a', (handle) => handle.write(piece))
        }
        expect(await contentOf(path)).toEqual(Buffer.concat(expected))
      })
    })

    describe('the handle', () => {
      test('knows the size of its file, with what was just written', async () => {
        const path = freshPath()
        await withHandle(path, 'w', async (handle) => {
          expect((await handle.stat()).size).toBe(0)
          await handle.write(CONTENT)
          expect((await handle.stat()).size).toBe(10_000)
          await handle.write('x', 20_000)
          expect((await handle.stat()).size).toBe(20_001)
        })
        for (const flags of ['r', 'a']) {
          await withHandle(path, flags, async (handle) => {
            const stats = await handle.stat()
            expect(stats.size).toBe(20_001)
            expect(stats.isFile()).toBe(true)
            expect(stats.isDirectory()).toBe(false)
            expect(stats.mtime).toBeInstanceOf(Date)
          })
        }
      })

      test.each(['r', 'w', 'a'])('syncs with the flag %s', async (flags) => {
        await withHandle(await fileOf('abc'), flags, async (handle) => {
          await expect(handle.sync()).resolves.toBeUndefined()
          await expect(handle.datasync()).resolves.toBeUndefined()
        })
      })

      test.skipIf(withoutClosedState)('may be closed again', async () => {
        const handle = await open(freshPath(), 'w')
        await handle.write('abc')
        const closing = handle.close()
        await Promise.all([closing, handle.close()])
        await expect(closing).resolves.toBeUndefined()
        await expect(handle.close()).resolves.toBeUndefined()
      })

      test('closes when what was begun before has ended', async () => {
        const path = freshPath()
        const handle = await open(path, 'w')
        await Promise.all([handle.writeFile('abc'), handle.write('def'), handle.appendFile('ghi'), handle.close()])
        const text = await textOf(path)
        // Node gives calls that nobody waits for to several threads: all are done, in any order.
        expect(text.match(/.../g)?.sort()).toEqual(['abc', 'def', 'ghi'])
        const reader = await open(path, 'r')
        const [content] = await Promise.all([reader.readFile('utf8'), reader.close()])
        expect(content).toBe(text)
      })

      whenAsync('closes when a writeFile that was begun before has all its pieces', async () => {
        async function* pieces(): AsyncGenerator<string> {
          yield 'abc'
          await new Promise((resolve) => setTimeout(resolve, 10))
          yield 'def'
        }
        const path = freshPath()
        const handle = await open(path, 'w')
        await Promise.all([handle.writeFile(pieces() as unknown as string), handle.close()])
        expect(await textOf(path)).toBe('abcdef')
      })

      test.skipIf(withoutClosedState).each<[string, (handle: FileHandle) => Promise<unknown>, string | undefined]>([
        ['read', (handle) => handle.read(Buffer.alloc(1)), 'read'],
        ['write', (handle) => handle.write('x'), 'write'],
        ['stat', (handle) => handle.stat(), 'fstat'],
        ['sync', (handle) => handle.sync(), 'fsync'],
        ['datasync', (handle) => handle.datasync(), 'fdatasync'],
        ['readFile', (handle) => handle.readFile(), undefined],
        ['writeFile', (handle) => handle.writeFile('x'), undefined],
        ['appendFile', (handle) => handle.appendFile('x'), undefined],
      ])('does not %s when it is closed', async (_, call, syscall) => {
        for (const flags of ['w', 'a', 'r']) {
          const handle = await open(await fileOf('abc'), flags)
          await handle.close()
          const error = await rejection(call(handle))
          expect(error).toMatchObject({ code: 'EBADF', message: 'file closed' })
          if (syscall !== undefined) expect(error.syscall).toBe(syscall)
        }
      })
    })
  })
}

import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { patternBytes } from '../encrypted-files.js'
import { contentWith, expectBytes, rejection, type Subject } from './subject.js'

const METHODS = ['writeFile', 'appendFile'] as const

/** `writeFile`, and `appendFile`, which is the same on a handle. */
export function writeFileTests(subject: Subject): void {
  describe.each(METHODS)('%s', (method) => dataTests(subject, method))
  describe.skipIf(subject.options.isSync).each(METHODS)('%s of pieces', (method) => pieceTests(subject, method))
  describe.skipIf(subject.options.isSync).each(METHODS)('%s with a signal', (method) => signalTests(subject, method))
}

function dataTests(
  { writing, updating, opened, freshPath, withHandle, contentOf, refusal, options }: Subject,
  method: (typeof METHODS)[number],
): void {
  test.each<[string, unknown, string]>([
    ['text', 'grüße', 'grüße'],
    ['no text', '', ''],
    ['a Buffer', Buffer.from('abc'), 'abc'],
    ['no byte', new Uint8Array(0), ''],
    ['a view of larger units', new Uint16Array([0x6261, 0x6463]), 'abcd'],
    ['a DataView, and what it shows alone', new DataView(new Uint8Array([97, 98, 99, 100]).buffer, 1, 2), 'bc'],
    ['shared memory', new Uint8Array(new SharedArrayBuffer(3)).fill(97), 'aaa'],
  ])('takes %s', async (_, data, expected) => {
    expect(await writing((handle) => handle[method](data))).toBe(expected)
  })

  test.each<[unknown, string, string]>([
    ['hex', '616263', 'abc'],
    [{ encoding: 'base64' }, 'YWJj', 'abc'],
    ['latin1', 'é', '\ufffd'],
    ['utf16le', 'ab', 'a\0b\0'],
    [null, 'é', 'é'],
    [undefined, 'é', 'é'],
    [{}, 'é', 'é'],
    [{ encoding: null }, 'é', 'é'],
    ['', 'é', 'é'],
    ['hex', '616', 'a'],
    [{ encoding: 'utf8', mode: 0o600, flag: 'a' }, 'é', 'é'],
    [{ flush: true }, 'é', 'é'],
    [{ flush: false, signal: undefined }, 'é', 'é'],
    [{ flush: null }, 'é', 'é'],
  ])('with %j writes %s as %j', async (settings, text, expected) => {
    expect(await writing((handle) => handle[method](text, settings))).toBe(expected)
  })

  test('returns nothing', () => writing((handle) => expect(handle[method]('abc')).resolves.toBeUndefined()))

  test('writes on from where the last read or write ended, and leaves what lies behind', async () => {
    const content = await updating(async (handle) => {
      await handle.read(Buffer.alloc(100))
      await handle[method]('abc')
      await handle.write('X', 5_000)
      await handle[method](Buffer.from('def'))
      await handle.write('g')
    })
    expectBytes(content, contentWith([100, 'abcdefg'], [5_000, 'X']))
  })

  test('writes at the end where the handle appends', async () => {
    const content = await updating(async (handle) => {
      await handle[method]('abc')
      await handle[method]('def')
    }, 'a')
    expectBytes(content, contentWith([10_000, 'abcdef']))
  })

  test('writes much at once', async () => {
    const path = freshPath()
    const bytes = patternBytes(1_500_000)
    await withHandle(path, 'w', (handle) => handle[method](bytes))
    expectBytes(await contentOf(path), bytes)
  })

  test('is refused by a handle that reads alone, but for no byte', async () => {
    for (const data of ['x', Buffer.from('x')]) {
      const error = await refusal((handle) => handle[method](data), 'r')
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'write', message: 'EBADF: bad file descriptor, write' })
    }
    const handle = await opened('r')
    try {
      if (options.isSync !== true) await handle[method]('')
      await handle[method](Buffer.alloc(0))
    } finally {
      await handle.close()
    }
  })

  test.each<[string, unknown, unknown, string]>([
    ['a number', 5, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['nothing', undefined, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['null', null, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an object', {}, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an ArrayBuffer', new ArrayBuffer(3), undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an unknown encoding', 'abc', 'nonsense', 'ERR_INVALID_ARG_VALUE'],
    ['an unknown encoding in options', 'abc', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown encoding of bytes', Buffer.from('abc'), 'nonsense', 'ERR_INVALID_ARG_VALUE'],
    ['a number for options', 'abc', 5, 'ERR_INVALID_ARG_TYPE'],
    ['a number for flush', 'abc', { flush: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['text for flush', 'abc', { flush: 'true' }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s, and writes nothing', async (_, data, settings, code) => {
    expect((await refusal((handle) => handle[method](data, settings))).code).toBe(code)
  })
}

function pieceTests({ writing, updating, opened }: Subject, method: (typeof METHODS)[number]): void {
  function* pieces(): Generator<string | Uint8Array> {
    yield 'a'
    yield Buffer.from('bc')
    yield ''
    yield new Uint8Array([100])
    yield new Uint8Array(0)
  }
  async function* slowPieces(): AsyncGenerator<string | Uint8Array> {
    for (const piece of pieces()) {
      await new Promise((resolve) => setImmediate(resolve))
      yield piece
    }
  }

  test.each<[string, () => unknown, unknown, string]>([
    ['an array', () => ['x', Buffer.from('y')], undefined, 'xy'],
    ['an empty array', () => [], undefined, ''],
    ['a generator', pieces, undefined, 'abcd'],
    ['an async generator', slowPieces, undefined, 'abcd'],
    ['a Set', () => new Set(['x', 'y']), undefined, 'xy'],
    ['a stream', () => Readable.from(['x', 'y', Buffer.from('z')]), undefined, 'xyz'],
    ['a stream of bytes', () => Readable.from(slowPieces(), { objectMode: false }), undefined, 'abcd'],
    ['a web stream', () => new Blob(['ab', 'cd']).stream(), undefined, 'abcd'],
    ['pieces in an encoding', () => ['6162', '63', Buffer.from('d')], 'hex', 'abcd'],
    ['pieces in an encoding of options', () => ['YWI=', 'Yw=='], { encoding: 'base64' }, 'abc'],
  ])('takes %s', async (_, data, settings, expected) => {
    expect(await writing((handle) => handle[method](data(), settings))).toBe(expected)
  })

  test('writes on from the position, piece by piece', async () => {
    const content = await updating(async (handle) => {
      await handle.read(Buffer.alloc(4_090))
      await handle[method](Array.from({ length: 30 }, (_, i) => String(i % 10)))
      await handle.write('end')
    })
    expectBytes(content, contentWith([4_090, '012345678901234567890123456789end']))
  })

  test('keeps what came before a piece that fails, and lets go of the rest', async () => {
    const seen: string[] = []
    function* failing(): Generator<string> {
      try {
        yield 'abc'
        throw new Error('no more')
      } finally {
        seen.push('ended')
      }
    }
    const content = await writing(async (handle) => {
      expect((await rejection(() => handle[method](failing()))).message).toBe('no more')
      await handle.write('def')
    })
    expect(content).toBe('abcdef')
    expect(seen).toEqual(['ended'])
  })

  test('refuses pieces that are neither text nor bytes, and lets go of the rest', async () => {
    const seen: string[] = []
    function* wrong(): Generator {
      try {
        yield 'ab'
        yield 5
        yield 'cd'
      } finally {
        seen.push('ended')
      }
    }
    const content = await writing(async (handle) => {
      expect((await rejection(() => handle[method](wrong()))).code).toBe('ERR_INVALID_ARG_TYPE')
    })
    expect(content).toBe('ab')
    expect(seen).toEqual(['ended'])
  })

  test('fails with a stream that fails', async () => {
    const content = await writing(async (handle) => {
      async function* breaking(): AsyncGenerator<string> {
        yield 'abc'
        await new Promise((resolve) => setImmediate(resolve))
        throw new Error('broken')
      }
      const stream = Readable.from(breaking())
      expect((await rejection(() => handle[method](stream))).message).toBe('broken')
      expect(stream.destroyed).toBe(true)
    })
    expect(content).toBe('abc')
  })

  test('is refused by a handle that reads alone, where there is a piece', async () => {
    const handle = await opened('r')
    expect(await rejection(() => handle[method](['x']))).toMatchObject({ code: 'EBADF', syscall: 'write' })
    await expect(handle[method]([])).resolves.toBeUndefined()
    await handle.close()
  })
}

function signalTests({ writing, refusal }: Subject, method: (typeof METHODS)[number]): void {
  test.each<[string, unknown]>([
    ['text', 'text'],
    ['no text', ''],
    ['pieces', ['a', 'b']],
    ['no piece', []],
  ])('gives up on %s where it says so, and writes nothing', async (_, data) => {
    const error = await refusal((handle) => handle[method](data, { signal: AbortSignal.abort('reason') }))
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
  })

  test('gives up between two pieces, keeps what was written, and lets go of the rest', async () => {
    const controller = new AbortController()
    const seen: string[] = []
    function* pieces(): Generator<string> {
      try {
        yield 'abc'
        controller.abort()
        yield 'def'
      } finally {
        seen.push('ended')
      }
    }
    const content = await writing(async (handle) => {
      const error = await rejection(() => handle[method](pieces(), { signal: controller.signal }))
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    })
    expect(content).toBe('abc')
    expect(seen).toEqual(['ended'])
  })

  test('gives up within what is long', async () => {
    const long = 'x'.repeat(2 ** 21)
    const content = await writing(async (handle) => {
      const controller = new AbortController()
      const call = handle[method](long, { signal: controller.signal })
      controller.abort()
      expect(await rejection(() => call)).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    })
    expect(content.length).toBeLessThan(long.length)
    expect(long.startsWith(content)).toBe(true)
  })

  test('writes all where it says nothing, and where it does so later', async () => {
    const controller = new AbortController()
    const content = await writing(async (handle) => {
      await handle[method]('abc', { signal: controller.signal })
      await handle[method](['d', 'e'], { signal: controller.signal, encoding: 'utf8' })
      controller.abort()
    })
    expect(content).toBe('abcde')
  })

  test.each<[string, unknown]>([
    ['a number', 5],
    ['null', null],
    ['an object that is none', {}],
  ])('refuses %s', async (_, signal) => {
    expect((await refusal((handle) => handle[method]('ab', { signal }))).code).toBe('ERR_INVALID_ARG_TYPE')
    expect((await refusal((handle) => handle[method](['ab'], { signal }))).code).toBe('ERR_INVALID_ARG_TYPE')
  })
}

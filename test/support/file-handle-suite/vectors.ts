import { Buffer } from 'node:buffer'
import { constants as osConstants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { CONTENT, contentWith, expectBytes, readTen, rejection, type Subject } from './subject.js'

/** `readv` and `writev`. */
export function vectorTests(subject: Subject): void {
  describe('readv', () => readvTests(subject))
  describe('writev', () => writevTests(subject))
}

function readvTests({ options, reading, opened, refusal }: Subject): void {
  test('fills buffers, one after the other, from where the last read ended', () =>
    reading(async (handle) => {
      const buffers = [Buffer.alloc(10), Buffer.alloc(5_000), Buffer.alloc(1)]
      const result = await handle.readv(buffers)
      expect(result.bytesRead).toBe(5_011)
      expect(result.buffers).toBe(buffers)
      expectBytes(Buffer.concat(buffers), CONTENT.subarray(0, 5_011))
      expect(await readTen(handle)).toBe(5_011)
      expect((await handle.readv([Buffer.alloc(3), Buffer.alloc(2)], null)).bytesRead).toBe(5)
      expect(await readTen(handle)).toBe(5_026)
    }))

  test('at a position leaves the place where the next read goes', () =>
    reading(async (handle) => {
      const buffers = [Buffer.alloc(100), Buffer.alloc(200)]
      expect((await handle.readv(buffers, 4_000)).bytesRead).toBe(300)
      expectBytes(Buffer.concat(buffers), CONTENT.subarray(4_000, 4_300))
      expect((await handle.readv(buffers, 0)).bytesRead).toBe(300)
      expect(await readTen(handle)).toBe(0)
    }))

  test('fills any kind of view', () =>
    reading(async (handle) => {
      const memory = new ArrayBuffer(40)
      const views = [
        new Uint16Array(memory, 2, 4),
        new DataView(memory, 10, 6),
        new Float64Array(memory, 16, 1),
        Buffer.from(memory, 30, 2),
      ]
      expect((await handle.readv(views, 1_000)).bytesRead).toBe(24)
      const expected = Buffer.alloc(40)
      CONTENT.copy(expected, 2, 1_000, 1_022)
      CONTENT.copy(expected, 30, 1_022, 1_024)
      expectBytes(Buffer.from(memory), expected)
    }))

  test('reads less near the end, and nothing at it and behind it', () =>
    reading(async (handle) => {
      const buffers = [Buffer.alloc(8, 0xee), Buffer.alloc(8, 0xee), Buffer.alloc(8, 0xee)]
      expect((await handle.readv(buffers, 9_990)).bytesRead).toBe(10)
      expectBytes(Buffer.concat(buffers), Buffer.concat([CONTENT.subarray(9_990), Buffer.alloc(14, 0xee)]))
      expect((await handle.readv(buffers, 10_000)).bytesRead).toBe(0)
      expect((await handle.readv(buffers, 2 ** 40)).bytesRead).toBe(0)
    }))

  test('passes over buffers of no byte', () =>
    reading(async (handle) => {
      const buffers = [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(4)]
      expect((await handle.readv(buffers)).bytesRead).toBe(7)
      expectBytes(Buffer.concat(buffers), CONTENT.subarray(0, 7))
      expect((await handle.readv([Buffer.alloc(0)])).bytesRead).toBe(0)
    }))

  test('fills hundreds of buffers', () =>
    reading(async (handle) => {
      const buffers = Array.from({ length: 1_000 }, () => Buffer.alloc(9))
      expect((await handle.readv(buffers)).bytesRead).toBe(9_000)
      expectBytes(Buffer.concat(buffers), CONTENT.subarray(0, 9_000))
    }))

  test('of no buffer is refused, whatever the handle may do', async () => {
    for (const flags of ['r', 'r+', 'a']) {
      const error = await refusal((handle) => handle.readv([]), flags)
      expect(error).toMatchObject({ code: 'EINVAL', errno: -osConstants.errno.EINVAL, syscall: 'read' })
      expect(error.message).toBe('EINVAL: invalid argument, read')
    }
  })

  test('is refused by a handle that writes alone', async () => {
    for (const buffers of [[Buffer.alloc(3)], [Buffer.alloc(0)]]) {
      const error = await refusal((handle) => handle.readv(buffers), 'a')
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'read', message: 'EBADF: bad file descriptor, read' })
    }
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a buffer', Buffer.alloc(3)],
    ['text', 'text'],
    ['text among buffers', [Buffer.alloc(3), 'text']],
    ['an ArrayBuffer among buffers', [new ArrayBuffer(3)]],
    ['an object that looks like an array', { 0: Buffer.alloc(3), length: 1 }],
  ])('refuses %s', async (_, buffers) => {
    expect((await refusal((handle) => handle.readv(buffers), 'r')).code).toBe('ERR_INVALID_ARG_TYPE')
  })

  test('takes what is no position for the current one, or refuses it', async () => {
    const handle = await opened('r')
    const found = []
    for (const position of ['3', {}, 1.5, -2]) {
      const buffer = Buffer.alloc(10)
      const read = (): unknown => handle.readv([buffer], position)
      if (options.isStrict === true) expect((await rejection(read)).code).toMatch(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/)
      else await read()
      found.push(CONTENT.indexOf(buffer))
    }
    expect(found).toEqual(options.isStrict === true ? [-1, -1, -1, -1] : [0, 10, 20, 30])
    await handle.close()
  })

  test('takes a bigint for a position, or for the current one', () =>
    reading(async (handle) => {
      const buffer = Buffer.alloc(10)
      await handle.readv([buffer], 500n)
      expect(CONTENT.indexOf(buffer)).toBe(options.isStrict === true ? 500 : 0)
    }))
}

function writevTests({ options, writing, updating, opened, refusal }: Subject): void {
  test('writes buffers, one after the other, on from where the last write ended', async () => {
    const content = await writing(async (handle) => {
      const buffers = [Buffer.from('abc'), new Uint8Array([100]), Buffer.from('ef')]
      const result = await handle.writev(buffers)
      expect(result.bytesWritten).toBe(6)
      expect(result.buffers).toBe(buffers)
      await handle.writev([Buffer.from('gh')], null)
      await handle.write('i')
    })
    expect(content).toBe('abcdefghi')
  })

  test('at a position leaves the place where the next write goes', async () => {
    const content = await updating(async (handle) => {
      expect((await handle.writev([Buffer.from('abc'), Buffer.alloc(300, 'x'), Buffer.from('def')], 3_900)).bytesWritten).toBe(306)
      expect((await handle.writev([Buffer.from('gh'), Buffer.from('ij')], 9_998)).bytesWritten).toBe(4)
      await handle.write('start')
    })
    expectBytes(content, contentWith([3_900, `abc${'x'.repeat(300)}def`], [9_998, 'ghij'], [0, 'start']))
  })

  test('behind the end leaves zeros between', async () => {
    const content = await updating((handle) => handle.writev([Buffer.from('a'), Buffer.from('b')], 15_000))
    expectBytes(content, contentWith([15_000, 'ab']))
  })

  test('takes any kind of view, and what it shows alone', async () => {
    const memory = new Uint8Array(Buffer.from('..abcdefghijkl..')).buffer
    const content = await writing((handle) =>
      handle.writev([new DataView(memory, 2, 2), new Uint16Array(memory, 4, 2), Buffer.from(memory, 8, 6)]),
    )
    expect(content).toBe('abcdefghijkl')
  })

  test('appends, wherever the position is, where the handle appends', async () => {
    const content = await updating(async (handle) => {
      await handle.writev([Buffer.from('abc'), Buffer.from('def')], 0)
      await handle.writev([Buffer.from('g')])
    }, 'a')
    expectBytes(content, contentWith([10_000, 'abcdefg']))
  })

  test('writes more buffers than the system takes at once', async () => {
    const buffers = Array.from({ length: 2_500 }, (_, i) => Buffer.from([i % 251, i % 241, i % 239]))
    const content = await updating(async (handle) => {
      expect((await handle.writev(buffers, 1_000)).bytesWritten).toBe(7_500)
    })
    expectBytes(content, contentWith([1_000, Buffer.concat(buffers)]))
  })

  test('of no byte changes nothing, wherever it is', async () => {
    const content = await writing(async (handle) => {
      await handle.write('abc')
      const none: Buffer[] = []
      expect(await handle.writev(none)).toMatchObject({ bytesWritten: 0, buffers: none })
      expect((await handle.writev([], 100)).bytesWritten).toBe(0)
      expect((await handle.writev([Buffer.alloc(0)])).bytesWritten).toBe(0)
      expect((await handle.writev([Buffer.alloc(0), Buffer.alloc(0)], 100)).bytesWritten).toBe(0)
      expect((await handle.writev([Buffer.alloc(0), Buffer.from('de'), Buffer.alloc(0)])).bytesWritten).toBe(2)
    })
    expect(content).toBe('abcde')
  })

  test('of no buffer is not refused by a handle that reads alone', async () => {
    const handle = await opened('r')
    expect((await handle.writev([])).bytesWritten).toBe(0)
    await handle.close()
  })

  test('is refused by a handle that reads alone', async () => {
    for (const buffers of [[Buffer.from('x')], [Buffer.alloc(0)]]) {
      const error = await refusal((handle) => handle.writev(buffers), 'r')
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'write', message: 'EBADF: bad file descriptor, write' })
    }
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a buffer', Buffer.from('abc')],
    ['text', 'text'],
    ['text among buffers', [Buffer.from('abc'), 'text']],
    ['an array among buffers', [Buffer.from('abc'), [100]]],
  ])('refuses %s, and writes nothing', async (_, buffers) => {
    expect((await refusal((handle) => handle.writev(buffers))).code).toBe('ERR_INVALID_ARG_TYPE')
  })

  test('takes what is no position for the current one, or refuses it', async () => {
    const content = await writing(async (handle) => {
      for (const [position, text] of [
        ['3', 'ab'],
        [{}, 'cd'],
        [1.5, 'ef'],
        [-2, 'gh'],
      ] as const) {
        const write = (): unknown => handle.writev([Buffer.from(text)], position)
        if (options.isStrict === true) expect((await rejection(write)).code).toMatch(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/)
        else await write()
      }
      await handle.writev([Buffer.from('XY')], 1n)
    })
    expect(content).toBe(options.isStrict === true ? '\0XY' : 'abcdefghXY')
  })
}

import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { patternBytes } from '../encrypted-files.js'
import { SeededRandom } from '../seeded-random.js'
import { CONTENT, contentWith, expectBytes, readTen, type Subject } from './subject.js'

/** `truncate`, growth, and reads and writes anywhere. */
export function sizeTests(subject: Subject): void {
  describe('truncate', () => truncateTests(subject))
  describe('random access', () => randomAccessTests(subject))
}

function truncateTests({ updating, writing, opened, fileOf, withHandle, contentOf, refusal }: Subject): void {
  test.each([0, 1, 4_095, 4_096, 4_097, 8_192, 9_999, 10_000])('drops what lies behind %i bytes', async (length) => {
    const content = await updating(async (handle) => {
      await expect(handle.truncate(length)).resolves.toBeUndefined()
      expect((await handle.stat()).size).toBe(length)
      expectBytes(await handle.readFile(), CONTENT.subarray(0, length))
    })
    expectBytes(content, CONTENT.subarray(0, length))
  })

  test.each([10_001, 12_288, 12_289, 30_000])('adds zeros up to %i bytes', async (length) => {
    const expected = Buffer.concat([CONTENT, Buffer.alloc(length - 10_000)])
    const content = await updating(async (handle) => {
      await handle.truncate(length)
      expect((await handle.stat()).size).toBe(length)
      expectBytes(await handle.readFile(), expected)
    })
    expectBytes(content, expected)
  })

  test('makes a file empty where no length is given', async () => {
    expectBytes(await updating((handle) => handle.truncate()), Buffer.alloc(0))
    expectBytes(await updating((handle) => handle.truncate(undefined)), Buffer.alloc(0))
  })

  test('takes what is below zero for zero', async () => {
    expectBytes(await updating((handle) => handle.truncate(-1)), Buffer.alloc(0))
    expectBytes(await updating((handle) => handle.truncate(Number.MIN_SAFE_INTEGER)), Buffer.alloc(0))
  })

  test('what was dropped does not come back', async () => {
    const content = await updating(async (handle) => {
      await handle.truncate(5_000)
      await handle.truncate(9_000)
      const buffer = Buffer.alloc(4_000, 0xee)
      expect((await handle.read(buffer, 0, 4_000, 5_000)).bytesRead).toBe(4_000)
      expectBytes(buffer, Buffer.alloc(4_000))
    })
    expectBytes(content, Buffer.concat([CONTENT.subarray(0, 5_000), Buffer.alloc(4_000)]))
  })

  test('what was dropped before a gap does not come back', async () => {
    const content = await updating(async (handle) => {
      await handle.truncate(100)
      await handle.write('end', 9_000)
    })
    expectBytes(content, Buffer.concat([CONTENT.subarray(0, 100), Buffer.alloc(8_900), Buffer.from('end')]))
  })

  test('leaves the position: the next write is behind a gap', async () => {
    const content = await updating(async (handle) => {
      expect(await readTen(handle)).toBe(0)
      expect(await readTen(handle)).toBe(10)
      await handle.truncate(5)
      expect((await handle.read(Buffer.alloc(5))).bytesRead).toBe(0)
      expectBytes(await handle.readFile(), Buffer.alloc(0))
      await handle.write('abc')
    })
    expectBytes(content, Buffer.concat([CONTENT.subarray(0, 5), Buffer.alloc(15), Buffer.from('abc')]))
  })

  test('of what was just written', async () => {
    const content = await writing(async (handle) => {
      await handle.write('0123456789')
      await handle.truncate(4)
      await handle.write('X', 1)
      await handle.truncate(6)
    })
    expect(content).toBe('0X23\0\0')
  })

  test('of a handle that appends: the next write is at the new end', async () => {
    const content = await updating(async (handle) => {
      await handle.write('abc')
      await handle.truncate(4_500)
      await handle.write('def')
      await handle.truncate(4_510)
      await handle.write('ghi', 0)
    }, 'a')
    expectBytes(content, Buffer.concat([CONTENT.subarray(0, 4_500), Buffer.from('def'), Buffer.alloc(7), Buffer.from('ghi')]))
  })

  test('time after time, opened and closed for each', async () => {
    const path = await fileOf(CONTENT)
    for (const length of [9_000, 12_000, 4_096, 4_097, 1, 8_000]) await withHandle(path, 'r+', (handle) => handle.truncate(length))
    expectBytes(await contentOf(path), Buffer.concat([CONTENT.subarray(0, 1), Buffer.alloc(7_999)]))
  })

  test('is refused by a handle that reads alone', async () => {
    for (const length of [0, 5, 10_000, 20_000]) {
      const error = await refusal((handle) => handle.truncate(length), 'r')
      expect(error).toMatchObject({ code: 'EINVAL', syscall: 'ftruncate', message: 'EINVAL: invalid argument, ftruncate' })
    }
  })

  test.each<[string, unknown, string]>([
    ['null', null, 'ERR_INVALID_ARG_TYPE'],
    ['text', '5', 'ERR_INVALID_ARG_TYPE'],
    ['a bigint', 5n, 'ERR_INVALID_ARG_TYPE'],
    ['an object', {}, 'ERR_INVALID_ARG_TYPE'],
    ['a broken number', 1.5, 'ERR_OUT_OF_RANGE'],
    ['no number', NaN, 'ERR_OUT_OF_RANGE'],
    ['infinity', Infinity, 'ERR_OUT_OF_RANGE'],
    ['a number beyond what is safe', 2 ** 53, 'ERR_OUT_OF_RANGE'],
  ])('refuses %s', async (_, length, code) => {
    expect((await refusal((handle) => handle.truncate(length))).code).toBe(code)
    expect((await refusal((handle) => handle.truncate(length), 'r')).code).toBe(code)
  })

  test('of a file that is empty already', async () => {
    const handle = await opened('r+', '')
    await handle.truncate(0)
    expect((await handle.stat()).size).toBe(0)
    await handle.truncate(3)
    expectBytes(await handle.readFile(), Buffer.alloc(3))
    await handle.close()
  })
}

function randomAccessTests({ updating, fileOf, withHandle, contentOf }: Subject): void {
  test('a write far behind the end leaves zeros between', async () => {
    const content = await updating(async (handle) => {
      await handle.write('far', 300_000)
      const buffer = Buffer.alloc(10, 0xee)
      expect((await handle.read(buffer, 0, 10, 150_000)).bytesRead).toBe(10)
      expectBytes(buffer, Buffer.alloc(10))
      expect((await handle.stat()).size).toBe(300_003)
    })
    expectBytes(content, contentWith([300_000, 'far']))
  })

  test('a gap may be written later', async () => {
    const content = await updating(async (handle) => {
      await handle.write('far', 20_000)
      await handle.write('between', 15_000)
      await handle.write('touching', 9_996)
    })
    expectBytes(content, contentWith([20_000, 'far'], [15_000, 'between'], [9_996, 'touching']))
  })

  test('single bytes anywhere', async () => {
    const positions = [0, 1, 4_095, 4_096, 4_097, 8_191, 8_192, 9_999, 10_000, 12_287, 12_288]
    const content = await updating(async (handle) => {
      for (const position of positions) await handle.write(Buffer.from([position % 256]), 0, 1, position)
      for (const position of positions) {
        const buffer = Buffer.alloc(1)
        await handle.read(buffer, 0, 1, position)
        expect(buffer[0], String(position)).toBe(position % 256)
      }
    })
    expectBytes(content, contentWith(...positions.map((position) => [position, Buffer.from([position % 256])] as const)))
  })

  test('appended, opened and closed for each piece', async () => {
    const path = await fileOf(CONTENT)
    const pieces = Array.from({ length: 8 }, (_, i) => patternBytes(1_500, i))
    for (const piece of pieces) await withHandle(path, 'a', (handle) => handle.write(piece))
    expectBytes(await contentOf(path), Buffer.concat([CONTENT, ...pieces]))
  })

  test.each([1, 2, 3])('reads, writes and truncations anywhere, round %i', async (seed) => {
    const random = new SeededRandom(seed)
    const path = await fileOf(CONTENT)
    let expected: Buffer = CONTENT
    let cursor = 0
    const put = (position: number, data: Buffer): void => {
      const longer = Buffer.alloc(Math.max(expected.length, position + data.length))
      expected.copy(longer)
      data.copy(longer, position)
      expected = longer
    }
    for (let session = 0; session < 4; session++) {
      cursor = 0
      await withHandle(path, 'r+', async (handle) => {
        for (let step = 0; step < 40; step++) {
          const position = random.chance(0.3) ? null : random.int(0, 13_000)
          const length = random.pick([1, 10, 300, 4_096, 5_000])
          const from = position ?? cursor
          if (random.chance(0.05)) {
            const size = random.int(0, 12_000)
            await handle.truncate(size)
            const cut = Buffer.alloc(size)
            expected.copy(cut)
            expected = cut
          } else if (random.chance(0.5)) {
            const buffer = Buffer.alloc(length)
            const { bytesRead } = await handle.read(buffer, 0, length, position)
            const there = expected.subarray(from, from + length)
            expectBytes(buffer.subarray(0, bytesRead), there, `seed ${seed}, step ${step}: read ${length} at ${from}`)
            if (position === null) cursor += bytesRead
          } else {
            const data = patternBytes(length, seed * 1_000 + step)
            await handle.write(data, 0, length, position)
            put(from, data)
            if (position === null) cursor += length
          }
        }
      })
      expectBytes(await contentOf(path), expected, `seed ${seed}, session ${session}`)
    }
  })
}

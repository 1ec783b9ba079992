import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { CONTENT, expectBytes, NODE_MAJOR, readTen, rejection, type Subject } from './subject.js'

/** `read`, in all its forms. */
export function readTests({ options, whenAsync, reading, opened, refusal }: Subject): void {
  const { isSync, withoutPositionChecks, withoutOmissions } = options

  describe('read', () => {
    test('fills the buffer from where the last read ended', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(4_000)
        const first = await handle.read(buffer)
        expect(first.bytesRead).toBe(4_000)
        expect(first.buffer).toBe(buffer)
        expectBytes(buffer, CONTENT.subarray(0, 4_000))
        await handle.read(buffer)
        expectBytes(buffer, CONTENT.subarray(4_000, 8_000))
      }))

    test('takes buffer, offset, length and position', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(20, 0xee)
        const { bytesRead } = await handle.read(buffer, 5, 10, 4_090)
        expect(bytesRead).toBe(10)
        const expected = Buffer.alloc(20, 0xee)
        CONTENT.copy(expected, 5, 4_090, 4_100)
        expectBytes(buffer, expected)
      }))

    test('takes buffer and options', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(20)
        expect((await handle.read(buffer, { offset: 2, length: 3, position: 9_000 })).bytesRead).toBe(3)
        expectBytes(buffer.subarray(2, 5), CONTENT.subarray(9_000, 9_003))
        expect((await handle.read(buffer, { position: 100 })).bytesRead).toBe(20)
        expectBytes(buffer, CONTENT.subarray(100, 120))
        expect((await handle.read(buffer, { position: null })).bytesRead).toBe(20)
        expectBytes(buffer, CONTENT.subarray(0, 20))
        expect((await handle.read(buffer, { length: 5 })).bytesRead).toBe(5)
        expectBytes(buffer, Buffer.concat([CONTENT.subarray(20, 25), CONTENT.subarray(5, 20)]))
        expect((await handle.read(buffer, {})).bytesRead).toBe(20)
        expectBytes(buffer, CONTENT.subarray(25, 45))
      }))

    whenAsync('takes options alone', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(20)
        const result = await handle.read({ buffer, offset: 10, position: 5_000 })
        expect(result.bytesRead).toBe(10)
        expect(result.buffer).toBe(buffer)
        expectBytes(buffer.subarray(10), CONTENT.subarray(5_000, 5_010))
        expect((await handle.read({ buffer, length: 3 })).bytesRead).toBe(3)
        expect((await handle.read({ buffer, offset: 17, length: 3 })).bytesRead).toBe(3)
        expectBytes(Buffer.concat([buffer.subarray(0, 3), buffer.subarray(17)]), CONTENT.subarray(0, 6))
      }),
    )

    whenAsync('brings a buffer of 16,384 bytes where none is given', () =>
      reading(async (handle) => {
        for (const args of [[{ position: 0 }], [{ length: 10_000, position: 0 }], []]) {
          const result = await handle.read(...args)
          expect(result.bytesRead).toBe(10_000)
          expect(Buffer.isBuffer(result.buffer)).toBe(true)
          expect(result.buffer.byteLength).toBe(16_384)
          expectBytes(result.buffer.subarray(0, 10_000), CONTENT)
        }
        const { bytesRead, buffer } = await handle.read(null)
        expect(bytesRead).toBe(0)
        expectBytes(buffer, Buffer.alloc(16_384))
      }),
    )

    test.skipIf(withoutOmissions)('takes null and undefined for the defaults', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(10)
        expect((await handle.read(buffer, null, null, null)).bytesRead).toBe(10)
        expect((await handle.read(buffer, undefined, undefined, undefined)).bytesRead).toBe(10)
        expectBytes(buffer, CONTENT.subarray(10, 20))
        expect((await handle.read(buffer, 4)).bytesRead).toBe(6)
        expectBytes(buffer, Buffer.concat([CONTENT.subarray(10, 14), CONTENT.subarray(20, 26)]))
        expect((await handle.read(buffer, null, 5)).bytesRead).toBe(5)
        expectBytes(buffer.subarray(0, 5), CONTENT.subarray(26, 31))
      }),
    )

    test('fills any kind of view', () =>
      reading(async (handle) => {
        const memory = new ArrayBuffer(64)
        const views = [
          new Uint8Array(memory, 8, 16),
          new Uint16Array(memory, 8, 8),
          new BigInt64Array(memory, 8, 2),
          new Float64Array(memory, 8, 2),
          new DataView(memory, 8, 16),
          Buffer.from(memory, 8, 16),
        ]
        for (const view of views) {
          new Uint8Array(memory).fill(0)
          const result = await handle.read(view, 0, 16, 300)
          expect(result.bytesRead).toBe(16)
          expect(result.buffer).toBe(view)
          expectBytes(Buffer.from(memory, 8, 16), CONTENT.subarray(300, 316))
          expectBytes(Buffer.from(memory, 0, 8), Buffer.alloc(8))
          expectBytes(Buffer.from(memory, 24), Buffer.alloc(40))
        }
      }))

    test('fills shared memory', () =>
      reading(async (handle) => {
        const view = new Uint8Array(new SharedArrayBuffer(5_000), 100, 4_800)
        expect((await handle.read(view, 0, 4_800, 200)).bytesRead).toBe(4_800)
        expectBytes(Buffer.from(view), CONTENT.subarray(200, 5_000))
      }))

    test('reads less near the end, and nothing at it and behind it', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(100, 0xee)
        expect((await handle.read(buffer, 0, 100, 9_990)).bytesRead).toBe(10)
        expectBytes(buffer.subarray(0, 10), CONTENT.subarray(9_990))
        expectBytes(buffer.subarray(10), Buffer.alloc(90, 0xee))
        expect((await handle.read(buffer, 0, 100, 10_000)).bytesRead).toBe(0)
        expect((await handle.read(buffer, 0, 100, 10_001)).bytesRead).toBe(0)
        expect((await handle.read(buffer, 0, 100, 2 ** 40)).bytesRead).toBe(0)
        expect((await handle.read(buffer, 0, 100, Number.MAX_SAFE_INTEGER - 100)).bytesRead).toBe(0)
      }))

    test('reads any window of the file', () =>
      reading(async (handle) => {
        for (const [start, length] of [
          [0, 10_000],
          [4_095, 2],
          [4_096, 4_096],
          [1, 9_998],
          [8_191, 1],
          [8_192, 1_808],
        ] as const) {
          const buffer = Buffer.alloc(length)
          expect((await handle.read(buffer, 0, length, start)).bytesRead).toBe(length)
          expectBytes(buffer, CONTENT.subarray(start, start + length), `${start} + ${length}`)
        }
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
        for (const position of [null, 5_000, -1, 4_095, 0, undefined, null]) found.push(await readTen(handle, position))
        expect(found).toEqual([0, 5_000, 10, 4_095, 0, 20, 30])
      }))

    test.skipIf(withoutPositionChecks)('takes a bigint as position', () =>
      reading(async (handle) => {
        const found = []
        for (const position of [6_000n, -1n, 0n, null]) found.push(await readTen(handle, position))
        expect(found).toEqual([6_000, 0, 0, 10])
      }),
    )

    test('at many positions at once reads each', () =>
      reading(async (handle) => {
        const positions = Array.from({ length: 30 }, (_, i) => (i * 7_919) % 9_990)
        expect(await Promise.all(positions.map((position) => readTen(handle, position)))).toEqual(positions)
      }))

    test('of no byte reads nothing and moves nothing', () =>
      reading(async (handle) => {
        const buffer = Buffer.alloc(10, 0xee)
        expect((await handle.read(buffer, 0, 0, null)).bytesRead).toBe(0)
        expect((await handle.read(buffer, { offset: 10 })).bytesRead).toBe(0)
        expect((await handle.read(buffer, { length: 0, position: 5 })).bytesRead).toBe(0)
        const empty = Buffer.alloc(0)
        expect(await handle.read(empty)).toMatchObject({ bytesRead: 0, buffer: empty })
        expectBytes(buffer, Buffer.alloc(10, 0xee))
        await handle.read(buffer)
        expectBytes(buffer, CONTENT.subarray(0, 10))
      }))

    test('of no byte is not refused by a handle that writes alone', async () => {
      for (const flags of ['w', 'a']) {
        const handle = await opened(flags)
        try {
          expect((await handle.read(Buffer.alloc(0))).bytesRead).toBe(0)
          expect((await handle.read(Buffer.alloc(5), 0, 0, 0)).bytesRead).toBe(0)
        } finally {
          await handle.close()
        }
      }
    })

    test('of an empty file reads nothing', async () => {
      const handle = await opened('r', '')
      expect((await handle.read(Buffer.alloc(10))).bytesRead).toBe(0)
      expect((await handle.read(Buffer.alloc(10), 0, 10, 5)).bytesRead).toBe(0)
      await handle.close()
    })

    test.each<[string, unknown[], string]>([
      ['text as buffer', ['text'], 'ERR_INVALID_ARG_TYPE'],
      ['a number as buffer', [5], 'ERR_INVALID_ARG_TYPE'],
      ['a negative offset', [Buffer.alloc(10), -1, 1, 0], 'ERR_OUT_OF_RANGE'],
      ['a broken offset', [Buffer.alloc(10), 1.5, 1, 0], 'ERR_OUT_OF_RANGE'],
      ['a string as offset', [Buffer.alloc(10), '1', 1, 0], 'ERR_INVALID_ARG_TYPE'],
      ['a negative length', [Buffer.alloc(10), 0, -1, 0], 'ERR_OUT_OF_RANGE'],
      ['a length that does not fit', [Buffer.alloc(10), 5, 6, 0], 'ERR_OUT_OF_RANGE'],
      ['an empty buffer with a length', [Buffer.alloc(0), 0, 1, 0], 'ERR_INVALID_ARG_VALUE'],
      ['options with a negative offset', [Buffer.alloc(10), { offset: -1 }], 'ERR_OUT_OF_RANGE'],
      ['options with a length that does not fit', [Buffer.alloc(10), { offset: 5, length: 6 }], 'ERR_OUT_OF_RANGE'],
    ])('refuses %s', async (_, args, code) => {
      expect((await refusal((handle) => handle.read(...args), 'r')).code).toBe(code)
    })

    whenAsync('refuses options whose buffer is none', async () => {
      for (const buffer of ['text', 5, new ArrayBuffer(8)]) {
        expect((await refusal((handle) => handle.read({ buffer }), 'r')).code).toBe('ERR_INVALID_ARG_TYPE')
      }
    })

    test('refuses an offset behind the buffer', () =>
      reading(async (handle) => {
        // Node's words are of a length that must be no more than -1.
        const error = await rejection(() => handle.read(Buffer.alloc(10), 11, 1, 0))
        expect(error).toBeInstanceOf(RangeError)
        expect(error.code).toBe('ERR_OUT_OF_RANGE')
      }))

    test.skipIf(withoutPositionChecks).each<[string, unknown, string]>([
      ['a position below -1', -2, 'ERR_OUT_OF_RANGE'],
      ['a broken position', 1.5, 'ERR_OUT_OF_RANGE'],
      ['no number as position', NaN, 'ERR_OUT_OF_RANGE'],
      ['a position beyond what is safe', 2 ** 53, 'ERR_OUT_OF_RANGE'],
      ['a string as position', '1', 'ERR_INVALID_ARG_TYPE'],
    ])('refuses %s', async (_, position, code) => {
      // FileHandle has nothing to compare with in Node 20.
      const isCompared = isSync === true || NODE_MAJOR >= 22
      const error = await refusal((handle) => handle.read(Buffer.alloc(10), 0, 1, position), 'r', CONTENT, isCompared)
      expect(error.code).toBe(code)
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError)
    })

    test.skipIf(withoutPositionChecks)('refuses a huge bigint as position', () =>
      reading(async (handle) => {
        const error = await rejection(() => handle.read(Buffer.alloc(10), 0, 1, 2n ** 63n))
        expect(error).toBeInstanceOf(RangeError)
        expect(error.code).toBe('ERR_OUT_OF_RANGE')
      }),
    )
  })
}

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { readTen, rejection, type Subject } from './subject.js'
import { EventLog, settled, streamRefusal } from './stream-support.js'

async function collectLines(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

/** `readLines`. */
export function lineTests(subject: Subject): void {
  const { opened, fileOf, withHandle } = subject

  describe('readLines', () => {
    const long = 'ü'.repeat(5_000)
    test.each<[string, string, string[]]>([
      ['lines', 'a\nbc\n\nd\n', ['a', 'bc', '', 'd']],
      ['a last line without an end', 'a\nb', ['a', 'b']],
      ['CRLF', 'a\r\n\r\nb\r\n', ['a', '', 'b']],
      ['ends of all kinds', 'a\r\nb\nc\rd', ['a', 'b', 'c', 'd']],
      ['no line', '', []],
      ['one end', '\n', ['']],
      ['long lines', `${long}\n${'x'.repeat(9_000)}\r\n${long}`, [long, 'x'.repeat(9_000), long]],
      ['many lines', 'grüße\n'.repeat(2_000), Array.from({ length: 2_000 }, () => 'grüße')],
    ])('reads %s', async (_, text, lines) => {
      const handle = await opened('r', text)
      expect(await collectLines(handle.readLines())).toEqual(lines)
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test('keeps CRLF together across two chunks', async () => {
      const text = `${'a'.repeat(9)}\r\n${'b'.repeat(8)}\r\nc`
      const handle = await opened('r', text)
      expect(await collectLines(handle.readLines({ highWaterMark: 10 }))).toEqual(['a'.repeat(9), 'b'.repeat(8), 'c'])
      await handle.close()
    })

    test('reads a window, and from the position', async () => {
      const path = await fileOf('one\ntwo\nthree\nfour\n')
      await withHandle(path, 'r', async (handle) => {
        expect(await collectLines(handle.readLines({ start: 4, end: 12, autoClose: false }))).toEqual(['two', 'three'])
        await handle.read(Buffer.alloc(8))
        expect(await collectLines(handle.readLines({ autoClose: false }))).toEqual(['three', 'four'])
        expect(await collectLines(handle.readLines({ autoClose: false }))).toEqual([])
      })
    })

    test('takes an encoding', async () => {
      const handle = await opened('r', 'ab\ncd')
      expect(await collectLines(handle.readLines({ encoding: 'hex' }))).toEqual(['61620a6364'])
      await handle.close()
    })

    test('gives lines by events', async () => {
      const handle = await opened('r', 'a\nb\r\nc')
      const lines = handle.readLines()
      const seen: string[] = []
      lines.on('line', (line) => seen.push(line))
      await once(lines, 'close')
      expect(seen).toEqual(['a', 'b', 'c'])
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test('closes the handle at the end', async () => {
      const handle = await opened('r', 'a\nb')
      const log = new EventLog()
      log.watch('handle', handle as unknown as NodeJS.EventEmitter, ['close'])
      const closed = new Promise<void>((resolve) => handle.once('close', () => resolve()))
      expect(await collectLines(handle.readLines())).toEqual(['a', 'b'])
      await closed
      expect(log.seen).toEqual(['handle close'])
      expect(handle.fd).toBe(-1)
    })

    test('leaves the handle open where autoClose is false', async () => {
      const handle = await opened('r')
      await collectLines(handle.readLines({ autoClose: false }))
      expect(await readTen(handle, 20)).toBe(20)
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test('leaves the handle open where it is left long before the end', async () => {
      const handle = await opened('r', 'a\n'.repeat(50_000))
      for await (const line of handle.readLines()) {
        expect(line).toBe('a')
        break
      }
      expect(handle.fd).toBeGreaterThan(2)
      expect((await handle.read(Buffer.alloc(3), 0, 3, 1)).bytesRead).toBe(3)
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test('keeps no handle from closing', async () => {
      const handle = await opened('r', 'a\n'.repeat(50_000))
      const lines = handle.readLines()
      const seen: string[] = []
      lines.on('line', (line) => seen.push(line))
      await once(lines, 'line')
      await handle.close()
      expect(handle.fd).toBe(-1)
      const { length } = seen
      await settled()
      expect(seen.length).toBe(length)
      expect(length).toBeLessThan(50_000)
      lines.close()
    })

    test('is aborted by its signal', async () => {
      const handle = await opened('r', 'a\nb')
      const error = await rejection(() => collectLines(handle.readLines({ signal: AbortSignal.abort('reason') })))
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test('fails where the handle does not read', async () => {
      const handle = await opened('w', 'a\nb')
      const error = await rejection(() => collectLines(handle.readLines()))
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'read', message: 'EBADF: bad file descriptor, read' })
      await handle.close()
      expect(handle.fd).toBe(-1)
    })

    test.each<[string, unknown, string]>([
      ['a negative start', { start: -1 }, 'ERR_OUT_OF_RANGE'],
      ['a start behind the end', { start: 5, end: 4 }, 'ERR_OUT_OF_RANGE'],
      ['an unknown encoding', { encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
    ])('does not take %s', async (_, settings, code) => {
      expect((await streamRefusal(subject, (handle) => handle.readLines(settings))).code).toBe(code)
    })
  })
}

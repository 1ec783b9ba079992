import { describe, expect, test } from 'vitest'
import { EncryptedFile } from '../../src/index.js'
import { errorOf, OPTIONS, SEGMENT_SIZE, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let count = 0

function fileOf(content: string): string {
  const path = inFolder(`file-${count++}`)
  writeEncrypted(path, content)
  return path
}

/** The lines of a file, by each way to get them. */
async function linesOf(path: string): Promise<string[][]> {
  const byReadLine: string[] = []
  const byIteration: string[] = []
  const byReadLines: string[] = []
  const withoutWaiting: string[] = []
  {
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    for (let line = await file.readLine(); line !== undefined; line = await file.readLine()) byReadLine.push(line)
    await file.seek(0)
    for await (const line of file) byIteration.push(line)
    await file.seek(0)
    for await (const line of file.readLines()) byReadLines.push(line)
  }
  using sync = EncryptedFile.openSync(path, 'r', OPTIONS)
  for (const line of sync) withoutWaiting.push(line)
  return [byReadLine, byIteration, byReadLines, withoutWaiting]
}

describe('lines', () => {
  test.each<[string, string, string[]]>([
    ['that end', 'one\ntwo\n', ['one', 'two']],
    ['of which the last has no end', 'one\ntwo', ['one', 'two']],
    ['that end as on Windows', 'one\r\ntwo\r\n', ['one', 'two']],
    ['that end in both ways', 'one\r\ntwo\nthree\r\n\nfour', ['one', 'two', 'three', '', 'four']],
    ['that are empty', '\n\n\r\n', ['', '', '']],
    ['of an empty file', '', []],
    ['of one character', 'x', ['x']],
    [
      'longer than what is looked at first',
      `${'a'.repeat(255)}\n${'b'.repeat(256)}\n${'c'.repeat(257)}\n`,
      ['a', 'b', 'c'].map((c, i) => c.repeat(255 + i)),
    ],
    ['longer than several segments', `${'x'.repeat(3 * SEGMENT_SIZE)}\nshort\n`, ['x'.repeat(3 * SEGMENT_SIZE), 'short']],
  ])('%s', async (_, content, expected) => {
    for (const lines of await linesOf(fileOf(content))) expect(lines).toEqual(expected)
  })

  test('with characters and line ends that are cut by the end of a segment, at every byte', async () => {
    for (let before = SEGMENT_SIZE - 9; before <= SEGMENT_SIZE; before++) {
      const expected = ['x'.repeat(before), 'ä€😀', 'ß']
      const path = fileOf(`${expected.join('\r\n')}\r\n`)
      for (const lines of await linesOf(path)) expect(lines).toEqual(expected)
    }
  })

  test('move the position to where the next one begins, in bytes', async () => {
    await using file = await EncryptedFile.open(fileOf('grüße\r\nx\nend'), 'r+', OPTIONS)
    expect(await file.readLine()).toBe('grüße')
    expect(await file.tell()).toBe(9)
    expect(await file.readLine()).toBe('x')
    await file.write('END')
    expect(await file.readLine()).toBeUndefined()
    await file.seek(-3, 'end')
    expect(await file.readLine()).toBe('END')
    expect(await file.tell()).toBe(14)
  })

  test('that are not complete can be left for later', async () => {
    await using file = await EncryptedFile.open(fileOf('one\ntw'), 'a+', OPTIONS)
    expect(await file.readLine({ complete: true })).toBe('one')
    expect(await file.readLine({ complete: true })).toBeUndefined()
    expect(await file.tell()).toBe(4)
    await file.append('o\n')
    await file.seek(4)
    expect(await file.readLine({ complete: true })).toBe('two')
  })

  test('may be left half-way, and the handle stays open', async () => {
    await using file = await EncryptedFile.open(fileOf('one\ntwo\nthree'), 'r', OPTIONS)
    for await (const line of file) if (line === 'one') break
    expect(await file.readLine()).toBe('two')
    expect(await file.readText()).toBe('three')
  })
})

describe('text', () => {
  test('is read from the position to the end', async () => {
    const content = 'ä€😀'.repeat(2_000)
    await using file = await EncryptedFile.open(fileOf(content), 'r', OPTIONS)
    expect(await file.readText()).toBe(content)
    await file.seek(2)
    expect(await file.readText()).toBe(content.slice(1))
    await file.seek(0)
    expect(await file.readText('latin1')).toBe(Buffer.from(content).toString('latin1'))
    await file.seek(0)
    expect(await file.readText({ encoding: 'hex' })).toBe(Buffer.from(content).toString('hex'))
    expect(await file.readText()).toBe('')
    using sync = EncryptedFile.openSync(fileOf(content), 'r', OPTIONS)
    expect(sync.readText()).toBe(content)
    sync.seek(0)
    expect(sync.readText('hex')).toBe(Buffer.from(content).toString('hex'))
  })

  test.each<[string, (path: string) => Promise<unknown>]>([
    ['readText', async (path) => (await EncryptedFile.open(path, 'rb', OPTIONS)).readText()],
    ['readLine', async (path) => (await EncryptedFile.open(path, 'rb', OPTIONS)).readLine()],
    ['iteration', async (path) => (await EncryptedFile.open(path, 'rb', OPTIONS))[Symbol.asyncIterator]().next()],
    ['readLines', async (path) => (await EncryptedFile.open(path, 'rb', OPTIONS)).readLines()],
  ])('is not given by a binary handle: %s', async (_, call) => {
    await expect(call(fileOf('text'))).rejects.toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
  })
})

describe('seek and tell', () => {
  test('move the position of reads and writes alike', async () => {
    await using file = await EncryptedFile.open(fileOf('0123456789'), 'r+', OPTIONS)
    expect(await file.tell()).toBe(0)
    expect(await file.seek(4)).toBe(4)
    expect((await file.read({ buffer: Buffer.alloc(2) })).buffer.toString()).toBe('45')
    expect(await file.seek(-1, 'current')).toBe(5)
    await file.write('five')
    expect(await file.tell()).toBe(9)
    expect(await file.seek(-10, 'end')).toBe(0)
    expect(await file.readText()).toBe('01234five9')
    expect(await file.seek(5, 'end')).toBe(15)
    await file.write('!')
    expect(await file.seek(0)).toBe(0)
    expect(await file.readText()).toBe('01234five9\0\0\0\0\0!')
  })

  test('do the same without waiting', () => {
    using file = EncryptedFile.openSync(fileOf('0123456789'), 'r+', OPTIONS)
    expect([file.seek(4), file.tell(), file.seek(-1, 'current'), file.seek(-3, 'end'), file.tell()]).toEqual([4, 4, 3, 7, 7])
    expect(file.readText()).toBe('789')
  })

  test.each([
    [-1, 'start', 'ERR_OUT_OF_RANGE'],
    [-1, 'current', 'ERR_OUT_OF_RANGE'],
    [-11, 'end', 'ERR_OUT_OF_RANGE'],
    [1.5, 'start', 'ERR_OUT_OF_RANGE'],
    [NaN, 'start', 'ERR_OUT_OF_RANGE'],
    ['1', 'start', 'ERR_INVALID_ARG_TYPE'],
    [1, 'middle', 'ERR_INVALID_ARG_VALUE'],
    [Number.MAX_SAFE_INTEGER, 'end', 'ERR_OUT_OF_RANGE'],
  ])('refuse %o from the %s', async (offset, whence, code) => {
    const path = fileOf('0123456789')
    await using file = await EncryptedFile.open(path, 'r', OPTIONS)
    await expect(file.seek(offset as number, whence as 'start')).rejects.toMatchObject({ code })
    expect(await file.tell()).toBe(0)
    using sync = EncryptedFile.openSync(path, 'r', OPTIONS)
    expect(errorOf(() => sync.seek(offset as number, whence as 'start'))).toMatchObject({ code })
  })

  test('are refused on a closed handle', async () => {
    const file = await EncryptedFile.open(fileOf(''), 'r', OPTIONS)
    await file.close()
    await expect(file.seek(0)).rejects.toMatchObject({ code: 'EBADF', message: 'file closed' })
    await expect(file.tell()).rejects.toMatchObject({ code: 'EBADF' })
    await expect(file.readLine()).rejects.toMatchObject({ code: 'EBADF' })
  })
})

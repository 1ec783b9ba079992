import { Buffer } from 'node:buffer'
import { constants, existsSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { Flags, Handle } from './handle.js'
import { CONTENT, contentWith, expectBytes, readTen, rejection, type Subject } from './subject.js'

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC, O_DSYNC } = constants

/** Spellings of the same thing, and what it is: a missing file is made or fails, one that exists is kept, dropped or fails. */
interface Meaning {
  readonly spellings: readonly Flags[]
  readonly access: 'reads' | 'writes' | 'reads and writes'
  readonly missing: 'is made' | 'fails'
  readonly existing: 'is kept' | 'is dropped' | 'fails'
  readonly appends: boolean
}

function meaning(
  spellings: readonly Flags[],
  access: Meaning['access'],
  missing: Meaning['missing'],
  existing: Meaning['existing'],
  appends?: 'appends',
): Meaning {
  return { spellings, access, missing, existing, appends: appends !== undefined }
}

const MEANINGS: readonly Meaning[] = [
  meaning([undefined, null, 'r', 'rs', 'sr', O_RDONLY, O_RDONLY | O_SYNC, O_RDONLY | O_APPEND], 'reads', 'fails', 'is kept'),
  meaning([O_RDONLY | O_CREAT], 'reads', 'is made', 'is kept'),
  meaning([O_RDONLY | O_CREAT | O_EXCL], 'reads', 'is made', 'fails'),
  meaning([O_RDONLY | O_TRUNC], 'reads', 'fails', 'is dropped'),
  meaning(['r+', 'rs+', 'sr+', O_RDWR, O_RDWR | O_SYNC, O_RDWR | O_DSYNC, O_RDWR | O_EXCL], 'reads and writes', 'fails', 'is kept'),
  meaning([O_RDWR | O_CREAT], 'reads and writes', 'is made', 'is kept'),
  meaning([O_RDWR | O_TRUNC], 'reads and writes', 'fails', 'is dropped'),
  meaning(['w+', O_RDWR | O_CREAT | O_TRUNC], 'reads and writes', 'is made', 'is dropped'),
  meaning(['wx+', 'xw+', O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_EXCL | O_TRUNC], 'reads and writes', 'is made', 'fails'),
  meaning(['a+', 'as+', 'sa+', O_RDWR | O_CREAT | O_APPEND], 'reads and writes', 'is made', 'is kept', 'appends'),
  meaning(['ax+', 'xa+', O_RDWR | O_CREAT | O_EXCL | O_APPEND], 'reads and writes', 'is made', 'fails', 'appends'),
  meaning([O_RDWR | O_APPEND], 'reads and writes', 'fails', 'is kept', 'appends'),
  meaning([O_WRONLY], 'writes', 'fails', 'is kept'),
  meaning([O_WRONLY | O_CREAT], 'writes', 'is made', 'is kept'),
  meaning([O_WRONLY | O_TRUNC], 'writes', 'fails', 'is dropped'),
  meaning(['w', O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC], 'writes', 'is made', 'is dropped'),
  meaning(['wx', 'xw', O_WRONLY | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC], 'writes', 'is made', 'fails'),
  meaning(['a', 'as', 'sa', O_WRONLY | O_CREAT | O_APPEND], 'writes', 'is made', 'is kept', 'appends'),
  meaning(['ax', 'xa', O_WRONLY | O_CREAT | O_EXCL | O_APPEND], 'writes', 'is made', 'fails', 'appends'),
  meaning([O_WRONLY | O_APPEND], 'writes', 'fails', 'is kept', 'appends'),
]

const NAMES = { O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC, O_DSYNC }

/** `O_RDWR|O_CREAT` for a number, what is written for the others. */
function spell(flags: Flags): string {
  if (typeof flags !== 'number') return String(flags)
  const names = []
  let rest = flags
  for (const [name, bits] of Object.entries(NAMES)) {
    if ((rest & bits) !== bits) continue
    names.push(name)
    rest &= ~bits // O_SYNC comprises O_DSYNC
  }
  return names.join('|') || 'O_RDONLY'
}

const READS: readonly (readonly [string, (handle: Handle) => Promise<unknown>])[] = [
  ['read', (handle) => handle.read(Buffer.alloc(3))],
  ['read at a position', (handle) => handle.read(Buffer.alloc(3), 0, 3, 1)],
  ['readv', (handle) => handle.readv([Buffer.alloc(3)])],
  ['readFile', (handle) => handle.readFile()],
  ['readFile as text', (handle) => handle.readFile('utf8')],
]

const WRITES: readonly (readonly [string, (handle: Handle) => Promise<unknown>])[] = [
  ['write', (handle) => handle.write(Buffer.from('x'))],
  ['write at a position', (handle) => handle.write(Buffer.from('x'), 0, 1, 1)],
  ['write of text', (handle) => handle.write('x')],
  ['writev', (handle) => handle.writev([Buffer.from('x')])],
  ['writeFile', (handle) => handle.writeFile('x')],
  ['appendFile', (handle) => handle.appendFile('x')],
]

const badFile = (syscall: string): object => ({
  code: 'EBADF',
  errno: -osConstants.errno.EBADF,
  syscall,
  message: `EBADF: bad file descriptor, ${syscall}`,
})

/** What each of the flags makes of a file, and lets a handle do. */
export function flagTests(subject: Subject): void {
  describe('the flags', () => {
    for (const meaning of MEANINGS) {
      for (const flags of meaning.spellings) describe(spell(flags), () => testsOf(subject, flags, meaning))
    }
  })
}

function testsOf(subject: Subject, flags: Flags, { access, missing, existing, appends }: Meaning): void {
  const { freshPath, withHandle, fileOf, contentOf, openRefusal } = subject

  /** Where the flags open: a file of CONTENT, or none; and what is in it then. */
  const start = async (): Promise<{ path: string; content: Buffer }> => ({
    path: existing === 'fails' ? freshPath() : await fileOf(CONTENT),
    content: existing === 'is kept' ? CONTENT : Buffer.alloc(0),
  })

  if (missing === 'fails') {
    test('need a file', async () => {
      const path = freshPath()
      const error = await openRefusal(path, flags)
      expect(error).toMatchObject({ code: 'ENOENT', errno: -osConstants.errno.ENOENT, syscall: 'open', path })
      expect(error.message).toBe(`ENOENT: no such file or directory, open '${path}'`)
      expect(existsSync(path)).toBe(false)
    })
  } else {
    test('make a file', async () => {
      const path = freshPath()
      await withHandle(path, flags, async (handle) => {
        expect((await handle.stat()).size).toBe(0)
        expect(existsSync(path)).toBe(true)
      })
      expectBytes(await contentOf(path), Buffer.alloc(0))
    })
  }

  if (existing === 'fails') {
    test('need the place to be free', async () => {
      const path = await fileOf(CONTENT)
      const error = await openRefusal(path, flags)
      expect(error).toMatchObject({ code: 'EEXIST', errno: -osConstants.errno.EEXIST, syscall: 'open', path })
      expect(error.message).toBe(`EEXIST: file already exists, open '${path}'`)
      expectBytes(await contentOf(path), CONTENT)
    })
  } else {
    test(`open a file whose content ${existing}`, async () => {
      const { path, content } = await start()
      await withHandle(path, flags, async (handle) => expect((await handle.stat()).size).toBe(content.length))
      expect(await contentOf(path)).toEqual(content)
    })
  }

  if (access === 'writes') {
    test('do not read', async () => {
      const { path } = await start()
      await withHandle(path, flags, async (handle) => {
        for (const [name, call] of READS) expect(await rejection(() => call(handle)), name).toMatchObject(badFile('read'))
      })
    })
  } else {
    test('read from the start', async () => {
      const { path, content } = await start()
      await withHandle(path, flags, async (handle) => {
        expect(await readTen(handle)).toBe(content.length === 0 ? -1 : 0)
        expect(await readTen(handle, 4_090)).toBe(content.length === 0 ? -1 : 4_090)
        expectBytes(await handle.readFile(), content.subarray(10))
      })
    })
  }

  if (access === 'reads') {
    test('do not write', async () => {
      const { path, content } = await start()
      await withHandle(path, flags, async (handle) => {
        for (const [name, call] of WRITES) expect(await rejection(() => call(handle)), name).toMatchObject(badFile('write'))
      })
      expect(await contentOf(path)).toEqual(content)
    })

    test('do not truncate', async () => {
      const { path, content } = await start()
      await withHandle(path, flags, async (handle) => {
        const refused = { code: 'EINVAL', errno: -osConstants.errno.EINVAL, syscall: 'ftruncate' }
        expect(await rejection(() => handle.truncate(5))).toMatchObject({
          ...refused,
          message: 'EINVAL: invalid argument, ftruncate',
        })
        expect(await rejection(() => handle.truncate())).toMatchObject(refused)
      })
      expect(await contentOf(path)).toEqual(content)
    })
    return
  }

  test(`write on from the ${appends ? 'end, wherever the position is' : 'start'}`, async () => {
    const { path, content } = await start()
    await withHandle(path, flags, async (handle) => {
      await handle.write('abc')
      await handle.write(Buffer.from('def'))
      await handle.write('X', 1)
      await handle.write(Buffer.from('YZ'), 0, 2, 5)
      await handle.writev([Buffer.from('g'), Buffer.from('hi')])
      await handle.writev([Buffer.from('W')], 0)
      await handle.writeFile('jkl')
      await handle.appendFile('mno')
    })
    const expected = appends ? Buffer.concat([content, Buffer.from('abcdefXYZghiWjklmno')]) : Buffer.from(content)
    const written = Buffer.from('WXcdeYghijklmno')
    expectBytes(
      await contentOf(path),
      appends ? expected : Buffer.concat([written, expected.subarray(Math.min(written.length, expected.length))]),
    )
  })

  if (access === 'writes') return
  test('read and write from one position', async () => {
    const { path } = await start()
    await withHandle(path, flags, async (handle) => {
      await handle.truncate()
      await handle.write(CONTENT)
      expect(await readTen(handle)).toBe(-1)
      expect(await readTen(handle, 8_190)).toBe(8_190)
      await handle.truncate(9_990)
      await handle.write('0123456789')
      expect((await handle.stat()).size).toBe(appends ? 10_000 : 10_010)
    })
    const gap = Buffer.alloc(appends ? 0 : 10)
    expectBytes(await contentOf(path), Buffer.concat([CONTENT.subarray(0, 9_990), gap, Buffer.from('0123456789')]))
  })
}

/** What becomes of the position where a handle reads and writes. */
export function positionTests({ fileOf, withHandle, updating, writing }: Subject): void {
  describe('the position', () => {
    test('r+: writes go on where reads ended, and reads where writes ended', async () => {
      const content = await updating(async (handle) => {
        expect(await readTen(handle)).toBe(0)
        await handle.write('abcde')
        expect(await readTen(handle)).toBe(15)
        await handle.writev([Buffer.from('fg'), Buffer.from('hij')])
        expect(await readTen(handle)).toBe(30)
        await handle.writeFile('klmno')
        expect(await readTen(handle)).toBe(45)
        expectBytes(await handle.readFile(), CONTENT.subarray(55))
        await handle.write('end')
        expect((await handle.read(Buffer.alloc(5))).bytesRead).toBe(0)
      })
      expectBytes(content, contentWith([10, 'abcde'], [25, 'fghij'], [40, 'klmno'], [10_000, 'end']))
    })

    test('r+: stays where a read or a write names its own', async () => {
      const content = await updating(async (handle) => {
        expect(await readTen(handle)).toBe(0)
        await handle.write('abc', 5_000)
        await handle.write(Buffer.from('def'), 0, 3, 9_999)
        await handle.writev([Buffer.from('ghi')], 4_095)
        expect(await readTen(handle, 7_000)).toBe(7_000)
        await handle.readv([Buffer.alloc(5)], 20)
        await handle.truncate(10_001)
        expect(await readTen(handle)).toBe(10)
        await handle.write('jkl')
      })
      expectBytes(content, contentWith([5_000, 'abc'], [9_999, 'de'], [4_095, 'ghi'], [20, 'jkl']))
    })

    test('r+: what was just written is read, across what lies together on disk', async () => {
      const content = await updating(async (handle) => {
        await handle.write('a'.repeat(300), 4_000)
        const buffer = Buffer.alloc(500)
        await handle.read(buffer, 0, 500, 3_900)
        expectBytes(buffer, contentWith([4_000, 'a'.repeat(300)]).subarray(3_900, 4_400))
        await handle.write('b'.repeat(100), 4_090)
        expectBytes(await handle.readFile(), contentWith([4_000, 'a'.repeat(300)], [4_090, 'b'.repeat(100)]))
      })
      expectBytes(content, contentWith([4_000, 'a'.repeat(300)], [4_090, 'b'.repeat(100)]))
    })

    test('w+: is behind what was written', async () => {
      const text = await writing(async (handle) => {
        await handle.write('0123456789')
        expect((await handle.read(Buffer.alloc(5))).bytesRead).toBe(0)
        const buffer = Buffer.alloc(4)
        expect((await handle.read(buffer, 0, 4, 3)).bytesRead).toBe(4)
        expect(buffer.toString()).toBe('3456')
        expect(await handle.readFile('utf8')).toBe('')
        await handle.write('abc')
      }, 'w+')
      expect(text).toBe('0123456789abc')
    })

    test('w+: a write far behind the end leaves zeros, which are read at once', () =>
      writing(async (handle) => {
        await handle.write('abc')
        await handle.write('xyz', 9_000)
        expectBytes(await handle.readFile(), Buffer.concat([Buffer.alloc(8_997), Buffer.from('xyz')]))
      }, 'w+'))

    test('a+: reads begin at the start, and a write takes the position to the end', async () => {
      const path = await fileOf(CONTENT)
      await withHandle(path, 'a+', async (handle) => {
        expect(await readTen(handle)).toBe(0)
        expect(await readTen(handle)).toBe(10)
        await handle.write('abc')
        expect((await handle.read(Buffer.alloc(5))).bytesRead).toBe(0)
        const buffer = Buffer.alloc(5)
        expect((await handle.read(buffer, 0, 5, 9_999)).bytesRead).toBe(4)
        expect(buffer.subarray(1, 4).toString()).toBe('abc')
      })
    })

    test('a+: a write that names a position appends all the same, and leaves it where it is', async () => {
      const path = await fileOf(CONTENT)
      await withHandle(path, 'a+', async (handle) => {
        expect(await readTen(handle)).toBe(0)
        expect((await handle.write('abc', 0)).bytesWritten).toBe(3)
        await handle.write(Buffer.from('def'), 0, 3, 20_000)
        await handle.writev([Buffer.from('ghi')], 5)
        expect(await readTen(handle)).toBe(10)
        const buffer = Buffer.alloc(20)
        expect((await handle.read(buffer, 0, 20, 9_998)).bytesRead).toBe(11)
        expect(buffer.subarray(2, 11).toString()).toBe('abcdefghi')
        expectBytes(await handle.readFile(), Buffer.concat([CONTENT.subarray(20), Buffer.from('abcdefghi')]))
      })
    })

    test('a+: a write of no byte leaves the position where it is', async () => {
      const path = await fileOf(CONTENT)
      await withHandle(path, 'a+', async (handle) => {
        await handle.write('')
        await handle.write(Buffer.alloc(0))
        await handle.writeFile('')
        await handle.writev([])
        await handle.writev([Buffer.alloc(0)])
        expect(await readTen(handle)).toBe(0)
      })
    })
  })
}

import { constants, existsSync, lstatSync, mkdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Flags } from './handle.js'
import { CONTENT, expectBytes, rejection, type Subject } from './subject.js'

const ALL_KINDS = ['r', 'r+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'a+', 'ax+'] as const
const isExclusive = (flags: string): boolean => flags.includes('x')
const needsFile = (flags: string): boolean => flags.startsWith('r')

/** What paths lead to, and what may stand for flags and modes. */
export function openingTests(subject: Subject): void {
  pathTests(subject)
  describe.skipIf(process.platform === 'win32')('symbolic links', () => linkTests(subject))
  argumentTests(subject)
  describe.skipIf(process.platform === 'win32')('the mode', () => modeTests(subject))
}

function pathTests({ options, freshPath, fileOf, withHandle, contentOf, textOf, open, openRefusal }: Subject): void {
  describe('the path', () => {
    test('is a string, a Buffer or a URL', async () => {
      const path = freshPath()
      await withHandle(Buffer.from(path), 'w', (handle) => handle.write('abc'))
      await withHandle(pathToFileURL(path), 'a', (handle) => handle.write('def'))
      expect(await textOf(pathToFileURL(path))).toBe('abcdef')
      expect(await textOf(Buffer.from(path))).toBe('abcdef')
    })

    test('is named by an error as text', async () => {
      const path = freshPath()
      for (const form of [path, Buffer.from(path), pathToFileURL(path)]) {
        expect(await openRefusal(form, 'r')).toMatchObject({ code: 'ENOENT', path })
        expect(await openRefusal(form, 'r+')).toMatchObject({ code: 'ENOENT', path })
      }
    })

    test.each(ALL_KINDS)('needs its folder, with %s', async (flags) => {
      const path = `${freshPath()}/file`
      expect(await openRefusal(path, flags)).toMatchObject({ code: 'ENOENT', syscall: 'open', path })
    })

    test.each(ALL_KINDS)('does not go through a file, with %s', async (flags) => {
      const path = `${await fileOf('abc')}/file`
      expect(await openRefusal(path, flags)).toMatchObject({ code: 'ENOTDIR', syscall: 'open', path })
    })

    test.each(ALL_KINDS.filter((flags) => flags !== 'r'))('does not lead to a folder, with %s', async (flags) => {
      const path = freshPath()
      mkdirSync(path)
      expect(await openRefusal(path, flags)).toMatchObject({
        code: isExclusive(flags) ? 'EEXIST' : 'EISDIR',
        syscall: 'open',
        path,
      })
    })

    test('may lead to a folder with r, which is then not read', async () => {
      const path = freshPath()
      mkdirSync(path)
      const refused = { code: 'EISDIR', syscall: 'read', message: 'EISDIR: illegal operation on a directory, read' }
      // A header is read when a file is opened.
      if (options.hasHeader) expect(await rejection(() => open(path, 'r'))).toMatchObject(refused)
      else
        await withHandle(path, 'r', async (handle) =>
          expect(await rejection(() => handle.read(Buffer.alloc(1)))).toMatchObject(refused),
        )
    })

    test('is that of a folder with O_DIRECTORY', async () => {
      const { O_RDONLY, O_DIRECTORY } = constants
      const path = await fileOf('abc')
      expect(await openRefusal(path, O_RDONLY | O_DIRECTORY)).toMatchObject({ code: 'ENOTDIR', syscall: 'open', path })
    })

    test.each(ALL_KINDS)('is not longer than names may be, with %s', async (flags) => {
      const path = join(dirname(freshPath()), 'n'.repeat(256))
      expect(await openRefusal(path, flags)).toMatchObject({ code: 'ENAMETOOLONG', syscall: 'open', path })
    })

    test('has a name of any length that the system allows', async () => {
      const path = join(dirname(freshPath()), 'n'.repeat(255))
      await withHandle(path, 'w', (handle) => handle.write('abc'))
      expect(await textOf(path)).toBe('abc')
    })

    test.each<[string, unknown, string]>([
      ['a number', 5, 'ERR_INVALID_ARG_TYPE'],
      ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
      ['null', null, 'ERR_INVALID_ARG_TYPE'],
      ['an object', {}, 'ERR_INVALID_ARG_TYPE'],
      ['text with a zero', 'a\0b', 'ERR_INVALID_ARG_VALUE'],
      ['a URL of the web', new URL('https://example.org/file'), 'ERR_INVALID_URL_SCHEME'],
      ['no text', '', 'ENOENT'],
    ])('is not %s', async (_, path, code) => {
      expect((await openRefusal(path as string, 'r')).code).toBe(code)
      expect((await openRefusal(path as string, 'w')).code).toBe(code)
    })

    test('an empty file, as touch makes it, is read as nothing', async () => {
      const path = freshPath()
      writeFileSync(path, '')
      // It is none of the files that have a header; only what makes files takes it for a new one.
      if (options.hasHeader) {
        expect((await rejection(() => open(path, 'r'))).code).toBe('ERR_SEALFILE_FORMAT')
        expect((await rejection(() => open(path, 'r+'))).code).toBe('ERR_SEALFILE_FORMAT')
      } else expect(await textOf(path)).toBe('')
      await withHandle(path, 'a', (handle) => handle.write('abc'))
      expect(await textOf(path)).toBe('abc')
    })

    test('is opened for writing again while it is open', async () => {
      const path = await fileOf(CONTENT)
      await withHandle(path, 'r+', async (handle) => {
        for (const flags of ['r+', 'a', 'w']) {
          // Two writers would encrypt under one nonce.
          if (options.hasOneWriter) {
            expect(await rejection(() => open(path, flags))).toMatchObject({ code: 'ERR_SEALFILE_LOCKED', path })
          } else await withHandle(path, flags, (second) => second.write('abc'))
        }
        await handle.write('xyz')
      })
      expect((await contentOf(path)).subarray(0, 3).toString()).toBe('xyz')
    })

    test('is opened for reading while it is written, and read as it was last synced', async () => {
      const path = await fileOf(CONTENT)
      await withHandle(path, 'r+', async (writer) => {
        await withHandle(path, 'r', async (reader) => {
          await writer.write('abc', 0)
          await writer.write('xyz', 20_000)
          await writer.sync()
          expect((await reader.stat()).size).toBe(20_003)
          const buffer = Buffer.alloc(10)
          expect((await reader.read(buffer, 0, 10, 20_000)).bytesRead).toBe(3)
          expect(buffer.subarray(0, 3).toString()).toBe('xyz')
          expect((await reader.readFile()).length).toBe(20_003)
        })
        const content = await contentOf(path)
        expect(content.subarray(0, 3).toString()).toBe('abc')
        expect(content.length).toBe(20_003)
      })
    })
  })
}

function linkTests({ freshPath, fileOf, withHandle, contentOf, textOf, openRefusal }: Subject): void {
  const linkTo = (target: string): string => {
    const path = freshPath()
    symlinkSync(target, path)
    return path
  }

  test.each(['r', 'r+', 'w', 'w+', 'a', 'a+'] as const)('are followed, with %s', async (flags) => {
    const target = await fileOf(CONTENT)
    const link = linkTo(linkTo(basename(target)))
    await withHandle(link, flags, async (handle) => {
      if (flags !== 'r') await handle.write('abc')
      expect((await handle.stat()).ino).toBe(statSync(target).ino)
    })
    const expected = {
      r: CONTENT,
      'r+': Buffer.concat([Buffer.from('abc'), CONTENT.subarray(3)]),
      w: Buffer.from('abc'),
      'w+': Buffer.from('abc'),
      a: Buffer.concat([CONTENT, Buffer.from('abc')]),
      'a+': Buffer.concat([CONTENT, Buffer.from('abc')]),
    }
    expectBytes(await contentOf(target), expected[flags])
    expectBytes(await contentOf(link), expected[flags])
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  })

  test.each(['w', 'w+', 'a', 'a+', constants.O_RDWR | constants.O_CREAT])(
    'to nothing make a file there, with %s',
    async (flags) => {
      const target = freshPath()
      const link = linkTo(target)
      await withHandle(link, flags, (handle) => handle.write('abc'))
      expect(readlinkSync(link)).toBe(target)
      expect(lstatSync(target).isFile()).toBe(true)
      expect(await textOf(target)).toBe('abc')
    },
  )

  test.each(['r', 'r+', constants.O_RDWR | constants.O_TRUNC])('to nothing are nothing, with %s', async (flags) => {
    const target = freshPath()
    const link = linkTo(target)
    expect(await openRefusal(link, flags)).toMatchObject({ code: 'ENOENT', syscall: 'open', path: link })
    expect(existsSync(target)).toBe(false)
  })

  test.each(['wx', 'wx+', 'ax', 'ax+'])('take the place, to a file and to nothing, with %s', async (flags) => {
    const target = freshPath()
    for (const link of [linkTo(target), linkTo(await fileOf('abc'))]) {
      const error = await openRefusal(link, flags)
      expect(error).toMatchObject({ code: 'EEXIST', syscall: 'open', path: link })
      expect(error.message).toBe(`EEXIST: file already exists, open '${link}'`)
    }
    expect(existsSync(target)).toBe(false)
  })

  test.each(ALL_KINDS)('to themselves are refused, with %s', async (flags) => {
    const path = freshPath()
    symlinkSync(path, path)
    expect(await openRefusal(path, flags)).toMatchObject({ code: isExclusive(flags) ? 'EEXIST' : 'ELOOP', syscall: 'open', path })
  })

  test.each(ALL_KINDS.filter((flags) => flags !== 'r'))('to a folder do not lead to a file, with %s', async (flags) => {
    const target = freshPath()
    mkdirSync(target)
    const link = linkTo(target)
    expect(await openRefusal(link, flags)).toMatchObject({
      code: isExclusive(flags) ? 'EEXIST' : 'EISDIR',
      syscall: 'open',
      path: link,
    })
  })

  test.each(ALL_KINDS)('into a folder that is not there are refused, with %s', async (flags) => {
    const link = linkTo(`${freshPath()}/file`)
    expect(await openRefusal(link, flags)).toMatchObject({
      code: isExclusive(flags) ? 'EEXIST' : 'ENOENT',
      syscall: 'open',
      path: link,
    })
  })

  test('are not followed with O_NOFOLLOW', async () => {
    const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = constants
    const target = await fileOf('abc')
    const link = linkTo(target)
    for (const flags of [O_RDONLY | O_NOFOLLOW, O_RDWR | O_NOFOLLOW, O_RDWR | O_CREAT | O_NOFOLLOW]) {
      expect(await openRefusal(link, flags)).toMatchObject({ code: 'ELOOP', syscall: 'open', path: link })
    }
    await withHandle(target, O_RDWR | O_NOFOLLOW, (handle) => handle.write('xyz'))
    expect(await textOf(target)).toBe('xyz')
  })
}

function argumentTests({ freshPath, fileOf, open, openRefusal }: Subject): void {
  describe('flags that are none', () => {
    test.each<[unknown, string]>([
      ['', 'ERR_INVALID_ARG_VALUE'],
      ['x', 'ERR_INVALID_ARG_VALUE'],
      ['rx', 'ERR_INVALID_ARG_VALUE'],
      ['rw', 'ERR_INVALID_ARG_VALUE'],
      ['ws', 'ERR_INVALID_ARG_VALUE'],
      ['+r', 'ERR_INVALID_ARG_VALUE'],
      ['R', 'ERR_INVALID_ARG_VALUE'],
      ['r ', 'ERR_INVALID_ARG_VALUE'],
      ['0', 'ERR_INVALID_ARG_VALUE'],
      [true, 'ERR_INVALID_ARG_VALUE'],
      [['r'], 'ERR_INVALID_ARG_VALUE'],
      [{ flags: 'r' }, 'ERR_INVALID_ARG_VALUE'],
      [2n, 'ERR_INVALID_ARG_VALUE'],
      [1.5, 'ERR_OUT_OF_RANGE'],
      [NaN, 'ERR_OUT_OF_RANGE'],
      [Infinity, 'ERR_OUT_OF_RANGE'],
    ])('%s are refused', async (flags, code) => {
      const path = await fileOf('abc')
      expect((await openRefusal(path, flags as Flags)).code).toBe(code)
      const missing = freshPath()
      expect((await openRefusal(missing, flags as Flags)).code).toBe(code)
      expect(existsSync(missing)).toBe(false)
    })

    test.each([2 ** 31, -(2 ** 31) - 1])('%i are refused', async (flags) => {
      const path = freshPath()
      const error = await rejection(() => open(path, flags))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.code).toBe('ERR_OUT_OF_RANGE')
      expect(existsSync(path)).toBe(false)
    })
  })
}

function modeTests({ freshPath, fileOf, withHandle, textOf, open }: Subject): void {
  const permissionsOf = (path: string): number => statSync(path).mode & 0o7777
  const making = ALL_KINDS.filter((flags) => !needsFile(flags))

  test.each<[string | number, number]>([
    [0o600, 0o600],
    ['600', 0o600],
    ['0700', 0o700],
    [0o400, 0o400],
    [0o1700, 0o1700],
  ])('%s is that of a new file', async (mode, permissions) => {
    for (const flags of making) {
      const path = freshPath()
      const handle = await open(path, flags, mode)
      await handle.write('abc')
      await handle.close()
      expect(permissionsOf(path)).toBe(permissions)
      expect(await textOf(path)).toBe('abc')
    }
  })

  test('is that of any new file where none is given, but for what the process holds back', async () => {
    const plainPath = freshPath()
    writeFileSync(plainPath, '')
    for (const flags of making) {
      const path = freshPath()
      await withHandle(path, flags, () => Promise.resolve())
      expect(permissionsOf(path)).toBe(permissionsOf(plainPath))
    }
  })

  test('of a file that exists stays', async () => {
    for (const flags of ['r', 'r+', 'w', 'a']) {
      const path = await fileOf('abc')
      const before = permissionsOf(path)
      const handle = await open(path, flags, 0o600)
      await handle.close()
      expect(permissionsOf(path)).toBe(before)
    }
  })

  test.each<[string, unknown, string]>([
    ['text that is not octal', '0x1ff', 'ERR_INVALID_ARG_VALUE'],
    ['a digit above 7', '680', 'ERR_INVALID_ARG_VALUE'],
    ['no text', '', 'ERR_INVALID_ARG_VALUE'],
    ['an object', {}, 'ERR_INVALID_ARG_TYPE'],
    ['true', true, 'ERR_INVALID_ARG_TYPE'],
    ['a negative number', -1, 'ERR_OUT_OF_RANGE'],
    ['a broken number', 1.5, 'ERR_OUT_OF_RANGE'],
    ['a number beyond 32 bits', 2 ** 32, 'ERR_OUT_OF_RANGE'],
  ])('is not %s', async (_, mode, code) => {
    const path = freshPath()
    expect((await rejection(() => open(path, 'w', mode as number))).code).toBe(code)
    expect(existsSync(path)).toBe(false)
  })
}

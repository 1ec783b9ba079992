import { Buffer } from 'node:buffer'
import { statSync, writeFileSync, type Stats } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Handle } from './handle.js'
import { rejection, type Subject } from './subject.js'

/** `stat`, `chmod`, `chown`, `utimes`, `sync` and `datasync`. */
export function metadataTests(subject: Subject): void {
  describe('stat', () => statTests(subject))
  describe.skipIf(process.platform === 'win32')('chmod', () => chmodTests(subject))
  describe.skipIf(process.platform === 'win32')('chown', () => chownTests(subject))
  describe('utimes', () => utimesTests(subject))
  describe('sync and datasync', () => syncTests(subject))
}

function statTests({ options, open, freshPath, fileOf, withHandle, updating, opened, whenAsync }: Subject): void {
  test('knows the size, with what was just written', async () => {
    const path = freshPath()
    await withHandle(path, 'w', async (handle) => {
      expect((await handle.stat()).size).toBe(0)
      await handle.write(Buffer.alloc(10_000))
      expect((await handle.stat()).size).toBe(10_000)
      await handle.write('x', 20_000)
      expect((await handle.stat()).size).toBe(20_001)
      await handle.truncate(5_000)
      expect((await handle.stat()).size).toBe(5_000)
      await handle.truncate(20_001)
      expect((await handle.stat()).size).toBe(20_001)
    })
    for (const flags of ['r', 'r+', 'a', 'a+']) {
      await withHandle(path, flags, async (handle) => expect((await handle.stat()).size).toBe(20_001))
    }
  })

  test('knows the size as a bigint', () =>
    updating(async (handle) => {
      await handle.write('x', 12_000)
      const stats = await handle.stat({ bigint: true })
      expect(stats.size).toBe(12_001n)
      expect(typeof stats.mtimeNs).toBe('bigint')
      expect(typeof stats.ino).toBe('bigint')
      expect(stats.isFile()).toBe(true)
    }))

  test('says of the file what the system does', async () => {
    const path = await fileOf('abc')
    const known = ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'blksize', 'mtimeMs', 'birthtimeMs'] as const
    const pick = (stats: Stats): unknown[] => known.map((key) => stats[key])
    await withHandle(path, 'r', async (handle) => {
      for (const settings of [undefined, {}, { bigint: false } as const]) {
        const stats = await handle.stat(settings)
        expect(stats.constructor.name).toBe('Stats')
        expect(stats.size).toBe(3)
        expect(stats.isFile()).toBe(true)
        expect(stats.isDirectory()).toBe(false)
        expect(stats.isSymbolicLink()).toBe(false)
        expect(stats.mtime).toBeInstanceOf(Date)
        expect(pick(stats)).toEqual(pick(statSync(path)))
      }
      expect((await handle.stat({ bigint: true })).ino).toBe(statSync(path, { bigint: true }).ino)
      expect((await handle.stat({ bigint: true })).mtimeNs).toBe(statSync(path, { bigint: true }).mtimeNs)
    })
  })

  whenAsync('gives up where its signal says so', async ({ skip }) => {
    const call = (handle: Handle): unknown => handle.stat({ signal: AbortSignal.abort('reason') })
    const plainPath = freshPath()
    writeFileSync(plainPath, '')
    const plainHandle = await (options.oracle ?? open)(plainPath, 'r')
    const plainResult = await Promise.resolve(call(plainHandle)).catch((error: unknown) => error)
    await plainHandle.close()
    skip(!(plainResult instanceof Error), 'Node takes a signal here from 26 on')
    const handle = await opened('r')
    const error = await rejection(() => call(handle))
    await handle.close()
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' })
  })
}

function chmodTests({ fileOf, withHandle, contentOf, refusal }: Subject): void {
  const permissionsOf = (path: string): number => statSync(path).mode & 0o7777

  test.each<[string | number, number]>([
    [0o600, 0o600],
    [0o755, 0o755],
    [0o444, 0o444],
    ['640', 0o640],
    ['0604', 0o604],
    [0, 0],
  ])('%s sets the permissions, and they stay', async (mode, permissions) => {
    for (const flags of ['r', 'r+', 'w', 'a']) {
      const path = await fileOf('abc')
      await withHandle(path, flags, async (handle) => {
        await expect(handle.chmod(mode)).resolves.toBeUndefined()
        expect(permissionsOf(path)).toBe(permissions)
        expect((await handle.stat()).mode & 0o7777).toBe(permissions)
        if (flags !== 'r') await handle.write('xyz')
      })
      expect(permissionsOf(path)).toBe(permissions)
    }
  })

  test('does not take from the handle what it may do', async () => {
    const path = await fileOf('abc')
    await withHandle(path, 'r+', async (handle) => {
      await handle.chmod(0)
      await handle.write('xyz')
      await handle.sync()
      expect((await handle.read(Buffer.alloc(3), 0, 3, 0)).bytesRead).toBe(3)
      await handle.chmod(0o600)
    })
    expect((await contentOf(path)).toString()).toBe('xyz')
  })

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['null', null, 'ERR_INVALID_ARG_TYPE'],
    ['an object', {}, 'ERR_INVALID_ARG_TYPE'],
    ['text that is not octal', '0x1ff', 'ERR_INVALID_ARG_VALUE'],
    ['a digit above 7', '680', 'ERR_INVALID_ARG_VALUE'],
    ['no text', '', 'ERR_INVALID_ARG_VALUE'],
    ['a negative number', -1, 'ERR_OUT_OF_RANGE'],
    ['a broken number', 1.5, 'ERR_OUT_OF_RANGE'],
    ['a number beyond 32 bits', 2 ** 32, 'ERR_OUT_OF_RANGE'],
  ])('refuses %s', async (_, mode, code) => {
    expect((await refusal((handle) => handle.chmod(mode))).code).toBe(code)
  })
}

function chownTests({ fileOf, withHandle, refusal }: Subject): void {
  const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const ownerOf = (path: string): unknown => {
    const stats = statSync(path)
    return { uid: stats.uid, gid: stats.gid }
  }

  test('to the owner, and -1 leaves it', async () => {
    for (const flags of ['r', 'r+', 'a']) {
      const path = await fileOf('abc')
      await withHandle(path, flags, async (handle) => {
        await expect(handle.chown(uid, gid)).resolves.toBeUndefined()
        await handle.chown(-1, -1)
      })
      expect(ownerOf(path)).toEqual({ uid, gid })
    }
  })

  test.skipIf(uid !== 0)('to another, and it stays', async () => {
    const path = await fileOf('abc')
    await withHandle(path, 'r+', async (handle) => {
      await handle.chown(12_345, -1)
      expect(ownerOf(path)).toEqual({ uid: 12_345, gid })
      await handle.chown(-1, 54_321)
      await handle.write('xyz')
    })
    expect(ownerOf(path)).toEqual({ uid: 12_345, gid: 54_321 })
  })

  test.each<[string, unknown, unknown, string]>([
    ['nothing', undefined, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['no group', 0, undefined, 'ERR_INVALID_ARG_TYPE'],
    ['text for the user', '0', 0, 'ERR_INVALID_ARG_TYPE'],
    ['null for the group', 0, null, 'ERR_INVALID_ARG_TYPE'],
    ['a user below -1', -2, 0, 'ERR_OUT_OF_RANGE'],
    ['a broken group', 0, 0.5, 'ERR_OUT_OF_RANGE'],
    ['a group beyond 32 bits', 0, 2 ** 32, 'ERR_OUT_OF_RANGE'],
  ])('refuses %s', async (_, user, group, code) => {
    expect((await refusal((handle) => handle.chown(user, group))).code).toBe(code)
  })
}

function utimesTests({ options, fileOf, withHandle, freshPath, refusal }: Subject): void {
  const timesOf = (path: string): unknown => {
    const { atimeMs, mtimeMs } = statSync(path)
    return { atimeMs, mtimeMs }
  }

  test.each<[string, unknown, unknown, number, number]>([
    ['seconds', 1_000, 2_000.5, 1_000_000, 2_000_500],
    ['dates', new Date(1_500_000_000_125), new Date('2001-02-03T04:05:06.750Z'), 1_500_000_000_125, 981_173_106_750],
    ['text', '1000', '2000.25', 1_000_000, 2_000_250],
    ['zero', 0, 0, 0, 0],
    ['a date before all', new Date(-1_000_000), 5, -1_000_000, 5_000],
  ])('takes %s, and they stay', async (_, atime, mtime, atimeMs, mtimeMs) => {
    for (const flags of ['r', 'r+', 'a']) {
      const path = await fileOf('abc')
      await withHandle(path, flags, async (handle) => {
        await expect(handle.utimes(atime, mtime)).resolves.toBeUndefined()
        expect(timesOf(path)).toEqual({ atimeMs, mtimeMs })
        // To know the size of a file that has a header is to read it, which is an access.
        if (flags !== 'r' || options.hasHeader !== true) expect((await handle.stat()).mtimeMs).toBe(mtimeMs)
      })
      expect(timesOf(path)).toEqual({ atimeMs, mtimeMs })
    }
  })

  test('what was written before does not change them later', async () => {
    for (const flags of ['w', 'a']) {
      const path = freshPath()
      await withHandle(path, flags, async (handle) => {
        await handle.write('abc')
        await handle.utimes(1_000, 2_000)
        await handle.sync()
        expect(timesOf(path)).toEqual({ atimeMs: 1_000_000, mtimeMs: 2_000_000 })
        expect((await handle.stat()).mtimeMs).toBe(2_000_000)
      })
      expect(timesOf(path)).toEqual({ atimeMs: 1_000_000, mtimeMs: 2_000_000 })
    }
  })

  test('of a file that was just made stay', async () => {
    const path = freshPath()
    await withHandle(path, 'w', (handle) => handle.utimes(1_000, 2_000))
    expect(timesOf(path)).toEqual({ atimeMs: 1_000_000, mtimeMs: 2_000_000 })
  })

  test('the last ones stay', async () => {
    const path = freshPath()
    await withHandle(path, 'w', async (handle) => {
      await handle.utimes(1_000, 2_000)
      await handle.write('abc')
      await handle.utimes(3_000, 4_000)
    })
    expect(timesOf(path)).toEqual({ atimeMs: 3_000_000, mtimeMs: 4_000_000 })
  })

  test('a date that the caller changes later was copied', async () => {
    const path = await fileOf('abc')
    const date = new Date(2_000_000)
    await withHandle(path, 'r+', async (handle) => {
      await handle.utimes(date, date)
      date.setTime(9_000_000)
    })
    expect(timesOf(path)).toEqual({ atimeMs: 2_000_000, mtimeMs: 2_000_000 })
  })

  test.each<[string, string, (handle: Handle) => Promise<unknown>]>([
    ['what is written later', 'r+', (handle) => handle.write('xyz')],
    ['what is appended later', 'a', (handle) => handle.write('xyz')],
    ['what is dropped later', 'r+', (handle) => handle.truncate(1)],
  ])('%s makes the file as new as it is', async (_, flags, use) => {
    const path = await fileOf('abc')
    const before = Date.now() - 1_000
    await withHandle(path, flags, async (handle) => {
      await handle.utimes(1_000, 2_000)
      await use(handle)
      await handle.sync()
      expect(statSync(path).mtimeMs).toBeGreaterThan(before)
    })
    expect(statSync(path).mtimeMs).toBeGreaterThan(before)
  })

  test('a write of no byte leaves them', async () => {
    const path = await fileOf('abc')
    await withHandle(path, 'r+', async (handle) => {
      await handle.utimes(1_000, 2_000)
      await handle.write('')
      await handle.write(Buffer.alloc(0))
    })
    expect(timesOf(path)).toEqual({ atimeMs: 1_000_000, mtimeMs: 2_000_000 })
  })

  test('opening to write, and closing, leave them', async () => {
    const path = await fileOf('abc')
    await withHandle(path, 'r', (handle) => handle.utimes(1_000, 2_000))
    for (const flags of ['r+', 'a', 'a+']) await withHandle(path, flags, () => Promise.resolve())
    expect(statSync(path).mtimeMs).toBe(2_000_000)
  })

  test('a negative number is now', async () => {
    const path = await fileOf('abc')
    const before = Date.now() - 1_000
    await withHandle(path, 'r+', async (handle) => {
      await handle.utimes(1_000, -1)
      expect(statSync(path).mtimeMs).toBeGreaterThan(before)
    })
    expect(statSync(path).mtimeMs).toBeGreaterThan(before)
  })

  test.each<[string, unknown, unknown]>([
    ['nothing', undefined, undefined],
    ['null', 1, null],
    ['text that is no number', 'abc', 1],
    ['a date as text', 1, '2001-02-03'],
    ['no number', NaN, 1],
    ['infinity', 1, Infinity],
    ['a bigint', 1n, 1],
    ['an object', 1, {}],
  ])('refuses %s', async (_, atime, mtime) => {
    expect((await refusal((handle) => handle.utimes(atime, mtime))).code).toBe('ERR_INVALID_ARG_TYPE')
  })
}

function syncTests({ fileOf, withHandle, contentOf }: Subject): void {
  test.each(['r', 'r+', 'w', 'w+', 'a', 'a+'])('return nothing, with the flag %s', async (flags) => {
    await withHandle(await fileOf('abc'), flags, async (handle) => {
      await expect(handle.sync()).resolves.toBeUndefined()
      await expect(handle.datasync()).resolves.toBeUndefined()
    })
  })

  test.each(['sync', 'datasync'] as const)('%s: another handle sees what was written before', async (method) => {
    const path = await fileOf('abc')
    await withHandle(path, 'a', async (handle) => {
      await handle.write('def')
      await handle[method]()
      expect((await contentOf(path)).toString()).toBe('abcdef')
      await handle.truncate(2)
      await handle[method]()
      expect((await contentOf(path)).toString()).toBe('ab')
    })
  })
}

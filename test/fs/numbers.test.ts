import { constants } from 'node:fs'
import { inspect, promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { BINARY, FS_OPTIONS, makeFolder, sameOnBoth, TEXT, type Fs, type Twin } from './twins.js'

/** Calls on the number of an open file: node:fs is the oracle. */

/** Opens a file in a test, and closes it. */
async function withNumber(twin: Twin, name: string, flags: string | number, use: (fd: number) => unknown): Promise<unknown> {
  const fd = twin.fs.openSync(twin.at(name), flags)
  try {
    return await use(fd)
  } finally {
    twin.fs.closeSync(fd)
  }
}

type Call = readonly [name: string, ...args: unknown[]]

/** Makes calls on one number, one after the other, in both styles. */
function onNumber(title: string, name: string, flags: string | number, ...calls: readonly Call[]): void {
  sameOnBoth(`${title}, with callbacks`, (twin) =>
    withNumber(twin, name, flags, async (fd) => {
      const results = []
      for (const [call, ...args] of calls) results.push(await twin.call(call as keyof Fs, fd, ...fresh(args)))
      return results
    }),
  )
  sameOnBoth(`${title}, without waiting`, (twin) =>
    withNumber(twin, name, flags, (fd) =>
      calls.map(([call, ...args]) => {
        const given = fresh(args)
        const run = (twin.fs as unknown as Record<string, (...args: unknown[]) => unknown>)[`${call}Sync`]!
        return [twin.attempt(() => run(fd, ...given)), given]
      }),
    ),
  )
}

/** Buffers are filled: each run gets its own. */
function fresh(args: readonly unknown[]): unknown[] {
  return args.map((arg) => (Buffer.isBuffer(arg) ? Buffer.from(arg) : Array.isArray(arg) ? fresh(arg) : arg))
}

const room = (length: number): Buffer => Buffer.alloc(length)

describe('read', () => {
  onNumber('from place to place', 'binary', 'r', ['read', room(5_000), 0, 5_000, 4_000], ['read', room(10), 2, 5, 9_998])
  onNumber(
    'in sequence',
    'binary',
    'r',
    ['read', room(6_000), 0, 6_000, null],
    ['read', room(6_000), 0, 6_000, null],
    ['read', room(1), 0, 1, null],
  )
  onNumber('by options', 'binary', 'r', ['read', room(10), { offset: 3, length: 4, position: 5 }], ['read', room(10), {}])
  onNumber('with the buffer alone', 'binary', 'r', ['read', room(100)], ['read', room(100)])
  onNumber('at a position in bigint', 'binary', 'r', ['read', room(4), 0, 4, 100n], ['read', room(4), 0, 4, -1n])
  onNumber('of an empty file', 'empty', 'r', ['read', room(4), 0, 4, 0], ['read', room(4), 0, 4, null])
  onNumber('behind the end', 'text', 'r', ['read', room(4), 0, 4, 100])
  onNumber('of nothing', 'text', 'r', ['read', room(4), 0, 0, 0], ['read', room(0), 0, 0, 0])
  onNumber(
    'into other views',
    'binary',
    'r',
    ['read', new Uint16Array(4), 0, 8, 0],
    ['read', new DataView(new ArrayBuffer(5)), 0, 5, 10],
  )
  onNumber('of a file that is only written', 'text', 'a', ['read', room(4), 0, 4, 0], ['readv', [room(4)], 0])
  onNumber('what is no buffer', 'text', 'r', ['read', 'text', 0, 4, 0])
  onNumber('beyond the buffer', 'text', 'r', ['read', room(4), 0, 5, 0], ['read', room(4), 5, 1, 0], ['read', room(4), -1, 1, 0])
  onNumber('into a buffer that is empty', 'text', 'r', ['read', room(0), 0, 1, 0])
  onNumber('at no position', 'text', 'r', ['read', room(4), 0, 4, 1.5], ['read', room(4), 0, 4, 'x'], ['read', room(4), 0, 4, -2])
  onNumber(
    'several buffers',
    'binary',
    'r',
    ['readv', [room(10), room(0), room(5_000)], 3],
    ['readv', [room(9_000), room(9_000)], null],
    ['readv', [room(1)]],
  )
  onNumber('several buffers that are none', 'text', 'r', ['readv', room(1), 0], ['readv', ['x'], 0], ['readv', [], 0])

  sameOnBoth('without a buffer', (twin) =>
    withNumber(twin, 'text', 'r', (fd) => Promise.all([twin.call('read', fd), twin.call('read', fd, { position: 1, length: 3 })])),
  )
  sameOnBoth('and promisify', (twin) =>
    withNumber(twin, 'text', 'r', async (fd) => [
      await promisify(twin.fs.read)(fd, { buffer: room(4), position: 2 }),
      await promisify(twin.fs.read)(fd, room(3), 0, 3, null),
      await promisify(twin.fs.readv)(fd, [room(2), room(2)]),
      await twin.attempt(() => promisify(twin.fs.write)(fd, 'x')),
    ]),
  )
})

describe('write', () => {
  onNumber(
    'bytes',
    'binary',
    'r+',
    ['write', Buffer.from('abcdef'), 1, 3, 4_095],
    ['write', Buffer.from('xyz'), 0, 3, null],
    ['write', Buffer.from('!')],
  )
  onNumber(
    'bytes by options',
    'binary',
    'r+',
    ['write', Buffer.from('abcdef'), { offset: 2, length: 2, position: 7 }],
    ['write', Buffer.from('gh'), {}],
  )
  onNumber('text', 'binary', 'r+', ['write', 'grüße', 9_999, 'utf8'], ['write', '616263', null, 'hex'], ['write', 'end'])
  onNumber(
    'text with something else for a position',
    'text',
    'r+',
    ['write', 'one', 'utf8'],
    ['write', 'two', 'hex'],
    ['write', 'three', {}],
    ['write', Buffer.from('four'), 0, 4, 'utf8'],
    ['writev', [Buffer.from('five')], 'x'],
    ['readv', [Buffer.alloc(2)], 'x'],
  )
  onNumber(
    'views of other kinds',
    'text',
    'r+',
    ['write', new Uint16Array([65, 66]), 0, 4, 0],
    ['write', new DataView(new ArrayBuffer(2)), 0, 2, 1],
  )
  onNumber('behind the end', 'text', 'r+', ['write', 'far', 20_000], ['fstat'])
  onNumber('nothing', 'text', 'r+', ['write', Buffer.alloc(0), 0, 0, 100], ['write', '', 100], ['fstat'])
  onNumber('at the end', 'text', 'a', ['write', 'one', 0], ['write', Buffer.from('two'), 0, 3, 1], ['write', 'three'], ['fstat'])
  onNumber(
    'at the end, and read',
    'text',
    'a+',
    ['read', room(3), 0, 3, null],
    ['write', 'one'],
    ['read', room(3), 0, 3, null],
    ['read', room(3), 0, 3, 0],
  )
  onNumber(
    'to a file that is only read',
    'text',
    'r',
    ['write', 'x'],
    ['writev', [Buffer.from('x')]],
    ['writeFile', 'x'],
    ['ftruncate', 1],
  )
  onNumber('into a new file', 'new', 'w', ['write', 'one'], ['write', 'two'], ['write', 'X', 1], ['fstat'])
  onNumber('into a new file, and read', 'new', 'w+', ['write', 'one'], ['read', room(9), 0, 9, 0], ['read', room(9), 0, 9, null])
  onNumber(
    'more than there is',
    'text',
    'r+',
    ['write', Buffer.from('abc'), 0, 4, 0],
    ['write', Buffer.from('abc'), 4],
    ['write', Buffer.from('abc'), -1],
  )
  onNumber('what is no data', 'text', 'r+', ['write', 7], ['write', {}], ['write', undefined])
  onNumber(
    'several buffers',
    'binary',
    'r+',
    ['writev', [Buffer.from('one'), Buffer.alloc(0), Buffer.from('two')], 4_094],
    ['writev', [Buffer.from('three')], null],
    ['writev', [Buffer.from('four')]],
  )
  onNumber('no buffers, and what is none', 'text', 'r+', ['writev', []], ['writev', 'x'], ['writev', [7]])

  sameOnBoth('and promisify', (twin) =>
    withNumber(twin, 'text', 'r+', async (fd) => [
      await promisify(twin.fs.write)(fd, Buffer.from('abc'), 0, 3, 1),
      await promisify(twin.fs.write)(fd, 'x', 0, 'utf8'),
      await promisify(twin.fs.writev)(fd, [Buffer.from('y'), Buffer.from('z')]),
    ]),
  )
})

describe('whole files', () => {
  onNumber(
    'are read from the position on',
    'binary',
    'r',
    ['read', room(4_000), 0, 4_000, null],
    ['readFile'],
    ['readFile', 'utf8'],
  )
  onNumber('are read as text', 'text', 'r', ['readFile', 'utf8'])
  onNumber('are read in hex', 'text', 'r', ['readFile', { encoding: 'hex' }])
  onNumber(
    'are written from the position on',
    'binary',
    'r+',
    ['read', room(100), 0, 100, null],
    ['writeFile', TEXT],
    ['writeFile', BINARY],
    ['fstat'],
  )
  onNumber(
    'are written with an encoding',
    'text',
    'r+',
    ['writeFile', '616263', 'hex'],
    ['appendFile', 'x', { encoding: 'latin1', flush: true }],
  )
  onNumber('are added to', 'text', 'a', ['appendFile', 'one'], ['appendFile', Buffer.from('two')], ['writeFile', 'three'])
  onNumber(
    'are refused what they do not take',
    'text',
    'r+',
    ['writeFile', 7],
    ['appendFile', {}],
    ['writeFile', 'x', 'nonsense'],
    ['readFile', 'nonsense'],
    ['writeFile', 'x', { flush: 1 }],
  )
  onNumber('know signals', 'text', 'r+', ['writeFile', 'x', { signal: {} }], ['readFile', { signal: 7 }])
})

describe('lengths', () => {
  onNumber('become less', 'binary', 'r+', ['ftruncate', 5_000], ['fstat'], ['ftruncate', 10], ['fstat'], ['ftruncate'], ['fstat'])
  onNumber('become more', 'text', 'r+', ['ftruncate', 9_000], ['write', 'x', 8_999], ['fstat'])
  onNumber(
    'do not move the position',
    'binary',
    'r+',
    ['read', room(6_000), 0, 6_000, null],
    ['ftruncate', 100],
    ['write', 'behind'],
    ['fstat'],
  )
  onNumber('are no negative numbers', 'text', 'r+', ['ftruncate', -5], ['fstat'])
  onNumber('are integers', 'text', 'r+', ['ftruncate', 1.5], ['ftruncate', 'x'], ['ftruncate', null])
})

describe('what the system knows', () => {
  onNumber('is told', 'binary', 'r', ['fstat'], ['fstat', {}], ['fstat', { bigint: true }], ['fstat', undefined])
  onNumber(
    'is set: permissions',
    'text',
    'r+',
    ['fchmod', 0o600],
    ['fstat'],
    ['fchmod', '644'],
    ['fstat'],
    ['fchmod', 'x'],
    ['fchmod'],
    ['fchmod', -1],
  )
  onNumber(
    'is set: owners',
    'text',
    'r+',
    ['fchown', process.getuid!(), process.getgid!()],
    ['fchown', -1, -1],
    ['fchown', 'x', 1],
    ['fchown', 1],
    ['fchown', -2, 0],
  )
  onNumber(
    'is set: times',
    'text',
    'r+',
    ['futimes', 1, 2],
    ['futimes', new Date(1e12), '5'],
    ['futimes', 'x', 1],
    ['futimes', 1],
    ['futimes', NaN, 1],
  )
  onNumber('is synced', 'text', 'r+', ['fsync'], ['write', 'x'], ['fdatasync'], ['fsync'])
  onNumber('is synced of a reader', 'text', 'r', ['fsync'], ['fdatasync'])

  sameOnBoth('are times', (twin) =>
    withNumber(twin, 'text', 'r+', (fd) => {
      twin.fs.futimesSync(fd, 1, 2)
      const { atimeMs, mtimeMs } = twin.fs.fstatSync(fd)
      return [atimeMs, mtimeMs]
    }),
  )
  sameOnBoth('are times, which stay when the file is closed', async (twin) => {
    await withNumber(twin, 'text', 'r+', (fd) => {
      twin.fs.writeSync(fd, 'x')
      twin.fs.futimesSync(fd, 1, 2)
    })
    return twin.fs.statSync(twin.at('text')).mtimeMs
  })
})

describe('open', () => {
  for (const flags of ['r', 'r+', 'rs+', 'w', 'w+', 'wx', 'a', 'ax', 'a+', 'q', '', constants.O_RDWR, 1.5, null, undefined, {}]) {
    for (const name of ['text', 'new', 'folder', 'missing/new']) {
      sameOnBoth(`of ${name} with ${inspect(flags)}`, async (twin) => {
        const path = twin.at(name)
        const opened = await twin.call('open', path, flags)
        const fd = (opened as { called?: [unknown, number] }).called?.[1]
        if (fd !== undefined) twin.fs.closeSync(fd)
        const openedSync = twin.attempt(() => twin.fs.openSync(path, flags as string)) as { returned?: number }
        if (openedSync.returned !== undefined) twin.fs.closeSync(openedSync.returned)
        const handle = (await twin.attempt(() => twin.fs.promises.open(path, flags as string))) as {
          resolved?: { close(): Promise<void> }
        }
        await handle.resolved?.close()
        const withoutNumber = (result: object, isOpen: boolean): unknown => (isOpen ? 'open' : result)
        return [
          withoutNumber(opened as object, fd !== undefined),
          withoutNumber(openedSync, openedSync.returned !== undefined),
          withoutNumber(handle, handle.resolved !== undefined),
        ]
      })
    }
  }
  sameOnBoth('without flags', async (twin) => {
    const { called } = (await twin.call('open', twin.at('text'))) as { called: [null, number] }
    const text = twin.fs.readFileSync(called[1], 'utf8')
    return [text, await twin.call('close', called[1])]
  })
  sameOnBoth('with a mode', async (twin) => {
    twin.fs.closeSync(twin.fs.openSync(twin.at('one'), 'w', 0o600))
    twin.fs.closeSync(twin.fs.openSync(twin.at('two'), 'w', '640'))
    await (await twin.fs.promises.open(twin.at('three'), 'w', 0o100604)).close()
    return [await twin.call('open', twin.at('four'), 'w', 'x'), await twin.call('open', twin.at('four'), 'w', {})]
  })
  sameOnBoth('of a folder, to sync it', async (twin) => {
    const fd = twin.fs.openSync(twin.at('folder'), 'r')
    const results = [
      await twin.call('fsync', fd),
      twin.fs.fstatSync(fd).isDirectory(),
      await twin.call('read', fd, room(1), 0, 1, 0),
    ]
    twin.fs.closeSync(fd)
    const handle = await twin.fs.promises.open(twin.at('folder'))
    await handle.sync()
    await handle.close()
    return results
  })
})

describe('close', () => {
  sameOnBoth('is told of', async (twin) => {
    const fd = twin.fs.openSync(twin.at('text'), 'r')
    const results = [await twin.call('close', fd), await twin.call('close', fd), await twin.call('read', fd, room(1), 0, 1, 0)]
    return [results, twin.attempt(() => twin.fs.closeSync(fd)), twin.attempt(() => twin.fs.fstatSync(fd))]
  })
  test('comes after what was begun before', async () => {
    const fs = createEncryptedFs(FS_OPTIONS)
    const path = `${makeFolder(fs)}/text`
    const fd = fs.openSync(path, 'w')
    const order: string[] = []
    const done = (name: string) => (error: unknown) => void order.push(`${name} ${String(error)}`)
    fs.write(fd, Buffer.alloc(200_000, 'x'), done('write'))
    fs.fsync(fd, done('fsync'))
    await new Promise<void>((resolve) =>
      fs.close(fd, (error) => {
        done('close')(error)
        resolve()
      }),
    )
    expect(order).toEqual(['write null', 'fsync null', 'close null'])
    expect(fs.statSync(path).size).toBe(200_000)
  })
  sameOnBoth('needs no callback', async (twin) => {
    const fd = twin.fs.openSync(twin.at('new'), 'w')
    twin.fs.writeSync(fd, 'text')
    twin.fs.close(fd)
    const isOpen = (): boolean => 'returned' in (twin.attempt(() => twin.fs.fstatSync(fd)) as object)
    while (isOpen()) await new Promise((resolve) => setTimeout(resolve, 5))
    return twin.attempt(() => twin.fs.fstatSync(fd))
  })
  sameOnBoth('takes functions', (twin) => {
    const fd = twin.fs.openSync(twin.at('text'), 'r')
    const results = [twin.attempt(() => twin.fs.close(fd, 7 as never)), twin.attempt(() => twin.fs.close(fd, null as never))]
    twin.fs.closeSync(fd)
    return results
  })
})

describe('callbacks', () => {
  const CALLS: readonly Call[] = [
    ['read', room(1), 0, 1, 0],
    ['write', 'x'],
    ['readv', [room(1)]],
    ['writev', [room(1)]],
    ['fstat'],
    ['fsync'],
    ['fdatasync'],
    ['ftruncate', 1],
    ['fchmod', 0o600],
    ['fchown', -1, -1],
    ['futimes', 1, 1],
    ['readFile'],
    ['writeFile', 'x'],
    ['appendFile', 'x'],
  ]
  sameOnBoth('are needed', (twin) =>
    withNumber(twin, 'text', 'r+', (fd) =>
      CALLS.map(([name, ...args]) =>
        twin.attempt(() => (twin.fs as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(fd, ...args)),
      ),
    ),
  )
  sameOnBoth('may be followed by nothing', (twin) =>
    withNumber(twin, 'text', 'r+', async (fd) => [
      await new Promise((resolve) =>
        (twin.fs.readFile as (...args: unknown[]) => void)(fd, (...results: unknown[]) => resolve(results), undefined),
      ),
      await new Promise((resolve) =>
        (twin.fs.writeFile as (...args: unknown[]) => void)(fd, 'x', (...results: unknown[]) => resolve(results), undefined),
      ),
    ]),
  )
  sameOnBoth('are told of numbers that are none', async (twin) => {
    const results = []
    for (const [name, ...args] of CALLS) {
      const isFileCall = name.endsWith('File') // those take a path as well, and a number that is none only by chance
      for (const fd of isFileCall ? [2 ** 30] : [2 ** 30, -1, 1.5, 'x', undefined, null]) {
        results.push(await twin.call(name as keyof Fs, fd, ...args))
      }
    }
    return results
  })
})

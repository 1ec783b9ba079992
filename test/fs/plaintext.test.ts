import nodeFs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs, type EncryptedFsOptions } from '../../src/fs.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { OPTIONS, OTHER_KEY } from '../support/encrypted-files.js'
import { BINARY, classesOf, FS_OPTIONS, makeFolder, TEXT, type Fs } from './twins.js'

/** Files that are not encrypted, and files of others. */

const refusing = createEncryptedFs(FS_OPTIONS)
const reading = createEncryptedFs({ ...FS_OPTIONS, plaintext: 'read' })

/** @returns what a call with a callback gives; the error is thrown. */
function calling<T>(run: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => run((error, result) => (error === null ? resolve(result as T) : reject(error))))
}

/** All ways to read a file, each giving the content as a Buffer. */
const READS: readonly [string, (io: Fs, path: string) => Promise<Buffer>][] = [
  ['promises.readFile', (io, path) => io.promises.readFile(path)],
  ['readFile', (io, path) => calling<Buffer>((done) => io.readFile(path, done))],
  ['readFileSync', async (io, path) => Promise.resolve(io.readFileSync(path))],
  [
    'promises.open',
    async (io, path) => {
      const handle = await io.promises.open(path)
      try {
        return await handle.readFile()
      } finally {
        await handle.close()
      }
    },
  ],
  [
    'open and read',
    async (io, path) => {
      const fd = await calling<number>((done) => io.open(path, 'r', done))
      const buffer = Buffer.alloc((await calling<nodeFs.Stats>((done) => io.fstat(fd, done))).size)
      if (buffer.length > 0) await calling<number>((done) => io.read(fd, buffer, 0, buffer.length, 0, done))
      await calling((done) => io.close(fd, done))
      return buffer
    },
  ],
  [
    'openSync and readFileSync',
    async (io, path) => {
      const fd = await Promise.resolve(io.openSync(path, 'r'))
      const content = io.readFileSync(fd)
      io.closeSync(fd)
      return content
    },
  ],
  ['createReadStream', async (io, path) => Buffer.concat((await io.createReadStream(path).toArray()) as Buffer[])],
  ['new ReadStream', async (io, path) => Buffer.concat((await new (classesOf(io).ReadStream)(path, {}).toArray()) as Buffer[])],
  ['openAsBlob', async (io, path) => Buffer.from(await (await io.openAsBlob(path)).arrayBuffer())],
  [
    'promises.copyFile',
    async (io, path) => {
      await io.promises.copyFile(path, `${path}-copy`)
      return io.readFileSync(`${path}-copy`)
    },
  ],
  [
    'copyFileSync',
    (io, path) => {
      io.copyFileSync(path, `${path}-copy`)
      return Promise.resolve(io.readFileSync(`${path}-copy`))
    },
  ],
]

/** All ways to change a file that keep what is there. */
const CHANGES: readonly [string, (io: Fs, path: string) => unknown][] = [
  ['promises.appendFile', (io, path) => io.promises.appendFile(path, 'x')],
  ['appendFile', (io, path) => calling((done) => io.appendFile(path, 'x', done))],
  ['appendFileSync', (io, path) => io.appendFileSync(path, 'x')],
  ['promises.appendFile of pieces', (io, path) => io.promises.appendFile(path, ['x'] as never)],
  ['promises.writeFile with r+', (io, path) => io.promises.writeFile(path, 'x', { flag: 'r+' })],
  ['promises.readFile with r+', (io, path) => io.promises.readFile(path, { flag: 'r+' })],
  ['readFileSync with a+', (io, path) => io.readFileSync(path, { flag: 'a+' })],
  ['promises.truncate', (io, path) => io.promises.truncate(path, 2)],
  ['truncate', (io, path) => calling((done) => io.truncate(path, 2, done))],
  ['truncateSync', (io, path) => io.truncateSync(path, 2)],
  ['promises.open with a', (io, path) => io.promises.open(path, 'a')],
  ['open with r+', (io, path) => calling((done) => io.open(path, 'r+', done))],
  ['openSync with a+', (io, path) => io.openSync(path, 'a+')],
  [
    'createWriteStream',
    (io, path) =>
      calling((done) =>
        io
          .createWriteStream(path, { flags: 'a' })
          .on('error', done)
          .on('ready', () => done(null)),
      ),
  ],
]

/** All ways to write a file anew. */
const REPLACEMENTS: readonly [string, (io: Fs, path: string) => unknown][] = [
  ['promises.writeFile', (io, path) => io.promises.writeFile(path, 'new')],
  ['writeFile', (io, path) => calling((done) => io.writeFile(path, 'new', done))],
  ['writeFileSync', (io, path) => io.writeFileSync(path, 'new')],
  [
    'openSync with w',
    (io, path) => {
      const fd = io.openSync(path, 'w')
      io.writeSync(fd, 'new')
      io.closeSync(fd)
    },
  ],
  [
    'promises.open with w',
    async (io, path) => {
      const handle = await io.promises.open(path, 'w')
      await handle.writeFile('new')
      await handle.close()
    },
  ],
  [
    'createWriteStream',
    (io, path) =>
      calling((done) =>
        io
          .createWriteStream(path)
          .on('close', () => done(null))
          .on('error', done)
          .end('new'),
      ),
  ],
]

const refusal = expect.objectContaining({ code: 'ERR_SEALFILE_FORMAT' }) as unknown
const failure = async (run: () => unknown): Promise<unknown> => {
  try {
    await run()
    return undefined
  } catch (error) {
    return error
  }
}

describe('a file that is not encrypted', () => {
  test.each(READS)('is read by %s where that is allowed', async (_, read) => {
    const folder = makeFolder(nodeFs)
    for (const [name, content] of [
      ['binary', BINARY],
      ['text', Buffer.from(TEXT)],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      expect(await failure(() => read(refusing, join(folder, name)))).toEqual(refusal)
      expect(await read(reading, join(folder, name))).toEqual(content)
    }
    expect((await failure(() => read(reading, join(folder, 'missing')))) as object).toMatchObject({ code: 'ENOENT' })
  })

  test.each(CHANGES)('is not changed by %s', async (_, change) => {
    const folder = makeFolder(nodeFs)
    for (const io of [refusing, reading]) expect(await failure(() => change(io, join(folder, 'text')))).toEqual(refusal)
    expect(nodeFs.readFileSync(join(folder, 'text'), 'utf8')).toBe(TEXT)
    expect(nodeFs.readdirSync(folder).sort()).toEqual(['binary', 'dangling', 'empty', 'folder', 'link', 'text'])
  })

  test.each(REPLACEMENTS)('is replaced by an encrypted one by %s', async (_, replace) => {
    for (const io of [refusing, reading]) {
      const folder = makeFolder(nodeFs)
      await replace(io, join(folder, 'text'))
      await replace(io, join(folder, 'empty'))
      expect(await EncryptedFile.readFile(join(folder, 'text'), { ...OPTIONS, encoding: 'utf8' })).toBe('new')
      expect(refusing.readFileSync(join(folder, 'empty'), 'utf8')).toBe('new')
    }
  })

  test('is begun by appending, where it is empty', async () => {
    const folder = makeFolder(nodeFs)
    const path = join(folder, 'empty')
    await reading.promises.appendFile(path, 'one')
    refusing.appendFileSync(path, ' two')
    expect(refusing.readFileSync(path, 'utf8')).toBe('one two')
  })

  test('has the size that it has', async () => {
    const folder = makeFolder(nodeFs)
    for (const io of [refusing, reading]) {
      expect(io.statSync(join(folder, 'binary')).size).toBe(BINARY.length)
      expect((await io.promises.lstat(join(folder, 'binary'), { bigint: true })).size).toBe(BigInt(BINARY.length))
      expect(io.statSync(join(folder, 'empty')).size).toBe(0)
    }
  })

  test('is under a number of node:fs, for all calls', async () => {
    const path = join(makeFolder(nodeFs), 'text')
    const fd = reading.openSync(path, 'r')
    expect(reading.fstatSync(fd).size).toBe(8)
    expect(await calling<string>((done) => reading.readFile(fd, 'utf8', done as never))).toBe(TEXT)
    expect(() => reading.writeSync(fd, 'x')).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'write' }))
    await calling((done) => reading.close(fd, done))
    const handle = await reading.promises.open(path)
    expect(await reading.promises.readFile(handle, 'utf8')).toBe(TEXT)
    await handle.close()
  })
})

describe('a file of others', () => {
  const other = createEncryptedFs({ ...FS_OPTIONS, keyManager: KeyManager.fromKey(OTHER_KEY), plaintext: 'read' })
  const otherwise = createEncryptedFs({ ...FS_OPTIONS, purpose: 'another', plaintext: 'read' })

  test.each(READS)('is not read by %s', async (_, read) => {
    const path = join(makeFolder(refusing), 'text')
    expect(await failure(() => read(other, path))).toMatchObject({ code: 'ERR_SEALFILE_WRONG_KEY', path })
    expect(await failure(() => read(otherwise, path))).toMatchObject({ code: 'ERR_SEALFILE_WRONG_PURPOSE', path })
  })

  test('has no size', async () => {
    const path = join(makeFolder(refusing), 'text')
    expect(() => other.statSync(path)).toThrow(expect.objectContaining({ code: 'ERR_SEALFILE_WRONG_KEY' }))
    await expect(otherwise.promises.lstat(path)).rejects.toMatchObject({ code: 'ERR_SEALFILE_WRONG_PURPOSE' })
  })

  test('is not read through when it is damaged', () => {
    const path = join(makeFolder(refusing), 'text')
    nodeFs.truncateSync(path, 100)
    expect(() => reading.readFileSync(path)).toThrow(expect.objectContaining({ code: 'ERR_SEALFILE_TRUNCATED' }))
  })
})

describe('purpose and context', () => {
  const asked: string[] = []
  const purpose = (path: string): string => {
    asked.push(path)
    if (path.endsWith('forbidden')) throw new Error(`no purpose for ${path}`)
    return path.endsWith('.log') ? 'logs' : 'test'
  }
  const context = (path: string): Uint8Array | undefined => (path.endsWith('bound') ? Buffer.from(path) : undefined)
  const io = createEncryptedFs({ ...FS_OPTIONS, purpose, context })

  test('may be told by the path, which is absolute', async () => {
    const folder = makeFolder(nodeFs)
    const cwd = process.cwd()
    try {
      process.chdir(folder)
      io.writeFileSync('app.log', 'a line')
      await io.promises.writeFile(Buffer.from('config'), 'text')
    } finally {
      process.chdir(cwd)
    }
    expect(asked).toContain(join(folder, 'app.log'))
    expect(asked).toContain(join(folder, 'config'))
    expect(await EncryptedFile.readFile(join(folder, 'app.log'), { ...OPTIONS, purpose: 'logs', encoding: 'utf8' })).toBe('a line')
    expect(await EncryptedFile.readFile(join(folder, 'config'), { ...OPTIONS, encoding: 'utf8' })).toBe('text')
    io.copyFileSync(join(folder, 'app.log'), join(folder, 'copy'))
    expect(refusing.readFileSync(join(folder, 'copy'), 'utf8')).toBe('a line')
  })

  test('bind a file to its name', () => {
    const folder = makeFolder(nodeFs)
    io.writeFileSync(join(folder, 'bound'), 'text')
    expect(io.readFileSync(join(folder, 'bound'), 'utf8')).toBe('text')
    io.renameSync(join(folder, 'bound'), join(folder, 'moved'))
    expect(() => io.readFileSync(join(folder, 'moved'))).toThrow(expect.objectContaining({ code: 'ERR_SEALFILE_WRONG_PURPOSE' }))
  })

  test.each([...READS, ...CHANGES, ...REPLACEMENTS])('fail as the caller wants: %s', async (_, use) => {
    const path = join(makeFolder(nodeFs), 'forbidden')
    expect(await failure(() => use(io, path))).toMatchObject({ message: `no purpose for ${path}` })
    expect(nodeFs.existsSync(path)).toBe(false)
  })

  test('are checked when there is a path', () => {
    const path = join(makeFolder(nodeFs), 'text')
    const odd = createEncryptedFs({ ...FS_OPTIONS, purpose: () => '', context: () => 7 as never })
    expect(() => odd.writeFileSync(path, 'x')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('options.context') as unknown }),
    )
    const empty = createEncryptedFs({ ...FS_OPTIONS, purpose: () => '' })
    expect(() => empty.writeFileSync(path, 'x')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }))
  })
})

describe('options', () => {
  test.each<[string, unknown, string, string]>([
    ['none', undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
    ['null', null, 'ERR_INVALID_ARG_TYPE', 'options'],
    ['no key manager', { purpose: 'test' }, 'ERR_INVALID_ARG_TYPE', 'options.keyManager'],
    ['no purpose', { ...FS_OPTIONS, purpose: undefined }, 'ERR_INVALID_ARG_TYPE', 'options.purpose'],
    ['a purpose that is none', { ...FS_OPTIONS, purpose: 7 }, 'ERR_INVALID_ARG_TYPE', 'options.purpose'],
    ['an empty purpose', { ...FS_OPTIONS, purpose: '' }, 'ERR_INVALID_ARG_VALUE', 'options.purpose'],
    ['a context that is none', { ...FS_OPTIONS, context: 'x' }, 'ERR_INVALID_ARG_TYPE', 'options.context'],
    [
      'a context that is none, beside a function',
      { ...FS_OPTIONS, purpose: () => 'x', context: 'x' },
      'ERR_INVALID_ARG_TYPE',
      'options.context',
    ],
    ['a plaintext that is none', { ...FS_OPTIONS, plaintext: 'write' }, 'ERR_INVALID_ARG_VALUE', 'options.plaintext'],
    ['null for plaintext', { ...FS_OPTIONS, plaintext: null }, 'ERR_INVALID_ARG_VALUE', 'options.plaintext'],
    ['an atomic that is none', { ...FS_OPTIONS, atomic: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.atomic'],
    ['a lockTimeout that is none', { ...FS_OPTIONS, lockTimeout: '1' }, 'ERR_INVALID_ARG_TYPE', 'options.lockTimeout'],
    ['a lockTimeout out of range', { ...FS_OPTIONS, lockTimeout: -1 }, 'ERR_OUT_OF_RANGE', 'options.lockTimeout'],
    ['a segmentSize out of range', { ...FS_OPTIONS, segmentSize: 5_000 }, 'ERR_OUT_OF_RANGE', 'options.segmentSize'],
    [
      'a segmentSize out of range, beside functions',
      { ...FS_OPTIONS, purpose: () => 'x', segmentSize: 5_000 },
      'ERR_OUT_OF_RANGE',
      'options.segmentSize',
    ],
    ['an unknown cipher', { ...FS_OPTIONS, cipher: 'rot13' }, 'ERR_INVALID_ARG_VALUE', 'options.cipher'],
  ])('are refused: %s', (_, options, code, name) => {
    const call = (): unknown => createEncryptedFs(options as EncryptedFsOptions)
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(name) as unknown }))
  })

  test('may be given as undefined', () => {
    const nothing = { context: undefined, plaintext: undefined, atomic: undefined, lockTimeout: undefined, segmentSize: undefined }
    const io = createEncryptedFs({
      ...FS_OPTIONS,
      ...nothing,
      cipher: undefined,
      durability: undefined,
      commitInterval: undefined,
      freshness: undefined,
    })
    const path = join(makeFolder(nodeFs), 'text')
    io.writeFileSync(path, 'new')
    expect(io.readFileSync(path, 'utf8')).toBe('new')
  })

  test('for new files are followed', async () => {
    const io = createEncryptedFs({ ...FS_OPTIONS, segmentSize: 8_192, cipher: 'chacha20-poly1305' })
    const path = join(makeFolder(nodeFs), 'new')
    await io.promises.writeFile(path, 'x')
    expect(await EncryptedFile.inspect(path)).toMatchObject({ segmentSize: 8_192, cipher: 'chacha20-poly1305' })
  })

  test('recover is none of them', () => {
    const folder = makeFolder(refusing)
    const path = join(folder, 'binary')
    const bytes = nodeFs.readFileSync(path)
    nodeFs.writeFileSync(path, bytes.subarray(0, 6_000))
    const io = createEncryptedFs({ ...FS_OPTIONS, recover: true } as EncryptedFsOptions)
    expect(() => io.readFileSync(path)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/TRUNCATED|CORRUPTED/) as unknown }),
    )
  })
})

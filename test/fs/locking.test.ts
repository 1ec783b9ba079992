import { once } from 'node:events'
import nodeFs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { FS_OPTIONS, makeFolder } from './twins.js'

/** One writer at a time, as code knows it that never thought of that. */

const efs = createEncryptedFs(FS_OPTIONS)
const LOCKED = expect.objectContaining({ code: 'ERR_SEALFILE_LOCKED' }) as Error

describe('calls that wait', () => {
  test('take turns on a file, however many there are', async () => {
    const path = join(makeFolder(efs), 'log')
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i}\n`)
    await Promise.all(
      lines.map((line, i) =>
        i % 2 === 0
          ? efs.promises.appendFile(path, line)
          : new Promise<void>((resolve, reject) =>
              efs.appendFile(path, line, (error) => (error === null ? resolve() : reject(error))),
            ),
      ),
    )
    expect(efs.readFileSync(path, 'utf8')).toBe(lines.join(''))
  })

  test('take turns, of all kinds, by whatever fs and whatever name of the file', async () => {
    const folder = makeFolder(efs)
    const path = join(folder, 'text')
    const other = createEncryptedFs(FS_OPTIONS)
    await Promise.all([
      efs.promises.writeFile(path, 'one'),
      other.promises.appendFile(join(folder, '../', path.split('/').at(-2)!, 'text'), ' two'),
      efs.promises.appendFile(Buffer.from(path), [' three', ' four'] as never),
      other.promises.truncate(path, 12),
      efs.promises.copyFile(path, join(folder, 'copy')),
      efs.promises.appendFile(path, '!'),
    ])
    expect(efs.readFileSync(path, 'utf8')).toBe('one two thre!')
  })

  test('go on when one before them fails', async () => {
    const path = join(makeFolder(efs), 'folder')
    const results = await Promise.allSettled([
      efs.promises.writeFile(path, 'x'),
      efs.promises.appendFile(path, 'x'),
      efs.promises.writeFile(join(path, 'new'), 'x'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  })

  test('wait for a writer to close', async () => {
    const path = join(makeFolder(efs), 'text')
    const writer = efs.openSync(path, 'w')
    efs.writeSync(writer, 'one')
    const opening = efs.promises.open(path, 'a')
    setTimeout(() => efs.closeSync(writer), 60)
    const handle = await opening
    const appending = efs.promises.appendFile(path, ' three')
    await handle.appendFile(' two')
    await handle.close()
    await appending
    expect(efs.readFileSync(path, 'utf8')).toBe('one two three')
  })

  test('wait no longer than they were told, in turn or not', async () => {
    const io = createEncryptedFs({ ...FS_OPTIONS, lockTimeout: 400 })
    const path = join(makeFolder(efs), 'text')
    const writer = await io.promises.open(path, 'a')
    const began = performance.now()
    const calls = await Promise.allSettled(Array.from({ length: 5 }, () => io.promises.appendFile(path, 'x')))
    expect(calls.map((call) => (call.status === 'rejected' ? (call.reason as Error) : undefined))).toEqual(Array(5).fill(LOCKED))
    expect(performance.now() - began).toBeLessThan(1_500)
    await writer.close()
    await io.promises.appendFile(path, 'x')
  })
})

describe('calls that do not wait', () => {
  test('fail at once while a writer has the file', async () => {
    const path = join(makeFolder(efs), 'text')
    const handle = await efs.promises.open(path, 'r+')
    const began = performance.now()
    const calls = [
      () => efs.writeFileSync(path, 'x'),
      () => efs.appendFileSync(path, 'x'),
      () => efs.truncateSync(path, 1),
      () => efs.openSync(path, 'a'),
      () => efs.openSync(path, 'w'),
      () => efs.copyFileSync(join(path, '../binary'), path),
    ]
    for (const call of calls) expect(call).toThrow(LOCKED)
    expect(performance.now() - began).toBeLessThan(2_000)
    expect(efs.readFileSync(path, 'utf8')).toBe('grüße\n')
    expect(efs.statSync(path).size).toBe(8)
    await handle.close()
    efs.appendFileSync(path, 'x')
  })

  test('wait where they are told to', () => {
    const io = createEncryptedFs({ ...FS_OPTIONS, lockTimeout: 120 })
    const path = join(makeFolder(efs), 'text')
    const fd = io.openSync(path, 'r+')
    const began = performance.now()
    expect(() => io.appendFileSync(path, 'x')).toThrow(LOCKED)
    expect(performance.now() - began).toBeGreaterThan(100)
    io.closeSync(fd)
  })
})

describe('names that are there only while files are written', () => {
  test('are not seen, and others are', async () => {
    const folder = makeFolder(efs)
    const names = nodeFs.readdirSync(folder).sort()
    const own = [
      'a.sealfile-lock.txt',
      'sealfile-lock',
      '.x.sealfile-tmp',
      '.x.0123456789abcdef.sealfile-tmp.gz',
      'x.0123456789abcdef.sealfile-tmp',
    ]
    for (const name of own) nodeFs.writeFileSync(join(folder, name), '')
    const visible = [...names, ...own].sort()
    const fd = efs.openSync(join(folder, 'text'), 'a')
    const handle = await efs.promises.open(join(folder, 'folder/inner'), 'a')
    for (const name of [
      '.x.0123456789abcdef.sealfile-tmp',
      'x.sealfile-lock-0123456789abcdef',
      'x.sealfile-lock-0123456789abcdef-0123456789abcdef',
    ]) {
      nodeFs.writeFileSync(join(folder, name), '')
    }
    expect(nodeFs.readdirSync(folder)).toHaveLength(visible.length + 4)
    expect(efs.readdirSync(folder).sort()).toEqual(visible)
    expect((await efs.promises.readdir(folder)).sort()).toEqual(visible)
    expect(efs.readdirSync(folder, 'buffer').map(String).sort()).toEqual(visible)
    expect(
      efs
        .readdirSync(folder, { withFileTypes: true })
        .map(({ name }) => name)
        .sort(),
    ).toEqual(visible)
    const deep = [...visible, 'folder/hollow', 'folder/inner'].sort()
    expect(efs.readdirSync(folder, { recursive: true }).sort()).toEqual(deep)
    expect((await efs.promises.readdir(folder, { recursive: true })).sort()).toEqual(deep)
    expect(await new Promise((resolve) => efs.readdir(join(folder, 'folder'), (_, found) => resolve(found)))).toEqual([
      'hollow',
      'inner',
    ])
    efs.closeSync(fd)
    await handle.close()
  })

  test('are not seen in a folder that is opened', async () => {
    const folder = makeFolder(efs)
    const names = nodeFs.readdirSync(folder).sort()
    const fd = efs.openSync(join(folder, 'text'), 'a')
    const found: Record<string, string[]> = { iterated: [], read: [], readSync: [], called: [] }
    for await (const { name } of await efs.promises.opendir(folder)) found['iterated']!.push(name)
    const dir = efs.opendirSync(folder)
    for (let entry = await dir.read(); entry !== null; entry = await dir.read()) found['read']!.push(entry.name)
    await dir.close()
    const second = await new Promise<nodeFs.Dir>((resolve) => efs.opendir(folder, (_, opened) => resolve(opened)))
    for (let entry = second.readSync(); entry !== null; entry = second.readSync()) found['readSync']!.push(entry.name)
    second.closeSync()
    const third = efs.opendirSync(folder, { bufferSize: 1 })
    const next = (): Promise<nodeFs.Dirent | null> => new Promise((resolve) => third.read((_, entry) => resolve(entry)))
    for (let entry = await next(); entry !== null; entry = await next()) found['called']!.push(entry.name)
    third.closeSync()
    for (const seen of Object.values(found)) expect(seen.sort()).toEqual(names)
    efs.closeSync(fd)
  })
})

describe('numbers', () => {
  test('that node:fs has given are left to it', async () => {
    const folder = makeFolder(efs)
    const plain = nodeFs.openSync(join(folder, 'plain'), 'w+')
    efs.writeSync(plain, 'plain')
    await new Promise((resolve) => efs.write(plain, Buffer.from(' text'), resolve))
    efs.ftruncateSync(plain, 8)
    expect(efs.fstatSync(plain).size).toBe(8)
    expect(efs.readFileSync(join(folder, 'plain').replace('plain', 'text'), 'utf8')).toBe('grüße\n')
    efs.writeFileSync(plain, '!')
    const stream = efs.createWriteStream('', { fd: plain, start: 0 })
    stream.end('PLAIN')
    await once(stream, 'close')
    expect(nodeFs.readFileSync(join(folder, 'plain'), 'latin1')).toBe('PLAIN te\0\0!')
    expect(efs.fstatSync(1).isFile()).toBe(nodeFs.fstatSync(1).isFile())
  })

  test('of handles are refused', async () => {
    const path = join(makeFolder(efs), 'text')
    const handle = await efs.promises.open(path, 'r+')
    const { fd } = handle
    const refused = expect.objectContaining({ code: 'EBADF' }) as Error
    const calls = [
      () => efs.readSync(fd, Buffer.alloc(1)),
      () => efs.writeSync(fd, 'x'),
      () => efs.fstatSync(fd),
      () => efs.readFileSync(fd),
      () => efs.closeSync(fd),
    ]
    for (const call of calls) expect(call).toThrow(refused)
    for (const name of ['fsync', 'fstat', 'close', 'readFile'] as const) {
      expect(await new Promise((resolve) => efs[name](fd, resolve as () => void))).toEqual(refused)
    }
    const closing = handle.close()
    expect(() => efs.writeSync(fd, 'x')).toThrow(refused)
    await closing
    expect(() => efs.writeSync(fd, 'x')).toThrow(refused)
    expect(efs.readFileSync(path, 'utf8')).toBe('grüße\n')
  })

  test('are known to every encrypted fs of the process', () => {
    const path = join(makeFolder(efs), 'text')
    const fd = efs.openSync(path, 'r+')
    const other = createEncryptedFs({ ...FS_OPTIONS, purpose: 'another' })
    other.writeSync(fd, 'X')
    expect(other.readFileSync(fd, 'utf8')).toBe('rüße\n')
    other.closeSync(fd)
    expect(efs.readFileSync(path, 'utf8')).toBe('Xrüße\n')
  })

  test('are refused while their files are being closed, and not written through', async () => {
    const path = join(makeFolder(efs), 'text')
    const fd = efs.openSync(path, 'r+')
    efs.write(fd, Buffer.alloc(100_000, 'x'), () => undefined)
    efs.fsync(fd, () => undefined)
    const closed = new Promise((resolve) => efs.close(fd, resolve))
    const refused = expect.objectContaining({ code: 'EBADF', syscall: 'write' }) as Error
    expect(() => efs.writeSync(fd, 'plain')).toThrow(refused)
    expect(await new Promise((resolve) => efs.write(fd, 'plain', resolve))).toEqual(refused)
    expect(await closed).toBe(null)
    expect(() => efs.writeSync(fd, 'plain')).toThrow(refused)
    expect(efs.readFileSync(path)).toEqual(Buffer.alloc(100_000, 'x'))
  })

  test('mean another file when they are used again', () => {
    const folder = makeFolder(efs)
    const fd = efs.openSync(join(folder, 'text'), 'r+')
    efs.closeSync(fd)
    const plain = nodeFs.openSync(join(folder, 'plain'), 'w')
    expect(plain).toBe(fd)
    efs.writeSync(plain, 'plain')
    efs.closeSync(plain)
    expect(nodeFs.readFileSync(join(folder, 'plain'), 'utf8')).toBe('plain')
  })

  test('whose streams were aborted before they were open are closed', async () => {
    const folder = makeFolder(efs)
    const stream = efs.createWriteStream(join(folder, 'text'), { signal: AbortSignal.abort() })
    await once(stream, 'error')
    while (nodeFs.readdirSync(folder).length > 6 || efs.statSync(join(folder, 'text')).size > 0) await new Promise(setImmediate)
    efs.appendFileSync(join(folder, 'text'), 'free')
    expect(efs.readFileSync(join(folder, 'text'), 'utf8')).toBe('free')
  })
})

import { once } from 'node:events'
import nodeFs from 'node:fs'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { BINARY, classesOf, FS_OPTIONS, makeFolder, sameOnBoth, type Fs, type Twin } from './twins.js'

/** createReadStream, createWriteStream and their classes: node:fs is the oracle. */

type Stream = (Readable | Writable) & { path?: unknown; fd?: unknown; pending?: boolean; bytesRead?: number; bytesWritten?: number }

/** @returns the events of a stream, until it is closed if it is to be. */
async function traceOf(stream: Stream, options?: unknown): Promise<unknown[]> {
  const { autoClose } = (options ?? {}) as { readonly autoClose?: boolean }
  const trace: unknown[] = [['pending', stream.pending]]
  for (const event of ['ready', 'end', 'finish', 'close', 'open', 'error', 'data']) {
    stream.on(event, (argument: unknown) => {
      // Of numbers it is known that there is one.
      trace.push(event === 'error' || event === 'data' ? [event, argument] : [event, typeof argument])
    })
  }
  const isDone = (): boolean => stream.closed || (autoClose === false && (hasEnded(stream) || stream.errored !== null))
  while (!isDone()) await sleep(2)
  await sleep(5)
  return [trace, stream.path, stream.pending, stream.bytesRead, stream.bytesWritten, stream.destroyed, stream.errored]
}

function hasEnded(stream: { readonly readableEnded?: boolean; readonly writableFinished?: boolean }): boolean {
  return stream.readableEnded === true || stream.writableFinished === true
}

/** @returns what a stream gives, and what it says of itself. */
async function contentOf(stream: nodeFs.ReadStream): Promise<unknown> {
  const chunks: (Buffer | string)[] = []
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer | string)
  } catch (error) {
    return [chunks, error, stream.bytesRead]
  }
  return [chunks, stream.bytesRead, stream.path, stream.pending]
}

type ReadOptions = Exclude<Parameters<Fs['createReadStream']>[1], string>

describe('reading', () => {
  describe.each<[string, ReadOptions | BufferEncoding]>([
    ['all', undefined],
    [
      'all, with options that hold nothing',
      { encoding: undefined, flags: undefined, start: undefined, end: undefined, highWaterMark: undefined },
    ],
    ['as text', 'latin1'],
    ['as text by options', { encoding: 'hex' }],
    ['from a place', { start: 9_000 }],
    ['up to a place', { end: 4_999 }],
    ['between two places', { start: 4_090, end: 4_100 }],
    ['one byte', { start: 5, end: 5 }],
    ['behind the end', { start: 20_000, end: 30_000 }],
    ['to infinity', { end: Infinity, start: 9_999 }],
    ['in small pieces', { highWaterMark: 999 }],
    ['with nothing said of its end', { emitClose: false }],
    ['and is not closed', { autoClose: false }],
    ['with another flag', { flags: 'r+' }],
    ['with a flag that makes the file', { flags: 'a+' }],
    ['with an unknown flag', { flags: 'q' }],
    ['from behind its end', { start: 5, end: 4 }],
    ['from a negative place', { start: -1 }],
    ['from no number', { start: 'x' as never }],
  ])('%s', (_, options) => {
    sameOnBoth('gives the same', ({ fs, at, attempt }) => attempt(() => contentOf(fs.createReadStream(at('binary'), options))))
    sameOnBoth('tells the same', ({ fs, at, attempt }) =>
      attempt(() => traceOf(fs.createReadStream(at('binary'), options), options)),
    )
    sameOnBoth('by its class', ({ fs, at, attempt }) =>
      attempt(() => contentOf(new (classesOf(fs).ReadStream)(at('binary'), options))),
    )
  })

  for (const name of ['text', 'empty', 'missing', 'folder', 'link', 'dangling']) {
    sameOnBoth(`of ${name}`, ({ fs, at }) => traceOf(fs.createReadStream(at(name))))
  }
  sameOnBoth('of no path', ({ fs, attempt }) => attempt(() => fs.createReadStream(undefined as never)))
  sameOnBoth('of a number', async ({ fs, at }) => {
    const fd = fs.openSync(at('binary'), 'r')
    fs.readSync(fd, Buffer.alloc(9_000))
    return [
      await contentOf(fs.createReadStream('', { fd })),
      (await traceOf(fs.createReadStream('', { fd: fs.openSync(at('text'), 'r') }))).slice(1),
    ]
  })
  sameOnBoth('of a number, from a place, and it stays open', async ({ fs, at }) => {
    const fd = fs.openSync(at('binary'), 'r')
    const first = await contentOf(fs.createReadStream('', { fd, start: 10, end: 19, autoClose: false }))
    const second = await contentOf(fs.createReadStream('', { fd, start: 9_990, autoClose: true }))
    return [first, second]
  })
  sameOnBoth('of a handle', async ({ fs, at }) => {
    const handle = await fs.promises.open(at('binary'))
    const read = await contentOf(fs.createReadStream('', { fd: handle, start: 9_000 }))
    return [read, handle.fd]
  })
  sameOnBoth('of a handle, by its class', async ({ fs, at }) => {
    const handle = await fs.promises.open(at('binary'))
    return contentOf(new (classesOf(fs).ReadStream)('', { fd: handle, end: 9 }))
  })
  sameOnBoth('of no number', ({ fs, attempt }) => [
    attempt(() => fs.createReadStream('', { fd: 'x' } as never)),
    attempt(() => fs.createReadStream('', { fd: {} } as never)),
  ])
  sameOnBoth('until it is destroyed', async ({ fs, at }) => {
    const stream = fs.createReadStream(at('binary'), { highWaterMark: 10 })
    await once(stream, 'data')
    stream.destroy(new Error('enough'))
    return traceOf(stream)
  })
  sameOnBoth('until it is aborted', async ({ fs, at }) => {
    const control = new AbortController()
    const stream = fs.createReadStream(at('binary'), { highWaterMark: 10, signal: control.signal })
    await once(stream, 'data')
    control.abort()
    return (await traceOf(stream)).slice(1)
  })
  // It may be opened before it notices, or after.
  sameOnBoth('nothing, where it is aborted before', async ({ fs, at }) => {
    const stream = fs.createReadStream(at('binary'), { signal: AbortSignal.abort() })
    return await contentOf(stream)
  })
  sameOnBoth('and closed by close', async ({ fs, at }) => {
    const stream = fs.createReadStream(at('binary'))
    await once(stream, 'open')
    return new Promise((resolve) => stream.close((...results) => resolve([results, stream.destroyed])))
  })
})

type WriteOptions = Exclude<Parameters<Fs['createWriteStream']>[1], string>

const write = async (stream: nodeFs.WriteStream, options?: unknown): Promise<unknown> => {
  const trace = traceOf(stream, options)
  stream.write('one, ')
  stream.write(Buffer.from('two, '))
  stream.write('74687265652c20', 'hex')
  stream.end('grüße')
  return trace
}

describe('writing', () => {
  describe.each<[string, WriteOptions | BufferEncoding]>([
    ['all', undefined],
    [
      'all, with options that hold nothing',
      { encoding: undefined, flags: undefined, start: undefined, mode: undefined, flush: undefined },
    ],
    ['as text', 'latin1'],
    ['as text by options', { encoding: 'latin1' }],
    ['at the end', { flags: 'a' }],
    ['into what is there', { flags: 'r+' }],
    ['from a place on', { flags: 'r+', start: 4_090 }],
    ['a file that must not be there', { flags: 'wx' }],
    ['with flush', { flush: true }],
    ['with a flush that is none', { flush: 1 as never }],
    ['with a mode', { mode: 0o600 }],
    ['and is not closed', { autoClose: false }],
    ['with nothing said of its end', { emitClose: false }],
    ['with a small buffer', { highWaterMark: 3 }],
    ['with an unknown flag', { flags: 'q' }],
    ['to a negative place', { start: -1 }],
  ])('%s', (_, options) => {
    for (const name of ['binary', 'new']) {
      sameOnBoth(`to ${name}`, ({ fs, at, attempt }) => attempt(() => write(fs.createWriteStream(at(name), options), options)))
    }
    sameOnBoth('by its class', ({ fs, at, attempt }) =>
      attempt(() => write(new (classesOf(fs).WriteStream)(at('binary'), options), options)),
    )
  })

  for (const name of ['text', 'empty', 'missing/new', 'folder', 'link', 'dangling']) {
    sameOnBoth(`to ${name}`, ({ fs, at }) => write(fs.createWriteStream(at(name))))
  }
  sameOnBoth('much, in many pieces', async ({ fs, at }) => {
    const pieces = Array.from({ length: 300 }, (_, i) => Buffer.alloc(1 + i * 50, `${i} `))
    await pipeline(Readable.from(pieces), fs.createWriteStream(at('new')))
    return fs.statSync(at('new')).size
  })
  sameOnBoth('nothing', async ({ fs, at }) => {
    const stream = fs.createWriteStream(at('new'))
    stream.end()
    return traceOf(stream)
  })
  sameOnBoth('to a number', async ({ fs, at }) => {
    const fd = fs.openSync(at('binary'), 'r+')
    fs.writeSync(fd, 'before ')
    return write(fs.createWriteStream('', { fd }))
  })
  sameOnBoth('to a number, at a place, and it stays open', async ({ fs, at }) => {
    const fd = fs.openSync(at('binary'), 'r+')
    const traced = await write(fs.createWriteStream('', { fd, start: 9_999, autoClose: false }), { autoClose: false })
    fs.writeSync(fd, 'after')
    fs.closeSync(fd)
    return traced
  })
  sameOnBoth('to a handle', async ({ fs, at }) => {
    const handle = await fs.promises.open(at('text'), 'a')
    const traced = (await write(fs.createWriteStream('', { fd: handle }))) as unknown[]
    return [traced.slice(1), handle.fd]
  })
  sameOnBoth('until it is destroyed', async ({ fs, at }) => {
    const stream = fs.createWriteStream(at('new'))
    await once(stream, 'open')
    stream.destroy(new Error('enough'))
    return traceOf(stream)
  })
  sameOnBoth('is there when it has finished', async ({ fs, at }) => {
    const stream = fs.createWriteStream(at('new'))
    stream.end('text')
    await once(stream, 'finish')
    const found = [fs.readFileSync(at('new'), 'utf8'), fs.statSync(at('new')).size]
    await once(stream, 'close')
    return found
  })
  sameOnBoth('leaves the times that were set when it had finished', async ({ fs, at }) => {
    const stream = fs.createWriteStream(at('new'))
    stream.end('text')
    await once(stream, 'finish')
    fs.utimesSync(at('new'), 1, 2)
    await once(stream, 'close')
    return fs.statSync(at('new')).mtimeMs
  })
})

describe('the number of a stream', () => {
  sameOnBoth('is good for other calls', async (twin) => {
    const stream = twin.fs.createWriteStream(twin.at('new'))
    stream.write('text')
    await once(stream, 'open')
    const fd = (stream as unknown as { fd: number }).fd
    await new Promise((resolve) => stream.write(' and more', resolve))
    const results = [
      await twin.call('fstat', fd),
      await twin.call('fsync', fd),
      await twin.call('fchmod', fd, 0o600),
      twin.fs.fstatSync(fd).size,
    ]
    stream.end()
    await once(stream, 'close')
    return [results, await twin.call('fstat', fd)]
  })

  test('does not wait for a stream that is at work', async () => {
    const fs = createEncryptedFs(FS_OPTIONS)
    const folder = makeFolder(fs)
    const stream = fs.createWriteStream(`${folder}/new`)
    await once(stream, 'open')
    const fd = (stream as unknown as { fd: number }).fd
    stream.end(Buffer.alloc(5 * 2 ** 20))
    const calls = [() => fs.fstatSync(fd), () => fs.writeSync(fd, 'x'), () => fs.fsyncSync(fd), () => fs.closeSync(fd)]
    for (const call of calls) expect(call).toThrow(expect.objectContaining({ code: 'EAGAIN' }))
    await once(stream, 'close')
    expect(fs.statSync(`${folder}/new`).size).toBe(5 * 2 ** 20)
  })
})

describe('the classes', () => {
  const efs = createEncryptedFs(FS_OPTIONS)
  const folder = makeFolder(efs)

  test('are inherited from', async () => {
    class Upper extends classesOf(efs).ReadStream {
      override push(chunk: Buffer | null): boolean {
        return super.push(chunk === null ? null : chunk.toString().toUpperCase())
      }
    }
    const stream = new Upper(`${folder}/folder/inner`, {})
    expect(await stream.toArray()).toEqual([Buffer.from('INNER')])
    expect(stream).toBeInstanceOf(efs.ReadStream)
    expect(stream).toBeInstanceOf(nodeFs.ReadStream)
  })

  test('are inherited from the old way, and called without new', async () => {
    const Parent = efs.ReadStream as unknown as (this: unknown, path: string, options?: object) => Readable
    function Old(this: unknown, path: string): void {
      Parent.call(this, path, { encoding: 'utf8' })
    }
    Object.setPrototypeOf(Old.prototype, efs.ReadStream.prototype)
    const stream = new (Old as unknown as new (path: string) => Readable)(`${folder}/folder/inner`)
    expect(await stream.toArray()).toEqual(['inner'])
    expect(await Parent.call(undefined, `${folder}/folder/inner`, { encoding: 'utf8' }).toArray()).toEqual(['inner'])
  })

  test('have the names and makers of their own', () => {
    for (const name of ['ReadStream', 'WriteStream'] as const) {
      expect(efs[name].name).toBe(name)
      expect(efs[name].prototype.constructor).toBe(efs[name])
      expect(efs[name]).not.toBe(nodeFs[name])
    }
    expect((efs as unknown as Record<string, unknown>)['FileReadStream']).toBe(efs.ReadStream)
    expect(efs.createReadStream(`${folder}/text`)).toBeInstanceOf(efs.ReadStream)
  })

  test('take an fs of the caller', async () => {
    const fs = { ...nodeFs, open: nodeFs.open }
    const raw = await efs.createReadStream(`${folder}/text`, { fs }).toArray()
    expect(Buffer.concat(raw as Buffer[])).toEqual(nodeFs.readFileSync(`${folder}/text`))
  })

  test('read BINARY in segments', async () => {
    expect(Buffer.concat((await efs.createReadStream(`${folder}/binary`).toArray()) as Buffer[])).toEqual(BINARY)
  })
})

type Utf8Stream = new (options: object) => NodeJS.EventEmitter & { write(text: string): boolean; flushSync(): void; end(): void }

describe.runIf('Utf8Stream' in nodeFs)('Utf8Stream', () => {
  sameOnBoth('writes in the background and at once', async ({ fs, at }: Twin) => {
    const { Utf8Stream } = fs as unknown as { readonly Utf8Stream: Utf8Stream }
    const stream = new Utf8Stream({ dest: at('new'), minLength: 4_096 })
    await once(stream, 'ready')
    for (let i = 0; i < 2_000; i++) {
      stream.write(`line ${i}\n`)
      if (i % 100 === 0) stream.flushSync()
    }
    stream.end()
    await once(stream, 'close')
  })
})

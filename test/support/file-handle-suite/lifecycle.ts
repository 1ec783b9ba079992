import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import type { Handle } from './handle.js'
import { CONTENT, expectBytes, rejection, type Subject } from './subject.js'

/** Closing, what it waits for, and what a closed handle does. */
export function lifecycleTests(subject: Subject): void {
  describe('closing', () => closingTests(subject))
  describe.skipIf(subject.options.isSync)('the close event', () => eventTests(subject))
  describe.skipIf(subject.options.withoutClosedState)('a closed handle', () => closedTests(subject))
}

function closingTests({ options, whenAsync, open, opened, freshPath, withHandle, textOf }: Subject): void {
  test('returns nothing', async () => {
    for (const flags of ['r', 'r+', 'w', 'a']) await expect((await opened(flags)).close()).resolves.toBeUndefined()
  })

  test.skipIf(options.withoutClosedState)('may be done again', async () => {
    const handle = await open(freshPath(), 'w')
    await handle.write('abc')
    const closing = handle.close()
    await Promise.all([closing, handle.close()])
    await expect(closing).resolves.toBeUndefined()
    await expect(handle.close()).resolves.toBeUndefined()
  })

  test('waits for what was begun before', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    await Promise.all([handle.writeFile('abc'), handle.write('def'), handle.appendFile('ghi'), handle.close()])
    const text = await textOf(path)
    // Node gives calls that nobody waits for to several threads: all are done, in any order.
    expect(text.match(/.../g)?.sort()).toEqual(['abc', 'def', 'ghi'])
    const reader = await open(path, 'r')
    const [content] = await Promise.all([reader.readFile('utf8'), reader.close()])
    expect(content).toBe(text)
  })

  whenAsync('waits for a writeFile that was begun before, and all its pieces', async () => {
    async function* pieces(): AsyncGenerator<string> {
      yield 'abc'
      await new Promise((resolve) => setTimeout(resolve, 10))
      yield 'def'
    }
    const path = freshPath()
    const handle = await open(path, 'w')
    await Promise.all([handle.writeFile(pieces()), handle.close()])
    expect(await textOf(path)).toBe('abcdef')
  })

  whenAsync('waits for what fails', async () => {
    const handle = await opened('r')
    const [read, written] = await Promise.all([handle.readFile(), rejection(() => handle.writeFile(['x'])), handle.close()])
    expectBytes(read, CONTENT)
    expect(written.code).toBe('EBADF')
  })

  whenAsync('takes the descriptor away', async () => {
    const handle = await opened('r')
    expect(Number.isInteger(handle.fd)).toBe(true)
    expect(handle.fd).toBeGreaterThan(2)
    const closing = handle.close()
    expect(handle.fd).toBe(-1)
    await closing
    expect(handle.fd).toBe(-1)
  })

  whenAsync('leaves the descriptor to what was begun before', async () => {
    const handle = await opened('r')
    const { fd } = handle
    const reading = handle.readFile()
    const closing = handle.close()
    expect(handle.fd).toBe(fd)
    await reading
    await closing
    expect(handle.fd).toBe(-1)
  })

  whenAsync('while something goes on: what is called then is still done, or comes too late', async () => {
    const handle = await opened('r')
    const reading = handle.read(Buffer.alloc(10))
    const closing = handle.close()
    const late = handle.read(Buffer.alloc(10))
    // Calls are carried out in the order in which they are made, and close is one of them.
    if (options.closesInOrder === true) expect(await rejection(() => late)).toMatchObject({ code: 'EBADF', message: 'file closed' })
    else expect((await late).bytesRead).toBe(10)
    expect((await reading).bytesRead).toBe(10)
    await closing
    expect(handle.fd).toBe(-1)
  })

  whenAsync('works for the method on its own', async () => {
    const handle = await opened('r')
    const { close } = handle // eslint-disable-line @typescript-eslint/unbound-method -- it is a property of Node's handle
    await Promise.resolve().finally(close)
    expect(handle.fd).toBe(-1)
  })

  whenAsync('by Symbol.asyncDispose', async () => {
    const path = freshPath()
    const handle = await open(path, 'w')
    await handle.write('abc')
    await expect(handle[Symbol.asyncDispose]()).resolves.toBeUndefined()
    expect(handle.fd).toBe(-1)
    expect(await textOf(path)).toBe('abc')
    await expect(handle[Symbol.asyncDispose]()).resolves.toBeUndefined()
    await handle.close()
  })

  whenAsync('by await using', async () => {
    let used: Handle
    {
      await using handle = await opened('r')
      used = handle
      expect(handle.fd).toBeGreaterThan(2)
    }
    expect(used.fd).toBe(-1)
  })

  test('of one handle leaves others of the file open', async () => {
    const path = freshPath()
    await withHandle(path, 'w', (handle) => handle.write('abc'))
    const readers = await Promise.all([open(path, 'r'), open(path, 'r'), open(path, 'r')])
    await readers[1].close()
    expect(await readers[0].readFile('utf8')).toBe('abc')
    await readers[0].close()
    expect(await readers[2].readFile('utf8')).toBe('abc')
    await readers[2].close()
  })
}

function eventTests({ opened }: Subject): void {
  test('comes while close is being called, and once', async () => {
    const handle = await opened('r')
    const seen: unknown[] = []
    handle.on('close', (...args) => seen.push(['event', args, handle.fd]))
    const closing = handle.close().then(() => seen.push('closed'))
    seen.push('called')
    await closing
    await handle.close()
    expect(seen).toEqual([['event', [], -1], 'called', 'closed'])
  })

  test('comes before what was begun before has ended', async () => {
    const handle = await opened('r')
    const seen: string[] = []
    handle.once('close', () => seen.push('event'))
    const reading = handle.readFile().then(() => seen.push('read'))
    const closing = handle.close().then(() => seen.push('closed'))
    void handle.close()
    seen.push('called')
    await Promise.all([reading, closing])
    expect(seen).toEqual(['event', 'called', 'read', 'closed'])
  })

  test('comes from disposal', async () => {
    const handle = await opened('r+')
    let count = 0
    handle.on('close', () => count++)
    await handle[Symbol.asyncDispose]()
    expect(count).toBe(1)
  })

  test('does not come to who has left, and never without close', async () => {
    const handle = await opened('r+')
    let count = 0
    const listener = (): void => {
      count++
    }
    handle.on('close', listener)
    await handle.write('abc')
    await handle.readFile()
    expect(count).toBe(0)
    handle.off('close', listener)
    await handle.close()
    expect(count).toBe(0)
  })
}

type Call = (handle: Handle) => unknown

function closedTests({ options, whenAsync, open, freshPath, closedRefusal }: Subject): void {
  const CALLS: readonly (readonly [string, Call, string])[] = [
    ['read', (handle) => handle.read(Buffer.alloc(1)), 'read'],
    ['read of no byte', (handle) => handle.read(Buffer.alloc(0)), 'read'],
    ['readv', (handle) => handle.readv([Buffer.alloc(1)]), 'readv'],
    ['readFile', (handle) => handle.readFile(), 'readFile'],
    ['readFile of text', (handle) => handle.readFile('utf8'), 'readFile'],
    ['write', (handle) => handle.write(Buffer.from('x')), 'write'],
    ['write of text', (handle) => handle.write('x'), 'write'],
    ['write of no byte', (handle) => handle.write(''), 'write'],
    ['writev', (handle) => handle.writev([Buffer.from('x')]), 'writev'],
    ['writev of no buffer', (handle) => handle.writev([]), 'writev'],
    ['writeFile', (handle) => handle.writeFile('x'), 'writeFile'],
    ['appendFile', (handle) => handle.appendFile('x'), 'writeFile'],
    ['stat', (handle) => handle.stat(), 'fstat'],
    ['truncate', (handle) => handle.truncate(), 'ftruncate'],
    ['sync', (handle) => handle.sync(), 'fsync'],
    ['datasync', (handle) => handle.datasync(), 'fdatasync'],
    ['chmod', (handle) => handle.chmod(0o600), 'fchmod'],
    ['chown', (handle) => handle.chown(0, 0), 'fchown'],
    ['utimes', (handle) => handle.utimes(1, 1), 'futimes'],
  ]

  test.each(CALLS)('does not %s', async (_, call, syscall) => {
    for (const flags of ['r', 'r+', 'w', 'a']) {
      // What a sync handle says is the same, for want of one of Node's that knows that it is closed.
      const refused =
        options.isSync === true
          ? await open(freshPath(), 'w').then(async (handle) => {
              await handle.close()
              return rejection(() => call(handle))
            })
          : await closedRefusal(call, flags)
      expect(refused).toBeInstanceOf(Error)
      expect(refused).toMatchObject({ code: 'EBADF', message: 'file closed', syscall })
    }
  })

  whenAsync.each<[string, Call]>([
    ['writeFile of pieces', (handle) => handle.writeFile(['x'])],
    ['writeFile of no piece', (handle) => handle.writeFile([])],
    ['appendFile of pieces', (handle) => handle.appendFile(['x'])],
  ])('does not %s', async (_, call) => {
    expect(await closedRefusal(call)).toMatchObject({ code: 'EBADF', message: 'file closed', syscall: 'writeFile' })
  })

  whenAsync.each<[string, Call, string]>([
    ['read', (handle) => handle.read('text'), 'read'],
    ['readv', (handle) => handle.readv('text'), 'readv'],
    ['readFile', (handle) => handle.readFile('nonsense'), 'readFile'],
    ['write', (handle) => handle.write(5), 'write'],
    ['writev', (handle) => handle.writev(5), 'writev'],
    ['writeFile', (handle) => handle.writeFile(5), 'writeFile'],
    ['appendFile', (handle) => handle.appendFile('x', 'nonsense'), 'writeFile'],
    ['readFile that is aborted', (handle) => handle.readFile({ signal: AbortSignal.abort() }), 'readFile'],
    ['writeFile that is aborted', (handle) => handle.writeFile('x', { signal: AbortSignal.abort() }), 'writeFile'],
    ['truncate', (handle) => handle.truncate('x'), 'ftruncate'],
    ['chmod', (handle) => handle.chmod('x'), 'fchmod'],
    ['chown', (handle) => handle.chown('x', 'x'), 'fchown'],
    ['utimes', (handle) => handle.utimes('x', 'x'), 'futimes'],
  ])('says so before anything else: %s', async (_, call, syscall) => {
    expect(await closedRefusal(call)).toMatchObject({ code: 'EBADF', message: 'file closed', syscall })
  })

  whenAsync.each<[string, Call]>([
    ['createReadStream', (handle) => handle.createReadStream()],
    ['createWriteStream', (handle) => handle.createWriteStream()],
    ['readLines', (handle) => handle.readLines()],
    ['createReadStream with options', (handle) => handle.createReadStream({ start: 0, autoClose: false })],
    ['createWriteStream with options', (handle) => handle.createWriteStream({ start: 0, autoClose: false })],
  ])('has no %s', async (_, call) => {
    const error = await closedRefusal(call)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      message: 'The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received -1',
    })
  })

  whenAsync('has no readableWebStream', async () => {
    expect(await closedRefusal((handle) => handle.readableWebStream({ type: 'bytes' }))).toMatchObject({
      code: 'ERR_INVALID_STATE',
      message: 'Invalid state: The FileHandle is closed',
    })
  })

  whenAsync('throws what streams are refused with, and rejects what calls are', async () => {
    const handle = await open(freshPath(), 'w+')
    await handle.close()
    for (const make of [
      () => handle.createReadStream(),
      () => handle.createWriteStream(),
      () => handle.readLines(),
      () => handle.readableWebStream({ type: 'bytes' }),
    ]) {
      expect(make).toThrow()
    }
    const calls = CALLS.map(([, call]) => call(handle))
    for (const call of calls) expect(call).toBeInstanceOf(Promise)
    for (const result of await Promise.allSettled(calls)) expect(result.status).toBe('rejected')
  })
}

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { EncryptedFile } from '../../src/index.js'
import { errorOf, OPTIONS, readEncrypted, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Flags with a `b`, which Node does not know: bytes alone go in and come out. */

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`binary-${count++}`)

const SECRET = 'secret'
const NO_TEXT = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const NO_ENCODING = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }

const READERS = ['rb', 'rbs', 'rsb', 'srb']
const UPDATERS = ['rb+', 'r+b', 'rs+b', 'rsb+']
const WRITERS = ['wb', 'ab', 'asb', 'sab']
const BOTH = ['wb+', 'w+b', 'ab+', 'a+b', 'as+b']
const EXCLUSIVE = ['wbx', 'wxb', 'xwb', 'abx', 'axb', 'xab']
const EXCLUSIVE_BOTH = ['wbx+', 'wxb+', 'wx+b', 'xw+b', 'abx+', 'axb+', 'ax+b']
const READING = [...READERS, ...UPDATERS, ...BOTH, ...EXCLUSIVE_BOTH]
const WRITING = [...UPDATERS, ...WRITERS, ...BOTH, ...EXCLUSIVE, ...EXCLUSIVE_BOTH]
const ALL = [...new Set([...READING, ...WRITING])]

/** A place for a file to be opened with `flags`: there is one, unless there must not be. */
function placeFor(flags: string): string {
  const path = freshPath()
  if (!flags.includes('x')) writeEncrypted(path, 'bytes')
  return path
}

/** What a file at {@link placeFor} holds when it has been opened. */
const contentFor = (flags: string): string => (flags.includes('x') || flags.includes('w') ? '' : 'bytes')

describe('binary flags', () => {
  test.each(ALL)('%s does what it does without the b', async (flags) => {
    const [path, twinPath] = [placeFor(flags), placeFor(flags)]
    const file = await EncryptedFile.open(path, flags, OPTIONS)
    const twin = EncryptedFile.openSync(twinPath, flags, OPTIONS)
    expect((await file.stat()).size).toBe(contentFor(flags).length)
    if (READING.includes(flags)) {
      expect(await file.readFile()).toEqual(Buffer.from(contentFor(flags)))
      expect(twin.readFile()).toEqual(Buffer.from(contentFor(flags)))
    } else {
      await expect(file.readFile()).rejects.toMatchObject({ code: 'EBADF' })
      expect(errorOf(() => twin.readFile())).toMatchObject({ code: 'EBADF' })
    }
    if (WRITING.includes(flags)) {
      await file.write(Buffer.from('X'), 0, 1, 0)
      twin.write(Buffer.from('X'), 0, 1, 0)
    } else {
      await expect(file.write(Buffer.from('X'))).rejects.toMatchObject({ code: 'EBADF' })
      expect(errorOf(() => twin.write(Buffer.from('X')))).toMatchObject({ code: 'EBADF' })
    }
    await file.close()
    twin.close()
    const content = contentFor(flags)
    const written = flags.includes('a') ? `${content}X` : `X${content.slice(1)}`
    for (const each of [path, twinPath]) expect(readEncrypted(each).toString()).toBe(WRITING.includes(flags) ? written : content)
  })

  test.each([...EXCLUSIVE, ...EXCLUSIVE_BOTH])('%s needs the place to be free', async (flags) => {
    const path = freshPath()
    writeEncrypted(path, 'bytes')
    await expect(EncryptedFile.open(path, flags, OPTIONS)).rejects.toMatchObject({ code: 'EEXIST', syscall: 'open', path })
    expect(errorOf(() => EncryptedFile.openSync(path, flags, OPTIONS))).toMatchObject({ code: 'EEXIST', syscall: 'open', path })
    expect(readEncrypted(path).toString()).toBe('bytes')
  })

  test.each([...READERS, ...UPDATERS])('%s needs a file', async (flags) => {
    const path = freshPath()
    await expect(EncryptedFile.open(path, flags, OPTIONS)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open', path })
  })

  test.each(['b', 'br', 'bw', 'rbb', 'r+bb', 'rt', 'rb ', 'Rb', 'rB', 'wb-', 'bxw', 'rxb', 'wsb'])('%j are none', async (flags) => {
    const path = freshPath()
    const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
    const error = await EncryptedFile.open(path, flags, OPTIONS).catch((error: unknown) => error)
    expect(error).toMatchObject({ ...refused, message: `The argument 'flags' is invalid. Received '${flags}'` })
    expect(errorOf(() => EncryptedFile.openSync(path, flags, OPTIONS))).toMatchObject(refused)
  })
})

describe('text is refused by binary handles', () => {
  type Call = readonly [string, (file: EncryptedFile) => unknown, object]
  const INPUTS: readonly Call[] = [
    ['write', (file) => file.write(SECRET), NO_TEXT],
    ['write at a position', (file) => file.write(SECRET, 0), NO_TEXT],
    ['write of no text', (file) => file.write(''), NO_TEXT],
    ['write in an encoding', (file) => file.write('616263', 0, 'hex'), NO_TEXT],
    ['writeFile', (file) => file.writeFile(SECRET), NO_TEXT],
    ['writeFile of no text', (file) => file.writeFile(''), NO_TEXT],
    ['writeFile in an encoding', (file) => file.writeFile('616263', 'hex'), NO_TEXT],
    ['writeFile of pieces', (file) => file.writeFile([SECRET]), NO_TEXT],
    ['writeFile of a stream', (file) => file.writeFile(Readable.from([SECRET])), NO_TEXT],
    ['appendFile', (file) => file.appendFile(SECRET), NO_TEXT],
    ['appendFile of pieces', (file) => file.appendFile([SECRET]), NO_TEXT],
    ['append', (file) => file.append(SECRET), NO_TEXT],
    ['writev', (file) => file.writev([SECRET] as never), NO_TEXT],
    [
      'a write stream',
      async (file) => {
        const stream = file.createWriteStream()
        const failing = once(stream, 'finish')
        stream.end(SECRET)
        await failing
      },
      NO_TEXT,
    ],
    ['a write stream with an encoding', (file) => file.createWriteStream({ encoding: 'hex' }), NO_ENCODING],
  ]
  const OUTPUTS: readonly Call[] = [
    ['readFile', (file) => file.readFile('utf8'), NO_ENCODING],
    ['readFile with options', (file) => file.readFile({ encoding: 'hex' }), NO_ENCODING],
    ['readText', (file) => file.readText(), NO_ENCODING],
    ['readText in an encoding', (file) => file.readText('latin1'), NO_ENCODING],
    ['readLine', (file) => file.readLine(), NO_ENCODING],
    ['readLines', (file) => file.readLines(), NO_ENCODING],
    ['iteration', (file) => file[Symbol.asyncIterator]().next(), NO_ENCODING],
    ['a read stream with an encoding', (file) => file.createReadStream({ encoding: 'utf8' }), NO_ENCODING],
  ]

  /** @returns what a call throws or is rejected with. */
  async function refusal(call: Call[1], file: EncryptedFile): Promise<unknown> {
    try {
      await call(file)
    } catch (error) {
      return error
    }
    return expect.fail('text was taken, or given')
  }

  test.each(INPUTS)('%s', async (_, call, refused) => {
    for (const flags of ['rb+', 'wb', 'ab+', 'wxb']) {
      const path = placeFor(flags)
      const file = await EncryptedFile.open(path, flags, OPTIONS)
      const error = await refusal(call, file)
      await file.close()
      expect(error).toMatchObject(refused)
      expect((error as Error).message).not.toContain(SECRET)
      expect(readEncrypted(path).toString()).toBe(contentFor(flags))
    }
  })

  test.each(OUTPUTS)('%s', async (_, call, refused) => {
    for (const flags of ['rb', 'r+b', 'ab+']) {
      const file = await EncryptedFile.open(placeFor(flags), flags, OPTIONS)
      expect(await refusal(call, file)).toMatchObject(refused)
      expect(await file.readFile()).toEqual(Buffer.from('bytes'))
      await file.close()
    }
  })

  test('by the sync twin', () => {
    const path = placeFor('rb+')
    const file = EncryptedFile.openSync(path, 'rb+', OPTIONS)
    for (const call of [
      () => file.write(SECRET),
      () => file.write(''),
      () => file.writeFile(SECRET),
      () => file.appendFile(SECRET),
      () => file.append(SECRET),
      () => file.writev([SECRET] as never),
    ]) {
      const error = errorOf(call)
      expect(error).toMatchObject(NO_TEXT)
      expect(error.message).not.toContain(SECRET)
    }
    for (const call of [
      () => file.readFile('utf8'),
      () => file.readFile({ encoding: 'hex' }),
      () => file.readText(),
      () => file.readLine(),
      () => [...file],
    ]) {
      expect(errorOf(call)).toMatchObject(NO_ENCODING)
    }
    expect(file.readFile()).toEqual(Buffer.from('bytes'))
    file.close()
    expect(readEncrypted(path).toString()).toBe('bytes')
  })
})

describe('bytes go in and come out', () => {
  test('by every method', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w+b', OPTIONS)
    await file.write(Buffer.from('a'))
    await file.writev([Buffer.from('b'), new Uint8Array([99])])
    await file.writeFile(Buffer.from('d'))
    await file.writeFile([Buffer.from('e'), Buffer.from('f')])
    await file.append(Buffer.from('g'))
    expect(await file.readFile({ encoding: null })).toEqual(Buffer.alloc(0))
    const buffers = [Buffer.alloc(3), Buffer.alloc(4)]
    expect((await file.readv(buffers, 0)).bytesRead).toBe(7)
    expect(Buffer.concat(buffers).toString()).toBe('abcdefg')
    const chunks: unknown[] = []
    for await (const chunk of file.createReadStream({ start: 2, autoClose: false })) chunks.push(chunk)
    expect(chunks).toEqual([Buffer.from('cdefg')])
    const stream = file.createWriteStream()
    stream.end(Buffer.from('h'))
    await once(stream, 'close')
    expect(readEncrypted(path).toString()).toBe('abcdefgh')
  })
})

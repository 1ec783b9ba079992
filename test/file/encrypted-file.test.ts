import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { ciphertextSize } from '../../src/container/geometry.js'
import {
  CorruptedFileError,
  DecryptionError,
  EncryptedFile,
  InvalidKeyError,
  KeyManager,
  SealfileError,
  type CipherName,
  type EncryptedFileSync,
  type OpenOptions,
  type ReadResult,
} from '../../src/index.js'
import { buildStreamFile, segmentExtent, unlock } from '../support/container-parts.js'
import {
  appendEncrypted,
  errorOf,
  OPTIONS,
  OTHER_KEY,
  patternBytes,
  readEncrypted,
  SEGMENT_SIZE,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`file-${count++}`)

const CIPHERS: readonly CipherName[] = ['aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv']

/** Opens with options that the types do not allow. */
function openWith(options: unknown, path = freshPath(), flags = 'w'): EncryptedFileSync {
  return EncryptedFile.openSync(path, flags, options as OpenOptions)
}

/** Changes one bit of a file. */
function damage(path: string, position: number): void {
  const bytes = readFileSync(path)
  bytes[position]! ^= 1
  writeFileSync(path, bytes)
}

describe('what lies on disk', () => {
  test('is not the plaintext, and has the size that the format gives it', () => {
    const path = freshPath()
    const plaintext = Buffer.from('a secret that is easy to find. '.repeat(500))
    writeEncrypted(path, plaintext)
    const bytes = readFileSync(path)
    expect(bytes.includes('secret')).toBe(false)
    expect(bytes.length).toBe(ciphertextSize(unlock(bytes, OPTIONS).geometry, plaintext.length))
    expect(readEncrypted(path)).toEqual(plaintext)
  })

  test('differs each time, for the same content, key and purpose', () => {
    const [first, second] = [freshPath(), freshPath()]
    for (const path of [first, second]) writeEncrypted(path, patternBytes(5_000))
    const [a, b] = [readFileSync(first), readFileSync(second)]
    expect(a.subarray(32, 96)).not.toEqual(b.subarray(32, 96))
    expect(a.subarray(1_280)).not.toEqual(b.subarray(1_280))
  })

  test('of a new file of up to several MiB is written in one go, with nothing beside it', () => {
    const path = freshPath()
    const file = EncryptedFile.openSync(path, 'w', OPTIONS)
    file.write(patternBytes(100_000))
    expect(statSync(path).size).toBe(0)
    file.close()
    expect(readdirSync(inFolder('.')).filter((name) => name.includes('lock'))).toEqual([])
    expect(readEncrypted(path)).toEqual(patternBytes(100_000))
  })

  test('takes a string, a Buffer or a URL for a path', async () => {
    const path = freshPath()
    for (const form of [path, Buffer.from(path), pathToFileURL(path)]) {
      const file = await EncryptedFile.open(form, 'w', OPTIONS)
      await file.write(String(form))
      await file.close()
      expect(readEncrypted(path).toString()).toBe(String(form))
      const reader = EncryptedFile.openSync(form, 'r', OPTIONS)
      expect(reader.readFile('utf8')).toBe(String(form))
      reader.close()
    }
  })

  test('is larger than 2^31 bytes where the file is: sizes are not cut to 32 bits', () => {
    const path = freshPath()
    const options = { ...OPTIONS, segmentSize: 2 ** 24 }
    const file = EncryptedFile.openSync(path, 'w', options)
    const tail = Buffer.from('the tail')
    file.write(tail)
    file.close()
    expect(readEncrypted(path)).toEqual(tail)
  })
})

describe('segment sizes', () => {
  test.each([4_096, 8_192, 65_536, 2 ** 20, 2 ** 24])('of %d bytes', (segmentSize) => {
    const path = freshPath()
    const plaintext = patternBytes(Math.min(3 * segmentSize, 300_000) + 5)
    writeEncrypted(path, plaintext, { segmentSize })
    expect(readFileSync(path).readUInt32BE(24)).toBe(segmentSize)
    appendEncrypted(path, 'more')
    expect(readEncrypted(path)).toEqual(Buffer.concat([plaintext, Buffer.from('more')]))
  })

  test('the one of a file that exists is its own, whatever a writer asks for', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(10_000), { segmentSize: 4_096 })
    appendEncrypted(path, patternBytes(10_000, 2), { segmentSize: 65_536, cipher: 'chacha20-poly1305' })
    expect(readFileSync(path).readUInt32BE(24)).toBe(4_096)
    expect(readEncrypted(path)).toEqual(Buffer.concat([patternBytes(10_000), patternBytes(10_000, 2)]))
  })

  test('are 64 KiB by default', () => {
    const path = freshPath()
    writeEncrypted(path, 'x', { segmentSize: undefined })
    expect(readFileSync(path).readUInt32BE(24)).toBe(65_536)
  })

  test.each([0, 1, 1_000, 4_095, 4_097, 12_288, 2 ** 24 + 1, 2 ** 25, -4_096, 4_096.5, NaN, Infinity])(
    'of %d bytes are refused',
    (size) => {
      const path = freshPath()
      expect(errorOf(() => openWith({ ...OPTIONS, segmentSize: size }, path))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
      expect(existsSync(path)).toBe(false)
    },
  )
})

describe('lengths around whole segments', () => {
  test.each([0, 1, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193])('of %d bytes round trip, and can be added to', (length) => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(length))
    expect(readEncrypted(path)).toEqual(patternBytes(length))
    for (const more of [1, 4_095, 4_096]) {
      appendEncrypted(path, patternBytes(more, more))
    }
    const expected = [patternBytes(length), ...[1, 4_095, 4_096].map((more) => patternBytes(more, more))]
    expect(readEncrypted(path)).toEqual(Buffer.concat(expected))
  })

  test('an empty file is a whole file: cut to nothing it is none', () => {
    const path = freshPath()
    writeEncrypted(path, '')
    expect(statSync(path).size).toBe(1_280)
    expect(readEncrypted(path)).toEqual(Buffer.alloc(0))
    writeFileSync(path, '')
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
  })

  test('a file of no byte, as touch makes it, begins a new one with the flag a', () => {
    const path = freshPath()
    writeFileSync(path, '')
    appendEncrypted(path, 'first')
    appendEncrypted(path, ' second')
    expect(readEncrypted(path).toString()).toBe('first second')
  })
})

describe('ciphers', () => {
  test.each(CIPHERS)('%s', (cipher) => {
    const path = freshPath()
    const plaintext = patternBytes(2 * SEGMENT_SIZE + 10)
    writeEncrypted(path, plaintext, { cipher })
    appendEncrypted(path, 'tail')
    expect(readEncrypted(path)).toEqual(Buffer.concat([plaintext, Buffer.from('tail')]))
    const { geometry, preamble } = unlock(readFileSync(path), OPTIONS)
    expect(preamble.parameters.aead.name).toBe(cipher)
    damage(path, segmentExtent(geometry, plaintext.length, 1).start + 20)
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 1 }))
  })

  test('of streams', () => {
    for (const cipher of CIPHERS) {
      const path = freshPath()
      writeFileSync(path, buildStreamFile(patternBytes(5_000), { ...OPTIONS, cipher }))
      expect(readEncrypted(path)).toEqual(patternBytes(5_000))
    }
  })
})

describe('options', () => {
  test.each<[string, unknown, string, RegExp]>([
    ['no options', undefined, 'ERR_INVALID_ARG_TYPE', /"options"/],
    ['null', null, 'ERR_INVALID_ARG_TYPE', /"options"/],
    ['text', 'options', 'ERR_INVALID_ARG_TYPE', /"options"/],
    ['no key manager', { purpose: 'test' }, 'ERR_INVALID_ARG_TYPE', /"options\.keyManager"/],
    ['a key in place of a key manager', { ...OPTIONS, keyManager: OTHER_KEY }, 'ERR_INVALID_ARG_TYPE', /"options\.keyManager"/],
    ['no purpose', { keyManager: OPTIONS.keyManager }, 'ERR_INVALID_ARG_TYPE', /"options\.purpose"/],
    ['a number for a purpose', { ...OPTIONS, purpose: 5 }, 'ERR_INVALID_ARG_TYPE', /"options\.purpose"/],
    ['an empty purpose', { ...OPTIONS, purpose: '' }, 'ERR_INVALID_ARG_VALUE', /purpose/],
    ['a purpose that is too long', { ...OPTIONS, purpose: 'ü'.repeat(128) }, 'ERR_INVALID_ARG_VALUE', /purpose/],
    ['a purpose with a control character', { ...OPTIONS, purpose: 'a\nb' }, 'ERR_INVALID_ARG_VALUE', /purpose/],
    ['a purpose with half a character', { ...OPTIONS, purpose: '\ud800' }, 'ERR_INVALID_ARG_VALUE', /purpose/],
    ['text for a context', { ...OPTIONS, context: 'text' }, 'ERR_INVALID_ARG_TYPE', /"options\.context"/],
    ['text for a segment size', { ...OPTIONS, segmentSize: '4096' }, 'ERR_INVALID_ARG_TYPE', /"options\.segmentSize"/],
    ['a cipher that is not known', { ...OPTIONS, cipher: 'aes-128-gcm' }, 'ERR_INVALID_ARG_VALUE', /'options\.cipher'/],
    ['a cipher that every object has', { ...OPTIONS, cipher: 'toString' }, 'ERR_INVALID_ARG_VALUE', /'options\.cipher'/],
    ['a durability that is not known', { ...OPTIONS, durability: 'none' }, 'ERR_INVALID_ARG_VALUE', /'options\.durability'/],
    ['no commit interval', { ...OPTIONS, commitInterval: 0 }, 'ERR_OUT_OF_RANGE', /"options\.commitInterval"/],
    [
      'a commit interval that no timer has',
      { ...OPTIONS, commitInterval: 2 ** 31 },
      'ERR_OUT_OF_RANGE',
      /"options\.commitInterval"/,
    ],
    ['a broken commit interval', { ...OPTIONS, commitInterval: 1.5 }, 'ERR_OUT_OF_RANGE', /"options\.commitInterval"/],
    ['a negative lock timeout', { ...OPTIONS, lockTimeout: -1 }, 'ERR_OUT_OF_RANGE', /"options\.lockTimeout"/],
    ['an endless lock timeout', { ...OPTIONS, lockTimeout: Infinity }, 'ERR_OUT_OF_RANGE', /"options\.lockTimeout"/],
    ['text for recover', { ...OPTIONS, recover: 'yes' }, 'ERR_INVALID_ARG_TYPE', /"options\.recover"/],
    ['text for a mode', { ...OPTIONS, mode: '9' }, 'ERR_INVALID_ARG_VALUE', /'options\.mode'/],
    ['a mode with more than permissions', { ...OPTIONS, mode: 0o10000 }, 'ERR_OUT_OF_RANGE', /"options\.mode"/],
  ])('refused: %s, and the file stays as it was', async (_, options, code, message) => {
    const path = freshPath()
    writeEncrypted(path, 'precious')
    for (const flags of ['w', 'a', 'r']) {
      const error = errorOf(() => openWith(options, path, flags))
      expect(error).toMatchObject({ code })
      expect(error.message).toMatch(message)
      await expect(EncryptedFile.open(path, flags, options as OpenOptions)).rejects.toMatchObject({ code })
      expect(readEncrypted(path).toString()).toBe('precious')
    }
    const missing = freshPath()
    expect(errorOf(() => openWith(options, missing))).toMatchObject({ code })
    expect(readdirSync(inFolder('.')).filter((name) => missing.endsWith(name) || name.includes('lock'))).toEqual([])
  })

  test('that are undefined have their defaults', () => {
    const path = freshPath()
    const undefinedOptions = Object.fromEntries(
      ['context', 'segmentSize', 'cipher', 'durability', 'commitInterval', 'lockTimeout', 'recover', 'mode'].map((name) => [
        name,
        undefined,
      ]),
    )
    writeEncrypted(path, 'text', undefinedOptions)
    expect(readEncrypted(path, undefinedOptions).toString()).toBe('text')
  })

  test.each(['', 'x', 'R', 'rw', 'r ', 'br', 'rbb', 'b', 'b+', '+r', 'wxa', {}, [], true])(
    'flags that are not known are refused: %s',
    async (flags) => {
      const path = freshPath()
      const error = errorOf(() => EncryptedFile.openSync(path, flags as string, OPTIONS))
      expect(error).toBeInstanceOf(TypeError)
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
      await expect(EncryptedFile.open(path, flags as string, OPTIONS)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
      expect(existsSync(path)).toBe(false)
    },
  )

  test('a closed key manager makes no file and drops none', async () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    keyManager.close()
    const path = freshPath()
    writeEncrypted(path, 'precious')
    expect(errorOf(() => openWith({ ...OPTIONS, keyManager }, path))).toMatchObject({ code: 'ERR_SEALFILE_CLOSED' })
    expect(readEncrypted(path).toString()).toBe('precious')
    await expect(EncryptedFile.open(path, 'w', { ...OPTIONS, keyManager })).rejects.toMatchObject({ code: 'ERR_SEALFILE_CLOSED' })
    expect(readEncrypted(path).toString()).toBe('precious')
    const missing = freshPath()
    expect(errorOf(() => openWith({ ...OPTIONS, keyManager }, missing))).toMatchObject({ code: 'ERR_SEALFILE_CLOSED' })
    expect(existsSync(missing)).toBe(false)
  })

  test('a key manager that was closed later leaves open files open', () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    const path = freshPath()
    const file = openWith({ ...OPTIONS, keyManager }, path)
    keyManager.close()
    file.write('text')
    file.close()
    expect(readEncrypted(path, { keyManager: KeyManager.fromKey(OTHER_KEY) }).toString()).toBe('text')
  })

  test('context: the file opens under the same bytes alone', () => {
    const path = freshPath()
    const context = patternBytes(70_000)
    writeEncrypted(path, 'text', { context })
    appendEncrypted(path, ' more', { context })
    expect(readEncrypted(path, { context: new Uint8Array(context) }).toString()).toBe('text more')
    for (const other of [undefined, context.subarray(1), Buffer.concat([context, Buffer.from('x')])]) {
      const error = errorOf(() => readEncrypted(path, { context: other }))
      expect(error).toBeInstanceOf(InvalidKeyError)
      expect(error).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    }
  })

  test('context: is copied, and may be changed when the call has returned', async () => {
    const path = freshPath()
    const context = Buffer.from('tenant-1')
    const opening = EncryptedFile.open(path, 'w', { ...OPTIONS, context })
    context.fill(0)
    await (await opening).close()
    expect(readEncrypted(path, { context: Buffer.from('tenant-1') })).toEqual(Buffer.alloc(0))
  })

  test('mode: the permissions of a new file', { skip: process.platform === 'win32' }, () => {
    const path = freshPath()
    writeEncrypted(path, 'x', { mode: 0o600 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    writeEncrypted(path, 'x', { mode: 0o640 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test.each(['os', 'fsync'] as const)('durability: %s', (durability) => {
    const path = freshPath()
    const file = EncryptedFile.openSync(path, 'w', { ...OPTIONS, durability, commitInterval: 1 })
    file.write(patternBytes(5_000))
    file.sync()
    file.write(patternBytes(5_000, 2))
    file.datasync()
    file.write(patternBytes(5_000, 3))
    file.close()
    expect(readEncrypted(path)).toEqual(Buffer.concat([patternBytes(5_000), patternBytes(5_000, 2), patternBytes(5_000, 3)]))
    const durable = unlock(readFileSync(path), OPTIONS).records.map((record) => record!.durableSequence)
    expect(Math.max(...durable)).toBeGreaterThan(0)
  })
})

describe('commits', () => {
  /** Reads until the file holds `expected`, or the test times out. */
  const seen = (path: string, expected: string): Promise<void> =>
    vi.waitFor(() => expect(readEncrypted(path).toString()).toBe(expected), { timeout: 10_000, interval: 5 })

  test('come by themselves, soon after a write, while the handle stays open', async () => {
    const [path, syncPath] = [freshPath(), freshPath()]
    const file = await EncryptedFile.open(path, 'w', { ...OPTIONS, commitInterval: 20 })
    const syncFile = EncryptedFile.openSync(syncPath, 'w', { ...OPTIONS, commitInterval: 20 })
    await file.write('one')
    syncFile.write('one')
    await seen(path, 'one')
    await seen(syncPath, 'one')
    await file.write(' two')
    syncFile.write(' two')
    await seen(path, 'one two')
    await seen(syncPath, 'one two')
    await file.close()
    syncFile.close()
    await seen(path, 'one two')
  })

  test('of a new file come even where nothing is written', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', { ...OPTIONS, commitInterval: 5 })
    await seen(path, '')
    await file.close()
  })

  test('come at once by sync and datasync', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', { ...OPTIONS, commitInterval: 2 ** 31 - 1 })
    await file.write('one')
    await file.sync()
    expect(readEncrypted(path).toString()).toBe('one')
    await file.write(' two')
    await file.datasync()
    expect(readEncrypted(path).toString()).toBe('one two')
    await file.write(' three')
    await pause(5)
    expect(readEncrypted(path).toString()).toBe('one two')
    await file.close()
    expect(readEncrypted(path).toString()).toBe('one two three')
  })

  test('come on the way of a long write', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', { ...OPTIONS, segmentSize: 65_536, commitInterval: 2 ** 31 - 1 })
    await file.write(patternBytes(2 ** 20))
    for (let i = 0; i < 9; i++) await file.write(patternBytes(2 ** 20))
    const committed = EncryptedFile.openSync(path, 'r', OPTIONS)
    expect(committed.stat().size).toBeGreaterThanOrEqual(4 * 2 ** 20)
    committed.close()
    await file.close()
    expect(readEncrypted(path).length).toBe(10 * 2 ** 20)
  })

  test('do not keep the process alive, nor come after close', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', { ...OPTIONS, commitInterval: 5 })
    await file.write('text')
    await file.close()
    const bytes = readFileSync(path)
    await pause(30)
    expect(readFileSync(path)).toEqual(bytes)
  })
})

describe('binary handles', () => {
  test('take bytes and give bytes', async () => {
    const path = freshPath()
    const writer = await EncryptedFile.open(path, 'wb', OPTIONS)
    await writer.write(Buffer.from('abc'))
    await writer.writeFile(new Uint8Array([100]))
    await writer.writeFile([Buffer.from('e'), Buffer.from('f')])
    await writer.append(Buffer.from('g'))
    await writer.close()
    const appender = EncryptedFile.openSync(path, 'ab', OPTIONS)
    appender.write(Buffer.from('h'), 0, 1, 0)
    appender.append(Buffer.from('i'))
    appender.close()
    const reader = await EncryptedFile.open(path, 'rb', OPTIONS)
    expect(await reader.readFile()).toEqual(Buffer.from('abcdefghi'))
    await reader.close()
  })

  test.each(['wb', 'ab'])('%s: refuse text', async (flags) => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, flags, OPTIONS)
    const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
    await expect(file.write('text')).rejects.toMatchObject(refused)
    await expect(file.write('')).rejects.toMatchObject(refused)
    await expect(file.writeFile('text')).rejects.toMatchObject(refused)
    await expect(file.appendFile('text', 'hex')).rejects.toMatchObject(refused)
    await expect(file.append('text')).rejects.toMatchObject(refused)
    await expect(file.writeFile([Buffer.from('bytes'), 'text'])).rejects.toMatchObject(refused)
    await file.close()
    const twin = EncryptedFile.openSync(path, flags === 'wb' ? 'ab' : flags, OPTIONS)
    for (const call of [
      () => twin.write('text'),
      () => twin.writeFile('text'),
      () => twin.appendFile('text'),
      () => twin.append('text'),
    ]) {
      expect(errorOf(call)).toMatchObject(refused)
    }
    twin.close()
    expect(readEncrypted(path).toString()).toBe('bytes')
  })

  test('rb: return none', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const file = await EncryptedFile.open(path, 'rb', OPTIONS)
    await expect(file.readFile('utf8')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    await expect(file.readFile({ encoding: 'hex' })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(await file.readFile({ encoding: null })).toEqual(Buffer.from('text'))
    await file.close()
    const twin = EncryptedFile.openSync(path, 'rb', OPTIONS)
    expect(errorOf(() => twin.readFile('utf8'))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    twin.close()
  })
})

describe('where it differs from FileHandle on purpose', () => {
  test('a read checks its position, as fs.read does', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    const buffer = Buffer.alloc(2)
    await expect(file.read(buffer, 0, 2, -2)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(file.read(buffer, 0, 2, 1.5)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(file.read(buffer, 0, 2, 2n ** 53n)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await file.close()
  })

  test('a write checks its position and encoding, where FileHandle takes anything', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    for (const position of [-2, 1.5, NaN, 2 ** 53, -5n, 2n ** 53n]) {
      await expect(file.write(Buffer.from('x'), 0, 1, position)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
      await expect(file.write('x', position)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    }
    await expect(file.write('x', '0' as unknown as number)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(file.write('x', 0, 'nonsense' as BufferEncoding)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    await file.write(Buffer.from('ab'), 0, 2, 1n)
    await file.close()
    expect(readEncrypted(path).toString()).toBe('\0ab')
  })

  test('a write takes null for its offset and length, and its position all the same', () => {
    const path = freshPath()
    const file = EncryptedFile.openSync(path, 'w', OPTIONS)
    file.write(Buffer.from('abc'), null, null, 2)
    file.close()
    expect(readEncrypted(path).toString()).toBe('\0\0abc')
  })

  test('a write that would go beyond what the format can hold is refused, and changes nothing', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.write('text')
    await expect(file.write('x', Number.MAX_SAFE_INTEGER)).rejects.toEqual(sealfileError('ERR_SEALFILE_LIMIT', { path }))
    await expect(file.write('x', 2 ** 52)).rejects.toMatchObject({ name: 'LimitError' })
    await file.close()
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('stat knows the plaintext, and the system the ciphertext', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    utimesSync(path, 1_000, 2_000)
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    const stats = await file.stat()
    const onDisk = statSync(path)
    expect(stats).toMatchObject({ size: 4, ino: onDisk.ino, mode: onDisk.mode, mtimeMs: 2_000_000 })
    expect(onDisk.size).toBe(1_280 + 4 + 28)
    await file.close()
  })

  test('fd is the descriptor while the file is open, and -1 afterwards', async () => {
    const file = await EncryptedFile.open(freshPath(), 'w', OPTIONS)
    expect(file.fd).toBeGreaterThan(2)
    await file.close()
    expect(file.fd).toBe(-1)
    const twin = EncryptedFile.openSync(freshPath(), 'w', OPTIONS)
    expect(twin.fd).toBeGreaterThan(2)
    twin.close()
    expect(twin.fd).toBe(-1)
  })

  test('results have the types of FileHandle', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    const array = new Uint16Array(2)
    const result = await file.read(array)
    expectTypeOf(result).toEqualTypeOf<ReadResult<Uint16Array<ArrayBuffer>>>()
    expectTypeOf(await file.readFile('utf8')).toEqualTypeOf<string>()
    expect(result.buffer).toBe(array)
    await file.close()
  })
})

describe('append', () => {
  test('writes at the end, wherever the position is, and moves it there', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.write('0123456789', 0)
    expect(await file.append('ab')).toBe(2)
    expect(await file.append(Buffer.from('c'))).toBe(1)
    expect(await file.append('646566', 'hex')).toBe(3)
    await file.write('g')
    await file.write('X', 0)
    await file.append('')
    await file.close()
    expect(readEncrypted(path).toString()).toBe('X123456789abcdefg')
  })

  test('is refused by a handle that reads, or that is closed', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    await expect(file.append('x')).rejects.toMatchObject({ code: 'EBADF', syscall: 'write' })
    await file.close()
    await expect(file.append('x')).rejects.toMatchObject({ code: 'EBADF', message: 'file closed' })
    await expect(file.append(5 as unknown as string)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })

  test('many times, opened and closed for each, keeps every line and a file that stays small', () => {
    const path = freshPath()
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i} of a log that is opened for each of them\n`)
    for (const line of lines) appendEncrypted(path, line)
    const content = readEncrypted(path)
    expect(content.toString()).toBe(lines.join(''))
    expect(statSync(path).size).toBeLessThan(1_280 + content.length + 12 * SEGMENT_SIZE)
  })
})

describe('order', () => {
  test('thousands of operations that nobody waits for all come to their end', async () => {
    const path = inFolder('thousands')
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const all = [file.sync(), ...Array.from({ length: 20_000 }, (_, i) => file.write(`${i}\n`)), file.close()]
    const outcomes = await Promise.allSettled(all)
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(readEncrypted(path).toString()).toBe(Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(''))
  })

  test('operations that nobody waits for come one after the other', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const pieces = Array.from({ length: 200 }, (_, i) => `piece ${i};`.repeat(1 + (i % 40)))
    const calls = pieces.map((piece, i) => (i % 3 === 0 ? file.appendFile(piece) : file.write(piece)))
    const size = file.stat()
    const syncing = file.sync()
    const closing = file.close()
    await Promise.all([...calls, syncing, closing])
    expect((await size).size).toBe(pieces.join('').length)
    expect(readEncrypted(path).toString()).toBe(pieces.join(''))
  })

  test('reads that nobody waits for move on in the order of their calls', async () => {
    const path = freshPath()
    const plaintext = patternBytes(20_000)
    writeEncrypted(path, plaintext)
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    const buffers = Array.from({ length: 21 }, () => Buffer.alloc(1_000))
    const results = await Promise.all(buffers.map((buffer) => file.read(buffer)))
    expect(results.map(({ bytesRead }) => bytesRead)).toEqual([...Array<number>(20).fill(1_000), 0])
    expect(Buffer.concat(buffers.slice(0, 20))).toEqual(plaintext)
    await file.close()
  })

  test('a call after close, in the same breath, finds the file closed', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const writing = file.write('text')
    const closing = file.close()
    await expect(file.write('late')).rejects.toMatchObject({ code: 'EBADF', message: 'file closed' })
    await Promise.all([writing, closing])
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('a call that fails leaves the next one its turn', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const failing = file.write('x', 2 ** 53 - 1)
    const next = file.write('text')
    await expect(failing).rejects.toThrow()
    await next
    await file.close()
    expect(readEncrypted(path).toString()).toBe('text')
  })
})

describe('disposal', () => {
  test('await using closes', async () => {
    const path = freshPath()
    {
      await using file = await EncryptedFile.open(path, 'w', OPTIONS)
      await file.write('text')
    }
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('using closes what does not wait', () => {
    const path = freshPath()
    {
      using file = EncryptedFile.openSync(path, 'w', OPTIONS)
      file.write('text')
    }
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('after close does nothing', async () => {
    const file = await EncryptedFile.open(freshPath(), 'w', OPTIONS)
    await file.close()
    await expect(file[Symbol.asyncDispose]()).resolves.toBeUndefined()
    const twin = EncryptedFile.openSync(freshPath(), 'w', OPTIONS)
    twin.close()
    twin.close()
    twin[Symbol.dispose]()
    expect(errorOf(() => twin.write('x'))).toMatchObject({ code: 'EBADF', message: 'file closed' })
  })
})

describe('memory that readFile is given', () => {
  test('may be cut from one slab, piece after piece, while the file grows', () => {
    const path = freshPath()
    const writer = EncryptedFile.openSync(path, 'w', OPTIONS)
    const append = (length: number): void => {
      writer.append(patternBytes(length))
      writer.sync()
    }
    append(82_020)
    const slab = Buffer.alloc(400_000, '.')
    let used = 0
    const buffer = (length: number): Buffer => {
      if (used === 0) {
        append(5_000)
        append(8_192)
      }
      used += length
      return slab.subarray(used - length, used)
    }
    const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
    const content = reader.readFile({ buffer } as object)
    expect(content.equals(Buffer.concat([82_020, 5_000, 8_192].map((length) => patternBytes(length))))).toBe(true)
    expect(used).toBe(82_020 + 82_020 + 5_000 + 8_192)
    reader.close()
    writer.close()
  })
})

describe('signals', () => {
  test('end a long readFile between two pieces', async () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(6 * 2 ** 20), { segmentSize: 65_536 })
    const file = await EncryptedFile.open(path, 'r', OPTIONS)
    const controller = new AbortController()
    const reading = file.readFile({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'enough' } })
    expect((await file.read(Buffer.alloc(10), 0, 10, 0)).bytesRead).toBe(10)
    await file.close()
  })

  test('end a writeFile between two pieces, and what was written stays', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const controller = new AbortController()
    async function* pieces(): AsyncGenerator<string> {
      yield 'one '
      await pause(1)
      yield 'two '
      controller.abort()
      yield 'three '
    }
    await expect(file.writeFile(Readable.from(pieces()), { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    await file.write('end')
    await file.close()
    expect(readEncrypted(path).toString()).toMatch(/^one (two )?end$/)
  })
})

describe('streams', () => {
  const plaintext = patternBytes(3 * SEGMENT_SIZE + 77)
  const bytes = buildStreamFile(plaintext, { ...OPTIONS, context: Buffer.from('x') })
  const options = { ...OPTIONS, context: Buffer.from('x') }

  test('are read at any position', async () => {
    const path = freshPath()
    writeFileSync(path, bytes)
    const file = await EncryptedFile.open(path, 'r', options)
    expect((await file.stat()).size).toBe(plaintext.length)
    for (const position of [9_000, 0, SEGMENT_SIZE - 5, 2 * SEGMENT_SIZE, plaintext.length - 10, plaintext.length, 1]) {
      const buffer = Buffer.alloc(5_000)
      const { bytesRead } = await file.read(buffer, 0, 5_000, position)
      expect(buffer.subarray(0, bytesRead)).toEqual(plaintext.subarray(position, position + 5_000))
    }
    expect(await file.readFile()).toEqual(plaintext)
    await file.close()
  })

  test.each([0, 1, SEGMENT_SIZE, SEGMENT_SIZE + 1, 2 * SEGMENT_SIZE])('of %d bytes are read', (length) => {
    const path = freshPath()
    writeFileSync(path, buildStreamFile(plaintext.subarray(0, length), OPTIONS))
    expect(readEncrypted(path)).toEqual(plaintext.subarray(0, length))
  })

  test('are not appended to', async () => {
    const path = freshPath()
    writeFileSync(path, bytes)
    await expect(EncryptedFile.open(path, 'a', options)).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT', { path }))
    expect(errorOf(() => openWith(options, path, 'a'))).toMatchObject({ name: 'InvalidFileFormatError' })
    expect(readFileSync(path)).toEqual(bytes)
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
  })

  test('are replaced by the flag w', () => {
    const path = freshPath()
    writeFileSync(path, bytes)
    writeEncrypted(path, 'new')
    expect(readEncrypted(path).toString()).toBe('new')
  })
})

describe('recover', () => {
  /** A file with a state that is known to be on disk, and a later one, of which one segment is damaged. */
  function damaged(): { readonly path: string; readonly older: Buffer } {
    const path = freshPath()
    const older = patternBytes(SEGMENT_SIZE + 100)
    const file = EncryptedFile.openSync(path, 'w', OPTIONS)
    file.write(older)
    file.sync()
    file.write(patternBytes(3 * SEGMENT_SIZE, 2))
    file.close()
    const bytes = readFileSync(path)
    damage(path, segmentExtent(unlock(bytes, OPTIONS).geometry, 4 * SEGMENT_SIZE + 100, 3).start + 50)
    return { path, older }
  }

  test('opens the newest state that is whole', () => {
    const { path, older } = damaged()
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3 }))
    expect(readEncrypted(path, { recover: true })).toEqual(older)
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3 }))
  })

  test('lets a writer go on from there, and then the file is whole', () => {
    const { path, older } = damaged()
    appendEncrypted(path, 'after', { recover: true })
    expect(readEncrypted(path)).toEqual(Buffer.concat([older, Buffer.from('after')]))
    appendEncrypted(path, patternBytes(10_000, 3))
    expect(readEncrypted(path)).toEqual(Buffer.concat([older, Buffer.from('after'), patternBytes(10_000, 3)]))
  })

  test('changes nothing on a file that is whole', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(10_000))
    const bytes = readFileSync(path)
    expect(readEncrypted(path, { recover: true })).toEqual(patternBytes(10_000))
    expect(readFileSync(path)).toEqual(bytes)
  })

  test('finds a state with two damaged records', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(10_000))
    damage(path, 520)
    damage(path, 1_100)
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    expect(readEncrypted(path, { recover: true })).toEqual(patternBytes(10_000))
    damage(path, 800)
    expect(errorOf(() => readEncrypted(path, { recover: true }))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
  })

  test('finds nothing where no state is whole, and says so', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(10_000))
    damage(path, 1_300)
    expect(errorOf(() => readEncrypted(path, { recover: true }))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { path }))
  })
})

describe('errors', () => {
  test('have a place in the tree of classes, and their names', () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const wrongKey = errorOf(() => readEncrypted(path, { keyManager: KeyManager.fromKey(OTHER_KEY) }))
    for (const type of [InvalidKeyError, DecryptionError, SealfileError, Error]) expect(wrongKey).toBeInstanceOf(type)
    expect(wrongKey.name).toBe('InvalidKeyError')
    damage(path, 1_300)
    const corrupted = errorOf(() => readEncrypted(path))
    for (const type of [CorruptedFileError, DecryptionError, SealfileError, Error]) expect(corrupted).toBeInstanceOf(type)
    expect(corrupted).toMatchObject({ name: 'CorruptedFileError', segment: 0, path })
  })

  test('name the path as the caller gave it', async () => {
    const path = freshPath()
    writeFileSync(path, 'text')
    await expect(EncryptedFile.open(pathToFileURL(path), 'r', OPTIONS)).rejects.toMatchObject({ path })
    await expect(EncryptedFile.open(Buffer.from(path), 'r', OPTIONS)).rejects.toMatchObject({ path })
  })

  test('of arguments have the words of Node', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const nodePath = freshPath()
    writeFileSync(nodePath, 'text')
    const { open } = await import('node:fs/promises')
    const node = await open(nodePath, 'r')
    const ours = await EncryptedFile.open(path, 'r', OPTIONS)
    const bad: unknown[][] = [
      [Buffer.alloc(10), -1],
      [Buffer.alloc(10), 1.5],
      [Buffer.alloc(10), '1'],
    ]
    for (const args of bad) {
      const expected: unknown = await node.read(...(args as [Buffer])).catch((error: unknown) => error)
      const { message, name } = expected as Error
      await expect(ours.read(...(args as [Buffer]))).rejects.toMatchObject({ message, name })
    }
    await node.close()
    await ours.close()
  })
})

test('a file that is no longer there, or was replaced, is none of the handle', () => {
  const path = freshPath()
  const file = EncryptedFile.openSync(path, 'w', OPTIONS)
  file.write('text')
  unlinkSync(path)
  expect(() => file.close()).not.toThrow()
  expect(existsSync(path)).toBe(false)
  expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
})

test('what others append to the file behind its end is dropped by the next writer', () => {
  const path = freshPath()
  writeEncrypted(path, patternBytes(5_000))
  appendFileSync(path, patternBytes(1_000, 5))
  expect(readEncrypted(path)).toEqual(patternBytes(5_000))
  appendEncrypted(path, patternBytes(5_000, 2))
  expect(readEncrypted(path)).toEqual(Buffer.concat([patternBytes(5_000), patternBytes(5_000, 2)]))
})

test('a folder with any name in it', () => {
  const folder = inFolder("a folder #1 %41 'quoted'")
  mkdirSync(folder)
  const path = `${folder}/ü file?`
  writeEncrypted(path, 'text')
  expect(readEncrypted(path).toString()).toBe('text')
  symlinkSync(path, `${folder}/link`)
  expect(readlinkSync(`${folder}/link`)).toBe(path)
  expect(readEncrypted(`${folder}/link`).toString()).toBe('text')
})

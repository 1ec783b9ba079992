import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RECORD_COUNT, RECORD_SIZE, recordPosition, type CommitRecord } from '../../src/container/commit-record.js'
import { ciphertextSize, longestPlaintext, segmentPosition } from '../../src/container/geometry.js'
import { buildDirectory, digestDirectory, parseDirectory, REDO_COUNT_MAX, type RedoEntry } from '../../src/container/redo-list.js'
import { EncryptedFile, KeyManager, SealfileError, type OpenOptions } from '../../src/index.js'
import { buildStreamFile, segmentExtent, sealFinal, unlock, withRecord, type RecordField } from '../support/container-parts.js'
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
const MIB = 2 ** 20
const STRIDE = SEGMENT_SIZE + 28
let count = 0

/** A file that holds these bytes as they are. */
function fileOf(bytes: string | Uint8Array): string {
  const path = inFolder(`file-${count++}`)
  writeFileSync(path, bytes)
  return path
}

/** The bytes of an encrypted file. */
function encrypted(content: string | Uint8Array, options: Partial<OpenOptions> = {}): Buffer {
  const path = inFolder(`file-${count++}`)
  writeEncrypted(path, content, options)
  return readFileSync(path)
}

/** What `run` adds to the memory of the process, at its peak, and how long it takes. */
function measure<T>(run: () => T): { readonly result: T; readonly memory: number; readonly milliseconds: number } {
  const peak = (): number => process.resourceUsage().maxRSS * 1_024
  const buffers = (): number => process.memoryUsage().arrayBuffers
  const [peakBefore, buffersBefore, start] = [peak(), buffers(), performance.now()]
  const result = run()
  const memory = Math.max(peak() - peakBefore, buffers() - buffersBefore)
  return { result, memory, milliseconds: performance.now() - start }
}

/** Reads a file of these bytes, and expects an answer that costs little. */
function refusal(bytes: string | Uint8Array, options: Partial<OpenOptions> = {}): unknown {
  const path = fileOf(bytes)
  const { result, memory, milliseconds } = measure(() => errorOf(() => readEncrypted(path, options)))
  expect(memory).toBeLessThan(64 * MIB)
  expect(milliseconds).toBeLessThan(5_000)
  if (result instanceof SealfileError) {
    expect(result.path).toBe(path)
    expect(result.message).toContain(path)
  }
  return result
}

const PLAINTEXT = patternBytes(4 * SEGMENT_SIZE + 700)
const WHOLE = encrypted(PLAINTEXT)

describe('what opens with nothing', () => {
  test('another key', () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    expect(refusal(WHOLE, { keyManager })).toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
  })

  test('the right keyring without its master key of that generation', () => {
    const bytes = Buffer.from(WHOLE)
    bytes.writeUInt32BE(2, 100)
    createHash('sha256')
      .update(bytes.subarray(0, 96))
      .update(Uint8Array.of(0))
      .update(bytes.subarray(96, 176))
      .digest()
      .copy(bytes, 176, 0, 16)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_NO_GENERATION'))
  })

  test('another purpose', () => {
    for (const purpose of ['other', 'Test', 'test ', 'tes']) {
      expect(refusal(WHOLE, { purpose })).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    }
  })

  test('another context, one where there was none, none where there was one', () => {
    const withContext = encrypted(PLAINTEXT, { context: Buffer.from('tenant-1') })
    expect(refusal(withContext, { context: Buffer.from('tenant-2') })).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    expect(refusal(withContext)).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    expect(refusal(WHOLE, { context: Buffer.from('tenant-1') })).toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    expect(readEncrypted(fileOf(withContext), { context: new Uint8Array(Buffer.from('tenant-1')) })).toEqual(PLAINTEXT)
  })

  test('a closed key manager', () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    keyManager.close()
    const error = errorOf(() => readEncrypted(fileOf(WHOLE), { keyManager }))
    expect(error).toMatchObject({ name: 'ClosedError', code: 'ERR_SEALFILE_CLOSED' })
  })

  test.each(['r', 'a'])('fails the same with the flag %s, and leaves the file and no lock', (flags) => {
    const path = fileOf(WHOLE)
    for (const [options, code] of [
      [{ ...OPTIONS, keyManager: KeyManager.fromKey(OTHER_KEY) }, 'ERR_SEALFILE_WRONG_KEY'],
      [{ ...OPTIONS, purpose: 'other' }, 'ERR_SEALFILE_WRONG_PURPOSE'],
      [{ ...OPTIONS, context: Buffer.from('x') }, 'ERR_SEALFILE_WRONG_PURPOSE'],
    ] as const) {
      expect(errorOf(() => EncryptedFile.openSync(path, flags, options))).toEqual(sealfileError(code, { path }))
    }
    expect(readFileSync(path)).toEqual(WHOLE)
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
  })
})

describe('what is no file of ours', () => {
  test.each<[string, string | Uint8Array]>([
    ['an empty file', ''],
    ['one byte', 'x'],
    ['text', 'port = 8080\n'],
    ['long text', 'all work and no play\n'.repeat(1_000)],
    ['a picture', Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), patternBytes(5_000)])],
    ['zeros', Buffer.alloc(20_000)],
    ['random bytes', patternBytes(20_000, 3)],
    ['the end of a file of ours', WHOLE.subarray(1_280)],
    ['a file of ours behind something else', Buffer.concat([Buffer.from('x'), WHOLE])],
  ])('%s', (_, bytes) => {
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
  })

  test.each([2, 3, 255, 65_535])('a file of version %d', (version) => {
    const bytes = Buffer.from(WHOLE)
    bytes.writeUInt16BE(version, 8)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_FORMAT_VERSION'))
    expect(refusal(Buffer.concat([bytes.subarray(0, 12), Buffer.alloc(500, 0xff)]))).toEqual(
      sealfileError('ERR_SEALFILE_FORMAT_VERSION'),
    )
  })

  test('is left as it is by a writer that appends', () => {
    for (const bytes of [Buffer.from('port = 8080\n'), patternBytes(5_000)]) {
      const path = fileOf(bytes)
      expect(errorOf(() => EncryptedFile.openSync(path, 'a', OPTIONS))).toEqual(sealfileError('ERR_SEALFILE_FORMAT', { path }))
      expect(readFileSync(path)).toEqual(bytes)
      expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
    }
  })

  test('10 GiB of it are refused as fast, with any beginning', () => {
    const beginnings = [
      Buffer.alloc(0),
      WHOLE.subarray(0, 8),
      WHOLE.subarray(0, 288),
      buildStreamFile(PLAINTEXT, OPTIONS).subarray(0, 288),
    ]
    for (const beginning of beginnings) {
      const path = fileOf(beginning)
      const fd = openSync(path, 'r+')
      ftruncateSync(fd, 10 * 2 ** 30)
      closeSync(fd)
      for (const flags of ['r', 'a']) {
        const { result, memory, milliseconds } = measure(() => errorOf(() => EncryptedFile.openSync(path, flags, OPTIONS)))
        expect(result).toBeInstanceOf(SealfileError)
        expect(memory).toBeLessThan(64 * MIB)
        expect(milliseconds).toBeLessThan(5_000)
      }
      const fdToCut = openSync(path, 'w')
      closeSync(fdToCut)
    }
  })

  test('devices are refused', { skip: process.platform === 'win32' }, () => {
    for (const device of ['/dev/null', '/dev/zero']) {
      expect(errorOf(() => EncryptedFile.openSync(device, 'r', OPTIONS))).toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
    }
  })
})

describe('segments', () => {
  const extent = (index: number): { start: number; end: number } =>
    segmentExtent(unlock(WHOLE, OPTIONS).geometry, PLAINTEXT.length, index)

  /** WHOLE with the bytes of `from` at the place of segment `to`. */
  function withSegment(to: number, from: Uint8Array): Buffer {
    const bytes = Buffer.from(WHOLE)
    bytes.set(from, extent(to).start)
    return bytes
  }

  const segmentOf = (bytes: Buffer, index: number): Buffer => bytes.subarray(extent(index).start, extent(index).end)

  test('swapped', () => {
    const bytes = withSegment(1, segmentOf(WHOLE, 2))
    bytes.set(segmentOf(WHOLE, 1), extent(2).start)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 1 }))
  })

  test('duplicated', () => {
    expect(refusal(withSegment(3, segmentOf(WHOLE, 0)))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3 }))
  })

  test('taken from another file of the same keys, purpose and content', () => {
    expect(refusal(withSegment(2, segmentOf(encrypted(PLAINTEXT), 2)))).toEqual(
      sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2 }),
    )
  })

  test('dropped from the middle', () => {
    const bytes = Buffer.concat([WHOLE.subarray(0, extent(1).start), WHOLE.subarray(extent(2).start)])
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { segment: 3 }))
    const ofOldSize = Buffer.concat([bytes, Buffer.alloc(STRIDE)])
    expect(refusal(ofOldSize)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 1 }))
  })

  test('taken from a stream, which has no nonces', () => {
    const stream = buildStreamFile(PLAINTEXT, OPTIONS)
    expect(refusal(withSegment(0, stream.subarray(288, 288 + SEGMENT_SIZE + 16)))).toEqual(
      sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 0 }),
    )
  })

  test('of a stream: swapped, dropped, or with another one as the last', () => {
    const stream = buildStreamFile(PLAINTEXT, OPTIONS)
    const at = (index: number): number => 288 + index * (SEGMENT_SIZE + 16)
    const swapped = Buffer.from(stream)
    stream.copy(swapped, at(0), at(1), at(2))
    stream.copy(swapped, at(1), at(0), at(1))
    expect(refusal(swapped)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 0 }))
    const dropped = Buffer.concat([stream.subarray(0, at(1)), stream.subarray(at(2))])
    expect(refusal(dropped)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3 }))
    expect(refusal(stream.subarray(0, at(4)))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3 }))
    expect(refusal(Buffer.concat([stream, stream.subarray(at(4))]))).toBeInstanceOf(SealfileError)
  })

  test('that fail leave the rest readable, and the error names segment and file', () => {
    const bytes = Buffer.from(WHOLE)
    bytes[extent(2).start + 100]! ^= 1
    const path = fileOf(bytes)
    const file = EncryptedFile.openSync(path, 'r', OPTIONS)
    const whole = Buffer.alloc(SEGMENT_SIZE)
    const readSegment = (index: number): number => file.read(whole, 0, SEGMENT_SIZE, index * SEGMENT_SIZE)
    for (const index of [4, 0, 3, 1]) {
      const length = readSegment(index)
      expect(whole.subarray(0, length)).toEqual(PLAINTEXT.subarray(index * SEGMENT_SIZE, index * SEGMENT_SIZE + length))
      whole.fill(0xee)
      const error = errorOf(() => readSegment(2))
      expect(error).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2, path }))
      expect(error.message).toMatch(/segment 2 .*file '/)
      expect(error.message).toContain(path)
      expect(whole, 'what did not authenticate was returned').toEqual(Buffer.alloc(SEGMENT_SIZE, 0xee))
    }
    file.close()
  })

  test('before the one that fails are returned by a read across them; the next read reports it', () => {
    const bytes = Buffer.from(WHOLE)
    bytes[extent(2).end - 1]! ^= 1
    const file = EncryptedFile.openSync(fileOf(bytes), 'r', OPTIONS)
    const buffer = Buffer.alloc(4 * SEGMENT_SIZE, 0xee)
    expect(file.read(buffer)).toBe(2 * SEGMENT_SIZE)
    expect(buffer.subarray(0, 2 * SEGMENT_SIZE)).toEqual(PLAINTEXT.subarray(0, 2 * SEGMENT_SIZE))
    expect(buffer.subarray(2 * SEGMENT_SIZE)).toEqual(Buffer.alloc(2 * SEGMENT_SIZE, 0xee))
    for (let i = 0; i < 2; i++)
      expect(errorOf(() => file.read(buffer))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2 }))
    expect(file.read(buffer, 0, 100, 3 * SEGMENT_SIZE)).toBe(100)
    expect(errorOf(() => file.readFile())).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2 }))
    file.close()
  })

  test('that fail are not written over by an append that would have to keep a part of them', () => {
    const bytes = Buffer.from(WHOLE)
    bytes[extent(4).start + 20]! ^= 1
    const path = fileOf(bytes)
    const file = EncryptedFile.openSync(path, 'a', OPTIONS)
    expect(errorOf(() => file.write('more'))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 4, path }))
    file.close()
    expect(readFileSync(path)).toEqual(bytes)
  })
})

describe('what only the snapshot of all segments can show', () => {
  /** One file at two times: its first segment was replaced in between, and the replacement applied to its place. */
  function twoVersions(): { readonly older: Buffer; readonly newer: Buffer; readonly plaintext: Buffer } {
    const path = inFolder(`versions-${count++}`)
    const file = EncryptedFile.openSync(path, 'w', OPTIONS)
    file.write(PLAINTEXT)
    file.sync()
    const older = readFileSync(path)
    const replacement = patternBytes(SEGMENT_SIZE, 7)
    file.write(replacement, 0, SEGMENT_SIZE, 0)
    file.sync()
    const growth = patternBytes(4 * SEGMENT_SIZE, 8)
    file.append(growth)
    file.close()
    const plaintext = Buffer.concat([replacement, PLAINTEXT.subarray(SEGMENT_SIZE), growth])
    const newer = readFileSync(path)
    expect(readEncrypted(path)).toEqual(plaintext)
    return { older, newer, plaintext }
  }

  /** @returns a file whose first segment is an older version of its own, and what the rest holds. */
  function rolledBackFile(): { readonly path: string; readonly plaintext: Buffer } {
    const { older, newer, plaintext } = twoVersions()
    const rolledBack = Buffer.from(newer)
    older.copy(rolledBack, 1_280, 1_280, 1_280 + STRIDE)
    return { path: fileOf(rolledBack), plaintext }
  }

  test.each(['r', 'r+'])('a segment put back to an older version of its own is noticed by readFile, with %s', async (flags) => {
    const { path } = rolledBackFile()
    const sync = EncryptedFile.openSync(path, flags, OPTIONS)
    expect(errorOf(() => sync.readFile())).toMatchObject({ code: 'ERR_SEALFILE_CORRUPTED' })
    sync.close()
    const file = await EncryptedFile.open(path, flags, OPTIONS)
    await expect(file.readFile()).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    await file.close()
  })

  test.each(['r', 'r+'])('it is noticed by whoever reads through, at the end, with %s', (flags) => {
    const { path, plaintext } = rolledBackFile()
    const file = EncryptedFile.openSync(path, flags, OPTIONS)
    const piece = Buffer.alloc(1_000)
    const pieces: Buffer[] = []
    const readThrough = (): void => {
      while (file.read(piece) > 0) pieces.push(Buffer.from(piece))
    }
    expect(errorOf(readThrough)).toMatchObject({ code: 'ERR_SEALFILE_CORRUPTED' })
    expect(pieces.length).toBe(Math.ceil(plaintext.length / 1_000) - 1)
    file.close()
  })

  test('it is NOT noticed by whoever reads here and there', () => {
    const { path, plaintext } = rolledBackFile()
    const file = EncryptedFile.openSync(path, 'r', OPTIONS)
    const piece = Buffer.alloc(SEGMENT_SIZE)
    file.read(piece, 0, SEGMENT_SIZE, 2 * SEGMENT_SIZE)
    expect(piece).toEqual(plaintext.subarray(2 * SEGMENT_SIZE, 3 * SEGMENT_SIZE))
    file.read(piece, 0, SEGMENT_SIZE, 0)
    expect(piece).toEqual(PLAINTEXT.subarray(0, SEGMENT_SIZE))
    file.close()
  })

  test('a segment put back to an older version of its own is noticed with recover, which reads all of the file', () => {
    const { path } = rolledBackFile()
    expect(errorOf(() => readEncrypted(path, { recover: true }))).toBeInstanceOf(SealfileError)
  })

  test('an older copy of the whole file is NOT noticed: nothing in it is wrong', () => {
    const path = inFolder(`older-${count++}`)
    writeEncrypted(path, PLAINTEXT)
    const older = readFileSync(path)
    appendEncrypted(path, 'more')
    expect(readEncrypted(path)).toEqual(Buffer.concat([PLAINTEXT, Buffer.from('more')]))
    expect(readEncrypted(fileOf(older))).toEqual(PLAINTEXT)
  })

  test('an older segment at the place of one that waits in the redo list changes nothing', () => {
    const path = inFolder(`pending-${count++}`)
    const file = EncryptedFile.openSync(path, 'w', OPTIONS)
    file.write(PLAINTEXT)
    file.sync()
    file.write(patternBytes(SEGMENT_SIZE, 7), 0, SEGMENT_SIZE, SEGMENT_SIZE)
    file.close()
    const bytes = readFileSync(path)
    expect(unlock(bytes, OPTIONS).records.some((record) => record?.redo !== undefined)).toBe(true)
    bytes.fill(0, 1_280 + STRIDE, 1_280 + 2 * STRIDE)
    expect(readEncrypted(fileOf(bytes))).toEqual(
      Buffer.concat([PLAINTEXT.subarray(0, SEGMENT_SIZE), patternBytes(SEGMENT_SIZE, 7), PLAINTEXT.subarray(2 * SEGMENT_SIZE)]),
    )
  })
})

describe('headers', () => {
  test('of another file of the same keys on this body', () => {
    const other = encrypted(PLAINTEXT)
    expect(refusal(Buffer.concat([other.subarray(0, 1_280), WHOLE.subarray(1_280)]))).toEqual(
      sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 0 }),
    )
    const shorter = encrypted(PLAINTEXT.subarray(0, 100))
    expect(refusal(Buffer.concat([WHOLE.subarray(0, 1_280), shorter.subarray(1_280)]))).toEqual(
      sealfileError('ERR_SEALFILE_TRUNCATED', { segment: 0 }),
    )
  })

  test('with the commit records of another file', () => {
    const other = encrypted(PLAINTEXT)
    const bytes = Buffer.from(WHOLE)
    other.copy(bytes, 512, 512, 1_280)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
  })

  test('with the key slots of another file', () => {
    const other = encrypted(PLAINTEXT)
    const bytes = Buffer.from(WHOLE)
    other.copy(bytes, 96, 96, 288)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('with the commit records in other slots', () => {
    const bytes = Buffer.from(WHOLE)
    for (let slot = 0; slot < RECORD_COUNT; slot++) {
      const from = recordPosition((slot + 1) % RECORD_COUNT)
      WHOLE.copy(bytes, recordPosition(slot), from, from + RECORD_SIZE)
    }
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
  })

  test.each([2, 3])('with %d damaged commit records', (damaged) => {
    const bytes = Buffer.from(WHOLE)
    for (let slot = 0; slot < damaged; slot++) bytes[recordPosition(slot) + 5]! ^= 1
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
  })

  test('whose checksums were made to fit again, by someone without the key', () => {
    const forge = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(WHOLE)
      change(bytes)
      const slot = bytes.subarray(96, 192)
      createHash('sha256')
        .update(bytes.subarray(0, 96))
        .update(Uint8Array.of(0))
        .update(slot.subarray(0, 80))
        .digest()
        .copy(slot, 80, 0, 16)
      return bytes
    }
    const changes: readonly ((bytes: Buffer) => unknown)[] = [
      (bytes) => bytes.writeUInt32BE(16 * MIB, 24), // segment size
      (bytes) => bytes.writeUInt16BE(0x001d, 16), // another AEAD
      (bytes) => bytes.fill(1, 32, 64), // salt
      (bytes) => bytes.fill(1, 64, 96), // commitment
      (bytes) => bytes.writeUInt32BE(2, 96), // sequence of the slot
      (bytes) => bytes.fill(1, 120, 160), // wrapped key
      (bytes) => bytes.fill(1, 160, 176), // key check
    ]
    for (const change of changes)
      expect(refusal(forge((bytes) => void change(bytes)))).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test.each([0, 1, 4_095, 8_191, 32 * MIB, 2 ** 31, 2 ** 32 - 1])('with segments of %d bytes', (size) => {
    const bytes = Buffer.from(WHOLE)
    bytes.writeUInt32BE(size, 24)
    expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER'))
  })

  test('that say stream where there are commit records, and the other way round', () => {
    const stream = buildStreamFile(PLAINTEXT, OPTIONS)
    expect(refusal(Buffer.concat([stream.subarray(0, 96), WHOLE.subarray(96)]))).toEqual(
      sealfileError('ERR_SEALFILE_FORMAT_HEADER'),
    )
    expect(refusal(Buffer.concat([WHOLE.subarray(0, 96), stream.subarray(96)]))).toEqual(
      sealfileError('ERR_SEALFILE_FORMAT_HEADER'),
    )
  })
})

describe('numbers in commit records that a holder of the key made', () => {
  const unlocked = unlock(WHOLE, OPTIONS)
  const record = unlocked.records[0]!
  const forged = (changes: Partial<CommitRecord>, raw: Partial<Record<RecordField, bigint>> = {}): Buffer =>
    withRecord(WHOLE, unlocked.recordKey, { ...record, ...changes }, raw)

  /** Opens, reads, appends and recovers: whatever comes of it, it is an answer of ours and costs little. */
  function expectAnswers(bytes: Uint8Array): void {
    const uses: Readonly<Record<string, (path: string) => unknown>> = {
      read: (path) => readEncrypted(path),
      recover: (path) => readEncrypted(path, { recover: true }),
      append: (path) => appendEncrypted(path, 'more'),
      overwrite: (path) => {
        const file = EncryptedFile.openSync(path, 'a', OPTIONS)
        file.close()
      },
    }
    for (const [name, use] of Object.entries(uses)) {
      const path = fileOf(bytes)
      const { result, memory, milliseconds } = measure(() => {
        try {
          use(path)
          return undefined
        } catch (error) {
          return error
        }
      })
      if (result !== undefined && !(result instanceof SealfileError))
        throw new Error(`${name}: no answer of ours`, { cause: result })
      expect(memory, name).toBeLessThan(64 * MIB)
      expect(milliseconds, name).toBeLessThan(5_000)
    }
  }

  test('stay what they were in the forger of this test', () => {
    expect(readEncrypted(fileOf(forged({})))).toEqual(PLAINTEXT)
  })

  const FIELDS = [
    'sequence',
    'durableSequence',
    'plaintextLength',
    'growthBegan',
    'encryptionCount',
    'redoPosition',
    'redoEnd',
  ] as const

  describe.each([true, false])('clean: %s', (clean) => {
    test.each(FIELDS)('%s of 2^53 and more is refused', (field) => {
      for (const value of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
        const bytes = forged({ clean }, { [field]: value, redoCount: field.startsWith('redo') ? 1n : 0n })
        expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
        expectAnswers(bytes)
      }
    })

    test.each(FIELDS)('%s of any other size is answered', (field) => {
      for (const value of [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 52n, 2n ** 53n - 1n]) {
        expectAnswers(forged({ clean }, { [field]: value }))
        expectAnswers(forged({ clean }, { [field]: value, redoCount: 1n }))
      }
    })

    test('a redo list of any length is answered', () => {
      for (const redoCount of [1n, BigInt(REDO_COUNT_MAX), BigInt(REDO_COUNT_MAX) + 1n, 2n ** 31n, 2n ** 32n - 1n]) {
        for (const redoPosition of [0n, 1_280n, BigInt(WHOLE.length) - 10n, BigInt(WHOLE.length), 2n ** 53n - 1n]) {
          const bytes = forged({ clean }, { redoCount, redoPosition, redoEnd: BigInt(WHOLE.length) })
          expectAnswers(bytes)
          if (clean) expect(refusal(bytes)).toBeInstanceOf(SealfileError)
        }
      }
    })

    test('a length that ends elsewhere is refused: the final segment is bound to it', () => {
      for (const plaintextLength of [0, SEGMENT_SIZE, 3 * SEGMENT_SIZE, PLAINTEXT.length + SEGMENT_SIZE, 2 ** 40]) {
        expect(refusal(forged({ clean, plaintextLength }))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
      }
    })

    test('a length that the file does not have is refused, also with the final segment that belongs to it', () => {
      for (const plaintextLength of [
        PLAINTEXT.length + 1,
        5 * SEGMENT_SIZE,
        2 ** 31,
        2 ** 40,
        longestPlaintext(unlocked.geometry),
      ]) {
        const bytes = forged({ clean, plaintextLength, ...sealFinal(unlocked, plaintextLength) })
        expect(refusal(bytes)).toEqual(sealfileError(clean ? 'ERR_SEALFILE_TRUNCATED' : 'ERR_SEALFILE_CORRUPTED'))
        expectAnswers(bytes)
      }
    })

    test('a length beyond what the format can hold is refused, also with its final segment', () => {
      const plaintextLength = longestPlaintext(unlocked.geometry) + 1
      const bytes = forged({ clean, plaintextLength, ...sealFinal(unlocked, plaintextLength) })
      expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
      expectAnswers(bytes)
    })
  })

  test('a snapshot that is none is refused by whoever reads through, or writes', () => {
    const snapshot = record.snapshot.map((byte) => byte ^ 1)
    const path = fileOf(forged({ snapshot }))
    const before = readFileSync(path)
    for (const use of [() => readEncrypted(path), () => appendEncrypted(path, 'more')]) {
      const error = errorOf(use)
      expect(error).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { path }))
      expect(error.message).toContain('the snapshot is damaged')
    }
    expect(readFileSync(path)).toEqual(before)
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
  })

  test('a length of 9 GiB in a file of holes opens, and is refused where it is read', () => {
    const plaintextLength = 9 * 2 ** 30
    const path = fileOf(forged({ plaintextLength, ...sealFinal(unlocked, plaintextLength) }))
    const fd = openSync(path, 'r+')
    ftruncateSync(fd, ciphertextSize(unlocked.geometry, plaintextLength))
    const { memory, milliseconds } = measure(() => {
      const file = EncryptedFile.openSync(path, 'r', OPTIONS)
      expect(file.stat().size).toBe(plaintextLength)
      expect(file.read(Buffer.alloc(10))).toBe(10)
      expect(errorOf(() => file.readFile())).toMatchObject({ code: 'ERR_FS_FILE_TOO_LARGE' })
      const error = errorOf(() => file.read(Buffer.alloc(10), 0, 10, 2 ** 32 + 5))
      expect(error).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2 ** 32 / SEGMENT_SIZE }))
      file.close()
    })
    ftruncateSync(fd, 0)
    closeSync(fd)
    expect(memory).toBeLessThan(64 * MIB)
    expect(milliseconds).toBeLessThan(5_000)
  })
})

describe('redo lists that a holder of the key made', () => {
  const unlocked = unlock(WHOLE, OPTIONS)
  const record = unlocked.records[0]!
  const extent = segmentExtent(unlocked.geometry, PLAINTEXT.length, 1)
  /** The list says where segment 1 is: at its own place, which is right. */
  const genuine: RedoEntry = {
    index: 1,
    position: extent.start + 12,
    length: SEGMENT_SIZE,
    nonce: WHOLE.subarray(extent.start, extent.start + 12),
    tag: WHOLE.subarray(extent.end - 16, extent.end),
  }

  /** Behind the directory lies room that belongs to the list, too. */
  const ROOM = 2 * SEGMENT_SIZE

  function withList(entries: readonly RedoEntry[], change?: (directory: Buffer) => void): Buffer {
    const directory = Buffer.from(buildDirectory(entries))
    change?.(directory)
    const redo = { position: WHOLE.length, count: entries.length, end: WHOLE.length + directory.length + ROOM }
    const bytes = withRecord(WHOLE, unlocked.recordKey, { ...record, redo, redoDigest: digestDirectory(directory) })
    return Buffer.concat([bytes, directory, Buffer.alloc(ROOM)])
  }

  test('are believed where they are right, in the forger of this test', () => {
    const bytes = withList([genuine])
    expect(parseDirectory(bytes.subarray(WHOLE.length, WHOLE.length + 48))).toMatchObject([{ index: 1 }])
    bytes.fill(0, extent.start, extent.start + 12)
    expect(readEncrypted(fileOf(bytes))).toEqual(PLAINTEXT)
  })

  test.each<[string, number]>([
    ['themselves', WHOLE.length],
    ['another segment', segmentPosition(unlocked.geometry, 2) + 12],
    ['the room behind them', WHOLE.length + 48],
  ])('that point at %s', (_, position) => {
    expect(refusal(withList([{ ...genuine, position }]))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 1 }))
  })

  test.each<[string, number]>([
    ['the header', 0],
    ['the last byte of the header', 1_279],
    ['the end of the file', WHOLE.length + 48 + ROOM],
    ['what ends behind the end of the file', WHOLE.length + 48 + ROOM - SEGMENT_SIZE + 1],
    ['far behind the end of the file', 2 ** 52],
    ['the largest number', 2 ** 53 - 1],
  ])('that point at %s', (_, position) => {
    expect(refusal(withList([{ ...genuine, position }]))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: undefined }))
  })

  test.each<[string, Partial<RedoEntry>]>([
    ['a segment that is longer', { length: SEGMENT_SIZE + 1 }],
    ['a segment that is shorter', { length: SEGMENT_SIZE - 1 }],
    ['a segment of 4 GiB', { length: 2 ** 32 - 1 }],
    ['a segment of no byte', { length: 0 }],
    ['a segment behind the last', { index: 5, length: 0 }],
    ['a segment far behind the last', { index: 2 ** 40 }],
    ['a segment with the largest index', { index: 2 ** 53 - 1 }],
  ])('of %s', (_, change) => {
    expect(refusal(withList([{ ...genuine, ...change }]))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
  })

  test.each([
    ['index', 0],
    ['position', 8],
  ])('with an %s of 2^53 and more', (_, offset) => {
    for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
      const bytes = withList([genuine], (directory) => directory.writeBigUInt64BE(value, offset))
      expect(refusal(bytes)).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
      expect(errorOf(() => appendEncrypted(fileOf(bytes), 'more'))).toBeInstanceOf(SealfileError)
    }
  })

  test('that name a segment twice', () => {
    expect(refusal(withList([genuine, genuine]))).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: undefined }))
  })

  test.each<[string, number, string]>([
    ['before they begin', WHOLE.length, 'ERR_SEALFILE_CORRUPTED'],
    ['inside themselves', WHOLE.length + 47, 'ERR_SEALFILE_CORRUPTED'],
    ['behind the file', WHOLE.length + 49, 'ERR_SEALFILE_TRUNCATED'],
    ['far behind the file', 2 ** 52, 'ERR_SEALFILE_TRUNCATED'],
  ])('that say they end %s', (_, end, code) => {
    const directory = buildDirectory([genuine])
    const redo = { position: WHOLE.length, count: 1, end }
    const bytes = withRecord(WHOLE, unlocked.recordKey, { ...record, redo, redoDigest: digestDirectory(directory) })
    expect(refusal(Buffer.concat([bytes, directory]))).toEqual(sealfileError(code))
  })
})

describe("the system's own errors pass", () => {
  const folder = inFolder('system')
  mkdirSync(folder)

  test.each(['r', 'w', 'a'])('%s: a file for a folder, a loop of links, a name that is too long', async (flags) => {
    writeFileSync(join(folder, 'plain'), 'x')
    const loop = join(folder, `loop-${flags}`)
    symlinkSync(loop, loop)
    for (const [path, code] of [
      [join(folder, 'plain', 'file'), 'ENOTDIR'],
      [loop, 'ELOOP'],
      [join(folder, 'n'.repeat(300)), 'ENAMETOOLONG'],
    ] as const) {
      const error = errorOf(() => EncryptedFile.openSync(path, flags, OPTIONS))
      expect(error).toMatchObject({ code, path })
      expect(error).not.toBeInstanceOf(SealfileError)
      await expect(EncryptedFile.open(path, flags, OPTIONS)).rejects.toMatchObject({ code, path })
    }
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([])
  })

  test('r: a folder', async () => {
    expect(errorOf(() => EncryptedFile.openSync(folder, 'r', OPTIONS))).toMatchObject({ code: 'EISDIR', syscall: 'read' })
    await expect(EncryptedFile.open(folder, 'r', OPTIONS)).rejects.toMatchObject({ code: 'EISDIR', syscall: 'read' })
  })

  test('a file that may not be read, a folder that may not be written', { skip: process.getuid?.() === 0 }, () => {
    const path = join(folder, 'locked')
    writeFileSync(path, WHOLE, { mode: 0o000 })
    expect(errorOf(() => EncryptedFile.openSync(path, 'r', OPTIONS))).toMatchObject({ code: 'EACCES', path })
    mkdirSync(join(folder, 'closed'), { mode: 0o555 })
    expect(errorOf(() => EncryptedFile.openSync(join(folder, 'closed', 'file'), 'w', OPTIONS))).toMatchObject({ code: 'EACCES' })
  })

  test('no descriptor stays open behind an error', { skip: process.platform !== 'linux' }, async () => {
    const openCount = (): number => readdirSync('/proc/self/fd').length
    const broken = fileOf(WHOLE.subarray(0, 2_000))
    const text = fileOf('text')
    const before = openCount()
    for (const flags of ['r', 'a']) {
      for (const path of [broken, text, folder]) {
        errorOf(() => EncryptedFile.openSync(path, flags, OPTIONS))
        await expect(EncryptedFile.open(path, flags, OPTIONS)).rejects.toThrow()
      }
    }
    expect(openCount()).toBe(before)
    expect(statSync(broken).size).toBe(2_000)
  })
})

test('a file that grows while it is read gives what it was when it was opened', () => {
  const path = fileOf(WHOLE)
  const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
  const fd = openSync(path, 'a')
  writeSync(fd, patternBytes(10_000))
  closeSync(fd)
  expect(reader.readFile()).toEqual(PLAINTEXT)
  reader.close()
})

describe('a file that somebody cuts off while it is open for writing', () => {
  test('a segment that is to be replaced and is gone is named', () => {
    const path = fileOf(encrypted(PLAINTEXT))
    const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
    truncateSync(path, 1_280 + STRIDE + 5)
    const cut = readFileSync(path)
    const error = errorOf(() => file.write(Buffer.alloc(SEGMENT_SIZE), 0, SEGMENT_SIZE, SEGMENT_SIZE))
    expect(error).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path, segment: 1 }))
    file.close()
    expect(readFileSync(path)).toEqual(cut)
    expect(errorOf(() => readEncrypted(path))).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
  })

  test('a segment of the redo list that is gone is named, and nothing takes its place', () => {
    const path = fileOf(encrypted(PLAINTEXT))
    const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
    file.write(Buffer.alloc(SEGMENT_SIZE), 0, SEGMENT_SIZE, SEGMENT_SIZE)
    file.sync()
    truncateSync(path, file.info().pending[0]!.position + 5)
    const cut = readFileSync(path)
    const error = errorOf(() => file.append(PLAINTEXT))
    expect(error).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path, segment: 1 }))
    expect(readFileSync(path)).toEqual(cut)
    expect(errorOf(() => file.close())).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
    expect(existsSync(`${path}.sealfile-lock`)).toBe(false)
    // As where a power cut took the list: what was there before counts, and is told to be older.
    const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
    expect(reader.fellBack).toBe(true)
    expect(reader.readFile()).toEqual(PLAINTEXT)
    reader.close()
  })
})

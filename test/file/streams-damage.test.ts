import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createDecryptStream } from '../../src/index.js'
import { KeyManager } from '../../src/index.js'
import { encryptSegment } from '../../src/seal/segment.js'
import { buildStreamFile, unlock } from '../support/container-parts.js'
import {
  errorOf,
  OPTIONS,
  OTHER_KEY,
  patternBytes,
  readEncrypted,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { cut, HEADER_SIZE as HEADER, PASSES, passFlowing, STORED, WHOLE, type Outcome } from '../support/piped-bytes.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const { keyManager, purpose } = OPTIONS
const SEGMENT = 4_096

const decrypt = (bytes: Uint8Array, chunkLength = WHOLE): Promise<Outcome> =>
  passFlowing('decrypt', OPTIONS, cut(bytes, chunkLength))

/** Expects an error, and that exactly `count` whole segments were passed on before it. */
function expectFailure(outcome: Outcome, code: string, segment: number | undefined, plaintext: Buffer, count: number): void {
  const { output, ended, error } = outcome
  expect({ ended, error }).toEqual({ ended: false, error: sealfileError(code, { segment, path: undefined }) })
  if (segment !== undefined) expect((error as Error).message).toContain(`segment ${segment}`)
  expect(output.equals(plaintext.subarray(0, count * SEGMENT))).toBe(true)
}

/** What a stream comes to of which only the first `size` bytes are left. */
function errorWhenCut(size: number): { code: string; segment: number | undefined; passed: number } {
  if (size === 0) return { code: 'ERR_SEALFILE_FORMAT', segment: undefined, passed: 0 }
  if (size < HEADER) return { code: 'ERR_SEALFILE_TRUNCATED', segment: undefined, passed: 0 }
  const index = Math.max(0, Math.ceil((size - HEADER) / STORED) - 1)
  const left = size - HEADER - index * STORED
  if (left === STORED) return { code: 'ERR_SEALFILE_TRUNCATED', segment: index + 1, passed: index }
  const isCutForSure = left < 16 || (left === 16 && index > 0)
  return { code: isCutForSure ? 'ERR_SEALFILE_TRUNCATED' : 'ERR_SEALFILE_CORRUPTED', segment: index, passed: index }
}

describe.each(PASSES)('%s', (_, pass) => {
  test('a cut stream is an error, and what came before it is whole segments', async () => {
    const plaintext = patternBytes(2 * SEGMENT + 700)
    const bytes = buildStreamFile(plaintext, OPTIONS)
    for (const size of [0, 7, HEADER - 1, HEADER, HEADER + 15, HEADER + STORED, HEADER + 2 * STORED + 16, bytes.length - 1]) {
      const { output, ended, error } = await pass('decrypt', OPTIONS, cut(bytes.subarray(0, size), 1_000))
      expect(ended).toBe(false)
      expect(error).toEqual(sealfileError(errorWhenCut(size).code))
      expect(output.length % SEGMENT).toBe(0)
      expect(plaintext.subarray(0, output.length).equals(output)).toBe(true)
    }
  })
})

describe.each([
  ['with a short last segment', 2 * SEGMENT + 700],
  ['with a full last segment', 3 * SEGMENT],
])('a stream of three segments, %s,', (_, length) => {
  const plaintext = patternBytes(length)
  const bytes = buildStreamFile(plaintext, OPTIONS)
  const segment = (index: number): Buffer => bytes.subarray(HEADER + index * STORED, HEADER + (index + 1) * STORED)
  const header = bytes.subarray(0, HEADER)

  test('is refused when it is cut at any byte', async () => {
    for (let size = 0; size < bytes.length; size++) {
      const { code, segment, passed } = errorWhenCut(size)
      expectFailure(await decrypt(bytes.subarray(0, size), size % 2 === 0 ? WHOLE : 1_000), code, segment, plaintext, passed)
    }
  })

  test('decrypts when it is parted at any byte', async () => {
    for (let size = 0; size <= bytes.length; size++) {
      const { output, ended } = await passFlowing('decrypt', OPTIONS, [bytes.subarray(0, size), bytes.subarray(size)])
      expect(ended && output.equals(plaintext)).toBe(true)
    }
  })

  test('is refused when any byte is changed, but in the key slot that does not count', async () => {
    for (let position = 0; position < bytes.length; position++) {
      const changed = Buffer.from(bytes)
      changed[position]! ^= 2 ** (position % 8)
      const outcome = await decrypt(changed, position % 2 === 0 ? WHOLE : 1_000)
      if (position >= 192 && position < HEADER) expect(outcome).toEqual({ output: plaintext, ended: true, error: undefined })
      else if (position < HEADER) expectFailure(outcome, codeOfHeader(position), undefined, plaintext, 0)
      else {
        const index = Math.floor((position - HEADER) / STORED)
        expectFailure(outcome, 'ERR_SEALFILE_CORRUPTED', index, plaintext, index)
      }
    }
  })

  test.each([
    ['segments 0 and 1 swapped', [1, 0, 2], 'ERR_SEALFILE_CORRUPTED', 0],
    ['segments 1 and 2 swapped', [0, 2, 1], 'ERR_SEALFILE_CORRUPTED', 1],
    ['segment 0 twice', [0, 0, 1, 2], 'ERR_SEALFILE_CORRUPTED', 1],
    ['segment 1 twice', [0, 1, 1, 2], 'ERR_SEALFILE_CORRUPTED', 2],
    ['segment 0 dropped', [1, 2], 'ERR_SEALFILE_CORRUPTED', 0],
    ['segment 1 dropped', [0, 2], 'ERR_SEALFILE_CORRUPTED', 1],
    ['segment 2 dropped', [0, 1], 'ERR_SEALFILE_TRUNCATED', 2],
    ['segments 1 and 2 dropped', [0], 'ERR_SEALFILE_TRUNCATED', 1],
    ['all segments dropped', [], 'ERR_SEALFILE_TRUNCATED', 0],
    ['segment 0 behind the last', [0, 1, 2, 0], 'ERR_SEALFILE_CORRUPTED', 2],
    ['the last segment twice', [0, 1, 2, 2], 'ERR_SEALFILE_CORRUPTED', 2],
  ] as const)('is refused with %s', async (_, order, code, failed) => {
    const changed = Buffer.concat([header, ...order.map(segment)])
    // A segment that is followed by the end alone is held back: nobody knows yet that it is not the last.
    const passed = code === 'ERR_SEALFILE_TRUNCATED' ? Math.max(0, failed - 1) : failed
    for (const chunkLength of [WHOLE, 1_000]) expectFailure(await decrypt(changed, chunkLength), code, failed, plaintext, passed)
  })

  test.each([
    ['one byte', Buffer.from([0])],
    ['16 bytes', Buffer.alloc(16)],
    ['a whole stream', bytes],
    ['one segment of another stream', buildStreamFile(patternBytes(10), OPTIONS).subarray(HEADER)],
  ])('is refused with %s appended', async (_, more) => {
    const outcome = await decrypt(Buffer.concat([bytes, more]))
    expectFailure(outcome, 'ERR_SEALFILE_CORRUPTED', 2, plaintext, 2)
    if (length === 3 * SEGMENT) expect((outcome.error as Error).message).toContain('appended')
  })

  test('fails as soon as it is certain, while more could come', async () => {
    const changed = Buffer.from(bytes)
    changed[HEADER]! ^= 1
    const stream = createDecryptStream(OPTIONS)
    stream.write(changed.subarray(0, HEADER + STORED + 1))
    await expect(once(stream, 'data')).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 0 }))
    expect(stream.destroyed).toBe(true)
  })
})

function codeOfHeader(position: number): string {
  if (position < 5) return 'ERR_SEALFILE_FORMAT'
  return position >= 8 && position < 10 ? 'ERR_SEALFILE_FORMAT_VERSION' : 'ERR_SEALFILE_FORMAT_HEADER'
}

describe('what nobody but a holder of the key can make', () => {
  const bytes = buildStreamFile(patternBytes(SEGMENT), OPTIONS)
  const { schedule } = unlock(bytes, OPTIONS)
  const sealed = (index: number, isFinal: boolean, plaintext: Uint8Array): Buffer => {
    const { ciphertext, tag } = encryptSegment(schedule, { index, isFinal }, plaintext)
    return Buffer.concat([ciphertext, tag])
  }
  const header = bytes.subarray(0, HEADER)
  const full = patternBytes(SEGMENT)
  const none = new Uint8Array(0)

  test('an empty last segment behind another is refused', async () => {
    const outcome = await decrypt(Buffer.concat([header, sealed(0, false, full), sealed(1, true, none)]))
    expectFailure(outcome, 'ERR_SEALFILE_TRUNCATED', 1, full, 1)
  })

  test('an empty segment that is not the last is refused', async () => {
    expectFailure(await decrypt(Buffer.concat([header, sealed(0, false, none)])), 'ERR_SEALFILE_CORRUPTED', 0, full, 0)
    const more = Buffer.concat([header, sealed(0, false, none), sealed(1, true, full)])
    expectFailure(await decrypt(more), 'ERR_SEALFILE_CORRUPTED', 0, full, 0)
  })

  test('a short segment that is not the last is refused', async () => {
    const short = patternBytes(100)
    expectFailure(await decrypt(Buffer.concat([header, sealed(0, false, short)])), 'ERR_SEALFILE_CORRUPTED', 0, full, 0)
    const more = Buffer.concat([header, sealed(0, false, short), sealed(1, true, full)])
    expectFailure(await decrypt(more), 'ERR_SEALFILE_CORRUPTED', 0, full, 0)
  })
})

describe('what is no stream of ours', () => {
  const path = inFolder('editable')
  writeEncrypted(path, patternBytes(10_000))
  const editable = readFileSync(path)
  const stream = buildStreamFile(patternBytes(100), OPTIONS)

  /** A header that asks for the largest segments. */
  function claimingMore(): Buffer {
    const bytes = Buffer.from(stream)
    bytes.writeUInt32BE(16 * 2 ** 20, 24)
    return bytes
  }

  test.each([
    ['nothing', Buffer.alloc(0), 'ERR_SEALFILE_FORMAT'],
    ['a short text', Buffer.from('hello\n'), 'ERR_SEALFILE_FORMAT'],
    ['a long text', Buffer.alloc(10_000, 'hello\n'), 'ERR_SEALFILE_FORMAT'],
    ['an editable file', editable, 'ERR_SEALFILE_FORMAT'],
    ['the beginning of an editable file', editable.subarray(0, 200), 'ERR_SEALFILE_FORMAT'],
    ['less of an editable file', editable.subarray(0, 50), 'ERR_SEALFILE_TRUNCATED'],
    [
      'a stream that went through a text mode',
      Buffer.from(stream.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
      'ERR_SEALFILE_FORMAT_HEADER',
    ],
    ['an altered segment size', claimingMore(), 'ERR_SEALFILE_FORMAT_HEADER'],
  ])('%s is refused', async (name, bytes, code) => {
    for (const [, pass] of PASSES) {
      const { output, ended, error } = await pass('decrypt', OPTIONS, cut(bytes, 100))
      expect(output.length).toBe(0)
      expect({ ended, error }).toEqual({ ended: false, error: sealfileError(code, { path: undefined }) })
      expect((error as Error).message).not.toContain('undefined')
      if (name.includes('an editable file') && bytes.length > 50) expect((error as Error).message).toContain('EncryptedFile')
    }
  })

  test('what is refused is refused when 288 bytes have come, while more could come', async () => {
    const decryption = createDecryptStream(OPTIONS)
    decryption.write(Buffer.alloc(287, 'x'))
    await new Promise(setImmediate)
    expect(decryption.destroyed).toBe(false)
    decryption.write('x')
    await expect(once(decryption, 'data')).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
  })

  test.each([
    ['another key', { keyManager: KeyManager.fromKey(OTHER_KEY) }],
    ['another purpose', { purpose: 'other' }],
    ['another context', { context: Buffer.from('other') }],
  ])('%s gives the error of EncryptedFile', async (_, other) => {
    const options = { keyManager, purpose, ...other }
    const path = inFolder('stream')
    writeFileSync(path, stream)
    const { code, constructor } = errorOf(() => readEncrypted(path, options))
    expect(code).toMatch(/^ERR_SEALFILE_WRONG_/)
    for (const [, pass] of PASSES) {
      const { output, ended, error } = await pass('decrypt', options, [stream])
      expect({ length: output.length, ended, code: (error as { code?: string }).code }).toEqual({ length: 0, ended: false, code })
      expect(error).toBeInstanceOf(constructor)
    }
  })
})

describe('frozen streams of format version 1', () => {
  const folder = fileURLToPath(new URL('../vectors/format-v1/', import.meta.url))
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    readonly key: string
    readonly entries: readonly {
      readonly file: string
      readonly purpose: string
      readonly sha256?: string
      readonly key?: string
    }[]
  }
  const streams = manifest.entries.filter(({ file }) => file.startsWith('stream'))
  const whole = streams.filter(({ sha256 }) => sha256 !== undefined)
  const options = { keyManager: KeyManager.fromKey(new Uint8Array(Buffer.from(manifest.key, 'hex'))), purpose: 'vectors' }

  test('are there', () => {
    expect(streams.map(({ file }) => file)).toEqual(['stream.enc', 'stream-empty.enc', 'stream-cut.enc'])
    expect(whole.length).toBe(2)
  })

  test.each(whole)('$file', async ({ file, sha256 }) => {
    for (const [, pass] of PASSES) {
      const { output, ended } = await pass('decrypt', options, cut(readFileSync(join(folder, file)), 100))
      expect(ended).toBe(true)
      expect(createHash('sha256').update(output).digest('hex')).toBe(sha256)
    }
  })

  test('stream-cut.enc', async () => {
    const { ended, error } = await passFlowing('decrypt', options, [readFileSync(join(folder, 'stream-cut.enc'))])
    expect({ ended, error }).toEqual({ ended: false, error: sealfileError('ERR_SEALFILE_TRUNCATED', { segment: 2 }) })
  })

  test.each(manifest.entries.filter(({ sha256, file }) => sha256 !== undefined && !file.startsWith('stream')))(
    '$file is an editable one',
    async ({ file }) => {
      const { ended, error } = await passFlowing('decrypt', options, [readFileSync(join(folder, file))])
      expect({ ended, error }).toEqual({ ended: false, error: sealfileError('ERR_SEALFILE_FORMAT') })
    },
  )
})

import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  type PathLike,
} from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { BatchControl, verifyBatch, type FileProblem, type VerifyBatchOptions, type VerifyBatchReport } from '../../src/batch.js'
import { createEncryptStream, EncryptedFile, KeyManager } from '../../src/index.js'
import { appendEncrypted, OPTIONS, OTHER_KEY, patternBytes, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const MIB = 2 ** 20
const HEADER = 1_280
const STRIDE = 4_096 + 28

function newFolder(): string {
  const folder = inFolder(`folder-${folders++}`)
  mkdirSync(folder)
  return folder
}

function verify(inputs: string | string[], options: Partial<VerifyBatchOptions> = {}): Promise<VerifyBatchReport> {
  return verifyBatch(inputs, { keyManager: OPTIONS.keyManager, purpose: OPTIONS.purpose, workers: 2, ...options })
}

/** Flips a bit in each of these segments. */
function flip(path: string, ...segments: readonly number[]): void {
  const bytes = readFileSync(path)
  for (const segment of segments) bytes[HEADER + segment * STRIDE + 100]! ^= 1
  writeFileSync(path, bytes)
}

/** Puts an older version of the first segment back, which authenticates by itself. */
function rollBack(path: string): void {
  const old = readFileSync(path).subarray(HEADER, HEADER + STRIDE)
  const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
  file.write(Buffer.from('newer'), 0, 5, 0)
  file.truncate(file.stat().size - 1)
  file.sync()
  file.close()
  const bytes = readFileSync(path)
  old.copy(bytes, HEADER)
  writeFileSync(path, bytes)
}

/** @returns problems by the names of their files. */
function problemsOf({ problems }: VerifyBatchReport): Record<string, VerifyBatchReport['problems'][number]> {
  return Object.fromEntries(problems.map((problem) => [basename(problem.path.toString()), problem]))
}

/** What the file itself says of its segments. */
function badOf(path: PathLike & string): readonly unknown[] {
  const file = EncryptedFile.openSync(path, 'r', OPTIONS)
  try {
    return file.verify().bad
  } finally {
    file.close()
  }
}

/** A file of more than several threads' worth, and a small one. */
const LARGE = Buffer.alloc(20 * MIB + 12_345, patternBytes(7_919))

describe('a tree', () => {
  test('that is as it should be is told so, and nothing is written', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'deep'))
    for (let i = 0; i < 300; i++) writeEncrypted(join(folder, 'deep', `${i}`), patternBytes(i * 50, i))
    writeEncrypted(join(folder, 'large'), LARGE)
    writeEncrypted(join(folder, 'empty'), '')
    const before = readdirSync(folder, { recursive: true })
    const bytes = (299 * 300 * 50) / 2 + LARGE.length
    const report = await verify(folder)
    expect(report).toMatchObject({ ok: true, files: 302, intact: 302, bytes, problems: [], skipped: [] })
    expect(report.toString()).toBe(`302 of 302 files are intact, ${bytes} bytes.`)
    expect(readdirSync(folder, { recursive: true })).toEqual(before)
  })

  test('with all that may be wrong is told apart', async () => {
    const folder = newFolder()
    const content = patternBytes(8 * 4_096)
    const damaged = ['flipped', 'cut', 'swapped', 'rolled-back', 'header']
    for (const name of ['good', ...damaged]) writeEncrypted(join(folder, name), content)
    const at = (name: string): string => join(folder, name)
    flip(at('flipped'), 1, 2, 3, 6)
    truncateSync(at('cut'), HEADER + 3 * STRIDE)
    const swapped = readFileSync(at('swapped'))
    const [first, second] = [0, 1].map((i) => Buffer.from(swapped.subarray(HEADER + i * STRIDE, HEADER + (i + 1) * STRIDE)))
    second!.copy(swapped, HEADER)
    first!.copy(swapped, HEADER + STRIDE)
    writeFileSync(at('swapped'), swapped)
    rollBack(at('rolled-back'))
    const header = readFileSync(at('header'))
    header[40]! ^= 1
    writeFileSync(at('header'), header)
    writeEncrypted(at('key'), 'x', { keyManager: KeyManager.fromKey(OTHER_KEY) })
    writeEncrypted(at('purpose'), 'x', { purpose: 'another' })
    writeEncrypted(at('context'), 'x', { context: Buffer.from('another') })
    const newer = readFileSync(at('good'))
    newer[8] = 9
    writeFileSync(at('newer'), newer)
    writeFileSync(at('plain'), 'plaintext that lies around')
    writeFileSync(at('nothing'), '')
    symlinkSync('good', at('link'))
    const report = await verify([folder, at('missing')])
    expect(report).toMatchObject({ ok: false, files: 13, intact: 1, bytes: content.length })
    expect(report.counts).toMatchObject({ damaged: 5, foreign: 2, wrongKey: 1, wrongPurpose: 2, unreadable: 1, locked: 0 })
    expect(report.skipped).toEqual([{ path: at('link'), kind: 'link' }])
    const problems = problemsOf(report)
    expect(problems).toMatchObject({
      flipped: { kind: 'damaged', snapshot: 'unchecked' },
      cut: { kind: 'damaged', bad: [], snapshot: undefined },
      swapped: { kind: 'damaged', bad: [{ segment: 0, count: 2, position: 0, length: 8_192 }] },
      'rolled-back': { kind: 'damaged', bad: [], snapshot: 'differs' },
      key: { kind: 'wrongKey' },
      purpose: { kind: 'wrongPurpose' },
      context: { kind: 'wrongPurpose' },
      newer: { kind: 'unsupported' },
      plain: { kind: 'foreign' },
      nothing: { kind: 'foreign' },
      missing: { kind: 'unreadable', error: { code: 'ENOENT' } },
    })
    const code = 'ERR_SEALFILE_CORRUPTED'
    expect(problems['flipped']!.bad).toEqual([
      { segment: 1, count: 3, position: 4_096, length: 3 * 4_096, code },
      { segment: 6, count: 1, position: 6 * 4_096, length: 4_096, code },
    ])
    expect(problems['flipped']!.error).toEqual(sealfileError(code, { segment: 1, path: at('flipped') }))
    expect(problems['cut']!.error).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
    const paths = report.problems.map(({ path }) => path.toString())
    expect(paths).toEqual([...paths].sort())
  })

  test('has purposes and a context', async () => {
    const folder = newFolder()
    const context = Buffer.from('here')
    for (const name of ['a', 'b']) writeEncrypted(join(folder, name), name, { purpose: `for ${name}`, context })
    expect(await verify(folder, { purpose: (path) => `for ${path}`, context })).toMatchObject({ ok: true, intact: 2 })
    const refused = await verify(folder, { purpose: (path) => (path === 'a' ? '' : `for ${path}`), context })
    expect(problemsOf(refused)).toMatchObject({ a: { kind: 'unreadable', error: { code: 'ERR_INVALID_ARG_VALUE' } } })
  })

  test('may have equal names in several inputs', async () => {
    const [one, other] = [newFolder(), newFolder()]
    for (const folder of [one, other]) writeEncrypted(join(folder, 'same'), 'x')
    expect(await verify([one, other])).toMatchObject({ ok: true, files: 2 })
  })

  test('is checked under a key manager that is open', async () => {
    const folder = newFolder()
    writeEncrypted(join(folder, 'a'), 'a')
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    keyManager.close()
    await expect(verify(folder, { keyManager })).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
    await expect(verify(folder, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await expect(verify(folder, { workers: 0 })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  })
})

describe('a large file', () => {
  propertyTest.prop([fc.uniqueArray(fc.nat(5_000), { minLength: 1, maxLength: 40 }), fc.constantFrom(1, 2, 3)], { numRuns: 6 })(
    'is told of as one that is checked by itself',
    async (segments, workers) => {
      const folder = newFolder()
      writeEncrypted(join(folder, 'large'), LARGE)
      flip(join(folder, 'large'), ...segments)
      const { problems } = await verify(folder, { workers })
      expect(problems).toHaveLength(1)
      expect(problems[0]).toMatchObject({ kind: 'damaged', snapshot: 'unchecked' })
      const each = problems[0]!.bad.flatMap(({ segment, count, code }) =>
        Array.from({ length: count }, (_, i) => ({ segment: segment + i, position: (segment + i) * 4_096, length: 4_096, code })),
      )
      expect(each).toEqual(badOf(join(folder, 'large')))
      for (const { segment, count, position, length } of problems[0]!.bad) {
        expect([position, length]).toEqual([segment * 4_096, count * 4_096])
      }
    },
  )

  test.each([1, 2, 3])(
    'of which every other segment is bad is told of in part, and the rest counted: %i threads',
    async (workers) => {
      const folder = newFolder()
      writeEncrypted(join(folder, 'large'), LARGE)
      const count = Math.ceil(LARGE.length / 4_096)
      const even = Array.from({ length: Math.ceil(count / 2) }, (_, index) => index * 2)
      flip(join(folder, 'large'), ...even)
      const report = await verify(folder, { workers })
      const [{ bad, badLeftOut }] = report.problems as [FileProblem]
      expect(bad.map(({ segment }) => segment)).toEqual(even.slice(0, 1_000))
      expect(badLeftOut).toBe(even.length - 1_000)
      expect(report.toJSON().problems).toMatchObject([{ badLeftOut }])
      expect(report.toString()).toContain(`bad segments: 0, 2, 4, 6, 8, and ${even.length - 5} more`)
    },
  )

  test('with a segment of an older version does not match its snapshot', async () => {
    const folder = newFolder()
    writeEncrypted(join(folder, 'large'), LARGE)
    rollBack(join(folder, 'large'))
    expect(problemsOf(await verify(folder))).toMatchObject({ large: { kind: 'damaged', bad: [], snapshot: 'differs' } })
  })

  test('of the stream kind is checked, too', async () => {
    const folder = newFolder()
    const stream = createEncryptStream(OPTIONS)
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    const ended = new Promise((resolve) => stream.on('end', resolve))
    stream.end(LARGE)
    await ended
    const bytes = Buffer.concat(pieces)
    writeFileSync(join(folder, 'good'), bytes)
    bytes[10 * MIB]! ^= 1
    writeFileSync(join(folder, 'bad'), bytes)
    const report = await verify(folder)
    expect(report).toMatchObject({ intact: 1, bytes: LARGE.length })
    expect(problemsOf(report)).toMatchObject({ bad: { kind: 'damaged', snapshot: 'none', bad: [{ count: 1 }] } })
  })
})

describe('a file that does not keep still', () => {
  test('is checked as it was committed while a writer holds it', async () => {
    const folder = newFolder()
    const file = EncryptedFile.openSync(join(folder, 'log'), 'w', OPTIONS)
    file.write('one\n')
    file.sync()
    file.write('two\n')
    expect(await verify(folder)).toMatchObject({ ok: true, files: 1, intact: 1 })
    file.close()
  })

  test('is checked while it grows, a large one, too', async () => {
    const folder = newFolder()
    for (const name of ['small', 'large']) writeEncrypted(join(folder, name), name === 'small' ? 'x' : LARGE)
    const grow = setInterval(() => {
      for (const name of ['small', 'large']) appendEncrypted(join(folder, name), 'more')
    }, 20)
    try {
      for (let i = 0; i < 3; i++) expect((await verify(folder)).toJSON()).toMatchObject({ files: 2, problems: [] })
    } finally {
      clearInterval(grow)
    }
  })

  test('is gone, or may not be read, and the others are checked', async () => {
    const folder = newFolder()
    for (const name of ['gone', 'good']) writeEncrypted(join(folder, name), name)
    const control = new BatchControl()
    control.pause()
    const running = verify(folder, { control })
    await sleep(400)
    unlinkSync(join(folder, 'gone'))
    control.resume()
    const report = await running
    expect(report.intact).toBe(1)
    expect(problemsOf(report)).toMatchObject({ gone: { kind: 'unreadable', error: { code: 'ENOENT' } } })
  })

  test.skipIf(process.getuid?.() === 0)('may be one that nobody may read', async () => {
    const folder = newFolder()
    writeEncrypted(join(folder, 'a'), 'a')
    chmodSync(join(folder, 'a'), 0)
    expect(problemsOf(await verify(folder))).toMatchObject({ a: { kind: 'unreadable', error: { code: 'EACCES' } } })
  })
})

describe('a report', () => {
  test('is fit for a program', async () => {
    const folder = newFolder()
    writeEncrypted(join(folder, 'good'), 'good')
    writeEncrypted(join(folder, 'bad'), patternBytes(10_000))
    flip(join(folder, 'bad'), 1)
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x66, 0xff])])
    writeFileSync(name, 'plain')
    symlinkSync('good', join(folder, 'link'))
    const json: unknown = JSON.parse(JSON.stringify(await verify(folder)))
    const code = 'ERR_SEALFILE_CORRUPTED'
    expect(json).toEqual({
      schema: 'sealfile/verify-batch',
      version: 1,
      ok: false,
      files: 3,
      intact: 1,
      bytes: 4,
      counts: { damaged: 1, foreign: 1, wrongKey: 0, wrongPurpose: 0, unsupported: 0, locked: 0, unreadable: 0 },
      problems: [
        {
          path: join(folder, 'bad'),
          kind: 'damaged',
          code,
          message: expect.stringContaining('segment 1') as unknown,
          bad: [{ segment: 1, count: 1, position: 4_096, length: 4_096, code }],
          badLeftOut: 0,
          snapshot: 'unchecked',
        },
        {
          path: join(folder, 'f\ufffd'),
          pathBase64: name.toString('base64'),
          kind: 'foreign',
          code: 'ERR_SEALFILE_FORMAT',
          message: expect.any(String) as unknown,
          bad: [],
          badLeftOut: 0,
          snapshot: null,
        },
      ],
      skipped: [{ path: join(folder, 'link'), kind: 'link' }],
    })
  })

  test('is fit for a person, whatever names there are', async () => {
    const folder = newFolder()
    for (let i = 0; i < 30; i++) writeFileSync(join(folder, `plain-${i}`), 'plain')
    writeEncrypted(join(folder, '\u001b[2Jclear\u202e'), patternBytes(60_000))
    flip(join(folder, '\u001b[2Jclear\u202e'), 0, 2, 3, 5, 7, 9, 11)
    const lines = (await verify(folder)).toString().split('\n')
    expect(lines[0]).toBe('0 of 31 files are intact, 0 bytes.')
    expect(lines).toContain('1 damaged:')
    expect(lines).toContain(`  ${folder}/\\u{1b}[2Jclear\\u{202e}: bad segments: 0, 2 to 3, 5, 7, 9, and 1 more`)
    expect(lines).toContain('30 not written by sealfile:')
    expect(lines.at(-1)).toBe('  and 10 more')
  })
})

import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { basename, dirname, join } from 'node:path'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  BatchControl,
  decryptBatch,
  encryptBatch,
  type BatchProgress,
  type DecryptBatchOptions,
  type EncryptBatchOptions,
} from '../../src/batch.js'
import { createEncryptStream, EncryptedFile, KeyManager, type KeySource } from '../../src/index.js'
import { OPTIONS, OTHER_KEY, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

/** @returns a new folder with files in it, by their paths; folders end with a slash. */
function makeTree(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(path.endsWith('/') ? join(folder, path) : dirname(join(folder, path)), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(join(folder, path), content)
  }
  return folder
}

const namesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()

const COMMON = { keyManager: OPTIONS.keyManager, purpose: 'test', workers: 2 }

function encrypt(inputs: Parameters<typeof encryptBatch>[0], target: string, options: Partial<EncryptBatchOptions> = {}) {
  return encryptBatch(inputs, { ...COMMON, segmentSize: 4_096, target, ...options })
}

function decrypt(inputs: Parameters<typeof decryptBatch>[0], target: string, options: Partial<DecryptBatchOptions> = {}) {
  return decryptBatch(inputs, { ...COMMON, target, ...options })
}

const FILES = {
  'a.txt': 'one',
  'b/c/d.bin': patternBytes(10_000),
  'b/empty': '',
  'ä/世界.txt': 'Grüße',
  'nothing/here/': '',
}
const BYTES = 3 + 10_000 + 'Grüße'.length + 2
const MIB = 2 ** 20

describe('a tree', () => {
  test('is encrypted and decrypted, with its empty folders, permissions and times', async () => {
    const source = makeTree(FILES)
    chmodSync(join(source, 'a.txt'), 0o640)
    utimesSync(join(source, 'a.txt'), 1_000, 2_000.5)
    const [encrypted, target] = [freshPath(), freshPath()]
    const done = { files: 4, bytes: BYTES, unchanged: 0, failures: [], skipped: [] }
    expect(await encrypt(source, encrypted)).toEqual(done)
    expect(namesIn(encrypted)).toEqual(namesIn(source))
    expect(readEncrypted(join(encrypted, 'b/c/d.bin')).equals(FILES['b/c/d.bin'])).toBe(true)
    expect(readFileSync(join(encrypted, 'a.txt')).includes('one')).toBe(false)
    expect(await decrypt(encrypted, target)).toEqual(done)
    expect(namesIn(target)).toEqual(namesIn(source))
    for (const name of namesIn(source).filter((name) => statSync(join(source, name)).isFile())) {
      expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
    }
    for (const folder of [encrypted, target]) {
      const { mode, mtimeMs } = statSync(join(folder, 'a.txt'))
      expect([mode & 0o777, mtimeMs]).toEqual([0o640, 2_000_500])
    }
  })

  test.each(['fifo', 'priority', 'makespan'] as const)('of many files is done under the policy %s', async (policy) => {
    const files = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`${i % 7}/${i}`, patternBytes((i * 37) % 9_000, i)]))
    const source = makeTree(files)
    const [encrypted, target] = [freshPath(), freshPath()]
    expect(await encrypt(source, encrypted, { policy })).toMatchObject({ files: 700, failures: [] })
    expect(await decrypt(encrypted, target, { policy, workers: 3 })).toMatchObject({ files: 700, failures: [] })
    for (const [name, content] of Object.entries(files)) expect(readFileSync(join(target, name)).equals(content)).toBe(true)
  })

  test('may be several inputs, files among them', async () => {
    const [one, other] = [makeTree({ 'x/a': 'a' }), makeTree({ 'x/b': 'b', c: 'c' })]
    const target = freshPath()
    expect(await encrypt([one, join(other, 'c'), join(other, 'x')], target)).toMatchObject({ files: 3, failures: [] })
    expect(namesIn(target)).toEqual(['b', 'c', 'x', 'x/a'])
  })

  test('has a purpose and a name for each file', async () => {
    const source = makeTree(FILES)
    const [encrypted, target] = [freshPath(), freshPath()]
    const purpose = (path: string): string => `for ${path}`
    await encrypt(source, encrypted, { purpose, name: (path) => `${path}.enc` })
    const options = { purpose: 'for b/empty' }
    expect(readEncrypted(join(encrypted, 'b/empty.enc'), options)).toHaveLength(0)
    const back = { purpose: (path: string) => purpose(path.slice(0, -4)), name: (path: string) => path.slice(0, -4) }
    expect(await decrypt(encrypted, target, back)).toMatchObject({ files: 4, failures: [] })
    expect(namesIn(target)).toEqual(namesIn(source))
  })

  test('keeps links and special files out', async () => {
    const source = makeTree({ a: 'a' })
    symlinkSync('a', join(source, 'link'))
    spawnSync('mkfifo', [join(source, 'pipe')])
    const target = freshPath()
    const { skipped, files } = await encrypt(source, target)
    expect(files).toBe(1)
    expect([...skipped].sort((a, b) => a.kind.localeCompare(b.kind))).toEqual([
      { path: join(source, 'link'), kind: 'link' },
      { path: join(source, 'pipe'), kind: 'special' },
    ])
    expect(namesIn(target)).toEqual(['a'])
  })

  test('keeps names that are no UTF-8', async () => {
    const source = makeTree({})
    const name = Buffer.from([0x66, 0xff, 0x6f])
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), name]), 'bytes')
    const [encrypted, target] = [freshPath(), freshPath()]
    expect(await encrypt(source, encrypted)).toMatchObject({ files: 1, failures: [] })
    expect(await decrypt(encrypted, target)).toMatchObject({ files: 1, failures: [] })
    expect(readFileSync(Buffer.concat([Buffer.from(`${target}/`), name]), 'utf8')).toBe('bytes')
    const other = freshPath()
    const { files, failures } = await encrypt(source, other, { name: (path) => `${path}.enc` })
    expect({ files, failures }).toMatchObject({ files: 0, failures: [{ error: sealfileError('ERR_SEALFILE_BATCH_TARGET') }] })
    expect(failures[0]!.path).toEqual(Buffer.concat([Buffer.from(`${source}/`), name]))
    expect(namesIn(other)).toEqual([])
  })
})

describe('a large file', () => {
  const size = 20 * MIB + 12_345
  const content = Buffer.alloc(size, patternBytes(7_919))

  propertyTest.prop([fc.constantFrom(4_096, 65_536, 4 * MIB), fc.integer({ min: 1, max: 4 })], { numRuns: 6 })(
    'is done by several workers, and is a file as any other',
    async (segmentSize, workers) => {
      const source = makeTree({ large: content, small: 'x' })
      const [encrypted, target] = [freshPath(), freshPath()]
      expect(await encrypt(source, encrypted, { segmentSize, workers })).toMatchObject({ files: 2, bytes: size + 1, failures: [] })
      const file = await EncryptedFile.open(join(encrypted, 'large'), 'r', OPTIONS)
      expect(await file.verify()).toMatchObject({ ok: true, size, snapshot: 'matches' })
      await file.close()
      expect(await decrypt(encrypted, target, { workers })).toMatchObject({ files: 2, bytes: size + 1, failures: [] })
      expect(readFileSync(join(target, 'large')).equals(content)).toBe(true)
      for (const folder of [source, encrypted, target]) rmSync(folder, { recursive: true })
    },
  )

  test('of the stream kind is decrypted in parts, too', async () => {
    const source = makeTree({})
    const stream = createEncryptStream(OPTIONS)
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    const ended = new Promise((resolve) => stream.on('end', resolve))
    stream.end(content)
    await ended
    writeFileSync(join(source, 'stream'), Buffer.concat(pieces))
    const target = freshPath()
    expect(await decrypt(source, target)).toMatchObject({ files: 1, bytes: size, failures: [] })
    expect(readFileSync(join(target, 'stream')).equals(content)).toBe(true)
  })

  test('leaves nothing where a segment was altered, or put back to what it was', async () => {
    const source = makeTree({})
    for (const name of ['altered', 'rolled-back']) writeEncrypted(join(source, name), content)
    const [altered, rolledBack] = [join(source, 'altered'), join(source, 'rolled-back')]
    const bytes = readFileSync(altered)
    bytes[15 * MIB]! ^= 1
    writeFileSync(altered, bytes)
    const before = readFileSync(rolledBack).subarray(1_280, 1_280 + 4_124)
    const file = EncryptedFile.openSync(rolledBack, 'r+', OPTIONS)
    file.write(Buffer.from('x'), 0, 1, 0)
    file.truncate(size - 1)
    file.sync()
    file.close()
    const after = readFileSync(rolledBack)
    before.copy(after, 1_280)
    writeFileSync(rolledBack, after)
    const target = freshPath()
    const { failures, files } = await decrypt(source, target)
    expect(files).toBe(0)
    expect(failures).toHaveLength(2)
    for (const { error } of failures) expect(error).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    expect(namesIn(target)).toEqual([])
  })
})

describe('what goes wrong with a file', () => {
  test('is told, and does not keep the others from being done', async () => {
    const source = makeTree({ good: 'good', plain: 'plain' })
    const encrypted = freshPath()
    await encrypt(join(source, 'good'), encrypted)
    writeFileSync(join(encrypted, 'plain'), 'plain')
    writeEncrypted(join(encrypted, 'other'), 'x', { keyManager: KeyManager.fromKey(OTHER_KEY) })
    writeEncrypted(join(encrypted, 'purpose'), 'x', { purpose: 'another' })
    writeEncrypted(join(encrypted, 'cut'), patternBytes(9_000))
    truncateSync(join(encrypted, 'cut'), 5_000)
    const target = freshPath()
    const { files, failures } = await decrypt(encrypted, target)
    expect(files).toBe(1)
    const codes = Object.fromEntries(failures.map(({ path, error }) => [basename(path.toString()), error]))
    expect(codes).toEqual({
      plain: sealfileError('ERR_SEALFILE_FORMAT', { path: join(encrypted, 'plain') }),
      other: sealfileError('ERR_SEALFILE_WRONG_KEY', { path: join(encrypted, 'other') }),
      purpose: sealfileError('ERR_SEALFILE_WRONG_PURPOSE', { name: 'InvalidKeyError' }),
      cut: sealfileError('ERR_SEALFILE_TRUNCATED'),
    })
    expect(namesIn(target)).toEqual(['good'])
  })

  test('ends the batch where that is asked for', async () => {
    const source = makeTree({ a: 'not encrypted' })
    await expect(decrypt(source, freshPath(), { stopOnError: true })).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
  })

  test('is an input that is not there, or no file', async () => {
    const source = makeTree({ a: 'a' })
    spawnSync('mkfifo', [join(source, 'pipe')])
    const inputs = [join(source, 'a'), join(source, 'missing'), join(source, 'pipe')]
    const { files, failures } = await encrypt(inputs, freshPath())
    expect(files).toBe(1)
    expect(failures).toContainEqual({
      path: inputs[1],
      error: expect.objectContaining({ code: 'ENOENT', path: inputs[1] }) as never,
    })
    expect(failures).toContainEqual({ path: inputs[2], error: sealfileError('ERR_SEALFILE_BATCH_SOURCE') })
  })

  test.skipIf(process.getuid?.() === 0)('is a file that may not be read', async () => {
    const source = makeTree({ a: 'a' })
    chmodSync(join(source, 'a'), 0)
    expect((await encrypt(source, freshPath())).failures).toMatchObject([{ error: { code: 'EACCES', syscall: 'open' } }])
  })

  test('is a file that vanishes or grows while it waits', async () => {
    const source = makeTree({ gone: 'gone', growing: Buffer.alloc(40 * MIB), still: 'still' })
    const control = new BatchControl()
    control.pause()
    const target = freshPath()
    let running!: ReturnType<typeof encrypt>
    await new Promise<void>((resolve) => {
      const onProgress = ({ isListed, totalFiles }: BatchProgress): void => {
        if (isListed && totalFiles === 3) resolve()
      }
      running = encrypt(source, target, { control, policy: 'fifo', onProgress })
    })
    unlinkSync(join(source, 'gone'))
    control.resume()
    const grow = setInterval(() => appendFileSync(join(source, 'growing'), 'more'), 1)
    const { files, failures } = await running
    clearInterval(grow)
    expect(files).toBe(1)
    const codes = failures.map(({ path, error }) => [basename(path.toString()), (error as NodeJS.ErrnoException).code])
    expect(codes.sort()).toEqual([
      ['gone', 'ENOENT'],
      ['growing', 'ERR_SEALFILE_BATCH_SOURCE'],
    ])
    expect(namesIn(target)).toEqual(['still'])
  })

  test('is an encrypted file that another handle writes: it is read as it was committed', async () => {
    const source = makeTree({})
    const file = EncryptedFile.openSync(join(source, 'log'), 'w', OPTIONS)
    file.write('one\n')
    file.sync()
    file.write('two\n')
    const target = freshPath()
    expect(await decrypt(source, target)).toMatchObject({ files: 1, failures: [] })
    expect(readFileSync(join(target, 'log'), 'utf8')).toMatch(/^one\n/)
    file.close()
  })

  test('is a target that a handle has open for writing', async () => {
    const source = makeTree({ a: 'new' })
    const target = makeTree({})
    const file = EncryptedFile.openSync(join(target, 'a'), 'w', OPTIONS)
    file.write('old')
    const { failures } = await encrypt(source, target, { overwrite: true })
    expect(failures).toEqual([{ path: join(source, 'a'), error: sealfileError('ERR_SEALFILE_LOCKED') }])
    file.close()
    expect(readEncrypted(join(target, 'a')).toString()).toBe('old')
    expect(namesIn(target)).toEqual(['a'])
  })

  test('is a key manager that was closed, which ends all', async () => {
    const keyManager = KeyManager.fromKey(OTHER_KEY)
    keyManager.close()
    await expect(encrypt(makeTree(FILES), freshPath(), { keyManager })).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
  })
})

describe('a target', () => {
  test('is not replaced unless that is asked for', async () => {
    const source = makeTree({ a: 'new' })
    const target = makeTree({ a: 'old' })
    expect((await encrypt(source, target)).failures).toEqual([
      { path: join(source, 'a'), error: expect.objectContaining({ code: 'EEXIST', path: join(target, 'a') }) as never },
    ])
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('old')
    expect(await encrypt(source, target, { overwrite: true })).toMatchObject({ files: 1, failures: [] })
    expect(readEncrypted(join(target, 'a')).toString()).toBe('new')
    expect(namesIn(target)).toEqual(['a'])
  })

  test('of a large file is not replaced, either', async () => {
    const source = makeTree({ large: '' })
    truncateSync(join(source, 'large'), 16 * MIB)
    const target = makeTree({ large: 'old' })
    const { failures } = await encrypt(source, target)
    expect(failures).toMatchObject([{ path: join(source, 'large'), error: { code: 'EEXIST' } }])
    expect(readFileSync(join(target, 'large'), 'utf8')).toBe('old')
    expect(namesIn(target)).toEqual(['large'])
  })

  test('may have no folder that lies too deep', async () => {
    const source = makeTree({ a: 'a', b: 'b' })
    const target = freshPath()
    const deep = Array<string>(20).fill('x'.repeat(250)).join('/')
    const { files, failures } = await encrypt(source, target, { name: (path) => (path === 'a' ? `${deep}/a` : path) })
    expect({ files, failures }).toMatchObject({
      files: 1,
      failures: [{ path: join(source, 'a'), error: { code: 'ENAMETOOLONG' } }],
    })
    expect(namesIn(target).filter((name) => !/^[x/]*$/.test(name))).toEqual(['b'])
  })

  test('may not lie in an input or around it', async () => {
    const source = makeTree({ 'inner/a': 'a' })
    const link = freshPath()
    symlinkSync(source, link)
    for (const target of [source, join(source, 'new/deep'), join(link, 'x'), dirname(source)]) {
      await expect(encrypt(source, target)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    }
    expect(namesIn(source)).toEqual(['inner', 'inner/a'])
  })

  test('is never the source', async () => {
    const source = makeTree({ a: 'a' })
    const { failures } = await encrypt(join(source, 'a'), source, { overwrite: true })
    expect(failures).toEqual([{ path: join(source, 'a'), error: sealfileError('ERR_SEALFILE_BATCH_TARGET') }])
    expect(readFileSync(join(source, 'a'), 'utf8')).toBe('a')
    expect(await encrypt(join(source, 'a'), source, { name: (path) => `${path}.enc` })).toMatchObject({ files: 1 })
  })

  test('is one of one file alone', async () => {
    const [one, other] = [makeTree({ a: '1' }), makeTree({ a: '2' })]
    const target = freshPath()
    const { files, failures } = await encrypt([one, other], target, { overwrite: true })
    expect(files).toBe(1)
    expect(failures).toEqual([{ path: join(other, 'a'), error: sealfileError('ERR_SEALFILE_BATCH_TARGET') }])
    expect(readEncrypted(join(target, 'a')).toString()).toBe('1')
  })

  test.each([
    '../out',
    'x/../../out',
    '/tmp/out',
    '',
    '.',
    'folder/',
    'nul\0byte',
    'lone\ud800',
    'a'.repeat(256),
    '.a.0123456789abcdef.sealfile-tmp',
  ])('is not named %j', async (name) => {
    const source = makeTree({ a: 'a' })
    const target = freshPath()
    const { failures } = await encrypt(source, target, { name: () => name })
    expect(failures).toMatchObject([{ error: { code: 'ERR_INVALID_ARG_VALUE' } }])
    expect(namesIn(target)).toEqual([])
    expect(existsSync(join(target, '../out'))).toBe(false)
  })

  test('may have a name of 255 bytes', async () => {
    const name = 'ä'.repeat(127) + 'x'
    const target = freshPath()
    expect(await encrypt(makeTree({ a: 'a' }), target, { name: () => name })).toMatchObject({ files: 1 })
    expect(namesIn(target)).toEqual([name])
  })

  test('is not left by a link that lies in it', async () => {
    const source = makeTree({ 'sub/deep/a': 'a', b: 'b' })
    const [outside, target] = [makeTree({}), makeTree({})]
    symlinkSync(outside, join(target, 'sub'))
    symlinkSync(join(outside, 'b'), join(target, 'b'))
    const { failures, files } = await encrypt(source, target, { overwrite: true })
    expect(failures.length).toBeGreaterThan(0)
    for (const { error } of failures) expect(error).toEqual(sealfileError('ERR_SEALFILE_BATCH_TARGET'))
    expect(files).toBe(1)
    expect(namesIn(outside)).toEqual([])
    expect(lstatSync(join(target, 'b')).isFile()).toBe(true)
  })
})

describe('control', () => {
  test('an abort ends it, and leaves no file half done', async () => {
    const source = makeTree({ large: Buffer.alloc(64 * MIB), a: 'a' })
    const target = freshPath()
    const controller = new AbortController()
    const running = encrypt(source, target, {
      signal: controller.signal,
      onProgress: ({ bytes }) => bytes > 0 && controller.abort(),
      bytesPerSecond: 16 * MIB,
    })
    await expect(running).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    expect(namesIn(target)).not.toContain('large')
    expect(namesIn(target).filter((name) => name.endsWith('tmp'))).toEqual([])
    await expect(encrypt(source, target, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('progress comes to all there is', async () => {
    const source = makeTree(FILES)
    const told: BatchProgress[] = []
    await encrypt(source, freshPath(), { onProgress: (progress) => told.push(progress) })
    expect(told[0]).toMatchObject({ files: 0, bytes: 0, isListed: false, secondsLeft: undefined })
    expect(told.at(-1)).toMatchObject({
      files: 4,
      totalFiles: 4,
      bytes: BYTES,
      totalBytes: BYTES,
      failed: 0,
      isListed: true,
      secondsLeft: 0,
    })
    const fails = encrypt(source, freshPath(), { onProgress: () => expect.fail('told') })
    await expect(fails).rejects.toThrow('told')
  })

  test('a rate is kept', async () => {
    const source = makeTree({ a: Buffer.alloc(4 * MIB), b: Buffer.alloc(4 * MIB) })
    const began = performance.now()
    expect(await encrypt(source, freshPath(), { bytesPerSecond: 16 * MIB })).toMatchObject({ files: 2 })
    expect(performance.now() - began).toBeGreaterThan(400)
  })

  test('a batch that is paused makes nothing, and goes on', async () => {
    const control = new BatchControl()
    control.pause()
    expect(control.isPaused).toBe(true)
    const target = freshPath()
    const running = encrypt(makeTree(FILES), target, { control })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(namesIn(target).filter((name) => lstatSync(join(target, name)).isFile())).toEqual([])
    control.resume()
    expect(await running).toMatchObject({ files: 4, failures: [] })
  })

  test.each([
    ['workers', 0, 'ERR_OUT_OF_RANGE'],
    ['workers', 1.5, 'ERR_OUT_OF_RANGE'],
    ['bytesPerSecond', 0, 'ERR_OUT_OF_RANGE'],
    ['policy', 'best', 'ERR_INVALID_ARG_VALUE'],
    ['name', 'x', 'ERR_INVALID_ARG_TYPE'],
    ['control', {}, 'ERR_INVALID_ARG_TYPE'],
    ['purpose', '', 'ERR_INVALID_ARG_VALUE'],
    ['overwrite', 1, 'ERR_INVALID_ARG_TYPE'],
    ['durability', 'none', 'ERR_INVALID_ARG_VALUE'],
    ['segmentSize', 5_000, 'ERR_OUT_OF_RANGE'],
    ['target', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['signal', {}, 'ERR_INVALID_ARG_TYPE'],
    ['onProgress', 1, 'ERR_INVALID_ARG_TYPE'],
  ])('the option %s is not %j', async (option, value, code) => {
    const options = { ...COMMON, target: freshPath(), [option]: value } as EncryptBatchOptions
    await expect(encryptBatch(makeTree({}), options)).rejects.toMatchObject({ code })
  })
})

test.each(['encrypt', 'decrypt'] as const)(
  'an abort while keys are got ready ends the batch before it begins, to %s',
  async (direction) => {
    const keys = OPTIONS.keyManager
    const controller = new AbortController()
    const keyManager: KeySource = {
      wrapFileKey: (request, dek) => keys.wrapFileKey(request, dek),
      unwrapFileKey: (request, wrapped) => keys.unwrapFileKey(request, wrapped),
      prepare: () => {
        controller.abort()
        return Promise.resolve()
      },
    }
    const source = makeTree({})
    writeEncrypted(join(source, 'a'), 'a')
    const target = freshPath()
    const batch = direction === 'encrypt' ? encryptBatch : decryptBatch
    await expect(batch(source, { ...COMMON, keyManager, target, signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect(existsSync(target)).toBe(false)
  },
)

test('an error of what is told last ends the batch, and nothing holds the process up then', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const onProgress = ({ isListed }: BatchProgress): void => {
    if (isListed) throw new Error('enough')
  }
  await expect(encrypt(makeTree({}), freshPath(), { onProgress })).rejects.toThrow('enough')
  expect(timers()).toBeLessThanOrEqual(before)
})

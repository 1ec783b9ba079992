import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  appendFileSync,
  lstatSync,
  existsSync,
} from 'node:fs'
import { join } from 'node:path'
import { test as propertyTest, fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { AicoKeys, migrateFile, writeAicoFile, type MigrateFileOptions, type MigrationProgress } from '../../src/compat.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { OPTIONS, OTHER_KEY, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { ACCESS } from './support.js'

const inFolder = temporaryFolder()
let count = 0

/** @returns a new folder, as a function of names in it. */
function freshFolder(): (name?: string) => string {
  const folder = inFolder(`folder-${count++}`)
  mkdirSync(folder)
  return (name = '.') => join(folder, name)
}

const { keyManager, purpose, segmentSize } = OPTIONS
const PLAIN: MigrateFileOptions = { keyManager, purpose, segmentSize }
const FROM_AICO: MigrateFileOptions = { ...PLAIN, aico: ACCESS }
const failed = (path?: string): unknown => sealfileError('ERR_SEALFILE_MIGRATION', path === undefined ? {} : { path })

/** A few MiB, made once. */
const LARGE = patternBytes(5_000_001)

/** Whether the file system knows when a file was made: without that no target is made again. */
const knowsBirth = ((): boolean => {
  const path = inFolder('birth')
  writeFileSync(path, '')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  chmodSync(path, 0o600)
  const { birthtimeNs, ctimeNs } = statSync(path, { bigint: true })
  return birthtimeNs > 0n && birthtimeNs < ctimeNs
})()

describe('content', () => {
  const lengths = [0, 1, 4_095, 4_096, 4_097, 2 ** 18, 2 ** 18 + 1, 5 * 2 ** 20 + 3]

  test.each(lengths)('%i bytes of plaintext', async (length) => {
    const at = freshFolder()
    const content = patternBytes(length)
    writeFileSync(at('source'), content)
    const result = await migrateFile(at('source'), at('target'), PLAIN)
    expect(result).toEqual({
      source: at('source'),
      target: at('target'),
      format: 'plain',
      outcome: 'migrated',
      size: length,
      isSourceRemoved: false,
      isDryRun: false,
    })
    expect(readEncrypted(at('target')).equals(content)).toBe(true)
    expect(readFileSync(at('source')).equals(content)).toBe(true)
    expect(readdirSync(at()).sort()).toEqual(['source', 'target'])
  })

  test.each(lengths)('%i bytes from AICO', async (length) => {
    const at = freshFolder()
    const content = patternBytes(length)
    await writeAicoFile(at('source'), content, ACCESS)
    const result = await migrateFile(at('source'), at('target'), FROM_AICO)
    expect(result).toMatchObject({ format: 'aico', outcome: 'migrated', size: length })
    expect(readEncrypted(at('target')).equals(content)).toBe(true)
  })

  propertyTest.prop([fc.uint8Array({ maxLength: 9_000 }), fc.boolean(), fc.boolean()], { numRuns: 40 })(
    'of whatever kind, in place and elsewhere',
    async (content, isAico, isInPlace) => {
      const at = freshFolder()
      if (isAico) await writeAicoFile(at('source'), content, ACCESS)
      else writeFileSync(at('source'), content)
      const target = at(isInPlace ? 'source' : 'target')
      await migrateFile(at('source'), target, { ...FROM_AICO, from: isAico ? 'aico' : 'plain' })
      expect([...readEncrypted(target)]).toEqual([...content])
    },
  )

  test('text that is not ASCII, under a name that is not', async () => {
    const at = freshFolder()
    writeFileSync(at('grüße 世界'), 'Grüße, мир, 世界, 🗝️\n')
    await migrateFile(at('grüße 世界'), at('ключ'), PLAIN)
    expect(readEncrypted(at('ключ')).toString()).toBe('Grüße, мир, 世界, 🗝️\n')
  })

  test('with cipher, segment size, purpose and context as asked for', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    const context = Buffer.from('row 7')
    await migrateFile(at('source'), at('target'), {
      keyManager,
      purpose: 'other',
      context,
      cipher: 'chacha20-poly1305',
      segmentSize: 8_192,
    })
    expect(await EncryptedFile.inspect(at('target'))).toMatchObject({
      cipher: 'chacha20-poly1305',
      segmentSize: 8_192,
      kind: 'editable',
    })
    expect(readEncrypted(at('target'), { purpose: 'other', context }).toString()).toBe('text')
  })

  test('and time and permissions', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    utimesSync(at('source'), 1_000_000_000.25, 1_100_000_000.75)
    chmodSync(at('source'), 0o640)
    await migrateFile(at('source'), at('target'), PLAIN)
    expect(statSync(at('target')).mtimeMs).toBeCloseTo(1_100_000_000_750, 1)
    expect(statSync(at('target')).mode & 0o777).toBe(0o640)
  })
})

describe('in place', () => {
  test.each([
    ['plaintext', PLAIN, 'plain'],
    ['AICO', FROM_AICO, 'aico'],
  ])('%s is replaced, and the second time found to be done', async (_, options, format) => {
    const at = freshFolder()
    if (format === 'aico') await writeAicoFile(at('file'), 'a secret', ACCESS)
    else writeFileSync(at('file'), 'a secret')
    chmodSync(at('file'), 0o600)
    utimesSync(at('file'), 1_000_000_000, 1_100_000_000)
    expect(await migrateFile(at('file'), at('file'), options)).toMatchObject({ format, outcome: 'migrated', size: 8 })
    expect(readEncrypted(at('file')).toString()).toBe('a secret')
    expect(statSync(at('file'))).toMatchObject({ mtimeMs: 1_100_000_000_000 })
    expect(statSync(at('file')).mode & 0o777).toBe(0o600)
    const before = readFileSync(at('file'))
    const again = await migrateFile(at('file'), at('file'), options)
    expect(again).toMatchObject({ format: 'sealfile', outcome: 'present', size: 8, isSourceRemoved: false })
    expect(readFileSync(at('file'))).toEqual(before)
    expect(readdirSync(at())).toEqual(['file'])
  })

  test('a link stays one, and what it leads to is replaced', async () => {
    const at = freshFolder()
    writeFileSync(at('file'), 'text')
    symlinkSync('file', at('link'))
    await migrateFile(at('link'), at('link'), PLAIN)
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true)
    expect(readEncrypted(at('file')).toString()).toBe('text')
    expect(await migrateFile(at('file'), at('link'), PLAIN)).toMatchObject({ outcome: 'present' })
  })

  test('what is encrypted with other keys is told, not encrypted once more', async () => {
    const at = freshFolder()
    writeEncrypted(at('file'), 'text', { keyManager: KeyManager.fromKey(OTHER_KEY) })
    const before = readFileSync(at('file'))
    for (const options of [PLAIN, { ...PLAIN, from: 'plain', overwrite: true } as const]) {
      const error = await migrateFile(at('file'), at('file'), options).catch((error: unknown) => error)
      expect(error).toEqual(failed(at('file')))
      expect((error as Error).cause).toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
    }
    expect(readFileSync(at('file'))).toEqual(before)
  })

  test('a keyring is never encrypted with its own keys', async () => {
    const at = freshFolder()
    const created = await KeyManager.create(at('keyring.json'), { passphrase: 'x', argon2: { memoryKiB: 8, passes: 1, lanes: 1 } })
    const options = { keyManager: created, purpose }
    await expect(migrateFile(at('keyring.json'), at('keyring.json'), options)).rejects.toEqual(failed())
    await expect(migrateFile(at('keyring.json'), at('copy'), { ...options, removeSource: true })).rejects.toEqual(failed())
    expect(JSON.parse(readFileSync(at('keyring.json'), 'utf8'))).toMatchObject({ format: 'sealfile-keyring' })
    expect(await migrateFile(at('keyring.json'), at('copy'), options)).toMatchObject({ outcome: 'migrated' })
  })

  test('what only begins like a keyring is encrypted like anything else', async () => {
    const at = freshFolder()
    const text = '{ "format": "sealfile-keyring", this is a note about keyrings'
    writeFileSync(at('note'), text)
    expect(await migrateFile(at('note'), at('note'), PLAIN)).toMatchObject({ outcome: 'migrated' })
    expect(readEncrypted(at('note')).toString()).toBe(text)
  })

  test.skipIf(process.getuid?.() !== 0)('owner and permissions are kept, by whoever may give files away', async () => {
    const at = freshFolder()
    writeFileSync(at('file'), 'text')
    chownSync(at('file'), 12_345, 54_321)
    chmodSync(at('file'), 0o640)
    await migrateFile(at('file'), at('file'), PLAIN)
    const { uid, gid, mode } = statSync(at('file'))
    expect([uid, gid, mode & 0o777]).toEqual([12_345, 54_321, 0o640])
    expect(readEncrypted(at('file')).toString()).toBe('text')
  })
})

describe('what is there', () => {
  test('is left where it is the result, by size and time', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    await migrateFile(at('source'), at('target'), PLAIN)
    const before = readFileSync(at('target'))
    for (const options of [PLAIN, { ...PLAIN, overwrite: true }, { ...PLAIN, compareContent: true }]) {
      expect(await migrateFile(at('source'), at('target'), options)).toMatchObject({ outcome: 'present', size: 4 })
    }
    expect(readFileSync(at('target'))).toEqual(before)
  })

  test('is left where it is the result by content, whatever its time', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    await migrateFile(at('source'), at('target'), PLAIN)
    utimesSync(at('target'), 5, 5)
    expect(await migrateFile(at('source'), at('target'), PLAIN)).toMatchObject({ outcome: 'present' })
  })

  test('is compared by content where that is asked for', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    await migrateFile(at('source'), at('target'), PLAIN)
    const { atime, mtime } = statSync(at('source'))
    writeFileSync(at('source'), 'TEXT')
    utimesSync(at('source'), atime, mtime)
    utimesSync(at('target'), atime, mtime)
    expect(await migrateFile(at('source'), at('target'), PLAIN)).toMatchObject({ outcome: 'present' })
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, compareContent: true })).rejects.toEqual(failed(at('target')))
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, removeSource: true })).rejects.toEqual(failed(at('target')))
    expect(readFileSync(at('source'), 'utf8')).toBe('TEXT')
  })

  test.each([
    ['is plaintext', (path: string) => writeFileSync(path, 'other')],
    ['is empty', (path: string) => writeFileSync(path, '')],
    ['has other content', (path: string) => writeEncrypted(path, 'other')],
    ['has other content of the same length', (path: string) => writeEncrypted(path, 'TEXT')],
    ['has another purpose', (path: string) => writeEncrypted(path, 'text', { purpose: 'other' })],
    ['has other keys', (path: string) => writeEncrypted(path, 'text', { keyManager: KeyManager.fromKey(OTHER_KEY) })],
    ['is a damaged file of ours', (path: string) => writeFileSync(path, '\xd3SEAL\n\n damaged', 'latin1')],
    [
      'has a damaged segment',
      (path: string) => {
        writeEncrypted(path, 'text')
        const bytes = readFileSync(path)
        bytes[1_290]! ^= 1
        writeFileSync(path, bytes)
      },
    ],
  ])('and %s is not replaced, unless that is asked for', async (_, make) => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    make(at('target'))
    const before = readFileSync(at('target'))
    for (const options of [PLAIN, { ...PLAIN, removeSource: true }, { ...PLAIN, dryRun: true }]) {
      await expect(migrateFile(at('source'), at('target'), options)).rejects.toEqual(failed(at('target')))
    }
    expect(readFileSync(at('target'))).toEqual(before)
    expect(await migrateFile(at('source'), at('target'), { ...PLAIN, overwrite: true })).toMatchObject({ outcome: 'migrated' })
    expect(readEncrypted(at('target')).toString()).toBe('text')
  })

  test('and is a folder stays one', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    mkdirSync(at('target'))
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, overwrite: true })).rejects.toEqual(failed(at('target')))
  })

  test.runIf(knowsBirth)('is made again with update, where the source is newer and nobody has written to it', async () => {
    const at = freshFolder()
    const update = { ...PLAIN, update: true }
    writeFileSync(at('source'), 'text')
    utimesSync(at('source'), 1_000_000_000, 1_000_000_000)
    await migrateFile(at('source'), at('target'), PLAIN)
    appendFileSync(at('source'), ' and more')
    await expect(migrateFile(at('source'), at('target'), PLAIN)).rejects.toEqual(failed(at('target')))
    expect(await migrateFile(at('source'), at('target'), update)).toMatchObject({ outcome: 'migrated' })
    expect(readEncrypted(at('target')).toString()).toBe('text and more')
  })

  test.each([
    ['in it', (path: string) => EncryptedFile.appendFile(path, ' of the target', OPTIONS)],
    ['all of it', (path: string) => EncryptedFile.writeFile(path, 'text of the target', OPTIONS)],
  ])('is not made again where somebody has written %s', async (_, write) => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    await migrateFile(at('source'), at('target'), PLAIN)
    await write(at('target'))
    appendFileSync(at('source'), ' and more')
    utimesSync(at('source'), Date.now() / 1000 + 10, Date.now() / 1000 + 10)
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, update: true })).rejects.toEqual(failed(at('target')))
    expect(readEncrypted(at('target')).toString()).toBe('text of the target')
  })
})

describe('the source', () => {
  test.each([
    ['is written to', (path: string) => appendFileSync(path, 'x')],
    [
      'is written to, and its time set back',
      (path: string) => {
        const { atime, mtime } = statSync(path)
        const bytes = readFileSync(path)
        bytes[5_000_000]! ^= 1
        writeFileSync(path, bytes)
        utimesSync(path, atime, mtime)
      },
    ],
    ['is cut off', (path: string) => writeFileSync(path, 'x')],
  ])('that %s meanwhile is not taken over, at any moment', async (_, change) => {
    for (const phase of ['copying', 'verifying', 'confirming']) {
      for (const target of ['target', 'source']) {
        const at = freshFolder()
        writeFileSync(at('source'), LARGE)
        let changed = 0
        const onProgress = (progress: MigrationProgress): void => {
          if (progress.phase === phase && progress.done >= 2 ** 21 && changed++ === 0) change(at('source'))
        }
        const migrated = migrateFile(at('source'), at(target), { ...PLAIN, removeSource: true, onProgress })
        await expect(migrated, `${phase}, ${target}`).rejects.toEqual(failed(at('source')))
        expect(changed).toBeGreaterThan(0)
        expect(existsSync(at('source'))).toBe(true)
        // Nothing was lost: the source is there as it was changed, and beside it nothing but what it was before.
        expect(readFileSync(at('source')).subarray(0, 5)).not.toEqual(Buffer.from('\xd3SEAL', 'latin1'))
        const rest = readdirSync(at()).filter((name) => name !== 'source')
        expect(rest).toEqual(phase === 'confirming' && target === 'target' ? ['target'] : [])
      }
    }
  })

  test('is removed when that is asked for, and not before the target is there', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    expect(await migrateFile(at('source'), at('target'), PLAIN)).toMatchObject({ isSourceRemoved: false })
    const again = await migrateFile(at('source'), at('target'), { ...PLAIN, removeSource: true })
    expect(again).toMatchObject({ outcome: 'present', isSourceRemoved: true })
    expect(readdirSync(at())).toEqual(['target'])
    await writeAicoFile(at('other'), 'text', ACCESS)
    await migrateFile(at('other'), at('other.enc'), { ...FROM_AICO, removeSource: true })
    expect(readdirSync(at()).sort()).toEqual(['other.enc', 'target'])
  })

  test('is not removed where it is a link', async () => {
    const at = freshFolder()
    writeFileSync(at('file'), 'text')
    symlinkSync('file', at('link'))
    await expect(migrateFile(at('link'), at('target'), { ...PLAIN, removeSource: true })).rejects.toEqual(failed(at('link')))
    expect(await migrateFile(at('link'), at('target'), PLAIN)).toMatchObject({ outcome: 'migrated' })
    linkSync(at('file'), at('second'))
    await migrateFile(at('second'), at('second'), PLAIN)
    expect(readFileSync(at('file'), 'utf8')).toBe('text')
  })

  test('is told apart from what is not one', async () => {
    const at = freshFolder()
    mkdirSync(at('folder'))
    await expect(migrateFile(at('folder'), at('target'), PLAIN)).rejects.toEqual(failed(at('folder')))
    await expect(migrateFile(at('none'), at('target'), PLAIN)).rejects.toMatchObject({ code: 'ENOENT', path: at('none') })
    await expect(migrateFile(at('none'), at('none'), PLAIN)).rejects.toMatchObject({ code: 'ENOENT', path: at('none') })
    writeFileSync(at('source'), 'text')
    await expect(migrateFile(at('source'), at('none/x'), PLAIN)).rejects.toMatchObject({ code: 'ENOENT', path: at('none') })
    writeEncrypted(at('ours'), 'text')
    await expect(migrateFile(at('ours'), at('target'), PLAIN)).rejects.toEqual(failed(at('ours')))
    await expect(migrateFile(at('ours'), at('target'), { ...PLAIN, from: 'plain' })).rejects.toEqual(failed(at('ours')))
  })

  test('that looks like AICO needs keys, or to be called plain', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'AICO is an acronym')
    await expect(migrateFile(at('source'), at('target'), PLAIN)).rejects.toEqual(failed(at('source')))
    await expect(migrateFile(at('source'), at('target'), FROM_AICO)).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, from: 'aico' })).rejects.toEqual(failed())
    await migrateFile(at('source'), at('target'), { ...PLAIN, from: 'plain' })
    expect(readEncrypted(at('target')).toString()).toBe('AICO is an acronym')
    writeFileSync(at('source'), 'another text')
    await expect(migrateFile(at('source'), at('other'), { ...FROM_AICO, from: 'aico' })).rejects.toEqual(
      sealfileError('ERR_SEALFILE_FORMAT'),
    )
  })

  test.each([
    ['flipped at the end', (bytes: Buffer) => bytes.fill(bytes.at(-1)! ^ 1, bytes.length - 1)],
    ['flipped in the middle', (bytes: Buffer) => bytes.fill(bytes[2_000_000]! ^ 1, 2_000_000, 2_000_001)],
    ['cut off', (bytes: Buffer) => bytes.subarray(0, -100)],
    ['cut off to 47 bytes', (bytes: Buffer) => bytes.subarray(0, 47)],
  ])('that is AICO and %s leaves nothing', async (_, damage) => {
    const at = freshFolder()
    await writeAicoFile(at('source'), LARGE, ACCESS)
    writeFileSync(at('source'), damage(readFileSync(at('source'))))
    const before = readFileSync(at('source'))
    for (const target of ['target', 'source']) {
      const migrated = migrateFile(at('source'), at(target), { ...FROM_AICO, removeSource: true })
      await expect(migrated).rejects.toMatchObject({
        code: expect.stringMatching(/WRONG_KEY|TRUNCATED/) as never,
        path: at('source'),
      })
    }
    expect(readFileSync(at('source')).equals(before)).toBe(true)
    expect(readdirSync(at())).toEqual(['source'])
  })

  test('that is AICO under other keys is told so', async () => {
    const at = freshFolder()
    await writeAicoFile(at('source'), 'text', ACCESS)
    const aico = { keys: AicoKeys.fromMasterKey(new Uint8Array(32)), purpose: 'config' }
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, aico })).rejects.toEqual(
      sealfileError('ERR_SEALFILE_WRONG_KEY'),
    )
    expect(readdirSync(at())).toEqual(['source'])
  })
})

describe('control', () => {
  test('progress goes from nothing to all, phase by phase', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), LARGE)
    const seen: MigrationProgress[] = []
    await migrateFile(at('source'), at('target'), { ...PLAIN, removeSource: true, onProgress: (progress) => seen.push(progress) })
    expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['copying', 'verifying', 'confirming'])
    for (const phase of ['copying', 'verifying', 'confirming']) {
      const steps = seen.filter((progress) => progress.phase === phase).map(({ done }) => done)
      expect(steps.at(0)).toBe(0)
      expect(steps.at(-1)).toBe(LARGE.length)
      expect(steps).toEqual([...steps].sort((a, b) => a - b))
    }
  })

  test('a signal ends it at any moment, and nothing is left', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), LARGE)
    for (const phase of ['', 'copying', 'verifying', 'confirming']) {
      const controller = new AbortController()
      if (phase === '') controller.abort()
      const onProgress = (progress: MigrationProgress): void => {
        if (progress.phase === phase && progress.done > 0) controller.abort()
      }
      const migrated = migrateFile(at('source'), at('source'), { ...PLAIN, signal: controller.signal, onProgress })
      await expect(migrated, phase).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(readFileSync(at('source')).equals(LARGE)).toBe(true)
      expect(readdirSync(at())).toEqual(['source'])
    }
  })

  test('a dry run tells what would be done, and does nothing', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    const dry = { ...PLAIN, dryRun: true, removeSource: true }
    expect(await migrateFile(at('source'), at('none/target'), dry)).toMatchObject({ outcome: 'migrated', size: 4, isDryRun: true })
    expect(await migrateFile(at('source'), at('source'), dry)).toMatchObject({ outcome: 'migrated', isSourceRemoved: false })
    expect(readdirSync(at())).toEqual(['source'])
    await migrateFile(at('source'), at('target'), PLAIN)
    expect(await migrateFile(at('source'), at('target'), dry)).toMatchObject({ outcome: 'present', isDryRun: true })
    expect(readFileSync(at('source'), 'utf8')).toBe('text')
  })

  test("two at a time do not get in each other's way", async () => {
    const at = freshFolder()
    writeFileSync(at('source'), LARGE)
    const both = await Promise.allSettled([1, 2].map(() => migrateFile(at('source'), at('target'), PLAIN)))
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(both.find((outcome) => outcome.status === 'rejected')?.reason).toEqual(sealfileError('ERR_SEALFILE_LOCKED'))
    const waiting = { ...PLAIN, lockTimeout: 20_000 }
    const later = await Promise.all([1, 2].map(() => migrateFile(at('source'), at('second'), waiting)))
    expect(later.map(({ outcome }) => outcome).sort()).toEqual(['migrated', 'present'])
    expect(readdirSync(at()).sort()).toEqual(['second', 'source', 'target'])
  })

  test('a writer of the target is not disturbed', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    await using file = await EncryptedFile.open(at('target'), 'w', OPTIONS)
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, overwrite: true })).rejects.toEqual(
      sealfileError('ERR_SEALFILE_LOCKED'),
    )
    await file.write('other')
  })

  test('something that takes the name meanwhile is left alone', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    const onProgress = ({ phase }: MigrationProgress): void => {
      if (phase === 'verifying') writeFileSync(at('target'), 'somebody was faster')
    }
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, onProgress })).rejects.toEqual(failed(at('target')))
    expect(readFileSync(at('target'), 'utf8')).toBe('somebody was faster')
  })

  test('what does not read back is not put in place', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), patternBytes(100_000))
    const onProgress = ({ phase, done }: MigrationProgress): void => {
      if (phase !== 'verifying' || done > 0) return
      const [temporary] = readdirSync(at()).filter((name) => name.endsWith('.sealfile-tmp'))
      const bytes = readFileSync(at(temporary))
      bytes[50_000]! ^= 1
      writeFileSync(at(temporary), bytes)
    }
    for (const target of ['target', 'source']) {
      const migrated = migrateFile(at('source'), at(target), { ...PLAIN, removeSource: true, onProgress })
      await expect(migrated).rejects.toEqual(failed(at(target)))
    }
    expect(readFileSync(at('source')).equals(patternBytes(100_000))).toBe(true)
    expect(readdirSync(at())).toEqual(['source'])
  })

  test('another file in the place of the new one is not put in place', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    const onProgress = ({ phase, done }: MigrationProgress): void => {
      if (phase !== 'verifying' || done > 0) return
      const [temporary] = readdirSync(at()).filter((name) => name.endsWith('.sealfile-tmp'))
      writeEncrypted(at(temporary), 'TEXT')
    }
    const error: unknown = await migrateFile(at('source'), at('target'), { ...PLAIN, onProgress }).catch((error: unknown) => error)
    expect(error).toEqual(failed(at('target')))
    expect((error as Error).message).toContain('does not read back as the source')
    expect(readdirSync(at())).toEqual(['source'])
  })

  test('a target whose name leads in a circle is told in the words of the system, whenever that comes to be', async () => {
    const at = freshFolder()
    writeFileSync(at('source'), 'text')
    symlinkSync('loop', at('loop'))
    await expect(migrateFile(at('source'), at('loop'), PLAIN)).rejects.toMatchObject({ code: 'ELOOP', path: at('loop') })
    const onProgress = ({ phase, done }: MigrationProgress): void => {
      if (phase === 'verifying' && done === 0) symlinkSync('target', at('target'))
    }
    await expect(migrateFile(at('source'), at('target'), { ...PLAIN, onProgress })).rejects.toMatchObject({
      code: 'ELOOP',
      path: at('target'),
    })
    expect(readdirSync(at()).sort()).toEqual(['loop', 'source', 'target'])
  })

  test('a keyring that cannot be read is no word on the target', async () => {
    const at = freshFolder()
    const [passphrase, gone] = ['x', { code: 'ENOENT', path: at('keyring.json') }]
    const argon2 = { memoryKiB: 8, passes: 1, lanes: 1 }
    using locking = await KeyManager.create(at('keyring.json'), { passphrase, argon2, unlock: () => ({ passphrase }) })
    const options = { ...PLAIN, keyManager: locking, compareContent: true }
    writeFileSync(at('source'), 'text')
    await migrateFile(at('source'), at('target'), options)
    const before = readFileSync(at('target'))
    const lose = (): void => {
      locking.lock()
      if (existsSync(at('keyring.json'))) renameSync(at('keyring.json'), at('elsewhere'))
    }
    // Before the target is opened, and before it is read.
    lose()
    await expect(migrateFile(at('source'), at('target'), { ...options, overwrite: true })).rejects.toMatchObject(gone)
    renameSync(at('elsewhere'), at('keyring.json'))
    const onProgress = ({ phase }: MigrationProgress): void => {
      if (phase === 'comparing') lose()
    }
    await expect(migrateFile(at('source'), at('target'), { ...options, onProgress })).rejects.toMatchObject(gone)
    expect(readFileSync(at('target'))).toEqual(before)
    renameSync(at('elsewhere'), at('keyring.json'))
    expect(await migrateFile(at('source'), at('target'), options)).toMatchObject({ outcome: 'present' })
    expect(readdirSync(at()).sort()).toEqual(['keyring.json', 'source', 'target'])
  })

  test.each([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, purpose: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, from: 'zip' }, 'ERR_INVALID_ARG_VALUE'],
    [{ ...PLAIN, aico: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, removeSource: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, overwrite: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, onProgress: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ...PLAIN, segmentSize: 5 }, 'ERR_OUT_OF_RANGE'],
  ])('misuse is told: %o', async (options, code) => {
    await expect(migrateFile('a', 'b', options as never)).rejects.toMatchObject({ code })
    await expect(migrateFile(5 as never, 'b', PLAIN)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

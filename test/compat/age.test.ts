import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { armor, Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  detectFormat,
  exportToAge,
  migrateDirectory,
  migrateFile,
  type ExportAgeOptions,
  type MigrateFileOptions,
  type MigrationProgress,
} from '../../src/compat.js'
import { addArmor, removeArmor } from '../../src/compat/age-armor.js'
import { OPTIONS, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let count = 0

function freshFolder(): (name?: string) => string {
  const folder = inFolder(`folder-${count++}`)
  mkdirSync(folder)
  return (name = '.') => join(folder, name)
}

const { keyManager, purpose, segmentSize } = OPTIONS
const PASSPHRASE = 'Ünïted-кит-世界'
/** Cheap, for tests. */
const WORK_FACTOR = 8
let identity: string
let recipient: string
let importing: Omit<MigrateFileOptions, 'onProgress'>
let exporting: ExportAgeOptions

beforeAll(async () => {
  identity = await generateX25519Identity()
  recipient = await identityToRecipient(identity)
  importing = { keyManager, purpose, segmentSize, age: { identities: [identity], passphrase: PASSPHRASE } }
  exporting = { keyManager, purpose, recipients: [recipient] }
})

/** Has the package make a file. */
async function makeAge(
  content: Uint8Array,
  { passphrase, isArmored = false }: { passphrase?: string; isArmored?: boolean } = {},
): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  if (passphrase === undefined) encrypter.addRecipient(recipient)
  else {
    encrypter.setPassphrase(passphrase)
    encrypter.setScryptWorkFactor(WORK_FACTOR)
  }
  const file = await encrypter.encrypt(content)
  return isArmored ? Buffer.from(armor.encode(file)) : file
}

const LENGTHS = [0, 1, 65_535, 65_536, 65_537, 1_000_000]

describe('files of the package are taken over', () => {
  test.each(LENGTHS)('%i bytes', async (length) => {
    const at = freshFolder()
    const content = patternBytes(length)
    for (const passphrase of [undefined, PASSPHRASE]) {
      for (const isArmored of [false, true]) {
        const name = `${passphrase === undefined ? 'key' : 'passphrase'}-${isArmored}`
        writeFileSync(at(name), await makeAge(content, { ...(passphrase === undefined ? {} : { passphrase }), isArmored }))
        const format = isArmored ? 'age-armored' : 'age'
        expect(await migrateFile(at(name), at(`${name}.enc`), importing)).toMatchObject({
          format,
          outcome: 'migrated',
          size: length,
        })
        expect(readEncrypted(at(`${name}.enc`)).equals(content)).toBe(true)
        expect(await migrateFile(at(name), at(`${name}.enc`), { ...importing, from: 'age' })).toMatchObject({
          outcome: 'present',
          size: length,
        })
      }
    }
  })

  test('in place, and in folders', async () => {
    const at = freshFolder()
    writeFileSync(at('one'), await makeAge(Buffer.from('one')))
    writeFileSync(at('two'), await makeAge(Buffer.from('two'), { isArmored: true }))
    writeFileSync(at('three'), 'three')
    expect(await migrateDirectory(at(), at(), importing)).toMatchObject({ migrated: 3, failures: [] })
    for (const name of ['one', 'two', 'three']) expect(readEncrypted(at(name)).toString()).toBe(name)
  })
})

test('a signal that ends the reading of a file is not taken for damage', async () => {
  const at = freshFolder()
  writeFileSync(at('source'), await makeAge(patternBytes(2_500_000)))
  await migrateFile(at('source'), at('target'), importing)
  const controller = new AbortController()
  const onProgress = ({ phase, done }: MigrationProgress): void => {
    if (phase === 'comparing' && done > 0) controller.abort()
  }
  const again = migrateFile(at('source'), at('target'), { ...importing, signal: controller.signal, onProgress })
  await expect(again).rejects.toMatchObject({ code: 'ABORT_ERR' })
  expect(readdirSync(at()).sort()).toEqual(['source', 'target'])
})

describe('files are made that the package opens', () => {
  test.each(LENGTHS)('%i bytes', async (length) => {
    const at = freshFolder()
    const content = patternBytes(length)
    writeEncrypted(at('source'), content)
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    decrypter.addPassphrase(PASSPHRASE)
    for (const target of [exporting, { keyManager, purpose, passphrase: PASSPHRASE, workFactor: WORK_FACTOR }]) {
      for (const isArmored of [false, true]) {
        await exportToAge(at('source'), at('target'), { ...target, armor: isArmored, overwrite: true })
        expect(await detectFormat(at('target'))).toBe(isArmored ? 'age-armored' : 'age')
        const file = readFileSync(at('target'))
        const bytes = isArmored ? armor.decode(file.toString()) : file
        expect(Buffer.from(await decrypter.decrypt(bytes)).equals(content)).toBe(true)
      }
    }
    expect(readdirSync(at()).sort()).toEqual(['source', 'target'])
  })

  test('with nothing that was there replaced unless asked for', async () => {
    const at = freshFolder()
    writeEncrypted(at('source'), 'text')
    writeFileSync(at('target'), 'old')
    await expect(exportToAge(at('source'), at('target'), exporting)).rejects.toMatchObject({ code: 'EEXIST', path: at('target') })
    expect(readFileSync(at('target'), 'utf8')).toBe('old')
    chmodSync(at('target'), 0o600)
    await exportToAge(at('source'), at('target'), { ...exporting, overwrite: true })
    expect(statSync(at('target')).mode & 0o777).toBe(0o600)
    await exportToAge(at('source'), at('other'), { ...exporting, mode: 0o640 })
    expect(statSync(at('other')).mode & 0o777).toBe(0o640)
  })

  test('with what took the name meanwhile left alone', async () => {
    const at = freshFolder()
    writeEncrypted(at('source'), 'text')
    const onProgress = (): void => writeFileSync(at('target'), 'somebody was faster')
    const exported = exportToAge(at('source'), at('target'), { ...exporting, onProgress })
    await expect(exported).rejects.toMatchObject({ code: 'EEXIST', path: at('target') })
    expect(readFileSync(at('target'), 'utf8')).toBe('somebody was faster')
    expect(readdirSync(at()).sort()).toEqual(['source', 'target'])
  })

  test('and none of a damaged source', async () => {
    const at = freshFolder()
    writeEncrypted(at('source'), patternBytes(300_000))
    const bytes = readFileSync(at('source'))
    bytes[280_000]! ^= 1
    writeFileSync(at('source'), bytes)
    await expect(exportToAge(at('source'), at('target'), exporting)).rejects.toEqual(
      sealfileError('ERR_SEALFILE_CORRUPTED', { path: at('source') }),
    )
    const controller = new AbortController()
    const aborted = exportToAge(at('source'), at('target'), {
      ...exporting,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await expect(exportToAge(at('none'), at('target'), exporting)).rejects.toMatchObject({ code: 'ENOENT', path: at('none') })
    expect(readdirSync(at())).toEqual(['source'])
  })

  test.each([
    [{ recipients: undefined }, 'ERR_INVALID_ARG_VALUE'],
    [{ recipients: [] }, 'ERR_INVALID_ARG_VALUE'],
    [{ passphrase: 'both' }, 'ERR_INVALID_ARG_VALUE'],
    [{ recipients: 'age1x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ recipients: [5] }, 'ERR_INVALID_ARG_TYPE'],
    [{ recipients: ['age1nonsense'] }, 'ERR_INVALID_ARG_VALUE'],
    [{ recipients: undefined, passphrase: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ recipients: undefined, passphrase: 'x', workFactor: 23 }, 'ERR_OUT_OF_RANGE'],
    [{ armor: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ purpose: undefined }, 'ERR_INVALID_ARG_TYPE'],
  ])('misuse is told: %o', async (change, code) => {
    const at = freshFolder()
    writeEncrypted(at('source'), 'text')
    await expect(exportToAge(at('source'), at('target'), { ...exporting, ...change } as never)).rejects.toMatchObject({ code })
    expect(readdirSync(at())).toEqual(['source'])
  })
})

describe('what is not whole, or not for us, leaves nothing', () => {
  /** Imports a file in both ways that could leave something. @returns the error's code. */
  async function refusal(file: Uint8Array, options: Partial<MigrateFileOptions> = {}): Promise<unknown> {
    const at = freshFolder()
    writeFileSync(at('source'), file)
    const codes: unknown[] = []
    for (const target of ['target', 'source']) {
      const request = { ...importing, from: 'age' as const, removeSource: true, ...options }
      const error: unknown = await migrateFile(at('source'), at(target), request).catch((error: unknown) => error)
      codes.push((error as { readonly code?: unknown }).code)
      expect(error).toMatchObject({ path: at('source') })
    }
    expect(readFileSync(at('source')).equals(file)).toBe(true)
    expect(readdirSync(at())).toEqual(['source'])
    expect(codes[0]).toBe(codes[1])
    return codes[0]
  }

  test('every flipped byte is found', async () => {
    const file = await makeAge(patternBytes(100))
    const armored = await makeAge(patternBytes(100), { isArmored: true })
    for (const [whole, from] of [
      [file, 22],
      [armored, 36],
    ] as const) {
      for (let at = from; at < whole.length; at += 3) {
        const damaged = Buffer.from(whole)
        damaged[at]! ^= 1
        expect(await refusal(damaged), `byte ${at}`).toMatch(/_(FORMAT_HEADER|FORMAT_VERSION|CORRUPTED|WRONG_KEY|TRUNCATED)$/)
      }
    }
  })

  test('every cut is found', async () => {
    const file = await makeAge(patternBytes(140_000))
    const armored = await makeAge(patternBytes(1_000), { isArmored: true })
    const header = Buffer.from(file).indexOf('\n---')
    expect(await refusal(file.subarray(0, header))).toBe('ERR_SEALFILE_TRUNCATED')
    for (const cut of [1, 15, 16, 17, 140_000 % 65_536, (140_000 % 65_536) + 16, 70_000]) {
      expect(await refusal(file.subarray(0, -cut)), `${cut}`).toBe('ERR_SEALFILE_CORRUPTED')
    }
    for (const cut of [5, 34, 40, 100, 900])
      expect(await refusal(armored.subarray(0, -cut)), `${cut}`).toBe('ERR_SEALFILE_TRUNCATED')
    expect(await refusal(Buffer.concat([file, Buffer.alloc(1)]))).toBe('ERR_SEALFILE_CORRUPTED')
    expect(await refusal(Buffer.concat([armored, Buffer.from('x')]))).toBe('ERR_SEALFILE_FORMAT_HEADER')
  })

  test('another key or passphrase is told, and a file that is none', async () => {
    const other = await generateX25519Identity()
    expect(await refusal(await makeAge(patternBytes(10)), { age: { identities: [other] } })).toBe('ERR_SEALFILE_WRONG_KEY')
    const locked = await makeAge(patternBytes(10), { passphrase: 'another' })
    expect(await refusal(locked)).toBe('ERR_SEALFILE_WRONG_KEY')
    expect(await refusal(locked, { age: undefined })).toBe('ERR_SEALFILE_MIGRATION')
    expect(await refusal(Buffer.from('plain text'))).toBe('ERR_SEALFILE_FORMAT')
    expect(await refusal(Buffer.from('age-encryption.org/v2\nx'))).toBe('ERR_SEALFILE_FORMAT_VERSION')
  })

  test('a passphrase that costs too much is not tried', async () => {
    const file = Buffer.from(await makeAge(patternBytes(10), { passphrase: PASSPHRASE })).toString('latin1')
    for (const factor of ['21', '63', '999999999999999999999']) {
      expect(await refusal(Buffer.from(file.replace(/(-> scrypt \S+) 8\n/, `$1 ${factor}\n`), 'latin1'))).toBe('ERR_SEALFILE_LIMIT')
    }
    const age = { passphrase: PASSPHRASE, maxWorkFactor: 7 }
    expect(await refusal(Buffer.from(file, 'latin1'), { age })).toBe('ERR_SEALFILE_LIMIT')
    for (const stanza of [
      '-> scrypt x 8',
      '-> scrypt',
      '-> scrypt AAAAAAAAAAAAAAAAAAAAAA 08',
      '-> scrypt AAAAAAAAAAAAAAAAAAAAAA 8 8',
    ]) {
      expect(await refusal(Buffer.from(file.replace(/-> scrypt \S+ 8/, stanza), 'latin1'))).toBe('ERR_SEALFILE_FORMAT_HEADER')
    }
  })

  test('a header or a line that goes on for ever is refused', async () => {
    const endless = `age-encryption.org/v1\n-> X25519 ${'x'.repeat(3_000_000)}`
    expect(await refusal(Buffer.from(endless))).toBe('ERR_SEALFILE_FORMAT_HEADER')
    expect(await refusal(Buffer.from(`age-encryption.org/v1\n${'-> x y\n\n'.repeat(50_000)}`))).toBe('ERR_SEALFILE_FORMAT_HEADER')
    const line = `-----BEGIN AGE ENCRYPTED FILE-----\n${'A'.repeat(3_000_000)}`
    expect(await refusal(Buffer.from(line))).toBe('ERR_SEALFILE_FORMAT_HEADER')
  })

  test.each([
    [{}, 'ERR_INVALID_ARG_VALUE'],
    [5, 'ERR_INVALID_ARG_TYPE'],
    [{ identities: ['AGE-SECRET-KEY-1NONSENSE'] }, 'ERR_INVALID_ARG_VALUE'],
    [{ identities: [5] }, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: 'x', maxWorkFactor: 23 }, 'ERR_OUT_OF_RANGE'],
  ])('%o opens nothing', async (age, code) => {
    const at = freshFolder()
    writeFileSync(at('source'), await makeAge(patternBytes(10)))
    const error: unknown = await migrateFile(at('source'), at('target'), { ...importing, age: age as never }).catch(
      (error: unknown) => error,
    )
    expect(error).toMatchObject({ code })
    expect((error as Error).message).not.toContain('NONSENSE')
  })
})

describe('armor', () => {
  async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < bytes.length; done += length) yield await Promise.resolve(bytes.subarray(done, done + length))
  }
  async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const all: Uint8Array[] = []
    for await (const piece of pieces) all.push(piece)
    return Buffer.concat(all)
  }

  propertyTest.prop([fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.integer({ min: 1, max: 200 })])(
    'is that of the package, in whatever pieces',
    async (bytes, length) => {
      const armored = await collect(addArmor(inPieces(bytes, length)))
      expect(armored.toString()).toBe(armor.encode(bytes))
      expect([...(await collect(removeArmor(inPieces(armored, length), 'x')))]).toEqual([...bytes])
      const crlf = Buffer.from(` \n\r\n${armored.toString().replaceAll('\n', '\r\n')} \r\n\t`)
      expect([...(await collect(removeArmor(inPieces(crlf, length), 'x')))]).toEqual([...bytes])
    },
  )

  const [begin, end] = ['-----BEGIN AGE ENCRYPTED FILE-----', '-----END AGE ENCRYPTED FILE-----']
  const full = 'A'.repeat(64)
  test.each([
    ['no first line', `${full}\n${end}`],
    ['a long line', `${begin}\n${full}AAAA\n${end}`],
    ['a short line in the middle', `${begin}\nAAAA\n${full}\n${end}`],
    ['an empty line', `${begin}\n\n${full}\n${end}`],
    ['other letters', `${begin}\n${'-'.repeat(64)}\n${end}`],
    ['bits that are not used', `${begin}\nAAB=\n${end}`],
    ['no padding', `${begin}\nAAA\n${end}`],
    ['padding in the middle', `${begin}\n${'A'.repeat(62)}==\n${full}\n${end}`],
    ['something behind it', `${begin}\nAAAA\n${end}\nx`],
    ['too much white space before it', `${' \n'.repeat(600)}${begin}\nAAAA\n${end}`],
  ])('with %s is refused', async (_, text) => {
    for (const length of [1, 7, 10_000]) {
      const reading = collect(removeArmor(inPieces(Buffer.from(text), length), 'x'))
      await expect(reading).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT_HEADER', { path: 'x' }))
    }
  })
})

const hasAge = spawnSync('age', ['--version']).status === 0
const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0

describe.runIf(hasAge)('the age command', () => {
  const age = (...args: string[]): Buffer => {
    const { status, stdout, stderr } = spawnSync('age', args, { maxBuffer: 2 ** 24 })
    expect(stderr.toString()).toBe('')
    expect(status).toBe(0)
    return stdout
  }

  test.each(LENGTHS)('opens what we make and makes what we open: %i bytes', async (length) => {
    const at = freshFolder()
    const content = patternBytes(length)
    writeFileSync(at('key'), `${identity}\n`)
    writeFileSync(at('plain'), content)
    writeEncrypted(at('ours'), content)
    for (const isArmored of [false, true]) {
      age('-r', recipient, ...(isArmored ? ['-a'] : []), '-o', at('theirs'), at('plain'))
      await migrateFile(at('theirs'), at('imported'), { ...importing, overwrite: true })
      expect(readEncrypted(at('imported')).equals(content)).toBe(true)
      await exportToAge(at('ours'), at('exported'), { ...exporting, armor: isArmored, overwrite: true })
      expect(age('-d', '-i', at('key'), at('exported')).equals(content)).toBe(true)
    }
  })

  test.runIf(hasScript)('by passphrase as well, which it reads from a terminal', async () => {
    const at = freshFolder()
    const passphrase = 'correct horse battery staple'
    /** Answers what is asked, once for each question. */
    const answer = (command: string, times: number): void => {
      const typed = Array(times).fill(`sleep 1; printf '%s\\n' '${passphrase}'`).join('; ')
      const { status, stdout } = spawnSync(
        'sh',
        ['-c', `(${typed}; sleep 3) 2>/dev/null | script -qefc ${JSON.stringify(command)} /dev/null & wait $!`],
        {
          encoding: 'utf8',
          timeout: 40_000,
        },
      )
      expect(status, stdout).toBe(0)
    }
    writeEncrypted(at('ours'), 'a secret')
    await exportToAge(at('ours'), at('exported'), { keyManager, purpose, passphrase })
    answer(`age -d -o '${at('back')}' '${at('exported')}'`, 1)
    expect(readFileSync(at('back'), 'utf8')).toBe('a secret')
    writeFileSync(at('plain'), 'another secret')
    answer(`age -p -o '${at('theirs')}' '${at('plain')}'`, 2)
    await migrateFile(at('theirs'), at('imported'), { ...importing, age: { passphrase } })
    expect(readEncrypted(at('imported')).toString()).toBe('another secret')
  })
})

test.skipIf(hasAge)('the age command is not installed: apt-get install age', () => expect(hasAge).toBe(false))

test('without the package it is told which one is missing', async () => {
  const at = freshFolder()
  writeFileSync(at('source'), await makeAge(patternBytes(10)))
  await build({
    entryPoints: [
      fileURLToPath(new URL('../../src/compat.ts', import.meta.url)),
      fileURLToPath(new URL('../../src/index.ts', import.meta.url)),
    ],
    outdir: at(),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['age-encryption'],
    logLevel: 'error',
  })
  const script = `
    import { KeyManager, PackageMissingError } from './index.mjs'
    import { migrateFile } from './compat.mjs'
    const options = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(1)), purpose: 'x', age: { passphrase: 'x' } }
    const error = await migrateFile('source', 'target', options).catch((error) => error)
    console.log(error instanceof PackageMissingError, error.code, error.message)`
  writeFileSync(at('script.mjs'), script)
  const { stdout, stderr } = spawnSync(process.execPath, ['script.mjs'], { cwd: at(), encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^true ERR_SEALFILE_PACKAGE_MISSING .*'age-encryption'/)
  expect(readdirSync(at())).not.toContain('target')
})

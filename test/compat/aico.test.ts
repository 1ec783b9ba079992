import { inspect } from 'node:util'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { test as propertyTest, fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { AicoKeys, inspectAico, isAicoFile, readAicoFile, writeAicoFile } from '../../src/compat.js'
import { sealAico } from '../../src/compat/aico-cipher.js'
import { AICO_LONGEST, checkAicoLength, createAicoHeader } from '../../src/compat/aico-format.js'
import { fileKeyOf } from '../../src/compat/aico-keys.js'
import { patternBytes, sealfileError } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { ACCESS, AICO } from './support.js'

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`${count++}.aico`)
const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** @returns the path of a file with this content. */
function put(content: Uint8Array): string {
  const path = freshPath()
  writeFileSync(path, content)
  return path
}

describe.each(AICO.files)('the frozen file for $purpose', (vector) => {
  const access = { keys: AicoKeys.fromMasterKey(hex(vector.masterKey)), purpose: vector.purpose }

  test('is read', async () => {
    expect(await readAicoFile(put(hex(vector.file)), { ...access, encoding: 'utf8' })).toBe(vector.text)
  })

  test('is what is written with its salt and nonce', async () => {
    const pieces: Uint8Array[] = []
    const header = createAicoHeader(hex(vector.salt), hex(vector.nonce))
    for await (const piece of sealAico([Buffer.from(vector.text)], access, header)) pieces.push(piece)
    expect(Buffer.concat(pieces).toString('hex')).toBe(vector.file)
  })

  test('has the file key', async () => {
    expect(Buffer.from(await fileKeyOf(access)).toString('hex')).toBe(vector.fileKey)
  })
})

describe('what is written is read', () => {
  const lengths = [0, 1, 47, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1, 3 * 2 ** 20 + 5]
  test.each(lengths)('%i bytes', async (length) => {
    const path = freshPath()
    const content = patternBytes(length)
    await writeAicoFile(path, content, ACCESS)
    expect(statSync(path).size).toBe(length + 48)
    expect((await readAicoFile(path, ACCESS)).equals(content)).toBe(true)
  })

  test('text that is not ASCII, at once and in pieces', async () => {
    const text = 'Grüße, мир, 世界, 🗝️\r\n'
    const [whole, pieces] = [freshPath(), freshPath()]
    await writeAicoFile(whole, text, ACCESS)
    expect(await readAicoFile(whole, { ...ACCESS, encoding: 'utf8' })).toBe(text)
    await writeAicoFile(pieces, Array.from(text), ACCESS)
    expect(await readAicoFile(pieces, { ...ACCESS, encoding: 'utf8' })).toBe(text)
    await writeAicoFile(whole, 'é', { ...ACCESS, encoding: 'latin1' })
    expect([...(await readAicoFile(whole, ACCESS))]).toEqual([0xe9])
  })

  propertyTest.prop([fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 4 })], { numRuns: 60 })(
    'in whatever pieces',
    async (content, cuts) => {
      const ends = [...cuts.map((cut) => Math.min(cut, content.length)).sort((a, b) => a - b), content.length]
      const path = freshPath()
      await writeAicoFile(
        path,
        ends.map((end, i) => content.subarray(ends[i - 1] ?? 0, end)),
        ACCESS,
      )
      expect([...(await readAicoFile(path, ACCESS))]).toEqual([...content])
    },
  )

  test('and no two files have the same salt and nonce', async () => {
    const path = freshPath()
    await writeAicoFile(path, 'text', ACCESS)
    const first = readFileSync(path)
    await writeAicoFile(path, 'text', ACCESS)
    const second = readFileSync(path)
    expect(first.subarray(4, 20)).not.toEqual(second.subarray(4, 20))
    expect(first.subarray(20, 32)).not.toEqual(second.subarray(20, 32))
  })
})

test('tells what can be known without a key', async () => {
  const { file, salt, nonce } = AICO.files[0]!
  const inspection = await inspectAico(put(hex(file)))
  expect(inspection).toEqual({
    algorithm: 'aes-256-gcm',
    keySize: 32,
    fileSize: 59,
    payloadSize: 11,
    overheadSize: 48,
    salt: new Uint8Array(hex(salt)),
    nonce: new Uint8Array(hex(nonce)),
  })
})

describe('files that are none, or not whole', () => {
  const whole = hex(AICO.files[0]!.file)

  test('every flipped bit is found, and nothing comes of it', async () => {
    for (let at = 4; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 1 << (at % 8)
      await expect(readAicoFile(put(damaged), ACCESS), `byte ${at}`).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
    }
  })

  test.each([4, 31, 32, 47])('%i bytes are too few', async (length) => {
    const path = put(whole.subarray(0, length))
    await expect(readAicoFile(path, ACCESS)).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path }))
    await expect(inspectAico(path)).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED'))
    expect(await isAicoFile(path)).toBe(true)
  })

  test.each([48, 58])('a cut to %i bytes does not authenticate', async (length) => {
    await expect(readAicoFile(put(whole.subarray(0, length)), ACCESS)).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
  })

  test('a byte more does not authenticate', async () => {
    await expect(readAicoFile(put(Buffer.concat([whole, Buffer.alloc(1)])), ACCESS)).rejects.toEqual(
      sealfileError('ERR_SEALFILE_WRONG_KEY'),
    )
  })

  test.each(['', 'A', 'AIC', 'aico', 'hello'])('%j is another format', async (text) => {
    const path = put(Buffer.from(text))
    await expect(readAicoFile(path, ACCESS)).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT', { path }))
    expect(await isAicoFile(path)).toBe(false)
  })

  test('system errors are as they are', async () => {
    const path = freshPath()
    for (const call of [() => readAicoFile(path, ACCESS), () => inspectAico(path), () => isAicoFile(path)]) {
      await expect(call()).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open', path })
    }
  })
})

describe('a key that does not fit', () => {
  const other = (): AicoKeys => AicoKeys.fromMasterKey(new Uint8Array(32))

  test('is told as what it may be: the key or damage', async () => {
    const path = put(hex(AICO.files[0]!.file))
    const keys = other()
    const wrong = await readAicoFile(path, { keys, purpose: 'config' }).catch((error: unknown) => error as Error)
    expect(wrong).toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY', { name: 'InvalidKeyError', path }))
    expect((wrong as Error).message).toMatch(/another key .* or it is damaged: it cannot be told which, file/)
    const purpose = readAicoFile(path, { ...ACCESS, purpose: 'logs' })
    await expect(purpose).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
  })

  test('is said to be less likely once the key has opened another file', async () => {
    const path = put(hex(AICO.files[0]!.file))
    await readAicoFile(path, ACCESS)
    truncateSync(path, 50)
    await expect(readAicoFile(path, ACCESS)).rejects.toThrow('with the same key another file was opened, so it is probably damaged')
  })
})

describe('limits', () => {
  test('are those of AES-GCM', async () => {
    expect(AICO_LONGEST).toBe(68_719_476_704)
    checkAicoLength(AICO_LONGEST)
    expect(() => checkAicoLength(AICO_LONGEST + 1)).toThrow(sealfileError('ERR_SEALFILE_LIMIT'))
    const path = put(Buffer.from('AICO'))
    truncateSync(path, AICO_LONGEST + 49)
    await expect(readAicoFile(path, ACCESS)).rejects.toEqual(sealfileError('ERR_SEALFILE_LIMIT'))
    truncateSync(path, AICO_LONGEST + 48)
    await expect(readAicoFile(path, ACCESS)).rejects.toMatchObject({ code: 'ERR_FS_FILE_TOO_LARGE' })
    expect((await inspectAico(path)).payloadSize).toBe(AICO_LONGEST)
  })
})

describe('writing is atomic', () => {
  const namesBeside = (path: string): string[] => readdirSync(dirname(path)).filter((name) => name.includes('sealfile'))

  test('what fails leaves the file as it was, and nothing else', async () => {
    const path = freshPath()
    await writeAicoFile(path, 'old', ACCESS)
    const old = readFileSync(path)
    const failing = function* (): Generator<string> {
      yield 'new'
      throw new Error('no more')
    }
    await expect(writeAicoFile(path, failing(), ACCESS)).rejects.toThrow('no more')
    await expect(writeAicoFile(path, [5 as never], ACCESS)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(writeAicoFile(path, 'x', { ...ACCESS, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await expect(writeAicoFile(inFolder('none/x'), 'x', ACCESS)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(writeAicoFile(dirname(path), 'x', ACCESS)).rejects.toMatchObject({ code: 'EISDIR' })
    expect(readFileSync(path)).toEqual(old)
    expect(namesBeside(path)).toEqual([])
  })

  test('a name that is no UTF-8 is refused', async () => {
    const path = Buffer.concat([Buffer.from(freshPath()), Buffer.from([0xff])])
    await expect(writeAicoFile(path, 'x', ACCESS)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(existsSync(path)).toBe(false)
  })

  test.skipIf(process.platform === 'win32')('a pipe stays one, whether somebody reads it or not', async () => {
    const path = freshPath()
    execFileSync('mkfifo', [path])
    await expect(writeAicoFile(path, 'x', ACCESS)).rejects.toMatchObject({ code: 'ENXIO' })
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    await expect(writeAicoFile(path, 'x', ACCESS)).rejects.toMatchObject({ code: 'EINVAL', path })
    closeSync(reader)
    expect(statSync(path).isFIFO()).toBe(true)
    expect(namesBeside(path)).toEqual([])
  })

  test('permissions are asked for, and kept', async () => {
    const path = freshPath()
    await writeAicoFile(path, 'one', { ...ACCESS, mode: 0o600 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await writeAicoFile(path, 'two', ACCESS)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
})

describe('keys', () => {
  test('are not shown', () => {
    const keys = AicoKeys.fromMasterKey(new Uint8Array(32).fill(7))
    for (const text of [String(keys), inspect(keys, { depth: 9, showHidden: true }), JSON.stringify({ keys })]) {
      expect(text).toContain('AicoKeys(redacted)')
      expect(text).not.toMatch(/7, ?7|0707/)
    }
  })

  test('are gone when they were disposed of', async () => {
    const keys = AicoKeys.fromMasterKey(new Uint8Array(32).fill(7))
    const key = await fileKeyOf({ keys: keys, purpose: 'logs' })
    expect(key.some((byte) => byte !== 0)).toBe(true)
    const running = fileKeyOf({ keys: keys, purpose: 'data' })
    keys.dispose()
    keys.dispose()
    await expect(running).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
    expect(key.every((byte) => byte === 0)).toBe(true)
    await expect(fileKeyOf({ keys: keys, purpose: 'logs' })).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
  })

  test('cost one run for each purpose', async () => {
    const keys = AicoKeys.fromMasterKey(new Uint8Array(32).fill(7))
    const [one, two] = await Promise.all([fileKeyOf({ keys: keys, purpose: 'a' }), fileKeyOf({ keys: keys, purpose: 'a' })])
    expect(one).toBe(two)
    expect(await fileKeyOf({ keys: keys, purpose: 'ä' })).not.toEqual(one)
  })

  test.each([
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['00'.repeat(32), 'ERR_INVALID_ARG_TYPE'],
    [new Uint8Array(31), 'ERR_OUT_OF_RANGE'],
  ])('%o is no master key', (key, code) => {
    expect(() => AicoKeys.fromMasterKey(key as never)).toThrow(expect.objectContaining({ code }) as never)
  })

  const salt = new Uint8Array(16)
  test.each([
    ['', { salt }, 'ERR_INVALID_ARG_VALUE'],
    ['secret\ud800', { salt }, 'ERR_INVALID_ARG_VALUE'],
    [5, { salt }, 'ERR_INVALID_ARG_TYPE'],
    ['secret', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['secret', { salt: '0011' }, 'ERR_INVALID_ARG_TYPE'],
    ['secret', { salt: new Uint8Array(8) }, 'ERR_OUT_OF_RANGE'],
  ])('are not made of %j with %o', async (passphrase, options, code) => {
    const error = await AicoKeys.fromPassphrase(passphrase as never, options as never).catch((error: unknown) => error)
    expect(error).toMatchObject({ code })
    expect((error as Error).message).not.toContain('secret')
  })

  test.runIf(process.env['SLOW'] === '1').each(AICO.masters)('are made of a passphrase, over 1 GiB', async (vector) => {
    const options = { salt: hex(vector.salt) }
    const keys = await AicoKeys.fromPassphrase(vector.passphrase, options)
    const expected = AicoKeys.fromMasterKey(hex(vector.masterKey))
    expect(await fileKeyOf({ keys: keys, purpose: 'config' })).toEqual(await fileKeyOf({ keys: expected, purpose: 'config' }))
  })

  test('are asked for', async () => {
    for (const options of [undefined, {}, { ...ACCESS, keys: {} }, { ...ACCESS, purpose: 5 }]) {
      await expect(readAicoFile('x', options as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
      await expect(writeAicoFile('x', 'x', options as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    }
    await expect(readAicoFile('x', { ...ACCESS, purpose: '\ud800' })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  })
})

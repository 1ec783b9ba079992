import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { AicoKeys, createAicoEncryptStream, createAicoReadStream, readAicoFile, writeAicoFile } from '../../src/compat.js'
import { patternBytes, sealfileError } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { ACCESS, AICO } from './support.js'

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`${count++}.aico`)

async function collect(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

test.each([0, 1, 2 ** 18, 2 ** 20 + 77])('%i bytes are encrypted and read back', async (length) => {
  const [plain, path] = [freshPath(), freshPath()]
  const content = patternBytes(length)
  writeFileSync(plain, content)
  await pipeline(createReadStream(plain), createAicoEncryptStream(ACCESS), createWriteStream(path))
  expect((await readAicoFile(path, ACCESS)).equals(content)).toBe(true)
  expect((await collect(createAicoReadStream(path, ACCESS))).equals(content)).toBe(true)
})

test('text is text, also where a letter lies in two pieces', async () => {
  const path = freshPath()
  const text = `x${'世'.repeat(200_000)}`
  const stream = createAicoEncryptStream(ACCESS)
  const written = pipeline(stream, createWriteStream(path))
  stream.write('x')
  stream.end(text.slice(1))
  await written
  let read = ''
  for await (const piece of createAicoReadStream(path, ACCESS).setEncoding('utf8')) read += piece as string
  expect(read === text).toBe(true)
})

describe('nothing comes out that was not authenticated', () => {
  test.each([40, 2 ** 18 + 40, 2 ** 19 + 47])('where byte %i is flipped', async (at) => {
    const path = freshPath()
    await writeAicoFile(path, patternBytes(2 ** 19), ACCESS)
    const bytes = readFileSync(path)
    bytes[at]! ^= 1
    writeFileSync(path, bytes)
    const stream = createAicoReadStream(path, ACCESS)
    const seen: unknown[] = []
    stream.on('data', (piece) => seen.push(piece))
    const error = await new Promise((resolve) => stream.on('error', resolve))
    expect(error).toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY', { path }))
    expect(seen).toEqual([])
  })

  test('where the file changes between the two passes', async () => {
    const path = freshPath()
    const content = patternBytes(6 * 2 ** 18)
    await writeAicoFile(path, content, ACCESS)
    const stream = createAicoReadStream(path, ACCESS)
    const seen: Buffer[] = []
    const reading = (async () => {
      for await (const piece of stream) {
        seen.push(piece as Buffer)
        if (seen.length > 1) continue
        const file = await open(path, 'r+')
        await file.write(Buffer.of(1, 2, 3, 4), 0, 4, 5 * 2 ** 18)
        await file.close()
      }
    })()
    await expect(reading).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { path }))
    const whole = Buffer.concat(seen)
    expect(whole.length).toBeGreaterThan(0)
    expect(content.subarray(0, whole.length).equals(whole)).toBe(true)
  })

  test('where the file is cut off between the two passes', async () => {
    const path = freshPath()
    await writeAicoFile(path, patternBytes(6 * 2 ** 18), ACCESS)
    const reading = (async () => {
      const stream = createAicoReadStream(path, ACCESS).on('data', () => writeFileSync(path, 'AICO'))
      await finished(stream)
    })()
    await expect(reading).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { path }))
  })
})

test('streams end with what is wrong', async () => {
  const path = freshPath()
  await expect(collect(createAicoReadStream(path, ACCESS))).rejects.toMatchObject({ code: 'ENOENT' })
  const keys = AicoKeys.fromMasterKey(new Uint8Array(32))
  keys.dispose()
  const encrypting = pipeline(['x'], createAicoEncryptStream({ keys, purpose: 'x' }), createWriteStream(path))
  await expect(encrypting).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
  writeFileSync(path, Buffer.from(AICO.files[0]!.file, 'hex'))
  const aborted = createAicoReadStream(path, { ...ACCESS, signal: AbortSignal.abort() })
  await expect(collect(aborted)).rejects.toMatchObject({ code: 'ABORT_ERR' })
  const abortedWrite = pipeline(['x'], createAicoEncryptStream({ ...ACCESS, signal: AbortSignal.abort() }), createWriteStream(path))
  await expect(abortedWrite).rejects.toMatchObject({ code: 'ABORT_ERR' })
  for (const options of [undefined, {}, { ...ACCESS, signal: 5 }]) {
    expect(() => createAicoReadStream(path, options as never)).toThrow(TypeError)
    expect(() => createAicoEncryptStream(options as never)).toThrow(TypeError)
  }
})

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What streams on encrypted handles must do where Node's own handle has nothing to show, or would never close. */

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`own-${count++}`)
const CONTENT = patternBytes(10_000)

async function opened(flags: string): Promise<EncryptedFile> {
  const path = freshPath()
  writeEncrypted(path, CONTENT)
  return EncryptedFile.open(path, flags, OPTIONS)
}

/** Opens a file whose third segment is damaged: what lies behind 8,192 bytes. */
async function damaged(): Promise<EncryptedFile> {
  const path = freshPath()
  writeEncrypted(path, CONTENT)
  const bytes = readFileSync(path)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(path, bytes)
  return EncryptedFile.open(path, 'r', OPTIONS)
}

const DAMAGE = sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 2 })

/** @returns whether a handle closes, and does so soon. */
const closesSoon = (file: EncryptedFile): Promise<boolean> =>
  Promise.race([file.close().then(() => true), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1_000))])

describe('a handle closes', () => {
  test('though streams that have finished without autoClose are left', async () => {
    const file = await opened('r+')
    for (const text of ['abc', 'def']) await finished(file.createWriteStream({ autoClose: false }).end(text))
    expect(await closesSoon(file)).toBe(true)
    expect(file.fd).toBe(-1)
  })

  test('though streams that have ended without autoClose are left', async () => {
    const file = await opened('r')
    for (let i = 0; i < 3; i++) await finished(file.createReadStream({ start: i, autoClose: false }).resume())
    expect(await closesSoon(file)).toBe(true)
    expect(file.fd).toBe(-1)
  })

  test('though a web stream cannot read, or has failed', async () => {
    const writer = await opened('a')
    const reader = writer.readableWebStream().getReader()
    await expect(reader.read()).rejects.toMatchObject({ code: 'EBADF', syscall: 'read' })
    await expect(reader.closed).rejects.toMatchObject({ code: 'EBADF' })
    expect(await closesSoon(writer)).toBe(true)
  })

  test('though a stream was aborted before it began', async () => {
    for (const flags of ['r', 'w']) {
      const file = await opened(flags)
      const signal = AbortSignal.abort()
      const stream = flags === 'r' ? file.createReadStream({ signal }) : file.createWriteStream({ signal })
      await expect(finished(stream)).rejects.toMatchObject({ name: 'AbortError' })
      expect(await closesSoon(file)).toBe(true)
      expect(file.fd).toBe(-1)
    }
  })
})

describe('damage', () => {
  test('fails a read stream, behind what lies before it, and closes the handle', async () => {
    const file = await damaged()
    const stream = file.createReadStream({ highWaterMark: 4_096 })
    const chunks: Buffer[] = []
    const failing = (async () => {
      for await (const chunk of stream) chunks.push(chunk as Buffer)
    })()
    await expect(failing).rejects.toEqual(DAMAGE)
    expect(Buffer.concat(chunks)).toEqual(CONTENT.subarray(0, 8_192))
    expect(await closesSoon(file)).toBe(true)
    expect(file.fd).toBe(-1)
  })

  test('fails a web stream, behind what lies before it', async () => {
    const file = await damaged()
    const reader = file.readableWebStream().getReader({ mode: 'byob' })
    const { value } = await reader.read(new Uint8Array(8_192))
    expect(Buffer.from(value!)).toEqual(CONTENT.subarray(0, 8_192))
    await expect(reader.read(new Uint8Array(10))).rejects.toEqual(DAMAGE)
    expect(await closesSoon(file)).toBe(true)
  })

  test('fails readLines', async () => {
    const file = await damaged()
    const lines: string[] = []
    const failing = (async () => {
      for await (const line of file.readLines()) lines.push(line)
    })()
    await expect(failing).rejects.toEqual(DAMAGE)
    expect(await closesSoon(file)).toBe(true)
  })

  test('is not in the way of a window before it', async () => {
    const file = await damaged()
    const chunks: Buffer[] = []
    for await (const chunk of file.createReadStream({ start: 4_000, end: 8_191 })) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks)).toEqual(CONTENT.subarray(4_000, 8_192))
    expect(file.fd).toBe(-1)
  })

  test('fails readv behind what lies before it', async () => {
    const file = await damaged()
    const buffers = [Buffer.alloc(5_000), Buffer.alloc(5_000)]
    expect((await file.readv(buffers)).bytesRead).toBe(8_192)
    expect(Buffer.concat(buffers).subarray(0, 8_192)).toEqual(CONTENT.subarray(0, 8_192))
    await expect(file.readv([Buffer.alloc(10)])).rejects.toEqual(DAMAGE)
    await file.close()
  })
})

describe('what a write stream has written', () => {
  test('is the file where it has finished, and the handle is still open', async () => {
    const file = await opened('w+')
    const stream = file.createWriteStream({ autoClose: false })
    stream.end('abc')
    await once(stream, 'finish')
    expect(await file.readFile('utf8')).toBe('')
    const buffer = Buffer.alloc(3)
    await file.read(buffer, 0, 3, 0)
    expect(buffer.toString()).toBe('abc')
    stream.destroy()
    await file.close()
  })

  test('stays where the stream is destroyed behind it', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const stream = file.createWriteStream()
    await new Promise((resolve) => stream.write('abc', resolve))
    const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
    stream.destroy()
    await closed
    expect(readEncrypted(path).toString()).toBe('abc')
  })
})

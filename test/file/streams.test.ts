import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { PassThrough, Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { ciphertextSize, geometryOf } from '../../src/container/geometry.js'
import { createDecryptStream, createEncryptStream } from '../../src/index.js'
import { createDecryptTransformStream, createEncryptTransformStream } from '../../src/index.js'
import { KeyManager } from '../../src/index.js'
import { buildStreamFile } from '../support/container-parts.js'
import { errorOf, OPTIONS, OTHER_KEY, patternBytes, readEncrypted, sealfileError } from '../support/encrypted-files.js'
import { cut, flow, HEADER_SIZE, PASSES, passFlowing, readStreamFile, STORED, WHOLE } from '../support/piped-bytes.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const { keyManager, purpose } = OPTIONS
const SEGMENT = 4_096
const CIPHERS = ['aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv'] as const

const decrypted = async (bytes: Uint8Array): Promise<Buffer> => {
  const { output, ended } = await passFlowing('decrypt', OPTIONS, [bytes])
  expect(ended).toBe(true)
  return output
}

function lengthsAround(segmentSize: number): number[] {
  const around = [1, 2, 3].flatMap((count) => [-1, 0, 1].map((step) => count * segmentSize + step))
  return [...new Set([0, 1, 17, ...around, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193])]
}

describe.each(PASSES)('%s', (_, pass) => {
  test.each(CIPHERS)('what was encrypted with %s decrypts, here and by EncryptedFile', async (cipher) => {
    for (const length of [0, 1, 70_000]) {
      const plaintext = patternBytes(length)
      const options = { keyManager, purpose, cipher, context: Buffer.from('tenant-7') }
      const encrypted = await pass('encrypt', options, [plaintext])
      expect(encrypted.error).toBeUndefined()
      expect(await pass('decrypt', options, [encrypted.output])).toEqual({ output: plaintext, ended: true, error: undefined })
      const path = inFolder('round-trip')
      writeFileSync(path, encrypted.output)
      expect(readEncrypted(path, options).equals(plaintext)).toBe(true)
    }
  })

  const chunkLengths = [1, 2, 3, 5, 16, 17, 4_095, 4_096, 4_097, 4_111, 4_112, 4_113, 8_192, 65_536, WHOLE]
  test.each(chunkLengths)('encrypts all of what comes in chunks of %d bytes', async (chunkLength) => {
    for (const segmentSize of [4_096, 8_192]) {
      for (const length of lengthsAround(segmentSize)) {
        const plaintext = patternBytes(length)
        const options = { keyManager, purpose, segmentSize }
        const { output, ended, error } = await pass('encrypt', options, cut(plaintext, chunkLength))
        expect({ ended, error }).toEqual({ ended: true, error: undefined })
        expect(output.length).toBe(ciphertextSize(geometryOf('stream', segmentSize), length))
        expect(readStreamFile(output, length, options)?.equals(plaintext), `${length} bytes`).toBe(true)
      }
    }
  })

  const storedLengths = [287, 288, 289, 303, 304, 305, 4_399, 4_400, 4_401, 8_207, 8_208, 8_209]
  test.each([...chunkLengths, ...storedLengths])('decrypts all of what comes in chunks of %d bytes', async (chunkLength) => {
    for (const segmentSize of [4_096, 8_192]) {
      for (const length of lengthsAround(segmentSize)) {
        const plaintext = patternBytes(length)
        const bytes = buildStreamFile(plaintext, { keyManager, purpose, segmentSize })
        const { output, ended, error } = await pass('decrypt', OPTIONS, cut(bytes, chunkLength))
        expect({ ended, error }).toEqual({ ended: true, error: undefined })
        expect(output.equals(plaintext), `${length} bytes`).toBe(true)
      }
    }
  })

  test('empty chunks change nothing', async () => {
    const none = new Uint8Array(0)
    const plaintext = patternBytes(SEGMENT)
    const encrypted = await pass('encrypt', OPTIONS, [none, plaintext, none, none])
    const [start, end] = [encrypted.output.subarray(0, HEADER_SIZE), encrypted.output.subarray(HEADER_SIZE)]
    expect((await pass('decrypt', OPTIONS, [none, start, none, end, none])).output.equals(plaintext)).toBe(true)
  })
})

describe('options', () => {
  const functions = [createEncryptStream, createDecryptStream, createEncryptTransformStream, createDecryptTransformStream]

  test.each([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['config', 'ERR_INVALID_ARG_TYPE'],
    [{ purpose }, 'ERR_INVALID_ARG_TYPE'],
    [{ keyManager }, 'ERR_INVALID_ARG_TYPE'],
    [{ keyManager, purpose, context: 'text' }, 'ERR_INVALID_ARG_TYPE'],
  ])('%o is refused at once', (options, code) => {
    for (const create of functions) {
      expect(errorOf(() => create(options as typeof OPTIONS))).toMatchObject({ name: 'TypeError', code })
    }
  })

  test.each([
    [{ segmentSize: 5_000 }, 'ERR_OUT_OF_RANGE'],
    [{ segmentSize: 2_048 }, 'ERR_OUT_OF_RANGE'],
    [{ segmentSize: '4096' }, 'ERR_INVALID_ARG_TYPE'],
    [{ cipher: 'aes-128-gcm' }, 'ERR_INVALID_ARG_VALUE'],
  ])('%o is refused for encryption, and means nothing for decryption', (other, code) => {
    const options = { keyManager, purpose, ...other } as typeof OPTIONS
    for (const create of [createEncryptStream, createEncryptTransformStream]) {
      expect(errorOf(() => create(options))).toMatchObject({ code })
    }
    createDecryptStream(options).destroy()
    createDecryptTransformStream(options)
  })

  test('those of an open file that mean nothing here are not looked at', () => {
    createEncryptStream({ ...OPTIONS, lockTimeout: -1 } as typeof OPTIONS).destroy()
  })

  test.each([createEncryptStream, createDecryptStream])('a signal that is none is refused', (create) => {
    const error = errorOf(() => create({ ...OPTIONS, signal: {} as AbortSignal }))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  })

  test('undefined is what was left out', async () => {
    const options = { keyManager, purpose, context: undefined, segmentSize: undefined, cipher: undefined, signal: undefined }
    const { output } = await flow(createEncryptStream(options), [Buffer.from('text')])
    expect(output.readUInt32BE(24)).toBe(65_536)
    expect((await flow(createDecryptStream(options), [output])).output.toString()).toBe('text')
  })

  test('a purpose that is none, or a closed key manager, is refused', async () => {
    const closed = KeyManager.fromKey(OTHER_KEY)
    const bytes = buildStreamFile(patternBytes(10), { keyManager: closed, purpose })
    const decryption = createDecryptStream({ keyManager: closed, purpose })
    closed.close()
    expect(errorOf(() => createEncryptStream({ keyManager: closed, purpose })).code).toBe('ERR_SEALFILE_CLOSED')
    expect((await flow(decryption, [bytes])).error).toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
    expect(errorOf(() => createEncryptStream({ keyManager, purpose: '' })).code).toBe('ERR_INVALID_ARG_VALUE')
    const other = buildStreamFile(patternBytes(10), OPTIONS)
    const { error } = await passFlowing('decrypt', { keyManager, purpose: '' }, [other])
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  })
})

describe('as Node streams', () => {
  test('they stand in pipelines of files', async () => {
    const [plain, encrypted, decrypted] = ['plain', 'encrypted', 'decrypted'].map(inFolder) as [string, string, string]
    const content = patternBytes(300_000)
    writeFileSync(plain, content)
    await pipeline(createReadStream(plain), createEncryptStream({ keyManager, purpose }), createWriteStream(encrypted))
    expect(readEncrypted(encrypted).equals(content)).toBe(true)
    await pipeline(createReadStream(encrypted), createDecryptStream(OPTIONS), createWriteStream(decrypted))
    expect(readFileSync(decrypted).equals(content)).toBe(true)
  })

  test('text is encoded as with any Writable', async () => {
    const stream = createEncryptStream(OPTIONS)
    stream.write('grün ')
    stream.write('6772', 'hex')
    stream.setDefaultEncoding('latin1')
    stream.end('ü')
    const { output } = await flow(createDecryptStream(OPTIONS), [Buffer.concat((await stream.toArray()) as Buffer[])])
    expect(output).toEqual(Buffer.concat([Buffer.from('grün '), Buffer.from('gr'), Buffer.from([0xfc])]))
  })

  test('a buffer is the writer’s again when its write has called back', async () => {
    const content = patternBytes(3 * SEGMENT + 5)
    const stream = createEncryptStream(OPTIONS)
    const writing = (async () => {
      const buffer = Buffer.alloc(1_000)
      for (const chunk of cut(content, buffer.length)) {
        buffer.set(chunk)
        await new Promise<void>((resolve) => stream.write(buffer.subarray(0, chunk.length), () => resolve()))
        buffer.fill(0)
      }
      stream.end()
    })()
    const output = Buffer.concat((await stream.toArray()) as Buffer[])
    await writing
    expect((await decrypted(output)).equals(content)).toBe(true)
  })

  /** Counts what comes through. */
  function counter(count: (length: number) => void): Transform {
    return new Transform({
      transform(chunk: Buffer, _, callback) {
        count(chunk.length)
        callback(null, chunk)
      },
    })
  }

  test('of 256 MiB that come through, a few segments are in memory', async () => {
    const total = 256 * 2 ** 20
    const block = patternBytes(100_000)
    const hashes = [createHash('sha256'), createHash('sha256')] as const
    const [read, encrypted, written] = [0, 0, 0].map(() => ({ length: 0 })) as [
      { length: number },
      { length: number },
      { length: number },
    ]
    const most = { encryption: 0, decryption: 0 }
    function* source(): Generator<Buffer> {
      while (read.length < total) {
        const chunk = block.subarray(0, Math.min(1_000 + (read.length % 99_000), total - read.length))
        read.length += chunk.length
        hashes[0].update(chunk)
        yield chunk
      }
    }
    const between = counter((length) => {
      encrypted.length += length
      most.encryption = Math.max(most.encryption, read.length - encrypted.length)
    })
    const sink = new Writable({
      write(chunk: Buffer, _, callback) {
        written.length += chunk.length
        hashes[1].update(chunk)
        most.decryption = Math.max(most.decryption, encrypted.length - written.length)
        setImmediate(callback)
      },
    })
    const streams = [createEncryptStream({ keyManager, purpose }), between, createDecryptStream({ keyManager, purpose })] as const
    await pipeline(Readable.from(source(), { objectMode: false }), ...streams, sink)
    expect(written.length).toBe(total)
    expect(hashes[1].digest('hex')).toBe(hashes[0].digest('hex'))
    expect(Math.max(most.encryption, most.decryption)).toBeLessThan(2 ** 20)
  })

  test.each(['encrypt', 'decrypt'] as const)(
    'to %s, no more of a large chunk is made than its reader has room for',
    async (direction) => {
      const plaintext = patternBytes(16 * 2 ** 20)
      const options = { keyManager, purpose }
      const encrypted = (await passFlowing('encrypt', options, [plaintext])).output
      const stream = direction === 'encrypt' ? createEncryptStream(options) : createDecryptStream(options)
      const input = direction === 'encrypt' ? plaintext : encrypted
      let isTaken = false
      stream.write(input, () => (isTaken = true))
      stream.end()
      const output: Buffer[] = []
      let most = 0
      for await (const piece of stream) {
        if (output.length < 200) expect(isTaken).toBe(false)
        output.push(piece as Buffer)
        most = Math.max(most, stream.readableLength)
      }
      expect(isTaken).toBe(true)
      expect(most).toBeLessThan(4 * 65_536)
      const joined = Buffer.concat(output)
      expect((direction === 'encrypt' ? await decrypted(joined) : joined).equals(plaintext)).toBe(true)
    },
  )

  test.each(['encrypt', 'decrypt'] as const)('to %s, one can be destroyed on the way', async (direction) => {
    const plaintext = patternBytes(40 * SEGMENT)
    const input = direction === 'encrypt' ? plaintext : buildStreamFile(plaintext, OPTIONS)
    for (const chunkLength of [WHOLE, 1_000]) {
      for (const destroyAt of [0, 1, 3, 20]) {
        const stream = direction === 'encrypt' ? createEncryptStream(OPTIONS) : createDecryptStream(OPTIONS)
        const reason = destroyAt === 3 ? new Error('enough') : undefined
        let pieces = 0
        if (destroyAt === 0) stream.destroy()
        stream.on('data', () => {
          if (++pieces === destroyAt) stream.destroy(reason)
        })
        const { output, ended, error } = await flow(stream, cut(input, chunkLength))
        expect({ ended, error }).toEqual({ ended: false, error: reason })
        expect(pieces).toBe(destroyAt)
        expect(stream.errored).toBe(reason ?? null)
        expect(output.length).toBeLessThan(input.length)
      }
    }
  })

  test.each([createEncryptStream, createDecryptStream])('a signal destroys them', async (create) => {
    const controller = new AbortController()
    const stream = create({ ...OPTIONS, signal: controller.signal })
    stream.write('abc')
    controller.abort()
    await expect(once(stream, 'data')).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    const late = create({ ...OPTIONS, signal: controller.signal })
    await expect(once(late, 'data')).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
  })

  test('a source that fails leaves no complete stream behind', async () => {
    const received: Buffer[] = []
    const sink = new Writable({
      write(chunk: Buffer, _, callback) {
        received.push(chunk)
        callback()
      },
    })
    async function* source(): AsyncGenerator<Buffer> {
      yield patternBytes(3 * SEGMENT)
      while (received.length < 3) await new Promise(setImmediate)
      throw new Error('the disk is gone')
    }
    const encryption = createEncryptStream(OPTIONS)
    await expect(pipeline(source(), encryption, sink)).rejects.toThrow('the disk is gone')
    expect(encryption.destroyed).toBe(true)
    const { output, ended, error } = await passFlowing('decrypt', OPTIONS, received)
    expect({ length: output.length, ended }).toEqual({ length: SEGMENT, ended: false })
    expect(error).toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { segment: 2 }))
  })

  test('a damaged stream rejects the pipeline, and the sink is not told that it was all', async () => {
    const bytes = buildStreamFile(patternBytes(30 * SEGMENT), OPTIONS)
    const sink = new PassThrough({ highWaterMark: 2 ** 20 })
    const finished: boolean[] = []
    sink.on('finish', () => finished.push(true))
    const running = pipeline(Readable.from(cut(bytes.subarray(0, -STORED), 10_000)), createDecryptStream(OPTIONS), sink)
    await expect(running).rejects.toEqual(sealfileError('ERR_SEALFILE_TRUNCATED', { segment: 29 }))
    expect(finished).toEqual([])
  })
})

import type { Worker } from 'node:worker_threads'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { decryptBatch, encryptBatch } from '../../src/batch.js'
import { packError, unpackError } from '../../src/batch/error-transfer.js'
import {
  BatchError,
  CorruptedFileError,
  InvalidKeyError,
  KeyManager,
  SealfileError,
  type FileKeyRequest,
  type KeySource,
  type WrappedFileKey,
} from '../../src/index.js'
import { errorOf, OPTIONS, patternBytes, readEncrypted, sealfileError } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)
const MIB = 2 ** 20
const keyManager = OPTIONS.keyManager

function makeFiles(sizes: readonly number[]): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const [i, size] of sizes.entries()) writeFileSync(join(folder, `${i}`), patternBytes(size, i))
  return folder
}

let started: Worker[] = []
let onStart: (worker: Worker) => void = () => undefined
process.on('worker', (worker: Worker) => {
  if (started.push(worker) > 0) onStart(worker)
})
afterEach(() => {
  started = []
  onStart = () => undefined
})

/** Kills workers after these times, each the next one that starts. */
function killAfter(...milliseconds: readonly number[]): void {
  const times = [...milliseconds]
  onStart = (worker) => {
    const time = times.shift()
    if (time !== undefined) setTimeout(() => void worker.terminate(), time)
  }
}

/** Kills each worker as soon as something is so. */
function killWhen(isSo: () => boolean): void {
  onStart = (worker) => {
    const timer = setInterval(() => isSo() && void worker.terminate(), 5)
    worker.once('exit', () => clearInterval(timer))
  }
}

describe('a worker that dies', () => {
  test.each([[[60, 90, 150, 200]], [[120, 120, 120, 120]]])('costs nothing but time: %j', async (times) => {
    const sizes = Array.from({ length: 900 }, (_, i) => (i * 97) % 20_000)
    const source = makeFiles(sizes)
    const target = freshPath()
    killAfter(...times)
    const report = await encryptBatch(source, { keyManager, purpose: 'test', workers: 2, target })
    expect(report).toMatchObject({ files: 900, bytes: sizes.reduce((sum, size) => sum + size, 0), failures: [] })
    expect(started.length).toBeGreaterThan(2)
    expect(readdirSync(target)).toHaveLength(900)
    for (const [i, size] of sizes.entries()) expect(readEncrypted(join(target, `${i}`)).equals(patternBytes(size, i))).toBe(true)
  })

  test('in the middle of a large file has its range done again', async () => {
    const source = makeFiles([96 * MIB])
    const target = freshPath()
    killAfter(250, 300)
    const limits = { workers: 2, bytesPerSecond: 160 * MIB }
    const report = await encryptBatch(source, { keyManager, purpose: 'test', target, ...limits })
    expect(report).toMatchObject({ files: 1, bytes: 96 * MIB, failures: [] })
    expect(started.length).toBeGreaterThan(2)
    expect(readdirSync(target)).toEqual(['0'])
    expect(readEncrypted(join(target, '0')).equals(patternBytes(96 * MIB, 0))).toBe(true)
  })

  test('each time with one file is told', async () => {
    const source = makeFiles([12 * MIB, 10])
    const target = freshPath()
    // Slow enough to be met at work, each time.
    onStart = (worker) => void setTimeout(() => void worker.terminate(), 800)
    const limits = { workers: 1, bytesPerSecond: 5 * MIB }
    const { failures } = await encryptBatch(source, { keyManager, purpose: 'test', target, ...limits })
    expect(failures[0]).toEqual({ path: join(source, '0'), error: sealfileError('ERR_SEALFILE_BATCH_WORKER') })
    expect(readdirSync(target).filter((name) => name !== '1')).toEqual([])
  })

  test('again and again leaves nothing behind, also where that ends the batch', async () => {
    const encrypted = freshPath()
    await encryptBatch(makeFiles(Array.from({ length: 9 }, () => 3 * MIB)), { keyManager, purpose: 'test', target: encrypted })
    const target = freshPath()
    killWhen(() => existsSync(target) && readdirSync(target).some((name) => name.endsWith('.sealfile-tmp')))
    const batch = decryptBatch(encrypted, { keyManager, purpose: 'test', workers: 1, target, bytesPerSecond: MIB })
    await expect(batch).rejects.toEqual(sealfileError('ERR_SEALFILE_BATCH_WORKER'))
    expect(readdirSync(target)).toEqual([])
  })

  test('costs no byte of what is told, whatever failed before', async () => {
    const [encrypted, target] = [freshPath(), freshPath()]
    const sizes = Array.from({ length: 40 }, (_, i) => 100_000 + i)
    await encryptBatch(makeFiles(sizes), { keyManager, purpose: 'test', target: encrypted })
    writeFileSync(join(encrypted, '39'), Buffer.alloc(200_000, 'no file of ours'))
    started = []
    const done = (): number => (existsSync(target) ? readdirSync(target).filter((name) => !name.startsWith('.')).length : 0)
    killWhen(() => started.length === 1 && done() >= 3)
    const slow = { workers: 1, groupMs: 10_000, bytesPerSecond: 5 * MIB }
    const report = await decryptBatch(encrypted, { keyManager, purpose: 'test', target, ...slow })
    expect(started).toHaveLength(2)
    expect(report.failures).toHaveLength(1)
    expect(report).toMatchObject({ files: 39, bytes: sizes.slice(0, 39).reduce((sum, size) => sum + size, 0) })
  })

  test('as soon as it starts, one like the other, ends the batch', async () => {
    onStart = (worker) => void worker.terminate()
    const batch = encryptBatch(makeFiles([1, 2, 3, 4, 5, 6, 7, 8, 9]), {
      keyManager,
      purpose: 'test',
      workers: 2,
      target: freshPath(),
    })
    await expect(batch).rejects.toEqual(sealfileError('ERR_SEALFILE_BATCH_WORKER'))
  })
})

describe('workers', () => {
  test('are started for what there is to do, and end with the batch', async () => {
    const exits: Promise<unknown>[] = []
    onStart = (worker) => exits.push(new Promise((resolve) => worker.once('exit', resolve)))
    await encryptBatch(makeFiles([5]), { keyManager, purpose: 'test', workers: 8, target: freshPath() })
    expect(started.length).toBeLessThanOrEqual(2)
    await Promise.all(exits)
    started = []
    await encryptBatch(makeFiles([]), { keyManager, purpose: 'test', workers: 8, target: freshPath() })
    expect(started).toHaveLength(0)
  })
})

/** Keys that are asked for, as the main thread sees it. */
class WatchedKeys implements KeySource {
  readonly asked: string[] = []
  onAsk: () => void = () => undefined
  readonly #keys = KeyManager.fromKey(new Uint8Array(32).fill(7))

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    this.asked.push(`wrap ${request.purpose}`)
    this.onAsk()
    return this.#keys.wrapFileKey(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    this.asked.push(`unwrap ${request.purpose}`)
    this.onAsk()
    return this.#keys.unwrapFileKey(request, wrapped)
  }
}

describe('keys', () => {
  test('are asked of the main thread, one for each file', async () => {
    const keys = new WatchedKeys()
    const purpose = (path: string): string => `Zweck ${path}`
    const [encrypted, target] = [freshPath(), freshPath()]
    await encryptBatch(makeFiles([1, 2, 3]), { keyManager: keys, purpose, workers: 2, target: encrypted })
    expect(keys.asked.sort()).toEqual(['wrap Zweck 0', 'wrap Zweck 1', 'wrap Zweck 2'])
    keys.asked.length = 0
    expect(await decryptBatch(encrypted, { keyManager: keys, purpose, workers: 2, target })).toMatchObject({ files: 3 })
    expect(keys.asked.sort()).toEqual(['unwrap Zweck 0', 'unwrap Zweck 1', 'unwrap Zweck 2'])
  })

  test.each(['x', '"', 'ü', '語', '\u0000', '\ud800'])('may fail with the longest error, of %j', async (letter) => {
    const long = letter.repeat(100_000)
    const fill = (error: Error): Error => {
      for (const name of ['name', 'code', 'path', 'dest', 'syscall', 'stack']) Object.assign(error, { [name]: long })
      return Object.assign(error, { errno: -Number.MAX_VALUE, segment: Number.MAX_VALUE, damage: { bad: [long], badLeftOut: 0 } })
    }
    const keys = new WatchedKeys()
    keys.onAsk = () => {
      if (keys.asked.at(-1)!.endsWith(' 1')) throw fill(new Error(long, { cause: fill(new Error(long)) }))
    }
    const purpose = (path: string): string => `Zweck ${path}`
    const { files, failures } = await encryptBatch(makeFiles([1, 2, 3]), { keyManager: keys, purpose, target: freshPath() })
    expect(files).toBe(2)
    const [error] = failures.map((failure) => failure.error as Error & { readonly path: string })
    for (const text of [error!.message, error!.path, (error!.cause as Error).message]) {
      expect(text.length).toBeGreaterThanOrEqual(512)
      expect(long.startsWith(text)).toBe(true)
    }
  })

  test('are waited for where the main thread is slow, and their errors arrive as they are', async () => {
    const keys = new WatchedKeys()
    keys.onAsk = () => {
      if (keys.asked.length === 1) for (const end = Date.now() + 200; Date.now() < end;);
      if (keys.asked.at(-1)!.endsWith(' 1')) throw Object.assign(new RangeError('no key today'), { code: 'ERR_TODAY', path: '/x' })
    }
    const purpose = (path: string): string => `Zweck ${path}`
    const { files, failures } = await encryptBatch(makeFiles([1, 2, 3]), { keyManager: keys, purpose, target: freshPath() })
    expect(files).toBe(2)
    expect(failures).toMatchObject([{ error: { name: 'RangeError', message: 'no key today', code: 'ERR_TODAY', path: '/x' } }])
    expect(failures[0]!.error).toBeInstanceOf(RangeError)
  })

  test('may have to be prepared', async () => {
    const keys = Object.assign(new WatchedKeys(), {
      prepared: 0,
      async prepare() {
        await Promise.resolve()
        this.prepared++
      },
    })
    await encryptBatch(makeFiles([1]), { keyManager: keys, purpose: 'p', target: freshPath() })
    expect(keys.prepared).toBeGreaterThan(1)
  })
})

test('an abort does not wait for keys that never come', async () => {
  const controller = new AbortController()
  let asked = 0
  const keys = Object.assign(new WatchedKeys(), {
    prepare() {
      if (asked++ === 0) return undefined
      controller.abort()
      return new Promise<void>(() => undefined)
    },
  })
  const target = freshPath()
  const batch = encryptBatch(makeFiles([1, 2]), { keyManager: keys, purpose: 'p', target, signal: controller.signal })
  await expect(batch).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
  expect(readdirSync(target)).toEqual([])
})

describe('an error that goes from thread to thread', () => {
  const transfer = (error: unknown): Error => unpackError(JSON.parse(JSON.stringify(packError(error))))

  test('keeps its class and what it tells', () => {
    const cause = new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', 'why', { path: '/a' })
    const damage = new CorruptedFileError('ERR_SEALFILE_CORRUPTED', 'damage', { segment: 3, path: '/b', cause })
    const found = transfer(damage)
    expect(found).toBeInstanceOf(CorruptedFileError)
    expect(found).toBeInstanceOf(SealfileError)
    expect(found).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED', { segment: 3, path: '/b', name: 'CorruptedFileError' }))
    expect(found.cause).toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY', { path: '/a' }))
    expect([found.message, found.stack]).toEqual([damage.message, damage.stack])
    expect(transfer(new BatchError('ERR_SEALFILE_BATCH_SOURCE', 'x'))).toBeInstanceOf(BatchError)
  })

  test('may be one of the system, or no error at all', () => {
    const missing = errorOf(() => readdirSync(join(inFolder('x'), 'missing')))
    expect(transfer(missing)).toMatchObject({ name: 'Error', code: 'ENOENT', syscall: 'scandir', errno: -2 })
    expect(transfer('text').message).toBe('text')
    expect(transfer(undefined).message).toBe('undefined')
  })

  test('is cut where it is long', () => {
    const long = 'x'.repeat(100_000)
    const packed = packError(Object.assign(new Error(long, { cause: new Error(long) }), { path: long }))
    expect(JSON.stringify(packed).length).toBeLessThan(20_000)
  })
})

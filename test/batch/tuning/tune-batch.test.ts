import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  decryptBatch,
  encryptBatch,
  tuneBatch,
  verifyBatch,
  type BatchTuning,
  type EncryptBatchOptions,
} from '../../../src/batch.js'
import { EncryptedFile } from '../../../src/index.js'
import { batchProcess } from '../../support/batch-process.js'
import { OPTIONS } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

let target: string
let cacheFolder: string
let tuning: BatchTuning
let cacheFile: string
let kept: string
beforeAll(async () => {
  ;[target, cacheFolder] = [freshPath(), freshPath()]
  tuning = await tuneBatch({ target, cacheFolder })
  const [name] = readdirSync(cacheFolder)
  cacheFile = join(cacheFolder, name!)
  kept = readFileSync(cacheFile, 'utf8')
})
afterEach(() => writeFileSync(cacheFile, kept))

/** What is in the cache, as an object that a test may change. */
const record = (): Record<string, unknown> & {
  machine: Record<string, unknown>
  workers: { value: number; times: number[] }[]
} => JSON.parse(kept) as ReturnType<typeof record>

/** @returns what a call makes of a cache; one that is aborted as soon as it has to measure. */
async function loads(text: string): Promise<boolean> {
  writeFileSync(cacheFile, text)
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 100)
  try {
    return (await tuneBatch({ target, cacheFolder, signal: controller.signal })).isFromCache
  } catch (error) {
    expect(error).toMatchObject({ code: 'ABORT_ERR' })
    return false
  }
}

describe('a tuning', () => {
  test('has a value for each knob, says why, and leaves nothing behind', () => {
    expect(tuning.workers).toBeGreaterThanOrEqual(1)
    expect([2 ** 14, 2 ** 16, 2 ** 18, 2 ** 20]).toContain(tuning.segmentSize)
    expect(tuning.groupMs).toBeGreaterThanOrEqual(20)
    expect([2 ** 18, 2 ** 20, 2 ** 22]).toContain(tuning.bytesInFlight / tuning.workers)
    expect(tuning.machine).toMatchObject({ node: process.version, openssl: process.versions.openssl, platform: process.platform })
    expect(tuning.machine.sealfile).toBe((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
    expect(tuning.measuredAt.getTime()).toBeLessThanOrEqual(Date.now())
    const lines = tuning.explain().split('\n')
    for (const knob of ['workers', 'segmentSize', 'groupMs', 'bytesInFlight'] as const) {
      const line = lines.find((line) => line.startsWith(`${knob}: ${tuning[knob].toLocaleString('en-US')}`))
      expect(line).toMatch(/default/)
    }
    expect(readdirSync(target)).toEqual([])
  })

  test('is kept, with what it was measured on, and is the same again', async () => {
    expect(tuning.isFromCache).toBe(false)
    const again = await tuneBatch({ target, cacheFolder })
    expect(again.isFromCache).toBe(true)
    const { workers, segmentSize, groupMs, bytesInFlight, machine, measuredAt } = tuning
    expect(again).toMatchObject({ workers, segmentSize, groupMs, bytesInFlight, machine, measuredAt })
    expect(again.explain()).toBe(tuning.explain().replace(' ms:', ' ms, and kept since:'))
    expect(record()).toMatchObject({ schema: 'sealfile/tuning', version: 1, machine, measuredAt: measuredAt.toISOString() })
  })

  test('follows from figures, not from what a cache claims', async () => {
    const changed = record()
    const { workers } = changed
    for (const trial of workers) trial.times = Array<number>(5).fill(trial.value === 2 * tuning.machine.processors ? 1 : 10)
    writeFileSync(cacheFile, JSON.stringify(changed))
    const again = await tuneBatch({ target, cacheFolder })
    expect(again.workers).toBe(2 * tuning.machine.processors)
    expect(again.explain()).toMatch(/^workers: .*Better than the default: .* was 10\.00 times as fast/m)
    writeFileSync(cacheFile, JSON.stringify({ ...record(), messageMs: 0.5 }))
    expect((await tuneBatch({ target, cacheFolder })).groupMs).toBe(50)
    writeFileSync(cacheFile, JSON.stringify({ ...record(), messageMs: 500 }))
    expect((await tuneBatch({ target, cacheFolder })).groupMs).toBe(200)
    writeFileSync(cacheFile, JSON.stringify({ ...record(), messageMs: null }))
    expect((await tuneBatch({ target, cacheFolder })).groupMs).toBe(20)
  })
})

describe('a cache', () => {
  test.each([
    [0, true],
    [-2, false],
    [2, false],
  ])('in which something is missing counts for a day: one of %i days from now', async (days, isTaken) => {
    const changed = record()
    for (const trial of changed.workers) trial.times = []
    const measuredAt = new Date(Date.now() + days * 24 * 3_600_000).toISOString()
    expect(await loads(JSON.stringify({ ...changed, measuredAt }))).toBe(isTaken)
  })

  test('that is whole is taken', async () => {
    expect(await loads(kept)).toBe(true)
  })

  test.each(
    Object.keys({
      platform: 0,
      architecture: 0,
      cpu: 0,
      processors: 0,
      node: 0,
      openssl: 0,
      sealfile: 0,
      device: 0,
      fileSystem: 0,
    }),
  )('of another %s is not', async (name) => {
    const changed = record()
    changed.machine[name] = 'another'
    expect(await loads(JSON.stringify(changed))).toBe(false)
  })

  const damages: Readonly<Record<string, (text: string) => string>> = {
    empty: () => '',
    cut: (text) => text.slice(0, 200),
    'no object': () => 'null',
    'of a later version': (text) => text.replace('"version":1', '"version":2'),
    'of another kind': (text) => text.replace('sealfile/tuning', 'other/tuning'),
    'far too large': (text) => text + ' '.repeat(100_000) + 'x',
    'without a date': (text) => text.replace(/"measuredAt":"[^"]*"/, '"measuredAt":"soon\u001b[2J"'),
    'with a value that is not tried': (text) => text.replace('"value":65536', '"value":16777216'),
    'with values in another place': (text) => text.replace('"value":65536', '"value":262144'),
    'with a time that is none': (text) => text.replace(/"times":\[/, '"times":[-1,'),
    'with a time that is a text': (text) => text.replace(/"times":\[/, '"times":["1",'),
    'with uneven rounds': (text) => text.replace(/"times":\[/, '"times":[1,'),
    'without trials': (text) => text.replace('"workers":', '"x":'),
    'with __proto__': (text) => text.replace('"machine":', '"__proto__":'),
  }
  test.each(Object.keys(damages))('that is %s is not', async (name) => {
    const damaged = damages[name]!(kept)
    expect(damaged).not.toBe(kept)
    expect(await loads(damaged)).toBe(false)
  })

  test('that is no file is not waited for', async () => {
    const folder = freshPath()
    mkdirSync(folder)
    spawnSync('mkfifo', [cacheFile.replace(cacheFolder, folder)])
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 200)
    await expect(tuneBatch({ target, cacheFolder: folder, signal: controller.signal })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('that cannot be written is told of', async () => {
    const file = freshPath()
    writeFileSync(file, 'in the way')
    const found = await tuneBatch({ target, cacheFolder: join(file, 'cache') })
    expect(found.isFromCache).toBe(false)
    expect(found.explain()).toMatch(/^Not kept: (ENOTDIR|EEXIST)/m)
  })

  test('in whose place something else is stays as it is', async () => {
    const folder = freshPath()
    const name = basename(cacheFile)
    mkdirSync(join(folder, name), { recursive: true })
    const found = await tuneBatch({ target, cacheFolder: folder })
    expect(found.explain()).toMatch(/^Not kept: EISDIR/m)
    expect(readdirSync(folder)).toEqual([name])
  })

  test.skipIf(process.getuid?.() !== 0)('is nowhere for a user without a home', async () => {
    const { HOME, XDG_CACHE_HOME } = process.env
    for (const name of ['HOME', 'XDG_CACHE_HOME']) Reflect.deleteProperty(process.env, name)
    const restore = (): void => {
      process.seteuid!(0)
      for (const [name, value] of Object.entries({ HOME, XDG_CACHE_HOME })) if (value !== undefined) process.env[name] = value
    }
    process.seteuid!(54_321)
    try {
      // Read when it is known where the cache is, and before anything is asked of the disk.
      const options = { target, cacheFolder: undefined, refresh: false }
      const running = tuneBatch(Object.defineProperty(options, 'refresh', { get: () => (restore(), false) }))
      expect((await running).explain()).toContain('\nNot kept: the user has no home folder.\n')
    } finally {
      restore()
    }
  })

  test('is where the system has caches, and nobody else reads it', async () => {
    const before = process.env['XDG_CACHE_HOME']
    const home = freshPath()
    process.env['XDG_CACHE_HOME'] = home
    try {
      const found = await tuneBatch({ target })
      expect(found.isFromCache).toBe(false)
      if (process.platform === 'linux') expect(readdirSync(join(home, 'sealfile'))).toHaveLength(1)
      expect((await tuneBatch({ target })).isFromCache).toBe(true)
      expect((await tuneBatch({ target, refresh: true })).isFromCache).toBe(false)
    } finally {
      if (before === undefined) delete process.env['XDG_CACHE_HOME']
      else process.env['XDG_CACHE_HOME'] = before
    }
  })
})

describe('tuning', () => {
  test('ends when it is aborted, and leaves nothing behind', async () => {
    const folder = freshPath()
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 300)
    const running = tuneBatch({ target: folder, cacheFolder: freshPath(), signal: controller.signal })
    await expect(running).rejects.toMatchObject({ code: 'ABORT_ERR' })
    expect(readdirSync(folder)).toEqual([])
    await expect(tuneBatch({ target: folder, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('needs a target that it can write into', async () => {
    const file = freshPath()
    writeFileSync(file, 'in the way')
    await expect(tuneBatch({ target: join(file, 'x'), cacheFolder })).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(tuneBatch({ target: file, cacheFolder })).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('ends where files cannot be made, and leaves nothing behind', async () => {
    const [folder, cache] = [freshPath(), freshPath()]
    mkdirSync(folder)
    const running = tuneBatch({ target: folder, cacheFolder: cache })
    const timer = setInterval(() => {
      const [scratch] = readdirSync(folder)
      if (scratch === undefined) return
      clearInterval(timer)
      // In the place of the first file that is encrypted there.
      mkdirSync(join(folder, scratch, 'probe.enc-0'))
    }, 1)
    await expect(running).rejects.toMatchObject({ code: 'EISDIR', syscall: 'rename' })
    expect([readdirSync(folder), existsSync(cache)]).toEqual([[], false])
  })

  test.skipIf(process.getuid?.() === 0)('is not allowed everywhere', async () => {
    const folder = freshPath()
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    await expect(tuneBatch({ target: folder, cacheFolder: freshPath() })).rejects.toMatchObject({ code: 'EACCES' })
  })

  test('knows a target by what it is, not by what it is called', async () => {
    const link = freshPath()
    symlinkSync(target, link)
    expect((await tuneBatch({ target: link, cacheFolder })).isFromCache).toBe(true)
  })

  test.each([
    ['target', undefined],
    ['refresh', 1],
    ['cacheFolder', 5],
    ['signal', {}],
  ])('does not take %s %j', async (option, value) => {
    await expect(tuneBatch({ target, [option]: value })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(tuneBatch(undefined as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

describe('a batch', () => {
  function makeFiles(): string {
    const folder = freshPath()
    mkdirSync(folder)
    for (let i = 0; i < 30; i++) writeFileSync(join(folder, `${i}`), 'x'.repeat(i * 100))
    writeFileSync(join(folder, 'large'), Buffer.alloc(17 * 2 ** 20 + 7, 'large '))
    return folder
  }
  const common = { keyManager: OPTIONS.keyManager, purpose: OPTIONS.purpose }

  /** @returns a tuning whose figures say what a test wants. */
  async function tunedTo(values: Readonly<Record<'segmentSize' | 'pieceLength' | 'workers', number>>): Promise<BatchTuning> {
    const changed = record() as Record<string, unknown>
    for (const [knob, best] of Object.entries(values)) {
      for (const trial of changed[knob] as { value: number; times: number[] }[]) {
        trial.times = Array<number>(5).fill(trial.value === best ? 1 : 10)
      }
    }
    writeFileSync(cacheFile, JSON.stringify(changed))
    return tuneBatch({ target, cacheFolder })
  }

  test('takes what was found, unless it is told otherwise', async () => {
    const source = makeFiles()
    const found = await tunedTo({ segmentSize: 2 ** 20, pieceLength: 2 ** 18, workers: 2 * tuning.machine.processors })
    expect(found).toMatchObject({ segmentSize: 2 ** 20, workers: 2 * tuning.machine.processors })
    expect(found.bytesInFlight).toBe(found.workers * 2 ** 18)
    const [tuned, other, plain] = [freshPath(), freshPath(), freshPath()]
    expect(await encryptBatch(source, { ...common, target: tuned, tuning: found })).toMatchObject({ files: 31, failures: [] })
    await encryptBatch(source, { ...common, target: other, tuning: found, segmentSize: 4_096, workers: 1, groupMs: 1 })
    const sizeOf = async (folder: string): Promise<number> => (await EncryptedFile.inspect(join(folder, 'large'))).segmentSize
    expect(await sizeOf(tuned)).toBe(2 ** 20)
    expect(await sizeOf(other)).toBe(4_096)
    expect(await decryptBatch(tuned, { ...common, target: plain, tuning: found })).toMatchObject({ files: 31, failures: [] })
    expect(readFileSync(join(plain, 'large')).equals(readFileSync(join(source, 'large')))).toBe(true)
    expect(await verifyBatch(other, { ...common, tuning: found })).toMatchObject({ ok: true, files: 31 })
  })

  test.each([
    [{ bytesInFlight: 4_096 }],
    [{ bytesInFlight: 64 * 2 ** 20, groupMs: 10_000, workers: 1 }],
    [{ bytesInFlight: 100_001, groupMs: 1, segmentSize: 4_096, workers: 3 }],
  ])('makes the same of files whatever the knobs are: %j', async (options) => {
    const source = makeFiles()
    const [encrypted, plain] = [freshPath(), freshPath()]
    expect(await encryptBatch(source, { ...common, target: encrypted, ...options })).toMatchObject({ files: 31, failures: [] })
    expect(await verifyBatch(encrypted, common)).toMatchObject({ ok: true, files: 31 })
    expect(await decryptBatch(encrypted, { ...common, target: plain })).toMatchObject({ files: 31, failures: [] })
    for (const name of readdirSync(source)) {
      expect(readFileSync(join(plain, name)).equals(readFileSync(join(source, name)))).toBe(true)
    }
  })

  test.each([
    ['tuning', {}, 'ERR_INVALID_ARG_TYPE'],
    ['groupMs', 0, 'ERR_OUT_OF_RANGE'],
    ['groupMs', '20', 'ERR_INVALID_ARG_TYPE'],
    ['bytesInFlight', 100, 'ERR_OUT_OF_RANGE'],
    ['bytesInFlight', 2 ** 31, 'ERR_OUT_OF_RANGE'],
  ])('does not take %s %j', async (option, value, code) => {
    const folder = freshPath()
    const options = { ...common, target: folder, [option]: value } as EncryptBatchOptions
    await expect(encryptBatch(target, options)).rejects.toMatchObject({ code })
    expect(existsSync(folder)).toBe(false)
  })
})

describe('in a process of its own', () => {
  const start = batchProcess(`
import { execFileSync } from 'node:child_process'
import { constants, openSync, readdirSync, readSync } from 'node:fs'
const [target, cacheFolder, what] = process.argv.slice(2)
const controller = new AbortController()
const running = sealfile.tuneBatch({ target, cacheFolder, signal: controller.signal })
if (what === 'tune') say((await running).machine.sealfile)
else {
  const name = await new Promise((resolve) => {
    const timer = setInterval(() => {
      const [found] = readdirSync(target)
      if (found !== undefined) resolve(found, clearInterval(timer))
    }, 1)
  })
  // The first file that is measured with: nobody takes what is written.
  const slow = target + '/' + name + '/probe'
  execFileSync('mkfifo', [slow])
  const fd = openSync(slow, constants.O_RDWR | constants.O_NONBLOCK)
  setTimeout(() => controller.abort(), 500)
  say(await running.catch(({ code }) => code))
  const buffer = Buffer.alloc(2 ** 20)
  const end = Date.now() + 1_000
  while (Date.now() < end) {
    try { readSync(fd, buffer) } catch {}
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  say(process.getActiveResourcesInfo().filter((name) => name.includes('Worker')))
}
`)

  test('and a bundle that has left the package behind, its version is not known', async () => {
    const target = freshPath()
    mkdirSync(target)
    expect(await start([target, freshPath(), 'tune']).end()).toEqual(['unknown'])
  })

  test('no thread is started when the time is up, whatever the disk kept waiting until then', async () => {
    const target = freshPath()
    mkdirSync(target)
    expect(await start([target, freshPath(), 'abort']).end()).toEqual(['ABORT_ERR', []])
    expect(readdirSync(target)).toEqual([])
  })
})

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  BatchControl,
  decryptBatch,
  encryptBatch,
  glob,
  type BatchInputs,
  type BatchReport,
  type EncryptBatchOptions,
} from '../../src/batch.js'
import { EncryptedFile, KeyManager, type FileMessage, type SealfileErrorCode } from '../../src/index.js'
import { batchProcess } from '../support/batch-process.js'
import {
  appendEncrypted,
  OPTIONS,
  OTHER_KEY,
  patternBytes,
  readEncrypted,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0
const freshPath = (): string => inFolder(`folder-${folders++}`)

type Files = Readonly<Record<string, string | Uint8Array>>

function makeTree(files: Files): string {
  const folder = freshPath()
  mkdirSync(folder)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}

/** @returns the content of all files in a folder, by their paths. */
function contentOf(folder: string, read: (path: string) => Buffer = readFileSync): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => lstatSync(join(folder, path)).isFile())
  return Object.fromEntries(paths.sort().map((path) => [path, read(join(folder, path)).toString('latin1')]))
}

/** A batch that is done again and again. */
function repeat(direction: 'encrypt' | 'decrypt', inputs: BatchInputs, options: Partial<EncryptBatchOptions> = {}) {
  const [target, manifest] = [freshPath(), `${freshPath()}.manifest`]
  const all = { keyManager: OPTIONS.keyManager, purpose: 'test', workers: 2, target, manifest, ...options }
  const run = (changes: Partial<EncryptBatchOptions> = {}, others = inputs): Promise<BatchReport> =>
    (direction === 'encrypt' ? encryptBatch : decryptBatch)(others, { ...all, ...changes })
  return { target, manifest, run }
}

/** @returns how many entries a manifest holds. */
async function entriesOf(manifest: string): Promise<number> {
  const options = { ...OPTIONS, purpose: 'sealfile/batch/manifest' }
  const content = await EncryptedFile.readFile(manifest, options).catch(() => Buffer.alloc(0))
  return Math.max(0, (content.length - 98) / 41)
}

const FILES = { a: 'a', 'b/c': 'c', 'b/d': patternBytes(30_000), large: Buffer.alloc(17 * 2 ** 20, 'large') }
const COUNT = Object.keys(FILES).length
const DONE = { failures: [], skipped: [] }

describe.each(['encrypt', 'decrypt'] as const)('a batch that is run again, to %s', (direction) => {
  const read = direction === 'encrypt' ? readEncrypted : readFileSync
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(path), { recursive: true })
    if (direction === 'encrypt') writeFileSync(path, content)
    else writeEncrypted(path, content)
  }
  const makeSource = (files: Files = FILES): string => {
    const folder = makeTree({})
    for (const [path, content] of Object.entries(files)) write(join(folder, path), content)
    return folder
  }
  const expected = (files: Files): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([path, content]) => [path, Buffer.from(content).toString('latin1')]))

  test('leaves alone what is done', async () => {
    const { run, target, manifest } = repeat(direction, makeSource())
    expect(await run()).toMatchObject({ ...DONE, files: COUNT, unchanged: 0 })
    const inodes = (): number[] => Object.keys(FILES).map((path) => statSync(join(target, path)).ino)
    const before = inodes()
    expect(await run()).toEqual({ ...DONE, files: 0, bytes: 0, unchanged: COUNT })
    expect(inodes()).toEqual(before)
    expect(contentOf(target, read)).toEqual(expected(FILES))
    expect(statSync(manifest).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(manifest)).filter((name) => name.includes('sealfile'))).toEqual([])
  })

  test('does again what changed, what is new and what is gone from the target', async () => {
    const source = makeSource()
    const { run, target } = repeat(direction, source)
    await run()
    write(join(source, 'a'), 'A')
    write(join(source, 'b/new'), 'new')
    rmSync(join(source, 'b/c'))
    rmSync(join(target, 'large'))
    expect(await run()).toMatchObject({ ...DONE, files: 3, unchanged: 1 })
    // What has no source any more stays.
    expect(contentOf(target, read)).toEqual(expected({ ...FILES, a: 'A', 'b/new': 'new' }))
    expect(await run()).toMatchObject({ ...DONE, files: 0, unchanged: 4 })
  })

  test('does again what has other permissions or another purpose', async () => {
    const source = makeSource({ a: 'a', b: 'b' })
    const { run, target } = repeat(direction, source)
    await run()
    chmodSync(join(source, 'a'), 0o600)
    expect(await run()).toMatchObject({ ...DONE, files: 1, unchanged: 1 })
    expect(statSync(join(target, 'a')).mode & 0o777).toBe(0o600)
    if (direction === 'decrypt') return
    expect(await run({ purpose: (path) => (path === 'b' ? 'other' : 'test') })).toMatchObject({ ...DONE, files: 1, unchanged: 1 })
    expect(readEncrypted(join(target, 'b'), { purpose: 'other' }).toString()).toBe('b')
  })

  test('does not touch what somebody has put in the place of a target, or changed', async () => {
    const source = makeSource({ replaced: 'r', edited: 'e', linked: 'l', same: 's' })
    const { run, target } = repeat(direction, source)
    await run()
    rmSync(join(target, 'replaced'))
    writeFileSync(join(target, 'replaced'), 'mine')
    appendFileSync(join(target, 'edited'), 'mine')
    rmSync(join(target, 'linked'))
    symlinkSync('same', join(target, 'linked'))
    const before = contentOf(target)
    const check = async (): Promise<void> => {
      const { failures, ...counts } = await run()
      expect(counts).toMatchObject({ files: 0, unchanged: 1 })
      expect(failures.map(({ path }) => path).sort()).toEqual(['edited', 'linked', 'replaced'].map((name) => join(source, name)))
      for (const { error } of failures) expect(error).toMatchObject({ code: 'EEXIST' })
      expect(contentOf(target)).toEqual(before)
    }
    await check()
    for (const name of ['replaced', 'edited', 'linked']) write(join(source, name), 'changed')
    await check()
    expect(await run({ overwrite: true })).toMatchObject({ ...DONE, files: 3, unchanged: 1 })
    expect(await run()).toMatchObject({ ...DONE, files: 0, unchanged: 4 })
  })

  test('does not touch a file that is in the place of a folder', async () => {
    const { run, target } = repeat(direction, makeSource({ 'a/b': 'b', c: 'c' }))
    mkdirSync(target)
    writeFileSync(join(target, 'a'), 'mine')
    const { files, failures } = await run()
    expect(files).toBe(1)
    const inTheWay = { error: sealfileError('ERR_SEALFILE_BATCH_TARGET', { path: join(target, 'a') }) }
    expect(failures).toMatchObject([inTheWay, inTheWay])
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('mine')
    expect(readdirSync(target).sort()).toEqual(['a', 'c'])
  })

  test('replaces no target that is changed while it waits for its turn', async () => {
    const source = makeSource({ a: 'a' })
    const { run, target } = repeat(direction, source)
    await run()
    write(join(source, 'a'), 'changed')
    const control = new BatchControl()
    control.pause()
    const running = run({ control })
    await new Promise((resolve) => setTimeout(resolve, 300))
    writeFileSync(join(target, 'a'), 'mine')
    control.resume()
    expect((await running).failures).toMatchObject([{ error: { code: 'EEXIST' } }])
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('mine')
  })

  test.each(['same', 'changed', 'mine'])('knows what was made before it was killed and not noted any more: %s', async (now) => {
    const source = makeSource({ a: 'a' })
    const { run, target, manifest } = repeat(direction, source)
    const control = new BatchControl()
    control.pause()
    const running = run({ control })
    while ((await entriesOf(manifest)) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    copyFileSync(manifest, `${manifest}.begun`)
    control.resume()
    await running
    renameSync(`${manifest}.begun`, manifest)
    if (now === 'changed') write(join(source, 'a'), 'changed')
    if (now === 'mine') {
      rmSync(join(target, 'a'))
      writeFileSync(join(target, 'a'), 'mine')
    }
    const { files, failures } = await run()
    expect(files).toBe(now === 'mine' ? 0 : 1)
    expect(failures).toMatchObject(now === 'mine' ? [{ error: { code: 'EEXIST' } }] : [])
    expect((now === 'mine' ? readFileSync : read)(join(target, 'a')).toString()).toBe(now === 'same' ? 'a' : now)
  })

  test('goes on after an abort', async () => {
    const files = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`${i}`, patternBytes(2_000, i)]))
    const { run, target } = repeat(direction, makeSource(files))
    const controller = new AbortController()
    const onProgress = ({ files: done }: { readonly files: number }): void => {
      if (done > 50) controller.abort()
    }
    const first = run({ signal: controller.signal, onProgress, bytesPerSecond: 500_000 })
    await expect(first).rejects.toMatchObject({ code: 'ABORT_ERR' })
    const { failures, files: made, unchanged } = await run()
    expect(failures).toEqual([])
    expect(unchanged).toBeGreaterThan(20)
    expect(made + unchanged).toBe(400)
    expect(contentOf(target, read)).toEqual(expected(files))
  })
})

describe('a manifest', () => {
  test('that is damaged, or no manifest, ends the batch before anything is done', async () => {
    const { run, target, manifest } = repeat('encrypt', makeTree({ a: 'a', b: 'b' }))
    await run()
    rmSync(target, { recursive: true })
    const whole = readFileSync(manifest)
    const check = async (change: () => void, code: SealfileErrorCode): Promise<void> => {
      writeFileSync(manifest, whole)
      change()
      await expect(run()).rejects.toEqual(sealfileError(code))
      expect(existsSync(target)).toBe(false)
    }
    let found = 0
    for (let position = 1_280; position < whole.length; position += 29) {
      const bytes = Buffer.from(whole)
      bytes[position]! ^= 1
      writeFileSync(manifest, bytes)
      const outcome = await run().catch((error: unknown) => error)
      // Where a segment was written anew, the old one counts no more.
      if (!(outcome instanceof Error)) expect(outcome).toMatchObject({ files: 2, unchanged: 0, failures: [] })
      else if (found++ >= 0) expect(outcome).toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
      expect(existsSync(target)).toBe(!(outcome instanceof Error))
      rmSync(target, { recursive: true, force: true })
    }
    expect(found).toBeGreaterThan(5)
    await check(() => truncateSync(manifest, whole.length - 1), 'ERR_SEALFILE_TRUNCATED')
    await check(() => truncateSync(manifest, 700), 'ERR_SEALFILE_TRUNCATED')
    await check(() => writeFileSync(manifest, '{ "manifest": "of another tool" }'), 'ERR_SEALFILE_FORMAT')
    await check(() => {
      rmSync(manifest)
      writeEncrypted(manifest, 'x')
    }, 'ERR_SEALFILE_WRONG_PURPOSE')
    // Authentic, but too short, and of a later version.
    for (const content of ['\x01', '\x02'.padEnd(98)]) {
      await check(() => {
        rmSync(manifest)
        writeEncrypted(manifest, content, { purpose: 'sealfile/batch/manifest' })
      }, 'ERR_SEALFILE_BATCH_MANIFEST')
    }
    writeFileSync(manifest, whole)
    expect(await run()).toMatchObject({ files: 2, unchanged: 0 })
  })

  test('is one of a batch alone: its keys, context, direction, target and inputs', async () => {
    const source = makeTree(FILES)
    const { run, target, manifest } = repeat('encrypt', source)
    await run()
    const other = freshPath()
    await expect(run({ keyManager: KeyManager.fromKey(OTHER_KEY) })).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_KEY'))
    await expect(run({ context: Buffer.from('x') })).rejects.toEqual(sealfileError('ERR_SEALFILE_WRONG_PURPOSE'))
    const foreign = sealfileError('ERR_SEALFILE_BATCH_MANIFEST', { path: manifest, name: 'BatchError' })
    await expect(run({ target: other })).rejects.toEqual(foreign)
    await expect(run({}, [source, makeTree({})])).rejects.toEqual(foreign)
    await expect(run({}, glob('**', { cwd: source }))).rejects.toEqual(foreign)
    const options = { keyManager: OPTIONS.keyManager, purpose: 'test', target, manifest }
    await expect(decryptBatch(source, options)).rejects.toEqual(foreign)
    expect(existsSync(other)).toBe(false)
    expect(await run()).toMatchObject({ files: 0, unchanged: COUNT })
  })

  test('is used by one batch at a time', async () => {
    const { run } = repeat('encrypt', makeTree(FILES))
    const control = new BatchControl()
    control.pause()
    const running = run({ control })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await expect(run()).rejects.toEqual(sealfileError('ERR_SEALFILE_LOCKED'))
    control.resume()
    expect(await running).toMatchObject({ files: COUNT, failures: [] })
  })

  test('is older than what was done: that stays, and is told of', async () => {
    const source = makeTree({ a: 'a' })
    const { run, manifest, target } = repeat('encrypt', source)
    await run()
    copyFileSync(manifest, `${manifest}.old`)
    writeFileSync(join(source, 'a'), 'changed')
    writeFileSync(join(source, 'b'), 'b')
    await run()
    const before = contentOf(target)
    renameSync(`${manifest}.old`, manifest)
    const { failures } = await run()
    expect(failures).toHaveLength(2)
    for (const { error } of failures) expect(error).toMatchObject({ code: 'EEXIST' })
    expect(contentOf(target)).toEqual(before)
  })

  test('holds no name and no time in the clear, and stays small however often it is used', async () => {
    const files = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`secret-${i}`, '']))
    const source = makeTree(files)
    const { run, manifest } = repeat('encrypt', source)
    await run()
    const content = await EncryptedFile.readFile(manifest, { ...OPTIONS, purpose: 'sealfile/batch/manifest' })
    expect(content.includes('secret')).toBe(false)
    const size = statSync(manifest).size
    for (let time = 1; time <= 6; time++) {
      for (const name of Object.keys(files)) utimesSync(join(source, name), time, time)
      expect(await run()).toMatchObject({ ...DONE, files: 250 })
    }
    expect(statSync(manifest).size).toBeLessThan(5 * size)
    expect(await run()).toMatchObject({ ...DONE, unchanged: 250 })
  })

  test('that is damaged while it is written anew ends the batch, and nothing is left beside it', async () => {
    const { run, target, manifest } = repeat('encrypt', makeTree({ a: 'a' }))
    await run()
    rmSync(target, { recursive: true })
    const options = { purpose: 'sealfile/batch/manifest' }
    appendEncrypted(manifest, Buffer.alloc(1_100 * 41, readEncrypted(manifest, options).subarray(-41)), options)
    let damaged
    const damage = (message: unknown): void => {
      if ((message as FileMessage).path !== manifest) return
      damaged = readFileSync(manifest)
      // In a segment that begins within a note.
      damaged[20_000]! ^= 1
      writeFileSync(manifest, damaged)
    }
    subscribe('sealfile:file-create', damage)
    await expect(run()).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    unsubscribe('sealfile:file-create', damage)
    expect(readFileSync(manifest)).toEqual(damaged)
    expect(existsSync(target)).toBe(false)
    expect(readdirSync(dirname(manifest)).filter((name) => name.includes(basename(manifest)))).toEqual([basename(manifest)])
  })

  test('lies neither in the target nor in an input folder; a pattern passes over it', async () => {
    const source = makeTree({ a: 'a' })
    const { run, target } = repeat('encrypt', source)
    for (const manifest of [join(target, 'm'), join(source, 'm'), target]) {
      await expect(run({ manifest })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    }
    await expect(run({ manifest: 1 as never })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(run({ manifest: Buffer.from([0x2f, 0xff]) })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(run({ manifest: join(freshPath(), 'm') })).rejects.toMatchObject({ code: 'ENOENT' })
    expect(existsSync(target)).toBe(false)
    const pattern = glob('**', { cwd: source })
    for (const counts of [{ files: 1 }, { files: 0, unchanged: 1 }]) {
      expect(await run({ manifest: join(source, 'm') }, pattern)).toMatchObject({ ...counts, failures: [] })
    }
    expect(readdirSync(target)).toEqual(['a'])
  })
})

const CHILD = `
const [direction, source, target, manifest] = process.argv.slice(2)
const keyManager = sealfile.KeyManager.fromKey(new Uint8Array(32).fill(0x44))
say('begin')
const options = { keyManager, purpose: 'test', workers: 2, target, manifest, segmentSize: 4096 }
const { failures, ...counts } = await sealfile[direction + 'Batch'](source, options)
say({ ...counts, failures: failures.map(({ path, error }) => [path, error.code, error.message]) })
`

describe('a batch that is killed again and again', () => {
  const start = batchProcess(CHILD)
  const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
  const rounds = process.env['SLOW'] === '1' ? 40 : 1
  const random = new SeededRandom(4_711)

  /** Runs it until it comes to its end. @returns what it said then, and how often it was killed. */
  async function runUntilDone(args: readonly string[], afterKill: () => void): Promise<{ report: unknown; kills: number }> {
    for (let kills = 0; ; kills++) {
      const batch = start(args)
      const milliseconds = random.int(60, 300 + kills * 150)
      batch.onSay = () => void setTimeout(() => batch.kill(), milliseconds)
      const [, report] = await batch.end()
      if (report !== undefined) return { report, kills }
      afterKill()
    }
  }

  test.each(Array.from({ length: rounds }, (_, round) => round))('comes to its end, there and back: round %i', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 600 }, (_, i) => [`${i % 11}/${i}`, patternBytes(random.int(0, 3_000), i)] as const),
    )
    const source = makeTree({ ...files, large: patternBytes(18 * 2 ** 20), removed: 'x' })
    const [encrypted, target] = [freshPath(), freshPath()]
    let changes = 0
    const there = await runUntilDone(['encrypt', source, encrypted, `${encrypted}.manifest`], () => {
      // Sources go on living meanwhile.
      writeFileSync(join(source, '3/3'), `changed ${++changes}`)
      utimesSync(join(source, '3/3'), changes, changes)
      rmSync(join(source, 'removed'), { force: true })
    })
    expect(there.report).toMatchObject({ failures: [] })
    const open = { keyManager, purpose: 'test' }
    for (const [path, content] of Object.entries(contentOf(source))) {
      expect(readEncrypted(join(encrypted, path), open).toString('latin1') === content, path).toBe(true)
    }
    const back = await runUntilDone(['decrypt', encrypted, target, `${target}.manifest`], () => undefined)
    expect(back.report).toMatchObject({ failures: [] })
    expect(there.kills + back.kills).toBeGreaterThan(0)
    rmSync(join(target, 'removed'), { force: true })
    const [before, after] = [contentOf(source), contentOf(target)]
    // Nothing is left that is no target.
    expect(Object.keys(after)).toEqual(Object.keys(before))
    for (const [path, content] of Object.entries(after)) expect(content === before[path], path).toBe(true)
  })
})

test('a manifest of which most files have failed is opened as any other', async () => {
  const names = Array.from({ length: 1_100 }, (_, i) => `${i}`)
  const batch = repeat('decrypt', makeTree(Object.fromEntries(names.map((name) => [name, 'plaintext']))), { groupMs: 1_000 })
  for (let times = 0; times < 2; times++) expect((await batch.run()).failures).toHaveLength(names.length)
})

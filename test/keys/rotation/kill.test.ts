import { spawn } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EncryptedFile } from '../../../src/index.js'
import { rewrap } from '../../../src/keys/rotation/rewrap.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SeveralGenerations } from '../../support/several-generations.js'
import { makeFile, PURPOSE, read, saltOf, slotsOf, streamOf } from './support.js'

/** How often a child is killed while it rewraps, and half as often while it re-encrypts. */
const ROUNDS = process.env['SLOW'] === '1' ? 600 : 60
const SEED = Number(process.env['KILL_SEED'] ?? 1)

/** Rewraps or re-encrypts a folder and prints what is done; or appends lines to a file for ever. */
const CHILD = `
import { SeveralGenerations, rewrap, reencrypt, EncryptedFile } from './rotation.js'
const [what, folder, generation, logged] = process.argv.slice(2)
const keys = new SeveralGenerations(Array.from({ length: Number(generation) }, (_, index) => index + 1))
process.stdout.write('begun\\n')
if (what === 'append') {
  for (let line = 0; ; line++) {
    const options = { keyManager: keys, purpose: '${PURPOSE}', lockTimeout: 5000 }
    await EncryptedFile.appendFile(folder + '/' + logged, line + '\\n', options)
    process.stdout.write(line + '\\n')
  }
}
const onProgress = (progress) => process.stdout.write(JSON.stringify(progress) + '\\n')
const options = { purpose: '${PURPOSE}', onProgress, concurrency: 4, lockTimeout: 5000 }
const report = what === 'rewrap' ? await rewrap(keys, folder, options) : await reencrypt(keys, folder, { ...options, before: keys.generation })
process.stdout.write(JSON.stringify({ ...report, isEnd: true }) + '\\n')
if (report.failures.length > 0) throw report.failures[0].error
`

let directory: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sealfile-rotation-'))
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const contents = `
    export { rewrap } from './src/keys/rotation/rewrap.js'
    export { reencrypt } from './src/keys/rotation/reencrypt.js'
    export { EncryptedFile } from './src/index.js'
    export { SeveralGenerations } from './test/support/several-generations.js'`
  await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile: join(directory, 'rotation.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  })
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory, 'child.js'), CHILD)
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Run {
  /** What the child has printed, after its first line. */
  readonly lines: readonly string[]
  readonly stderr: string
  readonly signal: NodeJS.Signals | null
}

/** When a child is killed: some time after it has printed so many lines, each of which tells of a file that is done. */
interface Kill {
  readonly lines: number
  readonly milliseconds: number
}

/** Runs a child, to its end if it is not killed. */
function runChild(args: readonly string[], kill?: Kill): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(directory, 'child.js'), ...args])
    let [stdout, stderr] = ['', '']
    let lines = 0
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString()
      const before = lines
      lines = stdout.split('\n').length - 1
      const { lines: last, milliseconds } = kill ?? { lines: Infinity, milliseconds: 0 }
      if (before < last && lines >= last) setTimeout(() => child.kill('SIGKILL'), milliseconds)
    })
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', reject)
    child.on('close', (_, signal) => resolve({ lines: stdout.split('\n').slice(1, -1), stderr, signal }))
  })
}

function keysUpTo(generation: number): SeveralGenerations {
  return new SeveralGenerations(Array.from({ length: generation }, (_, index) => index + 1))
}

async function makeFolder(name: string, count: number, contentOf: (index: number) => string): Promise<string> {
  const folder = join(directory, name)
  mkdirSync(folder)
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) makeFile(join(folder, `${i}`), contentOf(i), keysUpTo(1))
    else writeFileSync(join(folder, `${i}`), await streamOf(contentOf(i), keysUpTo(1)))
  }
  return folder
}

function wholeFilesIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.includes('sealfile-'))
}

describe('killed again and again', () => {
  test('rewrap loses no file, and the next call goes on', { timeout: ROUNDS * 5_000 }, async () => {
    const count = 40
    const folder = await makeFolder('rewrap', count, (i) => `content ${i}`)
    const random = new SeededRandom(SEED)
    const killAtRandom = (): Kill => ({ lines: random.int(1, count), milliseconds: random.int(0, 3) })
    let generation = 1
    let [killed, between, staleLocks] = [0, 0, 0]
    for (let round = 0; round < ROUNDS / 2; round++) {
      generation++
      const keys = keysUpTo(generation)
      const hint = `KILL_SEED=${SEED}, round ${round}`
      for (const kill of [killAtRandom(), killAtRandom(), undefined]) {
        const { stderr, signal, lines } = await runChild(['rewrap', folder, `${generation}`], kill)
        expect(stderr, hint).toBe('')
        if (signal === 'SIGKILL') killed++
        let rewrapped = 0
        for (let i = 0; i < count; i++) {
          const path = join(folder, `${i}`)
          expect(read(path, keys), hint).toBe(`content ${i}`)
          if ((await EncryptedFile.inspect(path)).generation === generation) rewrapped++
          if (lstatSync(`${path}.sealfile-lock`, { throwIfNoEntry: false }) !== undefined) staleLocks++
        }
        if (rewrapped > 0 && rewrapped < count) between++
        if (kill !== undefined) continue
        expect(rewrapped, hint).toBe(count)
        expect((JSON.parse(lines.at(-1)!) as { isEnd: boolean }).isEnd, hint).toBe(true)
        const onlyNew = new SeveralGenerations([generation])
        for (let i = 0; i < count; i++) {
          expect(read(join(folder, `${i}`), onlyNew), hint).toBe(`content ${i}`)
          expect(slotsOf(join(folder, `${i}`)).filter((slot) => slot.equals(Buffer.alloc(96))).length, hint).toBe(1)
        }
      }
    }
    expect(killed).toBeGreaterThan(ROUNDS / 2)
    expect(between).toBeGreaterThan(ROUNDS / 20)
    expect(staleLocks).toBeGreaterThan(ROUNDS / 20)
  })

  test('reencrypt loses no file, and the next call leaves out what was done', { timeout: ROUNDS * 5_000 }, async () => {
    const count = 12
    const contentOf = (i: number): string => `${i} `.repeat(i * 9_000)
    const folder = await makeFolder('reencrypt', count, contentOf)
    const random = new SeededRandom(SEED)
    const killAtRandom = (): Kill => ({ lines: random.int(1, count), milliseconds: random.int(0, 3) })
    let generation = 1
    let [killed, leftOut, between] = [0, 0, 0]
    for (let round = 0; round < ROUNDS / 4; round++) {
      generation++
      const keys = keysUpTo(generation)
      const hint = `KILL_SEED=${SEED}, round ${round}`
      let salts = wholeFilesIn(folder).map((name) => saltOf(join(folder, name)))
      const isDone = new Set<string>()
      for (const kill of [killAtRandom(), killAtRandom(), undefined]) {
        const { stderr, signal, lines } = await runChild(['reencrypt', folder, `${generation}`], kill)
        expect(stderr, hint).toBe('')
        if (signal === 'SIGKILL') killed++
        const names = wholeFilesIn(folder)
        expect(names.length, hint).toBe(count)
        for (const name of names) {
          const path = join(folder, name)
          expect(read(path, keys) === contentOf(Number(name)), hint).toBe(true)
          // What was done once, no later call has done again.
          if (isDone.has(saltOf(path))) leftOut++
        }
        const after = names.map((name) => saltOf(join(folder, name)))
        for (const salt of isDone) expect(after, hint).toContain(salt)
        for (const salt of after) if (!salts.includes(salt)) isDone.add(salt)
        if (isDone.size > 0 && isDone.size < count) between++
        salts = after
        if (kill !== undefined) continue
        expect(isDone.size, hint).toBe(count)
        const last = JSON.parse(lines.at(-1)!) as { reencrypted: number; current: number }
        expect(last.reencrypted + last.current, hint).toBe(count)
        const onlyNew = new SeveralGenerations([generation])
        for (const name of names) expect(read(join(folder, name), onlyNew) === contentOf(Number(name)), hint).toBe(true)
      }
    }
    expect(killed).toBeGreaterThan(ROUNDS / 8)
    expect(between).toBeGreaterThan(2)
    expect(leftOut).toBeGreaterThan(count)
  })
})

test('a logger in another process that is killed loses no line to a rewrap that went on beside it', async () => {
  const folder = await makeFolder('beside', 1, () => '')
  let isOver = false
  const logging = runChild(['append', folder, '2', '0'], { lines: 1, milliseconds: 1_500 }).finally(() => (isOver = true))
  let rewrapped = 0
  for (let round = 0; !isOver; round++) {
    // Both know both generations, and each takes the file to another.
    const keys = new SeveralGenerations(round % 2 === 0 ? [2, 1] : [1, 2])
    const report = await rewrap(keys, folder, { purpose: PURPOSE, lockTimeout: 5_000 })
    expect(report.failures).toEqual([])
    rewrapped += report.rewrapped
  }
  const { lines, stderr } = await logging
  expect(stderr).toBe('')
  expect(lines.length).toBeGreaterThan(10)
  expect(rewrapped).toBeGreaterThan(10)
  const text = read(join(folder, '0'), keysUpTo(2))
  expect(text.startsWith(lines.map((line) => `${line}\n`).join(''))).toBe(true)
})

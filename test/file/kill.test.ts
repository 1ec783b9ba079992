import { build } from 'esbuild'
import { spawn } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { SeededRandom } from '../support/seeded-random.js'

const ROUNDS = process.env['SLOW'] === '1' ? 2_000 : 300

/**
 * Appends numbered lines for ever, and prints how long the file is that is synced. What line n holds follows from n; a line that
 * was cut off is completed first.
 */
const CHILD = `
import { EncryptedFile, KeyManager } from './sealfile.js'
const [path, start, seed] = process.argv.slice(2)
const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
const file = await EncryptedFile.open(path, 'a', { keyManager, purpose: 'kill', segmentSize: 4096, commitInterval: 2 })
process.stdout.write('open\\n')
const lineOf = (n) => n + ' ' + 'x'.repeat(n % 23 === 0 ? (n * 7919) % 30000 : (n * 31) % 120) + '\\n'
let [line, length] = [0, 0]
while (length + lineOf(line).length <= Number(start)) length += lineOf(line++).length
let cut = Number(start) - length
let state = Number(seed)
const random = (end) => (state = (state * 48271) % 2147483647) % end
for (;;) {
  for (let count = random(12) + 1; count > 0; count--) {
    const text = lineOf(line++)
    await file.append(text.slice(cut))
    length += text.length
    cut = 0
  }
  if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(6)))
  else {
    await file.sync()
    process.stdout.write(length + '\\n')
  }
}
`

const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
const options = { keyManager, purpose: 'kill' }
let directory: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sealfile-kill-'))
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/index.ts', import.meta.url))],
    outfile: join(directory, 'sealfile.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  })
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory, 'child.js'), CHILD)
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Killed {
  /** Bytes that the child said were synced. */
  readonly synced: number
  readonly stderr: string
  readonly signal: NodeJS.Signals | null
}

/** Lets a child write, and kills it some time after it has opened the file. */
function writeAndKill(path: string, start: number, seed: number, milliseconds: number): Promise<Killed> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(directory, 'child.js'), path, String(start), String(seed)])
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => {
      if (stdout === '') setTimeout(() => child.kill('SIGKILL'), milliseconds)
      stdout += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', reject)
    child.on('close', (_, signal) => {
      const lines = stdout.split('\n').slice(1, -1)
      resolve({ synced: lines.length === 0 ? start : Number(lines.at(-1)), stderr, signal })
    })
  })
}

function lineOf(n: number): string {
  return `${n} ${'x'.repeat(n % 23 === 0 ? (n * 7_919) % 30_000 : (n * 31) % 120)}\n`
}

/** @returns how many bytes the file holds, all of them those of the lines in their order; the last may be cut off. */
async function checkLines(path: string): Promise<number> {
  if (!existsSync(path) || lstatSync(path).size === 0) return 0
  await using file = await EncryptedFile.open(path, 'r', options)
  const text = await file.readFile('utf8')
  const lines: string[] = []
  for (let length = 0; length < text.length; length += lines.at(-1)!.length) lines.push(lineOf(lines.length))
  expect(lines.join('').slice(0, text.length) === text, 'the lines are those that were written').toBe(true)
  return text.length
}

test('a logger that is killed again and again loses no line that was synced', { timeout: ROUNDS * 5_000 }, async () => {
  const path = join(directory, 'log.enc')
  const lock = `${path}.sealfile-lock`
  const seed = Number(process.env['KILL_SEED'] ?? 1)
  const random = new SeededRandom(seed)
  let length = 0
  let [synced, unsynced, staleLocks] = [0, 0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const hint = `KILL_SEED=${seed}, round ${round}`
    const killed = await writeAndKill(path, length, random.int(1, 2 ** 31 - 2), random.int(0, 60))
    expect(killed.stderr, hint).toBe('')
    expect(killed.signal, hint).toBe('SIGKILL')
    if (lstatSync(lock, { throwIfNoEntry: false }) !== undefined) staleLocks++
    const found = await checkLines(path)
    expect(found, hint).toBeGreaterThanOrEqual(killed.synced)
    expect(found, hint).toBeGreaterThanOrEqual(length)
    synced += killed.synced - length
    unsynced += found - killed.synced
    length = found
  }
  expect(synced).toBeGreaterThan(ROUNDS)
  expect(unsynced).toBeGreaterThan(0)
  expect(staleLocks).toBe(ROUNDS)

  const last = await EncryptedFile.open(path, 'a', options)
  await last.close()
  expect(lstatSync(lock, { throwIfNoEntry: false })).toBeUndefined()
  expect(await checkLines(path)).toBe(length)
})

import { build } from 'esbuild'
import { spawn } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { SeededRandom } from '../support/seeded-random.js'

const ROUNDS = process.env['SLOW'] === '1' ? 400 : 40

/** Appends numbered lines for ever, and prints the number of those that are synced. */
const CHILD = `
import { EncryptedFile, KeyManager } from './sealfile.js'
const [path, start, seed] = process.argv.slice(2)
const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
const file = await EncryptedFile.open(path, 'a', { keyManager, purpose: 'kill', segmentSize: 4096, commitInterval: 2 })
process.stdout.write('open\\n')
let line = Number(start)
let state = Number(seed)
const random = (end) => (state = (state * 48271) % 2147483647) % end
for (;;) {
  for (let count = random(12) + 1; count > 0; count--) {
    const size = random(20) === 0 ? random(30_000) : random(120)
    await file.append(line++ + ' ' + 'x'.repeat(size) + '\\n')
  }
  if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(6)))
  else {
    await file.sync()
    process.stdout.write(line + '\\n')
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
  /** Lines that the child said were synced. */
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

/** @returns how many lines the file holds, all of them whole and in their order. */
async function countLines(path: string): Promise<number> {
  if (!existsSync(path) || lstatSync(path).size === 0) return 0
  await using file = await EncryptedFile.open(path, 'r', options)
  const text = await file.readFile('utf8')
  const lines = text.split('\n')
  expect(lines.pop(), 'what follows the last line').toBe('')
  for (const [i, line] of lines.entries()) {
    if (!/^\d+ x*$/.test(line) || Number(line.split(' ')[0]) !== i) throw new Error(`line ${i} is '${line.slice(0, 40)}'`)
  }
  return lines.length
}

test('a logger that is killed again and again loses no line that was synced', { timeout: ROUNDS * 5_000 }, async () => {
  const path = join(directory, 'log.enc')
  const lock = `${path}.sealfile-lock`
  const seed = Number(process.env['KILL_SEED'] ?? 1)
  const random = new SeededRandom(seed)
  let lines = 0
  let [synced, unsynced, staleLocks] = [0, 0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const hint = `KILL_SEED=${seed}, round ${round}`
    const killed = await writeAndKill(path, lines, random.int(1, 2 ** 31 - 2), random.int(0, 60))
    expect(killed.stderr, hint).toBe('')
    expect(killed.signal, hint).toBe('SIGKILL')
    if (lstatSync(lock, { throwIfNoEntry: false }) !== undefined) staleLocks++
    const found = await countLines(path)
    expect(found, hint).toBeGreaterThanOrEqual(killed.synced)
    expect(found, hint).toBeGreaterThanOrEqual(lines)
    synced += killed.synced - lines
    unsynced += found - killed.synced
    lines = found
  }
  expect(synced).toBeGreaterThan(ROUNDS)
  expect(unsynced).toBeGreaterThan(0)
  expect(staleLocks).toBe(ROUNDS)

  const last = await EncryptedFile.open(path, 'a', options)
  await last.append(`${lines} x\n`)
  await last.close()
  expect(lstatSync(lock, { throwIfNoEntry: false })).toBeUndefined()
  expect(await countLines(path)).toBe(lines + 1)
})

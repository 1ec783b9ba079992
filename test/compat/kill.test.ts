import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { detectFormat, migrateDirectory } from '../../src/compat.js'
import { KeyManager } from '../../src/index.js'
import { patternBytes, readEncrypted } from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'

const ROUNDS = process.env['SLOW'] === '1' ? 200 : 5

const CHILD = `
import { KeyManager, migrateDirectory } from './sealfile.js'
const [source, target, removeSource] = process.argv.slice(2)
const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
process.stdout.write('begin\\n')
const { failures } = await migrateDirectory(source, target, { keyManager, purpose: 'kill', removeSource: removeSource === 'true' })
process.stdout.write(failures.length === 0 ? 'end\\n' : String(failures[0].error.stack))
`

const options = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(0x44)), purpose: 'kill' }
let directory: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sealfile-kill-'))
  const [index, compat] = ['index', 'compat'].map((name) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url)))
  await build({
    stdin: { contents: `export * from ${JSON.stringify(index)}\nexport * from ${JSON.stringify(compat)}`, resolveDir: directory },
    outfile: join(directory, 'sealfile.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['age-encryption'],
    logLevel: 'error',
  })
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory, 'child.js'), CHILD)
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Lets a child migrate, and kills it some time after it has begun. @returns what it said. */
function migrateAndKill(source: string, target: string, removeSource: boolean, milliseconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(directory, 'child.js'), source, target, String(removeSource)])
    let output = ''
    child.stdout.on('data', (data: Buffer) => {
      if (output === '') setTimeout(() => child.kill('SIGKILL'), milliseconds)
      output += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => (output += data.toString()))
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

/** What is left of a process that was killed while it took over the lock of another that had been killed: it holds nothing up. */
const GUARD = /\.sealfile-lock-[0-9a-f]{16}$/

/** @returns what is in a folder that is no folder, sorted. */
function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => !GUARD.test(name))
    .sort()
}

const CONTENT = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`file-${i}`, patternBytes((i * 97_003) % 900_000, i)]))
const NAMES = Object.keys(CONTENT).sort()

/** A file is there as it was or encrypted, whole in either case. @returns whether it is encrypted. */
async function checkFile(path: string, content: Buffer): Promise<boolean> {
  const isEncrypted = (await detectFormat(path)) === 'sealfile'
  const found = isEncrypted ? readEncrypted(path, options) : readFileSync(path)
  expect(found.equals(content), path).toBe(true)
  return isEncrypted
}

describe.each([
  ['in place', true, false],
  ['elsewhere', false, false],
  ['elsewhere, removing the sources', false, true],
])('a migration %s', (_, isInPlace, removeSource) => {
  test('that is killed loses nothing, goes on where it was, and leaves nothing behind', { timeout: ROUNDS * 20_000 }, async () => {
    const seed = Number(process.env['KILL_SEED'] ?? 1)
    const random = new SeededRandom(seed)
    let kills = 0
    for (let round = 0; round < ROUNDS; round++) {
      const source = join(directory, `${isInPlace}-${removeSource}-${round}`)
      const target = isInPlace ? source : `${source}-target`
      mkdirSync(source)
      for (const [name, content] of Object.entries(CONTENT)) writeFileSync(join(source, name), content)
      let done = 0
      for (let tries = 0; tries < 3; tries++) {
        const output = await migrateAndKill(source, target, removeSource, random.int(0, 250))
        expect(output, `KILL_SEED=${seed}, round ${round}`).toMatch(/^begin\n(end\n)?$/)
        if (!output.endsWith('end\n')) kills++
        let encrypted = 0
        for (const [name, content] of Object.entries(CONTENT)) {
          const isSource = existsSync(join(source, name))
          const isTarget = existsSync(join(target, name))
          expect(isSource || isTarget, name).toBe(true)
          if (isSource && !isInPlace) expect(await checkFile(join(source, name), content)).toBe(false)
          if (isTarget && (await checkFile(join(target, name), content))) encrypted++
        }
        expect(encrypted).toBeGreaterThanOrEqual(done)
        done = encrypted
      }
      const { migrated, present, failures } = await migrateDirectory(source, target, { ...options, removeSource })
      expect(failures).toEqual([])
      if (!removeSource) expect({ migrated, present }).toEqual({ migrated: NAMES.length - done, present: done })
      expect(filesIn(target)).toEqual(NAMES)
      if (!isInPlace) expect(filesIn(source)).toEqual(removeSource ? [] : NAMES)
      for (const [name, content] of Object.entries(CONTENT)) expect(await checkFile(join(target, name), content)).toBe(true)
      for (const folder of [source, target]) rmSync(folder, { recursive: true, force: true })
    }
    expect(kills).toBeGreaterThan(ROUNDS / 2)
  })
})

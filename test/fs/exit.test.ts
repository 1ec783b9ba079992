import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { KEY, PURPOSE } from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { FS_OPTIONS } from './twins.js'

/** A process that ends while calls on a number go on, or before it was closed, leaves all that was asked for, and no lock. */

const inFolder = temporaryFolder()
const program = inFolder('run.mjs')

beforeAll(async () => {
  const entry = fileURLToPath(new URL('./exit-run.ts', import.meta.url))
  await build({
    entryPoints: [entry],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  })
})

const RUNS = process.env['SLOW'] === '1' ? 100 : 4

describe.each(['exit', 'throw', 'stop'])('in the middle of calls, by %s', (how) => {
  test.concurrent.each(Array.from({ length: RUNS }, (_, seed) => seed))('seed %i', async (seed) => {
    const path = inFolder(`${how}-${seed}`)
    fs.mkdirSync(path)
    const file = `${path}/file`
    const last = new SeededRandom(seed).int(3, 60)
    const env = { ...process.env, KEY: Buffer.from(KEY).toString('hex'), PURPOSE }
    const child = spawn(process.execPath, [program, file, String(seed), String(last), how], { env, stdio: 'ignore' })
    const [status] = (await once(child, 'exit')) as [number]
    expect(status).toBe({ exit: 3, throw: 1, stop: 0 }[how])
    expect(fs.readdirSync(path)).toEqual(['file', 'file.expected'])
    const content = createEncryptedFs(FS_OPTIONS).readFileSync(file)
    expect(content.equals(fs.readFileSync(`${file}.expected`))).toBe(true)
  })
})

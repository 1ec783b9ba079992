import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.js'

const MIB = 2 ** 20
const SIZE = 512 * MIB
/** What a process takes beyond that of one that does the same with an empty file. */
const ALLOWED = 160 * MIB

const inFolder = temporaryFolder()
const folder = (): string => inFolder('large')

/** Runs a script with the library in a process of its own. @returns bytes of memory that it took at most. */
function run(script: string, path: string): number {
  const program = `
    import { createReadStream, createWriteStream, writeFileSync } from 'node:fs'
    import { pipeline } from 'node:stream/promises'
    import * as lib from './library.mjs'
    const keyManager = lib.KeyManager.fromKey(new Uint8Array(32).fill(1))
    const options = { keyManager, purpose: 'x', age: { passphrase: 'x' } }
    const aico = { keys: lib.AicoKeys.fromMasterKey(new Uint8Array(32)), purpose: 'x' }
    const path = ${JSON.stringify(path)}
    ${script}
    console.log(process.resourceUsage().maxRSS * 1024)`
  writeFileSync(join(folder(), 'program.mjs'), program)
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder(), 'program.mjs')], { cwd: folder(), encoding: 'utf8' })
  expect(stderr).toBe('')
  return Number(stdout)
}

describe.runIf(process.env['SLOW'] === '1')('large files take no more memory than small ones', () => {
  beforeAll(async () => {
    mkdirSync(folder())
    const [index, compat] = ['index', 'compat'].map((name) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url)))
    const worker = fileURLToPath(new URL('../../src/keys/argon2-worker.js', import.meta.url))
    const root = fileURLToPath(new URL('../../', import.meta.url))
    const contents = `export * from ${JSON.stringify(index)}\nexport * from ${JSON.stringify(compat)}`
    const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const
    await build({ ...common, stdin: { contents, resolveDir: root }, outfile: join(folder(), 'library.mjs') })
    await build({ ...common, entryPoints: [worker], outfile: join(folder(), 'argon2-worker.js') })
  })

  test.each([
    ['plaintext in place', '', 'await lib.migrateFile(path, path, options)'],
    [
      'AICO, in and out',
      'await pipeline(createReadStream(path), lib.createAicoEncryptStream(aico), createWriteStream(path + ".aico"))',
      'await lib.migrateFile(path + ".aico", path + ".enc", { ...options, aico })',
    ],
    [
      'AICO as a stream',
      'await pipeline(createReadStream(path), lib.createAicoEncryptStream(aico), createWriteStream(path + ".aico"))',
      'for await (const piece of lib.createAicoReadStream(path + ".aico", aico)) piece.fill(0)',
    ],
    [
      'age, armored, in and out',
      `await lib.migrateFile(path, path + ".enc", options)
       await lib.exportToAge(path + ".enc", path + ".age", { ...options, passphrase: 'x', workFactor: 4, armor: true })`,
      'await lib.migrateFile(path + ".age", path + ".back", options)',
    ],
  ])('%s', { timeout: 600_000 }, (_, prepare, script) => {
    const [small, large] = [0, SIZE].map((size) => {
      const path = join(folder(), 'file')
      writeFileSync(path, '')
      truncateSync(path, size)
      const memory = Math.max(run(prepare, path), run(script, path))
      for (const name of ['', '.aico', '.enc', '.age', '.back']) rmSync(path + name, { force: true })
      return memory
    })
    expect(large! - small!).toBeLessThan(ALLOWED)
  })
})

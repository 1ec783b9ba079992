import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { batchProcess } from '../../support/batch-process.js'
import { patternBytes } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const MIB = 2 ** 20
const inFolder = temporaryFolder()
const hasLimits = spawnSync('prlimit', ['--version']).status === 0

const start = batchProcess(`
const [call, input, target] = process.argv.slice(2)
const options = { keyManager: sealfile.KeyManager.fromKey(new Uint8Array(32).fill(7)), purpose: 'test', target }
const run = call === 'pack' ? sealfile.packBatch : sealfile.unpackBatch
const outcome = await run(input, options).catch((error) => ({ code: error.code }))
const { code, files, failures = [] } = outcome
say({ code, files, failures: failures.map(({ error }) => error.code) })
`)

describe.skipIf(!hasLimits)('a file that may not grow', () => {
  test('ends packing, and leaves no package; unpacking, it is the failure of one file', async () => {
    const [source, packed, target] = [inFolder('source'), inFolder('packed'), inFolder('target')]
    for (const folder of [source, packed]) mkdirSync(folder)
    writeFileSync(join(source, 'small'), 'small')
    writeFileSync(join(source, 'large'), patternBytes(3 * MIB))
    const limit = ['prlimit', `--fsize=${2 * MIB}`]
    const path = join(packed, 'package.zip')
    expect(await start(['pack', source, path], limit).end()).toEqual([{ code: 'EFBIG', failures: [] }])
    expect(readdirSync(packed)).toEqual([])
    expect(await start(['pack', source, path]).end()).toEqual([{ files: 2, failures: [] }])
    expect(await start(['unpack', path, target], limit).end()).toEqual([{ files: 1, failures: ['EFBIG'] }])
    expect(readdirSync(target)).toEqual(['small'])
  })
})

test('a packer that is killed leaves nothing that has the name of a package', async () => {
  const [source, packed] = [inFolder('many'), inFolder('killed')]
  for (const folder of [source, packed]) mkdirSync(folder)
  for (let i = 0; i < 20; i++) writeFileSync(join(source, `${i}`), patternBytes(4 * MIB, i))
  const path = join(packed, 'package.zip')
  const packing = start(['pack', source, path])
  while (readdirSync(packed).length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  packing.kill()
  expect(await packing.end()).toEqual([])
  expect(readdirSync(packed)).not.toContain('package.zip')
  expect(await start(['pack', source, path]).end()).toEqual([{ files: 20, failures: [] }])
})

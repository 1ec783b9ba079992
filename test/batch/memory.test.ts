import { linkSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { batchProcess } from '../support/batch-process.js'
import { writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const start = batchProcess(`
const [source, target] = process.argv.slice(2)
const keyManager = sealfile.KeyManager.fromKey(new Uint8Array(32).fill(0x44))
const idle = process.memoryUsage.rss()
let peak = idle
setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10).unref()
const { files } = await sealfile.decryptBatch(source, { keyManager, purpose: 'test', workers: 2, target, name: (path) => path + '.x' })
say({ files, above: (peak - idle) / 2 ** 20 })
`)

test.runIf(process.env['SLOW'] === '1')('100,000 names in a folder take little memory', { timeout: 600_000 }, async () => {
  const [source, count] = [inFolder('source'), 100_000]
  mkdirSync(source)
  const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x44))
  for (let i = 0; i < count; i++) {
    const original = inFolder(`original-${Math.floor(i / 50_000)}`)
    if (i % 50_000 === 0) writeEncrypted(original, '', { keyManager })
    linkSync(original, join(source, `a name as people give them to files ${i}`))
  }
  const target = inFolder('target')
  const [report] = (await start([source, target]).end()) as [{ files: number; above: number }]
  // So many files take longer than what is given for cleaning up.
  for (const folder of [source, target]) rmSync(folder, { recursive: true })
  expect(report.files).toBe(count)
  expect(report.above).toBeLessThan(150)
})

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { beforeAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.js'

const at = temporaryFolder()

/** Counts 40 times the bytes of 5 ms, while somebody sets the clock by an hour each time. Prints how many milliseconds that took. */
const CHILD = `
import { CommonState, Counters, Meter } from './meter.mjs'
const step = Number(process.argv[2])
const wall = Date.now
let set = 0
Date.now = () => wall() + set
const meter = new Meter(new CommonState().memory, new Counters().memory, 1_000_000)
const began = performance.now()
for (let i = 0; i < 40; i++) {
  meter.addBytes(5_000)
  set += step * 3_600_000
}
console.log(performance.now() - began)
`

beforeAll(async () => {
  const entry = fileURLToPath(new URL('../../src/batch/meter.ts', import.meta.url))
  await build({ entryPoints: [entry], outfile: at('meter.mjs'), bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  writeFileSync(at('child.mjs'), CHILD)
})

test.each([1, -1])('a limited rate is kept when the clock is set: %i h', (step) => {
  const { stdout, error } = spawnSync(process.execPath, [at('child.mjs'), String(step)], { encoding: 'utf8', timeout: 30_000 })
  expect(error).toBeUndefined()
  // 200 ms, of which 50 may be caught up on; no more than that, or it would have been killed.
  expect(Number(stdout)).toBeGreaterThan(149)
})

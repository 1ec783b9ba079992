import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'
import { buildCommand } from './build-command.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the code of the batch's workers lies, built for this run. */
    batchWorker: string
    /** The `sealfile` command, built for this run. */
    command: string
  }
}

/** Builds what runs in workers and processes of its own, once for all tests. */
export default async function setup(project: TestProject): Promise<() => void> {
  // Whoever collects coverage of threads reads the bundle, too.
  const shared = process.env['NODE_V8_COVERAGE']
  const folder = shared ?? mkdtempSync(join(tmpdir(), 'sealfile-workers-'))
  const outfile = join(folder, 'batch-worker.mjs')
  await buildBatchWorker(outfile)
  project.provide('batchWorker', outfile)
  project.provide('command', await buildCommand(join(folder, 'package')))
  return () => {
    if (shared === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** As the package has it: all in one file. */
export async function buildBatchWorker(outfile: string): Promise<void> {
  const entry = fileURLToPath(new URL('../../src/batch/batch-worker.ts', import.meta.url))
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    sourcemap: true,
  })
}

import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll } from 'vitest'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** The library as one ES module, so that tests can run it in processes of their own. */
export async function bundleLibrary(): Promise<(script: string, ...args: string[]) => SpawnSyncReturns<string>> {
  const folder = mkdtempSync(join(tmpdir(), 'sealfile-bundle-'))
  folders.push(folder)
  const outfile = join(folder, 'sealfile.mjs')
  const entry = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' })
  return (script, ...args) =>
    spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `import * as sealfile from ${JSON.stringify(outfile)};\n${script}`, ...args],
      {
        cwd: folder,
        encoding: 'utf8',
        timeout: 30_000,
      },
    )
}

import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { buildBatchWorker } from './build-workers.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Builds the package as its users have it, as far as the command needs it: that uses the package by its name.
 *
 * @param folder - Does not exist.
 * @returns the path of the command, named as it is installed.
 */
export async function buildCommand(folder: string): Promise<string> {
  const dist = join(folder, 'dist')
  const common: BuildOptions = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' }
  const external = ['sealfile', 'sealfile/*']
  mkdirSync(dist, { recursive: true })
  await Promise.all([
    build({ ...common, entryPoints: entryPoints(), packages: 'external', splitting: true, outdir: dist }),
    build({ ...common, entryPoints: [join(ROOT, 'src/cli.ts')], packages: 'external', external, outdir: dist, sourcemap: true }),
    build({ ...common, entryPoints: [join(ROOT, 'src/keys/argon2-worker.js')], packages: 'external', outdir: dist }),
    buildBatchWorker(join(dist, 'batch-worker.js')),
  ])
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'bin'))
  symlinkSync('../dist/cli.js', join(folder, 'bin/sealfile'))
  return join(folder, 'bin/sealfile')
}

function entryPoints(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly exports: Record<string, unknown> }
  const names = Object.keys(exports).filter((name) => !name.endsWith('.json'))
  return names.map((name) => join(ROOT, 'src', name === '.' ? 'index.ts' : `${name.slice(2)}.ts`))
}

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { mergeProcessCovs, type ProcessCov, type ScriptCov } from '@bcoe/v8-coverage'
import convert from 'ast-v8-to-istanbul'
import type { CoverageMapData } from 'istanbul-lib-coverage'
import { parseAstAsync } from 'vitest/node'

/** Coverage of what runs in worker threads, and of the command, of which vitest sees nothing: Node writes it where NODE_V8_COVERAGE says. */

const ARGON2_WORKER = pathToFileURL(resolve('src/keys/argon2-worker.js')).href

/** @param folder - Where Node has written, and the bundles of the batch's workers and of the command lie with their source maps. */
export async function readWorkerCoverage(folder: string): Promise<CoverageMapData[]> {
  const bundles = ['batch-worker.mjs', 'package/dist/cli.js'].map((name) => join(folder, name))
  const maps = new Map(
    bundles.map((bundle) => [pathToFileURL(bundle).href, JSON.parse(readFileSync(`${bundle}.map`, 'utf8')) as object]),
  )
  const scripts = [ARGON2_WORKER, ...maps.keys()]
  const processes = readdirSync(folder)
    .filter((name) => /^coverage-.*\.json$/.test(name))
    .map((name) => ({ result: readScripts(join(folder, name)).filter(({ url }) => scripts.includes(url)) }))
  const merged: ProcessCov = mergeProcessCovs(processes)
  return Promise.all(
    merged.result.map(async (coverage) => {
      const code = readFileSync(fileURLToPath(coverage.url), 'utf8')
      const sourceMap = maps.get(coverage.url)
      return convert({
        code,
        // vitest hands on no other parser, and uses this one itself.
        // eslint-disable-next-line @typescript-eslint/no-deprecated
        ast: parseAstAsync(code),
        coverage,
        ...(sourceMap === undefined ? {} : { sourceMap: sourceMap as never }),
      })
    }),
  )
}

/** @returns nothing where a test has killed the process while it wrote. */
function readScripts(path: string): readonly ScriptCov[] {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { readonly result: readonly ScriptCov[] }).result
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { mergeProcessCovs, type ProcessCov, type ScriptCov } from '@bcoe/v8-coverage'
import convert from 'ast-v8-to-istanbul'
import type { CoverageMapData } from 'istanbul-lib-coverage'
import { parseAstAsync } from 'vitest/node'

/** Coverage of what runs in worker threads, of which vitest sees nothing: Node writes it where NODE_V8_COVERAGE says. */

const ARGON2_WORKER = pathToFileURL(resolve('src/keys/argon2-worker.js')).href

/** @param folder - Where Node has written, and the bundle of the batch's workers lies with its source map. */
export async function readWorkerCoverage(folder: string): Promise<CoverageMapData[]> {
  const bundle = join(folder, 'batch-worker.mjs')
  const scripts = [ARGON2_WORKER, pathToFileURL(bundle).href]
  const maps = new Map([[scripts[1], JSON.parse(readFileSync(`${bundle}.map`, 'utf8')) as object]])
  const processes = readdirSync(folder)
    .filter((name) => /^coverage-.*\.json$/.test(name))
    .map((name) => {
      const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { readonly result: readonly ScriptCov[] }
      return { result: result.filter(({ url }) => scripts.includes(url)) }
    })
  const merged: ProcessCov = mergeProcessCovs(processes)
  return Promise.all(
    merged.result.map(async (coverage) => {
      const code = readFileSync(fileURLToPath(coverage.url), 'utf8')
      const sourceMap = maps.get(coverage.url)
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- vitest hands on no other parser, and uses this one itself
      return convert({
        code,
        ast: parseAstAsync(code),
        coverage,
        ...(sourceMap === undefined ? {} : { sourceMap: sourceMap as never }),
      })
    }),
  )
}

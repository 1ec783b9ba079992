import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import coverageLibrary, { type CoverageMapData } from 'istanbul-lib-coverage'
import { findErrorPaths, isCovered, type FileCoverage } from './error-paths.js'
import { UNREACHABLE } from './unreachable.js'
import { readWorkerCoverage } from './worker-coverage.js'

/** Runs all tests, with coverage, and asks that every error path was taken: `npm run coverage`. With `--again` it looks at the last run. */

const LEAST_LINES = 90
/** Tests of what runs in threads. Node writes the coverage of those, which makes tests of other processes slow, and disturbs those that kill. */
const WITH_THREADS = ['test/batch/', 'test/keys/argon2id']

const root = process.cwd()
const reports = join(root, 'coverage')
const fromThreads = join(reports, 'threads')

/** @returns whether all tests passed. */
function runTests(): boolean {
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(fromThreads, { recursive: true })
  const others = WITH_THREADS.flatMap((path) => ['--exclude', `${path}**`])
  return [runVitest('main', others, {}), runVitest('with-threads', WITH_THREADS, { NODE_V8_COVERAGE: fromThreads })].every(Boolean)
}

function runVitest(name: string, args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const coverage = [
    `--coverage.reportsDirectory=coverage/${name}`,
    '--coverage.reporter=json',
    '--coverage.thresholds.lines=0',
    '--coverage.reportOnFailure',
  ]
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...args, '--coverage', '--coverage.clean=false', ...coverage], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  return status === 0
}

function readReport(name: string): CoverageMapData {
  return JSON.parse(readFileSync(join(reports, name, 'coverage-final.json'), 'utf8')) as CoverageMapData
}

/** @returns lines that tell what is missing. */
async function check(): Promise<string[]> {
  const map = coverageLibrary.createCoverageMap(readReport('main'))
  map.merge(readReport('with-threads'))
  const known = new Set(map.files())
  for (const part of await readWorkerCoverage(fromThreads)) {
    map.merge(Object.fromEntries(Object.entries(part).filter(([path]) => known.has(path))))
  }
  const missing: string[] = []
  const { lines, branches, functions } = map.getCoverageSummary()
  console.log(`lines ${lines.pct} %, branches ${branches.pct} %, functions ${functions.pct} %`)
  if (lines.pct < LEAST_LINES) missing.push(`lines: ${lines.pct} % are covered, of ${LEAST_LINES} %`)
  const used = new Set<unknown>()
  let count = 0
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.[jt]s$/.test(name)) continue
    const path = join(root, 'src', name)
    const paths = findErrorPaths(path, readFileSync(path, 'utf8'))
    count += paths.length
    const coverage = known.has(path) ? (map.fileCoverageFor(path).data as unknown as FileCoverage) : undefined
    for (const place of paths) {
      if (coverage !== undefined && isCovered(place, coverage)) continue
      const file = relative(root, path)
      const allowed = UNREACHABLE.find((entry) => entry.file === file && entry.line === place.text)
      if (allowed === undefined) missing.push(`${file}:${place.line}: ${place.text}`)
      used.add(allowed)
    }
  }
  for (const entry of UNREACHABLE) if (!used.has(entry)) missing.push(`not unreachable, or gone: ${entry.file}: ${entry.line}`)
  console.log(`error paths: ${count}, of which ${UNREACHABLE.length} are only for other systems or broken hardware`)
  return missing
}

const isAgain = process.argv.includes('--again')
const failures = isAgain || runTests() ? [] : ['tests failed']
const missing = [...failures, ...(await check())]
for (const line of missing) console.error(line)
process.exitCode = missing.length === 0 ? 0 : 1

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import coverageLibrary, { type CoverageMapData } from 'istanbul-lib-coverage'
import { findErrorPaths, isCovered, type FileCoverage } from './error-paths.js'
import { UNCOVERED } from './uncovered.js'
import { readWorkerCoverage } from './worker-coverage.js'

/** Runs all tests, with coverage, and asks that every error path was taken: `npm run coverage`. With `--again` it looks at the last run. */

const LEAST_LINES = 90
/** Tests of what runs in threads, and of the command, which runs in processes of its own. Node writes the coverage of those, which makes tests of other processes slow, and disturbs those that kill. */
const WITH_THREADS = ['test/batch/', 'test/keys/argon2id.', 'test/cli/']

const root = process.cwd()
const folder = join(root, 'coverage')
const fromThreads = join(folder, 'threads')

/** @returns whether all tests passed. */
function runTests(): boolean {
  rmSync(folder, { recursive: true, force: true })
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
  return JSON.parse(readFileSync(join(folder, name, 'coverage-final.json'), 'utf8')) as CoverageMapData
}

/** @returns lines that tell what is missing. */
async function check(): Promise<string[]> {
  const map = coverageLibrary.createCoverageMap(readReport('main'))
  const files = new Set(map.files())
  // Each for itself: a report that has other places for the same statements would keep those of a merged one uncovered.
  const reports = [readReport('main'), readReport('with-threads'), ...(await readWorkerCoverage(fromThreads))]
  for (const report of reports) map.merge(Object.fromEntries(Object.entries(report).filter(([path]) => files.has(path))))
  const missing: string[] = []
  const { lines, branches, functions } = map.getCoverageSummary()
  console.log(`lines ${lines.pct} %, branches ${branches.pct} %, functions ${functions.pct} %`)
  if (lines.pct < LEAST_LINES) missing.push(`lines: ${lines.pct} % are covered, of ${LEAST_LINES} %`)
  const allowed = tally(Object.values(UNCOVERED).flatMap((entries) => entries.map((entry) => entry.join(': '))))
  const there = new Set<string>()
  const uncovered: string[] = []
  let count = 0
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.[jt]s$/.test(name)) continue
    const path = join(root, 'src', name)
    const coverages = reports.flatMap((report) => (report[path] === undefined ? [] : [report[path] as FileCoverage]))
    for (const place of findErrorPaths(path, readFileSync(path, 'utf8'))) {
      const entry = `${relative(root, path)}: ${place.text}`
      count++
      there.add(entry)
      if (coverages.some((coverage) => isCovered(place, coverage))) continue
      uncovered.push(entry)
      const isKnown = (allowed.get(entry) ?? 0) >= uncovered.filter((other) => other === entry).length
      if (!isKnown) missing.push(`no test comes to line ${place.line} of ${entry}`)
    }
  }
  for (const [entry, times] of allowed) {
    if (!there.has(entry)) missing.push(`test/coverage/uncovered.ts has a line that is gone: ${entry}`)
    // What depends on who is first may be come to by chance.
    else if (times > (tally(uncovered).get(entry) ?? 0)) console.log(`covered this time: ${entry}`)
  }
  const known = Object.entries(UNCOVERED).map(([reason, lines]) => `${lines.length}, ${reason}`)
  console.log(`error paths: ${count}. Known not to be covered:\n  ${known.join('\n  ')}`)
  return missing
}

function tally(entries: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const entry of entries) counts.set(entry, (counts.get(entry) ?? 0) + 1)
  return counts
}

const isAgain = process.argv.includes('--again')
const failures = isAgain || runTests() ? [] : ['tests failed']
const missing = [...failures, ...(await check())]
for (const line of missing) console.error(line)
process.exitCode = missing.length === 0 ? 0 : 1

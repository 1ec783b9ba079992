import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchBatchLarge, benchBatchSmall } from './batch.js'
import { benchBatchMix } from './batch-mix.js'
import { benchBatchMemory } from './batch-memory.js'
import { benchLargeFile, benchOpenForAppend, benchSmallFile } from './file.js'
import { benchAppends, benchRandomAccess, benchStreams, benchSync } from './handle.js'
import { countMissed } from './findings.js'
import { benchFileCount, benchFileSize, benchSegmentSize } from './growth.js'
import { pathOf, takeFindings } from './harness.js'
import { benchFileKeys, benchUnlock } from './keys.js'
import { benchMemory } from './memory.js'
import { benchOpenHandles } from './open-handles.js'
import { benchPeers, benchPromises } from './peers.js'
import { checkPage, writePage } from './report/write-page.js'
import { addResults, describeMachine, readResults, type BenchResult } from './results.js'
import { benchRewrap } from './rewrap.js'
import { benchSeal } from './seal.js'

/**
 * All benches, one after the other: `npm run bench`, with names of benches to choose some. Each prints our speed by the baseline's, the
 * median of paired rounds with the extremes. What was found goes to the page, in the sections of these benches.
 */

const USAGE = `npm run bench -- [options] [bench…]
  --quick           small files and few rounds, in about a minute; writes no page
  --write           write docs/benchmarks.md and its charts after a quick run, too
  --no-write        do not, after a full one
  --render          only write them, from the results of the last runs
  --results <file>  where results are kept, as JSON; by default bench/build/results.json`

const { values: flags, positionals: chosen } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  // Whoever imports this has arguments of its own.
  args: isMain() ? process.argv.slice(2) : [],
  options: {
    help: { type: 'boolean' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean' },
    render: { type: 'boolean', default: false },
    results: { type: 'string', default: fileURLToPath(new URL('results.json', import.meta.url)) },
  },
})
const { quick } = flags
const GIB = 2 ** 30
const rounds = quick ? 3 : 5

/** All benches, by the names of their sections. */
export const benches: Readonly<Record<string, () => Promise<void>>> = {
  seal: () => benchSeal(rounds),
  'large-file': () => benchLargeFile(rounds, quick ? GIB / 8 : GIB),
  'small-file': () => benchSmallFile(rounds),
  'open-for-append': () => benchOpenForAppend(rounds, quick ? GIB / 4 : 4 * GIB),
  'random-access': () => benchRandomAccess(rounds, quick ? GIB / 16 : GIB / 4, quick ? 1_000 : 10_000),
  appends: () => benchAppends(rounds, quick ? 200_000 : 1_000_000),
  streams: () => benchStreams(rounds, quick ? GIB / 16 : GIB / 4),
  sync: () => benchSync(rounds, quick ? GIB / 16 : GIB / 4),
  unlock: () => benchUnlock(rounds),
  'file-keys': () => benchFileKeys(rounds),
  rewrap: () => benchRewrap(rounds, quick ? 1_000 : 10_000),
  'batch-large': () => benchBatchLarge(rounds, quick ? GIB / 8 : GIB),
  'batch-small': () => benchBatchSmall(rounds, quick ? 2_000 : 20_000),
  'batch-mix': () => benchBatchMix(quick ? 1 : rounds, quick ? 500 : 8_000),
  'batch-memory': () => {
    const seconds = process.env['SLOW'] === '1' ? 3_600 : quick ? 1 : 20
    return benchBatchMemory(quick ? 10_000 : 1_000_000, 100 * GIB, seconds)
  },
  memory: () => benchMemory(quick ? GIB / 2 : 4 * GIB, pathOf('memory.enc')),
  'file-size': () => benchFileSize(rounds, quick ? GIB / 64 : 8 * GIB),
  'segment-size': () => benchSegmentSize(quick ? 1 : rounds, quick ? GIB / 128 : GIB / 4),
  'file-count': () => benchFileCount(rounds, quick ? 100 : 10_000),
  'open-handles': () => benchOpenHandles(quick ? 1 : 3),
  peers: async () => {
    await benchPeers(rounds, quick ? GIB / 128 : GIB / 4)
    await benchPromises(quick ? 1 : 3, quick ? GIB / 32 : GIB)
  },
}

function isMain(): boolean {
  return process.argv[1] === fileURLToPath(import.meta.url)
}

async function runBenches(): Promise<void> {
  const unknown = chosen.find((name) => !Object.hasOwn(benches, name))
  if (unknown !== undefined) throw new Error(`no bench is called ${unknown}; there are ${Object.keys(benches).join(', ')}`)
  const names = Object.keys(benches).filter((name) => chosen.length === 0 || chosen.includes(name))
  const isWritten = flags.write ?? !quick
  // Before anything is measured that could not be written.
  if (isWritten) checkPage(names)
  const machine = describeMachine()
  const { cpu, cores, memoryGiB, system, node } = machine
  console.log(`Node ${node}, ${system}, ${cores} x ${cpu}, ${memoryGiB} GiB`)
  console.log('Speed beside the baseline in the same run: median of rounds (slowest to fastest); above 1 is faster.')
  const results: Record<string, BenchResult> = {}
  for (const name of names) {
    console.log(`\n${name}`)
    const start = performance.now()
    await benches[name]!()
    const seconds = Math.round((performance.now() - start) / 1_000)
    results[name] = { date: new Date().toISOString().slice(0, 10), machine, quick, seconds, findings: takeFindings() }
    // At once: a run that is broken off leaves what it has found.
    addResults(flags.results, { [name]: results[name] })
  }
  const all = Object.values(results)
  const missed = all.reduce((sum, { findings }) => sum + countMissed(findings), 0)
  console.log(missed === 0 ? '\nAll targets reached.' : `\n${missed} targets missed.`)
  console.log(`It took ${all.reduce((sum, { seconds }) => sum + seconds, 0)} seconds.`)
  if (isWritten) await writePage(results)
}

if (isMain()) {
  if (flags.help === true) console.log(USAGE)
  else if (flags.render) await writePage(readResults(flags.results))
  else await runBenches()
}

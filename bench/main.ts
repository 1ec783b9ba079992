import { cpus, release, totalmem, type } from 'node:os'
import { benchLargeFile, benchOpenForAppend, benchSmallFile } from './file.js'
import { countMissed, pathOf } from './harness.js'
import { benchMemory } from './memory.js'
import { benchSeal } from './seal.js'

/**
 * All benches, one after the other: `npm run bench`. Each prints our speed by the baseline's, the median of paired rounds with the
 * extremes. `npm run bench -- --quick` takes a minute, with smaller files and fewer rounds.
 */

const quick = process.argv.includes('--quick')
const GIB = 2 ** 30
const rounds = quick ? 3 : 7

console.log(
  `Node ${process.version}, ${type()} ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / GIB)} GiB`,
)
console.log(
  'Speed beside the baseline in the same run: median of rounds (slowest to fastest); above 1 is faster. Files lie in the page cache.\n',
)

await benchSeal(rounds)
await benchLargeFile(rounds, quick ? GIB / 8 : GIB)
await benchSmallFile(rounds)
await benchOpenForAppend(rounds, quick ? GIB / 4 : 4 * GIB)
const memoryMissed = await benchMemory(quick ? GIB / 2 : 4 * GIB, pathOf('memory.enc'))
const missed = countMissed() + memoryMissed
console.log(missed === 0 ? '\nAll targets reached.' : `\n${missed} targets missed.`)

import { cpus, release, totalmem, type } from 'node:os'
import { benchBatchLarge, benchBatchSmall } from './batch.js'
import { benchBatchMix } from './batch-mix.js'
import { benchBatchMemory } from './batch-memory.js'
import { benchLargeFile, benchOpenForAppend, benchSmallFile } from './file.js'
import { benchAppends, benchRandomAccess, benchStreams, benchSync } from './handle.js'
import { countMissed, pathOf } from './harness.js'
import { benchFileKeys, benchUnlock } from './keys.js'
import { benchMemory } from './memory.js'
import { benchRewrap } from './rewrap.js'
import { benchSeal } from './seal.js'

/**
 * All benches, one after the other: `npm run bench`. Each prints our speed by the baseline's, the median of paired rounds with the
 * extremes. `npm run bench -- --quick` takes a minute, with smaller files and fewer rounds; names of benches choose some.
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

let missed = 0
const benches: Readonly<Record<string, () => Promise<void>>> = {
  seal: () => benchSeal(rounds),
  'large-file': () => benchLargeFile(rounds, quick ? GIB / 8 : GIB),
  'small-file': () => benchSmallFile(rounds),
  'open-for-append': () => benchOpenForAppend(rounds, quick ? GIB / 4 : 4 * GIB),
  'random-access': () => benchRandomAccess(rounds, quick ? GIB / 16 : GIB / 4),
  appends: () => benchAppends(rounds, quick ? 200_000 : 1_000_000),
  streams: () => benchStreams(rounds, quick ? GIB / 16 : GIB / 4),
  sync: () => benchSync(rounds, quick ? GIB / 16 : GIB / 4),
  unlock: () => benchUnlock(rounds),
  'file-keys': () => benchFileKeys(rounds),
  rewrap: () => benchRewrap(rounds, quick ? 2_000 : 10_000),
  'batch-large': () => benchBatchLarge(rounds, quick ? GIB / 4 : GIB),
  'batch-small': () => benchBatchSmall(rounds, quick ? 5_000 : 20_000),
  'batch-mix': () => benchBatchMix(rounds, quick ? 2_000 : 8_000),
  'batch-memory': async () => {
    const isSlow = process.env['SLOW'] === '1'
    missed += await benchBatchMemory(quick ? 100_000 : 1_000_000, 100 * GIB, isSlow ? 3_600 : quick ? 5 : 20)
  },
  memory: async () => {
    missed += await benchMemory(quick ? GIB / 2 : 4 * GIB, pathOf('memory.enc'))
  },
}
const chosen = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
for (const [name, bench] of Object.entries(benches)) if (chosen.length === 0 || chosen.includes(name)) await bench()
missed += countMissed()
console.log(missed === 0 ? '\nAll targets reached.' : `\n${missed} targets missed.`)

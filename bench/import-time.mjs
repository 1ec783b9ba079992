import { execFileSync } from 'node:child_process'
import console from 'node:console'
import process from 'node:process'
import { URL } from 'node:url'

/**
 * Holds the time that importing the built package takes to what is promised, in processes of their own. One run that keeps to it will do:
 * other work on the machine makes an import slower, and nothing makes it faster. Where a process has to wait for a processor, as the
 * kernel of Linux tells of each thread, that is not counted.
 */

const LIMIT_MS = 40
const MOST_RUNS = 50

const entry = new URL('../dist/index.js', import.meta.url)
const program = `
  import { readFileSync } from 'node:fs'
  const time = () => {
    try {
      return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6
    } catch {
      return performance.now()
    }
  }
  const start = time()
  await import(${JSON.stringify(entry.href)})
  console.log(time() - start)
`

let best = Infinity
let runs = 0
while (best > LIMIT_MS && runs < MOST_RUNS) {
  runs++
  best = Math.min(best, Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })))
}
console.log(`import of sealfile: ${best.toFixed(1)} ms in the best of ${runs} runs, ${LIMIT_MS} allowed`)
process.exitCode = best > LIMIT_MS ? 1 : 0

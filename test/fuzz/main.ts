import { join } from 'node:path'
import { keep, Find, Fuzzer, readCorpus } from './fuzzer.js'
import { TARGETS } from './targets.js'

/**
 * Alters inputs for a time, target by target: `npm run fuzz -- --seconds 60 --target keyring --seed 7`. What shows something new goes into the
 * corpus; what breaks a parser into `failures`, and the exit code is 1.
 */

/** @returns the value of an option of the command line. */
function option(name: string): string | undefined {
  const index = process.argv.indexOf(`--${name}`)
  return index < 0 ? undefined : process.argv[index + 1]
}

const root = join(process.cwd(), 'test/fuzz')
const isSlow = process.env['SLOW'] === '1'
const seconds = Number(option('seconds') ?? (isSlow ? 3 * 3_600 : 70))
const seed = Number(option('seed') ?? Math.floor(Date.now() / 1_000) % 2 ** 32)
const only = option('target')
const targets = TARGETS.filter(({ name }) => only === undefined || name === only)
if (targets.length === 0 || !Number.isFinite(seconds) || !Number.isFinite(seed)) {
  console.error(`usage: fuzz [--seconds n] [--seed n] [--target ${TARGETS.map(({ name }) => name).join('|')}]`)
  process.exit(2)
}

let failed = false
for (const target of targets) {
  const corpus = join(root, 'corpus', target.name)
  const fuzzer = new Fuzzer(target, readCorpus(corpus), seed)
  const end = Date.now() + (seconds * 1_000) / targets.length
  try {
    await fuzzer.replay()
    while (Date.now() < end) await fuzzer.step()
  } catch (error) {
    if (!(error instanceof Find)) throw error
    failed = true
    console.error(`${target.name}: ${error.message}; seed ${seed}, input kept as ${keep(join(root, 'failures'), error.input)}`)
    console.error(error.cause)
  }
  if (process.argv.includes('--keep')) for (const input of fuzzer.added) keep(corpus, input)
  console.log(
    `${target.name}: ${fuzzer.runs} inputs, ${fuzzer.outcomes} outcomes, ${fuzzer.added.length} of them new, seed ${seed}`,
  )
}
process.exitCode = failed ? 1 : 0

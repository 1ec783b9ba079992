import { describe, expect, test } from 'vitest'
import {
  afterCrash,
  checkCrash,
  crashByDeath,
  crashByPowerCut,
  crashTo,
  CrashRun,
  isRecordWrite,
  randomSession,
  Tally,
  Violation,
  type Life,
  type Step,
} from '../support/crash-run.js'
import { afterProcessDeath, lastIndex, RecordedFile, storageAfter, tear, type Operation } from '../support/fault-disk.js'
import { SeededRandom } from '../support/seeded-random.js'

const isSlow = process.env['SLOW'] === '1'

/** `CRASH_SEED=n` replays one. */
function seedsOf(first: number, count: number): number[] {
  const given = process.env['CRASH_SEED']
  if (given !== undefined) return [Number(given)]
  return Array.from({ length: isSlow ? count * 20 : count }, (_, i) => first + i)
}

/** Runs a check under a seed; its failure tells how to see it again. */
function withSeed(seed: number, check: (random: SeededRandom, steps: Step[]) => void): void {
  const steps: Step[] = []
  try {
    check(new SeededRandom(seed), steps)
  } catch (error) {
    const script = steps.map((step) => JSON.stringify(step)).join('\n')
    throw new Error(`CRASH_SEED=${seed}: ${String(error)}\n${script}`, { cause: error })
  }
}

/** A script in one line: `open w; append 100; commit`. */
function parseSteps(script: string): Step[] {
  return script.split(';').map((text) => {
    const [name, first, second] = text.trim().split(' ')
    if (name === 'open') return { do: 'open', flags: first, durability: 'os', recover: second === 'recover' } as Step
    if (name === 'append') return { do: 'append', size: Number(first) }
    if (name === 'truncate') return { do: 'truncate', length: Number(first) }
    if (name === 'write') return { do: 'write', position: Number(first), size: Number(second) }
    return { do: name } as Step
  })
}

/** Several sessions, of which the first makes the file. */
function randomScript(random: SeededRandom, sessionCount: number): Step[] {
  return Array.from({ length: sessionCount }, (_, i) => {
    return randomSession(random, i === 0 || random.chance(0.15) ? 'w' : random.pick(['a', 'r+']), random.int(3, 14))
  }).flat()
}

function checkEveryPrefix(life: Life, random: SeededRandom, tally: Tally): void {
  const { operations } = life.file
  for (let count = 0; count <= operations.length; count++) {
    checkCrash(crashByDeath(life, count, undefined), tally)
    const next = operations[count]
    if (next?.kind !== 'write') continue
    const torn = tear(next, random.int(1, next.bytes.length - 1))
    tally.add('torn record', isRecordWrite(next))
    checkCrash(crashByDeath(life, count, torn), tally)
  }
}

/** Cuts the power after each operation, and lets every subset of the unsynced ones survive. */
function checkEverySubset(life: Life, tally: Tally): void {
  for (let count = 0; count <= life.file.operations.length; count++) {
    const { durable, pending } = storageAfter(life.file.base, life.file.operations.slice(0, count))
    expect(pending.length, 'unsynced operations at once').toBeLessThanOrEqual(10)
    for (let subset = 0; subset < 2 ** pending.length; subset++) {
      const survivors = pending.filter((_, i) => Math.floor(subset / 2 ** i) % 2 === 1)
      checkCrash(crashTo(life, count, afterProcessDeath(durable, survivors), true), tally)
    }
  }
}

/** How many operations there are before the last commit record. */
function beforeLastRecord({ operations }: { readonly operations: readonly Operation[] }): number {
  return lastIndex(operations, isRecordWrite)
}

/** Goes on after the process died. */
function dieAt(run: CrashRun, count: number, tornAt?: number): CrashRun {
  const torn = tornAt === undefined ? undefined : tear(run.life.file.operations[count]!, tornAt)
  const crash = crashByDeath(run.life, count, torn)
  const { index } = checkCrash(crash, new Tally())
  return new CrashRun(new SeededRandom(count), afterCrash(crash, index!, run.life, count, torn))
}

describe('the process dies', () => {
  test('after any call, or in the middle of one: the file is at its newest commit', () => {
    const tally = new Tally()
    for (const seed of seedsOf(1, 25)) {
      withSeed(seed, (random, steps) => {
        const run = new CrashRun(random)
        steps.push(...randomScript(random, 3))
        run.run(steps)
        for (const life of run.lives) checkEveryPrefix(life, random, tally)
      })
    }
    if (process.env['CRASH_SEED'] !== undefined) return
    expect(tally.count('opened')).toBeGreaterThan(500)
    for (const path of ['pending list', 'applied list', 'invalid record', 'torn record', 'clean']) {
      expect(tally.count(path), path).toBeGreaterThan(20)
    }
  })

  test('while a short last segment grows over the place of listed ones', () => {
    const tally = new Tally()
    const run = new CrashRun(new SeededRandom(1))
    run.run(parseSteps('open w; append 4196; commit; write 0 4096; commit; append 2000; commit; append 500; commit'))
    run.run(parseSteps('append 9000; commit; write 10 20; write 4100 20; commit; append 4000; commit; append 90; sync'))
    checkEveryPrefix(run.life, new SeededRandom(2), tally)
    checkEverySubset(run.life, tally)
    expect(tally.count('pending list')).toBeGreaterThan(20)
    expect(tally.count('applied list')).toBeGreaterThan(0)
  })
})

describe('segments that a dead writer left behind the end are never taken for those that come to lie there', () => {
  const goOn = parseSteps('open a; append 4096; commit; append 4096; commit; append 4096; commit')

  test.each([
    ['of a file that was not closed', 'open w; append 4096; commit; append 8192; commit'],
    ['of a file that was closed', 'open w; append 4096; close; open a; append 8192; commit'],
    [
      'before a list that lies far behind',
      'open w; append 12288; commit; write 0 8192; commit; write 4090 20; commit; append 4096; commit',
    ],
  ])('%s', (_, script) => {
    const before = new CrashRun(new SeededRandom(1))
    before.run(parseSteps(script))
    const run = dieAt(before, beforeLastRecord(before.life.file))
    run.run(goOn)
    checkEverySubset(run.life, new Tally())
  })

  test.each([
    'open a; append 3996; commit; append 4096; commit; append 8192; close',
    'open a; append 12188; close',
    'open a; close; open a; append 12188; close',
  ])('nor those that a shorter state has dropped, whose writer died before it cut the file: %s', (script) => {
    const before = new CrashRun(new SeededRandom(1))
    before.run(parseSteps('open w; append 12288; sync; truncate 100; commit'))
    const { operations } = before.life.file
    const synced = operations.findIndex(({ kind }) => kind === 'sync')
    const record = operations.findIndex((operation, i) => i > synced && isRecordWrite(operation))
    const run = dieAt(before, record + 1)
    run.run(parseSteps(script))
    checkEverySubset(run.life, new Tally())
  })

  test('once an opener fell back', () => {
    const before = new CrashRun(new SeededRandom(1))
    before.run(parseSteps('open w; append 4096; close; open a; sync; append 4096; append 4096; append 4096; commit'))
    const { operations } = before.life.file
    const [segments, record] = operations.slice(-2) as [Operation & { kind: 'write' }, Operation]
    const survived = [...operations.slice(0, -2), tear(segments, 9_000), record]
    const crash = crashTo(before.life, operations.length, afterProcessDeath(before.life.file.base, survived), true)
    const tally = new Tally()
    const { index } = checkCrash(crash, tally)
    expect(tally.count('fell back')).toBe(1)
    const run = new CrashRun(new SeededRandom(2), afterCrash(crash, index!, before.life, operations.length, undefined))
    run.run(goOn)
    checkEverySubset(run.life, new Tally())
  })
})

test('an opener cuts nothing that the durable state needs before a newer one is durable', () => {
  const before = new CrashRun(new SeededRandom(1))
  before.run(parseSteps('open w; append 3000; commit; write 1 1; commit; write 2 2; sync; write 3 3; commit'))
  const run = dieAt(before, before.life.file.operations.length)
  run.run(parseSteps('open a; append 10; commit'))
  checkEverySubset(run.life, new Tally())
})

test.each(['sync; close', 'sync; die'])('what was synced after it had been closed is not given up: %s', (script) => {
  const before = new CrashRun(new SeededRandom(1))
  before.run(parseSteps(`open w; append 100; sync; append 100; close; open a; ${script}`))
  const run = dieAt(before, before.life.file.operations.length)
  run.run(parseSteps('open a; append 50; close; open a; append 50; close'))
  const tally = new Tally()
  checkEverySubset(run.life, tally)
  expect(tally.count('recovered')).toBeGreaterThan(0)
})

test('what a writer took for durable when it died while it applied a list is not given up by the next', () => {
  const before = new CrashRun(new SeededRandom(1))
  before.run(parseSteps('open w; append 200; sync; append 100; close'))
  const { length } = before.life.file.operations
  before.run(parseSteps('open a; append 9000; commit'))
  const { operations } = before.life.file
  const homeWritten = operations.findIndex(({ kind }, i) => i >= length && kind === 'sync') + 2
  expect(operations[homeWritten - 1]).toMatchObject({ kind: 'write', position: 1_280 })
  const run = dieAt(before, homeWritten)
  run.run(parseSteps('open a; append 50; close'))
  const tally = new Tally()
  checkEverySubset(run.life, tally)
  expect(tally.count('recovered')).toBeGreaterThan(0)
})

test('where one record was torn and one passed over, both are replaced, and no crash meanwhile makes it too many', () => {
  const before = new CrashRun(new SeededRandom(1))
  before.run(parseSteps('open w; append 100; sync; append 100; commit; append 100; commit'))
  const { base, operations } = before.life.file
  const [passedOver, torn] = operations.filter(isRecordWrite).slice(-2) as [Operation, Operation & { kind: 'write' }]
  const survived = [...operations.slice(0, operations.findIndex(({ kind }) => kind === 'sync') + 1), passedOver, tear(torn, 100)]
  const tally = new Tally()
  const crash = crashTo(before.life, operations.length, afterProcessDeath(base, survived), true)
  const { index } = checkCrash(crash, tally)
  expect([tally.count('fell back'), tally.count('invalid record')]).toEqual([1, 1])
  const run = new CrashRun(new SeededRandom(2), afterCrash(crash, index!, before.life, operations.length, undefined))
  run.run(parseSteps('open a; append 100; commit'))
  checkEveryPrefix(run.life, new SeededRandom(3), tally)
})

test('a record that was torn is replaced before another can be', () => {
  for (const tornAt of [1, 128, 255]) {
    let run = new CrashRun(new SeededRandom(1))
    run.run(parseSteps('open w; append 100; sync; append 100; commit; append 100; commit'))
    for (let i = 0; i < 6; i++) {
      run = dieAt(run, beforeLastRecord(run.life.file), tornAt)
      run.run(parseSteps(`open a; append 100; commit${i % 2 === 0 ? '; append 100; commit' : ''}`))
    }
    checkEveryPrefix(run.life, new SeededRandom(1), new Tally())
  }
})

test('lists as large as they get are applied, and no crash shows it', () => {
  const tally = new Tally()
  const random = new SeededRandom(7)
  const run = new CrashRun(random)
  run.run(parseSteps('open w; append 4198400; sync'))
  const { length } = run.life.file.operations
  for (let i = 0; i < 1_025; i++) run.step({ do: 'write', position: i * 4_096, size: 10 })
  run.run(parseSteps('commit; write 5 5; commit; write 9 9; commit'))
  const { operations } = run.life.file
  expect(operations.slice(length).filter(({ kind }) => kind === 'sync').length).toBeGreaterThanOrEqual(2)
  for (let count = length; count <= operations.length; count += random.int(1, Math.ceil((operations.length - length) / 8))) {
    checkCrash(crashByDeath(run.life, count, undefined), tally)
    checkCrash(crashByPowerCut(run.life, count, random, tally), tally)
  }
  for (let count = operations.length - 6; count <= operations.length; count++) {
    checkCrash(crashByPowerCut(run.life, count, random, tally), tally)
  }
  expect(tally.count('applied list')).toBeGreaterThan(0)
  expect(tally.count('pending list')).toBeGreaterThan(0)
})

/** Crashes, goes on from what the crash left, and crashes again. */
function crashAndGoOn(random: SeededRandom, steps: Step[], kind: 'death' | 'power cut' | 'any', tally: Tally): void {
  let run = new CrashRun(random)
  const go = (script: Step[]): void => {
    for (const step of script) {
      steps.push(step)
      run.step(step)
    }
  }
  go(randomScript(random, random.int(1, 3)))
  for (let crashes = 0; crashes < 5; crashes++) {
    const life = random.chance(0.8) ? run.life : random.pick(run.lives)
    const { operations } = life.file
    const count = random.int(0, operations.length)
    const next = operations[count]
    const isDeath = kind === 'death' || (kind === 'any' && random.chance(0.4))
    const torn = next?.kind === 'write' && random.chance(0.5) ? tear(next, random.int(1, next.bytes.length - 1)) : undefined
    const crash = isDeath ? crashByDeath(life, count, torn) : crashByPowerCut(life, count, random, tally)
    const { index, how } = checkCrash(crash, tally)
    if (index === undefined) return
    tally.add('crashes', true)
    tally.add('crashes after crashes', crashes > 0)
    run = new CrashRun(random, afterCrash(crash, index, life, count, isDeath ? torn : undefined))
    const [open, ...rest] = randomSession(random, random.pick(['a', 'r+']), random.int(2, 10)) as [Step & { do: 'open' }, ...Step[]]
    go([{ ...open, recover: how === 'recovered' }, ...rest])
    if (random.chance(0.4)) go(randomSession(random, 'a', random.int(2, 8)))
  }
}

describe('crash after crash', () => {
  const common = { opened: 300, 'crashes after crashes': 150, 'pending list': 50, 'applied list': 50 }
  const byDeath = { ...common, 'invalid record': 30, clean: 30 }
  const byPowerCut = { ...common, 'older than the newest': 50, 'fell back': 15, 'durable by a later record': 15, 'torn record': 15 }

  test.each([
    ['the process dies', 'death', 1_000, byDeath],
    ['the power is cut', 'power cut', 100_000, { ...byPowerCut, recovered: 5, 'lost from the middle': 1, 'closed and lost': 1 }],
    ['one or the other', 'any', 200_000, byPowerCut],
  ] as const)('%s', (_, kind, first, expected) => {
    const tally = new Tally()
    for (const seed of seedsOf(first, 250)) withSeed(seed, (random, steps) => crashAndGoOn(random, steps, kind, tally))
    if (process.env['CRASH_SEED'] !== undefined) return
    for (const [path, least] of Object.entries(expected)) expect(tally.count(path), path).toBeGreaterThanOrEqual(least)
  })
})

describe('the test can fail', () => {
  /** Cuts the power on a disk that does not do what a sync asks for. */
  function countViolations(ignores: (steps: readonly Step[], syncStep: number) => boolean): number {
    let violations = 0
    for (let seed = 1; seed <= 150; seed++) {
      const random = new SeededRandom(seed)
      const steps = randomScript(random, 2)
      const run = new CrashRun(random)
      const lies = new Map<Operation, boolean>()
      for (const [i, step] of steps.entries()) {
        const from = run.lives.length === 0 ? 0 : run.life.file.operations.length
        run.step(step)
        for (const operation of run.life.file.operations.slice(step.do === 'open' ? 0 : from)) {
          if (operation.kind === 'sync' && !lies.has(operation)) lies.set(operation, ignores(steps, i))
        }
      }
      const { file, commits } = run.life
      for (let cut = 0; cut < 4; cut++) {
        const count = random.int(0, file.operations.length)
        const honest = crashByPowerCut(run.life, count, random, new Tally())
        const operations = file.operations.slice(0, count).filter((operation) => lies.get(operation) !== true)
        const lying: Life = { file: new RecordedFile(file.base, operations), commits, floor: -1 }
        const { content } = crashByPowerCut(lying, operations.length, random, new Tally())
        try {
          checkCrash({ ...honest, content }, new Tally())
        } catch (error) {
          if (!(error instanceof Violation)) throw error
          violations++
        }
      }
    }
    return violations
  }

  test('an honest disk shows nothing', () => expect(countViolations(() => false)).toBe(0))
  test('a disk that ignores every sync', () => expect(countViolations(() => true)).toBeGreaterThan(20))
  test('a disk that ignores the syncs around the applying of a list', () => {
    expect(countViolations((steps, i) => !['open', 'sync'].includes(steps[i]!.do))).toBeGreaterThan(0)
  })
})

import { describe, expect, test } from 'vitest'
import { SealfileError } from '../../src/errors.js'
import { parseFlags } from '../../src/file/flags.js'
import type { Steps } from '../../src/file/io/steps.js'
import { AsyncRunner, runSync } from '../../src/file/io/runners.js'
import { Session } from '../../src/file/session.js'
import { accessOf, lengthAt, optionsOf, PATH, randomSession, SEGMENT_SIZE, type Step } from '../support/crash-run.js'
import { FaultDisk, RecordedFile, storageAfter, type Fault } from '../support/fault-disk.js'
import { SeededRandom } from '../support/seeded-random.js'

const isSlow = process.env['SLOW'] === '1'

type Execute = <T>(start: () => Steps<T>) => Promise<T>

function executorOf(disk: FaultDisk, isAsync: boolean): Execute {
  if (!isAsync) return (start) => Promise.resolve(runSync(disk, start()))
  const runner = new AsyncRunner(disk)
  return (start) => runner.run(start)
}

/** What a file may hold after a write, if any part of it was done. */
interface Possible {
  readonly before: Buffer
  readonly after: Buffer
}

function isPossible({ before, after }: Possible, content: Buffer): boolean {
  if (after.length < before.length) return content.equals(before) || content.equals(after)
  if (content.length < before.length || content.length > after.length) return false
  return content.equals(after.subarray(0, content.length)) || content.every((byte, i) => byte === after[i] || byte === before[i])
}

interface FaultyRun {
  readonly disk: FaultDisk
  readonly errors: NodeJS.ErrnoException[]
  /** The errors that came after the fault was lifted. */
  readonly laterErrors: NodeJS.ErrnoException[]
  /** What each write may have made of the file, the first to the last. */
  readonly history: readonly Possible[]
  /** How many writes may not be lost any more; 0 where nothing was committed or synced. */
  readonly committed: number
  readonly synced: number
  /** The call that failed first. */
  readonly failedCall: string | undefined
  /** The last session was closed without an error. */
  readonly isClosed: boolean
}

interface Script {
  readonly steps: readonly Step[]
  readonly segmentSize: number
}

/** Carries out a script on a disk that fails; after a write that failed it goes on without writing. */
async function runFaulty(
  { steps, segmentSize }: Script,
  fault: Fault | undefined,
  isAsync: boolean,
  lifts: boolean,
): Promise<FaultyRun> {
  const random = new SeededRandom(1)
  const disk = new FaultDisk()
  disk.inject(fault)
  const execute = executorOf(disk, isAsync)
  let session: Session | undefined
  const history: Possible[] = [{ before: Buffer.alloc(0), after: Buffer.alloc(0) }]
  let [committed, synced] = [0, 0]
  let [mayWrite, isClosed] = [true, false]
  let isLifted = false
  const errors: NodeJS.ErrnoException[] = []
  const laterErrors: NodeJS.ErrnoException[] = []
  const perform = async (step: Step): Promise<void> => {
    if (step.do === 'open') {
      session = undefined
      session = await execute(() => Session.open(PATH, accessOf(step.flags), optionsOf({ ...step, segmentSize })))
      mayWrite = true
      if (disk.files.get(PATH)!.content.length === 0) return
      const content = await readBack(disk.files.get(PATH)!.content)
      expectState(content, history.slice(isClosed ? -1 : Math.max(0, committed - 1)))
      history.push({ before: content, after: content })
      return
    }
    if (session === undefined) return
    const open = session
    const { after: before } = history.at(-1)!
    if (step.do === 'truncate') {
      if (!mayWrite) return
      const after = Buffer.alloc('length' in step ? step.length : lengthAt(before, step))
      before.copy(after)
      history.push({ before, after })
      await execute(() => open.truncate(after.length))
      history.push({ before: after, after })
    } else if (step.do === 'append' || step.do === 'write') {
      const data = random.bytes(step.size)
      if (!mayWrite) return
      const position = step.do === 'append' ? before.length : step.position
      const after = Buffer.alloc(Math.max(before.length, position + step.size))
      before.copy(after)
      data.copy(after, position)
      history.push({ before, after })
      await execute(() => (step.do === 'append' ? open.append(data) : open.write(data, position)))
      history.push({ before: after, after })
    } else if (step.do === 'close' || step.do === 'die') {
      session = undefined
      isClosed = false
      await execute(() => open.close())
      isClosed = true
    } else await execute(() => (step.do === 'sync' ? open.sync('fdatasync') : open.commit()))
    if (step.do === 'sync') synced = history.length
    if (step.do === 'commit' || step.do === 'sync' || step.do === 'close') committed = history.length
  }
  for (const step of steps) {
    try {
      await perform(step)
    } catch (error) {
      if (step.do === 'append' || step.do === 'write' || step.do === 'truncate') mayWrite = false
      if (step.do === 'open' && committed === 0 && error instanceof SealfileError) break // there is no file yet
      errors.push(error as NodeJS.ErrnoException)
      if (isLifted) laterErrors.push(error as NodeJS.ErrnoException)
      if (lifts) disk.inject(undefined)
      isLifted = lifts
    }
  }
  if (session !== undefined) throw new Error('the script leaves its file open')
  return { disk, errors, laterErrors, history, committed, synced, failedCall: disk.failedCalls[0], isClosed }
}

async function readBack(content: Uint8Array): Promise<Buffer> {
  const disk = new FaultDisk({ [PATH]: new RecordedFile(content, []) })
  const execute = executorOf(disk, false)
  const session = await execute(() => Session.open(PATH, parseFlags('r'), optionsOf()))
  try {
    return await execute(() => session.readToEnd())
  } finally {
    await execute(() => session.close())
  }
}

function expectState(content: Buffer, history: readonly Possible[]): void {
  const allowed = history.map(({ before, after }) => `${before.length} to ${after.length}`).join(', ')
  const isAllowed = history.some((possible) => isPossible(possible, content))
  expect(isAllowed, `${content.length} bytes where ${allowed} were written`).toBe(true)
}

async function checkFault(script: Script, fault: Fault, isAsync: boolean, lifts: boolean): Promise<'failed' | 'hidden'> {
  const run = await runFaulty(script, fault, isAsync, lifts)
  const { disk, errors, laterErrors, history, committed, synced, failedCall, isClosed } = run
  if (disk.failedCalls.length === 0) return 'hidden'
  for (const error of errors) expect(error.code, error.stack).toBe(fault.code)
  // A write that was only short is gone on with, and one that failed once may have been tried again.
  if (fault.effect !== 'short' && fault.count === Infinity) expect(errors.length).toBeGreaterThan(0)
  expect([...disk.links.keys()], 'locks that are left').toEqual([])
  const file = disk.files.get(PATH)
  if (file === undefined) return 'failed'
  if (failedCall === 'fdatasync' && lifts) {
    for (const error of laterErrors) expect(error).toBe(errors[0])
  } else if (lifts) {
    // Of two calls in the background that failed at once, the second shows in the next call; a barrier among them, ever after.
    expect(new Set(laterErrors).size).toBeLessThan(disk.failedCalls.length)
  }
  if (committed > 0) expectState(await readBack(file.content), history.slice(isClosed ? -1 : committed - 1))
  const { durable } = storageAfter(file.base, file.operations)
  if (synced > 0) expectState(await readBack(durable), history.slice(synced - 1))
  return 'failed'
}

/** A script whose sessions all write the same file on, and are closed. */
function scriptOf(seed: number): Script {
  const random = new SeededRandom(seed)
  const sessions = [randomSession(random, 'w', 10), randomSession(random, random.pick(['a', 'r+']), 7)]
  const end: Step[] = [{ do: 'sync' }, { do: 'commit' }, { do: 'close' }]
  return { steps: sessions.flatMap((steps) => [...steps.slice(0, -1), ...end]), segmentSize: SEGMENT_SIZE }
}

/** More than one call writes, and more than one commit takes. */
const LARGE: Script = {
  steps: [
    { do: 'open', flags: 'w', durability: 'os' },
    { do: 'append', size: 100 },
    { do: 'sync' },
    { do: 'append', size: 4.5 * 2 ** 20 },
    { do: 'append', size: 2 ** 20 + 17 },
    { do: 'commit' },
    { do: 'append', size: 3 * 2 ** 19 },
    { do: 'close' },
  ],
  segmentSize: 65_536,
}

describe.each([
  ['ENOSPC', 'none'],
  ['ENOSPC', 'short'],
  ['EIO', 'none'],
  ['EIO', 'half'],
] as const)('%s, of which the first call does %s of its work', (code, effect) => {
  describe.each([
    ['for good', Infinity, false],
    ['until the first error shows', Infinity, true],
    ['once', 1, true],
  ] as const)('%s', (_, count, lifts) => {
    test.each([
      ['without waiting', false],
      ['with waiting', true],
    ])('from any call on, %s', async (_, isAsync) => {
      let failed = 0
      for (let seed = 1; seed <= (isSlow ? 60 : 4); seed++) {
        const script = scriptOf(seed)
        const { disk } = await runFaulty(script, { code, from: Infinity, count: 0, effect }, isAsync, false)
        for (let from = 0; from < disk.callCount; from++) {
          const fault = { code, from, count, effect }
          try {
            if ((await checkFault(script, fault, isAsync, lifts)) === 'failed') failed++
          } catch (error) {
            const lines = script.steps.map((step) => JSON.stringify(step)).join('\n')
            throw new Error(`seed ${seed}, call ${from} of ${disk.callCount}: ${String(error)}\n${lines}`, { cause: error })
          }
        }
      }
      expect(failed).toBeGreaterThan(20)
    })
  })
})

test.each([
  ['without waiting', false],
  ['with waiting', true],
])('a bulk append on a disk that is full for a while, %s', async (_, isAsync) => {
  const { disk } = await runFaulty(LARGE, { code: 'ENOSPC', from: Infinity, count: 0, effect: 'none' }, isAsync, false)
  expect(disk.callCount).toBeGreaterThan(10)
  for (let from = 0; from < disk.callCount; from++) {
    for (const lifts of [true, false]) {
      const fault = { code: 'ENOSPC', from, count: Infinity, effect: from % 2 === 0 ? 'none' : 'half' } as const
      try {
        expect(await checkFault(LARGE, fault, isAsync, lifts)).toBe('failed')
      } catch (error) {
        throw new Error(`call ${from}, ${lifts ? 'lifted' : 'for good'}: ${String(error)}`, { cause: error })
      }
    }
  }
})

test.each(['os', 'fsync'] as const)('with the durability %s, what was closed is on the disk or not', async (durability) => {
  for (const size of [1, 4_096, 2 ** 22, 2 ** 22 + 1, 2 ** 23]) {
    const steps: Step[] = [{ do: 'open', flags: 'w', durability }, { do: 'append', size }, { do: 'close' }]
    const { disk, history } = await runFaulty({ steps, segmentSize: 65_536 }, undefined, false, false)
    const { base, operations } = disk.files.get(PATH)!
    const { durable } = storageAfter(base, operations)
    if (durability === 'os') expect(durable.length).toBe(0)
    else expect((await readBack(durable)).equals(history.at(-1)!.after), `${size} bytes`).toBe(true)
  }
})

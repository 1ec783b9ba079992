import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseFlags } from '../../../src/file/flags.js'
import { AsyncRunner, runSync } from '../../../src/file/io/runners.js'
import { resolveOpenOptions } from '../../../src/file/options.js'
import { Session } from '../../../src/file/session.js'
import { rewrapFile } from '../../../src/keys/rotation/rewrap.js'
import { FaultDisk, RecordedFile, storageAfter, tear, type Fault, type Operation } from '../../support/fault-disk.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SeveralGenerations } from '../../support/several-generations.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { makeFile, NEW, NEWER, ONLY_NEW, optionsFor, PURPOSE, streamOf } from './support.js'

const isSlow = process.env['SLOW'] === '1'
const PATH = '/disk/file.enc'
const CONTENT = 'what must not be lost'
const inFolder = temporaryFolder()

async function editable(): Promise<Uint8Array> {
  const path = inFolder('made')
  makeFile(path, CONTENT)
  return Promise.resolve(readFileSync(path))
}

/** Generation 2 is for new files again. */
const BACK = new SeveralGenerations([1, 3, 2])

const KINDS = [
  ['editable', editable],
  ['stream', () => streamOf(CONTENT)],
] as const
const DURABILITIES = ['os', 'fsync'] as const

function rewrapOn(disk: FaultDisk, keys: SeveralGenerations = NEW, durability: 'os' | 'fsync' = 'os'): boolean {
  return runSync(disk, rewrapFile(PATH, keys, [PURPOSE], durability))
}

/** What was done to a file while it was rewrapped. */
function operationsOf(base: Uint8Array, durability: 'os' | 'fsync' = 'os', keys: SeveralGenerations = NEW): Operation[] {
  const disk = new FaultDisk({ [PATH]: new RecordedFile(base, []) })
  expect(rewrapOn(disk, keys, durability)).toBe(true)
  return disk.files.get(PATH)!.operations
}

function readOn(content: Uint8Array, keys: SeveralGenerations): string {
  const disk = new FaultDisk({ [PATH]: new RecordedFile(content, []) })
  const session = runSync(disk, Session.open(PATH, parseFlags('r'), resolveOpenOptions(optionsFor(keys))))
  try {
    return runSync(disk, session.readToEnd()).toString()
  } finally {
    runSync(disk, session.close())
  }
}

/** Sees to it that a file opens, and that another run brings it to its end. */
function checkCrashed(content: Uint8Array, hint: string): void {
  expect(readOn(content, NEW), hint).toBe(CONTENT)
  const disk = new FaultDisk({ [PATH]: new RecordedFile(content, []) })
  rewrapOn(disk)
  const after = disk.files.get(PATH)!.content
  expect(readOn(after, ONLY_NEW), hint).toBe(CONTENT)
  // One slot is in use, and the other empty.
  const empty = [96, 192].filter((position) => after.subarray(position, position + 96).every((byte) => byte === 0))
  expect(empty.length, hint).toBe(1)
  expect(rewrapOn(new FaultDisk({ [PATH]: new RecordedFile(after, []) })), hint).toBe(false)
}

/** All subsets of what was not synced, in their order and reversed, whole and each one torn at each of `cuts`. */
function* afterPowerCuts(base: Uint8Array, operations: readonly Operation[], cuts: readonly number[]): Generator<Uint8Array> {
  const { durable, pending } = storageAfter(base, operations)
  for (let subset = 0; subset < 2 ** pending.length; subset++) {
    const kept = pending.filter((_, index) => (subset & (1 << index)) !== 0)
    for (const order of [kept, [...kept].reverse()]) {
      yield new RecordedFile(durable, order).content
      for (const [index, change] of order.entries()) {
        for (const cut of cuts)
          yield new RecordedFile(
            durable,
            order.map((other, i) => (i === index ? tear(change, cut) : other)),
          ).content
      }
    }
  }
}

describe.each(KINDS)('%s', (_, make) => {
  test.each(DURABILITIES)('dies at any prefix of its calls, with durability %s', async (durability) => {
    const base = await make()
    const operations = operationsOf(base, durability)
    expect(operations.map(({ kind }) => kind).join(' ')).toBe(`write sync write${durability === 'fsync' ? ' sync' : ''}`)
    for (let count = 0; count <= operations.length; count++) {
      const done = operations.slice(0, count)
      checkCrashed(new RecordedFile(base, done).content, `${count} calls`)
      for (let length = 0; length < 96 && count < operations.length; length++) {
        const torn = [...done, tear(operations[count]!, length)]
        checkCrashed(new RecordedFile(base, torn).content, `${count} calls, and ${length} bytes`)
      }
    }
  })

  test.each(DURABILITIES)('loses the power at any moment, with durability %s', async (durability) => {
    const base = await make()
    const operations = operationsOf(base, durability)
    const cuts = Array.from({ length: 96 }, (_, index) => index)
    for (let count = 0; count <= operations.length; count++) {
      for (const content of afterPowerCuts(base, operations.slice(0, count), cuts)) checkCrashed(content, `${count} calls`)
    }
  })

  test('loses the power again and again, with one rotation after the other', async () => {
    const random = new SeededRandom(Number(process.env['CRASH_SEED'] ?? 7))
    for (let round = 0; round < (isSlow ? 20_000 : 500); round++) {
      let content: Uint8Array = await make()
      for (let crash = 0; crash < 6; crash++) {
        const disk = new FaultDisk({ [PATH]: new RecordedFile(content, []) })
        rewrapOn(disk, random.pick([BACK, NEWER]), random.pick(DURABILITIES))
        // What comes after a run that ended: another, and no barrier between.
        if (random.chance(0.3)) rewrapOn(disk, NEWER)
        const { operations } = disk.files.get(PATH)!
        const { durable, pending } = storageAfter(content, operations.slice(0, random.int(0, operations.length)))
        const kept = random.shuffle(pending.filter(() => random.chance(0.6)))
        content = new RecordedFile(
          durable,
          kept.map((change) => (random.chance(0.4) ? tear(change, random.int(0, 95)) : change)),
        ).content
        expect(readOn(content, NEWER), `round ${round}`).toBe(CONTENT)
      }
    }
  })

  test('a disk that fails at any call for good, or once, leaves a file that opens', async () => {
    const base = await make()
    const effects = ['none', 'short', 'half'] as const
    let failed = 0
    for (const code of ['EIO', 'ENOSPC'] as const) {
      for (const count of [1, Infinity]) {
        for (const effect of effects) {
          for (let from = 0; from < 6; from++) {
            for (const isAsync of [false, true]) failed += (await failAt({ code, from, count, effect }, isAsync)) ? 1 : 0
          }
        }
      }
    }
    expect(failed).toBeGreaterThan(60)

    async function failAt(fault: Fault, isAsync: boolean): Promise<boolean> {
      const disk = new FaultDisk({ [PATH]: new RecordedFile(base, []) })
      disk.inject(fault)
      const steps = (): ReturnType<typeof rewrapFile> => rewrapFile(PATH, NEW, [PATH, PURPOSE], 'fsync')
      let error: unknown
      try {
        if (isAsync) await new AsyncRunner(disk).run(steps)
        else runSync(disk, steps())
      } catch (thrown) {
        error = thrown
      }
      const hint = JSON.stringify(fault)
      if (disk.failedCalls.length > 0 && fault.effect !== 'short') expect(error, hint).toMatchObject({ code: fault.code })
      expect([...disk.links.keys()]).toEqual([])
      const { content, operations } = disk.files.get(PATH)!
      checkCrashed(content, hint)
      for (const left of afterPowerCuts(base, operations, [50])) checkCrashed(left, hint)
      return disk.failedCalls.length > 0
    }
  })
})

test('the new wrapping is on the disk before the old one goes, also where an earlier run has written it', async () => {
  const base = await editable()
  const begun = new RecordedFile(base, operationsOf(base).slice(0, 1))
  const disk = new FaultDisk({ [PATH]: begun })
  expect(rewrapOn(disk)).toBe(true)
  expect(begun.operations.map(({ kind }) => kind)).toEqual(['write', 'write', 'sync', 'write'])
  for (let count = 0; count <= begun.operations.length; count++) {
    for (const content of afterPowerCuts(base, begun.operations.slice(0, count), [1, 40, 95]))
      checkCrashed(content, `${count} calls`)
  }
})

test('somebody who changes the same file over under another name is noticed before anything is wiped', async () => {
  const base = await editable()
  const file = new RecordedFile(base, [])
  const disk = new FaultDisk({ [PATH]: file, '/disk/other.enc': file })
  const steps = rewrapFile(PATH, NEW, [PATH, PURPOSE], 'os')
  const fdatasync = disk.sync.fdatasync.bind(disk.sync)
  disk.sync.fdatasync = (fd) => {
    disk.sync.fdatasync = fdatasync
    runSync(disk, rewrapFile('/disk/other.enc', NEWER, [PURPOSE], 'os'))
    fdatasync(fd)
  }
  expect(() => runSync(disk, steps)).toThrow(/meanwhile/)
  expect(readOn(file.content, NEWER)).toBe(CONTENT)
})

test('a reader that looks while the slots change over looks again', () => {
  const path = inFolder('torn-look')
  makeFile(path, CONTENT)
  const [before, disk] = [readFileSync(path), new FaultDisk({ [PATH]: new RecordedFile(readFileSync(path), []) })]
  rewrapOn(disk)
  const after = Buffer.from(disk.files.get(PATH)!.content)
  // It saw slot 1 before it was written, and slot 0 after it was wiped.
  const mixed = Buffer.concat([after.subarray(0, 192), before.subarray(192)])
  const read = disk.sync.read.bind(disk.sync)
  let reads = 0
  disk.sync.read = (fd, buffer, offset, length, position) => {
    if (reads++ > 0) return read(fd, buffer, offset, length, position)
    return mixed.copy(buffer, offset, position, position + length)
  }
  const session = runSync(disk, Session.open(PATH, parseFlags('r'), resolveOpenOptions(optionsFor(NEW))))
  expect(runSync(disk, session.readToEnd()).toString()).toBe(CONTENT)
  runSync(disk, session.close())
  expect(() => readOn(mixed, NEW)).toThrow(/no whole copy/)
})

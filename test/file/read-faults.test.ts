import { describe, expect, test } from 'vitest'
import { parseFlags } from '../../src/file/flags.js'
import { runSync } from '../../src/file/io/runners.js'
import type { Steps } from '../../src/file/io/steps.js'
import { salvageFile } from '../../src/file/salvage.js'
import { Session } from '../../src/file/session.js'
import { optionsOf, PATH, SEGMENT_SIZE } from '../support/crash-run.js'
import { FaultDisk, RecordedFile } from '../support/fault-disk.js'

/** What whoever reads is told where the disk fails: that it failed, and never that the file is damaged, or an older state of it. */

const COPY = '/copy'

/** A file as it is after each call of its writer: with lists that wait, that are being applied, that were; at last closed. */
function momentsOf(): RecordedFile[] {
  const disk = new FaultDisk()
  const run = <T>(steps: Steps<T>): T => runSync(disk, steps)
  const writer = run(Session.open(PATH, parseFlags('w'), optionsOf()))
  const replace = (letter: string, segment: number): void => {
    run(writer.write(Buffer.alloc(SEGMENT_SIZE, letter), segment * SEGMENT_SIZE))
    run(writer.commit())
  }
  run(writer.write(Buffer.alloc(4 * SEGMENT_SIZE + 50, 'a'), 0))
  run(writer.sync('fsync'))
  const begun = disk.files.get(PATH)!.operations.length
  replace('b', 1)
  replace('c', 2)
  run(writer.append(Buffer.alloc(2 * SEGMENT_SIZE, 'd')))
  run(writer.commit())
  replace('e', 0)
  run(writer.close())
  const { base, operations } = disk.files.get(PATH)!
  return operations.slice(begun).map((_, i) => new RecordedFile(base, operations.slice(0, begun + i + 1)))
}

function* reading<T>(use: (session: Session) => Steps<T>, recover = false): Steps<T> {
  const session = yield* Session.open(PATH, parseFlags('r'), { ...optionsOf(), recover })
  try {
    return yield* use(session)
  } finally {
    yield* session.close()
  }
}

const USES: Readonly<Record<string, () => Steps<unknown>>> = {
  'reading it': () => reading((session) => session.readToEnd()),
  'reading it with recover': () => reading((session) => session.readToEnd(), true),
  'verifying it': () => reading((session) => session.verify({})),
  'salvaging it': () => salvageFile(PATH, COPY, optionsOf(), {}),
}

describe.each(Object.entries(USES))('%s', (_, use) => {
  test('any call that fails is told as it is, and nothing is left', () => {
    for (const [index, { base, operations }] of momentsOf().entries()) {
      const runOn = (from: number): { readonly disk: FaultDisk; readonly open: Set<number>; readonly result: unknown } => {
        const disk = new FaultDisk({ [PATH]: new RecordedFile(base, operations) })
        const open = watchOpen(disk)
        disk.inject({ code: 'EIO', from, count: 1, effect: 'none' })
        try {
          return { disk, open, result: runSync(disk, use()) }
        } catch (error) {
          return { disk, open, result: error }
        }
      }
      const { disk: whole, result } = runOn(Infinity)
      expect(result).not.toBeInstanceOf(Error)
      expect(whole.callCount).toBeGreaterThan(2)
      for (let from = 0; from < whole.callCount; from++) {
        const { disk, open, result } = runOn(from)
        const what = `moment ${index}, call ${from}: ${disk.failedCalls.join()}`
        expect(result, what).toMatchObject({ code: 'EIO' })
        expect([...open], what).toEqual([])
        expect([...disk.files.keys()], what).toEqual([PATH])
        expect(disk.links.size, what).toBe(0)
      }
    }
  })
})

/** @returns the descriptors that are open at any time. */
function watchOpen(disk: FaultDisk): Set<number> {
  const descriptors = new Set<number>()
  const calls = { ...disk.sync }
  disk.sync.open = (...args) => {
    const fd = calls.open(...args)
    descriptors.add(fd)
    return fd
  }
  disk.sync.close = (fd) => {
    calls.close(fd)
    descriptors.delete(fd)
  }
  return descriptors
}

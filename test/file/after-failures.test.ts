import { describe, expect, test } from 'vitest'
import { recordPosition } from '../../src/container/commit-record.js'
import { parseFlags } from '../../src/file/flags.js'
import { runSync } from '../../src/file/io/runners.js'
import type { Steps } from '../../src/file/io/steps.js'
import { Session } from '../../src/file/session.js'
import { optionsOf, PATH, SEGMENT_SIZE } from '../support/crash-run.js'
import { FaultDisk, RecordedFile, tear } from '../support/fault-disk.js'

/** What a handle reads and writes after calls of it have failed, on a disk in memory. */

const PAGE_SIZE = 4_096

class Writer {
  readonly disk: FaultDisk
  readonly session: Session

  constructor(disk: FaultDisk, flags: 'w' | 'r+' | 'a') {
    this.disk = disk
    this.session = this.run(Session.open(PATH, parseFlags(flags), optionsOf()))
  }

  run<T>(steps: Steps<T>): T {
    return runSync(this.disk, steps)
  }

  read(position: number, length: number): string {
    const target = Buffer.alloc(length)
    return target.toString('latin1', 0, this.run(this.session.read(target, position)))
  }
}

/** A file of so many segments of one letter, synced and closed, and a writer of it. */
function openFileOf(segments: number): Writer {
  const disk = new FaultDisk()
  const writer = new Writer(disk, 'w')
  writer.run(writer.session.write(Buffer.alloc(segments * SEGMENT_SIZE, 'a'), 0))
  writer.run(writer.session.sync('fsync'))
  writer.run(writer.session.close())
  return new Writer(disk, 'r+')
}

/** What a reader of the file sees that opens it now. */
function readAnew(disk: FaultDisk): Buffer {
  const session = runSync(disk, Session.open(PATH, parseFlags('r'), optionsOf()))
  return runSync(disk, session.readToEnd())
}

test('a list that was applied is read from its places, also where the wait for the disk failed then', () => {
  const writer = openFileOf(2)
  const { disk, session } = writer
  for (const letter of ['b', 'c']) {
    writer.run(session.write(Buffer.alloc(10, letter), 0))
    writer.run(session.commit())
  }
  const fdatasync = disk.sync.fdatasync.bind(disk.sync)
  let waits = 0
  disk.sync.fdatasync = (fd) => {
    if (++waits === 2) disk.inject({ code: 'EIO', from: 0, count: 1, effect: 'none' })
    fdatasync(fd)
  }
  expect(() => writer.run(session.append(Buffer.alloc(SEGMENT_SIZE)))).toThrow('EIO')
  expect(writer.read(0, 12)).toBe('ccccccccccaa')
  expect(readAnew(disk).toString('latin1', 0, 12)).toBe('ccccccccccaa')
})

test('a list that cannot be applied grows no longer than a record may say', () => {
  const count = 8_500
  const writer = openFileOf(count)
  const { disk, session } = writer
  writer.run(session.write(Buffer.from('b'), 0))
  writer.run(session.sync('fsync'))
  const [damaged] = writer.run(session.info()).pending
  disk.files.get(PATH)!.record({ kind: 'write', position: damaged!.position, bytes: Buffer.from('damage') })
  const errors: unknown[] = []
  for (let index = 1; index < count; index++) {
    writer.run(session.write(Buffer.from('c'), index * SEGMENT_SIZE))
    if (index % 500 > 0) continue
    try {
      writer.run(session.commit())
    } catch (error) {
      errors.push(error)
    }
  }
  expect(errors.length).toBeGreaterThan(10)
  expect(() => writer.run(session.close())).toThrow('segment 0 does not authenticate')
  const reader = runSync(disk, Session.open(PATH, parseFlags('r'), optionsOf()))
  const target = Buffer.alloc(1)
  runSync(disk, reader.read(target, 7_000 * SEGMENT_SIZE))
  expect(target.toString()).toBe('c')
})

describe('a new file whose writer dies in any write, between two pages of it,', () => {
  test.each([0, 100, 2_700, 2_800, 10_000, 102_400])('with %i bytes to write, is empty or whole', (length) => {
    const writer = new Writer(new FaultDisk(), 'w')
    writer.run(writer.session.write(Buffer.alloc(length, 'a'), 0))
    writer.run(writer.session.close())
    const { base, operations } = writer.disk.files.get(PATH)!
    const found = new Set<number>()
    for (const [index, operation] of operations.entries()) {
      if (operation.kind !== 'write') continue
      const { position, bytes } = operation
      for (let end = position; end < position + bytes.length; end += PAGE_SIZE - (end % PAGE_SIZE)) {
        const done = [...operations.slice(0, index), tear(operation, end - position)]
        const next = new Writer(new FaultDisk({ [PATH]: new RecordedFile(base, done) }), 'a')
        found.add(next.run(next.session.info()).size)
      }
    }
    found.delete(length)
    found.delete(0)
    expect([...found]).toEqual([])
  })
})

test('a file that is emptied and written anew is the old one or the new one, wherever its writer dies', () => {
  for (const [before, kept, after] of [
    [1, 0, 3],
    [3, 1, 5],
    [2, 0.5, 2.5],
  ] as const) {
    const writer = openFileOf(before)
    const { disk, session } = writer
    const { operations, base } = disk.files.get(PATH)!
    const first = operations.length
    writer.run(session.truncate(kept * SEGMENT_SIZE))
    writer.run(session.write(Buffer.alloc((after - kept) * SEGMENT_SIZE, 'b'), kept * SEGMENT_SIZE))
    writer.run(session.write(Buffer.from('c'), SEGMENT_SIZE + 10))
    writer.run(session.close())
    const found = new Set<string>()
    for (let count = first; count <= operations.length; count++) {
      const crashed = new FaultDisk({ [PATH]: new RecordedFile(base, operations.slice(0, count)) })
      found.add(readAnew(crashed).toString('latin1'))
    }
    const whole = Buffer.alloc(after * SEGMENT_SIZE, 'b').fill('a', 0, kept * SEGMENT_SIZE)
    whole.write('c', SEGMENT_SIZE + 10)
    const expected = [Buffer.alloc(before * SEGMENT_SIZE, 'a'), whole].map((bytes) => bytes.toString('latin1'))
    expect([...found].map((content) => expected.indexOf(content))).toEqual([0, 1])
  }
})

describe('what was encrypted is counted', () => {
  const COUNTED_AHEAD = 2 ** 16

  const recordedCount = (disk: FaultDisk): number => {
    const { content } = disk.files.get(PATH)!
    return Math.max(...[0, 1, 2].map((slot) => Number(content.readBigUInt64BE(recordPosition(slot) + 32))))
  }

  test('where commits fail again and again', () => {
    const segments = 2_000
    const writer = openFileOf(segments)
    const { disk, session } = writer
    const before = recordedCount(disk)
    for (let index = 0; index < segments; index++) writer.run(session.write(Buffer.from('b'), index * SEGMENT_SIZE))
    const writev = disk.sync.writev.bind(disk.sync)
    disk.sync.writev = (fd, buffers, position) => {
      if (position >= 1_280) throw new Error('the disk is full')
      return writev(fd, buffers, position)
    }
    const tries = 40
    for (let i = 0; i < tries; i++) expect(() => writer.run(session.commit())).toThrow('the disk is full')
    expect(recordedCount(disk)).toBeGreaterThan(before + tries * segments - COUNTED_AHEAD)
    expect(readAnew(disk).equals(Buffer.alloc(segments * SEGMENT_SIZE, 'a'))).toBe(true)
  })

  test('ahead, where a writer died and the next one writes nothing', () => {
    const writer = openFileOf(1)
    const { disk } = writer
    writer.run(writer.session.write(Buffer.from('b'), 0))
    writer.run(writer.session.commit())
    const before = recordedCount(disk)
    disk.links.clear()
    const next = new Writer(disk, 'r+')
    next.run(next.session.close())
    expect(recordedCount(disk)).toBe(before + COUNTED_AHEAD)
  })
})

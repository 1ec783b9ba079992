import { describe, expect, test } from 'vitest'
import { parseFlags } from '../../src/file/flags.js'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import type { Disk, DiskCalls } from '../../src/file/io/steps.js'
import { resolveOpenOptions } from '../../src/file/options.js'
import { Session } from '../../src/file/session.js'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What calls cost of the disk, in bytes and in calls: it must not grow with the file. */

const inFolder = temporaryFolder()
const MIB = 2 ** 20
const SEGMENT = 65_536
const LARGE = { ...OPTIONS, segmentSize: SEGMENT }
const resolved = resolveOpenOptions(LARGE)

interface Meter {
  readonly disk: Disk
  readBytes: number
  writtenBytes: number
  readonly calls: string[]
}

/** node:fs, and what went through it. */
function metered(): Meter {
  const meter = { readBytes: 0, writtenBytes: 0, calls: [] as string[] } as unknown as Meter & { disk: Disk }
  const entries = Object.entries(nodeDisk.sync) as [string, (...args: never[]) => unknown][]
  const sync = Object.fromEntries(
    entries.map(([name, call]) => [
      name,
      (...args: never[]) => {
        const result = call(...args)
        meter.calls.push(name)
        if (name === 'read') meter.readBytes += result as number
        if (name === 'writev') meter.writtenBytes += result as number
        return result
      },
    ]),
  ) as unknown as DiskCalls
  meter.disk = { ...nodeDisk, sync }
  return meter
}

function makeFile(name: string, size: number): string {
  const path = inFolder(name)
  const file = EncryptedFile.openSync(path, 'w', LARGE)
  for (let done = 0; done < size; done += MIB) file.write(Buffer.alloc(Math.min(MIB, size - done)))
  file.close()
  return path
}

function appendTo(path: string, bytes: number): Meter {
  const meter = metered()
  const session = runSync(meter.disk, Session.open(path, parseFlags('a'), resolved))
  runSync(meter.disk, session.append(Buffer.alloc(bytes)))
  runSync(meter.disk, session.close())
  return meter
}

describe('to append costs what is appended', () => {
  test.each([
    ['1 MiB', MIB + 100],
    ['64 MiB', 64 * MIB + 100],
  ])('to a file of %s', (name, size) => {
    const path = makeFile(`append-${name}`, size)
    for (let i = 0; i < 3; i++) {
      const { readBytes, writtenBytes } = appendTo(path, 1_000)
      expect(readBytes).toBeLessThan(8_192 + 2 * (SEGMENT + 28))
      expect(writtenBytes).toBeLessThan(SEGMENT + 8_192)
    }
  })

  test('after a writer died, one commit more', () => {
    const path = makeFile('append-after-death', 64 * MIB)
    const session = runSync(nodeDisk, Session.open(path, parseFlags('a'), resolved))
    runSync(nodeDisk, session.append(Buffer.alloc(3 * MIB)))
    runSync(nodeDisk, session.commit())
    const meter = metered()
    const reader = runSync(meter.disk, Session.open(path, parseFlags('r'), resolved))
    expect(meter.readBytes).toBeGreaterThan(3 * MIB)
    expect(meter.readBytes).toBeLessThan(6 * MIB)
    runSync(meter.disk, reader.close())
    runSync(nodeDisk, session.close())
  })

  test('line by line, with the file opened for each, two waits for 64 KiB', () => {
    const path = makeFile('append-lines', 100)
    let waits = 0
    let written = 0
    for (let i = 0; i < 1_000; i++) {
      const { calls, writtenBytes } = appendTo(path, 100)
      waits += calls.filter((call) => call === 'fdatasync').length
      written += writtenBytes
    }
    expect(waits).toBeLessThanOrEqual(2 * Math.ceil(100_000 / SEGMENT) + 2)
    expect(written).toBeGreaterThan(100_000)
  })
})

describe('to read costs what is read', () => {
  const path = makeFile('read', 16 * MIB)

  test('one byte: one segment', () => {
    const meter = metered()
    const session = runSync(meter.disk, Session.open(path, parseFlags('r'), resolved))
    const opened = meter.readBytes
    expect(opened).toBeLessThanOrEqual(8_192)
    runSync(meter.disk, session.read(new Uint8Array(1), 9 * MIB))
    expect(meter.readBytes - opened).toBe(SEGMENT + 28)
    runSync(meter.disk, session.read(new Uint8Array(1), 9 * MIB + 5))
    expect(meter.readBytes - opened).toBe(SEGMENT + 28)
    runSync(meter.disk, session.close())
  })

  test('all of it in small pieces: each byte once', () => {
    const meter = metered()
    const session = runSync(meter.disk, Session.open(path, parseFlags('r'), resolved))
    const piece = new Uint8Array(10_000)
    while (runSync(meter.disk, session.read(piece, null)) > 0);
    expect(meter.readBytes).toBeLessThan(16 * MIB * 1.01 + 16_384)
    expect(meter.calls.filter((call) => call === 'read').length).toBeLessThan(30)
    runSync(meter.disk, session.close())
  })
})

test('a new file that is small is one call that writes', () => {
  const meter = metered()
  const session = runSync(meter.disk, Session.open(inFolder('small'), parseFlags('w'), resolved))
  runSync(meter.disk, session.write(Buffer.alloc(1_000), null))
  runSync(meter.disk, session.close())
  expect(meter.calls.filter((call) => call === 'writev').length).toBe(1)
  expect(meter.writtenBytes).toBe(1_280 + 1_000 + 28)
})

test('truncating and writing again before a commit is one commit', () => {
  const path = makeFile('rewrite', 1_000)
  const meter = metered()
  const session = runSync(meter.disk, Session.open(path, parseFlags('r+'), resolved))
  runSync(meter.disk, session.truncate(0))
  runSync(meter.disk, session.write(Buffer.from('new'), null))
  expect(meter.writtenBytes).toBe(0)
  runSync(meter.disk, session.sync('fdatasync'))
  expect(meter.calls.filter((call) => call === 'ftruncate').length).toBe(1)
  runSync(meter.disk, session.close())
})

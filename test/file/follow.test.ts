import { closeSync, copyFileSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { parseFlags } from '../../src/file/flags.js'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import { resolveOpenOptions } from '../../src/file/options.js'
import { Session } from '../../src/file/session.js'
import { EncryptedFile } from '../../src/index.js'
import {
  appendEncrypted,
  errorOf,
  OPTIONS,
  patternBytes,
  readEncrypted,
  SEGMENT_SIZE,
  sealfileError,
  writeEncrypted,
} from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let count = 0
const freshPath = (): string => inFolder(`file-${count++}`)
const LAZY = { ...OPTIONS, commitInterval: 60_000 }

describe('a reader beside a writer', () => {
  test('sees what is committed, and nothing else', async () => {
    const path = freshPath()
    await using writer = await EncryptedFile.open(path, 'w+', LAZY)
    await writer.write('one ')
    await writer.commit()
    await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
    await writer.write('two ')
    expect(await reader.readFile('utf8')).toBe('one ')
    expect((await reader.stat()).size).toBe(4)
    await writer.commit()
    expect((await reader.stat()).size).toBe(8)
    expect(await reader.readFile('utf8')).toBe('two ')
    await writer.write('ONE ', 0)
    await writer.sync()
    await reader.seek(0)
    expect(await reader.readFile('utf8')).toBe('ONE two ')
    await writer.truncate(2)
    await writer.commit()
    await reader.seek(0)
    expect(await reader.readFile('utf8')).toBe('ON')
    expect(await reader.seek(0, 'end')).toBe(2)
  })

  test('that follows a growing log sees its new lines, whole ones', async () => {
    const path = freshPath()
    const log = await EncryptedFile.open(path, 'a', { ...OPTIONS, commitInterval: 5 })
    await log.write('line 0\n')
    await log.commit()
    const lineOf = (n: number): string => `line ${n} ${'ü'.repeat((n * 37) % 900)}`
    const writing = (async () => {
      for (let n = 1; n < 400; n++) {
        await log.write(`${lineOf(n)}\n`)
        if (n % 40 === 0) await pause(6)
      }
      await log.close()
    })()
    await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
    expect(await reader.readLine()).toBe('line 0')
    for (let n = 1; n < 400;) {
      const line = await reader.readLine({ complete: true })
      if (line === undefined) await pause(1)
      else expect(line).toBe(lineOf(n++))
    }
    await writing
    expect(await reader.readLine({ complete: true })).toBeUndefined()
  })

  test.each(['async', 'sync'])('reads every page as it was at some commit, however often pages are replaced: %s', async (kind) => {
    const path = freshPath()
    const random = new SeededRandom(1)
    const pages = 40
    const pageOf = (version: number): Buffer => Buffer.alloc(SEGMENT_SIZE, version % 251)
    writeEncrypted(path, Buffer.concat(Array.from({ length: pages }, () => pageOf(0))))
    const writer = await EncryptedFile.open(path, 'r+', LAZY)
    const reader = await EncryptedFile.open(path, 'r', OPTIONS)
    const twin = EncryptedFile.openSync(path, 'r', OPTIONS)
    const newest = new Array<number>(pages).fill(0)
    const ever = Array.from({ length: pages }, () => new Set([0]))
    for (let version = 1; version < 400; version++) {
      for (let i = random.int(0, 5); i >= 0; i--) {
        const page = random.int(0, pages - 1)
        await writer.write(pageOf(version), 0, SEGMENT_SIZE, page * SEGMENT_SIZE)
        newest[page] = version
        ever[page]!.add(version % 251)
      }
      if (random.chance(0.3)) await writer.sync()
      else await writer.commit()
      if (random.chance(0.05)) {
        await writer.append(Buffer.alloc(SEGMENT_SIZE + 100)) // the list is applied
        await writer.commit()
        await writer.truncate(pages * SEGMENT_SIZE)
        await writer.commit()
      }
      const buffer = Buffer.alloc(SEGMENT_SIZE)
      for (let i = 0; i < 4; i++) {
        const page = random.int(0, pages - 1)
        if (kind === 'sync') twin.read(buffer, 0, SEGMENT_SIZE, page * SEGMENT_SIZE)
        else await reader.read(buffer, 0, SEGMENT_SIZE, page * SEGMENT_SIZE)
        expect(buffer.equals(Buffer.alloc(SEGMENT_SIZE, buffer[0]))).toBe(true)
        expect(ever[page]!.has(buffer[0]!)).toBe(true)
      }
      if (version % 50 === 0) {
        await reader.seek(0)
        const content = await reader.readFile()
        expect(Array.from({ length: pages }, (_, page) => content[page * SEGMENT_SIZE])).toEqual(newest.map((v) => v % 251))
      }
    }
    await Promise.all([writer.close(), reader.close()])
    twin.close()
  })

  test('readFile gives one committed state while the writer goes on', async () => {
    const path = freshPath()
    const segments = 60
    const stateOf = (version: number): Buffer => Buffer.alloc(segments * SEGMENT_SIZE, version % 251)
    writeEncrypted(path, stateOf(0))
    const writer = await EncryptedFile.open(path, 'r+', { ...OPTIONS, commitInterval: 60_000 })
    let isDone = false
    let version = 0
    const writing = (async () => {
      while (!isDone) {
        version++
        await writer.write(stateOf(version), 0, segments * SEGMENT_SIZE, 0)
        await writer.commit()
        await pause(3)
      }
      await writer.close()
    })()
    let [read, gaveUp] = [0, 0]
    const seen = new Set<number>()
    const deadline = Date.now() + 20_000
    while (read < 40 && Date.now() < deadline) {
      try {
        await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
        const content = await reader.readFile()
        expect(content.equals(Buffer.alloc(content.length, content[0]))).toBe(true)
        expect(content.length).toBe(segments * SEGMENT_SIZE)
        seen.add(content[0]!)
        read++
      } catch (error) {
        // To open or to read it takes as long as a writer needs for some commits, where others have the processor.
        expect(error).toEqual(sealfileError('ERR_SEALFILE_LOCKED'))
        gaveUp++
      }
    }
    isDone = true
    await writing
    expect(read, `${gaveUp} gave up`).toBe(40)
    expect(seen.size).toBeGreaterThan(3)
  })

  test('readFile gives up where the file is written anew each time that it is read', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(5 * SEGMENT_SIZE))
    const writer = EncryptedFile.openSync(path, 'r+', LAZY)
    let times = 0
    let isBusy = true
    const disk = { ...nodeDisk, sync: { ...nodeDisk.sync } }
    disk.sync.read = (fd, buffer, offset, length, position) => {
      if (isBusy && position > 0) {
        writer.truncate(0)
        writer.commit()
        writer.write(patternBytes(5 * SEGMENT_SIZE, ++times), 0, 5 * SEGMENT_SIZE, 0)
        writer.commit()
      }
      return nodeDisk.sync.read(fd, buffer, offset, length, position)
    }
    const reader = runSync(disk, Session.open(path, parseFlags('r'), resolveOpenOptions(OPTIONS)))
    expect(errorOf(() => runSync(disk, reader.readToEnd()))).toEqual(sealfileError('ERR_SEALFILE_LOCKED', { path }))
    isBusy = false
    runSync(disk, reader.seek(0, 'start'))
    expect(runSync(disk, reader.readToEnd())).toEqual(patternBytes(5 * SEGMENT_SIZE, times))
    runSync(disk, reader.close())
    writer.close()
  })

  test('takes a header that is half from before two commits and half from after for neither', () => {
    const path = freshPath()
    const writer = EncryptedFile.openSync(path, 'w', LAZY)
    let length = 0
    const commit = (): void => {
      length += writer.append(patternBytes(100))
      writer.commit()
    }
    commit()
    writer.sync()
    const options = resolveOpenOptions(OPTIONS)
    for (let tries = 0; tries < 6; tries++) {
      commit()
      for (const cut of [700, 900, 1_100]) {
        let isHalf = false
        const disk = { ...nodeDisk, sync: { ...nodeDisk.sync } }
        disk.sync.read = (fd, buffer, offset, length, position) => {
          const read = nodeDisk.sync.read(fd, buffer, offset, length, position)
          if (isHalf || position > 0) return read
          isHalf = true
          commit()
          commit()
          nodeDisk.sync.read(fd, buffer, offset + cut, 1_280 - cut, cut)
          return read
        }
        const before = length
        const reader = runSync(disk, Session.open(path, parseFlags('r'), options))
        const target = Buffer.alloc(2 * length)
        expect(runSync(disk, reader.read(target, 0))).toBeGreaterThanOrEqual(before)
        isHalf = false
        expect(runSync(disk, reader.stat()).size).toBeGreaterThanOrEqual(before + 200)
        runSync(disk, reader.close())
      }
    }
    writer.close()
  })

  test('opens while the writer commits again and again', async () => {
    const path = freshPath()
    writeEncrypted(path, 'x')
    const writer = await EncryptedFile.open(path, 'a', LAZY)
    let isDone = false
    const writing = (async () => {
      while (!isDone) {
        await writer.write('y'.repeat(700))
        await writer.commit()
      }
      await writer.close()
    })()
    for (let i = 0; i < 150; i++) {
      const reader = await EncryptedFile.open(path, 'r', OPTIONS)
      expect(reader.fellBack).toBe(false)
      const text = await reader.readFile('latin1')
      expect(text).toMatch(/^x(y{700})*$/)
      await reader.close()
    }
    isDone = true
    await writing
  })
})

describe('a file that changes under a reader in other ways', () => {
  test('written anew with w, it must be opened again', async () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(10_000))
    await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
    writeEncrypted(path, patternBytes(12_000, 2))
    await expect(reader.stat()).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    await expect(reader.read(Buffer.alloc(100), 0, 100, 9_950)).rejects.toEqual(sealfileError('ERR_SEALFILE_CORRUPTED'))
    expect(readEncrypted(path)).toEqual(patternBytes(12_000, 2))
  })

  test('emptied, or written anew, it says so', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
    await using writer = await EncryptedFile.open(path, 'w', OPTIONS)
    await expect(reader.stat()).rejects.toThrow('emptied or written anew')
    await writer.write('other')
    await writer.commit()
    await expect(reader.stat()).rejects.toThrow('emptied or written anew')
  })

  test('put back to an older version, it is refused', () => {
    const path = freshPath()
    const older = freshPath()
    writeEncrypted(path, patternBytes(10_000))
    copyFileSync(path, older)
    appendEncrypted(path, 'more')
    const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
    expect(reader.stat().size).toBe(10_004)
    const bytes = readFileSync(older)
    const fd = openSync(path, 'r+')
    writeSync(fd, bytes, 0, bytes.length, 0)
    ftruncateSync(fd, bytes.length)
    closeSync(fd)
    expect(errorOf(() => reader.stat())).toMatchObject({ name: 'RollbackError', code: 'ERR_SEALFILE_ROLLED_BACK', path })
    reader.close()
  })

  test('damaged, it can be read elsewhere', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(20_000))
    const reader = EncryptedFile.openSync(path, 'r', OPTIONS)
    const bytes = readFileSync(path)
    bytes[1_280 + SEGMENT_SIZE + 28 + 50]! ^= 1
    writeFileSync(path, bytes)
    const buffer = Buffer.alloc(100)
    expect(errorOf(() => reader.read(buffer, 0, 100, SEGMENT_SIZE))).toMatchObject({ code: 'ERR_SEALFILE_CORRUPTED', segment: 1 })
    expect(reader.read(buffer, 0, 100, 3 * SEGMENT_SIZE)).toBe(100)
    expect(buffer).toEqual(patternBytes(20_000).subarray(3 * SEGMENT_SIZE, 3 * SEGMENT_SIZE + 100))
    reader.close()
  })

  test('recovered, it stays at the state that was found', async () => {
    const path = freshPath()
    writeEncrypted(path, 'one')
    await using reader = await EncryptedFile.open(path, 'r', { ...OPTIONS, recover: true })
    appendEncrypted(path, ' two')
    expect((await reader.stat()).size).toBe(3)
    expect(await reader.readFile('utf8')).toBe('one')
  })
})

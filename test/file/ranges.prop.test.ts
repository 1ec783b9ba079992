import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { test as propertyTest, fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { CommitRecord } from '../../src/container/commit-record.js'
import { ContainerFile } from '../../src/file/engine/container-file.js'
import { isCommitted, type CommittedState } from '../../src/file/engine/committed-state.js'
import { buildFinishedHeader, unfinishedHeader } from '../../src/file/engine/new-header.js'
import { openRange } from '../../src/file/engine/range-opener.js'
import { cutIntoRanges, sealRange, type SegmentRange } from '../../src/file/engine/range-sealer.js'
import { matchesSnapshot } from '../../src/file/engine/verifier.js'
import { parseFlags } from '../../src/file/flags.js'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import { io } from '../../src/file/io/steps.js'
import { openFile, type OpenFile } from '../../src/file/open-file.js'
import { resolveOpenOptions } from '../../src/file/options.js'
import { EncryptedFile } from '../../src/index.js'
import { accumulate } from '../../src/seal/snapshot.js'
import { appendEncrypted, errorOf, OPTIONS, patternBytes, readEncrypted, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let files = 0
const freshPath = (): string => inFolder(`file-${files++}`)
const ignore = (): void => undefined

function shuffled<T>(items: readonly T[], order: readonly number[]): T[] {
  return items
    .map((item, i) => ({ item, key: order[i % order.length]! }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

interface Cut {
  readonly segmentSize: number
  readonly rangeSize: number
  /** Ranges are worked on in the order of these. */
  readonly order: readonly number[]
  /** Bytes that are encrypted at a time. */
  readonly pieceLength?: number
}

/** Encrypts `content` range by range, each with keys that were unwrapped for it alone, as another thread would. */
function sealInRanges(content: Uint8Array, { segmentSize, rangeSize, order, pieceLength = 2 ** 20 }: Cut): string {
  const [plain, path] = [freshPath(), freshPath()]
  writeFileSync(plain, content)
  const options = resolveOpenOptions({ ...OPTIONS, segmentSize })
  const { file, keyHeader } = ContainerFile.create('editable', path, options)
  const source = openSync(plain, 'r')
  const target = openSync(path, 'wx')
  const accumulator = file.schedule.snapshotKey!.emptyAccumulator()
  const ranges = cutIntoRanges(Math.ceil(content.length / segmentSize), rangeSize)
  let told = 0
  for (const range of shuffled(ranges, order)) {
    const part = ContainerFile.open(path, options, unfinishedHeader(keyHeader))
    const sealed = runSync(
      nodeDisk,
      sealRange({ file: part, source, target, length: content.length, pieceLength }, range, (length) => {
        expect(length).toBeLessThanOrEqual(Math.max(pieceLength, segmentSize))
        told += length
      }),
    )
    part.dispose()
    accumulate(accumulator, sealed!)
  }
  expect(told).toBe(content.length)
  expect(() => readEncrypted(path)).toThrow()
  writeSync(target, buildFinishedHeader(file, keyHeader, content.length, accumulator), 0, 1_280, 0)
  file.dispose()
  closeSync(source)
  closeSync(target)
  return path
}

/** Decrypts a file range by range, each time opened anew. @returns the content, and whether all ranges together are what was committed. */
function openInRanges(path: string, rangeSize: number, order: readonly number[]): { content: Buffer; snapshot: string } {
  const plain = freshPath()
  const target = openSync(plain, 'wx')
  const whole = openNow(path)
  const state = whole.content.state!
  const accumulator = whole.container.schedule.snapshotKey?.emptyAccumulator()
  const ranges: SegmentRange[] = cutIntoRanges(state.count, rangeSize)
  for (const range of shuffled(ranges, order)) {
    const part = openNow(path)
    const found = runSync(
      nodeDisk,
      openRange({ file: part.container, reader: part.reader, state: part.content.state!, target }, range, ignore),
    )
    if (accumulator !== undefined) accumulate(accumulator, found!)
    close(part)
  }
  closeSync(target)
  const snapshot = isCommitted(state) ? matchesSnapshot(whole.container, state, accumulator!) : 'none'
  close(whole)
  return { content: readFileSync(plain), snapshot }
}

function openNow(path: string): OpenFile {
  return runSync(nodeDisk, openFile(path, parseFlags('r'), resolveOpenOptions(OPTIONS)))
}

function recordOf(path: string): CommitRecord {
  const file = openNow(path)
  close(file)
  return (file.content.state as CommittedState).record
}

function close({ fd, container }: OpenFile): void {
  container.dispose()
  runSync(nodeDisk, io.close(fd))
}

const segmentSize = fc.constantFrom(4_096, 8_192, 65_536)
const order = fc.array(fc.nat(), { minLength: 1, maxLength: 20 })
const length = fc.oneof(
  fc.nat(200_000),
  fc.tuple(fc.constantFrom(4_096, 8_192, 65_536), fc.nat(5), fc.constantFrom(-1, 0, 1)).map(([s, n, d]) => Math.max(0, s * n + d)),
)

describe('a file that was encrypted in ranges', () => {
  propertyTest.prop([length, segmentSize, fc.integer({ min: 1, max: 12 }), order, fc.integer({ min: 1, max: 100_000 })])(
    'is one that EncryptedFile reads, checks and writes on, however it was cut',
    async (size, segment, rangeSize, order, pieceLength) => {
      const content = patternBytes(size, size)
      const path = sealInRanges(content, { segmentSize: segment, rangeSize, order, pieceLength })
      expect(readEncrypted(path).equals(content)).toBe(true)
      const count = Math.ceil(size / segment)
      expect(statSync(path).size).toBe(1_280 + size + 28 * count)
      const file = await EncryptedFile.open(path, 'r', OPTIONS)
      expect(await file.verify()).toEqual({ ok: true, size, segments: count, bad: [], snapshot: 'matches' })
      expect(await file.info()).toMatchObject({ size, segmentSize: segment })
      await file.close()
      expect(recordOf(path)).toMatchObject({ encryptionCount: count + 1, clean: true, sequence: 1 })
      appendEncrypted(path, 'more')
      expect(readEncrypted(path).equals(Buffer.concat([content, Buffer.from('more')]))).toBe(true)
    },
  )

  test('is none before its header is written, nor where a range is missing', () => {
    const content = patternBytes(40_000)
    const path = freshPath()
    const { file, keyHeader } = ContainerFile.create('editable', path, resolveOpenOptions(OPTIONS))
    writeFileSync(path, unfinishedHeader(keyHeader))
    expect(errorOf(() => readEncrypted(path)).code).toBe('ERR_SEALFILE_CORRUPTED')
    const none = file.schedule.snapshotKey!.emptyAccumulator()
    writeFileSync(path, buildFinishedHeader(file, keyHeader, content.length, none))
    expect(errorOf(() => readEncrypted(path)).code).toBe('ERR_SEALFILE_TRUNCATED')
    file.dispose()
  })

  test('is not made of a source that has become shorter', () => {
    const path = freshPath()
    writeFileSync(path, patternBytes(9_000))
    const source = openSync(path, 'r')
    const target = openSync(freshPath(), 'wx')
    const { file } = ContainerFile.create('editable', path, resolveOpenOptions(OPTIONS))
    const range = { first: 0, end: 3 }
    expect(runSync(nodeDisk, sealRange({ file, source, target, length: 9_001 }, range, ignore))).toBeUndefined()
    closeSync(source)
    closeSync(target)
  })
})

describe('a file that is decrypted in ranges', () => {
  propertyTest.prop([length, segmentSize, fc.integer({ min: 1, max: 12 }), order])(
    'is what EncryptedFile wrote, edits that wait in a redo list among it',
    (size, segment, rangeSize, order) => {
      const content = patternBytes(size, size)
      const path = freshPath()
      writeEncrypted(path, content, { segmentSize: segment })
      const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
      const edit = Buffer.from('edited')
      file.write(edit, 0, edit.length, Math.floor(size / 2))
      file.close()
      const found = openInRanges(path, rangeSize, order)
      expect(found.snapshot).toBe('matches')
      expect(found.content.equals(readEncrypted(path))).toBe(true)
    },
  )

  test('shows where an older version of a segment was put back', () => {
    const content = patternBytes(40_000)
    const path = freshPath()
    writeEncrypted(path, content)
    const before = readFileSync(path)
    const file = EncryptedFile.openSync(path, 'r+', OPTIONS)
    for (const position of [5_000, 13_000, 30_000]) file.write(Buffer.from('x'), 0, 1, position)
    file.truncate(39_000)
    file.sync()
    file.close()
    const after = readFileSync(path)
    const at = 1_280 + 4_124
    before.copy(after, at, at, at + 4_124)
    writeFileSync(path, after)
    expect(openInRanges(path, 3, [2, 1]).snapshot).toBe('differs')
  })

  test('fails where any byte of a segment was changed', () => {
    const path = freshPath()
    writeEncrypted(path, patternBytes(20_000))
    const whole = readFileSync(path)
    for (const position of [1_280, 1_280 + 12, 1_280 + 4_123, 1_280 + 2 * 4_124 + 600, whole.length - 1]) {
      const changed = Buffer.from(whole)
      changed[position]! ^= 1
      writeFileSync(path, changed)
      expect(errorOf(() => openInRanges(path, 2, [1])).code).toBe('ERR_SEALFILE_CORRUPTED')
    }
  })
})

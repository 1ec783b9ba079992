import { randomBytes } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { decryptBatch, encryptBatch } from '../src/batch.js'
import { copyTree, makeTree } from './batch.js'
import {
  assert,
  EncryptedFile,
  hasRoomInMemory,
  noteMeasurement,
  noteOmission,
  options,
  pathInMemory,
  timeInTurn,
} from './harness.js'
import type { Contender } from './harness.js'

/** How cost grows: with the size of a file, of its segments, and with the number of files. */

const MIB = 2 ** 20
const GIB = 2 ** 30
const PIECE_LENGTH = 65_536
const SEGMENT_SIZES = [4_096, 16_384, 65_536, 262_144, MIB]
const RANDOM_READS = 1_000
const PAGE = 4_096

interface Handle {
  read(buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<{ bytesRead: number }>
  write(buffer: Uint8Array): Promise<unknown>
  close(): Promise<void>
}

type Open = (path: string, flags: 'r' | 'w') => Promise<Handle>

const kinds: Readonly<Record<string, Open>> = {
  EncryptedFile: (path, flags) => EncryptedFile.open(path, flags, options),
  FileHandle: (path, flags) => open(path, flags),
}

async function writeAll(file: Handle, size: number, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < size; done += piece.length) await file.write(piece.subarray(0, Math.min(piece.length, size - done)))
  await file.close()
}

/** @param expected - What every piece must be like; not looked at in the rounds that are timed. */
async function readAll(file: Handle, size: number, expected?: Uint8Array): Promise<void> {
  const buffer = Buffer.alloc(PIECE_LENGTH)
  let done = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    done += bytesRead
    if (expected !== undefined) {
      assert(buffer.subarray(0, bytesRead).equals(expected.subarray(0, bytesRead)), 'other bytes come back')
    }
  }
  await file.close()
  assert(done === size, `${done} of ${size} bytes come back`)
}

/** The larger, the fewer: what takes seconds varies less. */
function roundsFor(size: number, rounds: number): number {
  if (size > 4 * GIB) return 1
  return size >= GIB ? Math.min(3, rounds) : rounds
}

/** Files of each size, from 1 KiB in steps of sixteen times. @param largest - Bytes. */
export async function benchFileSize(rounds: number, largest: number): Promise<void> {
  const piece = randomBytes(PIECE_LENGTH)
  const sizes = [2 ** 10, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 26, 2 ** 30, 2 ** 33].filter((size) => size <= largest)
  const folder = pathInMemory('file-size')
  for (const size of sizes) {
    if (!hasRoomInMemory(size)) {
      noteOmission({ what: `a file of ${size / MIB} MiB`, why: 'there is no room for it in memory' })
      continue
    }
    // Small files many times, so that a round is long enough to be timed.
    const files = Math.max(1, Math.min(200, Math.floor((4 * MIB) / size)))
    // Both the files of one kind that are read, and the room that they take.
    const empty = async (): Promise<void> => {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder)
    }
    const contenders = Object.entries(kinds).flatMap(([name, openFile]): Contender[] => [
      {
        name: `${name}, write`,
        before: empty,
        async run() {
          for (let i = 0; i < files; i++) await writeAll(await openFile(join(folder, `${i}`), 'w'), size, piece)
        },
      },
      {
        name: `${name}, read`,
        async run() {
          for (let i = 0; i < files; i++) await readAll(await openFile(join(folder, `${i}`), 'r'), size)
        },
      },
    ])
    await empty()
    await writeAll(await kinds['EncryptedFile']!(join(folder, 'checked'), 'w'), Math.min(size, MIB), piece)
    await readAll(await kinds['EncryptedFile']!(join(folder, 'checked'), 'r'), Math.min(size, MIB), piece)
    const times = await timeInTurn(contenders, roundsFor(size, rounds))
    for (const [i, { name }] of contenders.entries()) {
      noteMeasurement(
        size,
        `${name}, ms`,
        times[i]!.map((ms) => ms / files),
      )
    }
  }
  await rm(folder, { recursive: true, force: true })
}

/** Segments from 4 KiB to 1 MiB: all of a file, and pages of it here and there. @param size - Of the file, in bytes. */
export async function benchSegmentSize(rounds: number, size: number): Promise<void> {
  const piece = randomBytes(PIECE_LENGTH)
  const page = Buffer.alloc(PAGE)
  const pathFor = (segmentSize: number): string => pathInMemory(`segments-${segmentSize}`)
  const contenders = SEGMENT_SIZES.flatMap((segmentSize): Contender[] => [
    {
      name: 'write',
      before: () => rm(pathFor(segmentSize), { force: true }),
      run: async () => writeAll(await EncryptedFile.open(pathFor(segmentSize), 'w', { ...options, segmentSize }), size, piece),
    },
    { name: 'read', run: async () => readAll(await EncryptedFile.open(pathFor(segmentSize), 'r', options), size) },
    {
      name: 'random read',
      async run() {
        const file = await EncryptedFile.open(pathFor(segmentSize), 'r', options)
        for (let i = 1; i <= RANDOM_READS; i++) {
          // Knuth's multiplicative hash: far from the one before, and the same for all.
          const position = ((i * 2_654_435_761) % (size / PAGE)) * PAGE
          assert((await file.read(page, 0, PAGE, position)).bytesRead === PAGE, 'a page is short')
        }
        await file.close()
      },
    },
  ])
  await timeInTurn(contenders, 1)
  for (const segmentSize of SEGMENT_SIZES) await readAll(await EncryptedFile.open(pathFor(segmentSize), 'r', options), size, piece)
  const times = await timeInTurn(contenders, rounds)
  for (const [i, segmentSize] of SEGMENT_SIZES.entries()) {
    const [write, read, random] = times.slice(3 * i) as [number[], number[], number[]]
    const rates = (ms: number[]): number[] => ms.map((each) => size / MIB / (each / 1_000))
    noteMeasurement(segmentSize, `write ${size / MIB} MiB, MiB/s`, rates(write))
    noteMeasurement(segmentSize, `read ${size / MIB} MiB, MiB/s`, rates(read))
    noteMeasurement(
      segmentSize,
      'random 4 KiB read, µs',
      random.map((ms) => (ms * 1_000) / RANDOM_READS),
    )
    await rm(pathFor(segmentSize))
  }
}

/** Trees of 10 files of 4 KiB and of ten times as many, up to `largest`. */
export async function benchFileCount(rounds: number, largest: number): Promise<void> {
  const [source, encrypted, target] = ['tree', 'tree-encrypted', 'tree-target'].map(pathInMemory) as [string, string, string]
  const empty = (path: string) => () => rm(path, { recursive: true, force: true })
  for (let count = 10; count <= largest; count *= 10) {
    makeTree(source, count)
    const contenders: Contender[] = [
      {
        name: 'encryptBatch',
        before: empty(encrypted),
        async run() {
          const { files } = await encryptBatch(source, { ...options, target: encrypted, workers: 2 })
          assert(files === count, `${files} of ${count} files were made`)
        },
      },
      {
        name: 'decryptBatch',
        before: empty(target),
        async run() {
          const { files } = await decryptBatch(encrypted, { ...options, target, workers: 2 })
          assert(files === count, `${files} of ${count} files were made`)
        },
      },
      { name: 'a copy on 2 threads', before: empty(target), run: () => copyTree(source, target) },
    ]
    await timeInTurn(contenders, 1)
    const times = await timeInTurn(contenders, rounds)
    for (const [i, { name }] of contenders.entries()) {
      noteMeasurement(
        count,
        `${name}, µs per file`,
        times[i]!.map((ms) => (ms * 1_000) / count),
      )
    }
    for (const path of [source, encrypted, target]) await empty(path)()
  }
}

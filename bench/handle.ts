import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Readable, Writable } from 'node:stream'
import { assert, compare, EncryptedFile, options, pathOf, type Contender } from './harness.js'

/** What a handle does besides bulk reading and writing: here and there, in small pieces, by streams, without waiting. */

const MIB = 2 ** 20
const PAGE = 4_096

type Handle = Pick<FileHandle, 'close' | 'sync' | 'truncate'> & {
  read(buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<{ bytesRead: number }>
  write(buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<unknown>
  commit?(): Promise<void>
}

const SEGMENT_SIZES = [65_536, PAGE]
const kib = (bytes: number): string => `${bytes / 1_024} KiB`

async function makeFiles(name: string, size: number): Promise<void> {
  const piece = randomBytes(MIB)
  const handles: { write(piece: Uint8Array): Promise<unknown>; close(): Promise<void> }[] = [
    await open(pathOf(`${name}.plain`), 'w'),
  ]
  for (const segmentSize of SEGMENT_SIZES) {
    handles.push(await EncryptedFile.open(pathOf(`${name}-${segmentSize}.enc`), 'w', { ...options, segmentSize }))
  }
  for (let done = 0; done < size; done += MIB) for (const handle of handles) await handle.write(piece)
  for (const handle of handles) await handle.close()
}

async function removeFiles(name: string): Promise<void> {
  await rm(pathOf(`${name}.plain`))
  for (const segmentSize of SEGMENT_SIZES) await rm(pathOf(`${name}-${segmentSize}.enc`))
}

/** Positions of pages, the same for all contenders. */
function randomPages(size: number, count: number): number[] {
  let state = 1
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647
    return (state % (size / PAGE)) * PAGE
  })
}

const openPlain = (name: string, flags: string): Promise<Handle> => open(pathOf(`${name}.plain`), flags)
const openEncrypted = (name: string, segmentSize: number, flags: string): Promise<Handle> =>
  EncryptedFile.open(pathOf(`${name}-${segmentSize}.enc`), flags, options)

function pageReader(name: string, openFile: () => Promise<Handle>, positions: readonly number[]): Contender {
  const buffer = Buffer.alloc(PAGE)
  return {
    name,
    async run() {
      const file = await openFile()
      for (const position of positions) {
        const { bytesRead } = await file.read(buffer, 0, PAGE, position)
        assert(bytesRead === PAGE, 'a page is short')
      }
      await file.close()
    },
  }
}

/** @param commitSize - Bytes from one commit to the next. */
function pageWriter(name: string, openFile: () => Promise<Handle>, positions: readonly number[], commitSize: number): Contender {
  const page = randomBytes(PAGE)
  return {
    name,
    async run() {
      const file = await openFile()
      let written = 0
      for (const position of positions) {
        await file.write(page, 0, PAGE, position)
        written += PAGE
        if (written % commitSize === 0) await file.commit?.()
      }
      await file.close()
    },
  }
}

/** @param size - Of the file, in bytes. @param count - Pages in each round. */
export async function benchRandomAccess(rounds: number, size: number, count: number): Promise<void> {
  await makeFiles('random', size)
  const positions = randomPages(size, count)
  const fewPositions = positions.map((position) => position % (8 * PAGE))
  for (const segmentSize of SEGMENT_SIZES) {
    const where = `in ${size / MIB} MiB, segments of ${kib(segmentSize)}`
    const ours = (flags: string) => () => openEncrypted('random', segmentSize, flags)
    const plain = (flags: string) => () => openPlain('random', flags)
    await compare(
      `random 4 KiB reads ${where}`,
      pageReader('EncryptedFile', ours('r'), positions),
      pageReader('FileHandle', plain('r'), positions),
      0.45,
      rounds,
    )
    await compare(
      `4 KiB reads of segments in the cache ${where}`,
      pageReader('EncryptedFile', ours('r'), fewPositions),
      pageReader('FileHandle', plain('r'), fewPositions),
      1,
      rounds,
    )
    await compare(
      `random 4 KiB writes ${where}, committed every 4 MiB`,
      pageWriter('EncryptedFile', ours('r+'), positions, 4 * MIB),
      pageWriter('FileHandle', plain('r+'), positions, 4 * MIB),
      0.15,
      rounds,
    )
  }
  await removeFiles('random')
}

export async function benchAppends(rounds: number, count: number): Promise<void> {
  const line = randomBytes(100)
  const perSecond = 300_000
  const appender: Contender = {
    name: 'EncryptedFile',
    async run() {
      const file = await EncryptedFile.open(pathOf('append.enc'), 'w', options)
      for (let i = 0; i < count; i++) await file.append(line)
      await file.close()
    },
  }
  // The promise is a rate, not a ratio: the baseline takes as long as that rate allows.
  const promised: Contender = {
    name: '300,000 a second',
    run: () => new Promise((resolve) => setTimeout(resolve, (count / perSecond) * 1_000)),
  }
  await compare(`${count} appends of 100 bytes, each waited for`, appender, promised, 1, rounds)
  const file = await EncryptedFile.open(pathOf('append.enc'), 'r', options)
  assert((await file.stat()).size === count * line.length, 'lines are missing')
  await file.close()
  await rm(pathOf('append.enc'))
}

/** @param size - Bytes; a multiple of 64 KiB. */
export async function benchStreams(rounds: number, size: number): Promise<void> {
  const piece = randomBytes(65_536)
  const source = (): Readable =>
    Readable.from(
      (function* () {
        for (let done = 0; done < size; done += piece.length) yield piece
      })(),
      { objectMode: false, highWaterMark: piece.length },
    )
  const sink = (expected: number): Writable => {
    let received = 0
    return new Writable({
      write(chunk: Buffer, _encoding, done) {
        received += chunk.length
        done()
      },
      final(done) {
        assert(received === expected, `${received} of ${expected} bytes came`)
        done()
      },
    })
  }
  const name = `${size / MIB} MiB`
  await compare(
    `createWriteStream, ${name}`,
    {
      name: 'EncryptedFile',
      async run() {
        const file = await EncryptedFile.open(pathOf('stream.enc'), 'w', options)
        await pipeline(source(), file.createWriteStream({ highWaterMark: piece.length }))
      },
    },
    { name: 'fs', run: () => pipeline(source(), createWriteStream(pathOf('stream.plain'), { highWaterMark: piece.length })) },
    0.9,
    rounds,
  )
  await compare(
    `createReadStream, ${name}`,
    {
      name: 'EncryptedFile',
      async run() {
        const file = await EncryptedFile.open(pathOf('stream.enc'), 'r', options)
        await pipeline(file.createReadStream(), sink(size))
      },
    },
    { name: 'fs', run: () => pipeline(createReadStream(pathOf('stream.plain')), sink(size)) },
    0.9,
    rounds,
  )
  await rm(pathOf('stream.plain'))
  await rm(pathOf('stream.enc'))
}

/** Both kinds of handle do the same work on the same file: what the ones cost that do not wait, by those that do. */
export async function benchSync(rounds: number, size: number): Promise<void> {
  const piece = randomBytes(65_536)
  const page = Buffer.alloc(PAGE)
  const positions = randomPages(size, 5_000)
  const path = pathOf('sync.enc')
  const target = 1 / 1.5
  await compare(
    `without waiting: write ${size / MIB} MiB in 64 KiB calls`,
    {
      name: 'openSync',
      run() {
        const file = EncryptedFile.openSync(path, 'w', options)
        for (let done = 0; done < size; done += piece.length) file.write(piece)
        file.close()
      },
    },
    {
      name: 'open',
      async run() {
        const file = await EncryptedFile.open(path, 'w', options)
        for (let done = 0; done < size; done += piece.length) await file.write(piece)
        await file.close()
      },
    },
    target,
    rounds,
  )
  await compare(
    'without waiting: 5,000 random 4 KiB reads',
    {
      name: 'openSync',
      run() {
        const file = EncryptedFile.openSync(path, 'r', options)
        for (const position of positions) assert(file.read(page, 0, PAGE, position) === PAGE, 'a page is short')
        file.close()
      },
    },
    {
      name: 'open',
      async run() {
        const file = await EncryptedFile.open(path, 'r', options)
        for (const position of positions) assert((await file.read(page, 0, PAGE, position)).bytesRead === PAGE, 'a page is short')
        await file.close()
      },
    },
    target,
    rounds,
  )
  await rm(path)
}

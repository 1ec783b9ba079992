import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { assert, compare, EncryptedFile, options, pathOf, type Contender } from './harness.js'

/** EncryptedFile beside plain file I/O: the same calls on the same bytes. */

const MIB = 2 ** 20

interface Handle {
  read(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }>
  write(buffer: Uint8Array): Promise<unknown>
  close(): Promise<void>
}

type Open = (name: string, flags: 'r' | 'w' | 'a') => Promise<Handle>

const openPlain: Open = (name, flags) => open(pathOf(`${name}.plain`), flags)
const openEncrypted: Open = (name, flags) => EncryptedFile.open(pathOf(`${name}.enc`), flags, options)

function writer(name: string, openFile: Open, total: number, piece: Uint8Array): Contender {
  return {
    name: `${openFile === openPlain ? 'FileHandle' : 'EncryptedFile'}, ${piece.length / 1_024} KiB calls`,
    async run() {
      const file = await openFile(name, 'w')
      for (let done = 0; done < total; done += piece.length) await file.write(piece)
      await file.close()
    },
  }
}

function reader(name: string, openFile: Open, total: number, length: number): Contender {
  const buffer = Buffer.alloc(length)
  return {
    name: `${openFile === openPlain ? 'FileHandle' : 'EncryptedFile'}, ${length / 1_024} KiB calls`,
    async run() {
      const file = await openFile(name, 'r')
      let done = 0
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, length)
        if (bytesRead === 0) break
        done += bytesRead
      }
      await file.close()
      assert(done === total, `read ${done} of ${total} bytes`)
    },
  }
}

async function checkContent(name: string, total: number, piece: Uint8Array): Promise<void> {
  const file = await openEncrypted(name, 'r')
  const buffer = Buffer.alloc(piece.length)
  for (let done = 0; done < total; done += piece.length) {
    const { bytesRead } = await file.read(buffer, 0, piece.length)
    assert(bytesRead === piece.length && buffer.equals(piece), `other bytes come back at ${done}`)
  }
  await file.close()
}

/** @param total - Bytes; a multiple of 1 MiB. */
export async function benchLargeFile(rounds: number, total: number): Promise<void> {
  const size = `${total / MIB} MiB`
  const small = randomBytes(65_536)
  const large = Buffer.concat(Array.from({ length: 16 }, () => small))
  const write = writer('large', openEncrypted, total, small)
  await write.run()
  await checkContent('large', total, small)
  await compare(`write ${size}`, write, writer('large', openPlain, total, small), 1.2, rounds)
  await compare(`write ${size} against 1 MiB calls`, write, writer('large', openPlain, total, large), 0.9, rounds)
  const read = reader('large', openEncrypted, total, small.length)
  await compare(`read ${size}`, read, reader('large', openPlain, total, small.length), 1.2, rounds)
  await compare(`read ${size} against 1 MiB calls`, read, reader('large', openPlain, total, large.length), 0.4, rounds)
  await compare(
    `read ${size}, both in 1 MiB calls`,
    reader('large', openEncrypted, total, large.length),
    reader('large', openPlain, total, large.length),
    0.4,
    rounds,
  )
  await rm(pathOf('large.plain'))
  await rm(pathOf('large.enc'))
}

function repeat(times: number, name: string, once: (i: number) => Promise<void>): Contender {
  return {
    name,
    async run() {
      for (let i = 0; i < times; i++) await once(i)
    },
  }
}

export async function benchSmallFile(rounds: number): Promise<void> {
  const times = 500
  const content = randomBytes(1_024)
  const buffer = Buffer.alloc(1_024)
  let made = 0
  const writeNew = (openFile: Open): Contender =>
    repeat(times, openFile === openPlain ? 'FileHandle' : 'EncryptedFile', async () => {
      const file = await openFile(`small-${made++}`, 'w')
      await file.write(content)
      await file.close()
    })
  const readBack = (openFile: Open): Contender =>
    repeat(times, openFile === openPlain ? 'FileHandle' : 'EncryptedFile', async () => {
      const file = await openFile('small', 'r')
      const { bytesRead } = await file.read(buffer, 0, content.length)
      await file.close()
      assert(bytesRead === content.length && buffer.equals(content), 'other bytes come back')
    })
  for (const openFile of [openPlain, openEncrypted]) {
    const file = await openFile('small', 'w')
    await file.write(content)
    await file.close()
  }
  await compare(`1 KiB: open, write, close, ${times} new files`, writeNew(openEncrypted), writeNew(openPlain), 1 / 1.6, rounds)
  await compare(`1 KiB: open, read, close, ${times} times`, readBack(openEncrypted), readBack(openPlain), 1 / 2.5, rounds)
}

/** Opening for append must cost the same whatever the file holds. */
export async function benchOpenForAppend(rounds: number, total: number): Promise<void> {
  const piece = randomBytes(MIB)
  const large = await openEncrypted('append-large', 'w')
  for (let done = 0; done < total; done += piece.length) await large.write(piece)
  await large.close()
  const small = await openEncrypted('append-small', 'w')
  await small.write(piece.subarray(0, 1_024))
  await small.close()
  const openClose = (name: string): Contender =>
    repeat(200, name, async () => {
      const file = await openEncrypted(name, 'a')
      await file.close()
    })
  const what = `open for append and close: ${total / MIB} MiB against 1 KiB`
  await compare(what, openClose('append-large'), openClose('append-small'), 0.5, rounds)
  await rm(pathOf('append-large.enc'))
}

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './findings.js'
import { assert, EncryptedFile, noteMeasurement, noteOmission, options, pathInMemory } from './harness.js'

/** What many open files cost, each and in memory: measured in a process of its own. */

const PAGE = 4_096
const COUNTS = [1, 10, 100, 1_000]
/** However many handles there are, so that there is something to time. */
const CALLS = 4_000

const COLUMNS = {
  open: 'open a new file, µs',
  write: 'write 4 KiB, µs',
  read: 'read 4 KiB, µs',
  memory: 'memory, KiB per handle',
} as const

type Found = Record<keyof typeof COLUMNS, number>

export async function benchOpenHandles(rounds: number): Promise<void> {
  for (const count of COUNTS) {
    const found: Found[] = []
    for (let round = 0; round < rounds; round++) {
      const folder = pathInMemory('handles')
      await mkdir(folder)
      const child = fork(fileURLToPath(import.meta.url), [String(count), folder], { execArgv: ['--expose-gc'] })
      const [answer] = (await once(child, 'message')) as [Found | { failure: string }]
      await once(child, 'exit')
      await rm(folder, { recursive: true })
      if ('failure' in answer) {
        noteOmission({ what: `${count} handles`, why: answer.failure })
        break
      }
      found.push(answer)
    }
    if (found.length < rounds) continue
    for (const [key, column] of Object.entries(COLUMNS) as [keyof Found, string][]) {
      const values = found.map((one) => one[key])
      noteMeasurement(count, column, key === 'memory' ? [median(values)] : values)
    }
  }
}

/** Microseconds of one of `calls`. */
async function timeCalls(calls: number, call: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < calls; i++) await call(i)
  return ((performance.now() - start) / calls) * 1_000
}

async function work(count: number, folder: string): Promise<Found> {
  const page = Buffer.alloc(PAGE, 'page ')
  const pathFor = (i: number): string => join(folder, `${i}`)
  const warmUp = await EncryptedFile.open(join(folder, 'warm-up'), 'w', options)
  for (let i = 0; i < 100; i++) await warmUp.write(page)
  await warmUp.close()
  global.gc?.()
  const idle = process.memoryUsage.rss()
  const handles: EncryptedFile[] = []
  const opened = await timeCalls(count, async (i) => handles.push(await EncryptedFile.open(pathFor(i), 'w+', options)))
  const handleFor = (i: number): EncryptedFile => handles[i % count]!
  const written = await timeCalls(CALLS, (i) => handleFor(i).write(page))
  global.gc?.()
  const memory = (process.memoryUsage.rss() - idle) / count / 1_024
  const buffer = Buffer.alloc(PAGE)
  const each = CALLS / count
  const read = await timeCalls(CALLS, async (i) => {
    const position = Math.floor(i / count) * PAGE
    assert((await handleFor(i).read(buffer, 0, PAGE, position)).bytesRead === PAGE && buffer.equals(page), 'other bytes come back')
  })
  for (const handle of handles) {
    assert((await handle.stat()).size === each * PAGE, 'bytes are missing')
    await handle.close()
  }
  return { open: opened, write: written, read, memory }
}

const [, script, count, folder] = process.argv
if (script === fileURLToPath(import.meta.url) && folder !== undefined) {
  try {
    process.send!(await work(Number(count), folder))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
    process.send!({ failure: 'the system does not let one process open so many files' })
  }
  process.disconnect()
}

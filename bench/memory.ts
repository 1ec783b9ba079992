import { fork } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { EncryptedFile, noteCeiling, noteTrace, options } from './harness.js'

/** How much memory a process needs beyond idling while a large file streams through it. */

const MIB = 2 ** 20
const GIB = 2 ** 30
const PIECE = 65_536
const TARGET_MIB = 24
/** Points of the trace, each the most of its stretch. */
const POINTS = 128

export async function benchMemory(total: number, path: string): Promise<void> {
  for (const direction of ['write', 'read']) {
    const child = fork(fileURLToPath(import.meta.url), [direction, String(total), path], { execArgv: [] })
    const [trace] = (await once(child, 'message')) as [[done: number, above: number][]]
    await once(child, 'exit')
    const what = `${total / MIB} MiB ${direction === 'write' ? 'written' : 'read'} in 64 KiB calls`
    noteTrace(direction === 'write' ? 'writing' : 'reading', trace)
    noteCeiling({
      what,
      value: Math.max(...trace.map(([, above]) => above)),
      wanted: TARGET_MIB,
      unit: 'MiB above the idle process',
    })
  }
}

/** Streams in a process of its own, and reports its memory above what it had before: GiB that are done, and MiB. */
async function stream(direction: string, total: number, path: string): Promise<void> {
  const piece = Buffer.alloc(PIECE)
  randomBytes(PIECE).copy(piece)
  const warmUp = await EncryptedFile.open(path, direction === 'write' ? 'w' : 'r', options)
  await warmUp.close()
  global.gc?.()
  const idle = process.memoryUsage.rss()
  const trace: [done: number, above: number][] = []
  const stretch = total / POINTS
  let peak = 0
  const file = await EncryptedFile.open(path, direction === 'write' ? 'w' : 'r', options)
  for (let done = PIECE; done <= total; done += PIECE) {
    if (direction === 'write') await file.write(piece)
    else await file.read(piece, 0, PIECE)
    if (done % MIB === 0) peak = Math.max(peak, (process.memoryUsage.rss() - idle) / MIB)
    if (done % stretch === 0) {
      trace.push([done / GIB, peak])
      peak = 0
    }
  }
  await file.close()
  process.send!(trace)
  process.disconnect()
}

const [, script, direction, total, path] = process.argv
if (script === fileURLToPath(import.meta.url) && path !== undefined) await stream(direction!, Number(total), path)

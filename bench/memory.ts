import { fork } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { EncryptedFile, options } from './harness.js'

/** How much memory a process needs beyond idling while a large file streams through it. */

const MIB = 2 ** 20
const PIECE = 65_536
const TARGET_MIB = 24

/** @returns MiB above the idle process, and whether the target was missed. */
export async function benchMemory(total: number, path: string): Promise<number> {
  let missed = 0
  for (const direction of ['write', 'read']) {
    const child = fork(fileURLToPath(import.meta.url), [direction, String(total), path], { execArgv: [] })
    const [above] = (await once(child, 'message')) as [number]
    await once(child, 'exit')
    const verdict = above <= TARGET_MIB ? 'reached' : `over by ${(above - TARGET_MIB).toFixed(0)} MiB`
    console.log(
      `memory while ${total / MIB} MiB are ${direction === 'write' ? 'written' : 'read'}: ${above.toFixed(1)} MiB above idle, wanted ${TARGET_MIB}: ${verdict}`,
    )
    if (above > TARGET_MIB) missed++
  }
  return missed
}

/** Streams in a process of its own, and reports its peak above what it had before. */
async function stream(direction: string, total: number, path: string): Promise<void> {
  const piece = Buffer.alloc(PIECE)
  randomBytes(PIECE).copy(piece)
  const warmUp = await EncryptedFile.open(path, direction === 'write' ? 'w' : 'r', options)
  await warmUp.close()
  global.gc?.()
  const idle = process.memoryUsage.rss()
  let peak = idle
  const file = await EncryptedFile.open(path, direction === 'write' ? 'w' : 'r', options)
  for (let done = 0; done < total; done += PIECE) {
    if (direction === 'write') await file.write(piece)
    else await file.read(piece, 0, PIECE)
    if (done % MIB === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  await file.close()
  process.send!((peak - idle) / MIB)
  process.disconnect()
}

const [, script, direction, total, path] = process.argv
if (script === fileURLToPath(import.meta.url) && path !== undefined) await stream(direction!, Number(total), path)

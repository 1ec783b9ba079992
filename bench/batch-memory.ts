import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decryptBatch, encryptBatch } from '../src/batch.js'
import { assert, EncryptedFile, noteCeiling, options } from './harness.js'

/** How much memory a batch on two threads needs beyond the idle process: for very many names in one folder, and for one very large file. */

const GIB = 2 ** 30
const MIB = 2 ** 20
const TARGET_MIB = 150
const WORKERS = 2
/** File systems limit how many names a file may have. */
const LINKS_MAX = 50_000
/** Of the free space, no more than this part is filled. */
const SHARE = 0.4

interface Measured {
  readonly above: number
  readonly files: number
  readonly bytes: number
  readonly isWhole: boolean
}

/**
 * @param count - Names in one folder. They are links of empty encrypted files, and so is what becomes of them.
 * @param size - Bytes of a sparse file, of which as much is encrypted as can be within the seconds and the space that there are.
 */
export async function benchBatchMemory(count: number, size: number, seconds: number): Promise<void> {
  const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealfile-bench-'))
  try {
    const source = join(scratch, 'names')
    mkdirSync(source)
    for (let i = 0; i < count; i++) {
      const original = join(scratch, `${Math.floor(i / LINKS_MAX)}`)
      if (i % LINKS_MAX === 0) await EncryptedFile.writeFile(original, '', options)
      linkSync(original, join(source, `a name that is not short, as names are that people give ${i}`))
    }
    for (const keeps of [false, true]) {
      const names = await measure('decrypt', source, scratch, 0, 0, keeps)
      assert(names.files === count, `${names.files} of ${count} files were made`)
      const what = `a batch of ${count} names in one folder`
      note(keeps ? `${what}, with new names and a manifest` : what, names)
    }
    const sparse = join(scratch, 'sparse')
    writeFileSync(sparse, '')
    truncateSync(sparse, size)
    const { bavail, bsize } = statfsSync(scratch)
    const large = await measure('encrypt', sparse, scratch, seconds * 1_000, bavail * bsize * SHARE)
    const part = large.isWhole ? '' : `: ended after ${(large.bytes / GIB).toFixed(1)} GiB, for want of time or space`
    note(`a batch of one sparse file of ${(size / GIB).toFixed(0)} GiB${part}`, large)
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function note(what: string, { above }: Measured): void {
  noteCeiling({ what, value: above, wanted: TARGET_MIB, unit: 'MiB above the idle process' })
}

/**
 * Runs a batch in a process of its own.
 *
 * @param milliseconds - And bytes, after which it is ended; 0 for never.
 * @param keeps - Let it keep what it needs for each name: the names of targets, and what is done.
 */
async function measure(
  direction: string,
  source: string,
  scratch: string,
  milliseconds: number,
  bytes: number,
  keeps = false,
): Promise<Measured> {
  const target = join(scratch, 'target')
  const args = [direction, source, target, String(milliseconds), String(bytes), keeps ? 'keeps' : '']
  const child = fork(fileURLToPath(import.meta.url), args, { execArgv: [] })
  const [measured] = (await once(child, 'message')) as [Measured]
  await once(child, 'exit')
  for (const made of [target, `${target}.manifest`]) rmSync(made, { recursive: true, force: true })
  return measured
}

async function run([direction, source, target, milliseconds, bytesMax, keeps]: readonly string[]): Promise<void> {
  const idle = process.memoryUsage.rss()
  let peak = idle
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20)
  const controller = new AbortController()
  if (Number(milliseconds) > 0) setTimeout(() => controller.abort(), Number(milliseconds)).unref()
  let done = { files: 0, bytes: 0 }
  const batch = direction === 'encrypt' ? encryptBatch : decryptBatch
  const running = batch(source!, {
    ...options,
    target: target!,
    workers: WORKERS,
    ...(keeps === 'keeps' ? { manifest: `${target}.manifest`, name: (path) => `${path}.other` } : {}),
    signal: controller.signal,
    onProgress({ files, bytes }) {
      done = { files, bytes: Math.max(bytes, done.bytes) }
      if (Number(bytesMax) > 0 && bytes > Number(bytesMax)) controller.abort()
    },
  })
  const outcome = await running.catch((error: unknown) => {
    if (!controller.signal.aborted) throw error
    return undefined
  })
  clearInterval(timer)
  process.send!({ ...done, above: (peak - idle) / MIB, files: outcome?.files ?? done.files, isWhole: outcome !== undefined })
  process.disconnect()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(process.argv.slice(2))

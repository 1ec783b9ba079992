import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { decryptBatch, encryptBatch, type BatchReport } from '../src/batch.js'
import { KeyManager } from '../src/index.js'
import { assert, compare, type Contender } from './harness.js'

/** One large file on several threads beside one, and many small files beside a plain copy on as many threads. */

const WORKERS = 2
const options = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(9)), purpose: 'bench' }

/** In memory where the system has a place for that: what is measured is not a disk. */
function scratchFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealfile-bench-'))
}

/** @returns a contender that does a batch into an empty folder. */
function batchOf(name: string, target: string, files: number, run: () => Promise<BatchReport>): Contender {
  return {
    name,
    async run() {
      rmSync(target, { recursive: true, force: true })
      const report = await run()
      assert(report.files === files && report.failures.length === 0, `${report.files} of ${files} files were made`)
    },
  }
}

/** @param size - Bytes of the file. */
export async function benchBatchLarge(rounds: number, size: number): Promise<void> {
  const folder = scratchFolder()
  const [source, encrypted, target] = [join(folder, 'source'), join(folder, 'encrypted'), join(folder, 'target')]
  const piece = Buffer.alloc(2 ** 24, 'a line of some text. ')
  const fd = openSync(source, 'w')
  for (let done = 0; done < size; done += piece.length) writeSync(fd, piece)
  closeSync(fd)
  const [many, one] = [WORKERS, 1].map((workers) =>
    batchOf(`${workers} threads`, encrypted, 1, () => encryptBatch(source, { ...options, target: encrypted, workers })),
  ) as [Contender, Contender]
  await compare(`encrypt one file of ${size / 2 ** 20} MiB in a batch`, many, one, 1.6, rounds)
  const [manyBack, oneBack] = [WORKERS, 1].map((workers) =>
    batchOf(`${workers} threads`, target, 1, () => decryptBatch(encrypted, { ...options, target, workers })),
  ) as [Contender, Contender]
  await compare(`decrypt one file of ${size / 2 ** 20} MiB in a batch`, manyBack, oneBack, 1.6, rounds)
  assert(statSync(join(target, 'source')).size === size, 'the file comes back')
  rmSync(folder, { recursive: true })
}

/** Copies the files of a list that its threads share, with the calls that a copy takes. */
const COPY = `
const { copyFileSync } = require('node:fs')
const { workerData: { next, files } } = require('node:worker_threads')
const taken = new Int32Array(next)
for (let i = Atomics.add(taken, 0, 1); i < files.length; i = Atomics.add(taken, 0, 1)) copyFileSync(files[i][0], files[i][1])
`

/** What a batch is measured by. */
export async function copyTree(source: string, target: string): Promise<void> {
  mkdirSync(target)
  const files: [string, string][] = []
  for (const folder of readdirSync(source)) {
    mkdirSync(join(target, folder))
    for (const name of readdirSync(join(source, folder))) files.push([join(source, folder, name), join(target, folder, name)])
  }
  const workerData = { next: new SharedArrayBuffer(4), files }
  const copy = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      new Worker(COPY, { eval: true, workerData }).once('exit', resolve).once('error', reject)
    })
  await Promise.all(Array.from({ length: WORKERS }, copy))
}

/** @param count - Files of 4 KiB. */
export function makeTree(folder: string, count: number): void {
  const content = Buffer.alloc(4_096, 'content ')
  for (let i = 0; i < count; i++) {
    if (i % 200 === 0) mkdirSync(join(folder, `${i / 200}`), { recursive: true })
    writeFileSync(join(folder, `${Math.floor(i / 200)}`, `${i}`), content)
  }
}

/** @param count - Files of 4 KiB. */
export async function benchBatchSmall(rounds: number, count: number): Promise<void> {
  const folder = scratchFolder()
  const [source, encrypted, target] = [join(folder, 'source'), join(folder, 'encrypted'), join(folder, 'target')]
  makeTree(source, count)
  const plain: Contender = {
    name: `a copy on ${WORKERS} threads`,
    async run() {
      rmSync(target, { recursive: true, force: true })
      await copyTree(source, target)
    },
  }
  const sealing = batchOf('encryptBatch', encrypted, count, () =>
    encryptBatch(source, { ...options, target: encrypted, workers: WORKERS }),
  )
  const { oursMs } = await compare(`encrypt ${count} files of 4 KiB in a batch`, sealing, plain, 0.5, rounds)
  console.log(`    ${Math.round((count / oursMs) * 1_000)} files a second`)
  const opening = batchOf('decryptBatch', target, count, () => decryptBatch(encrypted, { ...options, target, workers: WORKERS }))
  await compare(`decrypt ${count} files of 4 KiB in a batch`, opening, plain, 0.5, rounds)
  rmSync(folder, { recursive: true })
}

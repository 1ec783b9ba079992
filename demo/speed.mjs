import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { EncryptedFile } from 'sealfile'
import { CALL_LENGTH } from './sources.mjs'

/** What is timed of each row, at most. */
const FILES_MAX = 1_000
const BYTES_MAX = 268_435_456
/** What is small is timed more often, or little more than chance would be. */
const ROUNDS_MIN = 5
const MILLISECONDS_MIN = 2_000

/**
 * @typedef {'plain' | 'encrypted'} Kind
 * @typedef {'write' | 'read'} Job
 * @typedef {Record<Job, Record<Kind, number>>} Speeds MB (1,000,000 bytes) per second.
 *
 * @typedef {object} Handle What both kinds of file have.
 * @property {(data: Uint8Array) => Promise<unknown>} write
 * @property {(buffer: Buffer) => Promise<{ bytesRead: number }>} read
 * @property {() => Promise<void>} close
 */

/**
 * Writes and reads as many files of the same sizes as a row of the table has, plain and encrypted in turns. From memory and into
 * memory, so that nothing else is timed; the first round is a warm-up, and of at least five others the median counts.
 *
 * @param {number[]} sizes
 * @param {string} folder - A folder for files that are removed afterwards.
 * @param {import('sealfile').KeyManager} keyManager
 * @returns {Promise<Speeds | undefined>} undefined if there is not a byte to write.
 */
export async function measure(sizes, folder, keyManager) {
  const timed = limit(sizes)
  const total = timed.reduce((sum, size) => sum + size, 0)
  if (total === 0) return undefined
  /** @type {Record<Kind, (path: string, flags: string) => Promise<Handle>>} */
  const openers = {
    plain: (path, flags) => open(path, flags),
    encrypted: (path, flags) => EncryptedFile.open(path, flags, { keyManager, purpose: 'files' }),
  }
  /** @type {Record<Job, Record<Kind, number[]>>} */
  const times = { write: { plain: [], encrypted: [] }, read: { plain: [], encrypted: [] } }
  const end = performance.now() + MILLISECONDS_MIN
  for (let round = 0; round <= ROUNDS_MIN || performance.now() < end; round++) {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
    /** @type {Kind[]} */
    const kinds = round % 2 === 0 ? ['plain', 'encrypted'] : ['encrypted', 'plain']
    for (const job of /** @type {const} */ (['write', 'read'])) {
      for (const kind of kinds) {
        const start = performance.now()
        for (const [index, size] of timed.entries()) {
          const path = join(folder, `${index}.${kind}`)
          if (job === 'write') await write(await openers[kind](path, 'w'), size)
          else await read(await openers[kind](path, 'r'), size)
        }
        if (round > 0) times[job][kind].push(performance.now() - start)
      }
    }
  }
  await rm(folder, { recursive: true })
  /** @param {Job} job */
  const speeds = (job) => ({
    plain: total / 1_000 / median(times[job].plain),
    encrypted: total / 1_000 / median(times[job].encrypted),
  })
  return { write: speeds('write'), read: speeds('read') }
}

/** @param {number[]} sizes */
function limit(sizes) {
  let left = BYTES_MAX
  return sizes.slice(0, FILES_MAX).flatMap((size) => {
    const taken = Math.min(size, left)
    left -= taken
    return size > 0 && taken === 0 ? [] : [taken]
  })
}

/** @param {number[]} numbers */
function median(numbers) {
  return /** @type {number} */ ([...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)])
}

const content = randomFillSync(Buffer.alloc(16 * CALL_LENGTH))

/** @param {Handle} file @param {number} size */
async function write(file, size) {
  for (let position = 0; position < size; position += CALL_LENGTH) {
    const start = position % content.length
    await file.write(content.subarray(start, start + Math.min(CALL_LENGTH, size - position)))
  }
  await file.close()
}

const target = Buffer.alloc(CALL_LENGTH)

/** @param {Handle} file @param {number} size */
async function read(file, size) {
  let total = 0
  for (;;) {
    const { bytesRead } = await file.read(target)
    if (bytesRead === 0) break
    total += bytesRead
  }
  await file.close()
  if (total !== size) throw new Error(`${total} bytes came back of ${size}`)
}

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EncryptedFile } from 'sealfile'
import { codeOf } from '../keys.mjs'

const NAME = /^app-(\d{6})\.log$/

/** @param {string} folder @param {number} number */
const pathOf = (folder, number) => join(folder, `app-${String(number).padStart(6, '0')}.log`)

/** @param {string} folder @returns {number[]} the numbers of the files that there are, the oldest first. */
function numbersIn(folder) {
  return (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => Number(NAME.exec(name)?.[1]))
    .filter((number) => number > 0)
    .sort((a, b) => a - b)
}

/**
 * A destination for pino: encrypted files `app-000001.log`, `app-000002.log` and so on. A line is in memory when `write` returns, in the
 * file within `commitInterval`, and also when the process ends by itself; a process that is killed loses no more than that interval.
 */
export class LogFiles {
  #folder
  #options
  #limits
  #number
  #size = 0
  #began = 0
  /** @type {import('sealfile').EncryptedFileSync} */
  #file

  /**
   * @param {string} folder
   * @param {import('sealfile').OpenOptions} options
   * @param {{ maxSize?: number, maxAge?: number, keep?: number }} [limits] - Bytes and milliseconds after which a file is followed by
   * the next, and how many files are kept.
   */
  constructor(folder, options, { maxSize = 16 * 2 ** 20, maxAge = 86_400_000, keep = 14 } = {}) {
    this.#folder = folder
    this.#options = options
    this.#limits = { maxSize, maxAge, keep }
    mkdirSync(folder, { recursive: true })
    // Where the last process was, to its last commit. If another one still writes there, this throws ERR_SEALFILE_LOCKED.
    this.#number = numbersIn(folder).at(-1) ?? 1
    this.#file = this.#open()
  }

  /** @param {string} line - What pino gives: one line with its end. */
  write(line) {
    try {
      if (this.#size >= this.#limits.maxSize || Date.now() - this.#began >= this.#limits.maxAge) this.#rotate()
      this.#size += this.#file.append(line)
    } catch (error) {
      // A log that cannot be written must not end the service. The file keeps what it could not write, and tries again with the next line.
      process.stderr.write(`log: ${String(error)}\n${line}`)
    }
  }

  close() {
    this.#file.close()
  }

  #rotate() {
    this.#file.close()
    this.#number += 1
    this.#file = this.#open()
    for (const number of numbersIn(this.#folder).slice(0, -this.#limits.keep)) rmSync(pathOf(this.#folder, number), { force: true })
  }

  #open() {
    const file = EncryptedFile.openSync(pathOf(this.#folder, this.#number), 'a', this.#options)
    const { size, birthtimeMs } = file.stat()
    this.#size = size
    this.#began = birthtimeMs || Date.now()
    return file
  }
}

/**
 * The lines of all files, the oldest first.
 *
 * @param {string} folder
 * @param {import('sealfile').OpenOptions} options
 * @param {AbortSignal} [signal] - If there is one, waits for new lines until it says so.
 * @returns {AsyncGenerator<string, void, undefined>}
 */
export async function* readLines(folder, options, signal) {
  /** @param {number} number */
  const isFollowed = (number) => numbersIn(folder).some((other) => other > number)
  for (let done = 0; ;) {
    const number = numbersIn(folder).find((other) => other > done)
    const file = number === undefined ? undefined : await openIfWritten(pathOf(folder, number), options)
    if (number !== undefined && (file !== undefined || isFollowed(number))) {
      if (file !== undefined) yield* linesOf(file, () => isFollowed(number), signal)
      done = number
    } else if (!(await wait(signal))) return
  }
}

/** @param {import('sealfile').EncryptedFile} file @param {() => boolean} isFollowed @param {AbortSignal | undefined} signal */
async function* linesOf(file, isFollowed, signal) {
  try {
    for (let isComplete = false; ;) {
      const line = await file.readLine({ complete: true })
      if (line !== undefined) yield line
      else if (isComplete) return
      // Lines may have come between that look and this one, and no more will.
      else if (isFollowed()) isComplete = true
      else if (!(await wait(signal))) return
    }
  } finally {
    await file.close()
  }
}

/** @param {string} path @param {import('sealfile').OpenOptions} options */
async function openIfWritten(path, options) {
  try {
    return await EncryptedFile.open(path, 'r', options)
  } catch (error) {
    // Removed meanwhile, or without its first commit.
    if (['ENOENT', 'ERR_SEALFILE_FORMAT'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** @param {AbortSignal | undefined} signal @returns whether to go on. */
async function wait(signal) {
  if (signal === undefined || signal.aborted) return false
  await sleep(100, undefined, { signal }).catch(() => undefined)
  return !signal.aborted
}

import { fstatSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Transform, Writable, type Readable, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { usageError, type CommandError } from './command-error.js'
import { write } from './report.js'
import { takeDescriptor } from './secrets.js'

/** Where content comes from and goes to: files, and `-` for the standard streams. */

const STANDARD = '-'
const PIECE_SIZE = 2 ** 20
const INSTEAD = 'Name an output file, send it to a pipe, or give --force.'

/** Permission bits of what is made of a pipe's content. */
export const PRIVATE = 0o600

export function isStandard(path: string): boolean {
  return path === STANDARD
}

/** Notes that standard input is content, and so gives no secret. @throws CommandError. */
export function takeStandardInput(): void {
  takeDescriptor(0, 'content')
}

/** Content to be read. */
export interface Input {
  readonly stream: Readable
  /** Bytes; undefined where nobody knows before the end. */
  readonly size: number | undefined
  /** Permission bits for what is made of it. */
  readonly mode: number
}

/** Opens a file, or standard input. @throws system errors as they are. */
export async function openInput(path: string): Promise<Input> {
  if (isStandard(path)) {
    takeStandardInput()
    const stats = fstatSync(0)
    // Node takes it for one that is empty.
    if (stats.isDirectory()) throw usageError('standard input is a folder')
    return { stream: process.stdin, size: stats.isFile() ? stats.size : undefined, mode: PRIVATE }
  }
  const file = await open(path)
  const stats = await file.stat()
  const size = stats.isFile() ? stats.size : undefined
  const mode = stats.isFile() ? stats.mode & 0o777 : PRIVATE
  return { stream: file.createReadStream({ highWaterMark: PIECE_SIZE }), size, mode }
}

/**
 * @returns the path under which an encrypted file can be read here and there: standard input has one where the shell has put a file there.
 */
export function seekablePath(path: string): string | undefined {
  if (!isStandard(path)) return path
  return process.platform !== 'win32' && fstatSync(0).isFile() ? '/dev/fd/0' : undefined
}

/** @returns whether content must be written from start to end: to standard output, a named pipe, a device. */
export async function isPipe(path: string): Promise<boolean> {
  if (isStandard(path)) return true
  return stat(path).then(
    (stats) => !stats.isFile() && !stats.isDirectory(),
    () => false,
  )
}

/** Standard output, which stays open, and tells what goes wrong to whoever writes. */
export function standardOutput(): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, callback) {
      write(process.stdout, chunk).then(() => callback(), callback)
    },
  })
}

/** @throws CommandError where ciphertext would go to a terminal. */
export function refuseTerminal(force: boolean): void {
  if (force || !process.stdout.isTTY) return
  throw usageError('encrypted content is nothing for a terminal', INSTEAD)
}

/** Lets text pass to a terminal, and what is no text nowhere. */
class TextOnly extends Transform {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
    if (this.#isText(() => this.#decoder.decode(chunk, { stream: true }))) callback(null, chunk)
    else callback(noText())
  }

  override _flush(callback: TransformCallback): void {
    callback(this.#isText(() => this.#decoder.decode()) ? null : noText())
  }

  #isText(decode: () => string): boolean {
    try {
      return !decode().includes('\0')
    } catch {
      return false
    }
  }
}

function noText(): CommandError {
  return usageError('the content is no text, and nothing for a terminal', INSTEAD)
}

/** Writes content to standard output; on a terminal, text alone. */
export async function writeOut(content: AsyncIterable<Uint8Array>, force: boolean, signal: AbortSignal): Promise<void> {
  if (process.stdout.isTTY && !force) await pipeline(content, new TextOnly(), standardOutput(), { signal })
  else await pipeline(content, standardOutput(), { signal })
}

import { closeSync, constants, openSync, unlinkSync, write } from 'node:fs'
import { promisify } from 'node:util'
import type { ResolvedOptions } from '../../file/options.js'
import { StreamSealer } from '../../file/streams/stream-sealer.js'
import { temporaryPlace, temporaryToken, type Place } from '../../file/successor-file.js'
import { readStretch } from './file-pieces.js'

const writeAsync = promisify(write)

/** Bytes of lines that are gathered before they are encrypted. */
const GATHERED_SIZE = 2 ** 16

/** The manifest while its package is being made: encrypted in a file beside the package, because it ends last and may be long. */
export class ManifestSpool {
  readonly #fd: number
  readonly #path: Place
  readonly #sealer: StreamSealer
  #lines: string[] = []
  #linesLength = 0
  #size = 0

  /** @param target - Where the package will be. @throws system errors. */
  constructor(target: Place, options: ResolvedOptions) {
    this.#sealer = new StreamSealer(options)
    this.#path = temporaryPlace(target, temporaryToken())
    try {
      this.#fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    } catch (error) {
      this.#sealer.dispose()
      throw error
    }
  }

  async add(line: string): Promise<void> {
    this.#lines.push(line, '\n')
    this.#linesLength += line.length + 1
    if (this.#linesLength >= GATHERED_SIZE) await this.#write(this.#sealer.push(this.#takeLines()))
  }

  /** To be called once, when all lines are there. @returns the encrypted manifest, in pieces. */
  async *content(): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#write(this.#sealer.push(this.#takeLines()))
    await this.#write(this.#sealer.end())
    yield* readStretch(this.#fd, 0, this.#size)
  }

  /** Removes the file. */
  remove(): void {
    this.#sealer.dispose()
    closeSync(this.#fd)
    unlinkSync(this.#path)
  }

  #takeLines(): Buffer {
    const lines = Buffer.from(this.#lines.join(''))
    this.#lines = []
    this.#linesLength = 0
    return lines
  }

  async #write(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) {
      for (let done = 0; done < piece.length;) {
        done += (await writeAsync(this.#fd, piece, done, piece.length - done, this.#size + done)).bytesWritten
      }
      this.#size += piece.length
    }
  }
}

import type fs from 'node:fs'
import { SeededRandom } from '../support/seeded-random.js'

/**
 * Random calls on the number of one file, with callbacks and without waiting, in any order and without regard to each other. Each call is
 * expected to find what those made before it have left, whether they have called back or not.
 */

type Fs = typeof fs

/** What a file under a number is, in memory. */
class MemoryFile {
  content = Buffer.alloc(0)
  position = 0

  /** @returns where a call begins. */
  at(position: number | null): number {
    return position ?? this.position
  }

  read(length: number, position: number | null): Buffer {
    const start = this.at(position)
    const found = Buffer.from(this.content.subarray(start, start + length))
    if (position === null) this.position += found.length
    return found
  }

  write(bytes: Uint8Array, position: number | null): void {
    const start = this.at(position)
    if (bytes.length > 0) {
      if (start + bytes.length > this.content.length) this.truncate(start + bytes.length)
      this.content.set(bytes, start)
    }
    if (position === null) this.position = start + bytes.length
  }

  truncate(length: number): void {
    const content = Buffer.alloc(length)
    content.set(this.content.subarray(0, length))
    this.content = content
  }
}

/** How calls are made. */
export interface InterleavingOptions {
  readonly calls: number
  /** The most that is written at once. */
  readonly largest: number
  /** What is done after a call, for a process that ends in the middle. */
  readonly afterCall?: (index: number, expected: Buffer) => void
  /** The file is closed in the end, and looked at. */
  readonly closes?: boolean
}

export class Interleaving {
  readonly #fs: Fs
  readonly #path: string
  readonly #random: SeededRandom
  readonly #options: InterleavingOptions
  readonly #file = new MemoryFile()
  readonly #pending = new Set<Promise<void>>()
  #fd = -1
  /** Another number of the same file, for reading alone. */
  #reader = -1
  readonly #failures: string[] = []

  constructor(io: Fs, path: string, seed: number, options: InterleavingOptions) {
    this.#fs = io
    this.#path = path
    this.#random = new SeededRandom(seed)
    this.#options = options
  }

  /** @returns what went wrong. */
  async run(): Promise<readonly string[]> {
    this.#fd = this.#fs.openSync(this.#path, 'w+')
    this.#fs.fsyncSync(this.#fd)
    this.#reader = this.#fs.openSync(this.#path, 'r')
    for (let index = 0; index < this.#options.calls; index++) {
      this.#makeCall()
      this.#options.afterCall?.(index, this.#file.content)
      await this.#pause()
    }
    if (this.#options.closes === false) return this.#failures
    if (this.#random.chance(0.5)) await Promise.all(this.#pending)
    if (this.#random.chance(0.5)) this.#fs.closeSync(this.#fd)
    else await this.#close()
    await Promise.all(this.#pending)
    this.#checkContent('in the end', this.#fs.readFileSync(this.#path))
    const read = Buffer.alloc(this.#readerSize() + 1)
    this.#checkContent('in the end, to a reader', read.subarray(0, this.#fs.readSync(this.#reader, read, 0, read.length, 0)))
    this.#fs.closeSync(this.#reader)
    return this.#failures
  }

  async #close(): Promise<void> {
    const error = await new Promise((resolve) => this.#fs.close(this.#fd, resolve))
    this.#check('close', error, null)
  }

  #makeCall(): void {
    const random = this.#random
    const isSync = random.chance(0.4)
    const calls: readonly (() => void)[] = [
      () => this.#write(isSync),
      () => this.#write(isSync),
      () => this.#write(isSync),
      () => this.#writeVector(isSync),
      () => this.#writeFile(isSync),
      () => this.#read(isSync),
      () => this.#read(isSync),
      () => this.#readVector(isSync),
      () => this.#call(isSync, 'readFile', [], (content) => content, this.#file.read(Infinity, null)),
      () => this.#truncate(isSync),
      () => this.#call(isSync, 'fstat', [], (stats) => (stats as fs.Stats).size, this.#file.content.length),
      () => this.#call(isSync, random.pick(['fsync', 'fdatasync']), [], () => null, null),
      () => this.#call(isSync, 'futimes', [1, 2], () => null, null),
      () => this.#peek(isSync),
    ]
    random.pick(calls)()
  }

  #write(isSync: boolean): void {
    const [bytes, position] = [this.#bytes(), this.#place()]
    this.#file.write(bytes, position)
    this.#call(isSync, 'write', [bytes, 0, bytes.length, position], (written) => written, bytes.length)
  }

  #writeFile(isSync: boolean): void {
    const bytes = this.#bytes()
    this.#file.write(bytes, null)
    this.#call(isSync, 'writeFile', [bytes], () => null, null)
  }

  #writeVector(isSync: boolean): void {
    const position = this.#place()
    const pieces = [this.#bytes(), this.#bytes()]
    this.#file.write(Buffer.concat(pieces), position)
    this.#call(isSync, 'writev', [pieces, position], (written) => written, pieces[0]!.length + pieces[1]!.length)
  }

  #read(isSync: boolean): void {
    const [length, position] = [this.#length(), this.#place()]
    const expected = this.#file.read(length, position)
    const buffer = Buffer.alloc(length)
    this.#call(isSync, 'read', [buffer, 0, length, position], (read) => buffer.subarray(0, read as number), expected)
  }

  #readVector(isSync: boolean): void {
    const position = this.#place()
    const buffers = [Buffer.alloc(this.#length()), Buffer.alloc(this.#length())]
    const expected = this.#file.read(buffers[0]!.length + buffers[1]!.length, position)
    const got = (read: unknown): Buffer => Buffer.concat(buffers).subarray(0, read as number)
    this.#call(isSync, 'readv', [buffers, position], got, expected)
  }

  #truncate(isSync: boolean): void {
    const { length } = this.#file.content
    const wanted = this.#random.chance(0.8) ? this.#random.int(0, length) : length + this.#random.int(0, 20_000)
    this.#file.truncate(wanted)
    this.#call(isSync, 'ftruncate', [wanted], () => null, null)
  }

  /** Reads by the other number: some committed state. After a sync it is what was written. */
  #peek(isSync: boolean): void {
    const buffer = Buffer.alloc(this.#length())
    const position = this.#random.int(0, this.#file.content.length)
    if (isSync && this.#random.chance(0.5)) {
      this.#fs.fsyncSync(this.#fd)
      this.#checkContent('after a sync', this.#fs.readFileSync(this.#path))
      this.#check('the reader', this.#readerSize(), this.#file.content.length)
      const read = this.#fs.readSync(this.#reader, buffer, 0, buffer.length, position)
      const expected = this.#file.content.subarray(position, position + buffer.length)
      if (!buffer.subarray(0, read).equals(expected)) this.#failures.push(`a reader finds something else at ${position}`)
    } else if (isSync) this.#fs.readSync(this.#reader, buffer, 0, buffer.length, position)
    else {
      this.#note(
        (done) => this.#fs.read(this.#reader, buffer, 0, buffer.length, position, (error) => done(error)),
        'read by the reader',
        null,
      )
    }
  }

  /** Looks at the newest state, from which the reader reads on. */
  #readerSize(): number {
    return this.#fs.fstatSync(this.#reader).size
  }

  #call(isSync: boolean, name: string, args: unknown[], result: (value: unknown) => unknown, expected: unknown): void {
    const calls = this.#fs as unknown as Record<string, (...args: unknown[]) => unknown>
    if (isSync) {
      try {
        this.#check(`${name}Sync`, result(calls[`${name}Sync`]!(this.#fd, ...args)), expected)
      } catch (error) {
        this.#failures.push(`${name}Sync: ${String(error)}`)
      }
      return
    }
    this.#note(
      (done) => calls[name]!(this.#fd, ...args, (error: unknown, value: unknown) => done(error, () => result(value))),
      name,
      expected,
    )
  }

  #note(begin: (done: (error: unknown, result?: () => unknown) => void) => void, name: string, expected: unknown): void {
    const pending = new Promise<void>((resolve) => {
      begin((error, result = () => null) => {
        if (error === null) this.#check(name, result(), expected)
        else this.#failures.push(`${name}: ${(error as Error).message}`)
        resolve()
      })
    }).finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  #check(name: string, value: unknown, expected: unknown): void {
    const isSame = Buffer.isBuffer(expected) ? expected.equals(value as Buffer) : value === expected
    if (!isSame) this.#failures.push(`${name} gives ${describe(value)} instead of ${describe(expected)}`)
  }

  #checkContent(when: string, content: Buffer): void {
    if (!content.equals(this.#file.content))
      this.#failures.push(`${when} the file holds ${describe(content)} instead of ${describe(this.#file.content)}`)
  }

  #place(): number | null {
    const { length } = this.#file.content
    if (this.#random.chance(0.4)) return null
    if (this.#random.chance(0.3)) return length
    return this.#random.int(0, length)
  }

  #length(): number {
    return this.#random.chance(0.2) ? this.#random.int(0, 40_000) : this.#random.int(0, 6_000)
  }

  #bytes(): Buffer {
    const isLarge = this.#random.chance(0.03)
    return Buffer.alloc(isLarge ? this.#random.int(1, this.#options.largest) : this.#length(), this.#random.bytes(13))
  }

  async #pause(): Promise<void> {
    const random = this.#random
    if (random.chance(0.5)) return
    if (random.chance(0.3)) await Promise.resolve()
    else if (random.chance(0.7)) await new Promise(setImmediate)
    else await new Promise((resolve) => setTimeout(resolve, random.int(0, 3)))
  }
}

function describe(value: unknown): string {
  return Buffer.isBuffer(value) ? `${value.length} bytes (${value.subarray(0, 8).toString('hex')}…)` : String(value)
}

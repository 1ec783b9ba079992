import { constants } from 'node:fs'
import {
  lengthOf,
  readInto,
  sum,
  type Operation,
  type Outcome,
  type ReadOperation,
  type WriteOperation,
} from './model-operations.js'

const { O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants
const NEW = O_CREAT | O_TRUNC
const END = O_CREAT | O_APPEND

/** The flags that are used here; an `s` changes when a write returns, and nothing else. */
const BITS: Readonly<Record<string, number>> = {
  r: 0,
  'r+': O_RDWR,
  'rs+': O_RDWR,
  w: O_WRONLY | NEW,
  'w+': O_RDWR | NEW,
  wx: O_WRONLY | NEW | O_EXCL,
  'wx+': O_RDWR | NEW | O_EXCL,
  a: O_WRONLY | END,
  'a+': O_RDWR | END,
  as: O_WRONLY | END,
  'ax+': O_RDWR | END | O_EXCL,
}

/** How a file is opened. */
export type Flags = string | number

/** What a handle may do. */
export interface ModelAccess {
  readonly reads: boolean
  readonly writes: boolean
  readonly appends: boolean
  readonly creates: boolean
  readonly isExclusive: boolean
  readonly truncates: boolean
  /** Each write is committed. */
  readonly isSync: boolean
}

export function accessOf(flags: Flags): ModelAccess {
  const bits = typeof flags === 'number' ? flags : BITS[flags]!
  return {
    reads: (bits & O_WRONLY) === 0,
    writes: (bits & (O_WRONLY | O_RDWR)) !== 0,
    appends: (bits & O_APPEND) !== 0,
    creates: (bits & O_CREAT) !== 0,
    isExclusive: (bits & O_EXCL) !== 0,
    truncates: (bits & O_TRUNC) !== 0,
    isSync: typeof flags === 'string' && flags.includes('s'),
  }
}

/** A file and an open handle on it as they should be: bytes and one position. */
export class ModelFile {
  #buffer: Buffer
  #length: number
  #position = 0
  #access: ModelAccess

  /** @param content - What the file holds; it is not changed. */
  constructor(flags: Flags, content: Buffer = Buffer.alloc(0)) {
    this.#buffer = content
    this.#length = content.length
    this.#access = accessOf(flags)
  }

  get access(): ModelAccess {
    return this.#access
  }

  get length(): number {
    return this.#length
  }

  get position(): number {
    return this.#position
  }

  /** What the file holds; lent until the next operation. */
  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Another handle takes the place of this one. */
  reopen(flags: Flags): void {
    this.#access = accessOf(flags)
    this.#position = 0
    if (this.#access.truncates) this.#length = 0
  }

  /** Does what a handle should do. */
  apply(operation: Operation): Outcome {
    const { kind } = operation
    if (kind === 'read') return this.#read(operation)
    if (kind === 'write') return this.#write(operation)
    if (kind === 'readFile') return this.#readFile(operation.encoding)
    if (kind === 'readLine') return this.#readLine(operation.complete)
    if (kind === 'truncate') return this.#truncate(operation.length)
    if (kind === 'tell') return { value: this.#position }
    if (kind === 'stat') return { value: this.#length }
    if (kind !== 'seek') return { value: undefined }
    const target = { start: 0, current: this.#position, end: this.#length }[operation.whence] + operation.offset
    if (target < 0) return { code: 'ERR_OUT_OF_RANGE' }
    this.#position = target
    return { value: target }
  }

  #read(operation: ReadOperation): Outcome {
    const { lengths, isVector, position } = operation
    if (!this.#access.reads && (isVector || lengths[0]! > 0)) return { code: 'EBADF' }
    const start = position ?? this.#position
    const read = this.content.subarray(start, start + sum(lengths))
    if (position === null) this.#position += read.length
    return { value: read.length, bytes: readInto(operation, read) }
  }

  #readFile(encoding: BufferEncoding | null): Outcome {
    if (!this.#access.reads) return { code: 'EBADF' }
    const bytes = Buffer.from(this.content.subarray(this.#position))
    this.#position += bytes.length
    return encoding === null ? { bytes } : { value: bytes.toString(encoding) }
  }

  #readLine(complete: boolean): Outcome {
    if (!this.#access.reads) return { code: 'EBADF' }
    const line = firstLine(this.content.subarray(this.#position), complete)
    if (line === undefined) return { value: undefined }
    this.#position += line.size
    return { value: line.text }
  }

  #write(operation: WriteOperation): Outcome {
    const { form, pieces, position } = operation
    if (!this.#access.writes) return { code: 'EBADF' }
    const length = lengthOf(operation)
    if (length > 0) {
      const start = this.#access.appends || form === 'append' ? this.#length : (position ?? this.#position)
      this.#grow(Math.max(this.#length, start + length))
      let end = start
      for (const piece of pieces) end += piece.copy(this.#buffer, end)
      if (position === null) this.#position = end
    }
    return { value: form === 'file' ? undefined : length }
  }

  #truncate(length: number): Outcome {
    if (!this.#access.writes) return { code: 'EINVAL' }
    if (length > this.#length) this.#grow(length)
    else this.#length = length
    return { value: undefined }
  }

  /** Adds zeros. */
  #grow(length: number): void {
    if (length > this.#buffer.length) {
      const larger = Buffer.alloc(2 * length)
      this.content.copy(larger)
      this.#buffer = larger
    } else this.#buffer.fill(0, this.#length, length)
    this.#length = length
  }
}

/** @returns the first line and how many bytes it takes with its end; undefined where there is none. */
export function firstLine(content: Buffer, complete: boolean): { readonly text: string; readonly size: number } | undefined {
  const lineFeed = content.indexOf('\n')
  if (content.length === 0 || (complete && lineFeed < 0)) return undefined
  if (lineFeed < 0) return { text: content.toString(), size: content.length }
  const end = content[lineFeed - 1] === 0x0d ? lineFeed - 1 : lineFeed
  return { text: content.toString('utf8', 0, end), size: lineFeed + 1 }
}

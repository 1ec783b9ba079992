import fs from 'node:fs'
import { open } from 'node:fs/promises'
import type { Whence } from '../../src/file/session.js'
import { accessOf, firstLine, type Flags, type ModelAccess } from './model-file.js'
import { countOf, type ModelHandle, type Operation, type Position } from './model-operations.js'

/** What Node itself has. */
type NodeHandle = Omit<ModelHandle, 'readLine' | 'append' | 'seek' | 'tell' | 'commit'>

/** The functions of node:fs that do not wait, as a handle. */
function handleOf(fd: number): NodeHandle {
  return {
    read: (buffer, offset, length, position) => fs.readSync(fd, buffer, offset, length, position),
    readv: (buffers, position) => fs.readvSync(fd, buffers, position ?? undefined),
    readFile: (encoding) => fs.readFileSync(fd, encoding),
    write: (data: Buffer | string, second: Position, third: number | BufferEncoding, position?: Position) =>
      typeof data === 'string'
        ? fs.writeSync(fd, data, second, third as BufferEncoding)
        : fs.writeSync(fd, data, second, third as number, position),
    writev: (buffers, position) => fs.writevSync(fd, buffers, position ?? undefined),
    writeFile: (data) => fs.writeFileSync(fd, data),
    truncate: (length) => fs.ftruncateSync(fd, length),
    stat: () => fs.fstatSync(fd),
    sync: () => fs.fsyncSync(fd),
    datasync: () => fs.fdatasyncSync(fd),
    close: () => fs.closeSync(fd),
  }
}

/**
 * A plain file on which node:fs does what is done to an encrypted one. Node cannot seek: a handle either keeps to the position that
 * the system keeps, or gives each call the one that it tracks itself.
 */
export class PlainFile implements ModelHandle {
  readonly #handle: NodeHandle
  readonly #access: ModelAccess
  /** Undefined where the system keeps it. */
  #position: number | undefined

  private constructor(handle: NodeHandle, access: ModelAccess, isTracking: boolean) {
    this.#handle = handle
    this.#access = access
    this.#position = isTracking ? 0 : undefined
  }

  /** @param isTracking - The position is not left to the system, so that all calls can be made. */
  static async open(path: string, flags: Flags, isAsync: boolean, isTracking: boolean): Promise<PlainFile> {
    const handle = isAsync ? ((await open(path, flags)) as NodeHandle) : handleOf(fs.openSync(path, flags))
    return new PlainFile(handle, accessOf(flags), isTracking)
  }

  /** Whether Node has something to say about an operation. */
  answers(operation: Operation): boolean {
    const { kind } = operation
    if (kind === 'seek' || kind === 'tell' || kind === 'readLine') return this.#position !== undefined
    return kind !== 'write' || operation.form !== 'append' || this.#access.appends || this.#position !== undefined
  }

  async read(buffer: Buffer, offset: number, length: number, position: Position): Promise<unknown> {
    return this.#reading(position, (at) => this.#handle.read(buffer, offset, length, at))
  }

  async readv(buffers: readonly Buffer[], position: Position): Promise<unknown> {
    return this.#reading(position, (at) => this.#handle.readv(buffers, at))
  }

  async readFile(encoding: BufferEncoding | null): Promise<unknown> {
    if (this.#position === undefined) return this.#handle.readFile(encoding)
    const rest = await this.#readRest()
    this.#position += rest.length
    return encoding === null ? rest : rest.toString(encoding)
  }

  async readLine({ complete }: { readonly complete: boolean }): Promise<string | undefined> {
    const line = firstLine(await this.#readRest(), complete)
    this.#position! += line?.size ?? 0
    return line?.text
  }

  async write(data: Buffer | string, second: Position, third: number | BufferEncoding, position?: Position): Promise<unknown> {
    if (typeof data !== 'string') {
      return this.#writing(position!, (at) => this.#handle.write(data, second!, third as number, at))
    }
    return this.#writing(second, (at) => this.#handle.write(data, at, third as BufferEncoding))
  }

  async writev(buffers: readonly Buffer[], position: Position): Promise<unknown> {
    return this.#writing(position, (at) => this.#handle.writev(buffers, at))
  }

  async writeFile(data: Buffer): Promise<unknown> {
    if (this.#position === undefined) return this.#handle.writeFile(data)
    await this.write(data, 0, data.length, null)
    return undefined
  }

  async append(data: Buffer): Promise<unknown> {
    if (this.#position === undefined) return this.#handle.write(data, 0, data.length, null)
    if (data.length > 0 && this.#access.writes) this.#position = await this.#size()
    return this.write(data, 0, data.length, null)
  }

  truncate(length: number): unknown {
    return this.#handle.truncate(length)
  }

  async seek(offset: number, whence: Whence): Promise<number> {
    const target = { start: 0, current: this.#position!, end: await this.#size() }[whence] + offset
    if (target < 0) throw Object.assign(new RangeError('a negative position'), { code: 'ERR_OUT_OF_RANGE' })
    this.#position = target
    return target
  }

  tell(): number | undefined {
    return this.#position
  }

  stat(): unknown {
    return this.#handle.stat()
  }

  sync(): unknown {
    return this.#handle.sync()
  }

  datasync(): unknown {
    return this.#handle.datasync()
  }

  commit(): void {
    // What was written is there.
  }

  close(): unknown {
    return this.#handle.close()
  }

  async #reading(position: Position, read: (position: Position) => unknown): Promise<number> {
    const count = countOf(await read(position ?? this.#position ?? null))!
    if (position === null && this.#position !== undefined) this.#position += count
    return count
  }

  async #writing(position: Position, write: (position: Position) => unknown): Promise<number> {
    const count = countOf(await write(position ?? this.#position ?? null))!
    if (position === null && this.#position !== undefined && count > 0) {
      this.#position = this.#access.appends ? await this.#size() : this.#position + count
    }
    return count
  }

  async #size(): Promise<number> {
    return ((await this.#handle.stat()) as fs.Stats).size
  }

  async #readRest(): Promise<Buffer> {
    // Of the end, too, so that a handle that does not read says so.
    const rest = Buffer.alloc(Math.max(0, (await this.#size()) - this.#position!) + 1)
    return rest.subarray(0, countOf(await this.#handle.read(rest, 0, rest.length, this.#position!)))
  }
}

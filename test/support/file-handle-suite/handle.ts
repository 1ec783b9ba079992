import { Buffer } from 'node:buffer'
import fs, { type BigIntStats, type ReadStream, type Stats, type WriteStream } from 'node:fs'
import type { Interface } from 'node:readline'
import type { ReadableStream } from 'node:stream/web'

/** What a path may be. */
export type Path = string | Buffer | URL
/** What flags may be: nothing for `r`. */
export type Flags = string | number | null | undefined

/** How an implementation opens a file; `mode` is for new files. */
export type OpenFile = (path: Path, flags?: Flags, mode?: string | number) => Promise<Handle>

/**
 * Node's FileHandle as its documentation describes it, from Node 20 to 26: each version's types know less. Arguments are loose, because
 * what is refused is tested, too.
 */
export interface Handle {
  readonly fd: number
  read(...args: readonly unknown[]): Promise<{ readonly bytesRead: number; readonly buffer: Buffer }>
  readv(...args: readonly unknown[]): Promise<{ readonly bytesRead: number; readonly buffers: readonly ArrayBufferView[] }>
  readFile(options?: null): Promise<Buffer>
  readFile(encoding: 'utf8'): Promise<string>
  readFile(options: { readonly encoding?: never; readonly signal?: unknown; readonly buffer?: unknown }): Promise<Buffer>
  readFile(options: unknown): Promise<Buffer | string>
  readLines(options?: unknown): Interface
  readableWebStream(options?: unknown): ReadableStream<Uint8Array>
  createReadStream(options?: unknown): ReadStream
  createWriteStream(options?: unknown): WriteStream
  write(...args: readonly unknown[]): Promise<{ readonly bytesWritten: number; readonly buffer: unknown }>
  writev(...args: readonly unknown[]): Promise<{ readonly bytesWritten: number; readonly buffers: readonly ArrayBufferView[] }>
  writeFile(data: unknown, options?: unknown): Promise<void>
  appendFile(data: unknown, options?: unknown): Promise<void>
  truncate(...args: readonly unknown[]): Promise<void>
  stat(options?: { readonly bigint?: false | undefined; readonly signal?: unknown }): Promise<Stats>
  stat(options: { readonly bigint: true; readonly signal?: unknown }): Promise<BigIntStats>
  chmod(mode: unknown): Promise<void>
  chown(uid: unknown, gid: unknown): Promise<void>
  utimes(atime: unknown, mtime: unknown): Promise<void>
  sync(): Promise<void>
  datasync(): Promise<void>
  close(): Promise<void>
  on(event: 'close', listener: (...args: readonly unknown[]) => void): unknown
  off(event: 'close', listener: (...args: readonly unknown[]) => void): unknown
  once(event: 'close', listener: (...args: readonly unknown[]) => void): unknown
  [Symbol.asyncDispose](): Promise<void>
}

/** A handle's methods that return their results at once, as those of fs.*Sync do. */
export interface SyncHandle {
  read(buffer: NodeJS.ArrayBufferView, ...rest: readonly unknown[]): number
  readv(buffers: readonly NodeJS.ArrayBufferView[], ...rest: readonly unknown[]): number
  readFile(options?: unknown): Buffer | string
  write(data: unknown, ...rest: readonly unknown[]): number
  writev(buffers: readonly NodeJS.ArrayBufferView[], ...rest: readonly unknown[]): number
  writeFile(data: unknown, options?: unknown): void
  appendFile(data: unknown, options?: unknown): void
  truncate(length?: unknown): void
  stat(options?: unknown): Stats | BigIntStats
  chmod(mode: unknown): void
  chown(uid: unknown, gid: unknown): void
  utimes(atime: unknown, mtime: unknown): void
  sync(): void
  datasync(): void
  close(): void
}

/** Lets a handle that does not wait pass for one that does. What it does not have is not there: streams and events. */
function awaitable(handle: SyncHandle): Handle {
  const calls: Record<string, (...args: unknown[]) => unknown> = {
    read: (buffer, ...rest) => ({ bytesRead: handle.read(buffer as Buffer, ...rest), buffer }),
    readv: (buffers, ...rest) => ({ bytesRead: handle.readv(buffers as Buffer[], ...rest), buffers }),
    readFile: (options) => handle.readFile(options),
    write: (buffer, ...rest) => ({ bytesWritten: handle.write(buffer, ...rest), buffer }),
    writev: (buffers, ...rest) => ({ bytesWritten: handle.writev(buffers as Buffer[], ...rest), buffers }),
    writeFile: (data, options) => handle.writeFile(data, options),
    appendFile: (data, options) => handle.appendFile(data, options),
    truncate: (...args) => handle.truncate(...args),
    stat: (...args) => handle.stat(...args),
    chmod: (mode) => handle.chmod(mode),
    chown: (uid, gid) => handle.chown(uid, gid),
    utimes: (atime, mtime) => handle.utimes(atime, mtime),
    sync: () => handle.sync(),
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  }
  const awaitableCalls: Record<string, unknown> = {}
  for (const [name, call] of Object.entries(calls)) {
    awaitableCalls[name] = (...args: unknown[]) => new Promise<unknown>((resolve) => resolve(call(...args)))
  }
  return awaitableCalls as unknown as Handle
}

/** @returns a way of opening files whose handles answer by promises, made of one that answers at once. */
export function awaitableOpen(openSync: (path: Path, flags?: Flags, mode?: string | number) => SyncHandle): OpenFile {
  // eslint-disable-next-line @typescript-eslint/require-await -- what opening throws becomes a rejection, as the suite asks
  return async (path, flags, mode) => awaitable(openSync(path, flags, mode))
}

/** Node's fs.*Sync as a handle. */
export function openNodeSync(path: Path, flags?: Flags, mode?: string | number): SyncHandle {
  const fd = fs.openSync(path, flags as string, mode)
  return {
    read: (buffer, ...rest) => fs.readSync(fd, buffer, ...(rest as [number, number, number])),
    readv: (buffers, ...rest) => fs.readvSync(fd, buffers, ...(rest as [number])),
    readFile: (options) => fs.readFileSync(fd, options as null),
    write: (data, ...rest) => fs.writeSync(fd, data as string, ...(rest as [number])),
    writev: (buffers, ...rest) => fs.writevSync(fd, buffers, ...(rest as [number])),
    writeFile: (data, options) => fs.writeFileSync(fd, data as string, options as null),
    appendFile: (data, options) => fs.appendFileSync(fd, data as string, options as null),
    truncate: (length) => fs.ftruncateSync(fd, length as number),
    stat: (...args) => fs.fstatSync(fd, ...(args as [{ bigint: true }])),
    chmod: (mode) => fs.fchmodSync(fd, mode as number),
    chown: (uid, gid) => fs.fchownSync(fd, uid as number, gid as number),
    utimes: (atime, mtime) => fs.futimesSync(fd, atime as number, mtime as number),
    sync: () => fs.fsyncSync(fd),
    datasync: () => fs.fdatasyncSync(fd),
    close: () => fs.closeSync(fd),
  }
}

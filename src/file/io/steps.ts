import type { BigIntStats, Stats } from 'node:fs'

/**
 * The seam between what is done and how it is run. File code is written once, as generator functions that yield the I/O
 * they want ({@link Steps}); a runner performs it, with or without waiting (runners.ts). What performs it
 * is a {@link Disk}: node:fs, or in tests one that fails, tears and forgets.
 */

/** The calls that file code makes, in the shape of node:fs. */
export interface DiskCalls {
  open(path: PathLike, flags: number, mode: number): number
  close(fd: number): void
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  writev(fd: number, buffers: readonly Uint8Array[], position: number): number
  fdatasync(fd: number): void
  fsync(fd: number): void
  ftruncate(fd: number, size: number): void
  fstat(fd: number): Stats
  fstatBig(fd: number): BigIntStats
  fchmod(fd: number, mode: number | string): void
  fchown(fd: number, uid: number, gid: number): void
  futimes(fd: number, atime: FileTime, mtime: FileTime): void
  symlink(target: string, path: string): void
  readlink(path: PathLike): string
  link(existing: PathLike, path: PathLike): void
  unlink(path: PathLike): void
  rename(from: PathLike, to: PathLike): void
  stat(path: PathLike): Stats
  realpath(path: PathLike): string
  /** No I/O: lets `milliseconds` pass. */
  sleep(milliseconds: number): void
}

/** A time as node:fs takes it: a date, or seconds since the epoch. */
export type FileTime = string | number | Date

/** What a path may be, as for node:fs. */
export type PathLike = string | Buffer | URL

/** One disk, both ways. */
export interface Disk {
  readonly sync: DiskCalls
  readonly async: { readonly [K in keyof DiskCalls]: (...args: Parameters<DiskCalls[K]>) => Promise<ReturnType<DiskCalls[K]>> }
}

/** One call, to be performed now. */
export type Call = { [K in keyof DiskCalls]: { readonly call: K; readonly args: Parameters<DiskCalls[K]> } }[keyof DiskCalls]

/** A call that was begun and goes on in the background until it is awaited. */
export interface Background {
  readonly call: Call
  outcome: { readonly value: unknown } | { readonly error: unknown } | undefined
  /** It was made again while the first one still went on, whose memory is in use until the process ends. */
  isRepeated: boolean
  /** Called once when there is an outcome. */
  whenDone: (() => void) | undefined
}

/**
 * What steps ask of their runner: a call, one that is done at once by every runner, one in the background, the outcome of that, or
 * the outcome of a promise that somebody else has made. The last one is asked for only by a runner that waits.
 */
export type Request =
  | Call
  | { readonly now: Call }
  | { readonly begin: Call }
  | { readonly await: Background }
  | { readonly wait: PromiseLike<unknown> }
  | { readonly waitIfAsync: () => PromiseLike<unknown> | undefined }

/** Code that asks for I/O instead of doing it. */
export type Steps<T> = Generator<Request, T, unknown>

function* request<K extends keyof DiskCalls>(call: K, ...args: Parameters<DiskCalls[K]>): Steps<ReturnType<DiskCalls[K]>> {
  return (yield { call, args } as Call) as ReturnType<DiskCalls[K]>
}

/** The single calls, as steps. */
export const io = {
  open: (path: PathLike, flags: number, mode: number) => request('open', path, flags, mode),
  close: (fd: number) => request('close', fd),
  read: (fd: number, buffer: Uint8Array, position: number) => request('read', fd, buffer, 0, buffer.length, position),
  fdatasync: (fd: number) => request('fdatasync', fd),
  fsync: (fd: number) => request('fsync', fd),
  ftruncate: (fd: number, size: number) => request('ftruncate', fd, size),
  fstat: (fd: number) => request('fstat', fd),
  fstatBig: (fd: number) => request('fstatBig', fd),
  fchmod: (fd: number, mode: number | string) => request('fchmod', fd, mode),
  fchown: (fd: number, uid: number, gid: number) => request('fchown', fd, uid, gid),
  futimes: (fd: number, atime: FileTime, mtime: FileTime) => request('futimes', fd, atime, mtime),
  readlink: (path: PathLike) => request('readlink', path),
  link: (existing: PathLike, path: PathLike) => request('link', existing, path),
  unlink: (path: PathLike) => request('unlink', path),
  rename: (from: PathLike, to: PathLike) => request('rename', from, to),
  stat: (path: PathLike) => request('stat', path),
  realpath: (path: PathLike) => request('realpath', path),
  sleep: (milliseconds: number) => request('sleep', milliseconds),
}

/**
 * Writes a few bytes at once, in every runner. For what must not be on its way when the process exits: a write that was begun ends
 * after all that is done then, and would come to lie over it.
 */
export function* writeNow(fd: number, bytes: Uint8Array, position: number): Steps<void> {
  for (let done = 0; done < bytes.length;) {
    done += (yield { now: { call: 'writev', args: [fd, [bytes.subarray(done)], position + done] } }) as number
  }
}

/** Reads a few bytes at once, in every runner: what was just written, or read before. @returns bytes read. */
export function* readNow(fd: number, buffer: Uint8Array, position: number): Steps<number> {
  return (yield { now: { call: 'read', args: [fd, buffer, 0, buffer.length, position] } }) as number
}

/** What the system knows of an open file anyway, at once, in every runner. */
export function* fstatNow(fd: number): Steps<Stats> {
  return (yield { now: { call: 'fstat', args: [fd] } }) as Stats
}

/** Begins a call in the background. Each must be awaited once by {@link settle}. */
export function* begin(call: Call): Steps<Background> {
  return (yield { begin: call }) as Background
}

/** Waits for a background call. @throws what the call threw. */
export function* settle(background: Background): Steps<unknown> {
  return yield { await: background }
}

/** Waits for a background call whose outcome nobody needs. */
export function* settleQuietly(background: Background): Steps<void> {
  try {
    yield* settle(background)
  } catch {
    // Whoever made the call has given up.
  }
}

/**
 * Waits for what a caller's function has returned, if it is a promise.
 *
 * @throws what the promise is rejected with; TypeError where the runner does not wait.
 */
export function* settleValue<T>(value: T | PromiseLike<T>): Steps<T> {
  const isPromise = typeof (value as PromiseLike<T> | undefined)?.then === 'function'
  return isPromise ? ((yield { wait: value as PromiseLike<T> }) as T) : (value as T)
}

/** Lets somebody else make ready for what follows, in a runner that waits: `prepare` is not called in one that does not. */
export function* prepareIfWaiting(prepare: () => PromiseLike<unknown> | undefined): Steps<void> {
  yield { waitIfAsync: prepare }
}

/** Reads until `buffer` is full or the file ends. @returns bytes read. */
export function* readFully(fd: number, buffer: Uint8Array, position: number): Steps<number> {
  let done = 0
  while (done < buffer.length) {
    const read = yield* request('read', fd, buffer, done, buffer.length - done, position + done)
    if (read === 0) break
    done += read
  }
  return done
}

/** More buffers than this in one call are an error of the operating system (IOV_MAX is 1,024 on the common ones). */
const VECTOR_MAX = 1_000

/** Writes all of `buffers`, one behind the other. */
export function* writeFully(fd: number, buffers: readonly Uint8Array[], position: number): Steps<void> {
  let rest = buffers
  while (rest.length > 0) {
    const written = yield* request('writev', fd, rest.slice(0, VECTOR_MAX), position)
    position += written
    rest = withoutFirst(rest, written)
  }
}

/** What is left of `buffers` behind their first `count` bytes. */
export function withoutFirst(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let index = 0
  while (index < buffers.length && count >= buffers[index]!.length) count -= buffers[index++]!.length
  const rest = buffers.slice(index)
  if (count > 0) rest[0] = rest[0]!.subarray(count)
  return rest
}

/** Runs `use`; where it fails, undoes what came before it, and then the error goes on. */
export function* undoOnError<T>(use: Steps<T>, undo: () => Steps<void> | void): Steps<T> {
  try {
    return yield* use
  } catch (error) {
    try {
      yield* undo() ?? []
    } catch {
      // What went wrong first is what the caller must know.
    }
    throw error
  }
}

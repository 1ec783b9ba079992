import type { EventEmitter } from 'node:events'
import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs'

import { createInterface, type Interface } from 'node:readline'
import { invalidArgType, WITHHELD } from '../argument-errors.js'

/** What streams need of a handle. */
export interface StreamableHandle {
  readonly fd: number
  read(buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<{ readonly bytesRead: number }>
  write(buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<{ readonly bytesWritten: number }>
  writev(buffers: readonly Uint8Array[], position: number | null): Promise<{ readonly bytesWritten: number }>
  sync(): Promise<void>
  commit(): Promise<void>
  on(event: 'close', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
  close(): Promise<void>
}

/** Keeps a handle open that was asked to close. */
export interface Hold {
  retain(): void
  /** Once for each {@link Hold.retain}. @returns whether the handle was asked to close before. */
  release(): boolean
}

/** The options of `createReadStream`, as those of Node's FileHandle. */
export interface ReadStreamOptions {
  /** Gives text. @defaultValue none, which gives Buffers */
  readonly encoding?: BufferEncoding | null | undefined
  /** Close the handle when the stream ends. @defaultValue true */
  readonly autoClose?: boolean | undefined
  /** @defaultValue true */
  readonly emitClose?: boolean | undefined
  /** First byte of the plaintext to read. @defaultValue where the last read ended */
  readonly start?: number | undefined
  /** Last byte to read, included. @defaultValue Infinity */
  readonly end?: number | undefined
  /** Bytes that are read at once. @defaultValue 65536 */
  readonly highWaterMark?: number | undefined
  /** Destroys the stream with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/** The options of `createWriteStream`, as those of Node's FileHandle. */
export interface WriteStreamOptions {
  /** Of text that is written. @defaultValue utf8 */
  readonly encoding?: BufferEncoding | null | undefined
  /** Close the handle when the stream has finished. @defaultValue true */
  readonly autoClose?: boolean | undefined
  /** @defaultValue true */
  readonly emitClose?: boolean | undefined
  /** Where to write, in bytes of the plaintext. @defaultValue where the last write ended */
  readonly start?: number | undefined
  /** Bytes that wait before `write` asks for a pause. @defaultValue 16384 */
  readonly highWaterMark?: number | undefined
  /** Wait for the disk before the handle is closed. @defaultValue false */
  readonly flush?: boolean | undefined
  /** Destroys the stream with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

type Done = (error: unknown) => void
type DoneWith = (error: unknown, count?: number, buffer?: Uint8Array) => void

/**
 * The calls of node:fs that its streams make, by way of a handle: so the streams are Node's own.
 *
 * @param handleOf - Gives the handle; called when there is one.
 * @param release - Called before the handle is closed; returns whether that goes on already.
 */
function streamCalls(
  handleOf: () => Pick<StreamableHandle, 'read' | 'write' | 'writev' | 'sync' | 'close'>,
  release?: () => boolean,
) {
  return {
    read(_fd: number, buffer: Uint8Array, offset: number, length: number, position: number | undefined, done: DoneWith): void {
      handleOf()
        .read(buffer, offset, length, position ?? null)
        .then(({ bytesRead }) => done(null, bytesRead, buffer), done)
    },
    write(_fd: number, buffer: Uint8Array, offset: number, length: number, position: number | undefined, done: DoneWith): void {
      handleOf()
        .write(buffer, offset, length, position ?? null)
        .then(({ bytesWritten }) => done(null, bytesWritten), done)
    },
    writev(_fd: number, buffers: readonly Uint8Array[], position: number | undefined, done: DoneWith): void {
      handleOf()
        .writev(buffers, position ?? null)
        .then(({ bytesWritten }) => done(null, bytesWritten), done)
    },
    fsync(_fd: number, done: Done): void {
      handleOf()
        .sync()
        .then(() => done(null), done)
    },
    close(_fd: number, done: Done): void {
      // What closes the handle hears how that went; a stream that was ended by it need not wait.
      if (release?.() === true) {
        done(null)
        return
      }
      handleOf()
        .close()
        .then(() => done(null), done)
    },
  }
}

function callsOf(handle: StreamableHandle, hold: Hold): ReturnType<typeof streamCalls> {
  return streamCalls(
    () => handle,
    () => hold.release(),
  )
}

/** @returns Node's own ReadStream, on the plaintext of `handle`. */
export function openReadStream(handle: StreamableHandle, hold: Hold, options: ReadStreamOptions | undefined): ReadStream {
  const settings = { ...options, fd: handle.fd, fs: callsOf(handle, hold) }
  const make = (): ReadStream => createReadStream('', settings as Parameters<typeof createReadStream>[1])
  return attached(make, (stream) => stream.close(), handle, hold)
}

/** @returns Node's own WriteStream, on the plaintext of `handle`. What it has written is committed when it has finished. */
export function openWriteStream(
  handle: StreamableHandle,
  hold: Hold,
  options: WriteStreamOptions | undefined,
  isBinary: boolean,
): WriteStream {
  const settings = { ...options, fd: handle.fd, fs: callsOf(handle, hold) }
  const make = (): WriteStream => createWriteStream('', settings as Parameters<typeof createWriteStream>[1])
  // One that has finished and does not close itself would wait for an end that was there.
  const end = (stream: WriteStream): unknown => (stream.writableFinished ? stream.destroy() : stream.close())
  const stream = attached(make, end, handle, hold)
  stream._final = (done) => {
    handle.commit().then(() => done(), done)
  }
  if (isBinary) refuseText(stream)
  return stream
}

/** A stream makes bytes of text before it writes them, so that its handle would not see that it was text. */
function refuseText(stream: WriteStream): void {
  for (const method of ['write', 'end'] as const) {
    const original = stream[method].bind(stream) as (...args: unknown[]) => unknown
    const checked = (...args: unknown[]): unknown => {
      if (typeof args[0] !== 'string') return original(...args)
      stream.destroy(invalidArgType('data', 'an instance of Buffer, TypedArray, or DataView on a binary handle', WITHHELD))
      return method === 'end' ? stream : false
    }
    Object.assign(stream, { [method]: checked })
  }
}

/** The handle stays open for as long as the stream does, and the stream ends when the handle is closed. */
function attached<S extends EventEmitter>(make: () => S, end: (stream: S) => void, handle: StreamableHandle, hold: Hold): S {
  hold.retain() // before it is made: a signal may end it at once
  let stream: S
  try {
    stream = make()
  } catch (error) {
    hold.release()
    throw error
  }
  const listener = (): void => end(stream)
  handle.on('close', listener)
  stream.once('close', () => handle.off('close', listener))
  return stream
}

/** Lines of text, as those of Node's FileHandle. */
export function openLines(handle: StreamableHandle, hold: Hold, options: ReadStreamOptions | undefined): Interface {
  return createInterface({ input: openReadStream(handle, hold, options), crlfDelay: Infinity })
}

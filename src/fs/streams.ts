import fs from 'node:fs'
import { EncryptedHandle } from '../file/encrypted-handle.js'
import type { ReadStreamOptions, WriteStreamOptions } from '../file/handle-streams.js'
import type { PathLike } from '../file/io/steps.js'
import { deliver, resultsOf, takeCallback } from './calls.js'
import { checkOpenArguments, type Files } from './files.js'
import type { Flags, Mode } from './node-arguments.js'
import { findDescriptor } from './open-numbers.js'

type Settings = Readonly<Record<string, unknown>>

/** A class that is a function, as Node's own stream classes are: it may be called without `new`, and inherited from the old way. */
interface StreamFunction<S extends object> {
  (this: S, path: PathLike, options: Settings): void
  new (path: PathLike, options?: unknown): S
  readonly prototype: S
}

/** @param instead - Gives another stream in the place of a new one, for some options. @param settingsFor - What `parent` is told. */
function inherit<S extends object>(
  parent: StreamFunction<S>,
  settingsFor: (options: unknown) => Settings,
  instead: (options: unknown) => S | undefined,
): StreamFunction<S> {
  function Stream(this: unknown, path: PathLike, options: unknown): S | undefined {
    if (!(this instanceof Class)) return new Class(path, options)
    const other = instead(options)
    if (other === undefined) parent.call(this, path, settingsFor(options))
    return other
  }
  const Class = Stream as unknown as StreamFunction<S>
  Object.setPrototypeOf(Class, parent)
  const constructor = { value: Class, writable: true, configurable: true }
  const prototype: unknown = Object.create(parent.prototype, { constructor })
  return Object.defineProperties(Class, { name: { value: parent.name }, prototype: { value: prototype, writable: true } })
}

/**
 * The streams of node:fs.
 *
 * @param calls - node:fs as it is on encrypted files.
 */
export function streamCalls(files: Files, calls: Settings): Settings {
  /** What streams call. The files that they open are written in the background. */
  const streamFs: unknown = Object.create(calls, {
    open: {
      value: (path: PathLike, flags: Flags, mode: Mode, ...args: unknown[]) => {
        const callback = takeCallback(args)
        deliver(files.open(checkOpenArguments(path, flags, mode), true).then(resultsOf), callback)
      },
    },
  })

  function settingsFor(options: unknown): Settings {
    const given: Settings = typeof options === 'string' ? { encoding: options } : { ...(options as Settings | undefined) }
    const isNodeHandle = typeof given['fd'] === 'object' && given['fd'] !== null
    return given['fs'] !== undefined || isNodeHandle ? given : { ...given, fs: streamFs }
  }

  const ReadStream = inherit(fs.ReadStream as unknown as StreamFunction<fs.ReadStream>, settingsFor, (options) =>
    handleIn(options)?.createReadStream(options as ReadStreamOptions),
  )
  const WriteStream = inherit(fs.WriteStream as unknown as StreamFunction<fs.WriteStream>, settingsFor, (options) =>
    handleIn(options)?.createWriteStream(options as WriteStreamOptions),
  )
  WriteStream.prototype._final = commitAll
  for (const { prototype } of [ReadStream, WriteStream])
    prototype._construct = closeIfTooLate(Reflect.get(prototype, '_construct') as Construct, calls['close'] as typeof fs.close)

  return {
    ReadStream,
    WriteStream,
    FileReadStream: ReadStream,
    FileWriteStream: WriteStream,
    createReadStream: (path: PathLike, options?: unknown) => new ReadStream(path, options),
    createWriteStream: (path: PathLike, options?: unknown) => new WriteStream(path, options),
    ...('Utf8Stream' in fs ? { Utf8Stream: utf8StreamClass(fs.Utf8Stream as never, calls) } : {}),
  }
}

/** Who waits until a stream has finished finds all of it in the file. */
function commitAll(this: unknown, done: (error?: Error | null) => void): void {
  const descriptor = findDescriptor((this as { readonly fd: number }).fd, 'write')
  if (descriptor === undefined) done()
  else descriptor.run((session) => session.commit()).then(() => done(), done)
}

type Construct = NonNullable<fs.WriteStream['_construct']>

/** Closes what a stream opens that was aborted before, which Node's own leave open. */
function closeIfTooLate(construct: Construct, close: typeof fs.close): Construct {
  return function (this: fs.WriteStream, callback) {
    construct.call(this, (error) => {
      callback(error)
      const { fd } = this as unknown as { readonly fd: number | null }
      if (this.closed && typeof fd === 'number') close(fd, () => undefined)
    })
  }
}

function handleIn(options: unknown): EncryptedHandle | undefined {
  const fd = (options as { readonly fd?: unknown } | null | undefined)?.fd
  return fd instanceof EncryptedHandle ? fd : undefined
}

/** What Node's Utf8Stream calls, and what may as well be called on encrypted files. */
const UTF8_STREAM_CALLS = ['open', 'openSync', 'write', 'writeSync', 'fsync', 'fsyncSync', 'close', 'closeSync'] as const

/** @returns a class like `fs.Utf8Stream` of newer versions of Node, which asks to be told what to call. */
function utf8StreamClass(parent: new (options: object) => object, calls: Settings): new (options?: object) => object {
  const own = Object.fromEntries(UTF8_STREAM_CALLS.map((name) => [name, calls[name]]))
  return class Utf8Stream extends parent {
    constructor(options: { readonly fs?: object } = {}) {
      super({ ...options, fs: { ...own, ...options.fs } })
    }
  }
}

import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { EncryptedHandle } from '../file/encrypted-handle.js'
import { streamCalls, type ReadStreamOptions, type StreamableHandle, type WriteStreamOptions } from '../file/handle-streams.js'
import type { PathLike } from '../file/io/steps.js'
import type { Files, Flags, Mode } from './files.js'

type Done = (error: unknown, fd?: number) => void
type Settings = Record<string, unknown>

type StreamClass<S> = new (path: PathLike, options: Settings) => S

/** The calls that a stream makes on a path: it opens a handle, and works with that. */
function pathCalls(files: Files) {
  let handle: FileHandle | undefined
  return {
    ...streamCalls(() => handle as unknown as StreamableHandle),
    open(path: PathLike, flags: Flags, mode: Mode, done: Done): void {
      files.openHandle(path, flags, { mode }).then((opened) => {
        handle = opened
        done(null, opened.fd)
      }, done)
    },
    commit: async (): Promise<void> => {
      const opened: unknown = handle
      if (opened instanceof EncryptedHandle) await opened.commit()
    },
  }
}

/** @param calls - node:fs as it is on encrypted files, for streams on a number. */
export function streamClasses(files: Files, calls: object) {
  /** What node:fs must be told besides the caller's own options, and what it calls. */
  const settingsFor = (options: unknown): { readonly settings: Settings; readonly own?: ReturnType<typeof pathCalls> } => {
    const given: Settings = typeof options === 'string' ? { encoding: options } : { ...(options as Settings | undefined) }
    if (given['fs'] !== undefined) return { settings: given }
    if (given['fd'] !== undefined && given['fd'] !== null) {
      const isKnown = typeof given['fd'] === 'number' && files.find(given['fd'], 'open') !== undefined
      return { settings: isKnown ? { ...given, fs: calls } : given }
    }
    const own = pathCalls(files)
    return { settings: { ...given, fs: own }, own }
  }

  class ReadStream extends (fs.ReadStream as unknown as StreamClass<fs.ReadStream>) {
    constructor(path: PathLike, options?: unknown) {
      super(path, settingsFor(options).settings)
    }
  }

  class WriteStream extends (fs.WriteStream as unknown as StreamClass<fs.WriteStream>) {
    constructor(path: PathLike, options?: unknown) {
      const { settings, own } = settingsFor(options)
      super(path, settings)
      // Who waits until the stream has finished finds all of it in the file.
      if (own !== undefined) this._final = (done) => void own.commit().then(() => done(), done)
    }
  }

  return {
    ReadStream,
    WriteStream,
    createReadStream(path: PathLike, options?: unknown): fs.ReadStream {
      const handle = handleIn(options)
      return handle?.createReadStream(options as ReadStreamOptions) ?? new ReadStream(path, options)
    },
    createWriteStream(path: PathLike, options?: unknown): fs.WriteStream {
      const handle = handleIn(options)
      return handle?.createWriteStream(options as WriteStreamOptions) ?? new WriteStream(path, options)
    },
  }
}

function handleIn(options: unknown): EncryptedHandle | undefined {
  const fd = (options as { readonly fd?: unknown } | null | undefined)?.fd
  return fd instanceof EncryptedHandle ? fd : undefined
}

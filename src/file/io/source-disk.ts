import { Stats } from 'node:fs'
import { invalidArgType, outOfRange } from '../../argument-errors.js'
import type { Disk, DiskCalls } from './steps.js'
import { systemError } from './system-errors.js'

/** Bytes that can be read at any position: a file behind HTTP, in an object store, in a Blob. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number
  /**
   * Reads bytes.
   *
   * @param position - 0 to `size` - 1.
   * @param length - 1 to `size` - `position`.
   * @returns `length` bytes. Fewer are asked for again; none are the end of the source.
   */
  readAt(position: number, length: number): Uint8Array | Promise<Uint8Array>
  /** Called when the handle is closed. */
  close?(): void | Promise<void>
  /** For messages. */
  readonly name?: string | undefined
}

/** What no file has for a number, so that no call of node:fs takes the source for one. */
const FD = 2 ** 31 - 1

/** @throws TypeError or RangeError for what is no source. */
export function checkSource(source: ByteSource): void {
  if (typeof (source as unknown) !== 'object' || (source as unknown) === null)
    throw invalidArgType('source', 'of type object', source)
  const { size, name } = source
  if (typeof size !== 'number') throw invalidArgType('source.size', 'of type number', size)
  if (!Number.isSafeInteger(size) || size < 0) throw outOfRange('source.size', 'a safe integer >= 0', size)
  if (typeof (source as Partial<ByteSource>).readAt !== 'function') {
    throw invalidArgType('source.readAt', 'of type function', (source as Partial<ByteSource>).readAt)
  }
  if (name !== undefined && typeof name !== 'string') throw invalidArgType('source.name', 'of type string', name)
}

/** A disk that holds one file: what a source gives. */
export function sourceDisk(source: ByteSource): Disk {
  const refuse = (call: string) => (): Promise<never> => Promise.reject(systemError('EROFS', call))
  const refuseSync = (): never => {
    throw new TypeError('a source can only be waited for')
  }
  const calls: Disk['async'] = {
    open: () => Promise.resolve(FD),
    close: async () => await source.close?.(),
    read: async (_fd, buffer, offset, length, position) => {
      const wanted = Math.min(length, source.size - position)
      if (wanted <= 0) return 0
      const bytes = (await source.readAt(position, wanted)) as unknown
      if (!(bytes instanceof Uint8Array)) throw invalidArgType('source.readAt()', 'an instance of Uint8Array', bytes)
      if (bytes.length > wanted) throw outOfRange('source.readAt().length', `<= ${wanted}`, bytes.length)
      buffer.set(bytes, offset)
      return bytes.length
    },
    fstat: () => Promise.resolve(statsOf(source.size)),
    fstatBig: refuse('fstat'),
    fdatasync: () => Promise.resolve(),
    fsync: () => Promise.resolve(),
    sleep: () => Promise.resolve(),
    writev: refuse('writev'),
    ftruncate: refuse('ftruncate'),
    fchmod: refuse('fchmod'),
    fchown: refuse('fchown'),
    futimes: refuse('futimes'),
    symlink: refuse('symlink'),
    readlink: refuse('readlink'),
    link: refuse('link'),
    unlink: refuse('unlink'),
    rename: refuse('rename'),
    stat: refuse('stat'),
    realpath: refuse('realpath'),
  }
  const sync = Object.fromEntries(Object.keys(calls).map((call) => [call, refuseSync])) as unknown as DiskCalls
  return { sync, async: calls }
}

/** What `stat` says of a source: its size, and that it is a file. */
function statsOf(size: number): Stats {
  const stats = Object.create(Stats.prototype) as Stats
  return Object.assign(stats, { size, mode: 0o100_444, nlink: 1 })
}

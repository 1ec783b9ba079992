import { constants, Stats } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Disk, DiskCalls, PathLike } from '../../src/file/io/steps.js'
import type { SeededRandom } from './seeded-random.js'

/** What was done to a file's bytes. */
export type Operation =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'cut'; readonly size: number }
  | { readonly kind: 'sync' }

type Change = Exclude<Operation, { kind: 'sync' }>

/** What a disk holds at some moment: what a power cut cannot take, and what it can. */
export interface Storage {
  readonly durable: Uint8Array
  readonly pending: readonly Change[]
}

const SECTOR_SIZE = 512

/** @returns the index of the last item that is so; -1 if none is. */
export function lastIndex<T>(items: readonly T[], isSo: (item: T) => boolean): number {
  let index = items.length - 1
  while (index >= 0 && !isSo(items[index]!)) index--
  return index
}

/** The bytes of a file, growing. */
class Image {
  #bytes: Buffer
  #size: number

  constructor(content: Uint8Array) {
    this.#bytes = Buffer.from(content)
    this.#size = content.length
  }

  get content(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }

  change(change: Change): void {
    if (change.kind === 'cut') this.#resize(change.size)
    else {
      const { position, bytes } = change
      if (bytes.length === 0) return
      this.#resize(Math.max(this.#size, position + bytes.length))
      this.#bytes.set(bytes, position)
    }
  }

  #resize(size: number): void {
    if (size > this.#bytes.length) this.#bytes = Buffer.concat([this.content, Buffer.alloc(size * 2 - this.#size)])
    this.#bytes.fill(0, Math.min(size, this.#size))
    this.#size = size
  }
}

/** A file and all that was done to it. */
export class RecordedFile {
  readonly base: Uint8Array
  readonly operations: Operation[]
  readonly #image: Image

  /** @param base - What is on disk for sure. @param operations - What was done to it since. */
  constructor(base: Uint8Array, operations: readonly Operation[]) {
    this.base = base
    this.operations = [...operations]
    this.#image = new Image(base)
    for (const operation of operations) if (operation.kind !== 'sync') this.#image.change(operation)
  }

  /** What a reader sees. */
  get content(): Buffer {
    return this.#image.content
  }

  record(operation: Operation): void {
    this.operations.push(operation)
    if (operation.kind !== 'sync') this.#image.change(operation)
  }
}

/** @returns what the disk holds after some operations. */
export function storageAfter(base: Uint8Array, operations: readonly Operation[]): Storage {
  const lastSync = lastIndex(operations, ({ kind }) => kind === 'sync')
  const image = new Image(base)
  for (const operation of operations.slice(0, lastSync + 1)) if (operation.kind !== 'sync') image.change(operation)
  const pending = operations.slice(lastSync + 1).filter((operation) => operation.kind !== 'sync')
  return { durable: image.content, pending }
}

/** @returns what is left of a file when the process dies: all that was issued. */
export function afterProcessDeath(base: Uint8Array, operations: readonly Operation[]): Buffer {
  return new RecordedFile(base, operations).content
}

/** @returns the part of a write that was done when the process died in its middle. */
export function tear<T extends Operation>(operation: T, length: number): T {
  return operation.kind === 'write' ? { ...operation, bytes: operation.bytes.subarray(0, length) } : operation
}

export interface PowerCut {
  readonly content: Buffer
  /** A commit record was torn inside its sector. */
  readonly tornRecord: boolean
}

/**
 * What is left of a file after a power cut: of what was not synced, any part in any order. Writes tear between sectors.
 *
 * @param isRecord - Whether a write is one commit record, which lies within a sector: of these one at most tears.
 */
export function afterPowerCut(
  { durable, pending }: Storage,
  random: SeededRandom,
  isRecord: (change: Change) => boolean,
): PowerCut {
  const survival = random.pick([0.15, 0.5, 0.85])
  const image = new Image(durable)
  let tornRecord = false
  const kept = pending.filter(() => random.chance(survival))
  for (const change of random.chance(0.3) ? kept : random.shuffle(kept)) {
    const mayTear = change.kind === 'write' && random.chance(0.25)
    if (!mayTear) image.change(change)
    else if (!isRecord(change)) for (const sector of sectorsOf(change)) if (random.chance(survival)) image.change(sector)
    if (mayTear && isRecord(change)) {
      image.change(tornRecord ? change : tear(change, random.int(1, change.bytes.length - 1)))
      tornRecord = true
    }
  }
  return { content: image.content, tornRecord }
}

function sectorsOf({ position, bytes }: Change & { kind: 'write' }): Change[] {
  const sectors: Change[] = []
  for (let from = 0; from < bytes.length;) {
    const end = Math.min(bytes.length, from + SECTOR_SIZE - ((position + from) % SECTOR_SIZE))
    sectors.push({ kind: 'write', position: position + from, bytes: bytes.subarray(from, end) })
    from = end
  }
  return sectors
}

/** How a disk fails. */
export interface Fault {
  readonly code: 'ENOSPC' | 'EIO'
  /** The first call that fails, counted from 0 among those that could. */
  readonly from: number
  /** How many fail. */
  readonly count: number
  /** What the first failing write does before it fails: nothing, or half, which it reports or does not. */
  readonly effect: 'none' | 'short' | 'half'
}

const ERRNO = { ENOENT: -2, EIO: -5, EBADF: -9, EEXIST: -17, EINVAL: -22, ENOSPC: -28 }

function errorOf(code: keyof typeof ERRNO, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, errno: ERRNO[code], syscall })
}

/** The calls that a full disk refuses, and those that a broken one does. */
const FAILING: Readonly<Record<Fault['code'], readonly (keyof DiskCalls)[]>> = {
  ENOSPC: ['writev'],
  EIO: ['writev', 'read', 'fdatasync', 'ftruncate'],
}

/** A disk in memory that remembers in which order it was written and synced, and that fails when told to. */
export class FaultDisk implements Disk {
  readonly files = new Map<string, RecordedFile>()
  readonly links = new Map<string, string>()
  readonly sync: DiskCalls
  readonly async: Disk['async']
  /** Calls so far that the fault's code could have met. */
  callCount = 0
  /** The calls that failed, by name. */
  readonly failedCalls: (keyof DiskCalls)[] = []
  #fault: Fault | undefined
  readonly #open = new Map<number, RecordedFile>()
  #nextFd = 100

  constructor(files: Readonly<Record<string, RecordedFile>> = {}) {
    for (const [path, file] of Object.entries(files)) this.files.set(path, file)
    this.sync = this.#calls()
    const later = (call: (...args: never[]) => unknown) => {
      return async (...args: never[]) => {
        await nextTurn()
        return call(...args)
      }
    }
    const calls = Object.entries(this.sync) as [string, (...args: never[]) => unknown][]
    this.async = Object.fromEntries(calls.map(([name, call]) => [name, later(call)])) as unknown as Disk['async']
  }

  /** Fails from now on as told; counts calls anew. */
  inject(fault: Fault | undefined): void {
    this.#fault = fault
    this.callCount = 0
  }

  #fails(call: keyof DiskCalls): 'no' | 'first' | 'yes' {
    const fault = this.#fault
    if (fault === undefined || !FAILING[fault.code].includes(call)) return 'no'
    const index = this.callCount++ - fault.from
    if (index < 0 || index >= fault.count) return 'no'
    this.failedCalls.push(call)
    return index === 0 ? 'first' : 'yes'
  }

  #file(fd: number, call: keyof DiskCalls): RecordedFile {
    const file = this.#open.get(fd)
    if (file === undefined) throw errorOf('EBADF', call)
    return file
  }

  #calls(): DiskCalls {
    const failIfTold = (call: keyof DiskCalls): void => {
      if (this.#fails(call) !== 'no') throw errorOf(this.#fault!.code, call)
    }
    return {
      open: (path, flags) => {
        const name = path.toString()
        const exists = this.files.has(name)
        if (exists && (flags & constants.O_EXCL) !== 0) throw errorOf('EEXIST', 'open')
        if (!exists && (flags & constants.O_CREAT) === 0) throw errorOf('ENOENT', 'open')
        // Truncation begins a new file: what it drops is not asked for again, whatever a power cut might bring back of it.
        if (!exists || (flags & constants.O_TRUNC) !== 0) this.files.set(name, new RecordedFile(new Uint8Array(0), []))
        this.#open.set(this.#nextFd, this.files.get(name)!)
        return this.#nextFd++
      },
      close: (fd) => {
        this.#file(fd, 'close')
        this.#open.delete(fd)
      },
      read: (fd, buffer, offset, length, position) => {
        const { content } = this.#file(fd, 'read')
        failIfTold('read')
        const piece = content.subarray(position, position + length)
        buffer.set(piece, offset)
        return piece.length
      },
      writev: (fd, buffers, position) => {
        const file = this.#file(fd, 'writev')
        const bytes = Buffer.concat(buffers)
        const fails = this.#fails('writev')
        const { code, effect } = this.#fault ?? { code: 'EIO', effect: 'none' }
        const written = fails === 'no' ? bytes.length : fails === 'first' && effect !== 'none' ? Math.floor(bytes.length / 2) : 0
        if (written > 0) file.record({ kind: 'write', position, bytes: bytes.subarray(0, written) })
        if (fails === 'yes' || (fails === 'first' && effect !== 'short')) throw errorOf(code, 'writev')
        return written
      },
      fdatasync: (fd) => {
        const file = this.#file(fd, 'fdatasync')
        failIfTold('fdatasync')
        file.record({ kind: 'sync' })
      },
      ftruncate: (fd, size) => {
        const file = this.#file(fd, 'ftruncate')
        failIfTold('ftruncate')
        file.record({ kind: 'cut', size })
      },
      fstat: (fd) => statsOf(this.#file(fd, 'fstat').content.length),
      fstatBig: () => notThere('fstatBig'),
      fsync: () => notThere('fsync'),
      rename: () => notThere('rename'),
      stat: () => notThere('stat'),
      link: () => notThere('link'),
      fchmod: () => notThere('fchmod'),
      fchown: () => notThere('fchown'),
      futimes: () => notThere('futimes'),
      symlink: (target, path) => {
        if (this.links.has(path)) throw errorOf('EEXIST', 'symlink')
        this.links.set(path, target)
      },
      readlink: (path) => {
        const name = path.toString()
        const target = this.links.get(name)
        if (target === undefined) throw errorOf(this.files.has(name) ? 'EINVAL' : 'ENOENT', 'readlink')
        return target
      },
      unlink: (path) => {
        const name = path.toString()
        if (!this.links.delete(name) && !this.files.delete(name)) throw errorOf('ENOENT', 'unlink')
      },
      realpath: (path: PathLike) => path.toString(),
      sleep: () => undefined,
    }
  }
}

function notThere(call: string): never {
  throw new Error(`this disk knows no ${call}`)
}

function statsOf(size: number): Stats {
  const stats = Object.create(Stats.prototype) as Stats
  stats.size = size
  return stats
}

import { nodeDisk } from '../file/io/node-disk.js'
import type { Disk, DiskCalls } from '../file/io/steps.js'

type Effect = 'writev' | 'ftruncate' | 'fchmod' | 'fchown' | 'futimes' | 'unlink' | 'close'

/** Makes a call that changes something into one that is done at once, and waited for all the same. */
function atOnce<K extends Effect>(calls: DiskCalls, name: K): Disk['async'][K] {
  const call = calls[name] as (...args: unknown[]) => unknown
  // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown becomes a rejection
  return (async (...args: unknown[]) => call(...args)) as Disk['async'][K]
}

/** A call that goes on in the background. */
interface Pending {
  /** Where a read is to go; undefined for a barrier. */
  readonly target?: Uint8Array
  /** It was made again meanwhile, without waiting: what comes of this one is nobody's any more. */
  isRepeated: boolean
}

/**
 * node:fs for one file on which a call that does not wait may come while another goes on in the background. That one is made again then,
 * and left to itself; so nothing may show of what it still does. Whatever changes something is therefore done at once. In the background
 * go reads, into memory of their own until they are done, barriers, and questions.
 */
export class DescriptorDisk implements Disk {
  readonly sync: DiskCalls
  readonly async: Disk['async']
  readonly #pending = new Set<Pending>()
  /** Memory for the next read. */
  #spare: Buffer | undefined
  /** What came of a barrier that was made again: the system tells of a lost write once, and has told it to that one. */
  #lateFailure: { readonly error: unknown } | undefined

  constructor() {
    const calls: DiskCalls = {
      ...nodeDisk.sync,
      read: (fd, target, ...rest) => {
        this.#noteRepetition(target)
        return nodeDisk.sync.read(fd, target, ...rest)
      },
      writev: (...args) => {
        this.#checkUsable()
        return nodeDisk.sync.writev(...args)
      },
      fdatasync: (fd) => {
        this.#checkUsable()
        this.#noteRepetition(undefined)
        nodeDisk.sync.fdatasync(fd)
      },
    }
    this.sync = calls
    this.async = {
      ...nodeDisk.async,
      read: (...args) => this.#read(...args),
      fdatasync: (fd) => this.#fdatasync(fd),
      writev: atOnce(calls, 'writev'),
      ftruncate: atOnce(calls, 'ftruncate'),
      fchmod: atOnce(calls, 'fchmod'),
      fchown: atOnce(calls, 'fchown'),
      futimes: atOnce(calls, 'futimes'),
      unlink: atOnce(calls, 'unlink'),
      close: atOnce(calls, 'close'),
    }
  }

  async #read(fd: number, target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    const pending = this.#begin(target)
    const own = this.#takeMemory(length)
    try {
      const count = await nodeDisk.async.read(fd, own, 0, length, position)
      if (!pending.isRepeated) target.set(own.subarray(0, count), offset)
      this.#spare = own
      return count
    } finally {
      this.#pending.delete(pending)
    }
  }

  async #fdatasync(fd: number): Promise<void> {
    this.#checkUsable()
    const pending = this.#begin(undefined)
    try {
      await nodeDisk.async.fdatasync(fd)
    } catch (error) {
      if (pending.isRepeated) this.#lateFailure ??= { error }
      throw error
    } finally {
      this.#pending.delete(pending)
    }
  }

  #begin(target: Uint8Array | undefined): Pending {
    const pending = { isRepeated: false, ...(target === undefined ? {} : { target }) }
    this.#pending.add(pending)
    return pending
  }

  /** Of calls to one target, or of barriers, whichever goes on is made again by one that does not wait. */
  #noteRepetition(target: Uint8Array | undefined): void {
    for (const pending of this.#pending) if (pending.target === target) pending.isRepeated = true
  }

  #takeMemory(length: number): Buffer {
    const spare = this.#spare
    this.#spare = undefined
    return spare !== undefined && spare.length >= length ? spare : Buffer.allocUnsafeSlow(length)
  }

  #checkUsable(): void {
    if (this.#lateFailure !== undefined) throw this.#lateFailure.error
  }
}

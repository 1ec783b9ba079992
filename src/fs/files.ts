import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { EncryptedFile } from '../file/encrypted-file.js'
import { parseFlags, type Access } from '../file/flags.js'
import type { PathLike } from '../file/io/steps.js'
import { systemError } from '../file/io/system-errors.js'
import { resolveOpenOptions } from '../file/options.js'
import { Descriptor } from './descriptor.js'
import type { Policy } from './policy.js'

/** `mode` as node:fs takes it. */
export type Mode = number | string | null | undefined
export type Flags = string | number | null | undefined

const openPlain = promisify(fs.open)

/** How to open a file besides what its flags say. */
interface OpenRequest {
  readonly mode?: Mode
  readonly atomic?: boolean
}

/** A file that is read from start to end. */
export interface SequentialReader {
  /** Permission bits and kind, as the system has them. */
  readonly mode: number
  /** @returns bytes read; 0 at the end. */
  read(buffer: Uint8Array): number
  close(): void
}

/** Opens files, and knows those that are open under a number. */
export class Files {
  readonly policy: Policy
  readonly #descriptors = new Map<number, Descriptor>()
  /** Numbers of files that are open as handles: what is read by such a number alone is ciphertext. */
  readonly #handleNumbers = new Set<number>()

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** Opens a file as a handle; one that is not encrypted as Node's own, where that is allowed. */
  async openHandle(path: PathLike, flags: Flags, { mode, atomic = false }: OpenRequest = {}): Promise<FileHandle> {
    const access = parseFlags(flags)
    try {
      const options = { ...this.policy.optionsFor(path, 'async'), mode: mode ?? undefined, atomic }
      const handle = await EncryptedFile.open(path, flags ?? undefined, options)
      const { fd } = handle
      this.#handleNumbers.add(fd)
      handle.once('close', () => this.#handleNumbers.delete(fd))
      return handle as unknown as FileHandle
    } catch (error) {
      if (!readsOnly(access) || !this.policy.allows(error)) throw error
      return fs.promises.open(path, flags ?? undefined)
    }
  }

  /** Opens a file under a number. */
  async open(path: PathLike, flags: Flags, { mode, atomic = false }: OpenRequest = {}): Promise<number> {
    const access = parseFlags(flags)
    try {
      const options = resolveOpenOptions({ ...this.policy.optionsFor(path, 'async'), mode: mode ?? undefined, atomic })
      return this.#add(await Descriptor.open(path, access, options))
    } catch (error) {
      if (!readsOnly(access) || !this.policy.allows(error)) throw error
      return openPlain(path, flags ?? 'r')
    }
  }

  /** Opens an encrypted file for calls that do not wait, and keeps no number of it. */
  openDescriptorSync(path: PathLike, flags: Flags, { mode, atomic = false }: OpenRequest = {}): Descriptor {
    const options = resolveOpenOptions({ ...this.policy.optionsFor(path, 'sync'), mode: mode ?? undefined, atomic })
    return Descriptor.openSync(path, parseFlags(flags), options)
  }

  /** Opens a file under a number, without waiting. */
  openSync(path: PathLike, flags: Flags, request: OpenRequest = {}): number {
    const access = parseFlags(flags)
    try {
      return this.#add(this.openDescriptorSync(path, flags, request))
    } catch (error) {
      if (!readsOnly(access) || !this.policy.allows(error)) throw error
      return fs.openSync(path, flags ?? 'r')
    }
  }

  /** Opens a file to read it from start to end without waiting, encrypted or plain. */
  openForCopy(path: PathLike): SequentialReader {
    const fd = this.openSync(path, 'r')
    const descriptor = this.find(fd, 'read')
    if (descriptor === undefined) {
      return {
        mode: fs.fstatSync(fd).mode,
        read: (buffer) => fs.readSync(fd, buffer),
        close: () => fs.closeSync(fd),
      }
    }
    return {
      mode: descriptor.runSync((session) => session.stat()).mode,
      read: (buffer) => descriptor.runSync((session) => session.read(buffer, null)),
      close: () => {
        this.forget(fd)
        descriptor.endSync('close')
      },
    }
  }

  /**
   * The file that is open under a number.
   *
   * @returns undefined for a number that node:fs itself has given: standard output, a plain file.
   * @throws Error `EBADF` for the number of a handle.
   */
  find(fd: unknown, syscall: string): Descriptor | undefined {
    const found = this.#descriptors.get(fd as number)
    if (found === undefined && this.#handleNumbers.has(fd as number)) throw systemError('EBADF', syscall)
    return found
  }

  /** Frees the number of a file that is about to be closed. */
  forget(fd: number): void {
    this.#descriptors.delete(fd)
  }

  #add(descriptor: Descriptor): number {
    const { fd } = descriptor
    this.#descriptors.set(fd, descriptor)
    return fd
  }
}

function readsOnly({ write, create, truncate }: Access): boolean {
  return !write && !create && !truncate
}

import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { EncryptedFile } from '../file/encrypted-file.js'
import { parseFlags, type Access } from '../file/flags.js'
import { resolveOpenOptions, type OpenOptions, type ResolvedOptions } from '../file/options.js'
import { Descriptor } from './descriptor.js'
import { checkMode, checkPath, type Flags, type Mode } from './node-arguments.js'
import { enterDescriptor, enterHandle, leaveToNode } from './open-numbers.js'
import type { Kind, Policy } from './policy.js'

const openPlain = promisify(fs.open)

/** The arguments of `open`, checked. */
export interface OpenRequest {
  readonly path: string | Buffer
  readonly flags: string | number
  readonly access: Access
  readonly mode: number | undefined
}

export function checkOpenArguments(path: unknown, flags: Flags, mode: Mode): OpenRequest {
  const checked = checkPath(path)
  return { path: checked, flags: flags ?? 'r', access: parseFlags(flags), mode: checkMode(mode) }
}

/** Opens files, as handles and under numbers. */
export class Files {
  readonly policy: Policy

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** Opens a file as a handle; what is left to node:fs as Node's own. */
  async openHandle(request: OpenRequest): Promise<FileHandle> {
    const { path, flags } = request
    try {
      const handle = await EncryptedFile.open(path, flags, this.#optionsFor(request, 'async'))
      enterHandle(handle)
      return handle as unknown as FileHandle
    } catch (error) {
      this.#throwUnlessLeft(error, request)
      const handle = await fs.promises.open(path, flags)
      leaveToNode(handle.fd)
      return handle
    }
  }

  /** Opens a file under a number. @param forStream - It serves a stream. */
  async open(request: OpenRequest, forStream = false): Promise<number> {
    const { path, flags, access } = request
    try {
      return enterDescriptor(await Descriptor.open(path, access, this.#resolve(request, 'async'), forStream))
    } catch (error) {
      this.#throwUnlessLeft(error, request)
      return leaveToNode(await openPlain(path, flags))
    }
  }

  /** The same, without waiting. */
  openSync(request: OpenRequest): number {
    const { path, flags, access } = request
    try {
      return enterDescriptor(Descriptor.openSync(path, access, this.#resolve(request, 'sync')))
    } catch (error) {
      this.#throwUnlessLeft(error, request)
      return leaveToNode(fs.openSync(path, flags))
    }
  }

  #optionsFor({ path, mode }: OpenRequest, kind: Kind): OpenOptions {
    return { ...this.policy.optionsFor(path, kind), mode }
  }

  #resolve(request: OpenRequest, kind: Kind): ResolvedOptions {
    return resolveOpenOptions(this.#optionsFor(request, kind))
  }

  /** Leaves to node:fs what is no encrypted file and is only to be read: plain files, where that is allowed, and folders. */
  #throwUnlessLeft(error: unknown, { access: { write, create, truncate } }: OpenRequest): void {
    const isLeft = this.policy.allows(error) || (error as NodeJS.ErrnoException).code === 'EISDIR'
    if (write || create || truncate || !isLeft) throw error
  }
}

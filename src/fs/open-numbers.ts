import type { EncryptedHandle } from '../file/encrypted-handle.js'
import { Descriptor } from './descriptor.js'
import { systemError } from '../file/io/system-errors.js'

/**
 * What is open under which number. A number is the process's, and so all that are made by createEncryptedFs know the same: what one
 * has opened is no plain file to another. A handle is closed when nobody refers to it any more, and this must not count.
 */
const owners = new Map<number, Descriptor | WeakRef<EncryptedHandle>>()

/** Enters a file that was just opened: what had its number before is closed. @returns the number. */
export function enterDescriptor(descriptor: Descriptor): number {
  const { fd } = descriptor
  owners.set(fd, descriptor)
  return fd
}

/** The same for a handle, which frees its number when it is closed. */
export function enterHandle(handle: EncryptedHandle): void {
  const { fd } = handle
  const owner = new WeakRef(handle)
  const free = (): void => freeNumber(fd, owner)
  handle.once('close', () => void handle.close().then(free, free))
  owners.set(fd, owner)
}

/** To be called when a file is closed. Another one may have its number by now. */
export function freeNumber(fd: number, owner: Descriptor | WeakRef<EncryptedHandle>): void {
  if (owners.get(fd) === owner) owners.delete(fd)
}

/** To be called for a number that node:fs has given. */
export function leaveToNode(fd: number): number {
  owners.delete(fd)
  return fd
}

/**
 * The file that is open under a number.
 *
 * @returns undefined for a number that node:fs itself has given: standard output, a plain file.
 * @throws Error `EBADF` for the number of a handle, because what is read by it alone is ciphertext, and for a file that is being closed.
 */
export function findDescriptor(fd: unknown, syscall: string): Descriptor | undefined {
  const owner = owners.get(fd as number)
  const isOpen = owner instanceof Descriptor ? !owner.isClosing : owner?.deref() === undefined
  if (!isOpen) throw systemError('EBADF', syscall)
  return owner instanceof Descriptor ? owner : undefined
}

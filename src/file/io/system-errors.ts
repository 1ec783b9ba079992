import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/**
 * An error as the operating system would give it, for calls that our file descriptor could do and the handle may not.
 *
 * @param message - In the place of the system's own, as Node does for a closed handle.
 */
export function systemError(code: 'EBADF', syscall: string, message?: string): NodeJS.ErrnoException {
  const errno = -constants.errno[code]
  const [, description] = getSystemErrorMap().get(errno)!
  if (message !== undefined) return Object.assign(new Error(message), { code, syscall })
  return Object.assign(new Error(`${code}: ${description}, ${syscall}`), { errno, code, syscall })
}

/** @throws an AbortError, as Node's own file calls do, if `signal` is aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const error = new Error('The operation was aborted', { cause: signal.reason })
  throw Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

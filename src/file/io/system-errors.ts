import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** An error as the operating system would give it, for what the system could do and the handle may not. */
export function systemError(
  code: 'EBADF' | 'EEXIST' | 'EINVAL' | 'EROFS',
  syscall: string,
  details: { readonly path?: string } = {},
): NodeJS.ErrnoException {
  const errno = -constants.errno[code]
  const [, description] = getSystemErrorMap().get(errno)!
  const where = details.path === undefined ? '' : ` '${details.path}'`
  return Object.assign(new Error(`${code}: ${description}, ${syscall}${where}`), { errno, code, syscall, ...details })
}

/** What Node throws where a FileHandle was closed. */
export function fileClosed(syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error('file closed'), { code: 'EBADF', syscall })
}

/** @throws an AbortError, as Node's own file calls do, if `signal` is aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const error = new Error('The operation was aborted', { cause: signal.reason })
  throw Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

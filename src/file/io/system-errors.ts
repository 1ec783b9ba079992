import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

type SystemCode = keyof typeof constants.errno

/** Where an error happened, for calls that have one path or two. */
interface Paths {
  readonly path?: string
  readonly dest?: string
}

/** @returns an error as node:fs gives it, for what the system could do and we may not. */
export function systemError(code: SystemCode, syscall: string, { path, dest }: Paths = {}): NodeJS.ErrnoException {
  const errno = -constants.errno[code]
  const [, description] = getSystemErrorMap().get(errno)!
  const where = (path === undefined ? '' : ` '${path}'`) + (dest === undefined ? '' : ` -> '${dest}'`)
  const details = { errno, code, syscall, ...(path === undefined ? {} : { path }), ...(dest === undefined ? {} : { dest }) }
  return Object.assign(new Error(`${code}: ${description}, ${syscall}${where}`), details)
}

/** Tells errors of the system from ours and from misuse. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: SystemCode } {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  return error instanceof Error && typeof errno === 'number' && typeof syscall === 'string' && Object.hasOwn(constants.errno, code!)
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

import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** Where an error happened, for calls that have one path or two. */
interface Paths {
  readonly path?: string
  readonly dest?: string
}

/** @returns an error as node:fs gives it. */
export function nodeError(code: keyof typeof constants.errno, syscall: string, { path, dest }: Paths = {}): NodeJS.ErrnoException {
  const errno = -constants.errno[code]
  const [, description] = getSystemErrorMap().get(errno)!
  const where = (path === undefined ? '' : ` '${path}'`) + (dest === undefined ? '' : ` -> '${dest}'`)
  const details = { errno, code, syscall, ...(path === undefined ? {} : { path }), ...(dest === undefined ? {} : { dest }) }
  return Object.assign(new Error(`${code}: ${description}, ${syscall}${where}`), details)
}

/** Tells errors of the system from ours and from misuse. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: keyof typeof constants.errno } {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  return error instanceof Error && typeof errno === 'number' && typeof syscall === 'string' && Object.hasOwn(constants.errno, code!)
}

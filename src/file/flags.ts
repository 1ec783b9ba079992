import { invalidArgValue } from '../argument-errors.js'

/** What a handle may do, from the `flags` that it was opened with. */
export interface Access {
  /** The file is read, and must exist. */
  readonly read: boolean
  /** The file is written; it is made where it does not exist. */
  readonly write: boolean
  /** Writes go to the end, wherever the position is. */
  readonly append: boolean
  /** What was there is dropped. */
  readonly truncate: boolean
  /** Text is neither taken nor returned. */
  readonly binary: boolean
}

const READ = { read: true, write: false, append: false, truncate: false }
const WRITE = { read: false, write: true, append: false, truncate: true }
const APPEND = { read: false, write: true, append: true, truncate: false }

const ACCESS: ReadonlyMap<unknown, Access> = new Map([
  ['r', { ...READ, binary: false }],
  ['w', { ...WRITE, binary: false }],
  ['a', { ...APPEND, binary: false }],
  ['rb', { ...READ, binary: true }],
  ['wb', { ...WRITE, binary: true }],
  ['ab', { ...APPEND, binary: true }],
])

/** @throws TypeError `ERR_INVALID_ARG_VALUE` for flags that are not known. */
export function parseFlags(flags: unknown): Access {
  const access = ACCESS.get(flags)
  if (access === undefined) throw invalidArgValue('flags', flags, `must be one of ${[...ACCESS.keys()].join(', ')}`)
  return access
}

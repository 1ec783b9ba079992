import { constants } from 'node:fs'
import { invalidArgValue, outOfRange } from '../argument-errors.js'

/** What a handle may do, from the `flags` that it was opened with. */
export interface Access {
  /** The handle reads. */
  readonly read: boolean
  /** The handle writes. */
  readonly write: boolean
  /** Writes go to the end, wherever the position is. */
  readonly append: boolean
  /** The file is made where there is none. */
  readonly create: boolean
  /** The file must not exist. */
  readonly exclusive: boolean
  /** What was there is dropped. */
  readonly truncate: boolean
  /** Each write waits until the disk has it. */
  readonly sync: boolean
  /** Text is neither taken nor returned. */
  readonly binary: boolean
  /** Flags of the system that are its own business, such as `O_NOFOLLOW`. */
  readonly system: number
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants
/** Windows has none of these two. */
const O_SYNC = (constants.O_SYNC as number | undefined) ?? 0
const O_DSYNC = (constants.O_DSYNC as number | undefined) ?? 0
/** A hint on caches that asks for aligned buffers in return, and gains nothing here. */
const O_DIRECT = (constants.O_DIRECT as number | undefined) ?? 0
const ACCESS_MODE = O_RDONLY + O_WRONLY + O_RDWR

const NEW = O_TRUNC | O_CREAT
const END = O_APPEND | O_CREAT

/** Node's spellings, each with its letters in the order in which Node first names them. */
const SPELLINGS: ReadonlyMap<string, number> = new Map([
  ['r', O_RDONLY],
  ['rs', O_RDONLY | O_SYNC],
  ['sr', O_RDONLY | O_SYNC],
  ['r+', O_RDWR],
  ['rs+', O_RDWR | O_SYNC],
  ['sr+', O_RDWR | O_SYNC],
  ['w', O_WRONLY | NEW],
  ['wx', O_WRONLY | NEW | O_EXCL],
  ['xw', O_WRONLY | NEW | O_EXCL],
  ['w+', O_RDWR | NEW],
  ['wx+', O_RDWR | NEW | O_EXCL],
  ['xw+', O_RDWR | NEW | O_EXCL],
  ['a', O_WRONLY | END],
  ['ax', O_WRONLY | END | O_EXCL],
  ['xa', O_WRONLY | END | O_EXCL],
  ['as', O_WRONLY | END | O_SYNC],
  ['sa', O_WRONLY | END | O_SYNC],
  ['a+', O_RDWR | END],
  ['ax+', O_RDWR | END | O_EXCL],
  ['xa+', O_RDWR | END | O_EXCL],
  ['as+', O_RDWR | END | O_SYNC],
  ['sa+', O_RDWR | END | O_SYNC],
])

/** One `b`, anywhere but at the beginning: `rb`, `rb+`, `r+b`. */
const BINARY = /^([^b]+)b([^b]*)$/

/**
 * Reads the `flags` argument as Node does, with the binary spellings besides.
 *
 * @param flags - A string, a number made of `fs.constants`, or nothing for `r`.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for flags that are not known, RangeError `ERR_OUT_OF_RANGE` for numbers that are none.
 */
export function parseFlags(flags: unknown): Access {
  if (flags === undefined || flags === null) return accessOf(O_RDONLY, false)
  if (typeof flags === 'number') {
    if (!Number.isInteger(flags)) throw outOfRange('flags', 'an integer', flags)
    if (flags < 0 || flags > 2 ** 31 - 1) throw outOfRange('flags', `>= 0 && <= ${2 ** 31 - 1}`, flags)
    return accessOf(flags, false)
  }
  // Where the flags were left out.
  if (typeof flags === 'object' && 'keyManager' in flags)
    throw invalidArgValue('flags', flags, "must be text such as 'r', before the options")
  if (typeof flags !== 'string') throw invalidArgValue('flags', flags)
  const binary = BINARY.exec(flags)
  const bits = SPELLINGS.get(binary === null ? flags : binary[1]! + binary[2]!)
  if (bits === undefined) throw invalidArgValue('flags', flags)
  return accessOf(bits, binary !== null)
}

function accessOf(bits: number, binary: boolean): Access {
  const has = (flag: number): boolean => (bits & flag) !== 0
  const mode = bits & ACCESS_MODE
  // Of three values two bits can have four; the system takes the last one for both, or for an error.
  if (mode === ACCESS_MODE) throw invalidArgValue('flags', bits)
  const ours = ACCESS_MODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC | O_DIRECT
  const write = mode !== O_RDONLY
  return {
    read: mode !== O_WRONLY,
    write,
    append: write && has(O_APPEND),
    create: has(O_CREAT),
    exclusive: has(O_CREAT) && has(O_EXCL),
    truncate: has(O_TRUNC),
    sync: write && (has(O_SYNC) || has(O_DSYNC)),
    binary,
    system: bits & ~ours,
  }
}

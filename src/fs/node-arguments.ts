import { fileURLToPath } from 'node:url'
import { invalidArgType, invalidArgValue, outOfRange } from '../argument-errors.js'
import { checkContentOptions } from '../file/data-arguments.js'
import { parseFlags, type Access } from '../file/flags.js'
import type { FileTime } from '../file/io/steps.js'
import { checkInteger } from '../file/options.js'
import type { Kind } from './policy.js'

/** Arguments that node:fs takes, checked as there. */

export type Flags = string | number | null | undefined
/** Permission bits; what lies above them, as in `stats.mode`, means nothing. */
export type Mode = number | string | null | undefined

const UINT32_MAX = 2 ** 32 - 1
const PERMISSIONS = 0o7777

/** @returns the path: a string, or a Buffer for one that may be no text. */
export function checkPath(path: unknown, name = 'path'): string | Buffer {
  const checked = path instanceof URL ? fileURLToPath(path) : path instanceof Uint8Array ? Buffer.from(path) : path
  if (typeof checked !== 'string' && !Buffer.isBuffer(checked)) {
    throw invalidArgType(name, 'of type string or an instance of Buffer or URL', path)
  }
  if (checked.includes('\0')) throw invalidArgValue(name, path, 'must be a string, Uint8Array, or URL without null bytes')
  return checked
}

/** @returns permission bits; undefined where none are given. */
export function checkMode(mode: unknown): number | undefined {
  if (mode === undefined || mode === null) return undefined
  if (typeof mode === 'string' && !/^[0-7]+$/.test(mode)) {
    throw invalidArgValue('mode', mode, 'must be a 32-bit unsigned integer or an octal string.')
  }
  const bits: unknown = typeof mode === 'string' ? Number.parseInt(mode, 8) : mode
  checkInteger('mode', bits, 0, UINT32_MAX)
  return bits % (PERMISSIONS + 1)
}

/** Checks a user or a group. */
export function checkOwner(name: string, id: unknown): number {
  checkInteger(name, id, -1, UINT32_MAX)
  return id
}

/** Checks a time. @returns it as node:fs understands it: what is before the epoch is now. */
export function checkTime(name: string, time: unknown): FileTime {
  const isNumeric = Number.isFinite(time) || (typeof time === 'string' && !Number.isNaN(Number(time)))
  if (isNumeric || time instanceof Date) return time as FileTime
  throw invalidArgType(name, 'an instance of Date or Time in seconds', time)
}

/** The last argument of `readFile` and its like, checked. */
export interface ContentSettings {
  readonly encoding: BufferEncoding | undefined
  readonly flag: string | number
  readonly access: Access
  readonly mode: number | undefined
  readonly signal: AbortSignal | undefined
  readonly flush: boolean
}

/** @param flag - Where the options have none. @param kind - Nobody can abort a call that does not let go of the thread. */
export function checkContentSettings(options: unknown, flag: string, kind: Kind): ContentSettings {
  const { encoding, signal } = checkContentOptions(options)
  const given = typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : {}
  const flush = (given['flush'] as boolean | null | undefined) ?? false
  const chosen = (given['flag'] as string | number | null | undefined) || flag
  const settings = { encoding, flag: chosen, access: parseFlags(chosen), mode: checkMode(given['mode']), flush }
  return { ...settings, signal: kind === 'sync' ? undefined : signal }
}

/** Checks the last argument of `copyFile`. */
export function checkCopyMode(mode: unknown): number {
  const bits = mode ?? 0
  if (typeof bits !== 'number') throw invalidArgType('mode', 'of type number', mode)
  if (!Number.isInteger(bits)) throw outOfRange('mode', 'an integer', bits)
  if (bits < 0 || bits > 7) throw outOfRange('mode', 'an integer >= 0 && <= 7', bits)
  return bits
}

import * as errors from '../errors.js'
import { damageOf, withDamage, type Damage } from './damage.js'

/** An error as it goes from one thread to another: a structured clone would lose its class, its code and what else it tells. */
export interface PackedError {
  /** The class that it is made again of. */
  readonly type: string
  readonly message: string
  readonly stack: string | undefined
  /** What it tells besides: strings and numbers. */
  readonly details: Readonly<Record<string, string | number>>
  readonly cause: PackedError | undefined
  /** What a check of a file has found. */
  readonly damage?: Damage
}

/** All that an error of ours, of the system or for misuse may have. */
const DETAILS = ['name', 'code', 'path', 'dest', 'syscall', 'errno', 'segment']
/** UTF-16 units of each text. */
const LONGEST_TEXT = 2_048

/** By the names that errors have, which no bundler changes. */
const CLASSES = new Map<string, { readonly prototype: object }>(Object.entries({ ...errors, TypeError, RangeError }))

/**
 * @param longest - UTF-16 units of each text that are kept.
 * @returns what {@link unpackError} makes an error of that cannot be told from `value`; of something that is no error, an error.
 */
export function packError(value: unknown, longest = LONGEST_TEXT, depth = 0): PackedError {
  if (!(value instanceof Error)) {
    return { type: 'Error', message: String(value).slice(0, longest), stack: undefined, details: {}, cause: undefined }
  }
  const damage = damageOf(value)
  const entries = DETAILS.map((name) => [name, shorten((value as unknown as Readonly<Record<string, unknown>>)[name])] as const)
  return {
    type: value.name.slice(0, longest),
    message: value.message.slice(0, longest),
    stack: value.stack?.slice(0, longest),
    details: Object.fromEntries(
      entries.filter((entry): entry is [string, string | number] => ['string', 'number'].includes(typeof entry[1])),
    ),
    cause: value.cause === undefined || depth > 0 ? undefined : packError(value.cause, longest, depth + 1),
    ...(damage === undefined || depth > 0 ? {} : { damage }),
  }

  function shorten(detail: unknown): unknown {
    return typeof detail === 'string' ? detail.slice(0, longest) : detail
  }
}

/**
 * An error as JSON, without what a check has found. Its texts are cut until it fits: there are 16 at most, and of a unit come up to six bytes.
 *
 * @param size - Bytes that there are, 1,000 or more.
 */
export function errorText(error: unknown, size: number): Uint8Array {
  for (let longest = LONGEST_TEXT; ; longest /= 2) {
    const text = Buffer.from(JSON.stringify({ ...packError(error, longest), damage: undefined }))
    if (text.length <= size || longest < 1) return text
  }
}

export function unpackError(packed: unknown): Error {
  const { type, message, stack, details, cause, damage } = packed as PackedError
  const error = new Error(message)
  const known = CLASSES.get(type)
  if (known !== undefined) Object.setPrototypeOf(error, known.prototype)
  for (const [name, value] of Object.entries(details)) {
    if ((error as unknown as Readonly<Record<string, unknown>>)[name] === value) continue
    Object.defineProperty(error, name, { value, enumerable: name !== 'name', writable: true, configurable: true })
  }
  if (stack !== undefined) error.stack = stack
  if (cause !== undefined) error.cause = unpackError(cause)
  return damage === undefined ? error : withDamage(error, damage)
}

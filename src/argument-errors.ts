import { inspect } from 'node:util'

/** Errors for misuse, with the codes and the wording of Node's own. */

/** Stands in for a value that a message must not show, such as a passphrase. */
export const WITHHELD: unique symbol = Symbol('withheld')

class TypeOnly {
  constructor(readonly value: unknown) {}
}

/** Stands in for a value that may be a secret. A message tells its type: that it is missing, or a Promise that nobody waited for. */
export function typeOnly(value: unknown): unknown {
  return new TypeOnly(value)
}

/** As much as Node shows: of a value that has the wrong type, and of one that has the right one. */
const LONGEST_TYPE_SHOWN = 25
const LONGEST_SHOWN = 128

function show(value: unknown): string {
  return inspect(value, { colors: false, depth: -1 })
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text
}

function showShort(value: unknown): string {
  return shorten(inspect(value), LONGEST_SHOWN)
}

/** Node groups the digits of large integers. */
function showNumber(value: unknown): string {
  const isLarge =
    (Number.isInteger(value) && Math.abs(value as number) > 2 ** 32) ||
    (typeof value === 'bigint' && (value > 2n ** 32n || value < -(2n ** 32n)))
  return isLarge ? show(value).replace(/\B(?=(\d{3})+n?$)/g, '_') : showShort(value)
}

function describe(value: unknown): string {
  if (value instanceof TypeOnly) return describeType(value.value)
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const maker = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name
    return typeof maker === 'string' && maker !== '' ? `an instance of ${maker}` : show(value)
  }
  return `type ${typeof value} (${shorten(show(value), LONGEST_TYPE_SHOWN)})`
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `type ${typeof value}`
  const maker = Object.getPrototypeOf(value) === null ? undefined : value.constructor.name
  return maker === undefined ? 'an object' : `an instance of ${maker}`
}

function received(value: unknown, text: (value: unknown) => string): string {
  return value === WITHHELD ? '' : `. Received ${text(value)}`
}

/** `length` is an argument, `options.length` a property, as Node tells them apart. */
function kindOf(name: string): 'argument' | 'property' {
  return name.includes('.') ? 'property' : 'argument'
}

/**
 * @param expected - As it goes on after "must be": `of type number`, `an instance of URL`.
 * @returns a TypeError with code `ERR_INVALID_ARG_TYPE`.
 */
export function invalidArgType(name: string, expected: string, value: unknown): TypeError & { readonly code: string } {
  return withCode(
    new TypeError(`The "${name}" ${kindOf(name)} must be ${expected}${received(value, describe)}`),
    'ERR_INVALID_ARG_TYPE',
  )
}

/**
 * @param reason - As it goes on after the argument's name: `is invalid`, `must not be empty`.
 * @returns a TypeError with code `ERR_INVALID_ARG_VALUE`.
 */
export function invalidArgValue(name: string, value: unknown, reason = 'is invalid'): TypeError & { readonly code: string } {
  return withCode(new TypeError(`The ${kindOf(name)} '${name}' ${reason}${received(value, showShort)}`), 'ERR_INVALID_ARG_VALUE')
}

/**
 * @param range - As it goes on after "must be": `an integer`, `>= 0 && <= 255`.
 * @returns a RangeError with code `ERR_OUT_OF_RANGE`.
 */
export function outOfRange(name: string, range: string, value: unknown): RangeError & { readonly code: string } {
  const error = new RangeError(`The value of "${name}" is out of range. It must be ${range}${received(value, showNumber)}`)
  return withCode(error, 'ERR_OUT_OF_RANGE')
}

/** @returns an Error with code `ERR_INVALID_STATE`. */
export function invalidState(state: string): Error & { readonly code: string } {
  return withCode(new Error(`Invalid state: ${state}`), 'ERR_INVALID_STATE')
}

function withCode<E extends Error>(error: E, code: string): E & { readonly code: string } {
  return Object.assign(error, { code })
}

import { inspect } from 'node:util'

/** Errors for misuse, with the codes and the wording of Node's own. */

/** Stands in for a value that a message must not show, such as a passphrase. */
export const WITHHELD: unique symbol = Symbol('withheld')

const LONGEST_SHOWN = 25

function show(value: unknown): string {
  return inspect(value, { colors: false, depth: -1 })
}

function showShort(value: unknown): string {
  const text = show(value)
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const maker = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name
    return typeof maker === 'string' && maker !== '' ? `an instance of ${maker}` : show(value)
  }
  return `type ${typeof value} (${showShort(value)})`
}

function received(value: unknown, text: (value: unknown) => string): string {
  return value === WITHHELD ? '' : `. Received ${text(value)}`
}

/** `length` is an argument, `options.length` a property, as Node tells them apart. */
function nameOf(name: string): string {
  return `The "${name}" ${name.includes('.') ? 'property' : 'argument'}`
}

/**
 * @param expected - As it goes on after "must be": `of type number`, `an instance of URL`.
 * @returns a TypeError with code `ERR_INVALID_ARG_TYPE`.
 */
export function invalidArgType(name: string, expected: string, value: unknown): TypeError & { readonly code: string } {
  return withCode(new TypeError(`${nameOf(name)} must be ${expected}${received(value, describe)}`), 'ERR_INVALID_ARG_TYPE')
}

/**
 * @param reason - As it goes on after the argument's name: `is invalid`, `must not be empty`.
 * @returns a TypeError with code `ERR_INVALID_ARG_VALUE`.
 */
export function invalidArgValue(name: string, value: unknown, reason = 'is invalid'): TypeError & { readonly code: string } {
  return withCode(new TypeError(`${nameOf(name)} ${reason}${received(value, showShort)}`), 'ERR_INVALID_ARG_VALUE')
}

/**
 * @param range - As it goes on after "must be": `an integer`, `>= 0 && <= 255`.
 * @returns a RangeError with code `ERR_OUT_OF_RANGE`.
 */
export function outOfRange(name: string, range: string, value: unknown): RangeError & { readonly code: string } {
  const error = new RangeError(`The value of "${name}" is out of range. It must be ${range}${received(value, showShort)}`)
  return withCode(error, 'ERR_OUT_OF_RANGE')
}

function withCode<E extends Error>(error: E, code: string): E & { readonly code: string } {
  return Object.assign(error, { code })
}

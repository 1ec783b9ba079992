import { invalidArgType, invalidArgValue } from '../argument-errors.js'

const LONGEST_NAME = 255

/** @throws TypeError `ERR_INVALID_ARG_TYPE`. */
export function requireOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
}

/**
 * Checks text that is shown, compared and stored: 1 to 255 bytes of UTF-8 without control characters.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`.
 */
export function requireText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (value === '') throw invalidArgValue(name, value, 'must not be empty')
  if (/[\p{Cc}\p{Cs}]/u.test(value)) throw invalidArgValue(name, value, 'must not contain control characters or lone surrogates')
  if (Buffer.byteLength(value) > LONGEST_NAME) throw invalidArgValue(name, value, `must be at most ${LONGEST_NAME} bytes in UTF-8`)
  return value
}

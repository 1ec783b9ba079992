import { invalidArgType, invalidArgValue } from '../argument-errors.js'

const LONGEST_PURPOSE = 255

/**
 * Checks what a file is for. Purposes are compared byte by byte: case, accents and normal form count.
 *
 * @param purpose - 1 to 255 bytes of well-formed text without control characters.
 * @param name - What the caller called it, for messages.
 * @returns its UTF-8 bytes.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no string, `ERR_INVALID_ARG_VALUE` if it is any other text.
 */
export function validatePurpose(purpose: unknown, name = 'purpose'): Uint8Array {
  if (typeof purpose !== 'string') throw invalidArgType(name, 'of type string', purpose)
  if (purpose === '') throw invalidArgValue(name, purpose, 'must not be empty')
  if (/\p{Cs}/u.test(purpose)) throw invalidArgValue(name, purpose, 'must not contain lone surrogates')
  if (/\p{Cc}/u.test(purpose)) throw invalidArgValue(name, purpose, 'must not contain control characters')
  const bytes = Buffer.from(purpose, 'utf8')
  if (bytes.length > LONGEST_PURPOSE) throw invalidArgValue(name, purpose, `must be at most ${LONGEST_PURPOSE} bytes in UTF-8`)
  return bytes
}

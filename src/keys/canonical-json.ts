/** JSON whose only numbers are integers, in the one spelling that RFC 8785 gives it. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** Deeper nesting serves no keyring, only someone who wants the stack to overflow. */
const DEEPEST = 32

/** Tells an object from an array and from null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns a copy without some of the fields. Every other one is kept, whatever it is called. */
export function omitFields(object: JsonObject, ...names: readonly string[]): JsonObject {
  // Object.fromEntries defines, it does not assign: a field called __proto__ stays a field.
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

function quote(text: string): string {
  if (/\p{Cs}/u.test(text)) throw new TypeError('a string holds a lone surrogate')
  return JSON.stringify(text)
}

/**
 * Spells a value without white space and with the fields of each object in the order of their names' UTF-16 code units (RFC 8785).
 *
 * @throws TypeError for what has no such spelling that all languages agree on: a number that is no safe integer, minus zero,
 * a lone surrogate; and for nesting over 32 levels.
 */
export function canonicalText(value: JsonValue, depth = 0): string {
  if (depth > DEEPEST) throw new TypeError(`more than ${DEEPEST} levels of nesting`)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new TypeError('a number is no safe integer')
    return String(value)
  }
  if (!isJsonObject(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join(',')}]`
  const fields = Object.keys(value)
    .sort()
    .map((name) => `${quote(name)}:${canonicalText(value[name]!, depth + 1)}`)
  return `{${fields.join(',')}}`
}

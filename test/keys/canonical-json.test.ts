import { expect, test } from 'vitest'
import { canonicalText, omitFields, type JsonObject, type JsonValue } from '../../src/keys/canonical-json.js'

const parse = (text: string): JsonValue => JSON.parse(text) as JsonValue

test('fields are in the order of RFC 8785 §3.2.3', () => {
  // The sample of the RFC, with its values.
  const sample = String.raw`{
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
  }`
  expect(canonicalText(parse(sample))).toBe(
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
      '"\u20ac":"Euro Sign","\u{1f600}":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  )
})

test('white space, escapes and the spelling of integers do not matter', () => {
  const a = parse('{ "b" : [ 1e2, -3, true, null, "\\u0061/\\/\\n" ] , "a" : { } }')
  expect(canonicalText(a)).toBe('{"a":{},"b":[100,-3,true,null,"a//\\n"]}')
})

test('of a field that is there twice, the last counts', () => {
  expect(canonicalText(parse('{"a":1,"a":2}'))).toBe('{"a":2}')
})

test('a field called __proto__ is a field like any other', () => {
  const object = parse('{"b":1,"__proto__":{"a":1}}') as JsonObject
  expect(canonicalText(object)).toBe('{"__proto__":{"a":1},"b":1}')
  expect(canonicalText(omitFields(object, 'b'))).toBe('{"__proto__":{"a":1}}')
  expect(Object.getPrototypeOf(omitFields(object, 'b'))).toBe(Object.prototype)
})

test.each(['1.5', '-0', '9007199254740992', '1e400', '"\\ud800"', '{"\\udc00":1}', '['.repeat(40) + ']'.repeat(40)])(
  '%s is refused',
  (text) => {
    expect(() => canonicalText(parse(text))).toThrow(TypeError)
  },
)

test('the largest integer is not', () => {
  expect(canonicalText(parse('[9007199254740991,-9007199254740991]'))).toBe('[9007199254740991,-9007199254740991]')
})

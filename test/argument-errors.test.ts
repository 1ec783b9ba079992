import { openSync, readSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { invalidArgType, invalidArgValue, outOfRange, typeOnly, WITHHELD } from '../src/argument-errors.js'

/** What Node itself throws is the oracle. */
function thrownBy(call: () => unknown): Error & { code: string } {
  try {
    call()
  } catch (error) {
    return error as Error & { code: string }
  }
  throw new Error('it did not throw')
}

class Box {
  readonly value = 1
}

describe('ours read as those of Node', () => {
  test.each([3.5, 'x'.length, true, null, undefined, {}, [], new Box(), Object.create(null), Symbol('s'), 7n])(
    'a path of %o',
    (value: unknown) => {
      const node = thrownBy(() => openSync(value as never, 'r'))
      // A number that is an integer could have been a descriptor; Node takes none here either.
      const ours = invalidArgType('path', 'of type string or an instance of Buffer or URL', value)
      expect(ours.message).toBe(node.message)
      expect(ours.code).toBe(node.code)
      expect(ours).toBeInstanceOf(TypeError)
      expect(node).toBeInstanceOf(TypeError)
    },
  )

  test('a range', () => {
    const node = thrownBy(() => readSync(0, Buffer.alloc(3), 0, -1, null))
    const ours = outOfRange('length', '>= 0', -1)
    expect(ours.message).toBe(node.message)
    expect(ours.code).toBe(node.code)
    expect(ours).toBeInstanceOf(RangeError)
  })

  test.each([-(2 ** 33), -5, 2n ** 70n, -(2n ** 70n)])('a position out of range: %s', (position) => {
    const node = thrownBy(() => readSync(0, Buffer.alloc(3), 0, 1, position))
    const [, range] = /It must be (.*)\. Received/.exec(node.message)!
    expect(outOfRange('position', range!, position).message).toBe(node.message)
  })

  test('flags', () => {
    for (const flags of ['nonsense', 'x'.repeat(300), { a: 1 }, true]) {
      const node = thrownBy(() => openSync('/tmp/x', flags as string))
      expect(invalidArgValue('flags', flags).message).toBe(node.message)
      expect(invalidArgValue('flags', flags).code).toBe(node.code)
    }
  })
})

test('a property is not an argument', () => {
  expect(invalidArgType('options.limits', 'of type object', 5).message).toBe(
    'The "options.limits" property must be of type object. Received type number (5)',
  )
})

test('a value', () => {
  const error = invalidArgValue('mode', 'z', 'must be one of: a, b')
  expect(error.message).toBe(`The argument 'mode' must be one of: a, b. Received 'z'`)
  expect(error.code).toBe('ERR_INVALID_ARG_VALUE')
  expect(error).toBeInstanceOf(TypeError)
})

test('a long value is cut, a withheld one not shown', () => {
  expect(invalidArgValue('name', 'x'.repeat(1_000)).message.length).toBeLessThan(200)
  expect(invalidArgType('key', 'an instance of Uint8Array', WITHHELD).message).toBe(
    'The "key" argument must be an instance of Uint8Array',
  )
})

test.each([
  [undefined, 'undefined'],
  [null, 'null'],
  ['secret', 'type string'],
  [5, 'type number'],
  [Buffer.from('secret'), 'an instance of Buffer'],
  [Promise.resolve('secret'), 'an instance of Promise'],
  [Object.assign(Object.create(null) as object, { secret: 'secret' }), 'an object'],
])('of what may be a secret, the type is told: %j', (value, type) => {
  expect(invalidArgType('key', 'of type bigint', typeOnly(value)).message).toBe(
    `The "key" argument must be of type bigint. Received ${type}`,
  )
})

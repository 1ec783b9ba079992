import type { SeededRandom } from '../support/seeded-random.js'

/** Values at which parsers go wrong. */
const NUMBERS = [0, 1, 2, 3, 255, 256, 4_095, 4_096, 8_192, 8_193, 65_535, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]
const LARGE = [2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]
const VALUES = [null, true, '', 'a', '\u0000', '\ud800', '__proto__', [], {}, -1, 0, 1.5, 1e300, 2 ** 53, 2 ** 32]

/** @returns `bytes` with one to eight changes. @param others - What pieces are taken from. */
export function mutateBytes(bytes: Uint8Array, others: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  let result = Buffer.from(bytes)
  for (let changes = random.int(1, random.pick([1, 1, 2, 8])); changes > 0; changes--) result = change(result, others, random)
  return result
}

function change(bytes: Buffer<ArrayBuffer>, others: readonly Uint8Array[], random: SeededRandom): Buffer<ArrayBuffer> {
  const at = random.int(0, Math.max(0, bytes.length - 1))
  const length = random.int(1, random.pick([1, 4, 16, 64]))
  switch (random.int(0, 8)) {
    case 0:
      if (bytes.length > 0) bytes[at]! ^= 1 << random.int(0, 7)
      return bytes
    case 1:
      if (bytes.length > 0) bytes[at] = random.pick(NUMBERS)
      return bytes
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick(NUMBERS), at - (at % 4))
      return bytes
    case 3:
      if (at - (at % 8) + 8 <= bytes.length) bytes.writeBigUInt64BE(random.pick([...LARGE, ...NUMBERS.map(BigInt)]), at - (at % 8))
      return bytes
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(length), bytes.subarray(at)])
    case 6:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at, at + length), bytes.subarray(at + length)])
    case 7: {
      const other = random.pick(others)
      const from = random.int(0, Math.max(0, other.length - 1))
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at + length)])
    }
    default:
      return Buffer.from(bytes.subarray(0, at))
  }
}

/** @returns `bytes` with one value or key of the JSON in them changed; the same bytes where there is no JSON. */
export function mutateJson(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  let tree: unknown
  try {
    tree = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return bytes
  }
  const places: { readonly parent: object; readonly key: string }[] = []
  collect(tree, places)
  if (places.length === 0) return Buffer.from(JSON.stringify(random.pick(VALUES)))
  const { parent, key } = random.pick(places)
  const members = parent as Record<string, unknown>
  const value = members[key]
  const other = random.pick(places)
  const define = (name: string, content: unknown): void => {
    Object.defineProperty(parent, name, { value: content, writable: true, enumerable: true, configurable: true })
  }
  switch (random.int(0, 5)) {
    case 0:
      Reflect.deleteProperty(parent, key)
      break
    case 1:
      define(key, random.pick(VALUES))
      break
    case 2:
      define(key, (other.parent as Record<string, unknown>)[other.key])
      break
    case 3:
      define(random.pick([other.key, '__proto__', 'toString', `${key}s`]), value)
      break
    case 4:
      define(
        key,
        typeof value === 'number'
          ? value + random.pick([1, -1, 0.5, 2 ** 32])
          : typeof value === 'string'
            ? value.slice(1)
            : [value],
      )
      break
    default:
      if (Array.isArray(parent)) parent.push(...(random.chance(0.5) ? [value] : Array.from({ length: 70 }, () => value)))
      else define(key, typeof value === 'string' ? value + value : value)
  }
  try {
    return Buffer.from(JSON.stringify(tree))
  } catch {
    // A value was put into itself.
    return bytes
  }
}

function collect(value: unknown, places: { parent: object; key: string }[]): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    places.push({ parent: value, key })
    collect(inner, places)
  }
}

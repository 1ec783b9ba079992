/** Big-endian integers. Sizes and offsets are safe integers; the eight-byte form splits them without bitwise arithmetic. */

const TWO_32 = 2 ** 32

/** @returns `value` (0 to 255) as one byte. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(value)
}

/** @returns `value` (0 to 65,535) as two bytes. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

/** @returns `value` (0 to 2^32 - 1) as four bytes. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** @returns `value` (a safe integer, 0 or more) as eight bytes. @throws RangeError for any other value. */
export function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  putU64(bytes, 0, value)
  return bytes
}

/** Writes `value` (0 to 2^32 - 1) at `offset`. */
export function putU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

/** Writes `value` (a safe integer, 0 or more) at `offset`. @throws RangeError for any other value. */
export function putU64(bytes: Uint8Array, offset: number, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new RangeError(`${value} is no safe integer of 0 or more`)
  putU32(bytes, offset, Math.floor(value / TWO_32))
  putU32(bytes, offset + 4, value % TWO_32)
}

/** Reads fields one after the other. Reading past the end is a RangeError. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  /** @returns the value, or `Infinity` where it is no safe integer, so that every bounds check refuses it. */
  u64(): number {
    const offset = this.#advance(8)
    const value = this.#view.getUint32(offset) * TWO_32 + this.#view.getUint32(offset + 4)
    return Number.isSafeInteger(value) ? value : Infinity
  }

  /** @returns a copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const offset = this.#advance(length)
    if (!(offset + length <= this.#bytes.length)) throw new RangeError('read past the end')
    // Not slice(): that of a Buffer is no copy.
    return new Uint8Array(this.#bytes.subarray(offset, offset + length))
  }

  #advance(length: number): number {
    const offset = this.#offset
    this.#offset += length
    return offset
  }
}

/** Writes fields one after the other into an array of a fixed size. Writing past its end is a RangeError. */
export class ByteWriter {
  readonly bytes: Uint8Array
  #offset = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  u8(value: number): this {
    return this.put(u8(value))
  }

  u16(value: number): this {
    return this.put(u16(value))
  }

  u32(value: number): this {
    return this.put(u32(value))
  }

  u64(value: number): this {
    return this.put(u64(value))
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#offset)
    this.#offset += bytes.length
    return this
  }
}

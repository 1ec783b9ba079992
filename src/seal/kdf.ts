import { createHmac } from 'node:crypto'
import { hmac } from '@noble/hashes/hmac.js'
import { concatBytes, toPlainBytes } from '../bytes/arrays.js'
import { u16 } from '../bytes/integers.js'
import { nativeKey } from '../bytes/native-key.js'
import type { Kdf } from './suites.js'

/** The longest element that is framed as it is; a longer one is replaced by its digest. */
const LONGEST_FRAME = 0xfffe
const LONG_FRAME_LABEL = Buffer.from('raAE-LP-v1')

/** HMAC (RFC 2104) with the suite's hash. */
export function computeHmac(kdf: Kdf, key: Uint8Array, ...message: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac(kdf.hash, nativeKey(key))
  for (const part of message) if (part.length > 0) mac.update(part)
  return toPlainBytes(mac.digest())
}

/** HKDF-Extract (RFC 5869 §2.2). @returns Nh bytes. */
export function hkdfExtract(kdf: Kdf, salt: Uint8Array, ikm: Uint8Array): Uint8Array {
  return computeHmac(kdf, salt, ikm)
}

/** HKDF-Expand (RFC 5869 §2.3). @param length - 1 to 255 * Nh. @throws RangeError for any other length. */
export function hkdfExpand(kdf: Kdf, prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const { hashLength } = kdf
  if (!(Number.isInteger(length) && length >= 1 && length <= 255 * hashLength)) {
    throw new RangeError(`HKDF cannot give ${length} bytes`)
  }
  const output = new Uint8Array(length)
  let block: Uint8Array = new Uint8Array(0)
  for (let made = 0, counter = 1; made < length; made += hashLength, counter++) {
    const next = computeHmac(kdf, prk, block, info, Uint8Array.of(counter))
    block.fill(0)
    block = next
    output.set(block.subarray(0, length - made), made)
  }
  block.fill(0)
  return output
}

function toBytes(element: Uint8Array | string): Uint8Array {
  return typeof element === 'string' ? Buffer.from(element, 'utf8') : element
}

/** Frames each element with its length (seal.md, "Encoding and KDF"). Strings are taken as UTF-8. */
export function encode(kdf: Kdf, elements: readonly (Uint8Array | string)[]): Uint8Array {
  const contents: Uint8Array[] = []
  let size = 0
  for (const element of elements) {
    const bytes = toBytes(element)
    const content = bytes.length <= LONGEST_FRAME ? bytes : hkdfExtract(kdf, LONG_FRAME_LABEL, bytes)
    // A digest is told apart by a length that no element has.
    contents.push(content === bytes ? u16(bytes.length) : u16(0xffff), content)
    size += 2 + content.length
  }
  const encoded = new Uint8Array(size)
  let offset = 0
  for (const content of contents) {
    encoded.set(content, offset)
    offset += content.length
  }
  return encoded
}

/** The Extract half of {@link deriveKey}. */
function extract(kdf: Kdf, protocol: string, label: string, ikm: readonly Uint8Array[]): Uint8Array {
  const framed = encode(kdf, [protocol, label, ...ikm])
  const prk = hkdfExtract(kdf, toBytes(protocol), framed)
  framed.fill(0)
  return prk
}

function expandInfo(kdf: Kdf, protocol: string, label: string, info: readonly Uint8Array[], length: number): Uint8Array {
  return encode(kdf, [protocol, label, ...info, u16(length)])
}

/**
 * The KDF of SEAL: every key of this library comes from here.
 *
 * @param protocol - Separates constructions: `SEAL-RW-v1`, `SEAL-RO-v1`, or one of our own (`sealfile/v1…`).
 * @param ikm - Secret inputs, each framed on its own.
 * @param info - Public inputs, each framed on its own. An empty list and a list of one empty element differ.
 * @param length - 1 to 255 * Nh bytes of output.
 */
export function deriveKey(
  kdf: Kdf,
  protocol: string,
  label: string,
  ikm: readonly Uint8Array[],
  info: readonly Uint8Array[],
  length: number,
): Uint8Array {
  const prk = extract(kdf, protocol, label, ikm)
  const key = hkdfExpand(kdf, prk, expandInfo(kdf, protocol, label, info, length), length)
  prk.fill(0)
  return key
}

/**
 * {@link deriveKey} for one (protocol, label, ikm) and many infos of the same form: the Extract step and the hash state
 * after the key block are kept, so that one call costs two or three hash blocks. Output is Nh bytes.
 */
export class KeptKdf {
  readonly #keyed
  readonly #scratch
  readonly #message: Uint8Array
  readonly #length: number
  readonly #lengths: readonly number[]
  readonly #offsets: readonly number[]

  /** @param lengths - The length of each element of info, the same for every call; each at most 0xFFFE. */
  constructor(kdf: Kdf, protocol: string, label: string, ikm: readonly Uint8Array[], lengths: readonly number[]) {
    const prk = extract(kdf, protocol, label, ikm)
    this.#keyed = hmac.create(kdf.cloneable, prk)
    this.#scratch = this.#keyed.clone()
    prk.fill(0)
    this.#length = kdf.hashLength
    this.#lengths = lengths
    const blank = expandInfo(
      kdf,
      protocol,
      label,
      lengths.map((length) => new Uint8Array(length)),
      kdf.hashLength,
    )
    this.#message = concatBytes(blank, Uint8Array.of(1))
    const prefix = encode(kdf, [protocol, label]).length
    this.#offsets = lengths.map((_, i) => prefix + lengths.slice(0, i).reduce((sum, length) => sum + length + 2, 2))
  }

  /**
   * @param info - As many elements as lengths were given, each of its length.
   * @returns Nh bytes.
   * @throws RangeError if `info` has another form.
   */
  derive(...info: readonly Uint8Array[]): Uint8Array {
    for (let i = 0; i < this.#lengths.length; i++) {
      const element = info[i]
      if (element?.length !== this.#lengths[i]) throw new RangeError(`element ${i} of info must have ${this.#lengths[i]} bytes`)
      this.#message.set(element!, this.#offsets[i])
    }
    const output = new Uint8Array(this.#length)
    this.#keyed._cloneInto(this.#scratch).update(this.#message).digestInto(output)
    return output
  }

  /** Overwrites the kept state. */
  dispose(): void {
    this.#keyed.destroy()
    this.#scratch.destroy()
  }
}

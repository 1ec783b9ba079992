import { KeyringError } from '../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from './canonical-json.js'

/** @returns bytes as base64url without padding (RFC 4648 §5), the one form that keyrings have for them. */
export function encodeBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** Reads the fields of one JSON object in a keyring. Whatever is missing or out of shape is a KeyringError that names the field. */
export class KeyringFields {
  readonly json: JsonObject
  readonly #where: string
  readonly #path: string | undefined

  /**
   * @param where - What the object is called in messages: empty, or `slots[0]`.
   * @param path - The keyring's file.
   */
  constructor(json: JsonValue, where: string, path: string | undefined) {
    this.#where = where
    this.#path = path
    if (!isJsonObject(json)) throw this.refusal(`${where === '' ? 'the keyring' : where} is not an object`)
    this.json = json
  }

  /** @returns an error for the caller to throw. */
  refusal(reason: string, cause?: unknown): KeyringError {
    return new KeyringError('ERR_SEALFILE_KEYRING', reason, { path: this.#path, cause })
  }

  text(name: string): string {
    const value = this.#field(name)
    if (typeof value !== 'string') throw this.refusal(`${this.#name(name)} is not a string`)
    return value
  }

  /** @returns an integer from `least` to `most`. */
  integer(name: string, least: number, most: number): number {
    const value = this.#field(name)
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      throw this.refusal(`${this.#name(name)} is not an integer from ${least} to ${most}`)
    }
    return value as number
  }

  /** @returns as many bytes as asked for. Other spellings of the same bytes are refused. */
  bytes(name: string, length: number): Uint8Array {
    const text = this.text(name)
    const bytes = new Uint8Array(Buffer.from(text, 'base64url'))
    if (bytes.length !== length || encodeBytes(bytes) !== text)
      throw this.refusal(`${this.#name(name)} is not ${length} bytes in base64url`)
    return bytes
  }

  /** @returns up to `most` bytes, perhaps none. Other spellings of the same bytes are refused. */
  bytesUpTo(name: string, most: number): Uint8Array {
    const text = this.text(name)
    const bytes = new Uint8Array(Buffer.from(text, 'base64url'))
    if (bytes.length > most || encodeBytes(bytes) !== text)
      throw this.refusal(`${this.#name(name)} is not up to ${most} bytes in base64url`)
    return bytes
  }

  /** @returns whether there is a field of this name. */
  has(name: string): boolean {
    return this.#field(name) !== undefined
  }

  object(name: string): KeyringFields {
    return new KeyringFields(this.#field(name) ?? null, this.#name(name), this.#path)
  }

  /** @returns the objects in a list of 1 to `most`. */
  objects(name: string, most: number): readonly KeyringFields[] {
    const value = this.#field(name)
    if (!Array.isArray(value) || value.length < 1 || value.length > most) {
      throw this.refusal(`${this.#name(name)} is not a list of 1 to ${most} objects`)
    }
    return (value as readonly JsonValue[]).map((item, i) => new KeyringFields(item, `${this.#name(name)}[${i}]`, this.#path))
  }

  /** An own field: one that was put into a prototype is none. */
  #field(name: string): JsonValue | undefined {
    return Object.hasOwn(this.json, name) ? this.json[name] : undefined
  }

  #name(name: string): string {
    return this.#where === '' ? name : `${this.#where}.${name}`
  }
}

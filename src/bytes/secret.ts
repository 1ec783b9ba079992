import { inspect } from 'node:util'

const REDACTED = 'SecretBytes(redacted)'

/**
 * Key bytes that zeroise on dispose and print as redacted in inspect, JSON and string contexts.
 * JavaScript may keep copies that no program can reach (a moved array, a spilled register); this removes the ones it can.
 */
export class SecretBytes implements Disposable {
  readonly #bytes: Uint8Array
  #disposed = false

  /** @param bytes - Taken over, not copied: the caller gives them away. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  /**
   * Lends the bytes themselves, not a copy: use them and let go.
   *
   * @throws TypeError if they were disposed of.
   */
  expose(): Uint8Array {
    if (this.#disposed) throw new TypeError('the secret was disposed of')
    return this.#bytes
  }

  /** Overwrites the bytes with zeros. Safe to call again. */
  dispose(): void {
    this.#bytes.fill(0)
    this.#disposed = true
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}

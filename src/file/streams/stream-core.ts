/**
 * What an encrypting or decrypting stream does to its bytes, apart from the kind of stream that they come through. Holds keys: whoever
 * makes one disposes of it at the end, on error, and when nobody wants the rest.
 */
export interface StreamCore {
  /**
   * Takes the next bytes.
   *
   * @param chunk - Any length. The caller's again when the generator has ended; until then it must not change.
   * @returns what is ready to be passed on, made piece by piece as it is asked for; the pieces are the caller's, and not empty.
   */
  push(chunk: Uint8Array): Generator<Uint8Array, void, undefined>

  /** To be called once, when no more bytes come. @returns the rest, as `push` does. */
  end(): Generator<Uint8Array, void, undefined>

  /** Overwrites the keys. Safe to call again. */
  dispose(): void
}

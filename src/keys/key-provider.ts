/** What a provider is told about the key that it wraps. None of it is secret. */
export interface ProviderContext {
  /** The keyring: 16 bytes in base64url. */
  readonly keyringId: string
  /** The slot: 16 bytes in base64url. */
  readonly slotId: string
  /** Gives up. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A store or service that wraps a small key with one that it keeps: an operating system's keychain, a key-management service. A slot of
 * the keyring holds what it gave; the keyring is opened with what it gives back.
 */
export interface KeyProvider {
  /** Tells providers apart, and is written into the slot: 1 to 255 bytes of text without control characters, such as `vault-transit`. */
  readonly name: string

  /**
   * Wraps a key. It must bind the result to the keyring and the slot where the service can do that.
   *
   * @param key - 32 bytes, zeroised when this is done.
   * @returns what {@link unwrap} needs to give the key again: 0 to 4,096 bytes.
   */
  wrap(key: Uint8Array, context: ProviderContext): Promise<Uint8Array>

  /**
   * Unwraps a key.
   *
   * @returns 32 bytes, which are zeroised when they were used.
   * @throws ProviderError `ERR_SEALFILE_PROVIDER` where it cannot.
   */
  unwrap(wrapped: Uint8Array, context: ProviderContext): Promise<Uint8Array>

  /** Is told that a slot is gone for good, and may remove what it keeps for that. */
  forget?(wrapped: Uint8Array, context: ProviderContext): Promise<void>
}

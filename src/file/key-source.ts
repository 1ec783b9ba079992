/** What the wrapping of one file's key is bound to. */
export interface FileKeyRequest {
  /** The purpose that the caller opens the file for: 1 to 255 bytes of well-formed text. */
  readonly purpose: string
  /** The file's salt: 32 bytes. */
  readonly salt: Uint8Array
  /** The bytes of the header that the key check authenticates besides the wrapped key. */
  readonly header: Uint8Array
}

/** A file's DEK as it lies in a key slot. */
export interface WrappedFileKey {
  /** Which keyring wrapped it: 16 bytes. */
  readonly keyringId: Uint8Array
  /** Which of the keyring's master keys: 1 or more. */
  readonly generation: number
  /** AES-256-KWP of the DEK: 40 bytes. */
  readonly wrappedKey: Uint8Array
  /** A tag under the master key over the header and the three fields above: 16 bytes. It tells a wrong purpose from damage. */
  readonly keyCheck: Uint8Array
}

/** Where a file gets its key from: the one seam between files and key management. Its calls take microseconds and are synchronous. */
export interface KeySource {
  /**
   * Wraps a file's DEK under the newest master key.
   *
   * @param dek - 32 bytes; stays the caller's.
   * @throws ClosedError `ERR_SEALFILE_CLOSED` if the keys are gone.
   */
  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey

  /**
   * Unwraps a file's DEK.
   *
   * @returns 32 bytes, the caller's to zeroise.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if another keyring wrapped it; `ERR_SEALFILE_NO_GENERATION` if this one did, under a
   * generation that it does not have.
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` if this keyring wrapped it and the header was altered since.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_PURPOSE` if all of that is right and the purpose is another.
   * @throws ClosedError `ERR_SEALFILE_CLOSED` if the keys are gone.
   */
  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array

  /**
   * Is called before a file is opened by a call that waits, and may get keys that are not there now, such as by asking for a passphrase.
   *
   * @returns undefined where there is nothing to wait for.
   */
  prepare?(): PromiseLike<void> | undefined
}

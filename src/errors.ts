/** Every code that an error of this library can carry. Codes are stable; messages are not. */
export type SealfileErrorCode =
  | 'ERR_SEALFILE_FORMAT'
  | 'ERR_SEALFILE_FORMAT_HEADER'
  | 'ERR_SEALFILE_FORMAT_VERSION'
  | 'ERR_SEALFILE_WRONG_KEY'
  | 'ERR_SEALFILE_WRONG_PURPOSE'
  | 'ERR_SEALFILE_NO_GENERATION'
  | 'ERR_SEALFILE_RECOVERY_KEY'
  | 'ERR_SEALFILE_CORRUPTED'
  | 'ERR_SEALFILE_TRUNCATED'
  | 'ERR_SEALFILE_ROLLED_BACK'
  | 'ERR_SEALFILE_LOCKED'
  | 'ERR_SEALFILE_LIMIT'
  | 'ERR_SEALFILE_KEYRING'
  | 'ERR_SEALFILE_KEYRING_VERSION'
  | 'ERR_SEALFILE_KEYRING_SLOT'
  | 'ERR_SEALFILE_GENERATION_IN_USE'
  | 'ERR_SEALFILE_WEAK_PASSPHRASE'
  | 'ERR_SEALFILE_PROVIDER'
  | 'ERR_SEALFILE_KEY_DERIVATION'
  | 'ERR_SEALFILE_CLOSED'
  | 'ERR_SEALFILE_KEYS_LOCKED'
  | 'ERR_SEALFILE_MIGRATION'
  | 'ERR_SEALFILE_PACKAGE_MISSING'
  | 'ERR_SEALFILE_BATCH_SOURCE'
  | 'ERR_SEALFILE_BATCH_TARGET'
  | 'ERR_SEALFILE_BATCH_WORKER'
  | 'ERR_SEALFILE_CONFIG'
  | 'ERR_SEALFILE_PACKAGE'
  | 'ERR_SEALFILE_COMPRESSION'
  | 'ERR_SEALFILE_BATCH_MANIFEST'

/** What an error may tell besides its message. */
export interface SealfileErrorDetails {
  /** The file that the error is about. */
  readonly path?: string | undefined
  /** What led to it. */
  readonly cause?: unknown
}

/** The base of all errors of this library. System errors (`ENOENT`, …) and misuse (`TypeError`, `RangeError`) are not among them. */
export class SealfileError<Code extends SealfileErrorCode = SealfileErrorCode> extends Error {
  /** The name of the class. */
  override readonly name: string = 'SealfileError'
  /** Stable; what to test for. */
  readonly code: Code
  /** The file that the error is about, where one is. */
  readonly path?: string

  constructor(code: Code, message: string, details: SealfileErrorDetails = {}) {
    super(details.path === undefined ? message : `${message}, file '${details.path}'`)
    if (details.cause !== undefined) this.cause = details.cause
    if (details.path !== undefined) this.path = details.path
    this.code = code
  }
}

/** Data could not be encrypted, or not be encrypted safely. */
export class EncryptionError<Code extends SealfileErrorCode = SealfileErrorCode> extends SealfileError<Code> {
  override readonly name: string = 'EncryptionError'
}

/** A limit was reached: the encryption budget of a file, or a cost that the caller did not allow. */
export class LimitError extends EncryptionError<'ERR_SEALFILE_LIMIT'> {
  override readonly name = 'LimitError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_LIMIT', message, details)
  }
}

/** Data could not be decrypted: the key is wrong ({@link InvalidKeyError}) or the file is damaged ({@link CorruptedFileError}). */
export class DecryptionError<Code extends SealfileErrorCode = SealfileErrorCode> extends SealfileError<Code> {
  override readonly name: string = 'DecryptionError'
}

/** The key, the passphrase, the purpose or the context is not the one that the file or keyring was made with. */
export class InvalidKeyError extends DecryptionError<
  'ERR_SEALFILE_WRONG_KEY' | 'ERR_SEALFILE_WRONG_PURPOSE' | 'ERR_SEALFILE_NO_GENERATION' | 'ERR_SEALFILE_RECOVERY_KEY'
> {
  override readonly name = 'InvalidKeyError'
}

/** A segment was altered, moved, dropped or truncated. Its plaintext is withheld. */
export class CorruptedFileError extends DecryptionError<'ERR_SEALFILE_CORRUPTED' | 'ERR_SEALFILE_TRUNCATED'> {
  override readonly name = 'CorruptedFileError'
  /** Zero-based index of the first segment that failed, where the damage is in one. */
  readonly segment?: number

  constructor(
    code: 'ERR_SEALFILE_CORRUPTED' | 'ERR_SEALFILE_TRUNCATED',
    message: string,
    details: SealfileErrorDetails & { readonly segment?: number | undefined } = {},
  ) {
    super(code, message, details)
    if (details.segment !== undefined) this.segment = details.segment
  }
}

/** The file is genuine, and older than one that was there before; or another file is in its place, or none. */
export class RollbackError extends DecryptionError<'ERR_SEALFILE_ROLLED_BACK'> {
  override readonly name = 'RollbackError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_ROLLED_BACK', message, details)
  }
}

/** The file is not one of ours, its header is damaged, or its version is newer than this library. */
export class InvalidFileFormatError extends SealfileError<
  'ERR_SEALFILE_FORMAT' | 'ERR_SEALFILE_FORMAT_HEADER' | 'ERR_SEALFILE_FORMAT_VERSION'
> {
  override readonly name = 'InvalidFileFormatError'
}

/** Another handle or process has the file open for writing. */
export class LockedError extends SealfileError<'ERR_SEALFILE_LOCKED'> {
  override readonly name = 'LockedError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_LOCKED', message, details)
  }
}

/** The keyring file is damaged, not a keyring, or does not allow what was asked of it. */
export class KeyringError extends SealfileError<
  'ERR_SEALFILE_KEYRING' | 'ERR_SEALFILE_KEYRING_VERSION' | 'ERR_SEALFILE_KEYRING_SLOT' | 'ERR_SEALFILE_GENERATION_IN_USE'
> {
  override readonly name = 'KeyringError'
}

/** A new passphrase is refused because it would be guessed. */
export class WeakPassphraseError extends SealfileError<'ERR_SEALFILE_WEAK_PASSPHRASE'> {
  override readonly name = 'WeakPassphraseError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_WEAK_PASSPHRASE', message, details)
  }
}

/** A key provider could not wrap or unwrap a key. */
export class ProviderError extends SealfileError<'ERR_SEALFILE_PROVIDER'> {
  override readonly name = 'ProviderError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_PROVIDER', message, details)
  }
}

/** Argon2id could not run: the worker failed, or memory ran out. */
export class KeyDerivationError extends SealfileError<'ERR_SEALFILE_KEY_DERIVATION'> {
  override readonly name = 'KeyDerivationError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_KEY_DERIVATION', message, details)
  }
}

/** The key manager was closed, or has locked itself, and its keys are gone. */
export class ClosedError extends SealfileError<'ERR_SEALFILE_CLOSED' | 'ERR_SEALFILE_KEYS_LOCKED'> {
  override readonly name = 'ClosedError'
}

/** A file was not taken over from another format, and its source is as it was. */
export class MigrationError extends SealfileError<'ERR_SEALFILE_MIGRATION'> {
  override readonly name = 'MigrationError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_MIGRATION', message, details)
  }
}

/** An npm package is not installed that only some users need. */
export class PackageMissingError extends SealfileError<'ERR_SEALFILE_PACKAGE_MISSING'> {
  override readonly name = 'PackageMissingError'

  constructor(message: string, details?: SealfileErrorDetails) {
    super('ERR_SEALFILE_PACKAGE_MISSING', message, details)
  }
}

/**
 * A file was left out of a batch: its source has changed, its target has another's name, or the threads that worked on it died. Or the
 * manifest that was given is another batch's.
 */
export class BatchError extends SealfileError<
  'ERR_SEALFILE_BATCH_SOURCE' | 'ERR_SEALFILE_BATCH_TARGET' | 'ERR_SEALFILE_BATCH_WORKER' | 'ERR_SEALFILE_BATCH_MANIFEST'
> {
  override readonly name = 'BatchError'
}

/** A configuration cannot be read, says what it must not, or says nothing of a file. */
export class ConfigError extends SealfileError<'ERR_SEALFILE_CONFIG'> {
  override readonly name = 'ConfigError'
  /** The keys that are wrong, such as `purposes[2].pattern`. */
  readonly keys: readonly string[]

  constructor(message: string, details: SealfileErrorDetails & { readonly keys?: readonly string[] } = {}) {
    super('ERR_SEALFILE_CONFIG', message, details)
    this.keys = details.keys ?? []
  }
}

/** A package is not as it was made, or none, or cannot be opened by this runtime. */
export class PackageError extends SealfileError<'ERR_SEALFILE_PACKAGE' | 'ERR_SEALFILE_COMPRESSION'> {
  override readonly name = 'PackageError'
}

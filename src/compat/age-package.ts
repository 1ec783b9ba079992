import { loadOptionalPackage } from '../keys/optional-package.js'

/** The part of the package `age-encryption` that is used. It is written out, so that our types do not need the package. */

/** A stanza of an age header. */
export interface AgeStanza {
  /** Its type, and what the type says. */
  readonly args: string[]
  /** The wrapped key. */
  readonly body: Uint8Array
}

/** What wraps an age file's key: an object of `age-encryption`, or one like it. */
export interface AgeRecipient {
  /** Wraps the key of a file. */
  wrapFileKey(fileKey: Uint8Array): AgeStanza[] | Promise<AgeStanza[]>
}

/** What unwraps an age file's key: an object of `age-encryption`, or one like it. */
export interface AgeIdentity {
  /** Unwraps the key of a file; null where no stanza is for this identity. */
  unwrapFileKey(stanzas: AgeStanza[]): Uint8Array | null | Promise<Uint8Array | null>
}

/** What the package exports. */
export interface AgePackage {
  readonly Encrypter: new () => {
    addRecipient(recipient: string | AgeRecipient): void
    encrypt(file: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>>
  }
  readonly Decrypter: new () => {
    addIdentity(identity: string | AgeIdentity): void
    decrypt(file: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>>
  }
  readonly Stanza: new (args: string[], body: Uint8Array) => AgeStanza
}

/** Imports the package when it is first needed. @throws PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING`. */
export function loadAge(): Promise<AgePackage> {
  return loadOptionalPackage('age-encryption', () => import('age-encryption'), 'an age file')
}

export * from './errors.js'
export {
  EncryptedFile,
  type ReadResult,
  type ReadVectorResult,
  type WriteResult,
  type WriteVectorResult,
} from './file/encrypted-file.js'
export type { EncryptedFileSync } from './file/encrypted-file-sync.js'
export type { ContentOptions, LineOptions, Position, ReadOptions, WriteOptions } from './file/data-arguments.js'
export type { ReadStreamOptions, WriteStreamOptions } from './file/handle-streams.js'
export type { Whence } from './file/session.js'
export type { WebStreamOptions } from './file/web-stream.js'
export type { WholeFileOptions } from './file/whole-file.js'
export type { FileKeyRequest, KeySource, WrappedFileKey } from './file/key-source.js'
export type { OpenOptions } from './file/options.js'
export type { CipherName } from './seal/suites.js'
export type { FileTime, PathLike } from './file/io/steps.js'
export type { Argon2Limits, Argon2Parameters, Argon2Profile } from './keys/argon2-parameters.js'
export { KeyManager, type CreateKeyManagerOptions, type OpenKeyManagerOptions } from './keys/key-manager.js'
export type { KeyringPath } from './keys/keyring-file.js'

export * from './errors.js'
export { EncryptedFile } from './file/encrypted-file.js'
export type {
  Content,
  EncryptedHandle,
  HandleEvents,
  Pieces,
  ReadResult,
  ReadVectorResult,
  StatOptions,
  WriteResult,
  WriteVectorResult,
} from './file/encrypted-handle.js'
export { ciphertextRange, type ByteRange, type FileInfo, type FileInspection, type PendingSegment } from './file/file-info.js'
export type { BadSegment, Control, Progress, StateReport } from './file/engine/verifier.js'
export type { Freshness, KeptState } from './file/freshness.js'
export { FreshnessFile, type FreshnessFileOptions } from './file/freshness-file.js'
export type { SalvageReport, Stretch } from './file/salvage.js'
export type { EncryptedFileSync } from './file/encrypted-file-sync.js'
export type { ContentOptions, LineOptions, Position, ReadFileOptions, ReadOptions, WriteOptions } from './file/data-arguments.js'
export type { ReadStreamOptions, WriteStreamOptions } from './file/handle-streams.js'
export type { VerifyReport, Whence } from './file/session.js'
export type { WebStreamOptions } from './file/web-stream.js'
export type { WholeFileOptions } from './file/whole-file.js'
export type { FileKeyRequest, KeySource, WrappedFileKey } from './file/key-source.js'
export type { OpenOptions } from './file/options.js'
export type { ContainerKind } from './container/preamble.js'
export type { CipherName } from './seal/suites.js'
export type { ByteSource } from './file/io/source-disk.js'
export type { FileTime, PathLike } from './file/io/steps.js'
export type { Argon2Limits, Argon2Parameters, Argon2Profile } from './keys/argon2-parameters.js'
export type {
  FileKeyChangeMessage,
  FileMessage,
  KeyPlace,
  KeyringChangeMessage,
  LockMessage,
  UnlockFailedMessage,
  UnlockMessage,
} from './audit-channels.js'
export type { Credential } from './keys/credentials.js'
export { KeyManager } from './keys/key-manager.js'
export type {
  ChangePassphraseOptions,
  CreateKeyManagerOptions,
  KeyManagerSummary,
  LockOptions,
  NewPassphraseOptions,
  NewRecoveryKey,
  NewSlotOptions,
  OpenKeyManagerOptions,
  SlotInfo,
} from './keys/key-manager-options.js'
export type { KeyProvider, ProviderContext } from './keys/key-provider.js'
export type { KeyringChangeOptions } from './keys/keyring-store.js'
export { calibrate, type Argon2Run, type CalibrateOptions, type Calibration } from './keys/calibrate.js'
export type { KeyringPath } from './keys/keyring-file.js'
export type { PurposeOption, Purposes } from './keys/rotation/purposes.js'
export type { ReencryptOptions, ReencryptOutcome, ReencryptProgress, ReencryptReport } from './keys/rotation/reencrypt.js'
export type { RetireOptions } from './keys/rotation/retire.js'
export type { RewrapOptions, RewrapOutcome, RewrapReport } from './keys/rotation/rewrap.js'
export type { RotatingKeys } from './keys/rotation/rotating-keys.js'
export type { FileFailure, Roots, Tally, TreeOptions, TreeReport } from './keys/rotation/work-through.js'
export type { PassphraseCheck } from './keys/passphrase-check.js'
export { createDecryptStream, createEncryptStream } from './file/streams/transforms.js'
export { createDecryptTransformStream, createEncryptTransformStream } from './file/streams/web-transforms.js'
export type {
  DecryptStreamOptions,
  DecryptTransformStreamOptions,
  EncryptStreamOptions,
  EncryptTransformStreamOptions,
} from './file/streams/stream-options.js'

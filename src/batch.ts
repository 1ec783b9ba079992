export { decryptBatch, encryptBatch, verifyBatch } from './batch/batch.js'
export type {
  BatchOptions,
  BatchReport,
  DecryptBatchOptions,
  EncryptBatchOptions,
  PackageReport,
  VerifyBatchOptions,
} from './batch/batch-options.js'
export {
  compareBatch,
  type BatchComparison,
  type CompareBatchOptions,
  type PolicyComparison,
  type PolicyTimes,
} from './batch/compare-batch.js'
export type { Compression } from './batch/package/compression.js'
export type { PackedFolder } from './batch/package/manifest.js'
export type {
  ListPackageOptions,
  PackageLimits,
  PackageOptions,
  PackBatchOptions,
  UnpackBatchOptions,
} from './batch/package/package-options.js'
export { listPackage, packBatch, unpackBatch } from './batch/package/packages.js'
export type { ListedFile, ListedMember } from './batch/package/packages.js'
export { BatchControl } from './batch/control.js'
export type { BadSegments } from './batch/damage.js'
export {
  VerifyBatchReport,
  type FileProblem,
  type PathJson,
  type ProblemKind,
  type VerifyBatchJson,
} from './batch/verify-report.js'
export { glob, Glob, type GlobOptions } from './batch/glob.js'
export type { BatchInput, BatchInputs } from './batch/inputs.js'
export type { BatchProgress } from './batch/progress.js'
export type { BatchTuning } from './batch/tuning/batch-tuning.js'
export { tuneBatch, type TuneBatchOptions } from './batch/tuning/tune-batch.js'
export type { Machine } from './batch/tuning/machine.js'
export type { Policy } from './batch/task-queue.js'
export type { ForEachPath, SkippedEntry } from './compat/migrate-directory.js'
export type { FileFailure } from './keys/rotation/work-through.js'
export type { Path } from './compat/paths.js'

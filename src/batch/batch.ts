import {
  resolveBatchOptions,
  type BatchReport,
  type DecryptBatchOptions,
  type EncryptBatchOptions,
  type VerifyBatchOptions,
} from './batch-options.js'
import { BatchRun } from './batch-run.js'
import type { BatchInputs } from './inputs.js'
import { VerifyBatchReport } from './verify-report.js'

/**
 * Encrypts files and folders into a target folder, on several threads. Of an input folder all that is in it is taken, under the paths that
 * it has there, empty folders, too; an input file is taken under its name. Symbolic links that are met in a folder, and special files, are
 * left alone and told of. Each file is written beside its place, and takes it when it is whole.
 *
 * @param inputs - Files, folders, and patterns from {@link glob}. They are only read.
 * @returns what was done, and what failed: one file's failure does not keep others from being done.
 * @throws TypeError or RangeError for options that cannot be, such as a target inside an input; an AbortError; ClosedError; with
 * `stopOnError` whatever fails first; BatchError `ERR_SEALFILE_BATCH_WORKER` where no thread stays alive.
 *
 * @example
 * ```ts
 * const { failures } = await encryptBatch('photos', { target: 'photos-encrypted', keyManager, purpose: 'photos' })
 * ```
 */
export async function encryptBatch(inputs: BatchInputs, options: EncryptBatchOptions): Promise<BatchReport> {
  return new BatchRun(resolveBatchOptions('encrypt', inputs, options)).run()
}

/**
 * Decrypts files and folders into a target folder, on several threads, as {@link encryptBatch} encrypts them. A file takes its place once all
 * of it has authenticated, each segment and the snapshot.
 *
 * @param inputs - Files, folders, and patterns from {@link glob}. They are only read.
 * @returns what was done, and what failed: one file's failure does not keep others from being done.
 * @throws what {@link encryptBatch} throws.
 */
export async function decryptBatch(inputs: BatchInputs, options: DecryptBatchOptions): Promise<BatchReport> {
  return new BatchRun(resolveBatchOptions('decrypt', inputs, options)).run()
}

/**
 * Checks files and folders on several threads, and writes nothing: of each file every segment, and the snapshot over all, which shows that
 * an older version of one was put back.
 *
 * @param inputs - Files, folders, and patterns from {@link glob}.
 * @returns what is wrong with which file. `toString()` is a summary for a person; `JSON.stringify` it for a program.
 * @throws TypeError or RangeError for options that cannot be; an AbortError; ClosedError; BatchError `ERR_SEALFILE_BATCH_WORKER` where no
 * thread stays alive.
 *
 * @example
 * ```ts
 * const report = await verifyBatch('photos-encrypted', { keyManager, purpose: 'photos' })
 * if (!report.ok) console.error(report.toString())
 * ```
 */
export async function verifyBatch(inputs: BatchInputs, options: VerifyBatchOptions): Promise<VerifyBatchReport> {
  return new VerifyBatchReport(await new BatchRun(resolveBatchOptions('verify', inputs, options)).run())
}

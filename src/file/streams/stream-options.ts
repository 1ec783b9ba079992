import { invalidArgType } from '../../argument-errors.js'
import { resolveOpenOptions, type OpenOptions, type ResolvedOptions } from '../options.js'

/** How to decrypt a stream. */
export interface DecryptStreamOptions extends Pick<OpenOptions, 'keyManager' | 'purpose' | 'context'> {
  /** Destroys the stream with an AbortError. */
  readonly signal?: AbortSignal | undefined
}

/** How to encrypt a stream. */
export interface EncryptStreamOptions extends DecryptStreamOptions, Pick<OpenOptions, 'segmentSize' | 'cipher'> {}

/** {@link DecryptStreamOptions} of a Web stream, whose signal `pipeTo` and `pipeThrough` take. */
export type DecryptTransformStreamOptions = Omit<DecryptStreamOptions, 'signal'>

/** {@link EncryptStreamOptions} of a Web stream, whose signal `pipeTo` and `pipeThrough` take. */
export type EncryptTransformStreamOptions = Omit<EncryptStreamOptions, 'signal'>

/**
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`, naming the option.
 */
export function resolveEncryptOptions(options: EncryptTransformStreamOptions): ResolvedOptions {
  checkObject(options)
  const { keyManager, purpose, context, segmentSize, cipher } = options
  return resolveOpenOptions({ keyManager, purpose, context, segmentSize, cipher })
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, naming the option. */
export function resolveDecryptOptions(options: DecryptTransformStreamOptions): ResolvedOptions {
  checkObject(options)
  const { keyManager, purpose, context } = options
  return resolveOpenOptions({ keyManager, purpose, context })
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`. */
export function resolveSignal({ signal }: DecryptStreamOptions): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidArgType('options.signal', 'an instance of AbortSignal', signal)
}

function checkObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
}

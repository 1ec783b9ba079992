import type { Transformer } from 'node:stream/web'
import { types } from 'node:util'
import { invalidArgType, WITHHELD } from '../../argument-errors.js'
import { bytesOf } from '../data-arguments.js'
import type { StreamCore } from './stream-core.js'
import { StreamOpener } from './stream-opener.js'
import { resolveDecryptOptions, resolveEncryptOptions } from './stream-options.js'
import type { DecryptTransformStreamOptions, EncryptTransformStreamOptions } from './stream-options.js'
import { StreamSealer } from './stream-sealer.js'

/**
 * `createEncryptStream` as a Web stream.
 *
 * @param options - As for `createEncryptStream`; a signal goes to `pipeTo` or `pipeThrough`.
 * @returns a TransformStream. ArrayBuffers and views of them go in; any other chunk, text too, ends the stream with a TypeError
 *   `ERR_INVALID_ARG_TYPE`. All of a chunk is encrypted at once: cut data that lies in memory into chunks of moderate length.
 * @throws as `createEncryptStream` does.
 *
 * @example
 * ```ts
 * const body = file.stream().pipeThrough(createEncryptTransformStream({ keyManager, purpose: 'upload' }))
 * await fetch(url, { method: 'PUT', body, duplex: 'half' })
 * ```
 */
export function createEncryptTransformStream(
  options: EncryptTransformStreamOptions,
): TransformStream<ArrayBuffer | ArrayBufferView, Uint8Array> {
  return createTransformStream(new StreamSealer(resolveEncryptOptions(options)))
}

/**
 * `createDecryptStream` as a Web stream: what would destroy that one rejects the reads, writes and pipes of this one.
 *
 * @param options - As for `createDecryptStream`; a signal goes to `pipeTo` or `pipeThrough`.
 * @returns a TransformStream: ciphertext goes in, as ArrayBuffers and views of them; plaintext comes out one segment at a time.
 * @throws as `createDecryptStream` does.
 *
 * @example
 * ```ts
 * const response = await fetch(url)
 * const plaintext = response.body.pipeThrough(createDecryptTransformStream({ keyManager, purpose: 'upload' }))
 * ```
 */
export function createDecryptTransformStream(
  options: DecryptTransformStreamOptions,
): TransformStream<ArrayBuffer | ArrayBufferView, Uint8Array> {
  return createTransformStream(new StreamOpener(resolveDecryptOptions(options)))
}

/** The part of a transformer that the types do not know: the reader cancels, or the writer aborts. */
interface CancelableTransformer extends Transformer<ArrayBuffer | ArrayBufferView, Uint8Array> {
  cancel(): void
}

function createTransformStream(core: StreamCore): TransformStream<ArrayBuffer | ArrayBufferView, Uint8Array> {
  const transformer: CancelableTransformer = {
    transform(chunk, controller) {
      try {
        for (const piece of core.push(checkChunk(chunk))) controller.enqueue(piece)
      } catch (error) {
        core.dispose()
        throw error
      }
    },
    flush(controller) {
      try {
        for (const piece of core.end()) controller.enqueue(piece)
      } finally {
        core.dispose()
      }
    },
    cancel: () => core.dispose(),
  }
  return new TransformStream(transformer)
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`. */
function checkChunk(chunk: unknown): Uint8Array {
  if (ArrayBuffer.isView(chunk)) return bytesOf(chunk)
  if (types.isArrayBuffer(chunk)) return new Uint8Array(chunk)
  throw invalidArgType('chunk', 'an instance of ArrayBuffer or ArrayBufferView', WITHHELD)
}

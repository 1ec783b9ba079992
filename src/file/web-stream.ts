import { ReadableStream, type ReadableByteStreamController, type UnderlyingByteSource } from 'node:stream/web'
import { invalidArgType } from '../argument-errors.js'
import type { Hold, StreamableHandle } from './handle-streams.js'

/** The options of `readableWebStream`, as those of Node's FileHandle. */
export interface WebStreamOptions {
  /** Close the handle when the stream ends. @defaultValue false */
  readonly autoClose?: boolean | undefined
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkWebStreamOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
  const { autoClose } = options as { readonly autoClose?: unknown }
  if (autoClose !== undefined && typeof autoClose !== 'boolean')
    throw invalidArgType('options.autoClose', 'of type boolean', autoClose)
}

/** Bytes that are read at once for a reader that brings no buffer. */
const CHUNK_LENGTH = 16_384

/** @returns a byte stream from where the last read of `handle` ended to the end of the file. */
export function openWebStream(
  handle: StreamableHandle,
  hold: Hold,
  { autoClose = false }: WebStreamOptions,
): ReadableStream<Uint8Array> {
  let controller: ReadableByteStreamController
  let isDone = false
  const finish = async (): Promise<void> => {
    if (isDone) return
    isDone = true
    handle.off('close', end)
    hold.release()
    if (autoClose) await handle.close()
  }
  const end = (): void => {
    const request = controller.byobRequest
    controller.close()
    request?.respond(0)
    void finish()
  }
  const source: UnderlyingByteSource = {
    type: 'bytes',
    autoAllocateChunkSize: CHUNK_LENGTH,
    start: (given) => {
      controller = given
    },
    pull: async () => {
      const request = controller.byobRequest!
      const view = request.view as Uint8Array
      let bytesRead
      try {
        ;({ bytesRead } = await handle.read(view, 0, view.byteLength, null))
      } catch (error) {
        await finish()
        throw error
      }
      if (isDone) return // the handle was closed meanwhile
      if (bytesRead === 0) {
        controller.close()
        await finish()
      }
      request.respond(bytesRead)
    },
    cancel: finish,
  }
  hold.retain()
  handle.on('close', end)
  return new ReadableStream(source)
}

import { MessageChannel, type MessagePort } from 'node:worker_threads'

/** Smaller arrays are left to the garbage collector. */
const SMALLEST_RELEASED = 4_096

/** A port without a peer: what is transferred to it is detached and dropped (HTML Standard, "message port post message steps"). */
let sink: MessagePort | undefined

function detach(buffer: ArrayBuffer & { transfer?: (length: number) => ArrayBuffer }): void {
  if (buffer.transfer !== undefined) {
    buffer.transfer(0)
    return
  }
  if (sink === undefined) {
    sink = new MessageChannel().port1
    sink.close()
  }
  sink.postMessage(undefined, [buffer])
}

/**
 * Gives the memory of a large array back now, instead of when the garbage collector comes by: V8 lets tens of MiB of dead buffers
 * gather, and memory that was just used is still in the cache. Does nothing to a view of a part of something larger.
 *
 * @param bytes - Must not be used again.
 */
export function releaseMemory(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (bytes.length >= SMALLEST_RELEASED && bytes.length === buffer.byteLength && buffer instanceof ArrayBuffer) detach(buffer)
}

import fs from 'node:fs'

/**
 * Calls that change a file and that another thread makes. When the process exits nothing tells that they have ended any more, and
 * whatever is written then, they could come to lie over it, or cut it off.
 */

/** The question whether such a call is done, for each that goes on. */
const underWay = new Set<() => boolean>()

/**
 * Milliseconds for which an exiting process waits in all. It ends only once its threads have done their work in any case; but a call that
 * failed is waited for in vain.
 */
const PATIENCE_MS = 10_000
const clock = new Int32Array(new SharedArrayBuffer(4))
let deadline: number | undefined

/**
 * Watches a call until it calls back.
 *
 * @param isDone - Tells from the file whether it has done its work.
 * @returns the callback to give it.
 */
export function watchChange<A extends unknown[]>(
  isDone: () => boolean,
  callback: (...results: A) => void,
): (...results: A) => void {
  underWay.add(isDone)
  return (...results) => {
    underWay.delete(isDone)
    callback(...results)
  }
}

/** Waits, without the event loop, until all changes are done that go on. */
export function waitForChanges(): void {
  deadline ??= Date.now() + PATIENCE_MS
  for (const isDone of underWay) {
    while (Date.now() < deadline && !isDone()) Atomics.wait(clock, 0, 0, 1)
  }
}

/** Bytes by which a write is known: a commit record as a whole, or a segment's tag and what is before it. */
const TAIL_LENGTH = 256

/**
 * Tells of a write, which goes from the first byte to the last, whether its end is in the file. Keeps no hold on `buffers`: who has written
 * them gives their memory back.
 */
export function endIsWritten(fd: number, buffers: readonly Uint8Array[], position: number): () => boolean {
  const last = buffers.at(-1)!
  const tail = Buffer.from(last.subarray(-TAIL_LENGTH))
  const start = buffers.reduce((sum, { length }) => sum + length, position) - tail.length
  return () => {
    const found = Buffer.allocUnsafe(tail.length)
    return orClosed(() => fs.readSync(fd, found, 0, found.length, start) === found.length && found.equals(tail))
  }
}

export function isCutTo(fd: number, size: number): boolean {
  return orClosed(() => fs.fstatSync(fd).size === size)
}

function orClosed(isDone: () => boolean): boolean {
  try {
    return isDone()
  } catch {
    return true
  }
}

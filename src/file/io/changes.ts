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

/** Watches a call until it has ended. @param isDone - Tells from the file whether it has done its work. */
export async function watchChange<T>(change: Promise<T>, isDone: () => boolean): Promise<T> {
  underWay.add(isDone)
  try {
    return await change
  } finally {
    underWay.delete(isDone)
  }
}

/** Waits, without the event loop, until all changes are done that go on. */
export function waitForChanges(): void {
  deadline ??= Date.now() + PATIENCE_MS
  for (const isDone of underWay) {
    while (Date.now() < deadline && !isDone()) Atomics.wait(clock, 0, 0, 1)
  }
}

/** @returns whether `buffers` lie at `position`, to which they are written from the first byte to the last, and nobody else writes them. */
export function areWritten(fd: number, buffers: readonly Uint8Array[], position: number): boolean {
  const last = buffers.at(-1)!
  const end = buffers.reduce((sum, { length }) => sum + length, position)
  const found = Buffer.allocUnsafe(last.length)
  return orClosed(() => fs.readSync(fd, found, 0, found.length, end - found.length) === found.length && found.equals(last))
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

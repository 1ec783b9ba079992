import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import { io, undoOnError, writeFully, type Steps } from '../file/io/steps.js'
import { acquireLock, lockPath, releaseLock } from '../file/engine/lock.js'
import { createSuccessor, discardSuccessor, publishSuccessor, statIfThere, type SuccessorFile } from '../file/successor-file.js'
import { systemError } from '../file/io/system-errors.js'

/** Files as they lie on the disk, read in pieces and replaced as a whole. */

/** A pipe must not hold us up. Windows does not know the flag. */
const NO_WAIT = (constants.O_NONBLOCK as number | undefined) ?? 0
/** Bytes that are read at once. */
export const PIECE_SIZE = 2 ** 18

/**
 * Reads a part of a file.
 *
 * @param end - Behind the last byte. A file that ends before that gives fewer.
 * @returns pieces of 256 KiB but for the last; each is the caller's.
 */
export async function* readPieces(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = start; position < end;) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, end - position))
    const length = await readFully(file, piece, position)
    if (length === 0) return
    yield piece.subarray(0, length)
    position += length
  }
}

/** Reads until `buffer` is full or the file ends. @returns bytes read. */
export async function readFully(file: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Permission bits where there is no file yet. */
  readonly mode: number
  /** Milliseconds to wait for another writer. */
  readonly lockTimeout: number
  /** The file must not exist. */
  readonly isExclusive?: boolean
}

/**
 * Writes a whole file in the place of what was there, in one step: at every moment, also after a crash or a failure on the way, the
 * old content or the new is there. Returns when the disk has it. Symbolic links are followed.
 *
 * @param pieces - What it throws leaves the old file as it was.
 * @returns bytes written.
 * @throws LockedError `ERR_SEALFILE_LOCKED` if a writer of this library has the file open; EEXIST if it must not be there.
 */
export async function replaceFile(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReplaceOptions,
): Promise<number> {
  const runner = new AsyncRunner(nodeDisk)
  const place = await runner.run(() => findPlace(path))
  const lock = await runner.run(() => acquireLock(lockPath(place), path, options.lockTimeout))
  try {
    const successor = await runner.run(() => beginFile(place, path, options))
    let size = 0
    try {
      for await (const piece of pieces) {
        const position = size
        await runner.run(() => writeFully(successor.fd, [piece], position))
        size += piece.length
      }
      await runner.run(() => io.fdatasync(successor.fd))
    } catch (error) {
      await runner.run(() => discardSuccessor(successor))
      throw error
    }
    await runner.run(() => endFile(successor, path, options))
    return size
  } finally {
    await runner.run(() => releaseLock(lock))
  }
}

/** @returns where a path leads by way of symbolic links, as far as there is something. */
function* findPlace(path: string): Steps<string> {
  return (yield* statIfThere(path)) === undefined ? resolve(path) : yield* io.realpath(path)
}

function* beginFile(place: string, path: string, { mode, isExclusive = false }: ReplaceOptions): Steps<SuccessorFile> {
  const predecessor = yield* statIfThere(place)
  if (predecessor !== undefined && isExclusive) throw systemError('EEXIST', 'open', { path })
  if (predecessor?.isFile() === false) {
    // The place of a folder, a device or a pipe is not taken. The system's own word on it comes first.
    yield* io.close(yield* io.open(place, constants.O_WRONLY | NO_WAIT, 0))
    throw systemError('EINVAL', 'open', { path })
  }
  return yield* createSuccessor(place, predecessor, mode)
}

function* endFile(successor: SuccessorFile, path: string, { isExclusive = false }: ReplaceOptions): Steps<void> {
  const finish = function* (): Steps<void> {
    yield* io.close(successor.fd)
    if (isExclusive && (yield* statIfThere(successor.target)) !== undefined) throw systemError('EEXIST', 'open', { path })
    yield* publishSuccessor(successor)
  }
  yield* undoOnError(finish(), () => io.unlink(successor.temporary))
}

import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { randomNonce } from '../bytes/random.js'
import { parseFlags } from '../file/flags.js'
import { acquireLock, lockPath, releaseLock, type Lock } from '../file/engine/lock.js'
import { moveIntoPlace } from '../file/io/move-file.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import type { Disk } from '../file/io/steps.js'
import { checkAborted } from '../file/io/system-errors.js'
import { Session } from '../file/session.js'
import { takeAfter } from '../file/successor-file.js'
import type { MigrationRequest } from './migration-options.js'
import { failure } from './migration-source.js'
import { folderOf, joinPath, nameIn, type Path } from './paths.js'

/** Content by its length and a digest. */
export interface ContentDigest {
  readonly length: number
  readonly sha256: string
}

/** What a new file takes over from the one whose content it gets. */
export interface Appearance {
  readonly stats: BigIntStats
  /** Owner and group, too, where the process may. */
  readonly keepsOwner: boolean
}

const PIECE_SIZE = 2 ** 20
/** File systems and Node keep times less exactly than they give them. */
const TIME_TOLERANCE_NS = 2_000n

/**
 * A disk on which locks are made of nothing: for a file that nobody else knows of. Its place is locked instead, and where a folder's
 * name is no UTF-8 there could be no lock.
 */
const lockless: Disk = {
  sync: nodeDisk.sync,
  async: {
    ...nodeDisk.async,
    symlink: () => Promise.resolve(),
    unlink: () => Promise.resolve(),
  },
}

/** Where an encrypted file is to be, and the new one that is written beside it under the lock of that place. */
export class TargetPlace implements AsyncDisposable {
  /** With links followed. */
  readonly place: Path
  readonly #request: MigrationRequest
  readonly #lock: Lock | undefined
  readonly #temporary: Path
  readonly #runner = new AsyncRunner(nodeDisk)
  #isReleased = false

  private constructor(place: Path, request: MigrationRequest, lock: Lock | undefined) {
    this.place = place
    this.#request = request
    this.#lock = lock
    this.#temporary = temporaryPath(place, lock !== undefined)
  }

  /**
   * Keeps other writers away from a place.
   *
   * @throws LockedError `ERR_SEALFILE_LOCKED` if one is there: a handle that writes, or another migration.
   */
  static async reserve(place: Path, request: MigrationRequest): Promise<TargetPlace> {
    const folder = folderOf(place)
    const name = nameIn(place).toString()
    const runner = new AsyncRunner(nodeDisk)
    const lock =
      typeof folder === 'string'
        ? await runner.run(() => acquireLock(lockPath(join(folder, name)), join(folder, name), request.open.lockTimeout))
        : undefined
    return new TargetPlace(place, request, lock)
  }

  /** Writes the new file, and waits for the disk. @returns what was written. */
  async write(pieces: AsyncIterable<Uint8Array>, { stats, keepsOwner }: Appearance): Promise<ContentDigest> {
    // Left by a migration that was killed: its lock was taken over, so it is gone.
    await rm(this.#temporary, { force: true })
    const runner = new AsyncRunner(lockless)
    const options = { ...this.#request.open, mode: 0o600 }
    const session = await runner.run(() => Session.open(this.#temporary, parseFlags('wx'), options))
    const digest = createHash('sha256')
    let length = 0
    try {
      for await (const piece of pieces) {
        checkAborted(this.#request.signal)
        digest.update(piece)
        length += piece.length
        await runner.run(() => session.write(piece, null))
      }
      checkAborted(this.#request.signal)
      const [uid, gid, mode] = [Number(stats.uid), Number(stats.gid), Number(stats.mode)]
      await runner.run(() => (keepsOwner ? takeAfter(session.fd, { uid, gid, mode }) : session.chmod(mode & 0o777)))
      await runner.run(() => session.utimes(secondsOf(stats.atimeNs), secondsOf(stats.mtimeNs)))
    } catch (error) {
      // What went wrong first is what the caller must know.
      await runner.run(() => session.close()).catch(() => undefined)
      throw error
    }
    await runner.run(() => session.close())
    await syncFile(this.#temporary)
    return { length, sha256: digest.digest('hex') }
  }

  /** Reads the new file back, with the keys that callers will read it with. @throws MigrationError if it is not what was written. */
  async verify(written: ContentDigest, onRead: (length: number) => void): Promise<void> {
    let found: ContentDigest
    try {
      found = await digestEncrypted(this.#temporary, this.#request, onRead)
    } catch (error) {
      checkAborted(this.#request.signal)
      throw failure('what was written cannot be read back', this.place, error)
    }
    if (!isSameContent(written, found)) throw failure('what was written does not read back as the source', this.place)
  }

  /** Puts the new file into its place. Returns when the disk knows it. */
  async publish(): Promise<void> {
    await this.#runner.run(() => moveIntoPlace(this.#temporary, this.place, folderOf(this.place)))
  }

  /** Removes the new file, if it is not in its place, and lets others in. Safe to call again. */
  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    const lock = this.#lock
    try {
      await rm(this.#temporary, { force: true })
    } finally {
      if (lock !== undefined) await this.#runner.run(() => releaseLock(lock))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}

/**
 * @param isLocked - Nobody else works on this place: the name is always the same, so what was left by a process that was killed is
 *   found again.
 */
function temporaryPath(place: Path, isLocked: boolean): Path {
  const name = nameIn(place)
  const digest = createHash('sha256').update(name).digest('hex')
  const unique = isLocked ? digest.slice(0, 16) : Buffer.from(randomNonce(8)).toString('hex')
  const isShort = typeof name === 'string' && Buffer.byteLength(name) + unique.length + 15 <= 255
  return joinPath(folderOf(place), `.${isShort ? name : digest}.${unique}.sealfile-tmp`)
}

/** @returns what the system says of a file; undefined where there is none. */
export async function statIfThere(path: Path): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Reads all of an encrypted file. */
export async function digestEncrypted(
  path: Path,
  { open: options, signal }: MigrationRequest,
  onRead: (length: number) => void,
): Promise<ContentDigest> {
  const runner = new AsyncRunner(nodeDisk)
  const session = await runner.run(() => Session.open(path, parseFlags('r'), options))
  try {
    const digest = createHash('sha256')
    const buffer = Buffer.allocUnsafeSlow(PIECE_SIZE)
    let length = 0
    for (;;) {
      checkAborted(signal)
      const read = await runner.run(() => session.read(buffer, null))
      if (read === 0) return { length, sha256: digest.digest('hex') }
      digest.update(buffer.subarray(0, read))
      length += read
      onRead(read)
    }
  } finally {
    await runner.run(() => session.close())
  }
}

/** Opens an encrypted file and closes it again. @returns bytes of content. @throws what `EncryptedFile.open` throws. */
export async function lengthOfEncrypted(path: Path, { open: options }: MigrationRequest): Promise<number> {
  const runner = new AsyncRunner(nodeDisk)
  const session = await runner.run(() => Session.open(path, parseFlags('r'), options))
  try {
    return (await runner.run(() => session.stat())).size
  } finally {
    await runner.run(() => session.close())
  }
}

export function isSameContent(one: ContentDigest, other: ContentDigest): boolean {
  return one.length === other.length && one.sha256 === other.sha256
}

/** Tells whether a target has the time of its source, as exactly as times are kept. */
export function isSameTime(one: bigint, other: bigint): boolean {
  const difference = one - other
  return difference <= TIME_TOLERANCE_NS && difference >= -TIME_TOLERANCE_NS
}

function secondsOf(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9
}

/** Waits until the disk has a file: its content, and what `stat` says of it. */
async function syncFile(path: Path): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

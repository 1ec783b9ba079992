import { closeSync, constants, fchmodSync, fdatasyncSync, futimesSync, lstatSync, openSync, rmSync } from 'node:fs'
import { acquireLock, lockPath, releaseLock } from '../file/engine/lock.js'
import { moveIntoPlace, renameIntoPlace } from '../file/io/move-file.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { runSync } from '../file/io/runners.js'
import type { Steps } from '../file/io/steps.js'
import { systemError } from '../file/io/system-errors.js'
import { folderOf } from '../compat/paths.js'
import { temporaryPlace, type Place } from '../file/successor-file.js'
import type { FileTask, SourceStamp } from './messages.js'
import { isSameTarget, stampTarget, type TargetStamp } from './target-stamp.js'

/** How files get into their places. */
export interface OutputRules {
  readonly overwrite: boolean
  readonly durability: 'os' | 'fsync'
}

/** A file that is written beside its place, with nothing in its name that anybody looks for, and takes it when it is whole. */
export class OutputFile {
  readonly fd: number
  readonly #target: Place
  readonly #replaces: TargetStamp | undefined
  readonly #temporary: Place
  readonly #rules: OutputRules

  private constructor(fd: number, { target, token, replaces }: FileTask, rules: OutputRules) {
    this.fd = fd
    this.#target = target
    this.#replaces = replaces
    this.#temporary = temporaryPlace(target, token)
    this.#rules = rules
  }

  /** @throws system errors; EEXIST if something is in its place that must stay. */
  static create(task: FileTask, rules: OutputRules): OutputFile {
    if (!rules.overwrite) checkFree(task.target, task.replaces)
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
    return new OutputFile(openSync(temporaryPlace(task.target, task.token), flags, 0o600), task, rules)
  }

  /** Opens one that was created before. */
  static reopen(task: FileTask, rules: OutputRules): OutputFile {
    return new OutputFile(openSync(temporaryPlace(task.target, task.token), constants.O_RDWR), task, rules)
  }

  /** Lets go of the file, which stays where it is for others to go on with. */
  close(): void {
    closeSync(this.fd)
  }

  /** Closes the file and removes it. */
  discard(): void {
    closeSync(this.fd)
    rmSync(this.#temporary, { force: true })
  }

  /**
   * Gives the file the permission bits and times of its source, and its place.
   *
   * @throws system errors; EEXIST if something is there that must stay; LockedError if a writer of this library has that open. The file is
   * gone then.
   */
  publish({ mode, atimeMs, mtimeMs }: SourceStamp): void {
    try {
      try {
        fchmodSync(this.fd, mode & 0o777)
        futimesSync(this.fd, atimeMs / 1_000, mtimeMs / 1_000)
        if (this.#rules.durability === 'fsync') fdatasyncSync(this.fd)
      } finally {
        closeSync(this.fd)
      }
      if (!this.#rules.overwrite) checkFree(this.#target, this.#replaces)
      runSync(nodeDisk, this.#rules.overwrite || this.#replaces !== undefined ? this.#replace() : this.#move())
    } catch (error) {
      rmSync(this.#temporary, { force: true })
      throw error
    }
  }

  *#move(): Steps<void> {
    const [from, to] = [this.#temporary, this.#target]
    if (this.#rules.durability === 'fsync') yield* moveIntoPlace(from, to, folderOf(to))
    else yield* renameIntoPlace(from, to)
  }

  *#replace(): Steps<void> {
    const target = this.#target
    // Where a name is no UTF-8 there can be no lock.
    if (typeof target !== 'string' || lstatSync(target, { throwIfNoEntry: false }) === undefined) {
      yield* this.#move()
      return
    }
    const lock = yield* acquireLock(lockPath(target), target, 0)
    try {
      yield* this.#move()
    } finally {
      yield* releaseLock(lock)
    }
  }
}

/** A symbolic link that leads nowhere is something, too. */
function checkFree(target: Place, replaces: TargetStamp | undefined): void {
  const found = stampTarget(target)
  if (found === undefined || (replaces !== undefined && isSameTarget(found, replaces))) return
  throw systemError('EEXIST', 'open', { path: target.toString() })
}

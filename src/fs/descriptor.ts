import type { Access } from '../file/flags.js'
import { HandleKeeper } from '../file/handle-keeper.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner, runSync } from '../file/io/runners.js'
import type { Disk, PathLike, Steps } from '../file/io/steps.js'
import type { ResolvedOptions } from '../file/options.js'
import { Session } from '../file/session.js'
import { DescriptorDisk } from './descriptor-disk.js'
import { systemError } from '../file/io/system-errors.js'

/** Work with an open file. */
export type Operation<T> = (session: Session) => Steps<T>

/**
 * A file that is open under a number, for calls that wait and for those that do not, in any order. One that serves a stream writes in
 * the background, and has no time for calls that do not wait while it does.
 */
export class Descriptor {
  readonly isBinary: boolean
  readonly #session: Session
  readonly #runner: AsyncRunner
  /** Undefined for a stream's. */
  readonly #mixedDisk: DescriptorDisk | undefined
  readonly #keeper: HandleKeeper
  #isClosing = false

  private constructor(
    session: Session,
    runner: AsyncRunner,
    mixedDisk: DescriptorDisk | undefined,
    access: Access,
    commitInterval: number,
  ) {
    this.isBinary = access.binary
    this.#session = session
    this.#runner = runner
    this.#mixedDisk = mixedDisk
    let isGoingOn = false
    const kept = {
      path: session.path,
      isProvisional: session.isProvisional,
      get isDirty() {
        return session.isDirty
      },
      // An error shows again in the next call that writes, syncs or closes.
      commit: () => void runner.run(() => session.commit(true)).catch(() => undefined),
      finish: () => {
        if (runner.finishSync() && mixedDisk === undefined) isGoingOn = true
        runSync(this.#disk, session.finish())
      },
      unlock: () => {
        if (!isGoingOn) runSync(this.#disk, session.unlock())
      },
      close: () => undefined, // a number is never out of reach
    }
    const keeper = new HandleKeeper(kept, session.isWriter ? commitInterval : undefined)
    this.#keeper = keeper
    runner.afterEach = () => keeper.update()
  }

  /** @param forStream - It serves a stream. */
  static async open(path: PathLike, access: Access, options: ResolvedOptions, forStream = false): Promise<Descriptor> {
    const mixedDisk = forStream ? undefined : new DescriptorDisk()
    const runner = new AsyncRunner(mixedDisk ?? nodeDisk)
    const session = await runner.run(() => Session.open(path, access, options))
    return new Descriptor(session, runner, mixedDisk, access, options.commitInterval)
  }

  static openSync(path: PathLike, access: Access, options: ResolvedOptions): Descriptor {
    const disk = new DescriptorDisk()
    const session = runSync(disk, Session.open(path, access, options))
    return new Descriptor(session, new AsyncRunner(disk), disk, access, options.commitInterval)
  }

  /** The number; -1 once the file is closed. */
  get fd(): number {
    return this.#session.fd
  }

  /** It was asked to close. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  /** Carries out an operation after those that were begun before. */
  run<T>(operation: Operation<T>): Promise<T> {
    return this.#runner.run(() => operation(this.#session))
  }

  /**
   * Carries out an operation at once; those that were begun before are brought to their end first.
   *
   * @param syscall - For the error.
   * @throws Error `EAGAIN` if the file serves a stream that is at work.
   */
  runSync<T>(operation: Operation<T>, syscall: string): T {
    this.#checkNotAtWork(syscall)
    if (this.#runner.isBusy) this.#runner.finishSync()
    try {
      return runSync(this.#disk, operation(this.#session))
    } finally {
      this.#keeper.update()
    }
  }

  /** Closes the file, whatever comes of it, after what was begun before. */
  async close(): Promise<void> {
    this.#beginClose()
    try {
      await this.run((session) => session.close())
    } finally {
      this.#keeper.stop()
    }
  }

  /** The same, without waiting. */
  closeSync(): void {
    this.#checkNotAtWork('close')
    this.#beginClose()
    try {
      this.runSync((session) => session.close(), 'close')
    } finally {
      this.#keeper.stop()
    }
  }

  get #disk(): Disk {
    return this.#mixedDisk ?? nodeDisk
  }

  #checkNotAtWork(syscall: string): void {
    if (this.#mixedDisk === undefined && this.#runner.isBusy) throw systemError('EAGAIN', syscall)
  }

  #beginClose(): void {
    this.#isClosing = true
    this.#keeper.beginClose()
  }
}

import { HandleKeeper } from '../file/handle-keeper.js'
import { checkContent, checkReadFileOptions } from '../file/data-arguments.js'
import type { Access } from '../file/flags.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner, runSync } from '../file/io/runners.js'
import type { Disk, PathLike, Steps } from '../file/io/steps.js'
import type { ResolvedOptions } from '../file/options.js'
import { Session } from '../file/session.js'

interface ReadSettings {
  readonly encoding?: unknown
  readonly signal?: unknown
}

/**
 * node:fs, but for writes, which never go on in the background. So whatever goes on can be done again when a call comes that does not
 * wait: to read or sync twice changes nothing.
 */
const disk: Disk = {
  sync: nodeDisk.sync,
  async: {
    ...nodeDisk.async,
    // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown becomes a rejection
    writev: async (...args) => nodeDisk.sync.writev(...args),
    // eslint-disable-next-line @typescript-eslint/require-await
    ftruncate: async (...args) => nodeDisk.sync.ftruncate(...args),
  },
}

/** A file that is open under a number, for calls that wait and for those that do not, in any order. */
export class Descriptor {
  readonly #session: Session
  readonly #runner: AsyncRunner
  readonly #keeper: HandleKeeper
  readonly isBinary: boolean

  private constructor(session: Session, runner: AsyncRunner, access: Access, commitInterval: number) {
    this.#session = session
    this.#runner = runner
    this.isBinary = access.binary
    const kept = {
      path: session.path,
      isProvisional: session.isProvisional,
      get isDirty() {
        return session.isDirty
      },
      // An error shows again in the next call that writes, syncs or closes.
      commit: () => void runner.run(() => session.commit(true)).catch(() => undefined),
      finish: () => {
        runner.finishSync()
        runSync(disk, session.finish(false))
      },
      close: () => undefined, // a number is never out of reach
    }
    const keeper = new HandleKeeper(kept, session.isWriter ? commitInterval : undefined)
    this.#keeper = keeper
    runner.afterEach = () => keeper.update()
  }

  static async open(path: PathLike, access: Access, options: ResolvedOptions): Promise<Descriptor> {
    const runner = new AsyncRunner(disk)
    const session = await runner.run(() => Session.open(path, access, options))
    return new Descriptor(session, runner, access, options.commitInterval)
  }

  static openSync(path: PathLike, access: Access, options: ResolvedOptions): Descriptor {
    return new Descriptor(runSync(disk, Session.open(path, access, options)), new AsyncRunner(disk), access, options.commitInterval)
  }

  get fd(): number {
    return this.#session.fd
  }

  /** Carries out an operation after those that were begun before. */
  run<T>(operation: (session: Session) => Steps<T>): Promise<T> {
    return this.#runner.run(() => operation(this.#session))
  }

  /** Carries out an operation at once; those that were begun before are brought to their end first. */
  runSync<T>(operation: (session: Session) => Steps<T>): T {
    if (this.fd !== -1 && this.#runner.isBusy) {
      this.#session.stopReusingMemory()
      this.#runner.finishSync()
    }
    try {
      return runSync(disk, operation(this.#session))
    } finally {
      this.#keeper.update()
    }
  }

  /** Reads from the position to the end, as fs.readFile does on a number. */
  async readFile({ encoding, signal }: ReadSettings): Promise<Buffer | string> {
    const checked = checkReadFileOptions({ encoding, signal }, this.isBinary)
    const content = await this.run((session) => session.readToEnd(checked.signal))
    return checked.encoding === undefined ? content : content.toString(checked.encoding)
  }

  /** Writes from the position on, as fs.writeFile does on a number. */
  async writeFile(data: string | ArrayBufferView, { encoding }: ReadSettings): Promise<void> {
    const content = checkContent(data, encoding, this.isBinary)
    await this.run((session) => session.write(content, null))
  }

  /** The same, without waiting. */
  writeFileSync(data: string | ArrayBufferView, encoding: BufferEncoding | undefined): void {
    const content = checkContent(data, encoding, this.isBinary)
    this.runSync((session) => session.write(content, null))
  }

  /** Ends the work with the file, by closing or discarding it. */
  async end(how: 'close' | 'discard'): Promise<void> {
    try {
      await this.run((session) => session[how]())
    } finally {
      this.#keeper.stop()
    }
  }

  /** The same, without waiting. */
  endSync(how: 'close' | 'discard'): void {
    try {
      this.runSync((session) => session[how]())
    } finally {
      this.#keeper.stop()
    }
  }
}

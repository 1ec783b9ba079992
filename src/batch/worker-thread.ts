import type { Worker } from 'node:worker_threads'
import { publish } from '../audit-channels.js'
import { BatchError } from '../errors.js'
import type { KeySource } from '../file/key-source.js'
import { unpackError } from './error-transfer.js'
import type { Answer, AuditMessage, FailureMessage, Results, Task, WorkerSettings } from './messages.js'
import { Counters, StoppedError } from './meter.js'
import { createDesk, KEY_REQUEST, KeyDesk } from './shared-desk.js'
import { startWorker } from './start-worker.js'

/** A worker's garbage is collected when it is this much: what it works on lies elsewhere. */
const LIMITS = { maxYoungGenerationSizeMb: 4 }

/** What all workers of a batch have in common. */
export type ThreadSettings = Omit<WorkerSettings, 'desk' | 'counters'>

/** A task's outcome, and how long the worker was at it. */
export interface Done<T> {
  readonly value: T
  readonly milliseconds: number
}

/** The worker has died before it had an answer; what it was at must be done again. */
export class WorkerDiedError extends BatchError {
  /** Of the files of a group, so many were done with; undefined if the task was not begun. */
  readonly files: number | undefined
  /** Plaintext bytes of those that were made. */
  readonly bytes: number

  constructor({ files, madeBytes }: Counters, cause: unknown) {
    super('ERR_SEALFILE_BATCH_WORKER', 'the thread that worked on it has died', { cause })
    this.files = files
    this.bytes = files === undefined ? 0 : madeBytes
  }
}

interface Waiting {
  resolve(done: Done<Results[keyof Results]>): void
  reject(error: unknown): void
}

/**
 * One place for a worker: starts it when there is something to do, and another one when that died. Does one task at a time.
 */
export class WorkerThread {
  readonly #settings: ThreadSettings
  readonly #keySource: KeySource
  #worker: Worker | undefined
  #counters = new Counters()
  #waiting: Waiting | undefined
  #failures = new Map<number, Error>()
  #isEnded = false

  constructor(settings: ThreadSettings, keySource: KeySource) {
    this.#settings = settings
    this.#keySource = keySource
  }

  /** What the present worker has done so far. */
  get counters(): Pick<Counters, 'bytes' | 'files'> {
    return this.#counters
  }

  /** Of the files of the last group: by their places in it, why they could not be made. */
  get failures(): ReadonlyMap<number, Error> {
    return this.#failures
  }

  /**
   * Does a task.
   *
   * @throws what it throws in the worker; StoppedError if the batch was stopped or the worker was ended; WorkerDiedError.
   */
  async run<K extends Task['type']>(task: Task & { readonly type: K }): Promise<Done<Results[K]>> {
    this.#failures = new Map()
    const worker = this.#running()
    const outcome = new Promise<Done<Results[keyof Results]>>((resolve, reject) => (this.#waiting = { resolve, reject }))
    this.#counters.reset()
    worker.postMessage(task)
    return (await outcome) as Done<Results[K]>
  }

  /** Starts the worker, for which there will be something to do. @throws StoppedError. */
  start(): void {
    this.#running()
  }

  /** Ends the worker, whatever it is at. No other one is started. */
  async terminate(): Promise<void> {
    this.#isEnded = true
    await this.#worker?.terminate()
  }

  #running(): Worker {
    if (this.#isEnded) throw new StoppedError()
    return (this.#worker ??= this.#create())
  }

  #create(): Worker {
    const memory = createDesk()
    const desk = new KeyDesk(memory, this.#keySource)
    this.#counters = new Counters()
    const workerData: WorkerSettings = { ...this.#settings, desk: memory, counters: this.#counters.memory }
    // Without execArgv the worker would inherit flags such as --input-type, and fail on them.
    const worker = startWorker({ name: 'sealfile-batch', workerData, execArgv: [], resourceLimits: LIMITS })
    let cause: unknown
    worker.on('message', (message: Answer | AuditMessage | FailureMessage | typeof KEY_REQUEST) => {
      if (message === KEY_REQUEST) void desk.answer()
      else if ('channel' in message) publish(message.channel, () => message.told)
      else if ('failure' in message) this.#failures.set(message.index, unpackError(message.failure))
      else this.#settle(message)
    })
    worker.on('messageerror', (error) => (cause = error))
    worker.on('error', (error) => (cause = error))
    worker.on('exit', (code) => {
      this.#worker = undefined
      const waiting = this.#waiting
      this.#waiting = undefined
      waiting?.reject(new WorkerDiedError(this.#counters, cause ?? new Error(`the worker ended with code ${code}`)))
    })
    return worker
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if ('value' in answer) waiting?.resolve(answer)
    else waiting?.reject(answer.isStopped ? new StoppedError() : unpackError(answer.error))
  }
}

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomBytes } from '../../bytes/random.js'
import { joinPath, type Path } from '../../compat/paths.js'
import { temporaryToken } from '../../file/successor-file.js'
import { KeyManager } from '../../keys/key-manager.js'
import type { FileTask, TrialSettings } from '../messages.js'
import { CommonState } from '../meter.js'
import { WorkerThread, type ThreadSettings } from '../worker-thread.js'
import type { Machine } from './machine.js'
import { chooseValue, measureInTurn, quantile, type Trial } from './trials.js'
import { trialsOf, USUAL, valuesFor, type Knob, type TuningRecord } from './tuning-record.js'

/** Milliseconds for each measurement; together with the start of threads they end before {@link TOTAL_MS}. */
const BUDGETS = { message: 50, segmentSize: 400, pieceLength: 300, workers: 500 }
/** Nothing goes on for longer, whatever the disk does. */
const TOTAL_MS = 1_600
const MESSAGES = 100
const MIB = 2 ** 20
/** A file is as large as can be encrypted in so many milliseconds, between 1 and 8 MiB. */
const LARGE_MS = 10
/** What one of the tasks is that workers share: a file, and small ones. */
const SHARED_SIZE = 2 * MIB
const SMALL_SIZE = 4_096
const SMALL_COUNT = 8
/** Tasks for each worker, where there are most. */
const TASKS_EACH = 2

/**
 * Has files of a scratch folder encrypted by the threads of a batch, in different ways, and takes the times. Ends in under two seconds: what
 * was not measured by then stays empty. What was written is removed after that.
 *
 * @param folder - Where files would be encrypted to.
 */
export async function measureMachine(folder: Path, machine: Machine, signal: AbortSignal | undefined): Promise<TuningRecord> {
  const scratch = joinPath(folder, `.tuning.${temporaryToken()}.sealfile-tmp`)
  const bench = new Bench(scratch, machine)
  const ended = new AbortController()
  try {
    const deadline = sleep(TOTAL_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { signal: ended.signal }))
    await Promise.race([bench.run(), deadline, aborted])
    return bench.record
  } finally {
    ended.abort()
    await bench.end()
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 })
  }
}

class Bench {
  readonly #folder: Path
  readonly #began = performance.now()
  readonly #common = new CommonState()
  readonly #keyManager = KeyManager.fromKey(randomBytes(32))
  readonly #threads: WorkerThread[] = []
  #running: Promise<void> | undefined
  #record: Omit<TuningRecord, 'elapsedMs'>

  constructor(folder: Path, machine: Machine) {
    this.#folder = folder
    const measuredAt = new Date().toISOString()
    const none = (values: readonly number[]): Trial[] => values.map((value) => ({ value, times: [] }))
    const { segmentSize, pieceLength, workers } = valuesFor(machine)
    this.#record = {
      schema: 'sealfile/tuning',
      version: 1,
      machine,
      measuredAt,
      messageMs: null,
      segmentSize: none(segmentSize.values),
      pieceLength: none(pieceLength.values),
      workers: none(workers.values),
    }
  }

  /** What was measured so far. */
  get record(): TuningRecord {
    return { ...this.#record, elapsedMs: performance.now() - this.#began }
  }

  run(): Promise<void> {
    return (this.#running = this.#run())
  }

  /** Ends what is going on, and waits a little for it: a disk that does not answer is not waited for. */
  async end(): Promise<void> {
    const ended = Promise.all([this.#running?.catch(() => undefined), ...this.#threads.map((thread) => thread.terminate())])
    const patience = new AbortController()
    await Promise.race([ended, sleep(100, undefined, { signal: patience.signal }).catch(() => undefined)])
    patience.abort()
    this.#keyManager.close()
  }

  async #run(): Promise<void> {
    await mkdir(this.#folder)
    const [thread] = this.#addThreads(1) as [WorkerThread]
    const messageMs = await this.#measureMessages(thread)
    this.#record = { ...this.#record, messageMs }
    const large = await this.#makeLarge(thread)
    await this.#measure('segmentSize', (value) => this.#encrypt(thread, [large], { segmentSize: value }))
    const segmentSize = chooseValue(trialsOf(this.record, 'segmentSize')).value
    await this.#measure('pieceLength', (value) => this.#encrypt(thread, [large], { segmentSize, pieceLength: value }))
    await this.#measureWorkers()
  }

  #addThreads(count: number): WorkerThread[] {
    const settings: ThreadSettings = {
      direction: 'encrypt',
      context: new Uint8Array(0),
      segmentSize: USUAL.segmentSize,
      pieceLength: USUAL.pieceLength,
      cipher: 'aes-256-gcm',
      durability: 'os',
      overwrite: true,
      isRecorded: false,
      isAudited: false,
      bytesPerSecond: undefined,
      common: this.#common.memory,
    }
    while (this.#threads.length < count) this.#threads.push(new WorkerThread(settings, this.#keyManager))
    return this.#threads
  }

  async #measure(knob: Knob, run: (value: number) => Promise<number>): Promise<void> {
    const { values } = valuesFor(this.#record.machine)[knob]
    const left = TOTAL_MS - (performance.now() - this.#began)
    const trials = await measureInTurn(values, run, Math.min(BUDGETS[knob], left))
    this.#record = { ...this.#record, [knob]: trials }
  }

  async #measureMessages(thread: WorkerThread): Promise<number | null> {
    // The thread starts with the first.
    await thread.run({ type: 'look', files: [] })
    const end = performance.now() + BUDGETS.message
    const times: number[] = []
    while (times.length < MESSAGES && performance.now() < end) {
      const began = performance.now()
      await thread.run({ type: 'look', files: [] })
      times.push(performance.now() - began)
    }
    return times.length === 0 ? null : quantile(times, 0.5)
  }

  async #makeLarge(thread: WorkerThread): Promise<FileTask> {
    const probe = await this.#makeSource('probe', MIB)
    await this.#encrypt(thread, [probe], {})
    const milliseconds = await this.#encrypt(thread, [probe], {})
    return this.#makeSource('large', Math.min(8, Math.max(1, Math.floor(LARGE_MS / milliseconds))) * MIB)
  }

  /** All numbers of workers do the same tasks, which they take one after the other. */
  async #measureWorkers(): Promise<void> {
    const { values } = valuesFor(this.#record.machine).workers
    const most = Math.max(...values)
    const threads = this.#addThreads(most)
    const shared = await this.#makeSource('shared', SHARED_SIZE)
    const small = await Promise.all(Array.from({ length: SMALL_COUNT }, (_, i) => this.#makeSource(`small-${i}`, SMALL_SIZE)))
    await Promise.all(threads.map((thread) => thread.run({ type: 'look', files: [] })))
    await this.#measure('workers', (count) => this.#share(threads.slice(0, count), [shared, ...small], most))
  }

  /** @returns milliseconds until all tasks were done. */
  async #share(threads: readonly WorkerThread[], files: readonly FileTask[], most: number): Promise<number> {
    let left = TASKS_EACH * most
    const began = performance.now()
    const serve = async (thread: WorkerThread, number: number): Promise<void> => {
      while (left-- > 0) await this.#encrypt(thread, files, {}, number)
    }
    await Promise.all(threads.map(serve))
    return performance.now() - began
  }

  /** @returns milliseconds that a worker took. */
  async #encrypt(thread: WorkerThread, files: readonly FileTask[], trial: TrialSettings, number = 0): Promise<number> {
    const named = files.map((file) => ({ ...file, target: `${file.target.toString()}-${number}`, token: temporaryToken() }))
    const { milliseconds } = await thread.run({ type: 'files', files: named, trial })
    const [failure] = thread.failures.values()
    if (failure !== undefined) throw failure
    return milliseconds
  }

  async #makeSource(name: string, size: number): Promise<FileTask> {
    const source = joinPath(this.#folder, name)
    await writeFile(source, Buffer.alloc(size, 'a line of some text. '))
    return { source, target: joinPath(this.#folder, `${name}.enc`), purpose: 'tuning', token: '' }
  }
}

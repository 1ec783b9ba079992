import { folderOf, type Path } from '../compat/paths.js'
import { ClosedError, LockedError } from '../errors.js'
import type { SegmentRange } from '../file/engine/range-sealer.js'
import { checkAborted } from '../file/io/system-errors.js'
import type { FileFailure } from '../keys/rotation/work-through.js'
import type { BatchPlan, BatchReport } from './batch-options.js'
import { WATCH } from './control.js'
import { Completions } from './completions.js'
import { CostModels } from './cost-model.js'
import { unpackError } from './error-transfer.js'
import { FileFinder, findPlaces, type MetFile, type Places } from './file-finder.js'
import { clearAfterDeath, makeTask, removeTemporary, sumSizes, type Job } from './job.js'
import { openManifest } from './manifest-file.js'
import type { MadeFileNote, Manifest } from './manifest.js'
import type { FileTask, SeenFile } from './messages.js'
import { CommonState, StoppedError } from './meter.js'
import { ProgressGauge } from './progress.js'
import { SplitFile } from './split-file.js'
import { TargetFolders } from './target-folders.js'
import { stampTarget, type TargetStamp } from './target-stamp.js'
import { TaskQueue } from './task-queue.js'
import { WorkerDiedError, WorkerThread } from './worker-thread.js'

/** What a worker is at, for the progress. */
interface Activity {
  /** What its counter said when it began. */
  readonly base: number
  readonly files: readonly Job[]
}

/** A file of which several workers do a part, and the job that it is. */
interface OpenSplit {
  readonly job: Job
  readonly split: SplitFile
}

/** Files that wait at most: their paths are what a batch needs memory for. */
const WAITING_MAX = 8_192
/** Files that are looked at with one message. */
const LOOK_SIZE = 256
/** Files from this size on are worked on by several workers. */
const SPLIT_SIZE = 16 * 2 ** 20
/** A file is given up when it was begun by so many workers that died. */
const DEATHS_MAX = 3
/** So many workers may die, one after the other, without anything done: then the next would, too. */
const DEATHS_IN_A_ROW = 8
const TELL_MS = 250
/** Workers that do not stop by then, because a disk or a passphrase keeps them waiting, are ended where they are. */
const STOP_MS = 2_000

/** One call: finds files, has them worked on by threads, and counts. The threads end with it. */
export class BatchRun {
  /** When files were there. */
  readonly completions = new Completions()
  readonly #plan: BatchPlan
  readonly #common = new CommonState()
  readonly #models = new CostModels()
  readonly #queue: TaskQueue<Job>
  readonly #threads: readonly WorkerThread[]
  readonly #activities = new Map<WorkerThread, Activity>()
  /** Files that nobody has looked at yet. */
  readonly #looks: MetFile[][] = []
  readonly #splits: OpenSplit[] = []
  readonly #failures: FileFailure[] = []
  readonly #skipped: BatchReport['skipped'][number][] = []
  readonly #wakers: (() => void)[] = []
  #folders: TargetFolders | undefined
  #manifest: Manifest | undefined
  #unchanged = 0
  #isListed = false
  /** How many workers are at something, after which there may be more to do. */
  #busy = 0
  #deathsInARow = 0
  #lastCall: NodeJS.Timeout | undefined
  #end: { readonly error: unknown } | undefined
  #made = { files: 0, bytes: 0 }
  /** Files that are done with, and their sources' bytes. */
  #done = { files: 0, bytes: 0 }
  #total = { files: 0, bytes: 0 }

  constructor(plan: BatchPlan) {
    this.#plan = plan
    this.#queue = new TaskQueue(plan.policy, this.#models)
    const settings = { ...plan.settings, common: this.#common.memory }
    this.#threads = Array.from({ length: plan.workers }, () => new WorkerThread(settings, plan.keySource))
  }

  async run(): Promise<BatchReport> {
    const { signal, control, keySource } = this.#plan
    checkAborted(signal)
    const preparing = keySource.prepare?.()
    if (preparing !== undefined) await preparing
    const places = await findPlaces(this.#plan)
    if (places.manifest !== undefined) this.#manifest = await openManifest(places.manifest, this.#plan, places)
    if (places.target !== undefined) this.#folders = new TargetFolders(places.target)
    const unwatch = control?.[WATCH]((isPaused) => this.#common.setPaused(isPaused))
    const abort = (): void => this.#stop(undefined)
    signal?.addEventListener('abort', abort, { once: true })
    const stopTelling = this.#tellFromTimeToTime()
    try {
      // It may have been aborted while nobody listened.
      checkAborted(signal)
      if (places.target !== undefined) await this.#folders!.ensure(places.target)
      await Promise.all([this.#find(places), ...this.#threads.map((thread) => this.#serve(thread))])
    } finally {
      unwatch?.()
      signal?.removeEventListener('abort', abort)
      await this.#terminate()
      await Promise.all(this.#splits.map(({ split }) => this.#removeTemporary(split.task)))
      await this.#manifest?.close().catch((error: unknown) => this.#stop(error))
      stopTelling()
      clearTimeout(this.#lastCall)
    }
    checkAborted(signal)
    if (this.#end !== undefined) throw this.#end.error
    return { ...this.#made, unchanged: this.#unchanged, failures: this.#failures, skipped: this.#skipped }
  }

  /** Ends the batch with an error; the first one counts. */
  #stop(error: unknown): void {
    this.#end ??= { error }
    this.#common.stop()
    this.#wake()
    this.#lastCall ??= setTimeout(() => void this.#terminate(), STOP_MS)
  }

  async #terminate(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }

  /** Goes through the inputs, not far ahead of the workers. */
  async #find(places: Places): Promise<void> {
    let met: MetFile[] = []
    const folders = this.#folders
    const finder = new FileFinder(this.#plan, places, {
      file: async (file) => {
        this.#threads[0]!.start()
        met.push(file)
        if (met.length < LOOK_SIZE) return
        this.#looks.push(met)
        met = []
        this.#wake()
        while (this.#isFull && this.#end === undefined) await this.#wait()
      },
      folder: async (source, within) => {
        await folders?.ensure(folders.place(within), await folders.modeOf(source))
      },
      isStopped: () => this.#end !== undefined,
      skipped: (entry) => this.#skipped.push(entry),
      failed: (path, error) => this.#fail(path, error),
    })
    await finder.run()
    if (met.length > 0) this.#looks.push(met)
    this.#isListed = true
    this.#wake()
  }

  get #isFull(): boolean {
    return this.#looks.length * LOOK_SIZE + this.#queue.count >= WAITING_MAX
  }

  /** Gives a worker one task after the other, until there is nothing left that could become one. */
  async #serve(thread: WorkerThread): Promise<void> {
    while (this.#end === undefined) {
      const work = this.#chooseWork(thread)
      if (work === undefined) {
        if (this.#isListed && this.#busy === 0) break
        await this.#wait()
        continue
      }
      this.#busy++
      try {
        await work()
      } catch (error) {
        this.#stop(error)
      }
      this.#activities.delete(thread)
      this.#busy--
      this.#wake()
    }
    this.#wake()
  }

  #chooseWork(thread: WorkerThread): (() => Promise<void>) | undefined {
    for (const open of this.#splits) {
      const range = open.split.take()
      if (range !== undefined) return () => this.#doRange(thread, open, range)
    }
    const look = this.#looks.shift()
    if (look !== undefined) return () => this.#look(thread, look)
    const group = this.#queue.takeGroup({ workers: this.#threads.length, largeSize: SPLIT_SIZE, groupMs: this.#plan.groupMs })
    if (group.length === 0) return undefined
    const isSplit = this.#threads.length > 1 && group[0]!.size >= SPLIT_SIZE && !group[0]!.isWhole
    return isSplit ? () => this.#split(thread, group[0]!) : () => this.#makeFiles(thread, group)
  }

  /** Lets a worker find out what files are like, and queues those that are to be made. */
  async #look(thread: WorkerThread, met: readonly MetFile[]): Promise<void> {
    const files = met.map(({ source, within }) => ({ source, target: this.#folders?.place(within) ?? source }))
    let found
    try {
      found = (await thread.run({ type: 'look', files })).value
    } catch (error) {
      this.#checkDeath(error)
      this.#looks.unshift([...met])
      return
    }
    // They start while the first of them begins the file.
    if (found.some((seen) => 'source' in seen && seen.source.size >= SPLIT_SIZE)) for (const other of this.#threads) other.start()
    for (const [index, seen] of found.entries()) {
      this.#total.files++
      try {
        if (!('source' in seen)) throw unpackError(seen)
        await this.#enqueue(met[index]!, files[index]!.target, seen)
      } catch (error) {
        this.#done.files++
        this.#fail(met[index]!.source, error)
      }
    }
  }

  /** Queues a file, unless it is done already. */
  async #enqueue({ source, within, purpose }: MetFile, target: Path, seen: SeenFile): Promise<void> {
    const verdict = this.#manifest?.judge(within, source, purpose, seen)
    if (verdict?.isDone === true) {
      this.#done.files++
      this.#unchanged++
      return
    }
    await this.#folders?.ensure(folderOf(target))
    if (verdict?.leftover !== undefined) await removeTemporary({ target, token: verdict.leftover })
    const { size, mtimeMs, dev } = seen.source
    this.#total.bytes += size
    const isBlocked = seen.target !== undefined && verdict?.replaces === undefined && !this.#plan.settings.overwrite
    this.#queue.add({
      source,
      target,
      purpose,
      size,
      kind: `${dev}`,
      mtimeMs,
      known: verdict?.file,
      replaces: verdict?.replaces,
      isBlocked,
      begunMs: 0,
      deaths: 0,
      isWhole: false,
    })
  }

  /** @returns tasks for files. The manifest has it then that they are begun. */
  async #begin(jobs: readonly Job[]): Promise<FileTask[]> {
    const tasks = jobs.map(makeTask)
    await this.#manifest?.begin(
      jobs.flatMap(({ known: file, replaces, isBlocked }, index) => {
        return file === undefined || isBlocked ? [] : [{ file, replaces, token: tasks[index]!.token }]
      }),
    )
    for (const job of jobs) job.begunMs = Date.now()
    return tasks
  }

  async #makeFiles(thread: WorkerThread, jobs: readonly Job[]): Promise<void> {
    const files = await this.#begin(jobs)
    try {
      const running = thread.run({ type: 'files', files })
      this.#note(thread, jobs)
      const { value, milliseconds } = await running
      this.completions.addGroup(performance.now() - milliseconds, value.times)
      await this.#settleFiles(jobs.slice(0, value.done), thread.failures, value.bytes, (index) => value.targets.get(index))
      this.#models.observe(jobs[0]!.kind, { files: value.done, bytes: sumSizes(jobs.slice(0, value.done)) }, milliseconds)
      this.#deathsInARow = 0
    } catch (error) {
      const left = error instanceof WorkerDiedError ? files[error.files ?? 0] : undefined
      if (left !== undefined) await this.#removeTemporary(left)
      this.#checkDeath(error)
      const count = error.files ?? 0
      const finished = jobs.slice(0, count)
      this.completions.addNow(count - thread.failures.size)
      await this.#settleFiles(finished, thread.failures, error.bytes, (index) => stampTarget(finished[index]!.target))
      const [suspect, ...others] = jobs.slice(count)
      for (const job of others) this.#queue.add(job)
      if (suspect !== undefined) await this.#afterDeath(suspect, files[count]!, error)
    }
  }

  async #settleFiles(
    jobs: readonly Job[],
    failures: ReadonlyMap<number, unknown>,
    bytes: number,
    targetOf: (index: number) => TargetStamp | undefined,
  ): Promise<void> {
    const made: MadeFileNote[] = []
    for (const [index, job] of jobs.entries()) {
      this.#done.files++
      this.#done.bytes += job.size
      if (failures.has(index)) {
        this.#fail(job.source, failures.get(index))
        continue
      }
      this.#made.files++
      const target = job.known && targetOf(index)
      if (target !== undefined) made.push({ file: job.known!, target })
    }
    this.#made.bytes += bytes
    await this.#manifest?.finish(made)
  }

  async #split(thread: WorkerThread, job: Job): Promise<void> {
    const [task] = (await this.#begin([job])) as [FileTask]
    try {
      const { value } = await thread.run({ type: 'begin', file: task })
      const open = { job, split: new SplitFile(task, value, this.#threads.length) }
      this.#splits.push(open)
      // It may have become empty.
      if (open.split.isDone) await this.#finish(thread, open)
    } catch (error) {
      await this.#endJob(job, task, error)
    }
  }

  async #doRange(thread: WorkerThread, open: OpenSplit, range: SegmentRange): Promise<void> {
    const { split, job } = open
    try {
      const running = thread.run({ type: 'range', file: split.task, begun: split.begun, range })
      this.#note(thread, [])
      const { value, milliseconds } = await running
      split.add(range, value)
      this.#models.observe(job.kind, { files: 0, bytes: split.bytesOf(range) }, milliseconds)
      this.#deathsInARow = 0
    } catch (error) {
      if (error instanceof WorkerDiedError && !split.hasFailed) {
        this.#checkDeath(error)
        if (error.files !== undefined) job.deaths++
        if (job.deaths < DEATHS_MAX) {
          split.giveBack(range)
          return
        }
      }
      split.fail(error)
    }
    if (split.isDone) await this.#finish(thread, open)
    else if (split.isIdle && split.hasFailed) {
      this.#drop(open)
      await this.#endJob(job, split.task, split.error)
    }
  }

  async #finish(thread: WorkerThread, open: OpenSplit): Promise<void> {
    const { split, job } = open
    const { task, begun, whole } = split
    this.#drop(open)
    let target: TargetStamp | undefined
    try {
      target = (await thread.run({ type: 'finish', file: task, begun, whole })).value
    } catch (error) {
      await this.#endJob(job, task, error)
      return
    }
    this.completions.addNow(1)
    await this.#settleFiles([job], new Map(), begun.length, () => target)
  }

  #drop(open: OpenSplit): void {
    this.#splits.splice(this.#splits.indexOf(open), 1)
  }

  /** A file that was worked on in parts was not made. */
  async #endJob(job: Job, task: FileTask, error: unknown): Promise<void> {
    await this.#removeTemporary(task)
    if (error instanceof WorkerDiedError) {
      this.#checkDeath(error)
      await this.#afterDeath(job, task, error)
      return
    }
    if (error instanceof StoppedError) return
    if (error instanceof LockedError && this.#folders === undefined) {
      // One worker that has a file open all the time sees one state of it, also where its writer goes on.
      this.#queue.add({ ...job, isWhole: true })
      return
    }
    this.#done.files++
    this.#done.bytes += job.size
    this.#fail(job.source, error)
  }

  /** Does a file again whose worker died; once it has died too often with it, gives it up. */
  async #afterDeath(job: Job, task: FileTask, error: WorkerDiedError): Promise<void> {
    if (this.#folders !== undefined) await clearAfterDeath(job, task)
    if (error.files !== undefined) job.deaths++
    if (job.deaths < DEATHS_MAX) {
      this.#queue.add(job)
      return
    }
    this.#done.files++
    this.#done.bytes += job.size
    this.#fail(job.source, error)
  }

  /** Removes what a worker may have left behind. */
  async #removeTemporary(task: FileTask): Promise<void> {
    if (this.#folders !== undefined) await removeTemporary(task)
  }

  /** @throws whatever is not the death of a worker; that, too, where they all die. */
  #checkDeath(error: unknown): asserts error is WorkerDiedError {
    if (!(error instanceof WorkerDiedError) || ++this.#deathsInARow >= DEATHS_IN_A_ROW) throw error
  }

  #fail(path: Path, error: unknown): void {
    if (error instanceof StoppedError) return
    if (this.#plan.stopOnError || error instanceof ClosedError) this.#stop(error)
    this.#failures.push({ path, error })
  }

  /** What a worker counts from now on is that of these files, or of a range. It may be a new worker. */
  #note(thread: WorkerThread, files: readonly Job[]): void {
    this.#activities.set(thread, { base: thread.counters.bytes, files })
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve))
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker()
  }

  /** @returns what tells for the last time. */
  #tellFromTimeToTime(): () => void {
    const { onProgress } = this.#plan
    if (onProgress === undefined) return () => undefined
    const gauge = new ProgressGauge(performance.now())
    const tell = (): void => {
      try {
        onProgress(gauge.tell(performance.now(), this.#sample()))
      } catch (error) {
        this.#stop(error)
      }
    }
    const timer = setInterval(tell, TELL_MS)
    tell()
    return () => {
      clearInterval(timer)
      tell()
    }
  }

  #sample(): Parameters<ProgressGauge['tell']>[1] {
    let { files, bytes } = this.#done
    for (const [thread, activity] of this.#activities) {
      files += activity.files.length > 0 ? (thread.counters.files ?? 0) : 0
      bytes += Math.max(0, thread.counters.bytes - activity.base)
    }
    for (const { split } of this.#splits) bytes += split.doneBytes
    const total = this.#total
    bytes = Math.min(bytes, total.bytes)
    return {
      files,
      totalFiles: total.files,
      bytes,
      totalBytes: total.bytes,
      failed: this.#failures.length,
      isListed: this.#isListed && this.#looks.length === 0,
      doneCost: this.#models.all.estimate({ files, bytes }),
      leftCost: this.#models.all.estimate({ files: total.files - files, bytes: total.bytes - bytes }),
    }
  }
}

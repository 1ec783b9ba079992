import { statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { BatchError } from '../errors.js'
import type { Place } from '../file/successor-file.js'
import { packError, type PackedError } from './error-transfer.js'
import { createFileWork } from './file-work.js'
import { createVerifyWork } from './verify-work.js'
import type {
  Answer,
  FailureMessage,
  FileTask,
  GroupResult,
  LookedAt,
  Results,
  Task,
  TrialSettings,
  WorkerSettings,
} from './messages.js'
import { Meter, StoppedError } from './meter.js'
import { RemoteKeys } from './shared-desk.js'

/** What runs in a worker: one task after the other, each answered. */

const settings = workerData as WorkerSettings
const port = parentPort!
const meter = new Meter(settings.common, settings.counters, settings.bytesPerSecond)
const keys = new RemoteKeys(settings.desk, (message) => port.postMessage(message))
const createWork = settings.direction === 'verify' ? createVerifyWork : createFileWork
const work = createWork(settings, keys, meter)

function perform(task: Task): Results[keyof Results] {
  if (task.type === 'look') return task.paths.map(lookAt)
  if (task.type === 'files') return makeFiles(task.files, task.trial)
  meter.check()
  const file = unpackTask(task.file)
  if (task.type === 'begin') return work.begin(file)
  if (task.type === 'range') return work.doRange(file, task.begun, task.range)
  work.finish(file, task.begun, task.whole)
  return undefined
}

/** Looks at a file. What is no regular file is not opened, which could hold us up. */
function lookAt(path: Place): LookedAt | PackedError {
  try {
    const place = unpackPlace(path)
    const stats = statSync(place)
    if (stats.isFile()) return { size: stats.size, device: stats.dev }
    const message = 'the source is not a regular file'
    return packError(new BatchError('ERR_SEALFILE_BATCH_SOURCE', message, { path: place.toString() }))
  } catch (error) {
    return packError(error)
  }
}

function makeFiles(files: readonly FileTask[], trial?: TrialSettings): GroupResult {
  const chosen = trial === undefined ? work : createWork({ ...settings, ...trial }, keys, meter)
  const began = performance.now()
  let bytes = 0
  let done = 0
  let [made, firstMs, lastMs, sumMs] = [0, 0, 0, 0]
  const tasks = files.map(unpackTask)
  chosen.prepare(tasks)
  for (const [index, task] of tasks.entries()) {
    meter.setFiles(index)
    try {
      meter.check()
      bytes += chosen.make(task)
      lastMs = performance.now() - began
      if (made++ === 0) firstMs = lastMs
      sumMs += lastMs
    } catch (error) {
      if (error instanceof StoppedError) break
      const message: FailureMessage = { index, failure: packError(error) }
      port.postMessage(message)
    }
    done++
  }
  chosen.forget()
  meter.setFiles(done)
  return { done, bytes, times: { made, firstMs, lastMs, sumMs } }
}

function unpackTask(task: FileTask): FileTask {
  return { ...task, source: unpackPlace(task.source), target: unpackPlace(task.target) }
}

/** A Buffer comes out of a message as a Uint8Array. */
function unpackPlace(place: Place): Place {
  return typeof place === 'string' ? place : Buffer.from(place)
}

port.on('message', (task: Task) => {
  const began = performance.now()
  meter.setFiles(0)
  let answer: Answer
  try {
    const value = perform(task)
    answer = { value, milliseconds: performance.now() - began }
  } catch (error) {
    answer = { error: packError(error), isStopped: error instanceof StoppedError }
  }
  port.postMessage(answer)
})

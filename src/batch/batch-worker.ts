import { statSync } from 'node:fs'
import { subscribe } from 'node:diagnostics_channel'
import { parentPort, workerData } from 'node:worker_threads'
import type { FileMessage } from '../audit-channels.js'
import { BatchError } from '../errors.js'
import type { Place } from '../file/successor-file.js'
import { packError, type PackedError } from './error-transfer.js'
import { createFileWork } from './file-work.js'
import { createVerifyWork } from './verify-work.js'
import {
  FILE_CHANNELS,
  type Answer,
  type AuditMessage,
  type FailureMessage,
  type FileTask,
  type GroupResult,
  type Results,
  type SeenFile,
  type Task,
  type TrialSettings,
  type WorkerSettings,
} from './messages.js'
import { Meter, StoppedError } from './meter.js'
import { RemoteKeys } from './shared-desk.js'
import { stampOf } from './source-file.js'
import { stampTarget, type TargetStamp } from './target-stamp.js'

/** What runs in a worker: one task after the other, each answered. */

const settings = workerData as WorkerSettings
const port = parentPort!
const meter = new Meter(settings.common, settings.counters, settings.bytesPerSecond)
const keys = new RemoteKeys(settings.desk, (message) => port.postMessage(message))
const createWork = settings.direction === 'verify' ? createVerifyWork : createFileWork
const work = createWork(settings, keys, meter)

/** Ranges of a file open it once more, which is nobody's business. */
let isTold = false
if (settings.isAudited) {
  for (const channel of FILE_CHANNELS) {
    subscribe(channel, (told) => {
      const message: AuditMessage = { channel, told: told as FileMessage }
      if (isTold) port.postMessage(message)
    })
  }
}

function perform(task: Task): Results[keyof Results] {
  isTold = task.type === 'files' || task.type === 'begin'
  if (task.type === 'look') return task.files.map(lookAt)
  if (task.type === 'files') return makeFiles(task.files, task.trial)
  meter.check()
  const file = unpackTask(task.file)
  if (task.type === 'begin') return work.begin(file)
  if (task.type === 'range') return work.doRange(file, task.begun, task.range)
  work.finish(file, task.begun, task.whole)
  return settings.isRecorded ? stampTarget(file.target) : undefined
}

/** Looks at a file. What is no regular file is not opened, which could hold us up. */
function lookAt({ source, target }: Pick<FileTask, 'source' | 'target'>): SeenFile | PackedError {
  try {
    const place = unpackPlace(source)
    const stats = statSync(place)
    if (stats.isFile())
      return { source: stampOf(stats), target: settings.isRecorded ? stampTarget(unpackPlace(target)) : undefined }
    const message = 'the source is not a regular file'
    return packError(new BatchError('ERR_SEALFILE_BATCH_SOURCE', message, { path: place.toString() }))
  } catch (error) {
    return packError(error)
  }
}

function makeFiles(files: readonly FileTask[], trial?: TrialSettings): GroupResult {
  const chosen = trial === undefined ? work : createWork({ ...settings, ...trial }, keys, meter)
  const began = performance.now()
  const targets = new Map<number, TargetStamp>()
  let bytes = 0
  let done = 0
  let [made, firstMs, lastMs, sumMs] = [0, 0, 0, 0]
  const tasks = files.map(unpackTask)
  chosen.prepare(tasks)
  for (const [index, task] of tasks.entries()) {
    meter.setFiles(index, bytes)
    try {
      meter.check()
      bytes += chosen.make(task)
      lastMs = performance.now() - began
      if (made++ === 0) firstMs = lastMs
      sumMs += lastMs
      const target = settings.isRecorded ? stampTarget(task.target) : undefined
      if (target !== undefined) targets.set(index, target)
    } catch (error) {
      if (error instanceof StoppedError) break
      const message: FailureMessage = { index, failure: packError(error) }
      port.postMessage(message)
    }
    done++
  }
  chosen.forget()
  meter.setFiles(done, bytes)
  return { done, bytes, targets, times: { made, firstMs, lastMs, sumMs } }
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
  meter.setFiles(0, 0)
  let answer: Answer
  try {
    const value = perform(task)
    answer = { value, milliseconds: performance.now() - began }
  } catch (error) {
    answer = { error: packError(error), isStopped: error instanceof StoppedError }
  }
  port.postMessage(answer)
})

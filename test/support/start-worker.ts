import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { inject } from 'vitest'

/** Stands in for `src/batch/start-worker.ts`. */
export function startWorker(options: WorkerOptions): Worker {
  return new Worker(pathToFileURL(inject('batchWorker')), options)
}

import { Worker, type WorkerOptions } from 'node:worker_threads'

/** Starts the code of the workers, which lies beside this file. Bundlers know this form of the expression, and it alone. */
export function startWorker(options: WorkerOptions): Worker {
  return new Worker(new URL('./batch-worker.js', import.meta.url), options)
}

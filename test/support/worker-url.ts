import { pathToFileURL } from 'node:url'
import { inject } from 'vitest'

/** Stands in for `src/batch/worker-url.ts`. */
export const WORKER_URL = pathToFileURL(inject('batchWorker'))

/** Where the code of the workers lies: beside this file, and beside what it was bundled into. */
export const WORKER_URL = new URL('./batch-worker.js', import.meta.url)

/* eslint tsdoc/syntax: off, @typescript-eslint/no-unsafe-assignment: off -- in JavaScript, types and casts are JSDoc */
import { setImmediate } from 'node:timers'
import { parentPort, workerData } from 'node:worker_threads'
import { argon2id } from 'hash-wasm'

// One Argon2id run, then the thread ends: hash-wasm computes in one go and would block whichever thread it runs on.

const input = /** @type {import('./argon2id.js').WorkerInput} */ (workerData)

async function derive() {
  const { passphrase, salt, secret, memoryKiB, passes, lanes, length } = input
  try {
    const output = await argon2id({
      password: passphrase,
      salt,
      ...(secret && { secret }),
      memorySize: memoryKiB,
      iterations: passes,
      parallelism: lanes,
      hashLength: length,
      outputType: 'binary',
    })
    // A copy of its own, because the whole underlying buffer is handed over.
    const key = output.slice()
    output.fill(0)
    parentPort?.postMessage(key, [key.buffer])
  } finally {
    passphrase.fill(0)
    secret?.fill(0)
  }
}

// No await out here, which a CommonJS build could not have. Thrown outside of a promise, an error is the worker's `error` event
// whatever --unhandled-rejections says.
derive().catch((/** @type {unknown} */ error) => {
  setImmediate(() => {
    throw error
  })
})

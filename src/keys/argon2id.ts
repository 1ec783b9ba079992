import nodeCrypto from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { KeyDerivationError } from '../errors.js'
import type { Argon2Parameters } from './argon2-parameters.js'

const KEY_LENGTH = 32

/** What one run is over. */
export interface Argon2Input {
  /** 1 byte or more; stays the caller's. */
  readonly passphrase: Uint8Array
  /** 8 bytes or more; ours are 16. */
  readonly salt: Uint8Array
  readonly parameters: Argon2Parameters
  /** The secret value K of RFC 9106, where one is in use; stays the caller's. */
  readonly secret?: Uint8Array | undefined
  /** Gives up the run. */
  readonly signal?: AbortSignal | undefined
}

/** What the worker is started with. */
export interface WorkerInput extends Argon2Parameters {
  readonly passphrase: Uint8Array
  readonly salt: Uint8Array
  readonly secret: Uint8Array | undefined
  readonly length: number
}

/** The part of `crypto.argon2` (Node 24.7 and later) that is used. */
type NativeArgon2 = (
  algorithm: 'argon2id',
  parameters: {
    readonly message: Uint8Array
    readonly nonce: Uint8Array
    readonly parallelism: number
    readonly tagLength: number
    readonly memory: number
    readonly passes: number
    readonly secret?: Uint8Array
  },
  callback: (error: Error | null, key: Uint8Array) => void,
) => void

// Of the default export: some bundlers make a named import of a namespace's member, and older versions of Node refuse that.
const native = (nodeCrypto as { readonly argon2?: NativeArgon2 }).argon2

/** By the runtime, in its thread pool; undefined where it has none. Errors are the runtime's own. */
export const deriveNatively =
  native &&
  (({ passphrase, salt, parameters, secret, signal }: Argon2Input): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const stop = () => reject(signal?.reason as Error)
      signal?.addEventListener('abort', stop, { once: true })
      const { memoryKiB: memory, passes, lanes: parallelism } = parameters
      const costs = { parallelism, tagLength: KEY_LENGTH, memory, passes }
      native('argon2id', { message: passphrase, nonce: salt, ...costs, ...(secret && { secret }) }, (error, key) => {
        signal?.removeEventListener('abort', stop)
        if (error) reject(error)
        else resolve(new Uint8Array(key.buffer, key.byteOffset, key.byteLength))
      })
    }))

/** By hash-wasm, in a thread that lives for this run and keeps the process alive meanwhile. */
export function deriveInWorker({ passphrase, salt, parameters, secret, signal }: Argon2Input): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // Copied, because slice() of a Buffer would share its memory; then transferred, so that no copy stays behind on this side.
    const workerData: WorkerInput = {
      ...parameters,
      passphrase: new Uint8Array(passphrase),
      salt: new Uint8Array(salt),
      secret: secret && new Uint8Array(secret),
      length: KEY_LENGTH,
    }
    const transferList = [workerData.passphrase, workerData.secret].flatMap((bytes) => (bytes ? [bytes.buffer as ArrayBuffer] : []))
    // Without execArgv the worker would inherit flags such as --input-type, and fail on them.
    const options = { name: 'sealfile-argon2id', workerData, transferList, execArgv: [] }
    const worker = new Worker(new URL('./argon2-worker.js', import.meta.url), options)
    const stop = () => {
      reject(signal?.reason as Error)
      void worker.terminate()
    }
    signal?.addEventListener('abort', stop, { once: true })
    worker.once('message', resolve)
    worker.once('messageerror', reject)
    worker.once('error', reject)
    // After a result or an error this changes nothing; it settles what a worker that was killed leaves open.
    worker.once('exit', (code) => {
      signal?.removeEventListener('abort', stop)
      reject(new Error(`the worker ended with code ${code} and without a result`))
    })
  })
}

/** The runtime may have the function and not the algorithm, where it was built against an older OpenSSL. */
function isUnsupported(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_CRYPTO_ARGON2_NOT_SUPPORTED'
}

/**
 * Runs Argon2id (RFC 9106, version 0x13) off the main thread. Check the parameters against the caller's limits first.
 *
 * @returns 32 bytes, the caller's to zeroise.
 * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if it could not run, with the cause.
 * @throws the signal's reason if that aborted.
 */
export async function deriveFromPassphrase(input: Argon2Input): Promise<Uint8Array> {
  const { signal, parameters } = input
  signal?.throwIfAborted()
  try {
    if (deriveNatively === undefined) return await deriveInWorker(input)
    return await deriveNatively(input).catch((error: unknown) => {
      if (isUnsupported(error)) return deriveInWorker(input)
      throw error
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw new KeyDerivationError(`Argon2id over ${parameters.memoryKiB} KiB could not run`, { cause: error })
  }
}

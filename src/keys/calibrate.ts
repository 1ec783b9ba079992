import type { Argon2Parameters } from './argon2-parameters.js'

/** What a run of Argon2id may take on this machine. */
export interface CalibrateOptions {
  /**
   * Milliseconds that opening a keyring may take: 1 to 600,000.
   *
   * @defaultValue 500
   */
  readonly targetMs?: number | undefined
  /**
   * KiB that one run may fill, on the machine with the least memory that opens the keyring: 8 to 2^32 - 1.
   *
   * @defaultValue a quarter of this machine's memory, at most 1048576 (1 GiB), which is what opening allows by default
   */
  readonly maxMemoryKiB?: number | undefined
  /**
   * Passes over the memory: 1 to 2^32 - 1.
   *
   * @defaultValue 16, which is what opening allows by default
   */
  readonly maxPasses?: number | undefined
  /**
   * Lanes: 1 to 2^24 - 1. There are never more than processors.
   *
   * @defaultValue 4
   */
  readonly maxLanes?: number | undefined
  /** Gives up. */
  readonly signal?: AbortSignal | undefined
}

/** One run that was measured. */
export interface Argon2Run {
  /** What it was run with. */
  readonly parameters: Argon2Parameters
  /** How long it took, the start of its thread included. */
  readonly elapsedMs: number
}

/** The costliest run that kept to the time, and all that were tried. */
export interface Calibration extends Argon2Run {
  /** In the order in which they were made. */
  readonly runs: readonly Argon2Run[]
}

/**
 * Finds the cost of Argon2id that this machine affords in a given time, by measuring, off the main thread: memory first up to the cap,
 * then passes, with lanes as there are processors. Run it where the keyring will be opened, and while the machine does little else. It
 * takes at most the first run and four times the target; what it gives was measured.
 *
 * The keyring keeps its parameters: calibrate once, when you create it. A machine with less memory may not be able to open it, and one
 * that opens it with other `limits` must allow them.
 *
 * @returns parameters for the option `argon2`, and how long they took. Never less memory than the profile `rfc9106-second` has, 64 MiB,
 * unless `maxMemoryKiB` is less: a machine that is too slow for that gets it all the same, and `elapsedMs` says so.
 * @throws TypeError, RangeError for options that cannot be.
 * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id cannot run at all.
 * @throws the signal's reason if that aborted.
 * @see RFC 9106 §4
 *
 * @example
 * ```ts
 * const { parameters } = await calibrate({ targetMs: 500 })
 * const keyManager = await KeyManager.create('keyring.json', { passphrase, argon2: parameters })
 * ```
 */
export async function calibrate(options: CalibrateOptions = {}): Promise<Calibration> {
  const { findArgon2Parameters, measureRun, resolveBounds } = await import('./calibration.js')
  const bounds = resolveBounds(options)
  options.signal?.throwIfAborted()
  return await findArgon2Parameters(measureRun, bounds, options.signal)
}

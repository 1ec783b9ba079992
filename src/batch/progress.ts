/** How far a batch is. */
export interface BatchProgress {
  /** Files that are done with, failed ones among them. */
  readonly files: number
  /** Files that were found so far. */
  readonly totalFiles: number
  /** Bytes of the sources of these files, and of those that are being worked on. */
  readonly bytes: number
  /** Bytes of the sources that were found so far. */
  readonly totalBytes: number
  /** Files that failed. */
  readonly failed: number
  /** Whether all there is to do was found; until then the totals grow. */
  readonly isListed: boolean
  /** Bytes of sources a second, in the last seconds. */
  readonly bytesPerSecond: number
  /** Seconds until the end, as far as can be told; undefined until all is listed and something is done. */
  readonly secondsLeft: number | undefined
}

/** What a batch has done at some time. */
export interface Sample extends Omit<BatchProgress, 'bytesPerSecond' | 'secondsLeft'> {
  /** By the cost model: what was done, and what is left, in milliseconds of work. */
  readonly doneCost: number
  readonly leftCost: number
}

/** Seconds over which a rate is a mean. */
const RATE_SECONDS = 3

/** Makes a rate of what is done from time to time, and an estimate of what is left: by cost, so that small files count for what they take. */
export class ProgressGauge {
  readonly #began: number
  readonly #samples: { readonly time: number; readonly bytes: number }[] = []

  /** @param now - Milliseconds, by whatever clock. */
  constructor(now: number) {
    this.#began = now
    this.#samples.push({ time: now, bytes: 0 })
  }

  tell(now: number, { doneCost, leftCost, ...sample }: Sample): BatchProgress {
    const samples = this.#samples
    samples.push({ time: now, bytes: sample.bytes })
    while (samples.length > 2 && samples[1]!.time <= now - RATE_SECONDS * 1_000) samples.shift()
    const first = samples[0]!
    const seconds = (now - first.time) / 1_000
    const isKnown = sample.isListed && doneCost > 0
    return {
      ...sample,
      bytesPerSecond: seconds > 0 ? (sample.bytes - first.bytes) / seconds : 0,
      secondsLeft: isKnown ? ((now - this.#began) / 1_000) * (leftCost / doneCost) : undefined,
    }
  }
}

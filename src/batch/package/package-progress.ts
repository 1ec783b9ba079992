import { CostModel } from '../cost-model.js'
import { ProgressGauge, type BatchProgress } from '../progress.js'

const TELL_MS = 250

/** Counts what is done of a package, and tells of it from time to time. */
export class PackageProgress {
  readonly total = { files: 0, bytes: 0 }
  readonly done = { files: 0, bytes: 0 }
  failed = 0
  isListed = false
  readonly #model = new CostModel()

  /**
   * Tells at once and four times a second.
   *
   * @param stop - Called with what `onProgress` throws.
   * @returns what tells for the last time; called again, it does nothing.
   */
  tell(onProgress: ((progress: BatchProgress) => void) | undefined, stop: (error: unknown) => void): () => void {
    if (onProgress === undefined) return () => undefined
    const gauge = new ProgressGauge(performance.now())
    const tell = (): void => {
      try {
        onProgress(gauge.tell(performance.now(), this.#sample()))
      } catch (error) {
        stop(error)
      }
    }
    let timer: NodeJS.Timeout | undefined = setInterval(tell, TELL_MS)
    tell()
    return () => {
      if (timer === undefined) return
      clearInterval(timer)
      timer = undefined
      tell()
    }
  }

  #sample(): Parameters<ProgressGauge['tell']>[1] {
    const { total, failed, isListed } = this
    // A file that has failed may have been shorter than it was said to be, or longer.
    const bytes = Math.min(this.done.bytes, total.bytes)
    const { files } = this.done
    return {
      files,
      totalFiles: total.files,
      bytes,
      totalBytes: total.bytes,
      failed,
      isListed,
      doneCost: this.#model.estimate({ files, bytes }),
      leftCost: this.#model.estimate({ files: total.files - files, bytes: total.bytes - bytes }),
    }
  }
}

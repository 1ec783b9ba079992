/** What a model knows of work: so many files, with so many bytes in all. */
export interface Work {
  readonly files: number
  readonly bytes: number
}

/** Milliseconds that each file takes, whatever its size, and each byte. */
export interface Costs {
  readonly fileMs: number
  readonly byteMs: number
}

/** What is assumed before anything was measured. */
const ASSUMED: Costs = { fileMs: 0.2, byteMs: 1_000 / 2 ** 30 }
/** The assumptions weigh as much as so many measured milliseconds. */
const PRIOR_WEIGHT_MS = 20
/** How much of what was learned is kept from one observation to the next: machines change their speed. */
const MEMORY = 0.98

/**
 * How long files take: a part for each file and a part for each byte, corrected by what was measured. Weighted least squares over the
 * observations so far, without keeping them.
 */
export class CostModel implements Costs {
  // Sums over observations: of n², nb, b², nt and bt, for n files with b bytes in t milliseconds, each divided by t.
  #ff: number
  #fb = 0
  #bb: number
  #ft: number
  #bt: number
  #fileMs: number
  #byteMs: number

  constructor({ fileMs, byteMs }: Costs = ASSUMED) {
    this.#fileMs = fileMs
    this.#byteMs = byteMs
    // As if each of the two had been measured alone.
    const files = PRIOR_WEIGHT_MS / fileMs
    const bytes = PRIOR_WEIGHT_MS / byteMs
    this.#ff = files ** 2 / PRIOR_WEIGHT_MS
    this.#bb = bytes ** 2 / PRIOR_WEIGHT_MS
    this.#ft = files
    this.#bt = bytes
  }

  /** Milliseconds that each file takes, whatever its size. */
  get fileMs(): number {
    return this.#fileMs
  }

  /** Milliseconds that each byte takes. */
  get byteMs(): number {
    return this.#byteMs
  }

  /** @returns milliseconds of one worker. */
  estimate({ files, bytes }: Work): number {
    return files * this.#fileMs + bytes * this.#byteMs
  }

  /** @param milliseconds - That one worker took for it. */
  observe({ files, bytes }: Work, milliseconds: number): void {
    if (!(milliseconds > 0) || (files === 0 && bytes === 0)) return
    // Long work is measured as a whole, and its error grows with it: each observation counts by its time, not by the square of it.
    const weight = 1 / milliseconds
    this.#ff = this.#ff * MEMORY + weight * files * files
    this.#fb = this.#fb * MEMORY + weight * files * bytes
    this.#bb = this.#bb * MEMORY + weight * bytes * bytes
    this.#ft = this.#ft * MEMORY + files
    this.#bt = this.#bt * MEMORY + bytes
    this.#solve()
  }

  /** Neither part may be negative, nor nothing. */
  #solve(): void {
    const determinant = this.#ff * this.#bb - this.#fb ** 2
    if (determinant > 1e-9 * this.#ff * this.#bb) {
      const fileMs = (this.#ft * this.#bb - this.#bt * this.#fb) / determinant
      const byteMs = (this.#bt * this.#ff - this.#ft * this.#fb) / determinant
      if (fileMs > 0 && byteMs > 0) {
        this.#fileMs = fileMs
        this.#byteMs = byteMs
        return
      }
    }
    // What is learned of the one cannot be told from the other: both are scaled.
    const [file, byte] = [this.#fileMs, this.#byteMs]
    const scale = (file * this.#ft + byte * this.#bt) / (file ** 2 * this.#ff + 2 * file * byte * this.#fb + byte ** 2 * this.#bb)
    this.#fileMs *= scale
    this.#byteMs *= scale
  }
}

/** Kinds that have a model of their own; whatever else there is shares one. */
const KINDS_MAX = 16

/**
 * A model for each kind of file: those of a slow disk take longer than those of a fast one, those that are compressed longer than those that
 * are not. A kind begins with what was learned of all.
 */
export class CostModels {
  /** Of all files. */
  readonly all = new CostModel()
  readonly #kinds = new Map<string, CostModel>()

  of(kind: string): CostModel {
    let model = this.#kinds.get(kind)
    if (model === undefined) {
      if (this.#kinds.size >= KINDS_MAX) return this.all
      model = new CostModel(this.all)
      this.#kinds.set(kind, model)
    }
    return model
  }

  /** @param milliseconds - That one worker took for work of one kind. */
  observe(kind: string, work: Work, milliseconds: number): void {
    const model = this.of(kind)
    if (model !== this.all) model.observe(work, milliseconds)
    this.all.observe(work, milliseconds)
  }
}

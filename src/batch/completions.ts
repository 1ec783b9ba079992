import type { GroupTimes } from './messages.js'

/** When files of a batch were in their places, in milliseconds since it began. */
export class Completions {
  readonly #began = performance.now()
  #files = 0
  #sum = 0
  #first = Infinity
  #last = 0

  /** Adds files of a group. @param started - When its worker began, by the clock of this thread. */
  addGroup(started: number, { made, firstMs, sumMs, lastMs }: GroupTimes): void {
    if (made === 0) return
    const offset = started - this.#began
    this.#add(made, made * offset + sumMs, offset + firstMs, offset + lastMs)
  }

  /** Adds files that were found to be there just now. */
  addNow(files: number): void {
    const now = performance.now() - this.#began
    if (files > 0) this.#add(files, files * now, now, now)
  }

  /** Until the first file was there. NaN where there is none, as with the others. */
  get firstMs(): number {
    return this.#files === 0 ? NaN : this.#first
  }

  /** Until a file was there, on average. */
  get meanMs(): number {
    return this.#sum / this.#files
  }

  /** Until the last file was there. */
  get lastMs(): number {
    return this.#files === 0 ? NaN : this.#last
  }

  #add(files: number, sum: number, first: number, last: number): void {
    this.#files += files
    this.#sum += sum
    this.#first = Math.min(this.#first, first)
    this.#last = Math.max(this.#last, last)
  }
}

/** A binary heap: gives out what comes before everything else in it. */
export class Heap<T> {
  readonly #before: (one: T, other: T) => boolean
  /** No entry comes before its parent, which is at half its index. */
  readonly #entries: T[] = []

  constructor(before: (one: T, other: T) => boolean) {
    this.#before = before
  }

  get count(): number {
    return this.#entries.length
  }

  /** @returns what comes next, and stays. */
  peek(): T | undefined {
    return this.#entries[0]
  }

  add(entry: T): void {
    const entries = this.#entries
    let index = entries.length
    while (index > 0) {
      const parent = Math.floor((index - 1) / 2)
      if (!this.#before(entry, entries[parent]!)) break
      entries[index] = entries[parent]!
      index = parent
    }
    entries[index] = entry
  }

  /** @returns what comes next, which is taken out. */
  take(): T | undefined {
    const first = this.#entries[0]
    const last = this.#entries.pop()
    if (last !== undefined && this.#entries.length > 0) this.#sink(last)
    return first
  }

  /** Puts an entry into the place of the first, and then behind all that come before it. */
  #sink(entry: T): void {
    const entries = this.#entries
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && this.#before(entries[child + 1]!, entries[child]!)) child++
      if (!this.#before(entries[child]!, entry)) break
      entries[index] = entries[child]!
      index = child
    }
    entries[index] = entry
  }
}

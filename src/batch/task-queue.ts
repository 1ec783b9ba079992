import type { CostModel } from './cost-model.js'

/**
 * In which order files are worked on. `fifo`: as they are found. `priority`: the shortest first, so that results come early. `makespan`:
 * the longest first, so that none is begun late and holds the end up.
 */
export type Policy = 'fifo' | 'priority' | 'makespan'

export const POLICIES: readonly Policy[] = ['fifo', 'priority', 'makespan']

/** What is queued: a file, by its size. */
export interface Sized {
  /** Bytes. */
  readonly size: number
}

/** How files are put together. */
export interface GroupLimits {
  /** How many take from the queue. */
  readonly workers: number
  /** Files from this size on are given out alone. */
  readonly largeSize: number
}

/** Milliseconds of work that are worth a message. */
const GROUP_MS = 20
const GROUP_FILES = 256
/** From one taker's last group to another's no more than this part of what is left. */
const SHARE = 4

/** Files that wait for a worker: given out in the order of a policy, small ones in groups whose work is worth the messages. */
export class TaskQueue<T extends Sized> {
  readonly #before: (one: Entry<T>, other: Entry<T>) => boolean
  /** A heap: no entry comes before its parent, which is at half its index. */
  readonly #heap: Entry<T>[] = []
  #bytes = 0
  #added = 0

  constructor(policy: Policy) {
    this.#before = ORDERS[policy]
  }

  /** Files that wait. */
  get count(): number {
    return this.#heap.length
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes
  }

  add(item: T): void {
    this.#bytes += item.size
    const heap = this.#heap
    const entry = { item, number: this.#added++ }
    let index = heap.length
    while (index > 0) {
      const parent = Math.floor((index - 1) / 2)
      if (!this.#before(entry, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = entry
  }

  /** @returns what comes next, and stays queued. */
  peek(): T | undefined {
    return this.#heap[0]?.item
  }

  /** @returns the next files, in their order: one that is large, or some that are small. None where none waits. */
  takeGroup(model: CostModel, { workers, largeSize }: GroupLimits): T[] {
    const group: T[] = []
    const left = model.estimate({ files: this.count, bytes: this.#bytes })
    const longest = Math.min(GROUP_MS, left / (SHARE * workers))
    let cost = 0
    for (let next = this.peek(); next !== undefined && group.length < GROUP_FILES; next = this.peek()) {
      cost += model.estimate({ files: 1, bytes: next.size })
      if (group.length > 0 && (cost > longest || next.size >= largeSize)) break
      group.push(this.#takeFirst())
      if (next.size >= largeSize) break
    }
    return group
  }

  #takeFirst(): T {
    const heap = this.#heap
    const { item } = heap[0]!
    const last = heap.pop()!
    this.#bytes -= item.size
    if (heap.length > 0) this.#sink(last)
    return item
  }

  /** Puts an entry into the place of the first, and then behind all that come before it. */
  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++
      if (!this.#before(heap[child]!, entry)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = entry
  }
}

interface Entry<T> {
  readonly item: T
  /** Equal ones keep the order in which they came. */
  readonly number: number
}

type Order = (one: Entry<Sized>, other: Entry<Sized>) => boolean

const ORDERS: Readonly<Record<Policy, Order>> = {
  fifo: (one, other) => one.number < other.number,
  priority: (one, other) => one.item.size - other.item.size < 0 || (one.item.size === other.item.size && one.number < other.number),
  makespan: (one, other) => one.item.size > other.item.size || (one.item.size === other.item.size && one.number < other.number),
}

import type { CostModels } from './cost-model.js'
import { Heap } from './heap.js'

/**
 * In which order files are worked on. `fifo`: as they are found. `priority`: the shortest first, so that results come early. `makespan`:
 * the longest first, so that none is begun late and holds the end up.
 */
export type Policy = 'fifo' | 'priority' | 'makespan'

export const POLICIES: readonly Policy[] = ['fifo', 'priority', 'makespan']

/** What is queued: a file, by what it takes. */
export interface Sized {
  /** Bytes. */
  readonly size: number
  /** Files of a kind take as long as each other, where they are as large: those of one device, for example. */
  readonly kind: string
}

/** How files are put together. */
export interface GroupLimits {
  /** How many take from the queue. */
  readonly workers: number
  /** Files from this size on are given out alone. */
  readonly largeSize: number
  /** Milliseconds of work that are worth a message. */
  readonly groupMs: number
}

/** Of files that take no time. */
const GROUP_FILES = 1_024
/** From one taker's last group to another's no more than this part of what is left. */
const SHARE = 4

/** Files that wait for a worker: given out in the order of a policy, small ones of a kind in groups whose work is worth the messages. */
export class TaskQueue<T extends Sized> {
  readonly #policy: Policy
  readonly #models: CostModels
  /** Within a kind the larger file takes longer, whatever the model learns meanwhile. */
  readonly #kinds = new Map<string, Waiting<T>>()
  #count = 0
  #added = 0

  constructor(policy: Policy, models: CostModels) {
    this.#policy = policy
    this.#models = models
  }

  /** Files that wait. */
  get count(): number {
    return this.#count
  }

  /** What they take, in milliseconds of one worker. */
  get cost(): number {
    let cost = 0
    for (const [kind, { heap, bytes }] of this.#kinds) cost += this.#models.of(kind).estimate({ files: heap.count, bytes })
    return cost
  }

  add(item: T): void {
    let waiting = this.#kinds.get(item.kind)
    if (waiting === undefined) this.#kinds.set(item.kind, (waiting = { heap: new Heap<Entry<T>>(ORDERS[this.#policy]), bytes: 0 }))
    waiting.heap.add({ item, number: this.#added++ })
    waiting.bytes += item.size
    this.#count++
  }

  /** @returns what comes next, and stays queued. */
  peek(): T | undefined {
    return this.#next()?.heap.peek()!.item
  }

  /** @returns the next files, in their order: one that is large, or some that are small. None where none waits. */
  takeGroup({ workers, largeSize, groupMs }: GroupLimits): T[] {
    const group: T[] = []
    const longest = Math.min(groupMs, this.cost / (SHARE * workers))
    let cost = 0
    for (let waiting = this.#next(); waiting !== undefined && group.length < GROUP_FILES; waiting = this.#next()) {
      const { item } = waiting.heap.peek()!
      cost += this.#costOf(item)
      if (group.length > 0 && (item.kind !== group[0]!.kind || cost > longest || item.size >= largeSize)) break
      group.push(waiting.heap.take()!.item)
      waiting.bytes -= item.size
      this.#count--
      if (item.size >= largeSize) break
    }
    return group
  }

  /** @returns the kind whose first file comes next. */
  #next(): Waiting<T> | undefined {
    let next: Waiting<T> | undefined
    for (const waiting of this.#kinds.values()) {
      if (waiting.heap.count > 0 && (next === undefined || this.#comesBefore(waiting, next))) next = waiting
    }
    return next
  }

  #comesBefore(one: Waiting<T>, other: Waiting<T>): boolean {
    const [first, second] = [one.heap.peek()!, other.heap.peek()!]
    if (this.#policy === 'fifo') return first.number < second.number
    const difference = this.#costOf(first.item) - this.#costOf(second.item)
    return this.#policy === 'priority' ? difference < 0 : difference > 0
  }

  #costOf({ kind, size }: Sized): number {
    return this.#models.of(kind).estimate({ files: 1, bytes: size })
  }
}

/** Files of a kind. */
interface Waiting<T> {
  readonly heap: Heap<Entry<T>>
  bytes: number
}

interface Entry<T> {
  readonly item: T
  /** Equal ones keep the order in which they came. */
  readonly number: number
}

type Order = (one: Entry<Sized>, other: Entry<Sized>) => boolean

const ORDERS: Readonly<Record<Policy, Order>> = {
  fifo: (one, other) => one.number < other.number,
  priority: (one, other) => one.item.size < other.item.size || (one.item.size === other.item.size && one.number < other.number),
  makespan: (one, other) => one.item.size > other.item.size || (one.item.size === other.item.size && one.number < other.number),
}

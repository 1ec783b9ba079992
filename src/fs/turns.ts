import { resolve } from 'node:path'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'

/** The last call that works on each file. */
const tails = new Map<string, Promise<unknown>>()

/**
 * Lets the calls of this process that change a whole file take turns, in the order in which they were made: so many may overlap without
 * getting into the way of each other's lock.
 *
 * @param work - Gets the milliseconds that it has waited.
 */
export async function takeTurn<T>(path: PathLike, work: (waited: number) => Promise<T>): Promise<T> {
  const key = resolve(nameOf(path))
  const called = performance.now()
  const before = tails.get(key) ?? Promise.resolve()
  const mine = before.then(() => work(Math.floor(performance.now() - called)))
  const tail = mine.catch(() => undefined)
  tails.set(key, tail)
  try {
    return await mine
  } finally {
    if (tails.get(key) === tail) tails.delete(key)
  }
}

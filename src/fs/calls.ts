import { invalidArgType } from '../argument-errors.js'

/** Calls in the shape of node:fs, and those of them that have a callback. */

export type AnyFunction = (...args: unknown[]) => unknown
/** Calls by their names in node:fs. */
export type Calls = Record<string, AnyFunction>
export type Callback = (error: unknown, ...results: unknown[]) => void

/**
 * Takes a callback off the end of a call's arguments; what was left out behind it does not count.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` where there is none.
 */
export function takeCallback(args: unknown[]): Callback {
  let end = args.length
  while (end > 1 && args[end - 1] === undefined) end--
  const [callback] = args.splice(end - 1)
  if (typeof callback !== 'function') throw invalidArgType('cb', 'of type function', callback)
  return callback as Callback
}

/** Calls back in a turn of its own, so that what the callback throws is nobody's rejection. */
export function callBack(callback: Callback, ...results: Parameters<Callback>): void {
  process.nextTick(callback, ...results)
}

/**
 * Tells a callback what work comes to.
 *
 * @param failed - What a callback gets behind an error.
 */
export function deliver(work: Promise<readonly unknown[]>, callback: Callback, failed: readonly unknown[] = []): void {
  work.then(
    (results) => callBack(callback, null, ...results),
    (error: unknown) => callBack(callback, error, ...failed),
  )
}

/** What a callback gets of a call that has one result, or none. */
export function resultsOf(result: unknown): readonly unknown[] {
  return result === undefined ? [] : [result]
}

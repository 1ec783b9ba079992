/** How work on many files is controlled. */
export interface ParallelOptions {
  /** How many are worked on at a time: 1 or more. */
  readonly concurrency: number
  /** Begins no more when it is aborted. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Works on all items, some at a time; takes one only when it can be worked on.
 *
 * @throws what the first failing piece of work threw, or the signal's reason, after what was begun has ended.
 */
export async function runParallel<T>(
  items: AsyncIterable<T>,
  { concurrency, signal }: ParallelOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const source = items[Symbol.asyncIterator]()
  let isFailed = false
  const take = async (): Promise<void> => {
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (isFailed) return
        const next = await source.next()
        if (next.done === true) return
        await work(next.value)
      }
    } catch (error) {
      isFailed = true
      throw error
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, take))
  await source.return?.()
  const failure = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}

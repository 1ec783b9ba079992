/**
 * Waits for work that cannot be stopped, as long as the signal lets it.
 *
 * @throws the signal's reason once that aborts; the work goes on, and what comes of it is dropped.
 */
export async function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  const { promise: aborted, stop } = abortOf(signal)
  try {
    // The race handles the rejection of the loser, too.
    return await Promise.race([aborted, work])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function abortOf(signal: AbortSignal): { readonly promise: Promise<never>; readonly stop: () => void } {
  let stop = (): void => undefined
  const promise = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  return { promise, stop }
}

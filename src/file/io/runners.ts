import type { Background, Call, Disk, DiskCalls, Request, Steps } from './steps.js'

/** Performs steps, one operation of a handle after the other. */

function performSync(calls: DiskCalls, { call, args }: Call): unknown {
  return (calls[call] as (...args: unknown[]) => unknown)(...args)
}

function performAsync(calls: Disk['async'], { call, args }: Call): Promise<unknown> {
  return (calls[call] as (...args: unknown[]) => Promise<unknown>)(...args)
}

function valueOf({ outcome }: Background): unknown {
  if (outcome === undefined) throw new TypeError('the call is still going on')
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

/**
 * Makes a call again that goes on and whose end nobody will see: it writes the same bytes to the same place. Nothing is closed or
 * unlinked twice, because its number or name may belong to another by then.
 */
function repeatSync(calls: DiskCalls, call: Call): unknown {
  return call.call === 'close' || call.call === 'unlink' ? undefined : performSync(calls, call)
}

/** Answers one request at once. @param isGoingOn - It was asked before, and its call goes on. */
function answerSync(calls: DiskCalls, request: Request, isGoingOn: boolean): unknown {
  if ('call' in request) return isGoingOn ? repeatSync(calls, request) : performSync(calls, request)
  if ('now' in request) return performSync(calls, request.now)
  if ('begin' in request) {
    const background: Background = { call: request.begin, outcome: undefined, isRepeated: false, whenDone: undefined }
    background.outcome = outcomeOf(() => performSync(calls, request.begin))
    return background
  }
  if ('waitIfAsync' in request) return undefined
  if ('wait' in request) throw new TypeError('a function that returns a promise cannot serve a handle that does not wait')
  const background = request.await
  if (background.outcome === undefined) {
    background.isRepeated = true
    background.outcome = outcomeOf(() => repeatSync(calls, background.call))
  }
  return valueOf(background)
}

function outcomeOf(perform: () => unknown): NonNullable<Background['outcome']> {
  try {
    return { value: perform() }
  } catch (error) {
    return { error }
  }
}

/** Goes on with steps until they end, from the answer to the request that they wait for. */
function continueSync<T>(calls: DiskCalls, steps: Steps<T>, waitsFor?: Request): T {
  let turn = waitsFor === undefined ? steps.next() : undefined
  for (;;) {
    if (turn?.done === true) return turn.value
    let answer: unknown
    try {
      answer = turn === undefined ? answerSync(calls, waitsFor!, true) : answerSync(calls, turn.value, false)
    } catch (error) {
      turn = steps.throw(error)
      continue
    }
    turn = steps.next(answer)
  }
}

/** Runs steps to their end without letting go of the thread. */
export function runSync<T>(disk: Disk, steps: Steps<T>): T {
  return continueSync(disk.sync, steps)
}

interface Job {
  readonly start: () => Steps<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Runs the operations of one handle in the order of their calls, each to its end before the next begins. */
export class AsyncRunner {
  /** Called after each operation, before its promise is seen to be settled. */
  afterEach: (() => void) | undefined
  readonly #disk: Disk
  readonly #queue: Job[] = []
  #isBeginning = false
  /** Calls in the background. */
  #goingOn = 0
  #active: { readonly job: Job; readonly steps: Steps<unknown>; waitsFor: Request | undefined } | undefined

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** @param start - Called when its turn has come; at once when nothing else goes on. */
  run<T>(start: () => Steps<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const job: Job = { start, resolve: resolve as (value: unknown) => void, reject }
      this.#queue.push(job)
      this.#beginNext()
    })
  }

  /** Something goes on, or waits for its turn. */
  get isBusy(): boolean {
    return this.#active !== undefined || this.#queue.length > 0 || this.#goingOn > 0
  }

  /**
   * Brings all that goes on and all that is queued to its end at once: when the process exits, and no callback will come any more, or
   * where a call does not wait. Calls that go on are made again.
   *
   * @returns whether anything was going on: it ends after all that is done now.
   */
  finishSync(): boolean {
    const active = this.#active
    this.#active = undefined
    if (active !== undefined) settleJob(active.job, () => continueSync(this.#disk.sync, active.steps, active.waitsFor))
    for (const job of this.#queue.splice(0)) settleJob(job, () => continueSync(this.#disk.sync, job.start()))
    return active !== undefined || this.#goingOn > 0
  }

  /** Begins what waits. In a loop: operations that need no I/O end at once, and the stack must not grow with the queue. */
  #beginNext(): void {
    if (this.#isBeginning) return
    this.#isBeginning = true
    while (this.#active === undefined) {
      const job = this.#queue.shift()
      if (job === undefined) break
      this.#begin(job)
    }
    this.#isBeginning = false
  }

  #begin(job: Job): void {
    const steps = job.start()
    this.#active = { job, steps, waitsFor: undefined }
    this.#advance(steps, () => steps.next())
  }

  /** Takes one turn, and on through all requests that have an answer already. */
  #advance(steps: Steps<unknown>, turn: () => IteratorResult<Request, unknown>): void {
    const active = this.#active
    if (active?.steps !== steps) return // finishSync was here first
    for (;;) {
      let result
      try {
        result = turn()
      } catch (error) {
        this.#end(active.job, () => {
          throw error
        })
        return
      }
      if (result.done === true) {
        this.#end(active.job, () => result.value)
        return
      }
      const request = result.value
      active.waitsFor = request
      if ('call' in request) {
        performAsync(this.#disk.async, request).then(
          (value) => this.#advance(steps, () => steps.next(value)),
          (error: unknown) => this.#advance(steps, () => steps.throw(error)),
        )
        return
      }
      if ('now' in request) {
        const outcome = outcomeOf(() => performSync(this.#disk.sync, request.now))
        turn = () => ('error' in outcome ? steps.throw(outcome.error) : steps.next(outcome.value))
        continue
      }
      if ('begin' in request) {
        const background = this.#beginBackground(request.begin)
        turn = () => steps.next(background)
        continue
      }
      if ('waitIfAsync' in request) {
        const outcome = outcomeOf(request.waitIfAsync)
        if ('value' in outcome && outcome.value !== undefined) {
          this.#waitFor(steps, outcome.value as PromiseLike<unknown>)
          return
        }
        turn = () => ('error' in outcome ? steps.throw(outcome.error) : steps.next())
        continue
      }
      if ('wait' in request) {
        this.#waitFor(steps, request.wait)
        return
      }
      const background = request.await
      if (background.outcome === undefined) {
        background.whenDone = () => this.#advance(steps, () => this.#resume(steps, background))
        return
      }
      turn = () => this.#resume(steps, background)
    }
  }

  #waitFor(steps: Steps<unknown>, promise: PromiseLike<unknown>): void {
    promise.then(
      (value) => this.#advance(steps, () => steps.next(value)),
      (error: unknown) => this.#advance(steps, () => steps.throw(error)),
    )
  }

  #resume(steps: Steps<unknown>, background: Background): IteratorResult<Request, unknown> {
    const outcome = background.outcome!
    return 'error' in outcome ? steps.throw(outcome.error) : steps.next(outcome.value)
  }

  #beginBackground(call: Call): Background {
    const background: Background = { call, outcome: undefined, isRepeated: false, whenDone: undefined }
    this.#goingOn++
    const settle = (outcome: Background['outcome']): void => {
      this.#goingOn--
      background.outcome ??= outcome
      background.whenDone?.()
      background.whenDone = undefined
    }
    performAsync(this.#disk.async, call).then(
      (value) => settle({ value }),
      (error: unknown) => settle({ error }),
    )
    return background
  }

  #end(job: Job, result: () => unknown): void {
    settleJob(job, result)
    this.#active = undefined
    this.afterEach?.()
    this.#beginNext()
  }
}

function settleJob(job: Job, result: () => unknown): void {
  try {
    job.resolve(result())
  } catch (error) {
    job.reject(error)
  }
}

import type { BadSegment, StateReport } from '../file/engine/verifier.js'

/** Segments that do not authenticate: one, or several that lie one behind the other and fail alike. */
export interface BadSegments extends BadSegment {
  /** How many. `segment` is the first of them, and `length` that of all together. */
  readonly count: number
}

/** Segments of a file, or of a part of it, that do not authenticate. */
export interface BadReport {
  /** The first of them, in their order: 1,000 runs at most. */
  readonly bad: readonly BadSegments[]
  /** How many more segments do not authenticate, all of them behind those of `bad`. */
  readonly badLeftOut: number
}

/** What is wrong with a file that opens. */
export interface Damage extends BadReport {
  readonly snapshot: StateReport['snapshot']
}

/** Of one file: whoever makes one of which every other segment is bad does not get to fill the memory. */
const RUNS_MAX = 1_000

/** Gathers the bad segments of a file, in any order of its parts. */
export class BadRuns {
  #runs: readonly BadSegments[] = []
  #leftOut = 0
  /** From this segment on they are only counted. */
  #end = Infinity

  get report(): BadReport {
    return { bad: this.#runs, badLeftOut: this.#leftOut }
  }

  /** @param segments - Of a part that was not added before, in their order. @param leftOut - How many more there are, behind them. */
  add(segments: readonly (BadSegment & { readonly count?: number })[], leftOut = 0): void {
    const last = segments.at(-1)
    if (leftOut > 0) this.#end = Math.min(this.#end, last!.segment + (last!.count ?? 1))
    const runs = joinBad([...this.#runs, ...segments].sort((one, other) => one.segment - other.segment))
    const next = runs[RUNS_MAX]
    if (next !== undefined) this.#end = Math.min(this.#end, next.segment)
    this.#runs = runs.filter(({ segment }) => segment < this.#end)
    this.#leftOut += leftOut + runs.slice(this.#runs.length).reduce((sum, { count }) => sum + count, 0)
  }
}

/** Puts runs of bad segments together, so that a file of which nothing is left is told of in a line. */
function joinBad(segments: Iterable<BadSegment & { readonly count?: number }>): BadSegments[] {
  const runs: BadSegments[] = []
  for (const { segment, position, length, code, count = 1 } of segments) {
    const last = runs.at(-1)
    const continues = last?.code === code && last.segment + last.count === segment
    if (continues) runs[runs.length - 1] = { ...last, count: last.count + count, length: last.length + length }
    else runs.push({ segment, position, length, code, count })
  }
  return runs
}

/** An error that was thrown for damage tells all of it. */
export function withDamage<E extends Error>(error: E, damage: Damage): E & { readonly damage: Damage } {
  return Object.assign(error, { damage })
}

/** @returns what {@link withDamage} put into an error; undefined for any other. */
export function damageOf(error: unknown): Damage | undefined {
  return (error as { readonly damage?: Damage } | null | undefined)?.damage
}

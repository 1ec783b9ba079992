import type { BadSegment, StateReport } from '../file/engine/verifier.js'

/** Segments that do not authenticate: one, or several that lie one behind the other and fail alike. */
export interface BadSegments extends BadSegment {
  /** How many. `segment` is the first of them, and `length` that of all together. */
  readonly count: number
}

/** What is wrong with a file that opens. */
export interface Damage {
  /** In their order. */
  readonly bad: readonly BadSegments[]
  readonly snapshot: StateReport['snapshot']
}

/** Puts runs of bad segments together, so that a file of which nothing is left is told of in a line. */
export function joinBad(segments: Iterable<BadSegment & { readonly count?: number }>): BadSegments[] {
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

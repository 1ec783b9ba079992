/** What benches find, as it is printed, kept and reported. */

/** Two ways to do the same work, in turn. */
export interface Comparison {
  readonly what: string
  readonly ours: string
  readonly baseline: string
  /** Our speed by the baseline's, per round, in ascending order: above 1 is faster. */
  readonly speedRatios: readonly number[]
  readonly oursMs: number
  readonly baselineMs: number
  /** The speed ratio that the project promises; 0 where nothing is. */
  readonly target: number
}

/** What must stay below something. */
export interface Ceiling {
  readonly what: string
  readonly value: number
  /** The most that the project promises. */
  readonly wanted: number
  readonly unit: string
}

/** One cell of a table of its bench. */
export interface Measurement {
  /** Numbers are what cost grows with, and have a place on a chart's axis. */
  readonly row: string | number
  /** With the unit. */
  readonly column: string
  /** One of each round. */
  readonly values: readonly number[]
}

/** A line of a chart that has too many points for a table. */
export interface Trace {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** What could not be measured here. */
export interface Omission {
  readonly what: string
  readonly why: string
}

/** All that one bench found. */
export interface Findings {
  readonly comparisons: Comparison[]
  readonly ceilings: Ceiling[]
  readonly measurements: Measurement[]
  readonly traces: Trace[]
  readonly omissions: Omission[]
}

export function noFindings(): Findings {
  return { comparisons: [], ceilings: [], measurements: [], traces: [], omissions: [] }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

const percent = (share: number): string => `${Math.max(1, Math.round(share * 100))} %`

/** @returns whether a promise is kept, in words; empty where there is none. */
export function verdictOf(finding: Comparison | Ceiling): string {
  if ('wanted' in finding) {
    const { value, wanted } = finding
    return value <= wanted ? 'reached' : `over by ${percent(value / wanted - 1)}`
  }
  const { speedRatios, target } = finding
  if (target === 0) return ''
  const ratio = median(speedRatios)
  return ratio >= target ? 'reached' : `short by ${percent(1 - ratio / target)}`
}

/** @returns how many promises are not kept. */
export function countMissed({ comparisons, ceilings }: Findings): number {
  return [...comparisons, ...ceilings].map(verdictOf).filter((verdict) => verdict !== '' && verdict !== 'reached').length
}

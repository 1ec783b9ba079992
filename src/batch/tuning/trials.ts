/** What one value of a knob came to: how long the same work took with it, round by round. */
export interface Trial {
  readonly value: number
  /** Milliseconds. */
  readonly times: readonly number[]
}

/** A knob's values, measured in turn. */
export interface Trials {
  /** What is taken unless another value is better beyond doubt. */
  readonly usual: number
  readonly trials: readonly Trial[]
}

/** What came of trials. */
export interface Choice {
  readonly value: number
  /** How often each value was measured. */
  readonly rounds: number
  /** By how much the times of the usual value scatter, as a part of their median: half of them lie within. */
  readonly scatter: number
  /** How many times as fast as the usual value each other one is, in the median of rounds. */
  readonly speeds: readonly { readonly value: number; readonly speed: number }[]
}

export const ROUNDS_MAX = 12
/** Fewer show nothing. */
const ROUNDS_MIN = 3
/** What is not worth leaving the usual value for. */
const WORTH = 1.1
/** A value this close to the best one, and nearer to the usual one, is taken in its stead. */
const AS_GOOD = 0.95

/**
 * Measures values in turn, each round beginning with another one, so that a machine that changes its speed does so for all.
 *
 * @param run - Does the work with a value. @returns milliseconds; undefined where it cannot be done.
 * @param budgetMs - No round is begun that would probably end later. The first one counts for nothing: code is not compiled yet.
 */
export async function measureInTurn(
  values: readonly number[],
  run: (value: number) => Promise<number | undefined>,
  budgetMs: number,
  clock: () => number = () => performance.now(),
): Promise<Trial[]> {
  const times = values.map((): number[] => [])
  const end = clock() + budgetMs
  let longest = 0
  for (let round = 0; round <= ROUNDS_MAX && clock() + longest < end; round++) {
    const began = clock()
    const found: (number | undefined)[] = []
    for (let turn = 0; turn < values.length; turn++) {
      const index = (round + turn) % values.length
      found[index] = await run(values[index]!)
      if (found[index] === undefined || clock() >= end) break
    }
    longest = round === 0 ? clock() - began : Math.max(longest, clock() - began)
    // Half a round would favour those that were measured when the machine was fast.
    if (!values.every((_, index) => found[index] !== undefined)) break
    if (round > 0) for (const [index, list] of times.entries()) list.push(found[index]!)
  }
  return values.map((value, index) => ({ value, times: times[index]! }))
}

/**
 * Takes the usual value, unless another one is faster by a tenth in three of four rounds, and by more than twice as much as the usual value's
 * times scatter.
 */
export function chooseValue({ usual, trials }: Trials): Choice {
  const usualTimes = trials.find(({ value }) => value === usual)?.times ?? []
  const middle = quantile(usualTimes, 0.5)
  const rounds = usualTimes.length
  const scatter =
    rounds === 0
      ? 0
      : quantile(
          usualTimes.map((time) => Math.abs(time / middle - 1)),
          0.5,
        )
  const others = trials
    .filter(({ value }) => value !== usual)
    .map(({ value, times }) => {
      const ratios = times.map((time, round) => usualTimes[round]! / time)
      return { value, speed: quantile(ratios, 0.5), sureSpeed: quantile(ratios, 0.25) }
    })
  const speeds = rounds === 0 ? [] : others.map(({ value, speed }) => ({ value, speed }))
  const better = others.filter(({ speed, sureSpeed }) => sureSpeed >= WORTH && speed >= 1 + 2 * scatter)
  const best = Math.max(...better.map(({ speed }) => speed))
  const distance = (value: number): number => Math.abs(Math.log2(value / usual))
  const [chosen] = better
    .filter(({ speed }) => speed >= AS_GOOD * best)
    .sort((one, other) => distance(one.value) - distance(other.value))
  return { value: rounds < ROUNDS_MIN || chosen === undefined ? usual : chosen.value, rounds, scatter, speeds }
}

/** @returns NaN of nothing. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
}

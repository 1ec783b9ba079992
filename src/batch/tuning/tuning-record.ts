import type { Machine } from './machine.js'
import { ROUNDS_MAX, type Trial, type Trials } from './trials.js'

/** What was measured of a machine, as it is kept. Values are not kept: they follow from it. */
export interface TuningRecord {
  readonly schema: 'sealfile/tuning'
  readonly version: 1
  readonly machine: Machine
  /** ISO 8601. */
  readonly measuredAt: string
  readonly elapsedMs: number
  /** What a message to a worker and back takes; null where that was not measured. */
  readonly messageMs: number | null
  readonly segmentSize: readonly Trial[]
  /** Bytes that one worker has in flight. */
  readonly pieceLength: readonly Trial[]
  readonly workers: readonly Trial[]
}

export const USUAL = { segmentSize: 65_536, pieceLength: 2 ** 20, groupMs: 20 } as const
const WORKERS_MAX = 256
/** More threads than processors help where storage keeps them waiting; beyond this many processors they would mostly take memory. */
const DOUBLED_MAX = 8
/** Milliseconds for which a record counts where not all was measured in time. */
const INCOMPLETE_MS = 24 * 60 * 60 * 1_000
const KNOBS = ['segmentSize', 'pieceLength', 'workers'] as const
export type Knob = (typeof KNOBS)[number]

/** @returns the values of each knob that are worth trying, and the usual one. */
export function valuesFor({ processors }: Machine): Record<Knob, { readonly usual: number; readonly values: readonly number[] }> {
  const usual = Math.min(processors, WORKERS_MAX)
  const workers = [Math.ceil(usual / 2), usual, usual > DOUBLED_MAX ? usual : 2 * usual]
  return {
    segmentSize: { usual: USUAL.segmentSize, values: [2 ** 14, 2 ** 16, 2 ** 18, 2 ** 20] },
    pieceLength: { usual: USUAL.pieceLength, values: [2 ** 18, 2 ** 20, 2 ** 22] },
    workers: { usual, values: [...new Set(workers)] },
  }
}

export function trialsOf(record: TuningRecord, knob: Knob): Trials {
  return { usual: valuesFor(record.machine)[knob].usual, trials: record[knob] }
}

/**
 * Checks what was kept: nobody vouches for it.
 *
 * @returns undefined for what was not measured on this machine, or could not have been.
 */
export function parseRecord(text: string, machine: Machine): TuningRecord | undefined {
  let found: Partial<Record<keyof TuningRecord, unknown>>
  try {
    found = Object(JSON.parse(text)) as typeof found
  } catch {
    return undefined
  }
  const { schema, version, measuredAt, elapsedMs, messageMs } = found
  if (schema !== 'sealfile/tuning' || version !== 1 || !isMachine(found.machine, machine)) return undefined
  if (typeof measuredAt !== 'string' || !isDate(measuredAt) || !isTime(elapsedMs)) return undefined
  if (messageMs !== null && !isTime(messageMs)) return undefined
  const trials = KNOBS.map((knob) => [knob, parseTrials(found[knob], valuesFor(machine)[knob].values)] as const)
  if (trials.some(([, list]) => list === undefined)) return undefined
  const isComplete = messageMs !== null && trials.every(([, list]) => list![0]!.times.length > 0)
  if (!isComplete && Math.abs(Date.now() - Date.parse(measuredAt)) > INCOMPLETE_MS) return undefined
  const lists = Object.fromEntries(trials) as Record<Knob, Trial[]>
  return { schema, version, machine, measuredAt, elapsedMs, messageMs, ...lists }
}

function isMachine(found: unknown, machine: Machine): boolean {
  const known = Object(found) as Partial<Machine>
  return Object.entries(machine).every(([name, value]) => known[name as keyof Machine] === value)
}

function isDate(text: string): boolean {
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toISOString() === text
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value < 1e6
}

/** @returns undefined unless each of the values was measured, and all as often. */
function parseTrials(found: unknown, values: readonly number[]): Trial[] | undefined {
  if (!Array.isArray(found) || found.length !== values.length) return undefined
  const trials: Trial[] = []
  for (const [index, entry] of found.entries()) {
    const { value, times } = Object(entry) as Partial<Record<keyof Trial, unknown>>
    if (value !== values[index] || !Array.isArray(times) || times.length > ROUNDS_MAX || !times.every(isTime)) return undefined
    trials.push({ value: values[index]!, times })
  }
  return trials.every(({ times }) => times.length === trials[0]!.times.length) ? trials : undefined
}

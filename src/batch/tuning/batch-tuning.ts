import type { Machine } from './machine.js'
import { chooseValue, type Choice } from './trials.js'
import { trialsOf, USUAL, valuesFor, type Knob, type TuningRecord } from './tuning-record.js'

/** A message may take this part of the work that it is for. */
const MESSAGE_SHARE = 0.01
const GROUP_MS_MAX = 200

/** What suits a machine, and why: what {@link tuneBatch} has found. */
export class BatchTuning {
  /** Threads. */
  readonly workers: number
  /** Plaintext bytes of a segment of new files. */
  readonly segmentSize: number
  /** Milliseconds of work that small files are put together for. */
  readonly groupMs: number
  /** Plaintext bytes that all workers together hold of large files. */
  readonly bytesInFlight: number
  /** What it was measured on. */
  readonly machine: Machine
  /** When that was. */
  readonly measuredAt: Date
  /** It was measured by an earlier call. */
  readonly isFromCache: boolean
  readonly #record: TuningRecord
  readonly #choices: Readonly<Record<Knob, Choice>>
  readonly #cacheNote: string | undefined

  /**
   * @param cacheNote - Why it was not kept; undefined where it was.
   * @internal
   */
  constructor(record: TuningRecord, isFromCache: boolean, cacheNote?: string) {
    const choose = (knob: Knob): Choice => chooseValue(trialsOf(record, knob))
    const choices = { workers: choose('workers'), segmentSize: choose('segmentSize'), pieceLength: choose('pieceLength') }
    this.workers = choices.workers.value
    this.segmentSize = choices.segmentSize.value
    this.groupMs = groupFor(record.messageMs)
    this.bytesInFlight = choices.pieceLength.value * this.workers
    this.machine = record.machine
    this.measuredAt = new Date(record.measuredAt)
    this.isFromCache = isFromCache
    this.#record = record
    this.#choices = choices
    this.#cacheNote = cacheNote
  }

  /** Tells each value, and the figures that it was chosen for. */
  explain(): string {
    const { cpu, processors, node, openssl, sealfile, device, fileSystem } = this.machine
    const { elapsedMs, measuredAt } = this.#record
    const { workers, segmentSize, pieceLength } = this.#choices
    const usual = valuesFor(this.machine)
    const each = `${show(pieceLength.value)} for each of ${this.workers} workers`
    return [
      `Measured ${measuredAt} in ${Math.round(elapsedMs)} ms${this.isFromCache ? ', and kept since' : ''}:`,
      `${processors} x ${cpu}, Node ${node}, OpenSSL ${openssl}, sealfile ${sealfile}, device ${device}, file system ${fileSystem}.`,
      ...(this.#cacheNote === undefined ? [] : [`Not kept: ${this.#cacheNote}.`]),
      `workers: ${this.workers}. ${explainChoice(workers, usual.workers.usual)}`,
      `segmentSize: ${show(this.segmentSize)}. ${explainChoice(segmentSize, usual.segmentSize.usual)}`,
      `groupMs: ${show(this.groupMs)}. ${explainGroup(this.#record.messageMs, this.groupMs)}`,
      `bytesInFlight: ${show(this.bytesInFlight)}, ${each}. ${explainChoice(pieceLength, usual.pieceLength.usual)}`,
    ].join('\n')
  }
}

function groupFor(messageMs: number | null): number {
  const wanted = Math.ceil((messageMs ?? 0) / MESSAGE_SHARE)
  return Math.min(GROUP_MS_MAX, Math.max(USUAL.groupMs, wanted))
}

function explainGroup(messageMs: number | null, groupMs: number): string {
  if (messageMs === null) return 'The default: what a message takes was not measured in time.'
  const share = ((messageMs / groupMs) * 100).toFixed(1)
  const which = groupMs === USUAL.groupMs ? 'The default:' : `More than the default of ${USUAL.groupMs}:`
  return `${which} a message takes ${messageMs.toFixed(3)} ms, ${share} % of that.`
}

function explainChoice({ value, rounds, scatter, speeds }: Choice, usual: number): string {
  if (speeds.length === 0) return 'The default: nothing else was measured in time.'
  const figures = speeds.map((other) => `${show(other.value)} was ${other.speed.toFixed(2)} times as fast`).join(', ')
  const how = `${figures} as ${show(usual)}, in ${rounds} rounds whose times scatter by ${(scatter * 100).toFixed(0)} %`
  return value === usual ? `The default, which nothing beat beyond doubt: ${how}.` : `Better than the default: ${how}.`
}

function show(value: number): string {
  return value.toLocaleString('en-US')
}

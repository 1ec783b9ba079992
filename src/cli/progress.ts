import type { Presets, SingleBar } from 'cli-progress'
import type { Report } from './report.js'
import { formatSize } from './sizes.js'

/** How far work is, in bytes; without a total where nobody knows. */
export interface Progress {
  update(done: number, total: number | undefined): void
  stop(): void
}

/** Milliseconds from one line in a log to the next. */
const LINE_INTERVAL = 10_000
const SILENT: Progress = { update: () => undefined, stop: () => undefined }

/** Begins to show progress: a bar on a terminal, now and then a line elsewhere, nothing to machines. */
async function startProgress({ isJson, isQuiet }: Report, title: string): Promise<Progress> {
  if (isJson || isQuiet) return SILENT
  if (!process.stderr.isTTY) return new Lines(title)
  const { default: progress } = await import('cli-progress')
  return new Bar(progress, title)
}

/** Shows progress of work for as long as it goes on. */
export async function withProgress<T>(report: Report, title: string, work: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = await startProgress(report, title)
  try {
    return await work(progress)
  } finally {
    progress.stop()
  }
}

class Bar implements Progress {
  readonly #bar: SingleBar
  readonly #title: string
  #isStarted = false

  constructor({ SingleBar: Kind, Presets: kinds }: { SingleBar: typeof SingleBar; Presets: typeof Presets }, title: string) {
    const options = { stream: process.stderr, gracefulExit: false, clearOnComplete: true, format: formatLine, etaBuffer: 50 }
    this.#bar = new Kind(options, kinds.legacy)
    this.#title = title
  }

  update(done: number, total: number | undefined): void {
    const payload = { title: this.#title, isKnown: total !== undefined }
    if (!this.#isStarted) this.#bar.start(total ?? 0, done, payload)
    this.#isStarted = true
    this.#bar.setTotal(Math.max(total ?? 0, done))
    this.#bar.update(done, payload)
  }

  stop(): void {
    this.#bar.stop()
  }
}

interface BarState {
  readonly progress: number
  readonly value: number
  readonly total: number
}

const BAR_WIDTH = 30

function formatLine(_options: unknown, { progress, value, total }: BarState, payload: { title: string; isKnown: boolean }): string {
  if (!payload.isKnown) return `${payload.title} ${formatSize(value)}`
  const filled = Math.round(Math.min(progress, 1) * BAR_WIDTH)
  const bar = '='.repeat(filled) + '-'.repeat(BAR_WIDTH - filled)
  return `${payload.title} [${bar}] ${Math.floor(progress * 100)} % | ${formatSize(value)} of ${formatSize(total)}`
}

class Lines implements Progress {
  readonly #title: string
  #told = Date.now()

  constructor(title: string) {
    this.#title = title
  }

  update(done: number, total: number | undefined): void {
    if (Date.now() - this.#told < LINE_INTERVAL) return
    this.#told = Date.now()
    process.stderr.write(`${this.#title} ${formatSize(done)}${total === undefined ? '' : ` of ${formatSize(total)}`}\n`)
  }

  stop(): void {
    // The command says itself what came of it.
  }
}

/** Counts what passes. */
export class ByteCounter {
  /** Bytes so far. */
  size = 0

  async *pass(source: AsyncIterable<Uint8Array>, total: number | undefined, progress: Progress): AsyncGenerator<Uint8Array> {
    progress.update(0, total)
    for await (const piece of source) {
      yield piece
      this.size += piece.length
      progress.update(this.size, total)
    }
  }
}

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { SealfileError } from '../../src/index.js'
import { SeededRandom } from '../support/seeded-random.js'
import { mutateBytes, mutateJson } from './mutate.js'
import type { FuzzTarget } from './targets.js'

/** Processor time of one input, far over what any takes. */
const SLOWEST_MS = 5_000
const MOST_MEMORY = 128 * 2 ** 20
const LONGEST_INPUT = 65_536

/** What broke an input. The input is named by its digest, and is kept. */
export class Find extends Error {
  constructor(
    readonly input: Uint8Array,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** Feeds one target, and keeps what shows something new. */
export class Fuzzer {
  readonly #target: FuzzTarget
  readonly #random: SeededRandom
  readonly #corpus: Uint8Array[]
  readonly #seen = new Set<string>()
  /** Inputs that were kept in this run. */
  readonly added: Uint8Array[] = []
  runs = 0

  constructor(target: FuzzTarget, corpus: readonly Uint8Array[], seed: number) {
    this.#target = target
    this.#random = new SeededRandom(seed)
    this.#corpus = [...target.seeds(), ...corpus]
  }

  /** Kinds of outcome that were seen. */
  get outcomes(): number {
    return this.#seen.size
  }

  /** Runs the corpus as it is, and authenticated. @throws Find. */
  async replay(): Promise<void> {
    for (const input of this.#corpus) {
      await this.#try(input)
      if (this.#target.authenticate !== undefined) await this.#try(this.#target.authenticate(input))
    }
  }

  /** Tries one altered input. @throws Find. */
  async step(): Promise<void> {
    const { isText = false, authenticate } = this.#target
    const base = this.#random.pick(this.#corpus)
    const isJson = isText && this.#random.chance(0.6)
    const altered = isJson ? mutateJson(base, this.#random) : mutateBytes(base, this.#corpus, this.#random)
    if (altered.length > LONGEST_INPUT) return
    const input = authenticate !== undefined && this.#random.chance(0.8) ? authenticate(altered) : altered
    if (!(await this.#try(input))) return
    this.#corpus.push(input)
    this.added.push(input)
  }

  /** @returns whether something new was seen. */
  async #try(input: Uint8Array): Promise<boolean> {
    this.runs++
    const given = Buffer.from(input)
    const outcome = await this.#run(new Uint8Array(given))
    if (this.#seen.has(outcome)) return false
    this.#seen.add(outcome)
    return true
  }

  async #run(input: Uint8Array): Promise<string> {
    const before = process.cpuUsage()
    const memory = process.memoryUsage().arrayBuffers
    let outcome: string
    try {
      outcome = await this.#outcome(input)
    } catch (error) {
      throw new Find(input, error)
    }
    const { user, system } = process.cpuUsage(before)
    const milliseconds = (user + system) / 1_000
    if (milliseconds > SLOWEST_MS) throw new Find(input, `it took ${Math.round(milliseconds)} ms`)
    if (process.memoryUsage().arrayBuffers - memory > MOST_MEMORY) throw new Find(input, 'it took too much memory')
    return outcome
  }

  async #outcome(input: Uint8Array): Promise<string> {
    try {
      return `good: ${await this.#target.run(input)}`
    } catch (error) {
      if (!(error instanceof SealfileError)) throw error
      return `${error.code}: ${error.message.replace(/\d+/g, '0').replace(/'[^']*'|"[^"]*"/g, '…')}`
    }
  }
}

/** @returns the inputs that were kept for a target. */
export function readCorpus(folder: string): Uint8Array[] {
  mkdirSync(folder, { recursive: true })
  return readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(`${folder}/${name}`)))
}

/** Keeps an input under its digest. @returns its path. */
export function keep(folder: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true })
  const path = `${folder}/${createHash('sha256').update(input).digest('hex').slice(0, 16)}`
  writeFileSync(path, input)
  return path
}

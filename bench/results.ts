import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { dirname } from 'node:path'
import type { Findings } from './findings.js'

/** What runs have left: the last findings of each bench, and where they were found. */

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly openssl: string
}

/** The last run of one bench. */
export interface BenchResult {
  /** ISO 8601, without time. */
  readonly date: string
  readonly machine: Machine
  /** With small files and few rounds. */
  readonly quick: boolean
  readonly seconds: number
  readonly findings: Findings
}

/** By the names of benches. */
export type Results = Readonly<Record<string, BenchResult>>

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    openssl: process.versions.openssl,
  }
}

export function readResults(path: string): Results {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Results) : {}
}

/** Those of other benches stay. */
export function addResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...readResults(path), ...results }, undefined, 2)}\n`)
}

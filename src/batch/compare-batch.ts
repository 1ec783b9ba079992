import { mkdir, rm } from 'node:fs/promises'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { joinPath, type Path } from '../compat/paths.js'
import { checkInteger } from '../file/options.js'
import { temporaryToken } from '../file/successor-file.js'
import type { FileFailure } from '../keys/rotation/work-through.js'
import { resolveBatchOptions, type EncryptBatchOptions } from './batch-options.js'
import { BatchRun } from './batch-run.js'
import { findPlaces } from './file-finder.js'
import type { BatchInputs } from './inputs.js'
import { POLICIES, type Policy } from './task-queue.js'

/** How policies are compared: as files would be encrypted, and in `target` as a place for what is thrown away. */
export interface CompareBatchOptions extends Omit<
  EncryptBatchOptions,
  'policy' | 'overwrite' | 'manifest' | 'stopOnError' | 'control' | 'onProgress'
> {
  /**
   * What is compared.
   *
   * @defaultValue all policies
   */
  readonly policies?: readonly Policy[] | undefined
  /**
   * How often each of them is run, 1 to 100.
   *
   * @defaultValue 3
   */
  readonly rounds?: number | undefined
}

/** How long a batch took under a policy, in milliseconds. */
export interface PolicyTimes {
  /** Until the first file was in its place. */
  readonly firstResultMs: number
  /** Until a file was in its place, on average over all files. */
  readonly meanCompletionMs: number
  /** Until the last file was in its place. */
  readonly makespanMs: number
}

/** What was found of a policy: the medians of its rounds. */
export interface PolicyComparison extends PolicyTimes {
  /** Under which the files were encrypted. */
  readonly policy: Policy
  /** In the order in which they were run. */
  readonly rounds: readonly PolicyTimes[]
}

/** What a comparison found. */
export interface BatchComparison {
  /** Files that were made in each round. */
  readonly files: number
  /** Plaintext bytes in them. */
  readonly bytes: number
  /** Threads that did it. */
  readonly workers: number
  /** In the order in which they were asked for. */
  readonly policies: readonly PolicyComparison[]
  /** What could not be done, in the first run. */
  readonly failures: readonly FileFailure[]
}

const ROUNDS_MAX = 100

/**
 * Encrypts the same files under one policy after the other, and throws away what comes of it, to tell which policy suits them here. One run
 * comes before those that count, and the policies take turns in coming first. At any time the files are there once.
 *
 * @param inputs - Files, folders, and patterns from {@link glob}. They are only read.
 * @throws what {@link encryptBatch} throws.
 *
 * @example
 * ```ts
 * const { policies } = await compareBatch('photos', { target: 'scratch', keyManager, purpose: 'photos' })
 * console.table(policies, ['policy', 'firstResultMs', 'meanCompletionMs', 'makespanMs'])
 * ```
 */
export async function compareBatch(inputs: BatchInputs, options: CompareBatchOptions): Promise<BatchComparison> {
  const list = typeof inputs === 'object' && Symbol.iterator in inputs && !Buffer.isBuffer(inputs) ? [...inputs] : inputs
  const { workers } = resolveBatchOptions('encrypt', list, options)
  const { policies = POLICIES, rounds = 3 } = options
  checkPolicies(policies)
  checkInteger('options.rounds', rounds, 1, ROUNDS_MAX)
  const scratch = await makeScratch(list, options)
  try {
    const encrypt = async (policy: Policy): Promise<Run> => {
      const target = joinPath(scratch, 'files')
      try {
        const run = new BatchRun(resolveBatchOptions('encrypt', list, { ...options, target, policy, manifest: undefined }))
        return { ...(await run.run()), times: timesOf(run) }
      } finally {
        await rm(target, { recursive: true, force: true })
      }
    }
    const { files, bytes, failures } = await encrypt(policies[0]!)
    const times = new Map<Policy, PolicyTimes[]>(policies.map((policy) => [policy, []]))
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < policies.length; turn++) {
        const policy = policies[(round + turn) % policies.length]!
        times.get(policy)!.push((await encrypt(policy)).times)
      }
    }
    return { files, bytes, workers, policies: policies.map((policy) => summarise(policy, times.get(policy)!)), failures }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

type Run = Awaited<ReturnType<BatchRun['run']>> & { readonly times: PolicyTimes }

function checkPolicies(policies: unknown): asserts policies is readonly Policy[] {
  if (!Array.isArray(policies)) throw invalidArgType('options.policies', 'an instance of Array', policies)
  const isKnown = policies.every((policy) => POLICIES.includes(policy as Policy))
  if (isKnown && policies.length > 0 && new Set(policies).size === policies.length) return
  throw invalidArgValue('options.policies', policies, `must be some of: ${POLICIES.join(', ')}`)
}

/** @returns a new folder in the target, which may not be where the target of a batch may not be. */
async function makeScratch(inputs: BatchInputs, options: CompareBatchOptions): Promise<Path> {
  const { target } = await findPlaces(resolveBatchOptions('encrypt', inputs, options))
  const scratch = joinPath(target!, `compare-${temporaryToken()}`)
  await mkdir(scratch, { recursive: true })
  return scratch
}

function timesOf({ completions }: BatchRun): PolicyTimes {
  return { firstResultMs: completions.firstMs, meanCompletionMs: completions.meanMs, makespanMs: completions.lastMs }
}

function summarise(policy: Policy, rounds: readonly PolicyTimes[]): PolicyComparison {
  const median = (name: keyof PolicyTimes): number => {
    const values = rounds.map((times) => times[name]).sort((a, b) => a - b)
    return values[Math.floor(values.length / 2)]!
  }
  return {
    policy,
    firstResultMs: median('firstResultMs'),
    meanCompletionMs: median('meanCompletionMs'),
    makespanMs: median('makespanMs'),
    rounds,
  }
}

import { lstat, rm } from 'node:fs/promises'
import type { Path } from '../compat/paths.js'
import { temporaryPlace, temporaryToken } from '../file/successor-file.js'
import type { KnownFile } from './manifest.js'
import type { FileTask } from './messages.js'
import { hasTime, stampOfTarget, type TargetStamp } from './target-stamp.js'
import type { Sized } from './task-queue.js'

/** A file that is to be made. */
export interface Job extends Sized {
  readonly source: Path
  readonly target: Path
  readonly purpose: string
  /** The source's time, in milliseconds. */
  readonly mtimeMs: number
  /** As the manifest knows it, where there is one. */
  readonly known: KnownFile | undefined
  /** Something is in the target's place that is to stay. */
  readonly isBlocked: boolean
  /** What is in the target's place, and is ours. */
  replaces: TargetStamp | undefined
  /** When it was begun, in milliseconds since the epoch. */
  begunMs: number
  /** How often it was begun by a worker that died. */
  deaths: number
  /** It did not keep still for several workers, and is for one alone. */
  readonly isWhole: boolean
}

/** By so much may the clock of a file system be behind. */
const CLOCK_MS = 20

export function makeTask({ source, target, purpose, replaces }: Job): FileTask {
  return { source, target, purpose, replaces, token: temporaryToken() }
}

export function sumSizes(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { size }) => sum + size, 0)
}

/** Cleans up after a worker that died. */
export async function clearAfterDeath(job: Job, task: FileTask): Promise<void> {
  await removeTemporary(task)
  // It may have put the file into its place before: that has the source's time then, and is newer than the beginning.
  const stats = await lstat(job.target).catch(() => undefined)
  if (stats === undefined || stats.ctimeMs < job.begunMs - CLOCK_MS) return
  const target = stampOfTarget(stats)
  if (hasTime(target, job.mtimeMs)) job.replaces = target
}

/** Removes what a worker may have left behind. */
export async function removeTemporary({ target, token }: Pick<FileTask, 'target' | 'token'>): Promise<void> {
  await rm(temporaryPlace(target, token), { force: true })
}

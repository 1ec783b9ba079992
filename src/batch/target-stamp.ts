import { lstatSync, type Stats } from 'node:fs'
import type { Place } from '../file/successor-file.js'

/**
 * A file in a target, so that it can be known again. Not its device, which may have another number after the system was started again; nor
 * when its inode was changed, as by permissions that somebody gives it.
 */
export interface TargetStamp {
  readonly ino: number
  /** Bytes. */
  readonly size: number
  readonly mtimeMs: number
}

/** @returns what is in a place, links not followed; undefined for nothing. */
export function stampTarget(path: Place): TargetStamp | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats === undefined ? undefined : stampOfTarget(stats)
  } catch (error) {
    // A file is in the place of a folder, so that there is nothing in it.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw error
  }
}

export function stampOfTarget({ ino, size, mtimeMs }: Stats): TargetStamp {
  return { ino, size, mtimeMs }
}

export function isSameTarget(one: TargetStamp, other: TargetStamp): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs
}

/** In milliseconds, what file systems round times to: none, those of exFAT, those of HFS+ and ext3, those of FAT. */
const GRAINS = [1e-3, 10, 1_000, 2_000]
/** Times lose some digits on their way through seconds as numbers. */
const ROUNDING_MS = 2e-3

/** Tells whether a file has the time of a source, which is given to what is made of it, as well as its file system keeps times. */
export function hasTime({ mtimeMs }: TargetStamp, sourceMs: number): boolean {
  return GRAINS.some((grain) => Math.abs(Math.floor(sourceMs / grain) * grain - mtimeMs) <= ROUNDING_MS)
}

import { constants } from 'node:fs'
import type { Flags } from './model-file.js'

/** What a sequence does next: an operation, several in flight at once, or something around the handle. */
export type Action =
  | 'read'
  | 'readFile'
  | 'readLine'
  | 'write'
  | 'truncate'
  | 'seek'
  | 'tell'
  | 'stat'
  | 'sync'
  | 'commit'
  | 'inFlight'
  | 'peek'
  | 'race'
  | 'wait'
  | 'reopen'

export type Weights<T extends string> = Readonly<Partial<Record<T, number>>>
export type Range = readonly [min: number, max: number]

/** What a sequence makes of a file. */
export interface Style {
  readonly actions: Weights<Action>
  readonly sizes: Weights<'nothing' | 'small' | 'segments' | 'medium' | 'large' | 'huge'>
  readonly positions: Weights<'cursor' | 'within' | 'boundary' | 'end' | 'gap'>
  readonly flags: readonly Flags[]
  /** Up to where a file is filled before anything else. */
  readonly minLength: number
  /** Where a file is cut down. */
  readonly maxLength: number
  /** How many operations are in flight at once. */
  readonly inFlight: Range
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND } = constants

const COMMON: Weights<Action> = {
  read: 16,
  readFile: 2,
  readLine: 5,
  write: 30,
  truncate: 4,
  seek: 7,
  tell: 1,
  stat: 3,
  sync: 2,
  commit: 4,
  inFlight: 3,
  peek: 3,
  race: 1,
  wait: 1,
  reopen: 4,
}

export const STYLES = {
  /** Most of it is appended. */
  log: {
    actions: { ...COMMON, write: 45, truncate: 1, commit: 6 },
    sizes: { nothing: 2, small: 85, segments: 3, medium: 12 },
    positions: { cursor: 90, within: 6, gap: 4 },
    flags: ['a', 'a+', 'a+', 'as', 'r', O_WRONLY | O_APPEND | O_CREAT, O_RDWR | O_APPEND],
    minLength: 0,
    maxLength: 300_000,
    inFlight: [2, 8],
  },
  /** Small changes here and there. */
  edit: {
    actions: COMMON,
    sizes: { nothing: 2, small: 60, segments: 12, medium: 25, large: 3 },
    positions: { cursor: 30, within: 45, boundary: 15, end: 5, gap: 5 },
    flags: ['r+', 'r+', 'r+', 'rs+', 'a+', 'r', O_RDWR, O_RDWR | O_CREAT, O_WRONLY, O_RDONLY | O_CREAT],
    minLength: 0,
    maxLength: 300_000,
    inFlight: [2, 8],
  },
  /** The file becomes shorter and longer all the time. */
  truncate: {
    actions: { ...COMMON, truncate: 25, write: 25, commit: 6 },
    sizes: { nothing: 2, small: 40, segments: 25, medium: 30, large: 5 },
    positions: { cursor: 30, within: 30, boundary: 20, end: 10, gap: 10 },
    flags: ['r+', 'r+', 'a+', 'a', O_RDWR, O_WRONLY],
    minLength: 0,
    maxLength: 150_000,
    inFlight: [2, 6],
  },
  /** Writes and reads over several segments. */
  large: {
    actions: { ...COMMON, readFile: 4 },
    sizes: { nothing: 2, small: 20, segments: 20, medium: 30, large: 30 },
    positions: { cursor: 40, within: 30, boundary: 15, end: 5, gap: 10 },
    flags: ['r+', 'r+', 'a+', 'a', 'r', O_RDWR],
    minLength: 0,
    maxLength: 300_000,
    inFlight: [2, 6],
  },
  /** Up to the size at which a writer commits by itself. */
  huge: {
    actions: {
      read: 20,
      readFile: 1,
      write: 35,
      truncate: 2,
      seek: 4,
      stat: 2,
      sync: 1,
      commit: 3,
      inFlight: 5,
      peek: 1,
      reopen: 1,
    },
    sizes: { nothing: 2, small: 60, segments: 10, large: 15, huge: 15 },
    positions: { cursor: 25, within: 50, boundary: 15, end: 5, gap: 5 },
    flags: ['r+', 'r+', 'r+', 'a+', O_RDWR],
    minLength: 0,
    maxLength: 6_000_000,
    inFlight: [5, 50],
  },
  /** Many small changes and no growth, until a pending list is applied because of its own size. */
  scattered: {
    actions: { read: 5, readFile: 1, write: 5, truncate: 1, sync: 1, commit: 12, inFlight: 60, peek: 3, race: 2, reopen: 1 },
    sizes: { huge: 1 },
    positions: { end: 90, within: 10 },
    flags: ['r+', O_RDWR],
    minLength: 4_800_000,
    maxLength: 5_500_000,
    inFlight: [200, 400],
  },
} as const satisfies Record<string, Style>

export type StyleName = keyof typeof STYLES

/** Flags that drop what a file holds, that want a new one, and that make one where there is none. */
export const REWRITING: readonly Flags[] = ['w', 'w+', 'w+', O_RDWR | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC]
export const EXCLUSIVE: readonly Flags[] = ['wx', 'wx+', 'ax+']
export const BEGINNING: readonly Flags[] = ['w', 'w+', 'w+', 'a', 'a+', 'wx+', 'ax+', O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_TRUNC]

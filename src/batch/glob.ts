import { resolve } from 'node:path'
import picomatch from 'picomatch'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { flag } from '../file/options.js'
import { takePath } from '../compat/paths.js'
import type { PathLike } from '../file/io/steps.js'

/** What a pattern matches besides what it says. */
export interface GlobOptions {
  /**
   * The folder that the pattern begins in, unless it is absolute.
   *
   * @defaultValue the working directory
   */
  readonly cwd?: PathLike | undefined
  /**
   * Patterns of what is left out, by its path within the pattern's base. Into a folder that matches nobody looks.
   *
   * @defaultValue none
   */
  readonly exclude?: string | readonly string[] | undefined
  /**
   * Let wildcards match names that begin with a dot, too: a file is not left out because it is hidden.
   *
   * @defaultValue true
   */
  readonly dot?: boolean | undefined
  /**
   * Take `a` for `A`.
   *
   * @defaultValue false
   */
  readonly nocase?: boolean | undefined
}

/** A path within the base of a pattern, with `/` between its parts. */
type Matcher = (within: string) => boolean

/** Files that match a pattern: an input of a batch. Made by {@link glob}. */
export class Glob {
  /** The folder, or file, that the pattern names before its first wildcard: absolute. */
  readonly base: string
  /** Whether the pattern has a wildcard; without one it is the path `base`. */
  readonly hasWildcard: boolean
  /** All that decides what matches, as text. */
  readonly identity: string
  readonly #matches: Matcher
  readonly #excludes: Matcher
  readonly #levels: readonly Matcher[]
  readonly #depth: number

  /** @internal */
  constructor(pattern: string, { cwd = '.', exclude = [], ...options }: GlobOptions) {
    checkPattern('pattern', pattern)
    const folder = takePath(cwd, 'options.cwd')
    if (typeof folder !== 'string') throw invalidArgType('options.cwd', 'a path that is UTF-8', cwd)
    const excluded = typeof exclude === 'string' ? [exclude] : exclude
    if (!isArray(excluded)) throw invalidArgType('options.exclude', 'of type string or an instance of Array', exclude)
    for (const one of excluded) checkPattern('options.exclude', one)
    const dot = options.dot === undefined || flag(options, 'dot')
    const nocase = flag(options, 'nocase')
    const { base, glob: rest } = picomatch.scan(pattern, { unescape: true, nonegate: true })
    const parts = rest.split('/')
    if (parts.includes('..')) throw invalidArgValue('pattern', pattern, "must not have '..' behind a wildcard")
    this.base = resolve(folder, base)
    this.hasWildcard = rest !== ''
    this.identity = JSON.stringify([this.base, rest, excluded, dot, nocase])
    const matcher = (glob: string, isDot = dot): Matcher => picomatch(glob, { ...SETTINGS, dot: isDot, flags: nocase ? 'si' : 's' })
    this.#matches = this.hasWildcard ? matcher(rest) : () => true
    const exclusions = excluded.map((one) => matcher(one, true))
    this.#excludes = (within) => exclusions.some((excludes) => excludes(within))
    const endless = parts.findIndex((part) => part.includes('**') || !isWhole(part))
    this.#levels = parts.slice(0, endless === -1 ? -1 : endless).map((part) => matcher(part))
    this.#depth = endless === -1 ? parts.length - 1 : Infinity
  }

  /** Tells whether a file in the base is one of those that are meant. */
  matches(within: string): boolean {
    return this.#matches(within) && !this.#excludes(within)
  }

  /** Tells whether there can be such files in a folder that is in the base. */
  enters(within: string): boolean {
    const parts = within.split('/')
    if (parts.length > this.#depth || this.#excludes(within)) return false
    return this.#levels.every((matches, index) => parts[index] === undefined || matches(parts[index]))
  }
}

/** A leading `!` is a letter, `[!a]` is all but `a`; backslashes quote on every system. */
const SETTINGS = { nonegate: true, posix: true, windows: false } as const

/**
 * Names files by a pattern, for the inputs of a batch: `*` and `?` within a name, `**` over folders, `[a-z]`, `{one,other}`, and `+(…)` and
 * its like, as picomatch has them; `/` between parts, and `\` before a letter that is meant as it is. Files alone match: `photos/**` is all that
 * is in `photos`, and `photos/*` no folder. Nothing is read before the batch begins.
 *
 * @returns an input for {@link encryptBatch}, {@link decryptBatch}, {@link verifyBatch}, {@link compareBatch} and {@link packBatch}. Its files have their paths from the pattern's base, which is what comes
 * before the first part with a wildcard: `may.jpg` of `photos/2026/*.jpg`.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`.
 *
 * @example
 * ```ts
 * await encryptBatch(glob('photos/**', { exclude: '*.tmp' }), { target: 'safe', keyManager, purpose: 'photos' })
 * ```
 */
export function glob(pattern: string, options: GlobOptions = {}): Glob {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  return new Glob(pattern, options)
}

/** As Array.isArray, for what cannot be written to. */
function isArray<T>(value: readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}

const LONGEST_PATTERN = 65_536

function checkPattern(name: string, pattern: unknown): asserts pattern is string {
  if (typeof pattern !== 'string') throw invalidArgType(name, 'of type string', pattern)
  if (pattern === '' || pattern.length > LONGEST_PATTERN || pattern.includes('\0')) {
    throw invalidArgValue(name, pattern, `must have 1 to ${LONGEST_PATTERN} letters, and no NUL`)
  }
}

/** Tells whether a part stands for itself: braces may go over several. */
function isWhole(part: string): boolean {
  return ['{}', '()', '[]'].every(([open, close]) => part.split(open!).length === part.split(close!).length)
}

import { relative, resolve, sep } from 'node:path'
import picomatch from 'picomatch'
import { ConfigError } from '../errors.js'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'

/** Which files are for what. */
export interface PurposeRule {
  /** A glob, as picomatch has it, of paths relative to the configuration's folder, with `/` between their parts. */
  readonly pattern: string
  /** What a file is for whose path it matches. */
  readonly purpose: string
}

const LONGEST_PATTERN = 1_024
/**
 * A regular expression takes time in the power of what it can stretch: letters of a name, of which one star in a part leaves it no choice, and
 * the folders of the longest path.
 */
const MOST_BESIDE = 2
const MOST_GLOBSTARS = 2
const MOST_TOGETHER = 3

/** The same on all systems, so that files which are carried from one to another keep their purpose. */
const OPTIONS = { dot: true, windows: false, nonegate: true, noextglob: true, flags: 's' } as const

/** @returns what is wrong with a pattern, as it goes on after the key's name, or undefined. */
export function faultOfPattern(pattern: string): string | undefined {
  if (pattern === '') return 'must not be empty'
  if (pattern.length > LONGEST_PATTERN) return `must have at most ${LONGEST_PATTERN} characters`
  if (pattern.includes('\\')) return 'must not hold a backslash: the parts of a path are parted by /, and [*] is a star'
  if (pattern.startsWith('!')) return 'must not begin with !: the first pattern that matches wins, so put exceptions first'
  if (pattern.startsWith('/')) return 'must not begin with /: it is relative to the folder of the configuration'
  if (pattern.endsWith('/')) return 'must not end with /: folder/** is all that is in a folder'
  if (/[()]|\{[^}]*\//.test(pattern)) return 'must not hold ( or ), nor a / between braces'
  const globstars = (pattern.match(/\*\*+/g) ?? []).length
  if (globstars > MOST_GLOBSTARS) return `must not hold ** more than ${MOST_GLOBSTARS} times`
  const most = Math.min(MOST_BESIDE, MOST_TOGETHER - globstars)
  const beside = pattern.split('/').map((name) => Math.max(0, (name.match(/\*+|\{|\+/g) ?? []).length - 1))
  if (beside.reduce((sum, count) => sum + count) > most)
    return `must not hold more than ${most} of *, { and + beside the first of each part`
  return undefined
}

/** Makes a function that tells what a file is for. A path may be absolute, or relative to the current folder. */
export function makePurposeFor(rules: readonly PurposeRule[], folder: string, configPath: string): (path: PathLike) => string {
  const matchers = rules.map(({ pattern, purpose }) => ({ matches: picomatch(pattern, OPTIONS), purpose }))
  return (path) => {
    const absolute = resolve(nameOf(path))
    const within = relative(folder, absolute).split(sep).join('/')
    const found = matchers.find(({ matches }) => within !== '' && matches(within))
    // No purpose of last resort: a file that was forgotten would be written under it, and could not be told from the others.
    if (found === undefined) throw new ConfigError(`no pattern of purposes matches '${within}'`, { path: configPath })
    return found.purpose
  }
}

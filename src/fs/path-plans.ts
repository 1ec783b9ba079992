import { checkContent, checkLength } from '../file/data-arguments.js'
import { parseFlags } from '../file/flags.js'
import type { PathLike, Steps } from '../file/io/steps.js'
import { resolveOpenOptions } from '../file/options.js'
import { Session } from '../file/session.js'
import { checkWholeFileOptions, readWhole, writeWhole, type WholeFileOptions } from '../file/whole-file.js'
import { copyFile } from './copy-file.js'
import { checkContentSettings, checkCopyMode, checkPath, type ContentSettings } from './node-arguments.js'
import type { Kind, Policy } from './policy.js'

/** One call on a path, its arguments checked. */
export interface PathCall {
  /** @param waited - Milliseconds that it has waited for its turn. */
  readonly steps: (waited: number) => Steps<unknown>
  /** The file that it changes. */
  readonly changes?: PathLike
  /** It only reads, and may be left to node:fs where the file is not encrypted. */
  readonly isReading?: boolean
}

/** @throws TypeError or RangeError for arguments that node:fs refuses. */
export type PathPlan = (policy: Policy, args: readonly unknown[], kind: Kind) => PathCall

/** What the calls of node:fs do that are about what the file at a path holds, by their names. */
export const PATH_PLANS: Readonly<Record<string, PathPlan>> = {
  readFile: (policy, [path, options], kind) => {
    const file = checkPath(path)
    const settings = checkContentSettings(options, 'r', kind)
    return {
      isReading: !settings.access.write,
      *steps() {
        const content = yield* readWhole(file, checkWholeFileOptions(wholeFileOptions(policy, file, settings, kind), 'r'))
        return settings.encoding === undefined ? content : content.toString(settings.encoding)
      },
    }
  },
  writeFile: (policy, args, kind) => planToWrite(policy, args, kind, 'w'),
  appendFile: (policy, args, kind) => planToWrite(policy, args, kind, 'a'),
  truncate: (policy, [path, length = 0], kind) => {
    const file = checkPath(path)
    const checked = checkLength(length)
    return {
      changes: file,
      *steps(waited) {
        const session = yield* Session.open(file, parseFlags('r+'), resolveOpenOptions(policy.optionsFor(file, kind, waited)))
        try {
          yield* session.truncate(checked)
        } finally {
          yield* session.close()
        }
      },
    }
  },
  copyFile: (policy, [from, to, mode], kind) => {
    const [source, target] = [checkPath(from, 'src'), checkPath(to, 'dest')]
    const checked = checkCopyMode(mode)
    return { changes: target, steps: (waited) => copyFile(source, target, { policy, kind, waited, mode: checked }) }
  },
}

function planToWrite(policy: Policy, [path, data, options]: readonly unknown[], kind: Kind, flag: 'w' | 'a'): PathCall {
  const file = checkPath(path)
  const settings = checkContentSettings(options, flag, kind)
  const content = checkContent(data, settings.encoding, settings.access.binary)
  return {
    changes: file,
    *steps(waited) {
      yield* writeWhole(file, content, checkWholeFileOptions(wholeFileOptions(policy, file, settings, kind, waited), flag))
    },
  }
}

/** @returns options of ours for what node:fs was asked. */
export function wholeFileOptions(
  policy: Policy,
  path: PathLike,
  { encoding, flag, mode, signal, flush }: ContentSettings,
  kind: Kind,
  waited = 0,
): WholeFileOptions {
  return { ...policy.optionsFor(path, kind, waited), encoding, flag, mode, signal, flush, atomic: policy.atomic }
}

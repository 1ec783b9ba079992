import type { StatOptions } from 'node:fs'
import { invalidArgType } from '../argument-errors.js'
import {
  checkContent,
  checkLength,
  checkReadArguments,
  checkReadFileOptions,
  checkVectorArguments,
  checkWriteArguments,
} from '../file/data-arguments.js'
import { checkAborted } from '../file/io/system-errors.js'
import type { Steps } from '../file/io/steps.js'
import type { Descriptor, Operation } from './descriptor.js'
import { checkContentSettings, checkMode, checkOwner, checkTime } from './node-arguments.js'
import type { Kind } from './policy.js'

/** One call on a number, its arguments checked. */
export interface NumberCall {
  /** What it does, and what it returns or gives to its callback. */
  readonly operation: Operation<unknown>
  /** What else the callback gets: whatever was passed in to be filled or written. */
  readonly also?: unknown
}

/** @throws TypeError or RangeError for arguments that node:fs refuses. */
export type NumberPlan = (args: readonly unknown[], descriptor: Descriptor, kind: Kind) => NumberCall

/** What the calls of node:fs on a number do, by their names. */
export const NUMBER_PLANS: Readonly<Record<string, NumberPlan>> = {
  read: ([first, second, third, fourth]) => {
    const { buffer, target, position } = checkReadArguments(first, second, third, fourth)
    return { operation: (session) => session.read(target, position), also: buffer }
  },
  write: ([first, second, third, fourth], { isBinary }) => {
    const [place, last] = typeof first === 'string' ? [placeIn(second), undefined] : [second, placeIn(fourth)]
    const { data, position } = checkWriteArguments(first, place, third, last, isBinary)
    return { operation: (session) => session.write(data, position), also: first }
  },
  readv: ([buffers, position]) => {
    const request = checkVectorArguments(buffers, placeIn(position))
    return { operation: (session) => session.readVector(request.pieces, request.position), also: buffers }
  },
  writev: ([buffers, position]) => {
    const request = checkVectorArguments(buffers, placeIn(position))
    return { operation: (session) => session.writeVector(request.pieces, request.position), also: buffers }
  },
  readFile: ([options], { isBinary }, kind) => {
    checkReadFileOptions(options, isBinary)
    const { encoding, signal } = checkContentSettings(options, 'r', kind)
    return {
      *operation(session) {
        checkAborted(signal)
        const content = yield* session.readToEnd(signal)
        return encoding === undefined ? content : content.toString(encoding)
      },
    }
  },
  writeFile: planToWriteFile,
  appendFile: planToWriteFile,
  fstat: ([options]) => {
    const isBig = (options as StatOptions | undefined)?.bigint === true
    return { operation: (session): Steps<unknown> => (isBig ? session.statBig() : session.stat()) }
  },
  ftruncate: planToTruncate,
  truncate: planToTruncate,
  fsync: () => ({ operation: (session) => session.sync('fsync') }),
  fdatasync: () => ({ operation: (session) => session.sync('fdatasync') }),
  fchmod: ([mode]) => {
    const bits = checkMode(mode)
    if (bits === undefined) throw invalidArgType('mode', 'of type number', mode)
    return { operation: (session) => session.chmod(bits) }
  },
  fchown: ([uid, gid]) => {
    const [user, group] = [checkOwner('uid', uid), checkOwner('gid', gid)]
    return { operation: (session) => session.chown(user, group) }
  },
  futimes: ([atime, mtime]) => {
    const times = [checkTime('atime', atime), checkTime('mtime', mtime)] as const
    return { operation: (session) => session.utimes(...times) }
  },
}

/** Some callers pass an encoding where the position belongs, and node:fs takes what is no number for none. */
function placeIn(position: unknown): unknown {
  return typeof position === 'number' || typeof position === 'bigint' ? position : null
}

function planToWriteFile([data, options]: readonly unknown[], { isBinary }: Descriptor, kind: Kind): NumberCall {
  const { encoding, signal, flush } = checkContentSettings(options, 'w', kind)
  const content = checkContent(data, encoding, isBinary)
  return {
    *operation(session) {
      checkAborted(signal)
      yield* session.write(content, null)
      if (flush) yield* session.sync('fsync')
    },
  }
}

function planToTruncate([length = 0]: readonly unknown[]): NumberCall {
  const checked = checkLength(length)
  return { operation: (session) => session.truncate(checked) }
}

import fs from 'node:fs'
import { promisify } from 'node:util'
import { invalidArgType } from '../argument-errors.js'
import { checkLength, checkReadArguments, checkVectorArguments, checkWriteArguments } from '../file/data-arguments.js'
import type { FileTime, Steps } from '../file/io/steps.js'
import type { Session } from '../file/session.js'
import type { Descriptor } from './descriptor.js'
import type { Files } from './files.js'

/** The calls of node:fs on a number: with a callback, and without waiting. */

type Callback = (error: unknown, ...results: unknown[]) => void
type AnyFunction = (...args: unknown[]) => unknown

/** One call: what it does, and what it gives to its callback, the first of which is what its twin returns that does not wait. */
interface Operation {
  readonly steps: (session: Session) => Steps<unknown>
  /** What a callback gets besides the result. */
  readonly also?: unknown
}

type Plan = (args: readonly unknown[], descriptor: Descriptor) => Operation

const PLANS: Readonly<Record<string, Plan>> = {
  read: ([first, second, third, fourth]) => {
    const { buffer, target, position } = checkReadArguments(first, second, third, fourth)
    return { steps: (session) => session.read(target, position), also: buffer }
  },
  write: ([first, second, third, fourth], { isBinary }) => {
    const { data, position } = checkWriteArguments(first, second, third, fourth, isBinary)
    return { steps: (session) => session.write(data, position), also: first }
  },
  readv: ([buffers, position]) => {
    const request = checkVectorArguments(buffers, position)
    return { steps: (session) => session.readVector(request.pieces, request.position), also: buffers }
  },
  writev: ([buffers, position]) => {
    const request = checkVectorArguments(buffers, position)
    return { steps: (session) => session.writeVector(request.pieces, request.position), also: buffers }
  },
  fstat: ([options]) => {
    const isBig = (options as fs.StatOptions | undefined)?.bigint === true
    return { steps: (session): Steps<unknown> => (isBig ? session.statBig() : session.stat()) }
  },
  ftruncate: ([length = 0]) => {
    const checked = checkLength(length)
    return { steps: (session) => session.truncate(checked) }
  },
  fsync: () => ({ steps: (session) => session.sync('fsync') }),
  fdatasync: () => ({ steps: (session) => session.sync('fdatasync') }),
  fchmod: ([mode]) => ({ steps: (session) => session.chmod(mode as number) }),
  fchown: ([uid, gid]) => ({ steps: (session) => session.chown(uid as number, gid as number) }),
  futimes: ([atime, mtime]) => ({ steps: (session) => session.utimes(atime as FileTime, mtime as FileTime) }),
}

/** What `util.promisify` calls the results of calls that have two. */
const RESULT_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  read: ['bytesRead', 'buffer'],
  write: ['bytesWritten', 'buffer'],
  readv: ['bytesRead', 'buffers'],
  writev: ['bytesWritten', 'buffers'],
}

/** @throws TypeError unless the last argument is a function. */
export function takeCallback(args: unknown[]): Callback {
  const callback = args.pop()
  if (typeof callback !== 'function') throw invalidArgType('cb', 'of type function', callback)
  return callback as Callback
}

/** Calls back in a turn of its own, so that what the callback throws is nobody's rejection. */
export function deliver(work: Promise<readonly unknown[]>, callback: Callback): void {
  work.then(
    (results) => process.nextTick(callback, null, ...results),
    (error: unknown) => process.nextTick(callback, error),
  )
}

/** @returns the calls on a number, by their names in node:fs. */
export function descriptorCalls(files: Files): Record<string, AnyFunction> {
  const calls: Record<string, AnyFunction> = {}
  for (const [name, plan] of Object.entries(PLANS)) {
    calls[name] = withCallback(files, name, plan)
    calls[`${name}Sync`] = withoutWaiting(files, `${name}Sync`, name, plan)
  }
  calls['close'] = (fd, callback = () => undefined) => {
    if (typeof callback !== 'function') throw invalidArgType('cb', 'of type function', callback)
    const descriptor = files.find(fd, 'close')
    if (descriptor === undefined) fs.close(fd as number, callback as fs.NoParamCallback)
    else {
      files.forget(fd as number)
      deliver(
        descriptor.end('close').then(() => []),
        callback as Callback,
      )
    }
  }
  calls['closeSync'] = (fd) => {
    const descriptor = files.find(fd, 'close')
    if (descriptor === undefined) fs.closeSync(fd as number)
    else {
      files.forget(fd as number)
      descriptor.endSync('close')
    }
  }
  return calls
}

function withCallback(files: Files, name: string, plan: Plan): AnyFunction {
  const call = (fd: unknown, ...args: unknown[]): void => {
    const descriptor = files.find(fd, name)
    if (descriptor === undefined) {
      ;(fs[name as keyof typeof fs] as AnyFunction)(fd, ...args)
      return
    }
    const callback = takeCallback(args)
    const { steps, also } = plan(args, descriptor)
    deliver(
      descriptor.run(steps).then((result) => (also === undefined ? [result] : [result, also])),
      callback,
    )
  }
  const names = RESULT_NAMES[name]
  if (names === undefined) return call
  const promised = (...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      call(args[0], ...args.slice(1), (error: Error | null, first: unknown, second: unknown) => {
        if (error === null) resolve({ [names[0]]: first, [names[1]]: second })
        else reject(error)
      })
    })
  return Object.assign(call, { [promisify.custom]: promised })
}

function withoutWaiting(files: Files, syncName: string, name: string, plan: Plan): AnyFunction {
  return (fd, ...args) => {
    const descriptor = files.find(fd, name)
    if (descriptor === undefined) return (fs[syncName as keyof typeof fs] as AnyFunction)(fd, ...args)
    return descriptor.runSync(plan(args, descriptor).steps)
  }
}

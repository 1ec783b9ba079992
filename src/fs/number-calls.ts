import fs from 'node:fs'
import { promisify } from 'node:util'
import { callBack, deliver, resultsOf, takeCallback, type AnyFunction, type Callback, type Calls } from './calls.js'
import type { Descriptor } from './descriptor.js'
import { NUMBER_PLANS, type NumberPlan } from './number-plans.js'
import { findDescriptor, freeNumber } from './open-numbers.js'

/** The calls of node:fs on a number: with a callback, and without waiting. */

/** What errors call the calls that the system knows by another name. */
const SYSCALLS: Readonly<Record<string, string>> = {
  readv: 'read',
  readFile: 'read',
  writev: 'write',
  writeFile: 'write',
  appendFile: 'write',
  truncate: 'ftruncate',
}

/** What `util.promisify` calls the results of calls that have two. */
const RESULT_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  read: ['bytesRead', 'buffer'],
  write: ['bytesWritten', 'buffer'],
  readv: ['bytesRead', 'buffers'],
  // As in Node, whatever its documentation says.
  writev: ['bytesWritten', 'buffer'],
}

/** @returns the calls. */
export function numberCalls(): Calls {
  const calls: Calls = { close, closeSync }
  for (const [name, plan] of Object.entries(NUMBER_PLANS)) {
    calls[name] = withCallback(name, plan)
    calls[`${name}Sync`] = withoutWaiting(name, plan)
  }
  return calls
}

function callNode(name: string, args: readonly unknown[]): unknown {
  return (fs[name as keyof typeof fs] as AnyFunction)(...args)
}

/**
 * Finds the file of a call with a callback, which is told if the number is refused.
 *
 * @returns whether all is done; else node:fs must be called.
 */
function useFile(fd: unknown, name: string, args: unknown[], use: (descriptor: Descriptor, callback: Callback) => void): boolean {
  let descriptor
  try {
    descriptor = findDescriptor(fd, SYSCALLS[name] ?? name)
  } catch (error) {
    callBack(takeCallback(args), error)
    return true
  }
  if (descriptor === undefined) return false
  use(descriptor, takeCallback(args))
  return true
}

/** What `close` does where it gets no callback. */
function throwError(error: unknown): void {
  if (error) throw error as Error
}

function close(fd: unknown, callback: unknown = throwError): void {
  const isOurs = useFile(fd, 'close', [callback], (descriptor, done) => {
    const closing = descriptor.close().finally(() => freeNumber(fd as number, descriptor))
    deliver(closing.then(resultsOf), done)
  })
  if (!isOurs) callNode('close', callback === throwError ? [fd] : [fd, callback])
}

function closeSync(fd: unknown): void {
  const descriptor = findDescriptor(fd, 'close')
  if (descriptor === undefined) {
    fs.closeSync(fd as number)
    return
  }
  try {
    descriptor.closeSync()
  } finally {
    if (descriptor.isClosing) freeNumber(fd as number, descriptor)
  }
}

function withCallback(name: string, plan: NumberPlan): AnyFunction {
  const names = RESULT_NAMES[name]
  const call = (fd: unknown, ...args: unknown[]): void => {
    const isOurs = useFile(fd, name, args, (descriptor, callback) => {
      const { operation, also } = plan(args, descriptor, 'async')
      const work = descriptor.run(operation)
      if (names === undefined) deliver(work.then(resultsOf), callback)
      else deliver(bothOf(work, also), callback, [0, also])
    })
    if (!isOurs) callNode(name, [fd, ...args])
  }
  return names === undefined ? call : Object.assign(call, { [promisify.custom]: promised(call, names) })
}

async function bothOf(work: Promise<unknown>, also: unknown): Promise<readonly unknown[]> {
  return [await work, also]
}

/** @returns what `util.promisify` makes of a call whose callback gets two results. */
function promised(call: AnyFunction, [first, second]: readonly [string, string]): AnyFunction {
  return (...args) =>
    new Promise((resolve, reject) => {
      call(...args, (error: Error | null, ...results: unknown[]) => {
        if (error) reject(error)
        else resolve({ [first]: results[0], [second]: results[1] })
      })
    })
}

function withoutWaiting(name: string, plan: NumberPlan): AnyFunction {
  const syscall = SYSCALLS[name] ?? name
  return (fd, ...args) => {
    const descriptor = findDescriptor(fd, syscall)
    if (descriptor === undefined) return callNode(`${name}Sync`, [fd, ...args])
    return descriptor.runSync(plan(args, descriptor, 'sync').operation, syscall)
  }
}

import fs from 'node:fs'
import { EncryptedFile } from '../file/encrypted-file.js'
import { EncryptedHandle, isIterable, type Content, type Pieces } from '../file/encrypted-handle.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner, runSync } from '../file/io/runners.js'
import { deliver, resultsOf, takeCallback, type AnyFunction, type Calls } from './calls.js'
import { checkContentSettings, checkPath } from './node-arguments.js'
import { PATH_PLANS, wholeFileOptions, type PathCall } from './path-plans.js'
import type { Policy } from './policy.js'
import { takeTurn } from './turns.js'

/** The calls of node:fs that are about what the file at a path holds: by promise, with a callback, and without waiting. */

/** @returns the calls with a callback and those that do not wait. */
export function pathCalls(policy: Policy): Calls {
  const calls: Calls = {}
  for (const [name, plan] of Object.entries(PATH_PLANS)) {
    calls[name] = (...args) => {
      const callback = takeCallback(args)
      deliver(perform(policy, plan(policy, args, 'async'), args).then(resultsOf), callback)
    }
    calls[`${name}Sync`] = (...args) => performSync(policy, plan(policy, args, 'sync'), args)
  }
  return calls
}

/** @returns the calls by promise; some of them take handles as well, and pieces to write. */
export function promisedPathCalls(policy: Policy): Calls {
  const calls: Calls = {}
  for (const [name, plan] of Object.entries(PATH_PLANS)) {
    calls[name] = async (...args) => perform(policy, plan(policy, args, 'async'), args)
  }
  for (const name of ['readFile', 'writeFile', 'appendFile'] as const) {
    const onPath = calls[name]!
    calls[name] = async (target, ...rest) => {
      if (isHandle(target)) return (target[name] as AnyFunction).apply(target, rest)
      const [data, options] = rest as [Content | Pieces, unknown]
      if (name === 'readFile' || !isIterable(data)) return onPath(target, ...rest)
      return writePieces(policy, name === 'writeFile' ? 'w' : 'a', target, data, options)
    }
  }
  return calls
}

async function perform(policy: Policy, { steps, changes, isReading }: PathCall, args: readonly unknown[]): Promise<unknown> {
  const work = (waited: number): Promise<unknown> => new AsyncRunner(nodeDisk).run(() => steps(waited))
  try {
    return await (changes === undefined ? work(0) : takeTurn(changes, work))
  } catch (error) {
    if (isReading !== true || !policy.allows(error)) throw error
    return (fs.promises.readFile as AnyFunction)(...args)
  }
}

function performSync(policy: Policy, { steps, isReading }: PathCall, args: readonly unknown[]): unknown {
  try {
    return runSync(nodeDisk, steps(0))
  } catch (error) {
    if (isReading !== true || !policy.allows(error)) throw error
    return (fs.readFileSync as AnyFunction)(...args)
  }
}

/** Node's own handles are among them: those of files that are not encrypted. */
function isHandle(target: unknown): target is EncryptedHandle {
  return target instanceof EncryptedHandle || (typeof target === 'object' && target !== null && 'readableWebStream' in target)
}

async function writePieces(policy: Policy, flag: 'w' | 'a', path: unknown, data: Pieces, options: unknown): Promise<void> {
  const file = checkPath(path)
  const settings = checkContentSettings(options, flag, 'async')
  await takeTurn(file, (waited) => EncryptedFile.writeFile(file, data, wholeFileOptions(policy, file, settings, 'async', waited)))
}

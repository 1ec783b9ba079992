import fs from 'node:fs'
import type { Calls } from './calls.js'
import { Files } from './files.js'
import { lookingCalls, promisedLookingCalls } from './looking-calls.js'
import { numberCalls } from './number-calls.js'
import { openingCalls, promisedOpeningCalls } from './opening-calls.js'
import { pathCalls, promisedPathCalls } from './path-calls.js'
import { Policy, type EncryptedFsOptions } from './policy.js'
import { streamCalls } from './streams.js'

/** `node:fs`, whose files are encrypted. */
export type EncryptedFs = typeof fs

type Members = Record<string, unknown>

/** Everything of an object, without asking what lies behind its getters: some of them warn. */
function copyOf(object: object): Members {
  return Object.defineProperties({}, Object.getOwnPropertyDescriptors(object))
}

/** Puts members in the place of those of the same name; not every version of Node has them all. */
function override(target: Members, members: Members): void {
  for (const [name, value] of Object.entries(members)) {
    if (!Object.hasOwn(target, name)) continue
    Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
  }
}

/**
 * Makes an `fs` whose files are encrypted, for code that takes an `fs`: promises, callbacks, calls that do not wait, streams. What is
 * not about the contents of files (mkdir, rename, unlink, …) goes to `node:fs`.
 *
 * @throws TypeError or RangeError for options that are not allowed.
 *
 * @example
 * ```ts
 * const efs = createEncryptedFs({ keyManager, purpose: (path) => (path.endsWith('.log') ? 'logs' : 'config') })
 * await efs.promises.writeFile('app.json', '{}')
 * ```
 */
export function createEncryptedFs(options: EncryptedFsOptions): EncryptedFs {
  const policy = new Policy(options)
  const files = new Files(policy)
  const promised: Calls = { ...promisedPathCalls(policy), ...promisedLookingCalls(policy) }
  const onPath: Calls = { ...pathCalls(policy), ...lookingCalls(policy) }
  const promises = copyOf(fs.promises)
  override(promises, promised)
  override(promises, promisedOpeningCalls(files, promised))
  const result = copyOf(fs)
  override(result, { promises })
  override(result, onEither(onPath, numberCalls()))
  override(result, openingCalls(files, promised, onPath))
  override(result, streamCalls(files, result))
  return result as unknown as EncryptedFs
}

/** Joins calls on a path and those on a number, some of which go by the same names. */
function onEither(onPath: Calls, onNumber: Calls): Calls {
  const calls = { ...onNumber, ...onPath }
  for (const [name, call] of Object.entries(onPath)) {
    const twin = onNumber[name]
    if (twin !== undefined) calls[name] = (target, ...args) => (Number.isInteger(target) ? twin : call)(target, ...args)
  }
  return calls
}

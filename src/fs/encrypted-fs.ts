import fs from 'node:fs'
import { callbackify } from 'node:util'
import type { Content } from '../file/encrypted-handle.js'
import type { PathLike } from '../file/io/steps.js'
import { deliver, descriptorCalls, takeCallback } from './descriptor-calls.js'
import { Files, type Flags, type Mode } from './files.js'
import { contentSettings, notImplemented, pathCalls } from './path-calls.js'
import { pathCallsSync } from './path-calls-sync.js'
import { Policy, type EncryptedFsOptions } from './policy.js'
import { streamClasses } from './streams.js'

/** `node:fs`, whose files are encrypted. */
export type EncryptedFs = typeof fs

type AnyFunction = (...args: never[]) => unknown

/** Everything of an object, without asking what lies behind its getters: some of them warn. */
function copyOf(object: object): Record<string, unknown> {
  return Object.defineProperties({}, Object.getOwnPropertyDescriptors(object))
}

function override(target: Record<string, unknown>, calls: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(calls)) {
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
  const files = new Files(new Policy(options))
  const promised = pathCalls(files)
  const sync = pathCallsSync(files)
  const result = copyOf(fs)
  const promises = copyOf(fs.promises)
  for (const [name, call] of Object.entries(promised)) {
    override(promises, { [name]: call })
    override(result, { [name]: callbackify(call as never) })
  }
  override(result, { openAsBlob: () => Promise.reject(notImplemented('openAsBlob')) })
  override(result, descriptorCalls(files))
  override(result, sync)
  override(result, callsOnEither(files, promised))
  override(result, streamClasses(files, result))
  override(result, { promises })
  return result as unknown as EncryptedFs
}

/** The calls with a callback that take a path or a number, and `open`, which makes the number. */
function callsOnEither(files: Files, promised: ReturnType<typeof pathCalls>): Record<string, AnyFunction> {
  const withOptions = (args: unknown[]): unknown => (args.length === 0 ? undefined : args[0])
  return {
    open: (path: PathLike, ...args: unknown[]) => {
      const callback = takeCallback(args)
      const [flags, mode] = args as [Flags?, Mode?]
      deliver(
        files.open(path, flags, { mode }).then((fd) => [fd]),
        callback,
      )
    },
    readFile: (target: PathLike | number, ...args: unknown[]) => {
      const descriptor = typeof target === 'number' ? files.find(target, 'read') : undefined
      if (typeof target === 'number' && descriptor === undefined)
        return (fs.readFile as AnyFunction)(...([target, ...args] as never[]))
      const callback = takeCallback(args)
      const options = withOptions(args)
      const content =
        descriptor === undefined ? promised.readFile(target as PathLike, options) : descriptor.readFile(contentSettings(options))
      deliver(
        content.then((bytes) => [bytes]),
        callback,
      )
    },
    writeFile: (target: PathLike | number, data: Content, ...args: unknown[]) => write('writeFile', target, data, args),
    appendFile: (target: PathLike | number, data: Content, ...args: unknown[]) => write('appendFile', target, data, args),
  }

  function write(name: 'writeFile' | 'appendFile', target: PathLike | number, data: Content, args: unknown[]): unknown {
    const descriptor = typeof target === 'number' ? files.find(target, 'write') : undefined
    if (typeof target === 'number' && descriptor === undefined)
      return (fs[name] as AnyFunction)(...([target, data, ...args] as never[]))
    const callback = takeCallback(args)
    const options = withOptions(args)
    const writing =
      descriptor === undefined
        ? promised[name](target as PathLike, data, options)
        : descriptor.writeFile(data, contentSettings(options))
    deliver(
      writing.then(() => []),
      callback,
    )
    return undefined
  }
}

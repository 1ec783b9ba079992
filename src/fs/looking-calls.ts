import fs, { type Dir, type Dirent, type Stats } from 'node:fs'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner, runSync } from '../file/io/runners.js'
import type { Steps } from '../file/io/steps.js'
import { deliver, takeCallback, type AnyFunction, type Calls } from './calls.js'
import { checkPath } from './node-arguments.js'
import { withPlaintextSize } from './plaintext-size.js'
import type { Kind, Policy } from './policy.js'
import { hideWorkingFiles, withoutWorkingFiles } from './working-files.js'

/** The calls that look at files and folders: node:fs makes them, and what it finds is put right. */

type Correction = (policy: Policy, found: unknown, path: unknown, kind: Kind) => Steps<unknown>

/** What needs no look at the disk. */
function direct(correct: (found: never) => unknown): Correction {
  // eslint-disable-next-line require-yield
  return function* (_, found) {
    return correct(found as never)
  }
}

const correctSize: Correction = (policy, stats, path, kind) =>
  withPlaintextSize(stats as Stats | undefined, checkPath(path), policy, kind)

const CORRECTIONS: Readonly<Record<string, Correction>> = {
  stat: correctSize,
  lstat: correctSize,
  readdir: direct((entries: (string | Buffer | Dirent)[]) => withoutWorkingFiles(entries)),
  opendir: direct((dir: Dir) => hideWorkingFiles(dir)),
}

function node(name: string): AnyFunction {
  return fs[name as keyof typeof fs] as AnyFunction
}

/** @returns the calls with a callback and those that do not wait. */
export function lookingCalls(policy: Policy): Calls {
  const calls: Calls = {}
  for (const [name, correct] of Object.entries(CORRECTIONS)) {
    calls[name] = (...args) => {
      const callback = takeCallback(args)
      node(name)(...args, (error: unknown, found: unknown) => {
        if (error) callback(error)
        else
          deliver(
            run(correct(policy, found, args[0], 'async')).then((corrected) => [corrected]),
            callback,
          )
      })
    }
    calls[`${name}Sync`] = (...args) => runSync(nodeDisk, correct(policy, node(`${name}Sync`)(...args), args[0], 'sync'))
  }
  return calls
}

/** @returns the same by promise. */
export function promisedLookingCalls(policy: Policy): Calls {
  const calls: Calls = {}
  for (const [name, correct] of Object.entries(CORRECTIONS)) {
    calls[name] = async (...args) => {
      const found = await (fs.promises[name as 'stat'] as AnyFunction)(...args)
      return run(correct(policy, found, args[0], 'async'))
    }
  }
  return calls
}

function run(steps: Steps<unknown>): Promise<unknown> {
  return new AsyncRunner(nodeDisk).run(() => steps)
}

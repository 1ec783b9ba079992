import { Blob } from 'node:buffer'
import fs, { type CopyOptions, type CopySyncOptions } from 'node:fs'
import { deliver, resultsOf, takeCallback, type Calls } from './calls.js'
import { areCopyOptions, copyTree, copyTreeSync, type Copy } from './copy-tree.js'
import { checkOpenArguments, type Files } from './files.js'
import { checkPath, type Flags, type Mode } from './node-arguments.js'

/** The calls of node:fs that open files, or that are made of others. */

/** @param promised - The calls on a path by promise. @param onPath - The others. */
export function openingCalls(files: Files, promised: Calls, onPath: Calls): Calls {
  return {
    open(path, ...args) {
      const callback = takeCallback(args)
      const request = checkOpenArguments(path, args[0] as Flags, args[1] as Mode)
      deliver(files.open(request).then(resultsOf), callback)
    },
    openSync: (path, flags, mode) => files.openSync(checkOpenArguments(path, flags as Flags, mode as Mode)),
    cp(from, to, ...args) {
      const callback = takeCallback(args)
      const [source, target] = [checkTree(from, 'src'), checkTree(to, 'dest')]
      if (areCopyOptions(args[0]))
        deliver(
          copyTreeBy(promised, source, target, args[0]).then((nothing) => [nothing]),
          callback,
        )
      else fs.cp(source, target, args[0] as CopyOptions, callback)
    },
    cpSync: (from, to, options) =>
      copyTreeSync(onPath['copyFileSync'] as Copy<void>, checkTree(from, 'src'), checkTree(to, 'dest'), options as CopySyncOptions),
    openAsBlob: async (path, options) => blobOf(await promised['readFile']!(path), options),
    openAsBlobSync: (path, options) => blobOf(onPath['readFileSync']!(path), options),
  }
}

/** @returns the same by promise, as far as there is any. */
export function promisedOpeningCalls(files: Files, promised: Calls): Calls {
  return {
    open: async (path, flags, mode) => files.openHandle(checkOpenArguments(path, flags as Flags, mode as Mode)),
    cp: async (from, to, options) => copyTreeBy(promised, checkTree(from, 'src'), checkTree(to, 'dest'), options),
  }
}

function copyTreeBy(promised: Calls, from: string, to: string, options: unknown): Promise<void> {
  return copyTree(promised['copyFile'] as Copy<Promise<void>>, from, to, options as CopyOptions | undefined)
}

function checkTree(path: unknown, name: string): string {
  return checkPath(path, name).toString()
}

function blobOf(content: unknown, options: unknown): Blob {
  const { type = '' } = (options ?? {}) as { readonly type?: string }
  return new Blob([content as Buffer], { type })
}

import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { EncryptedFile } from '../file/encrypted-file.js'
import { EncryptedHandle, type Content, type Pieces } from '../file/encrypted-handle.js'
import { parseFlags } from '../file/flags.js'
import type { PathLike } from '../file/io/steps.js'
import type { WholeFileOptions } from '../file/whole-file.js'
import { copyFile, copyTree } from './copy.js'
import type { Files, Flags, Mode } from './files.js'
import { withoutWorkingFiles, withPlaintextSize } from './visible.js'

/** The calls of fs.promises that are about the contents of files. */

export interface ContentSettings {
  readonly encoding?: BufferEncoding | 'buffer' | null | undefined
  readonly flag?: Flags
  readonly mode?: Mode
  readonly signal?: AbortSignal | undefined
  readonly flush?: boolean | undefined
}

/** What the last argument of `readFile` and its like says. */
export function contentSettings(options: unknown): ContentSettings {
  return typeof options === 'string' ? { encoding: options as BufferEncoding } : (options ?? {})
}

/** Node's own handles are taken, too: those of files that are not encrypted. */
function isHandle(path: unknown): path is EncryptedHandle {
  return path instanceof EncryptedHandle || (typeof path === 'object' && path !== null && 'readableWebStream' in path)
}

/** Options of ours for what node:fs was asked. */
export function wholeFileOptions(
  files: Files,
  path: PathLike,
  settings: ContentSettings,
  kind: 'async' | 'sync',
): WholeFileOptions {
  const { encoding, flag, mode, signal, flush } = settings
  return {
    ...files.policy.optionsFor(path, kind),
    encoding: encoding === 'buffer' ? null : encoding,
    flag: flag ?? undefined,
    mode: mode ?? undefined,
    signal,
    flush,
    atomic: files.policy.atomic,
  }
}

/** @returns the calls, by their names. */
export function pathCalls(files: Files) {
  const { policy } = files

  async function readFile(path: PathLike | EncryptedHandle, options?: unknown): Promise<Buffer | string> {
    if (isHandle(path)) return path.readFile(options as null)
    const settings = contentSettings(options)
    try {
      return await EncryptedFile.readFile(path, wholeFileOptions(files, path, settings, 'async'))
    } catch (error) {
      const access = parseFlags(settings.flag)
      if (access.write || !policy.allows(error)) throw error
      return fs.promises.readFile(path, options as null)
    }
  }

  async function writeFile(path: PathLike | EncryptedHandle, data: Content | Pieces, options?: unknown): Promise<void> {
    if (isHandle(path)) await path.writeFile(data, options as null)
    else await EncryptedFile.writeFile(path, data, wholeFileOptions(files, path, contentSettings(options), 'async'))
  }

  return {
    readFile,
    writeFile,

    async appendFile(path: PathLike | EncryptedHandle, data: Content | Pieces, options?: unknown): Promise<void> {
      if (isHandle(path)) await path.appendFile(data, options as null)
      else await EncryptedFile.appendFile(path, data, wholeFileOptions(files, path, contentSettings(options), 'async'))
    },

    async open(path: PathLike, flags?: Flags, mode?: Mode): Promise<FileHandle> {
      return files.openHandle(path, flags, { mode })
    },

    async truncate(path: PathLike, length = 0): Promise<void> {
      const handle = await files.openHandle(path, 'r+')
      try {
        await handle.truncate(length)
      } finally {
        await handle.close()
      }
    },

    async stat(path: PathLike, options?: fs.StatOptions): Promise<fs.Stats | fs.BigIntStats> {
      return withPlaintextSize(await fs.promises.stat(path, options), path, policy)
    },

    async lstat(path: PathLike, options?: fs.StatOptions): Promise<fs.Stats | fs.BigIntStats> {
      return withPlaintextSize(await fs.promises.lstat(path, options), path, policy)
    },

    async readdir(path: PathLike, options?: unknown): Promise<unknown[]> {
      return withoutWorkingFiles(await fs.promises.readdir(path, options as null))
    },

    copyFile: (from: PathLike, to: PathLike, mode?: number) => copyFile(files, from, to, mode),
    cp: (from: string | URL, to: string | URL, options?: fs.CopyOptions) => copyTree(files, from, to, options),
  }
}

/** @returns what Node throws for a call that is not there. */
export function notImplemented(method: string): Error {
  return Object.assign(new Error(`The ${method}() method is not implemented`), { code: 'ERR_METHOD_NOT_IMPLEMENTED' })
}

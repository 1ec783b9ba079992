import fs from 'node:fs'
import type { Content } from '../file/encrypted-handle.js'
import { EncryptedFile } from '../file/encrypted-file.js'
import { parseFlags } from '../file/flags.js'
import type { PathLike } from '../file/io/steps.js'
import { copyFileSync, copyTreeSync } from './copy.js'
import type { Files, Flags, Mode } from './files.js'
import { contentSettings, wholeFileOptions } from './path-calls.js'
import { withoutWorkingFiles, withPlaintextSizeSync } from './visible.js'

/** The calls of node:fs that do not wait, and are about the contents of files at a path or a number. */
export function pathCallsSync(files: Files) {
  const { policy } = files

  function encodingOf(options: unknown): BufferEncoding | undefined {
    const { encoding } = contentSettings(options)
    return encoding === null || encoding === 'buffer' ? undefined : encoding
  }

  function write(target: PathLike | number, data: Content, options: unknown, flag: 'w' | 'a'): void {
    const settings = contentSettings(options)
    if (typeof target !== 'number') {
      const request = wholeFileOptions(files, target, settings, 'sync')
      if (flag === 'w') EncryptedFile.writeFileSync(target, data, request)
      else EncryptedFile.appendFileSync(target, data, request)
      return
    }
    const descriptor = files.find(target, 'write')
    if (descriptor === undefined) fs.writeFileSync(target, data as string, options as null)
    else descriptor.writeFileSync(data, encodingOf(options))
  }

  return {
    readFileSync(target: PathLike | number, options?: unknown): Buffer | string {
      if (typeof target === 'number') {
        const descriptor = files.find(target, 'read')
        if (descriptor === undefined) return fs.readFileSync(target, options as null)
        const content = descriptor.runSync((session) => session.readToEnd())
        const encoding = encodingOf(options)
        return encoding === undefined ? content : content.toString(encoding)
      }
      const settings = contentSettings(options)
      try {
        return EncryptedFile.readFileSync(target, wholeFileOptions(files, target, settings, 'sync'))
      } catch (error) {
        if (parseFlags(settings.flag).write || !policy.allows(error)) throw error
        return fs.readFileSync(target, options as null)
      }
    },

    writeFileSync: (target: PathLike | number, data: Content, options?: unknown) => write(target, data, options, 'w'),
    appendFileSync: (target: PathLike | number, data: Content, options?: unknown) => write(target, data, options, 'a'),
    openSync: (path: PathLike, flags?: Flags, mode?: Mode) => files.openSync(path, flags, { mode }),

    truncateSync(path: PathLike | number, length = 0): void {
      if (typeof path === 'number') {
        const descriptor = files.find(path, 'ftruncate')
        if (descriptor === undefined) fs.ftruncateSync(path, length)
        else descriptor.runSync((session) => session.truncate(length))
        return
      }
      const descriptor = files.openDescriptorSync(path, 'r+')
      try {
        descriptor.runSync((session) => session.truncate(length))
      } finally {
        descriptor.endSync('close')
      }
    },

    statSync: (path: PathLike, options?: fs.StatSyncOptions) => withPlaintextSizeSync(fs.statSync(path, options), path, policy),
    lstatSync: (path: PathLike, options?: fs.StatSyncOptions) => withPlaintextSizeSync(fs.lstatSync(path, options), path, policy),
    readdirSync: (path: PathLike, options?: unknown) => withoutWorkingFiles(fs.readdirSync(path, options as null)),
    copyFileSync: (from: PathLike, to: PathLike, mode?: number) => copyFileSync(files, from, to, mode),
    cpSync: (from: string | URL, to: string | URL, options?: fs.CopySyncOptions) => copyTreeSync(files, from, to, options),
  }
}

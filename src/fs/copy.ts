import fs from 'node:fs'
import { dirname } from 'node:path'
import type { EncryptedHandle } from '../file/encrypted-handle.js'
import type { PathLike } from '../file/io/steps.js'
import type { Files } from './files.js'

/** Copies content from one encrypted file to another: each has a key of its own, and perhaps another purpose. */

const PIECE_LENGTH = 2 ** 20

function isExclusive(mode: number): boolean {
  return (mode & fs.constants.COPYFILE_EXCL) !== 0
}

/** @param mode - As for fs.copyFile: with `COPYFILE_EXCL`, `to` must not exist. */
export async function copyFile(files: Files, from: PathLike, to: PathLike, mode = 0): Promise<void> {
  const source = await files.openHandle(from, 'r')
  try {
    const { mode: bits } = await source.stat()
    const exclusive = isExclusive(mode)
    const atomic = files.policy.atomic && !exclusive
    const target = await files.openHandle(to, exclusive ? 'wx' : 'w', { mode: bits & 0o7777, atomic })
    try {
      const buffer = Buffer.allocUnsafeSlow(PIECE_LENGTH)
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, PIECE_LENGTH, null)
        if (bytesRead === 0) break
        await target.write(buffer, 0, bytesRead, null)
      }
    } catch (error) {
      await giveUp(target, atomic)
      throw error
    }
    await target.close()
  } finally {
    await source.close()
  }
}

/** The same, without waiting. */
export function copyFileSync(files: Files, from: PathLike, to: PathLike, mode = 0): void {
  const source = files.openForCopy(from)
  try {
    const exclusive = isExclusive(mode)
    const atomic = files.policy.atomic && !exclusive
    const target = files.openDescriptorSync(to, exclusive ? 'wx' : 'w', { mode: source.mode & 0o7777, atomic })
    try {
      const buffer = Buffer.allocUnsafeSlow(PIECE_LENGTH)
      for (;;) {
        const length = source.read(buffer)
        if (length === 0) break
        target.runSync((session) => session.write(buffer.subarray(0, length), null))
      }
    } catch (error) {
      target.endSync(atomic ? 'discard' : 'close')
      throw error
    }
    target.endSync('close')
  } finally {
    source.close()
  }
}

/** Leaves what was there as it was, where the new file is not in its place yet. */
async function giveUp(target: unknown, isAtomic: boolean): Promise<void> {
  const handle = target as EncryptedHandle
  await (isAtomic ? handle.discard() : handle.close())
}

interface Pair {
  readonly from: string
  readonly to: string
}

/** Copies a tree: fs.cp makes its folders and links, and the files are copied afterwards. */
export async function copyTree(files: Files, from: string | URL, to: string | URL, options: fs.CopyOptions = {}): Promise<void> {
  const pairs: Pair[] = []
  const filter = async (source: string, target: string): Promise<boolean> => {
    if (options.filter !== undefined && !(await options.filter(source, target))) return false
    const stats = options.dereference === true ? await fs.promises.stat(source) : await fs.promises.lstat(source)
    if (stats.isFile()) pairs.push({ from: source, to: target })
    return !stats.isFile()
  }
  await fs.promises.cp(from, to, { ...options, filter })
  for (const pair of pairs) {
    if (!mayCopy(pair, options)) continue
    await fs.promises.mkdir(dirname(pair.to), { recursive: true })
    await copyFile(files, pair.from, pair.to, options.mode)
    if (options.preserveTimestamps !== true) continue
    const { atime, mtime } = await fs.promises.stat(pair.from)
    await fs.promises.utimes(pair.to, atime, mtime)
  }
}

/** The same, without waiting. */
export function copyTreeSync(files: Files, from: string | URL, to: string | URL, options: fs.CopySyncOptions = {}): void {
  const pairs: Pair[] = []
  const filter = (source: string, target: string): boolean => {
    if (options.filter !== undefined && !options.filter(source, target)) return false
    const stats = options.dereference === true ? fs.statSync(source) : fs.lstatSync(source)
    if (stats.isFile()) pairs.push({ from: source, to: target })
    return !stats.isFile()
  }
  fs.cpSync(from, to, { ...options, filter })
  for (const pair of pairs) {
    if (!mayCopy(pair, options)) continue
    fs.mkdirSync(dirname(pair.to), { recursive: true })
    copyFileSync(files, pair.from, pair.to, options.mode)
    if (options.preserveTimestamps !== true) continue
    const { atime, mtime } = fs.statSync(pair.from)
    fs.utimesSync(pair.to, atime, mtime)
  }
}

/** Whether a file may be copied over what is there. @throws as fs.cp does where that is an error. */
function mayCopy({ from, to }: Pair, { force = true, errorOnExist = false }: Omit<fs.CopySyncOptions, 'filter'>): boolean {
  const there = fs.lstatSync(to, { throwIfNoEntry: false })
  if (there === undefined) return true
  if (there.isDirectory()) throw cpError('ERR_FS_CP_NON_DIR_TO_DIR', `cannot overwrite directory ${to} with non-directory ${from}`)
  if (!force && errorOnExist) throw cpError('ERR_FS_CP_EEXIST', `${to} already exists`)
  return force
}

function cpError(code: string, message: string): Error {
  return Object.assign(new Error(`${message}, cp`), { code, syscall: 'cp' })
}

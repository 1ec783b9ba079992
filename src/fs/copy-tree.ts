import fs from 'node:fs'
import { basename, dirname } from 'node:path'
import { isWorkingName } from '../file/tree/working-names.js'

/** Copies trees: fs.cp makes the folders and links, and the files are copied afterwards, because each has a key of its own. */

interface Pair {
  readonly from: string
  readonly to: string
}

/** Copies one file as `fs.copyFile` does. */
export type Copy<R> = (from: string, to: string, mode: number | undefined) => R

export async function copyTree(copy: Copy<Promise<void>>, from: string, to: string, options?: fs.CopyOptions): Promise<void> {
  const pairs: Pair[] = []
  const filter = async (source: string, target: string): Promise<boolean> => {
    if (isWorkingName(basename(source)) || (options?.filter !== undefined && !(await options.filter(source, target)))) return false
    return !collectFile(pairs, source, target, options)
  }
  await fs.promises.cp(from, to, areCopyOptions(options) ? { ...options, filter } : options)
  for (const pair of pairs) {
    const verdict = judge(pair, options)
    if (verdict === 'refuse') await fs.promises.cp(pair.from, pair.to, withoutFilter(options))
    if (verdict !== 'copy') continue
    await copy(pair.from, pair.to, options?.mode)
    keepTimes(pair, options)
  }
}

/** The same, without waiting. */
export function copyTreeSync(copy: Copy<void>, from: string, to: string, options?: fs.CopySyncOptions): void {
  const pairs: Pair[] = []
  const filter = (source: string, target: string): boolean => {
    if (isWorkingName(basename(source))) return false
    const wanted = options?.filter?.(source, target) ?? true
    // A promise is for node:fs to refuse.
    if (!wanted || typeof wanted === 'object') return wanted
    return !collectFile(pairs, source, target, options)
  }
  fs.cpSync(from, to, areCopyOptions(options) ? { ...options, filter } : options)
  for (const pair of pairs) {
    const verdict = judge(pair, options)
    if (verdict === 'refuse') fs.cpSync(pair.from, pair.to, withoutFilter(options))
    if (verdict !== 'copy') continue
    copy(pair.from, pair.to, options?.mode)
    keepTimes(pair, options)
  }
}

/** What concerns one file, of both kinds of call. */
type FileOptions = Omit<fs.CopySyncOptions, 'filter'> | undefined

/** Tells whether there is something to go on with; other options are for node:fs to refuse. */
export function areCopyOptions(options: unknown): options is fs.CopyOptions & fs.CopySyncOptions {
  if (options === undefined) return true
  if (typeof options !== 'object' || options === null) return false
  const { filter } = options as { readonly filter?: unknown }
  return filter === undefined || typeof filter === 'function'
}

/** @returns whether it is a file that is to be copied here. */
function collectFile(pairs: Pair[], from: string, to: string, options: FileOptions): boolean {
  const stat = options?.dereference === true ? fs.statSync : fs.lstatSync
  const isFile = stat(from, { throwIfNoEntry: false })?.isFile() === true
  if (isFile) pairs.push({ from, to })
  return isFile
}

/**
 * Decides about a file. What is in its way is removed where fs.cp would do so, and a place is made.
 *
 * @returns `refuse` where fs.cp gives an error, which is then for fs.cp to make.
 */
function judge(
  { from, to }: Pair,
  { force = true, errorOnExist = false, mode = 0 }: NonNullable<FileOptions> = {},
): 'copy' | 'skip' | 'refuse' {
  const there = fs.lstatSync(to, { throwIfNoEntry: false })
  if (there === undefined) {
    fs.mkdirSync(dirname(to), { recursive: true })
    return 'copy'
  }
  const source = fs.statSync(from)
  if (there.isDirectory() || (source.dev === there.dev && source.ino === there.ino)) return 'refuse'
  if (!force) return errorOnExist ? 'refuse' : 'skip'
  const isExclusive = (mode & fs.constants.COPYFILE_EXCL) !== 0
  if (!there.isFile() || isExclusive) fs.unlinkSync(to)
  return 'copy'
}

function withoutFilter<O extends object>(options: O | undefined): Omit<O, 'filter'> | undefined {
  return options === undefined ? undefined : { ...options, filter: undefined }
}

function keepTimes({ from, to }: Pair, options: FileOptions): void {
  if (options?.preserveTimestamps !== true) return
  const { atime, mtime } = fs.statSync(from)
  fs.utimesSync(to, atime, mtime)
}

import { mkdir, opendir, realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import type { PathLike } from '../file/io/steps.js'
import { checkAborted } from '../file/io/system-errors.js'
import { checkInteger, flag } from '../file/options.js'
import { listFiles, type FoundFile } from '../file/tree/list-files.js'
import { runParallel } from '../file/tree/run-parallel.js'
import { checkAicoAccess, type AicoAccess } from './aico-keys.js'
import { migrate, type MigratedFile } from './migrate-file.js'
import { resolveMigrationOptions, type MigrationOptions, type MigrationRequest } from './migration-options.js'
import { failure } from './migration-source.js'
import { folderOf, isSamePath, isWithin, joinPath, relativePath, takePath, type Path } from './paths.js'
import { checkTargetName, findFolder } from './target-folder.js'

/** The same for all files, or a function of a file's path within the folder, with `/` between its parts. */
export type ForEachPath<T> = T | ((path: string) => T)

/** How far the migration of a folder is. */
export interface DirectoryProgress {
  /** Files that are done with, whatever came of them. */
  readonly files: number
  /** Files that there are to do. */
  readonly totalFiles: number
  /** Bytes of the sources of these files, and of those that are being copied. */
  readonly bytes: number
  /** Bytes of their sources. */
  readonly totalBytes: number
}

/** How a folder is taken over. */
export interface MigrateDirectoryOptions extends MigrationOptions {
  /** What the encrypted files are for. Where a name is no UTF-8, the function gets it with replacement characters. */
  readonly purpose: ForEachPath<string>
  /** The keys of AICO files, and the purpose of each. */
  readonly aico?:
    | {
        /** The keys. */
        readonly keys: AicoAccess['keys']
        /** What each file was encrypted for. */
        readonly purpose: ForEachPath<string>
      }
    | undefined
  /**
   * The name of a target, by the path of its source: a path within the target folder, with `/` between its parts. Folders keep theirs.
   *
   * @defaultValue the same
   */
  readonly name?: ((path: string) => string) | undefined
  /**
   * Which files to take, by their paths within the folder.
   *
   * @defaultValue all
   */
  readonly filter?: ((path: string) => boolean) | undefined
  /**
   * Make targets again whose sources were changed since, if nobody has written to them: see `update` of `migrateFile`.
   *
   * @defaultValue true
   */
  readonly update?: boolean | undefined
  /**
   * Files that are worked on at a time, 1 to 64.
   *
   * @defaultValue 4
   */
  readonly concurrency?: number | undefined
  /**
   * Reject with the first failure, and begin no more, instead of going on with other files.
   *
   * @defaultValue false
   */
  readonly stopOnError?: boolean | undefined
  /** Told of each file when it is done. */
  readonly onFile?: ((file: MigratedFile) => void) | undefined
  /** Told from time to time how far it is. The folder is gone over once more before, to count. */
  readonly onProgress?: ((progress: DirectoryProgress) => void) | undefined
}

/** A file or folder that could not be taken over. Its source is as it was. */
export interface MigrationFailure {
  /** Within the folder; a Buffer where the name is no UTF-8. */
  readonly path: string | Buffer
  /** What `migrateFile` would throw. */
  readonly error: unknown
}

/** Something in a folder that is neither file nor folder, and was left alone. */
export interface SkippedEntry {
  /** Within the folder; a Buffer where the name is no UTF-8. */
  readonly path: string | Buffer
  /** `link`: a symbolic link. `special`: a pipe, a socket or a device. */
  readonly kind: 'link' | 'special'
}

/** What became of a folder. */
export interface DirectoryMigration {
  /** Files that were taken over; in a dry run those that would be. */
  readonly migrated: number
  /** Files that had been taken over before. */
  readonly present: number
  /** Bytes on disk of the sources of both. */
  readonly bytes: number
  /** Files that could not be taken over. */
  readonly failures: readonly MigrationFailure[]
  /** What is neither file nor folder. */
  readonly skipped: readonly SkippedEntry[]
}

/**
 * Takes over all files in a folder, each as {@link migrateFile} does, and keeps the folders, empty ones, too. Symbolic links are not
 * followed; they and special files are left alone and told of. A file that fails does not keep the others from being done. Run it again
 * after it was interrupted: what is done is found to be done.
 *
 * @param source - A folder. Locks and temporary files of this library in it are passed over.
 * @param target - A folder, which is made; or the source itself, whose files are replaced one by one. Neither in the source nor around it.
 * @returns what was done, and what failed.
 * @throws system errors where the source is no folder; TypeError or RangeError for misuse; Error `ABORT_ERR` if the signal says so.
 *
 * @example
 * ```ts
 * const { failures } = await migrateDirectory('data', 'data-encrypted', { keyManager, purpose: 'data' })
 * ```
 */
export async function migrateDirectory(
  source: PathLike,
  target: PathLike,
  options: MigrateDirectoryOptions,
): Promise<DirectoryMigration> {
  const plan = resolvePlan(options)
  const folders = await checkFolders(takePath(source, 'source'), takePath(target, 'target'))
  return new TreeMigration(folders, plan).run()
}

/** {@link MigrateDirectoryOptions}, checked and complete. */
interface Plan {
  readonly requestFor: (path: string, onProgress: MigrationRequest['onProgress']) => MigrationRequest
  readonly name: ((path: string) => string) | undefined
  readonly filter: (path: string) => boolean
  readonly concurrency: number
  readonly stopOnError: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal | undefined
  readonly onFile: MigrateDirectoryOptions['onFile']
  readonly onProgress: MigrateDirectoryOptions['onProgress']
}

function resolvePlan(options: MigrateDirectoryOptions): Plan {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { purpose, aico, name, filter, concurrency = 4, update = true, onFile, onProgress, ...rest } = options
  for (const [key, value] of Object.entries({ name, filter, onFile, onProgress })) {
    if (value !== undefined && typeof value !== 'function') throw invalidArgType(`options.${key}`, 'of type function', value)
  }
  checkInteger('options.concurrency', concurrency, 1, 64)
  const of = (value: ForEachPath<string>, path: string): string => (typeof value === 'function' ? value(path) : value)
  const requestFor: Plan['requestFor'] = (path, tell) =>
    resolveMigrationOptions({
      ...rest,
      update,
      purpose: of(purpose, path),
      aico: aico && { keys: aico.keys, purpose: of(aico.purpose, path) },
      onProgress: tell,
    })
  // What is wrong for every file is told at once, without asking the caller's functions.
  const { signal, dryRun } = resolveMigrationOptions({
    ...rest,
    update,
    purpose: typeof purpose === 'function' ? 'any' : purpose,
    aico: undefined,
  })
  if (aico !== undefined)
    checkAicoAccess({ ...aico, purpose: typeof aico.purpose === 'function' ? '' : aico.purpose }, 'options.aico')
  const stopOnError = flag(options, 'stopOnError')
  return { requestFor, name, filter: filter ?? (() => true), concurrency, stopOnError, dryRun, signal, onFile, onProgress }
}

interface Folders {
  readonly source: Path
  readonly target: Path
  readonly isSame: boolean
}

/** @throws system errors where the source is no folder, TypeError where one of the two lies in the other. */
async function checkFolders(source: Path, target: Path): Promise<Folders> {
  const from = takePath(await realpath(source, { encoding: 'buffer' }))
  // The system's own word on what is no folder.
  await (await opendir(from)).close()
  const to = await findFolder(target)
  const isSame = isSamePath(from, to)
  if (!isSame && isWithin(to, from)) throw invalidArgValue('target', target.toString(), 'must not be inside the source')
  if (!isSame && isWithin(from, to)) throw invalidArgValue('target', target.toString(), 'must not contain the source')
  return { source: from, target: to, isSame }
}

class TreeMigration {
  readonly #folders: Folders
  readonly #plan: Plan
  readonly #failures: MigrationFailure[] = []
  readonly #skipped: SkippedEntry[] = []
  /** Targets that a function has named: two of a name would replace each other. */
  readonly #named = new Set<string>()
  readonly #counts = { migrated: 0, present: 0, bytes: 0 }
  readonly #progress = { files: 0, totalFiles: 0, bytes: 0, totalBytes: 0 }

  constructor(folders: Folders, plan: Plan) {
    this.#folders = folders
    this.#plan = plan
  }

  async run(): Promise<DirectoryMigration> {
    const { concurrency, onProgress } = this.#plan
    if (onProgress !== undefined) await this.#count()
    this.#tell()
    await runParallel(listFiles([this.#folders.source], { everything: true }), { concurrency }, (found) => this.#take(found))
    return { ...this.#counts, failures: this.#failures, skipped: this.#skipped }
  }

  /** Finds out how much there is to do. What cannot be looked at is told later. */
  async #count(): Promise<void> {
    for await (const { path, kind, error } of listFiles([this.#folders.source], { everything: true })) {
      checkAborted(this.#plan.signal)
      if (error !== undefined || kind !== undefined || !this.#plan.filter(this.#within(path))) continue
      this.#progress.totalFiles++
      this.#progress.totalBytes += await sizeOf(path)
    }
  }

  async #take({ path, kind, error }: FoundFile): Promise<void> {
    checkAborted(this.#plan.signal)
    if (kind === 'link' || kind === 'special') {
      this.#skipped.push({ path, kind })
      return
    }
    try {
      if (error !== undefined) throw error as Error
      if (kind === 'folder') await this.#takeFolder(path)
      else await this.#takeFile(path)
    } catch (error) {
      checkAborted(this.#plan.signal)
      if (this.#plan.stopOnError) throw error
      this.#failures.push({ path, error })
    }
  }

  async #takeFolder(path: Path): Promise<void> {
    const { isSame, source, target } = this.#folders
    if (isSame || this.#plan.dryRun) return
    const { mode } = await stat(path)
    // Whatever the source's folder allows, this one is to be filled.
    await mkdir(joinPath(target, relativePath(source, path)), { recursive: true, mode: (mode & 0o777) | 0o700 })
  }

  async #takeFile(path: Path): Promise<void> {
    const { filter, dryRun, requestFor, onFile } = this.#plan
    const within = this.#within(path)
    if (!filter(within)) return
    const size = await sizeOf(path)
    let copied = 0
    const advance = (to: number): void => {
      this.#progress.bytes += to - copied
      copied = to
      this.#tell()
    }
    try {
      const target = this.#targetOf(path, within)
      const request = requestFor(within, ({ phase, done }) => {
        if (phase === 'copying') advance(Math.min(done, size))
      })
      if (!dryRun) await mkdir(folderOf(target), { recursive: true })
      const file = await migrate(path, target, request)
      this.#counts[file.outcome]++
      this.#counts.bytes += size
      onFile?.(file)
    } finally {
      this.#progress.files++
      advance(size)
    }
  }

  /** @returns where a file goes. */
  #targetOf(path: Path, within: string): Path {
    const { name } = this.#plan
    const { source, target } = this.#folders
    const relative = relativePath(source, path)
    if (name === undefined) return joinPath(target, relative)
    if (typeof relative !== 'string') throw failure("the file's name is not UTF-8, so that it cannot be given another one", path)
    const clean = checkTargetName('options.name()', name(within))
    if (this.#named.has(clean)) throw failure(`another file has the same target '${clean}'`, path)
    this.#named.add(clean)
    return joinPath(target, clean)
  }

  /** @returns the path within the source, as callers get it. */
  #within(path: Path): string {
    return relativePath(this.#folders.source, path).toString().split(sep).join('/')
  }

  #tell(): void {
    this.#plan.onProgress?.({ ...this.#progress })
  }
}

async function sizeOf(path: Path): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

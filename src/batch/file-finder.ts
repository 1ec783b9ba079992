import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { invalidArgValue } from '../argument-errors.js'
import type { SkippedEntry } from '../compat/migrate-directory.js'
import { folderOf, isSamePath, isWithin, joinPath, nameIn, relativePath, takePath, type Path } from '../compat/paths.js'
import { checkTargetName, findFolder } from '../compat/target-folder.js'
import { BatchError } from '../errors.js'
import { listFiles } from '../file/tree/list-files.js'
import type { BatchPlan } from './batch-options.js'
import { DigestTable } from './digest-table.js'
import type { Glob } from './glob.js'
import { KeyedDigest } from './keyed-digest.js'

/** A file that was met, before anybody has looked at it. */
export interface MetFile {
  readonly source: Path
  /** Where it is to go, within the target. */
  readonly within: Path
  readonly purpose: string
}

/** What is told while inputs are gone through. */
export interface FinderEvents {
  file(file: MetFile): Promise<void>
  /** @param within - Empty for the target itself. */
  folder(source: Path, within: Path): Promise<void>
  skipped(entry: SkippedEntry): void
  failed(path: Path, error: unknown): void
  /** Nothing more is wanted. */
  isStopped(): boolean
}

/** Where a batch writes: absolute, with links followed. */
export interface Places {
  /** Undefined where nothing is made. */
  readonly target: Path | undefined
  readonly manifest: string | undefined
}

/**
 * Looks where a batch writes, and refuses a target that lies in an input folder or around one. In a pattern's base it may lie: it is passed
 * over.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE`; system errors of inputs wait until they are read.
 */
export async function findPlaces({ inputs, target, manifest }: BatchPlan): Promise<Places> {
  if (target === undefined) return { target: undefined, manifest: undefined }
  const to = await findFolder(target)
  const record = manifest === undefined ? undefined : (await findFolder(manifest)).toString()
  if (record !== undefined && isWithin(record, to)) throw invalidArgValue('options.manifest', manifest, 'must not be in the target')
  for (const { path, pattern } of inputs) {
    const from = await realFolder(path)
    if (from === undefined) continue
    if (isWithin(from, to)) throw invalidArgValue('options.target', target.toString(), 'must not contain an input folder')
    if (pattern !== undefined) continue
    if (isWithin(to, from)) throw invalidArgValue('options.target', target.toString(), 'must not be inside an input')
    if (record !== undefined && isWithin(record, from))
      throw invalidArgValue('options.manifest', manifest, 'must not be inside an input')
  }
  return { target: to, manifest: record }
}

/** @returns an input folder with links followed; undefined for what is none. */
async function realFolder(input: Path): Promise<Path | undefined> {
  try {
    return (await stat(input)).isDirectory() ? takePath(await realpath(input, { encoding: 'buffer' })) : undefined
  } catch {
    return undefined // whoever reads it hears why
  }
}

async function realFile(input: Path): Promise<Path | undefined> {
  return realpath(input, { encoding: 'buffer' }).then(
    (path) => takePath(path),
    () => undefined,
  )
}

/** Goes through inputs, and gives each file its name, purpose and place. */
export class FileFinder {
  readonly #plan: BatchPlan
  readonly #places: Places
  readonly #events: FinderEvents
  /** Names that are taken; undefined where none can come twice. */
  readonly #taken: DigestTable | undefined
  readonly #digest = new KeyedDigest()
  /** An input that is a file, with links followed: its target may be in the folder where it is. */
  #realInput: Path | undefined

  constructor(plan: BatchPlan, places: Places, events: FinderEvents) {
    this.#plan = plan
    this.#places = places
    this.#events = events
    // One folder's paths are all different, where the target's file system tells them apart as the source's does.
    const isDistinct = plan.inputs.length === 1 && plan.name === undefined && !FOLDS_NAMES
    this.#taken = isDistinct ? undefined : new DigestTable()
  }

  async run(): Promise<void> {
    for (const { path, pattern } of this.#plan.inputs) {
      const root = await realFolder(path)
      this.#realInput = root === undefined ? await realFile(path) : undefined
      if (root !== undefined) await this.#goThrough(root, pattern)
      else await this.#takeLone(path, pattern)
    }
  }

  /** An input that is no folder. In the place of one, where a pattern begins, there is nothing that could match. */
  async #takeLone(input: Path, pattern: Glob | undefined): Promise<void> {
    for await (const { path, error } of listFiles([input])) {
      if (this.#events.isStopped()) return
      if (error !== undefined) this.#events.failed(path, error)
      else if (pattern === undefined) await this.#take(path, () => this.#events.file(this.#describe(path, nameIn(path))))
    }
  }

  async #goThrough(root: Path, pattern: Glob | undefined): Promise<void> {
    // Of a pattern, folders are those on the way to files.
    let wayTo: Path | undefined
    const enters = (folder: Path): boolean => {
      const isTarget = this.#places.target !== undefined && isSamePath(folder, this.#places.target)
      return !isTarget && (pattern === undefined || pattern.enters(show(relativePath(root, folder))))
    }
    for await (const { path, kind, error } of listFiles([root], { everything: true, isStill: true, enters })) {
      if (this.#events.isStopped()) return
      const within = relativePath(root, path)
      if (error !== undefined) this.#events.failed(path, error)
      else if (kind === 'folder') {
        if (pattern === undefined) await this.#take(path, () => this.#events.folder(path, within))
      } else if (pattern !== undefined && (!pattern.matches(show(within)) || this.#isManifest(path))) continue
      else if (kind !== undefined) this.#events.skipped({ path, kind })
      else {
        const folder = folderOf(path)
        if (pattern !== undefined && (wayTo === undefined || !isSamePath(folder, wayTo))) await this.#openWay(root, folder)
        wayTo = folder
        await this.#take(path, () => this.#events.file(this.#describe(path, within)))
      }
    }
  }

  /** Tells of the folders on the way to files, with names that they keep. */
  async #openWay(root: Path, folder: Path): Promise<void> {
    if (isSamePath(root, folder) || this.#plan.name !== undefined) return
    await this.#openWay(root, folderOf(folder))
    await this.#take(folder, () => this.#events.folder(folder, relativePath(root, folder)))
  }

  #isManifest(path: Path): boolean {
    const { manifest } = this.#places
    return manifest !== undefined && isSamePath(path, manifest)
  }

  async #take(source: Path, tell: () => Promise<void>): Promise<void> {
    try {
      await tell()
    } catch (error) {
      this.#events.failed(source, error)
    }
  }

  #describe(source: Path, within: Path): MetFile {
    const shown = show(within)
    if (this.#places.target === undefined) return { source, within, purpose: this.#plan.purposeOf(shown) }
    const chosen = this.#nameFor(source, within, shown)
    const isNew = this.#taken?.set(this.#digest.of(FOLDS_NAMES ? chosen.toString().normalize('NFC').toLowerCase() : chosen))
    if (isNew === false) throw inTheWay(source, `another file has the same target '${chosen.toString()}'`)
    if (isSamePath(joinPath(this.#places.target, chosen), this.#realInput ?? source))
      throw inTheWay(source, 'the target is the source')
    return { source, within: chosen, purpose: this.#plan.purposeOf(shown) }
  }

  #nameFor(source: Path, within: Path, shown: string): Path {
    const { name } = this.#plan
    if (name === undefined) return within
    if (typeof within !== 'string') throw inTheWay(source, "the file's name is not UTF-8, so that it cannot be given another one")
    return checkTargetName('options.name()', name(shown))
  }
}

/** @returns a path within an input, as callers get it. */
function show(within: Path): string {
  return within.toString().split(sep).join('/')
}

/** Whether names that differ in case or in how accents are written are commonly one. */
const FOLDS_NAMES = process.platform === 'win32' || process.platform === 'darwin'

function inTheWay(source: Path, message: string): BatchError {
  return new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: source.toString() })
}

import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { invalidArgValue } from '../argument-errors.js'
import type { SkippedEntry } from '../compat/migrate-directory.js'
import { isSamePath, isWithin, joinPath, nameIn, relativePath, takePath, type Path } from '../compat/paths.js'
import { checkTargetName, findFolder } from '../compat/target-folder.js'
import { BatchError } from '../errors.js'
import { listFiles } from '../file/tree/list-files.js'
import type { BatchPlan } from './batch-options.js'

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

/**
 * Looks where the target is, and refuses one that lies in an input folder or around one.
 *
 * @returns the target, absolute and with links followed; undefined where there is none.
 * @throws TypeError `ERR_INVALID_ARG_VALUE`; system errors of inputs wait until they are read.
 */
export async function findTarget({ inputs, target }: BatchPlan): Promise<Path | undefined> {
  if (target === undefined) return undefined
  const to = await findFolder(target)
  for (const input of inputs) {
    const from = await realFolder(input)
    if (from === undefined) continue
    if (isWithin(to, from)) throw invalidArgValue('options.target', target.toString(), 'must not be inside an input')
    if (isWithin(from, to)) throw invalidArgValue('options.target', target.toString(), 'must not contain an input folder')
  }
  return to
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
  readonly #target: Path | undefined
  readonly #events: FinderEvents
  /** Names that are taken; undefined where none can come twice. */
  readonly #taken: Set<string> | undefined
  /** An input that is a file, with links followed: its target may be in the folder where it is. */
  #realInput: Path | undefined

  constructor(plan: BatchPlan, target: Path | undefined, events: FinderEvents) {
    this.#plan = plan
    this.#target = target
    this.#events = events
    // One folder's paths are all different, where the target's file system tells them apart as the source's does.
    const isDistinct = plan.inputs.length === 1 && plan.name === undefined && !FOLDS_NAMES
    this.#taken = isDistinct ? undefined : new Set()
  }

  async run(): Promise<void> {
    for (const input of this.#plan.inputs) {
      const root = await realFolder(input)
      this.#realInput = root === undefined ? await realFile(input) : undefined
      for await (const { path, kind, error } of listFiles([root ?? input], { everything: true })) {
        if (this.#events.isStopped()) return
        if (error !== undefined) this.#events.failed(path, error)
        else if (kind === 'link' || kind === 'special') this.#events.skipped({ path, kind })
        else await this.#take(path, root === undefined ? nameIn(path) : relativePath(root, path), kind === 'folder')
      }
    }
  }

  async #take(source: Path, within: Path, isFolder: boolean): Promise<void> {
    try {
      if (isFolder) await this.#events.folder(source, within)
      else await this.#events.file(this.#describe(source, within))
    } catch (error) {
      this.#events.failed(source, error)
    }
  }

  #describe(source: Path, within: Path): MetFile {
    const shown = within.toString().split(sep).join('/')
    if (this.#target === undefined) return { source, within, purpose: this.#plan.purposeOf(shown) }
    const chosen = this.#nameFor(source, within, shown)
    const letters = Buffer.from(chosen).toString('latin1')
    const key = FOLDS_NAMES ? chosen.toString().normalize('NFC').toLowerCase() : letters
    if (this.#taken?.has(key) === true) throw inTheWay(source, `another file has the same target '${chosen.toString()}'`)
    this.#taken?.add(key)
    if (isSamePath(joinPath(this.#target, chosen), this.#realInput ?? source)) throw inTheWay(source, 'the target is the source')
    return { source, within: chosen, purpose: this.#plan.purposeOf(shown) }
  }

  #nameFor(source: Path, within: Path, shown: string): Path {
    const { name } = this.#plan
    if (name === undefined) return within
    if (typeof within !== 'string') throw inTheWay(source, "the file's name is not UTF-8, so that it cannot be given another one")
    return checkTargetName('options.name()', name(shown))
  }
}

/** Whether names that differ in case or in how accents are written are commonly one. */
const FOLDS_NAMES = process.platform === 'win32' || process.platform === 'darwin'

function inTheWay(source: Path, message: string): BatchError {
  return new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: source.toString() })
}

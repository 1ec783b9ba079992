import { relative, resolve } from 'node:path'
import { invalidArgType } from '../argument-errors.js'
import { InvalidFileFormatError } from '../errors.js'
import { EncryptedFileSync } from './encrypted-file-sync.js'
import type { Freshness, KeptState } from './freshness.js'
import type { PathLike } from './io/steps.js'
import { nameOf } from './open-file.js'
import type { OpenOptions } from './options.js'

/** How to open a {@link FreshnessFile}. */
export interface FreshnessFileOptions extends OpenOptions {
  /**
   * A folder: files in it are known by their path from there, so that all may move together.
   *
   * @defaultValue none: files are known by their absolute paths
   */
  readonly root?: string | undefined
}

interface Line extends KeptState {
  readonly path: string
}

/** Lines that later ones have made void are left out when there are this many more of them than of others. */
const VOID_LINES = 100

/**
 * Keeps the newest state of files in one small encrypted file: give it as `freshness` when you open them. It must lie where whoever
 * can replace the files cannot replace it as well. One process at a time has it open. Its calls do not wait: each commit of a file that it
 * guards appends a line, and waits for the disk.
 *
 * @example
 * ```ts
 * const freshness = FreshnessFile.open('/safe/freshness.enc', { keyManager, purpose: 'freshness' })
 * const file = await EncryptedFile.open('ledger.enc', 'r+', { keyManager, purpose: 'ledger', freshness })
 * ```
 */
export class FreshnessFile implements Freshness, Disposable {
  readonly #file: EncryptedFileSync
  readonly #root: string | undefined
  readonly #kept: Map<string, KeptState>

  private constructor(file: EncryptedFileSync, root: string | undefined, kept: Map<string, KeptState>) {
    this.#file = file
    this.#root = root
    this.#kept = kept
  }

  /**
   * Opens the file, or makes it.
   *
   * @throws what EncryptedFile.openSync throws; LockedError `ERR_SEALFILE_LOCKED` if another process has it open;
   * InvalidFileFormatError `ERR_SEALFILE_FORMAT` if the file holds something else.
   */
  static open(path: PathLike, options: FreshnessFileOptions): FreshnessFile {
    const { root } = options
    if (root !== undefined && typeof root !== 'string') throw invalidArgType('options.root', 'of type string', root)
    let file = EncryptedFileSync.open(path, 'a+', options)
    try {
      let found = readStates(file, path)
      if (found.lines - found.kept.size > found.kept.size + VOID_LINES) {
        file.close()
        rewrite(path, options)
        file = EncryptedFileSync.open(path, 'a+', options)
        found = readStates(file, path)
      }
      return new FreshnessFile(file, root, found.kept)
    } catch (error) {
      file.close()
      throw error
    }
  }

  recall(path: string): KeptState | undefined {
    return this.#kept.get(this.#nameOf(path))
  }

  remember(path: string, state: KeptState): void {
    this.#write(this.#nameOf(path), state)
  }

  /** Forgets a file that was removed on purpose, so that another may be made in its place with `a`. */
  forget(path: string): void {
    const name = this.#nameOf(resolve(path))
    if (this.#kept.has(name)) this.#write(name, undefined)
  }

  /** Closes the file. Handles that were opened with it are to be closed before. */
  close(): void {
    this.#file.close()
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close()
  }

  #nameOf(path: string): string {
    return this.#root === undefined ? path : relative(this.#root, path)
  }

  #write(path: string, state: KeptState | undefined): void {
    this.#file.append(lineOf(path, state))
    this.#file.sync()
    if (state === undefined) this.#kept.delete(path)
    else this.#kept.set(path, state)
  }
}

/** What the lines of a file say, and how many there are. @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT` if it holds something else. */
function readStates(file: EncryptedFileSync, path: PathLike): { readonly kept: Map<string, KeptState>; readonly lines: number } {
  const kept = new Map<string, KeptState>()
  let lines = 0
  for (const line of file) {
    const parsed = parseLine(line)
    if (parsed === undefined) {
      throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'the file holds no states of files', { path: nameOf(path) })
    }
    const { path: name, ...state } = parsed
    if (state.fileId === '') kept.delete(name)
    else kept.set(name, state)
    lines++
  }
  return { kept, lines }
}

function parseLine(line: string): Line | undefined {
  try {
    const value = JSON.parse(line) as Partial<Line> | null
    return typeof value?.path === 'string' && typeof value.fileId === 'string' ? (value as Line) : undefined
  } catch {
    return undefined // the parser's own error would show what is in the file
  }
}

/** Leaves out what later lines have made void, in a new file, under whose lock the old one is read: it may have grown meanwhile. */
function rewrite(path: PathLike, options: OpenOptions): void {
  const next = EncryptedFileSync.open(path, 'w', { ...options, atomic: true })
  try {
    const file = EncryptedFileSync.open(path, 'r', options)
    try {
      next.append([...readStates(file, path).kept].map(([name, state]) => lineOf(name, state)).join(''))
    } finally {
      file.close()
    }
  } catch (error) {
    next.discard()
    throw error
  }
  next.close()
}

/** @param state - Undefined for a file that is forgotten. */
function lineOf(path: string, state: KeptState | undefined): string {
  return `${JSON.stringify({ path, fileId: '', ...state })}\n`
}

import { lstat, mkdir, stat } from 'node:fs/promises'
import { folderOf, isSamePath, joinPath, type Path } from '../compat/paths.js'
import { BatchError } from '../errors.js'

/** So many folders are remembered; then they are looked at anew. */
const KNOWN_MAX = 50_000

/**
 * Makes the folders of a target. Each on the way must be a folder, and no link to one, which could lead out of the target: what is inside is
 * then reached by names that were looked at, one by one.
 */
export class TargetFolders {
  readonly #root: Path
  /** By the letters of the path. */
  readonly #known = new Map<string, Promise<void>>()

  /** @param root - The target: absolute, with links followed. */
  constructor(root: Path) {
    this.#root = root
  }

  /** @throws system errors; BatchError `ERR_SEALFILE_BATCH_TARGET` where something is in the way. */
  ensure(folder: Path, mode = 0o777): Promise<void> {
    const key = Buffer.from(folder).toString('latin1')
    let made = this.#known.get(key)
    if (made === undefined) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear()
      made = this.#make(folder, mode)
      this.#known.set(key, made)
      // Whoever asks gets the error; nobody may have asked yet.
      made.catch(() => undefined)
    }
    return made
  }

  async #make(folder: Path, mode: number): Promise<void> {
    if (isSamePath(folder, this.#root)) {
      await mkdir(folder, { recursive: true })
      return
    }
    await this.ensure(folderOf(folder))
    try {
      // Whatever the source's folder allows, this one is to be filled.
      await mkdir(folder, { mode: (mode & 0o777) | 0o700 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if ((await lstat(folder)).isDirectory()) return
      const message = 'something in the target is in the way of a folder'
      throw new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: folder.toString() })
    }
  }

  /** @returns the permission bits of a source's folder. */
  async modeOf(folder: Path): Promise<number> {
    return (await stat(folder)).mode
  }

  /** @returns where something lies in the target. */
  place(within: Path): Path {
    return isEmpty(within) ? this.#root : joinPath(this.#root, within)
  }
}

function isEmpty(within: Path): boolean {
  return within.length === 0
}

import { accessSync, constants, rmSync } from 'node:fs'
import { mkdtemp, open, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** A folder that only its owner can look into, for plaintext that another program must have as a file. */
export class PrivateFolder {
  readonly path: string
  /** It is in memory, and nothing of it comes to a disk, unless memory is swapped out. */
  readonly isInMemory: boolean

  /** It is gone, or is to stay. */
  #isLeft = false

  private constructor(path: string, isInMemory: boolean) {
    this.path = path
    this.isInMemory = isInMemory
  }

  static async create(): Promise<PrivateFolder> {
    const inMemory = await findInMemory([process.env['XDG_RUNTIME_DIR'] ?? '', '/dev/shm', tmpdir()])
    // Its mode is 0700.
    const folder = new PrivateFolder(await mkdtemp(join(inMemory ?? tmpdir(), 'sealfile-')), inMemory !== undefined)
    process.once('exit', () => folder.#removeAtOnce())
    return folder
  }

  /** Leaves it where it is when it is to be removed: its owner must look into it. */
  keep(): void {
    this.#isLeft = true
  }

  /** At a second signal there is no time for more. */
  #removeAtOnce(): void {
    if (!this.#isLeft) rmSync(this.path, { recursive: true, force: true })
  }

  /** Overwrites all files in it, an editor's own among them, and removes it. */
  async remove(): Promise<void> {
    if (this.#isLeft) return
    for (const entry of await readdir(this.path, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await overwrite(join(entry.parentPath, entry.name))
    }
    await rm(this.path, { recursive: true, force: true })
    // Whoever makes another of its name now has it for himself.
    this.#isLeft = true
  }
}

/** Of file systems, as Linux numbers them: tmpfs and ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6]

/** What a folder is called says nothing of where it lies. */
async function findInMemory(folders: readonly string[]): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  for (const folder of folders) {
    if (isAbsolute(folder) && isWritable(folder) && IN_MEMORY.includes((await statfs(folder)).type)) return folder
  }
  return undefined
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

const PIECE = Buffer.alloc(2 ** 16)

async function overwrite(path: string): Promise<void> {
  // A program may have made it read-only; it is removed in any case.
  const file = await open(path, 'r+').catch(() => undefined)
  if (file === undefined) return
  try {
    const { size } = await file.stat()
    for (let position = 0; position < size; position += PIECE.length) {
      await file.write(PIECE, 0, Math.min(PIECE.length, size - position), position)
    }
    await file.datasync()
  } finally {
    await file.close()
  }
}

import { open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomBytes } from '../bytes/random.js'

/** Where a keyring lies: what `node:fs` takes. */
export type KeyringPath = string | Buffer | URL

const OWNER_ONLY = 0o600
const READ_SIZE = 65_536
/** What platforms answer that cannot sync a folder. */
const NO_FOLDER_SYNC: readonly unknown[] = ['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF']

/** @returns a valid path as text, for messages. */
export function describePath(path: KeyringPath): string {
  return path instanceof URL ? fileURLToPath(path) : path.toString()
}

/**
 * Reads a file that should be small.
 *
 * @returns all of it, or `limit + 1` bytes of one that has more.
 */
export async function readKeyringFile(path: KeyringPath, limit: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const pieces: Uint8Array[] = []
    for (let size = 0; size <= limit;) {
      // The size that stat tells is not asked: what counts is what can be read.
      const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(READ_SIZE, limit + 1 - size)))
      if (bytesRead === 0) break
      pieces.push(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
    return Buffer.concat(pieces)
  } finally {
    await file.close()
  }
}

/**
 * Creates a file with all of its content at once, readable by its owner alone. The name is claimed first, so that an existing
 * file is an error before any work is done; a process that is killed meanwhile leaves an empty file.
 *
 * @param build - Gives the content. If it fails, no file stays.
 * @throws EEXIST if there is a file, which is left as it is.
 */
export async function createKeyringFile(path: KeyringPath, build: () => Promise<Uint8Array>): Promise<void> {
  const claim = await open(path, 'wx', OWNER_ONLY)
  try {
    await claim.close()
    await replaceKeyringFile(path, await build())
  } catch (error) {
    await remove(path)
    throw error
  }
}

/** Puts new content in a file's place: at every moment, also after a power cut, the old or the new one is there, whole. */
async function replaceKeyringFile(path: KeyringPath, content: Uint8Array): Promise<void> {
  const place = toBytes(path)
  const suffix = `.${Buffer.from(randomBytes(6)).toString('hex')}.tmp`
  const temporary = Buffer.concat([place, Buffer.from(suffix)])
  const file = await open(temporary, 'wx', OWNER_ONLY)
  try {
    await writeDurably(file, content)
    await rename(temporary, place)
  } catch (error) {
    await remove(temporary)
    throw error
  }
  await syncFolder(Buffer.from(dirname(place.toString('latin1')), 'latin1'))
}

/** Tidies up after an error that the caller is to see, whatever comes of this. */
async function remove(path: KeyringPath): Promise<void> {
  await unlink(path).catch(() => undefined)
}

/** Paths are bytes; latin1 takes every byte there and back, also where they are no UTF-8. */
function toBytes(path: KeyringPath): Buffer {
  if (Buffer.isBuffer(path)) return path
  return Buffer.from(path instanceof URL ? fileURLToPath(path) : path, 'utf8')
}

async function writeDurably(file: FileHandle, content: Uint8Array): Promise<void> {
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: Buffer): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && NO_FOLDER_SYNC.includes(error.code))) throw error
  } finally {
    await handle?.close()
  }
}

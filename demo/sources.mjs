import { Buffer } from 'node:buffer'
import { createCipheriv } from 'node:crypto'
import { lstat, open, readdir } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'

/** Bytes in one call, here and wherever the demo reads or writes. */
export const CALL_LENGTH = 65_536

/**
 * @typedef {object} Source One file to encrypt.
 * @property {string} name - Its path below the group, to be used below a folder of copies.
 * @property {number} size - In bytes.
 * @property {() => AsyncIterable<Uint8Array>} pieces - Its content. A piece is valid until the next one is asked for.
 *
 * @typedef {object} Group What one argument stands for: a row of the table.
 * @property {string} name
 * @property {Source[]} sources
 * @property {string[]} skipped - Paths of what is neither a file nor a folder: symbolic links, sockets and so on.
 */

/** An input that cannot be used, told to the user as it is. */
export class InputError extends Error {}

/**
 * Lists the files of a folder, at any depth, or the one file that is given. Symbolic links are not followed.
 *
 * @param {string} path
 * @param {string} [name] - For the table.
 * @returns {Promise<Group>}
 * @throws InputError if there is nothing at `path`, or something that has no content of its own.
 */
export async function listSources(path, name = path) {
  const stats = await lstat(path).catch((/** @type {unknown} */ error) => {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    throw new InputError(code === 'ENOENT' || code === 'ENOTDIR' ? `there is no file or folder '${path}'` : message)
  })
  if (stats.isSymbolicLink())
    throw new InputError(`'${path}' is a symbolic link, and those are not followed: give what it points to`)
  if (stats.isFile()) return { name, sources: [fileSource(path, basename(resolve(path)), stats.size)], skipped: [] }
  if (!stats.isDirectory()) throw new InputError(`'${path}' is neither a file nor a folder`)
  /** @type {Group} */
  const group = { name, sources: [], skipped: [] }
  await walk(path, path, group)
  return group
}

/**
 * @param {string} root
 * @param {string} folder
 * @param {Group} group - Where to put what is found.
 */
async function walk(root, folder, group) {
  const entries = await readdir(folder, { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await walk(root, path, group)
    else if (entry.isFile()) group.sources.push(fileSource(path, relative(root, path), (await lstat(path)).size))
    else group.skipped.push(path)
  }
}

/**
 * @param {string} path
 * @param {string} name
 * @param {number} size
 * @returns {Source}
 */
function fileSource(path, name, size) {
  return { name, size, pieces: () => readPieces(path) }
}

/** @param {string} path */
async function* readPieces(path) {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(CALL_LENGTH)
    for (;;) {
      const { bytesRead } = await file.read(buffer)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/**
 * A file that exists nowhere: bytes that no compression makes smaller, the same in every run, made while they are read.
 *
 * @param {string} name
 * @param {number} size - In bytes.
 * @returns {Group}
 */
export function generatedSource(name, size) {
  return { name, sources: [{ name, size, pieces: () => generatePieces(size) }], skipped: [] }
}

/** @param {number} size */
// eslint-disable-next-line @typescript-eslint/require-await -- a Source is read asynchronously, whatever it is
async function* generatePieces(size) {
  const keystream = createCipheriv('aes-256-ctr', Buffer.alloc(32, 'sealfile demo'), Buffer.alloc(16))
  const zeros = Buffer.alloc(CALL_LENGTH)
  for (let left = size; left > 0; left -= CALL_LENGTH) {
    yield keystream.update(zeros.subarray(0, Math.min(left, CALL_LENGTH)))
  }
}

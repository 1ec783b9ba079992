import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { EncryptedFile } from 'sealfile'
import { CALL_LENGTH } from './sources.mjs'

/**
 * @typedef {object} Copy An encrypted file, and what must come out of it.
 * @property {string} name
 * @property {string} path
 * @property {string} purpose
 * @property {number} plaintextSize
 * @property {number} size - On disk.
 * @property {string} sha256 - Of the plaintext, in hex.
 */

/** @type {Readonly<Record<string, string>>} */
const PURPOSES = {
  ...{ '.json': 'config', '.yaml': 'config', '.yml': 'config', '.toml': 'config', '.ini': 'config', '.env': 'config' },
  ...{ '.md': 'docs', '.txt': 'docs', '.html': 'docs', '.pdf': 'docs' },
  ...{ '.ts': 'sources', '.js': 'sources', '.mjs': 'sources', '.cjs': 'sources' },
  ...{ '.bin': 'vectors', '.vec': 'vectors', '.npy': 'vectors', '.parquet': 'vectors', '.db': 'vectors' },
}

/**
 * What a file is for, which its key depends on. A program knows that of itself; this one has to guess.
 *
 * @param {string} name
 */
function purposeOf(name) {
  return PURPOSES[extname(name).toLowerCase()] ?? 'files'
}

/**
 * Writes an encrypted copy of a file, in calls of 64 KiB.
 *
 * @param {import('./sources.mjs').Source} source
 * @param {string} folder
 * @param {import('sealfile').KeyManager} keyManager
 * @returns {Promise<Copy>}
 */
export async function writeCopy(source, folder, keyManager) {
  const path = join(folder, source.name)
  const purpose = purposeOf(source.name)
  const hash = createHash('sha256')
  let plaintextSize = 0
  await mkdir(dirname(path), { recursive: true })
  const file = await EncryptedFile.open(path, 'w', { keyManager, purpose })
  try {
    for await (const piece of source.pieces()) {
      hash.update(piece)
      plaintextSize += piece.length
      await file.write(piece)
    }
  } finally {
    await file.close()
  }
  return { name: source.name, path, purpose, plaintextSize, size: (await stat(path)).size, sha256: hash.digest('hex') }
}

/**
 * Reads from `start` to the end in calls of 64 KiB.
 *
 * @param {EncryptedFile} file
 * @param {number} [start] - Byte of the plaintext.
 */
export async function* readFrom(file, start = 0) {
  const buffer = Buffer.alloc(CALL_LENGTH)
  for (let position = start; ;) {
    const { bytesRead } = await file.read(buffer, 0, CALL_LENGTH, position)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    position += bytesRead
  }
}

/**
 * Reads a copy back.
 *
 * @param {Copy} copy
 * @param {import('sealfile').KeyManager} keyManager
 * @returns whether it is what was written, by its size and its SHA-256 hash.
 */
export async function isIntact(copy, keyManager) {
  const hash = createHash('sha256')
  const file = await EncryptedFile.open(copy.path, 'r', { keyManager, purpose: copy.purpose })
  try {
    for await (const piece of readFrom(file)) hash.update(piece)
    return (await file.stat()).size === copy.plaintextSize && hash.digest('hex') === copy.sha256
  } finally {
    await file.close()
  }
}

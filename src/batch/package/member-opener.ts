import { createHash } from 'node:crypto'
import { equalBytes } from '../../bytes/arrays.js'
import { PackageError } from '../../errors.js'
import { nameFile } from '../../file/engine/container-file.js'
import type { ResolvedOptions } from '../../file/options.js'
import { StreamOpener } from '../../file/streams/stream-opener.js'
import { decompress } from './compression.js'
import type { PlacedFile } from './package-reader.js'

/**
 * Decrypts a file of a package.
 *
 * @param entry - Its encrypted content.
 * @param path - Of the package, for messages.
 * @returns the content, in pieces. Each is authenticated; that it is all, and what the manifest tells, is certain when the generator has
 * ended, and never are there more bytes than the manifest tells.
 * @throws what a decrypting stream throws; PackageError `ERR_SEALFILE_PACKAGE` where the content is not what the manifest tells,
 * `ERR_SEALFILE_COMPRESSION`.
 */
export async function* openMember(
  file: PlacedFile,
  entry: AsyncIterable<Uint8Array>,
  path: string,
  options: ResolvedOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, sha256, compression, context } = file
  const stored = decrypt(entry, path, { ...options, context })
  const hash = createHash('sha256')
  let count = 0
  for await (const piece of compression === undefined ? stored : decompress(compression, stored)) {
    count += piece.length
    if (count > size) throw notAsTold(path)
    hash.update(piece)
    yield piece
  }
  if (count !== size || !equalBytes(hash.digest(), sha256)) throw notAsTold(path)
}

async function* decrypt(
  entry: AsyncIterable<Uint8Array>,
  path: string,
  options: ResolvedOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const opener = new StreamOpener(options)
  try {
    for await (const piece of entry) yield* opener.push(piece)
    yield* opener.end()
  } catch (error) {
    throw nameFile(error, path)
  } finally {
    opener.dispose()
  }
}

function notAsTold(path: string): PackageError {
  return new PackageError('ERR_SEALFILE_PACKAGE', 'the content is not what the manifest tells', { path })
}

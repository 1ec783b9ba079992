import { createHash, type Hash } from 'node:crypto'
import type { ResolvedOptions } from '../../file/options.js'
import { StreamSealer } from '../../file/streams/stream-sealer.js'
import { isCompressible, samplePlaces } from '../entropy.js'
import type { SourceFile } from '../source-file.js'
import { compress, type Compression } from './compression.js'
import { readInto, readStretch } from './file-pieces.js'

/** What was found out about a file's content while it was encrypted. */
export interface SealedContent {
  readonly sha256: Uint8Array
  readonly compression: Compression | undefined
}

/**
 * Reads a file and encrypts it.
 *
 * @param compression - What is tried, where the content looks as if it could be compressed.
 * @returns pieces of a file of the stream kind, the caller's; at the end what is known of the content.
 * @throws system errors; BatchError `ERR_SEALFILE_BATCH_SOURCE` where the file was changed meanwhile: what came until then is nothing.
 */
export async function* sealMember(
  source: SourceFile,
  compression: Compression | undefined,
  options: ResolvedOptions,
): AsyncGenerator<Uint8Array, SealedContent, undefined> {
  const isWorthwhile = compression !== undefined && isCompressible(source.stamp.size, await takeSample(source))
  const chosen = isWorthwhile ? compression : undefined
  const hash = createHash('sha256')
  const content = readAll(source, hash)
  const sealer = new StreamSealer(options)
  try {
    for await (const piece of chosen === undefined ? content : compress(chosen, content)) yield* sealer.push(piece)
    yield* sealer.end()
  } finally {
    sealer.dispose()
  }
  source.checkUnchanged()
  return { sha256: hash.digest(), compression: chosen }
}

async function* readAll(source: SourceFile, hash: Hash): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = source.stamp
  let count = 0
  for await (const piece of readStretch(source.fd, 0, size)) {
    hash.update(piece)
    count += piece.length
    yield piece
  }
  if (count !== size) throw source.changed()
}

async function takeSample({ fd, stamp }: SourceFile): Promise<Uint8Array> {
  const places = samplePlaces(stamp.size)
  const pieces = places.map(({ length }) => Buffer.alloc(length))
  for (const [i, piece] of pieces.entries()) await readInto(fd, piece, places[i]!.position)
  return Buffer.concat(pieces)
}

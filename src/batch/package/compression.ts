import { pipeline, Readable, type Transform } from 'node:stream'
// By its default: a bundle would ask for the names that are used, and some are not there in every version.
import zlib from 'node:zlib'
import { PackageError, SealfileError } from '../../errors.js'
import { isSystemError } from '../../file/io/system-errors.js'

/** How content is compressed before it is encrypted. */
export type Compression = 'gzip' | 'zstd'

/** What Node 22.15 and later have, and the types of Node 20 do not. */
interface Zstd {
  readonly createZstdCompress?: () => Transform
  readonly createZstdDecompress?: (options: { readonly params: Readonly<Record<number, number>> }) => Transform
  readonly constants: { readonly ZSTD_d_windowLogMax?: number }
}

const { createZstdCompress, createZstdDecompress, constants } = zlib as unknown as Zstd
/** 8 MiB, which RFC 8878 asks every decoder to take: of content that wants more to be decompressed nothing is taken. */
const WINDOW_LOG_MAX = 23

/** Tells whether this runtime has a compression. */
export function hasCompression(compression: Compression): boolean {
  return compression === 'gzip' || createZstdDecompress !== undefined
}

/** @throws PackageError `ERR_SEALFILE_COMPRESSION` where this runtime does not have it. */
export function checkCompression(compression: Compression): void {
  if (hasCompression(compression)) return
  const message = `zstd is not in this runtime, Node ${process.versions.node}: it takes 22.15 or later`
  throw new PackageError('ERR_SEALFILE_COMPRESSION', message)
}

/** @returns what is compressed; what `content` throws, this throws. */
export function compress(compression: Compression, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  checkCompression(compression)
  return through(content, compression === 'gzip' ? zlib.createGzip() : createZstdCompress!())
}

/**
 * @param content - Compressed, and authenticated.
 * @returns pieces of at most 16 KiB or thereabouts, made as they are asked for: whoever asks must know when it is too much.
 * @throws PackageError `ERR_SEALFILE_PACKAGE` where it was not compressed like that; whatever `content` throws.
 */
export async function* decompress(
  compression: Compression,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkCompression(compression)
  const params = { [constants.ZSTD_d_windowLogMax ?? 0]: WINDOW_LOG_MAX }
  try {
    yield* through(content, compression === 'gzip' ? zlib.createGunzip() : createZstdDecompress!({ params }))
  } catch (error) {
    if (error instanceof SealfileError || isSystemError(error)) throw error
    throw new PackageError('ERR_SEALFILE_PACKAGE', `the content cannot be decompressed as ${compression}`, { cause: error })
  }
}

async function* through(content: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array, void, undefined> {
  // What fails on the way destroys the transform, which says so to whoever reads it.
  pipeline(Readable.from(content, { objectMode: true, highWaterMark: 1 }), transform, () => undefined)
  yield* transform as AsyncIterable<Uint8Array>
}

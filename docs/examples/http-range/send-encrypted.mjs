import { extname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { EncryptedFile } from 'sealfile'
import { codeOf } from '../keys.mjs'

/**
 * Answers GET and HEAD with an encrypted file, or with the range of it that was asked for: only the segments that hold the range are read.
 * Files are to be replaced and not changed in place: then an answer is of one version, whatever happens meanwhile.
 *
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 * @param {string} path
 * @param {import('sealfile').OpenOptions} options
 * @throws what opening throws; once the answer has begun, what reading throws.
 */
export async function sendEncrypted(request, response, path, options) {
  const file = await EncryptedFile.open(path, 'r', options)
  try {
    const { size, mtime, mtimeMs, ino } = await file.stat()
    const { sequence } = await file.info()
    const etag = `"${[ino, Math.round(mtimeMs), sequence, size].map((part) => part.toString(36)).join('-')}"`
    response.set({ 'Accept-Ranges': 'bytes', ETag: etag, 'Last-Modified': mtime.toUTCString() }).type(extname(path) || 'bin')
    if (request.fresh) return void response.status(304).end()

    const range = rangeOf(request, size, etag)
    if (range === 'none') return void response.status(416).set('Content-Range', `bytes */${size}`).end()
    const { start, end } = range ?? { start: 0, end: size - 1 }
    if (range !== undefined) response.status(206).set('Content-Range', `bytes ${start}-${end}/${size}`)
    response.set('Content-Length', String(end - start + 1))
    if (request.method === 'HEAD' || size === 0) return void response.end()

    const content = file.createReadStream({ start, end, autoClose: false })
    await pipeline(content, (chunks) => exactly(end - start + 1, chunks), response)
  } catch (error) {
    // The client has gone, which has ended the reading.
    if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  } finally {
    await file.close()
  }
}

/**
 * @param {import('express').Request} request
 * @param {number} size
 * @param {string} etag
 * @returns {{ start: number, end: number } | 'none' | undefined} the one range that was asked for; `none` where the file has nothing of it;
 * undefined for all of the file, also where several ranges or another version were asked for.
 */
function rangeOf(request, size, etag) {
  const version = request.get('If-Range')
  if (version !== undefined && version !== etag) return undefined
  const ranges = request.range(size)
  if (ranges === -1) return 'none'
  return Array.isArray(ranges) && ranges.type === 'bytes' && ranges.length === 1 ? ranges[0] : undefined
}

/** Breaks the answer off where there is less than was promised. @param {number} length @param {AsyncIterable<Buffer>} chunks */
async function* exactly(length, chunks) {
  let left = length
  for await (const chunk of chunks) {
    left -= chunk.length
    yield chunk
  }
  if (left !== 0) throw new Error('the file became shorter while it was sent')
}

import { read } from 'node:fs'
import { promisify } from 'node:util'

const readAsync = promisify(read)

/** Bytes that are read at once. */
const PIECE_SIZE = 2 ** 18

/** Reads until `buffer` is full or the file ends. @returns bytes read. */
export async function readInto(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await readAsync(fd, buffer, done, buffer.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** Reads a part of a file. @returns pieces, each the caller's; fewer bytes than `length` where the file ends before. */
export async function* readStretch(fd: number, position: number, length: number): AsyncGenerator<Buffer, void, undefined> {
  for (let done = 0; done < length;) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, length - done))
    const count = await readInto(fd, piece, position + done)
    if (count === 0) return
    yield piece.subarray(0, count)
    done += count
  }
}

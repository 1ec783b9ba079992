import { PackageError } from '../../errors.js'

const LINE_END = 0x0a

/**
 * Cuts text into lines. Holds one at most.
 *
 * @param pieces - Of any length.
 * @param maxSize - Bytes that a line may have.
 * @returns lines without their ends, each lent until the next one is asked for.
 * @throws PackageError for a longer line, and for one without an end.
 */
export async function* cutLines(pieces: AsyncIterable<Uint8Array>, maxSize: number): AsyncGenerator<Buffer, void, undefined> {
  let held = Buffer.alloc(0)
  for await (const piece of pieces) {
    const bytes = Buffer.concat([held, piece])
    let start = 0
    for (let end; (end = bytes.indexOf(LINE_END, start)) >= 0; start = end + 1) {
      if (end - start > maxSize) throw tooLong()
      yield bytes.subarray(start, end)
    }
    held = bytes.subarray(start)
    if (held.length > maxSize) throw tooLong()
  }
  if (held.length > 0) throw new PackageError('ERR_SEALFILE_PACKAGE', 'the manifest ends within a line')
}

function tooLong(): PackageError {
  return new PackageError('ERR_SEALFILE_PACKAGE', 'a line of the manifest is too long')
}

import { CorruptedFileError, InvalidFileFormatError } from '../errors.js'

/** The armor of age files: a strict subset of PEM (age-encryption.org/v1, "ASCII armor"), line by line. */

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----'
const END = '-----END AGE ENCRYPTED FILE-----'
const LINE_BYTES = 48
const LINE_LENGTH = 64
/** Longer than any line with its end. */
const LONGEST_LINE = 128
/** White space before the first line. */
const MOST_BEFORE = 1_024

/** @returns the bytes; undefined for text that is not exactly what encoding them gives. */
export function decodeBase64(text: string, isPadded = true): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  const canonical = bytes.toString('base64')
  return (isPadded ? canonical : canonical.replace(/=+$/, '')) === text ? bytes : undefined
}

/**
 * Takes the armor off. Lines end with LF or CRLF; white space may stand before and behind.
 *
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` for what is no armor, CorruptedFileError `ERR_SEALFILE_TRUNCATED` where its
 *   end is missing.
 */
export async function* removeArmor(pieces: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new ArmorDecoder(path)
  for await (const piece of pieces) {
    const decoded = decoder.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1'))
    if (decoded.length > 0) yield decoded
  }
  decoder.end()
}

class ArmorDecoder {
  readonly #path: string
  #state: 'before' | 'body' | 'last' | 'behind' = 'before'
  #rest = ''
  #skipped = 0

  constructor(path: string) {
    this.#path = path
  }

  push(text: string): Buffer {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > LONGEST_LINE) this.#rest = this.#shortenSpace(this.#rest)
    return this.#takeLines(lines)
  }

  /** @throws CorruptedFileError unless the last line was there. */
  end(): void {
    const last = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest
    if (this.#state === 'behind') this.#takeSpace(last)
    else if (this.#state === 'before' || last !== END) {
      throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', 'the age file ends inside its armor', { path: this.#path })
    }
  }

  #takeLines(lines: readonly string[]): Buffer {
    const full: string[] = []
    let last: Buffer | undefined
    for (const line of lines) {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line
      if (this.#state === 'before') this.#takeFirst(line)
      else if (this.#state === 'behind') this.#takeSpace(line)
      else if (text === END) this.#state = 'behind'
      else if (this.#state === 'last') throw this.#refuse('has a short line before its last')
      else if (text.length === LINE_LENGTH && !text.includes('=')) full.push(text)
      else {
        this.#state = 'last'
        last = text.length > 0 && text.length <= LINE_LENGTH ? decodeBase64(text) : undefined
        if (last === undefined) throw this.#refuse('has a line that is no Base64')
      }
    }
    const body = decodeBase64(full.join(''))
    if (body === undefined) throw this.#refuse('has a line that is no Base64')
    return last === undefined ? body : Buffer.concat([body, last])
  }

  #takeFirst(line: string): void {
    if (line.trim() === '') {
      this.#skipped += line.length + 1
      if (this.#skipped > MOST_BEFORE) throw this.#refuse('has too much white space before it')
      return
    }
    if (line.trim() !== BEGIN) throw this.#refuse('has another first line')
    this.#state = 'body'
  }

  #takeSpace(line: string): void {
    if (line.trim() !== '') throw this.#refuse('has something behind its end')
  }

  /** A line that goes on and on is refused before it is all there; white space behind the end is not kept. */
  #shortenSpace(line: string): string {
    if (this.#state === 'behind' && line.trim() === '') return ''
    throw this.#refuse('has a line that is too long')
  }

  #refuse(what: string): InvalidFileFormatError {
    return new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', `the age file's armor ${what}`, { path: this.#path })
  }
}

/** Puts armor around a file. */
export async function* addArmor(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(`${BEGIN}\n`)
  let rest = Buffer.alloc(0)
  for await (const piece of pieces) {
    const bytes = Buffer.concat([rest, piece])
    const whole = bytes.length - (bytes.length % LINE_BYTES)
    if (whole > 0) yield Buffer.from(toLines(bytes.subarray(0, whole)))
    rest = bytes.subarray(whole)
  }
  yield Buffer.from(`${toLines(rest)}${END}\n`)
}

function toLines(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{1,64}/g, '$&\n')
}

import { concatBytes } from '../bytes/arrays.js'
import type { Steps } from './io/steps.js'

/** A line that was found, and where the next one begins. */
export interface FoundLine {
  /** Without its end. */
  readonly text: string
  readonly next: number
}

/** Bytes that are looked at first for the end of a line; then twice as many each time. */
const FIRST_LENGTH = 256
const LONGEST_LENGTH = 65_536
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Finds the line that begins at `start`. No byte of a longer UTF-8 sequence is a line feed, so that bytes can be looked at.
 *
 * @param read - Reads plaintext at a position; returns 0 at the end.
 * @param complete - Take no line that does not end with a line feed.
 * @returns undefined at the end of the file.
 */
export function* findLine(
  read: (target: Uint8Array, position: number) => Steps<number>,
  start: number,
  complete: boolean,
): Steps<FoundLine | undefined> {
  const pieces: Uint8Array[] = []
  let position = start
  for (let length = FIRST_LENGTH; ; length = Math.min(2 * length, LONGEST_LENGTH)) {
    const buffer = new Uint8Array(length)
    const piece = buffer.subarray(0, yield* read(buffer, position))
    if (piece.length === 0)
      return position === start || complete ? undefined : { text: decode(concatBytes(...pieces)), next: position }
    const end = piece.indexOf(LINE_FEED)
    if (end < 0) pieces.push(piece)
    else {
      pieces.push(piece.subarray(0, end))
      return { text: textOf(pieces), next: position + end + 1 }
    }
    position += piece.length
  }
}

function textOf(pieces: readonly Uint8Array[]): string {
  const bytes = pieces.length === 1 ? pieces[0]! : concatBytes(...pieces)
  return decode(bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes)
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

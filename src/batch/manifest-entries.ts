import { ByteReader, ByteWriter } from '../bytes/integers.js'
import { DIGEST_LENGTH, DigestTable } from './digest-table.js'

/** What a manifest notes of a target that is about to be made. */
export interface BegunNote {
  /** Makes the name of the temporary file: 8 bytes. */
  readonly token: Uint8Array
  /** Of what may be replaced, 8 bytes; zeros for nothing. */
  readonly replaces: Uint8Array
  /** The source's time, which the target gets, in milliseconds. */
  readonly mtimeMs: number
}

/** What a manifest notes of a target that was made. */
export interface MadeNote {
  /** Of all that it was made of: 8 bytes. */
  readonly source: Uint8Array
  /** Of the target as it was: 8 bytes. */
  readonly target: Uint8Array
}

const [BEGUN, MADE] = [1, 2]
const PART_LENGTH = 8
/** Digest of the target's path, state, and three parts. */
export const NOTE_LENGTH = DIGEST_LENGTH + 1 + 3 * PART_LENGTH

/** @returns a note as it lies in the file. @param key - Digest of the target's path. */
export function packNote(key: Uint8Array, note: BegunNote | MadeNote): Uint8Array {
  const writer = new ByteWriter(NOTE_LENGTH).put(key)
  if ('source' in note) return writer.u8(MADE).put(note.source).put(note.target).bytes
  writer.u8(BEGUN).put(note.token).put(note.replaces)
  new DataView(writer.bytes.buffer).setFloat64(NOTE_LENGTH - PART_LENGTH, note.mtimeMs)
  return writer.bytes
}

/** What a manifest says of each target: its newest note. Millions that were made take some tens of bytes each; few are begun at a time. */
export class ManifestEntries {
  readonly #made = new DigestTable(2 * PART_LENGTH)
  /** By the letters of the key. These count before those that were made. */
  readonly #begun = new Map<string, { readonly key: Uint8Array; readonly note: BegunNote }>()

  /** How many notes count: those that {@link pack} gives. */
  get size(): number {
    return this.#made.size + this.#begun.size
  }

  get(key: Uint8Array): BegunNote | MadeNote | undefined {
    const begun = this.#begun.get(lettersOf(key))
    if (begun !== undefined) return begun.note
    const value = this.#made.get(key)
    return value && { source: value.slice(0, PART_LENGTH), target: value.slice(PART_LENGTH) }
  }

  set(key: Uint8Array, note: BegunNote | MadeNote): void {
    if ('source' in note) {
      this.#begun.delete(lettersOf(key))
      this.#made.set(key, Buffer.concat([note.source, note.target]))
    } else this.#begun.set(lettersOf(key), { key, note })
  }

  /** Takes a note as it lies in the file. */
  take(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    const key = reader.bytes(DIGEST_LENGTH)
    const isMade = reader.u8() === MADE
    const [first, second] = [reader.bytes(PART_LENGTH), reader.bytes(PART_LENGTH)]
    const mtimeMs = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(NOTE_LENGTH - PART_LENGTH)
    this.set(key, isMade ? { source: first, target: second } : { token: first, replaces: second, mtimeMs })
  }

  /** @returns all notes that count, as they lie in the file. */
  *pack(): Generator<Uint8Array> {
    for (const entry of this.#made.entries()) {
      const [source, target] = [entry.subarray(DIGEST_LENGTH, -PART_LENGTH), entry.subarray(-PART_LENGTH)]
      yield packNote(entry.subarray(0, DIGEST_LENGTH), { source, target })
    }
    for (const { key, note } of this.#begun.values()) yield packNote(key, note)
  }
}

function lettersOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}

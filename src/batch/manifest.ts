import type { Path } from '../compat/paths.js'
import { KeyedDigest } from './keyed-digest.js'
import { packNote, type BegunNote, type MadeNote, type ManifestEntries } from './manifest-entries.js'
import type { ManifestFile } from './manifest-file.js'
import type { SeenFile, SourceStamp } from './messages.js'
import { hasTime, type TargetStamp } from './target-stamp.js'

/** A file, as a manifest knows it. */
export interface KnownFile {
  /** Of its target's path. */
  readonly key: Uint8Array
  /** Of all that it is made of. */
  readonly sourceDigest: Uint8Array
  readonly mtimeMs: number
}

/** What a manifest says of a file that was found. */
export interface Verdict {
  readonly file: KnownFile
  /** It was made, and neither it nor its source has changed. */
  readonly isDone: boolean
  /** What is in its place was made by a batch with this manifest, and may be replaced. */
  readonly replaces: TargetStamp | undefined
  /** The token of a temporary file that may have stayed behind. */
  readonly leftover: string | undefined
}

/** A file that is about to be made. */
export interface BegunFileNote {
  readonly file: KnownFile
  readonly token: string
  readonly replaces: TargetStamp | undefined
}

/** A file that was made. */
export interface MadeFileNote {
  readonly file: KnownFile
  readonly target: TargetStamp
}

const PART_LENGTH = 8
const NOTHING = new Uint8Array(PART_LENGTH)

/**
 * What batches have done: for each target whether it was begun or made, of which source, and how it was then. Paths and stamps are kept as
 * keyed digests. That a file is begun is committed before it is: a batch that was killed between a file's taking its place and the note of it
 * leaves both behind, and the file is known by its source's time.
 */
export class Manifest {
  readonly #file: ManifestFile
  readonly #digest: KeyedDigest
  readonly #entries: ManifestEntries

  /** @param entries - What the file holds. */
  constructor(file: ManifestFile, key: Uint8Array, entries: ManifestEntries) {
    this.#file = file
    this.#digest = new KeyedDigest(key)
    this.#entries = entries
  }

  /** @param within - The target's path in the target folder. */
  judge(within: Path, source: Path, purpose: string, seen: SeenFile): Verdict {
    const { mtimeMs } = seen.source
    const file = {
      key: this.#digest.of('target\0', within),
      sourceDigest: this.#digestSource(source, purpose, seen.source),
      mtimeMs,
    }
    const { target } = seen
    const note = this.#entries.get(file.key)
    const isKnown = (digest: Uint8Array): boolean => target !== undefined && isEqual(digest, this.#digestTarget(target))
    if (note === undefined) return { file, isDone: false, replaces: undefined, leftover: undefined }
    if ('source' in note) {
      const isOurs = isKnown(note.target)
      const isDone = isOurs && isEqual(note.source, file.sourceDigest)
      return { file, isDone, replaces: isOurs ? target : undefined, leftover: undefined }
    }
    const hasItsTime = target !== undefined && (hasTime(target, note.mtimeMs) || hasTime(target, mtimeMs))
    const replaces = hasItsTime || isKnown(note.replaces) ? target : undefined
    return { file, isDone: false, replaces, leftover: Buffer.from(note.token).toString('hex') }
  }

  /** Returns when the manifest says that files are about to be made. */
  async begin(files: readonly BegunFileNote[]): Promise<void> {
    if (files.length === 0) return
    await this.#note(
      files.map(({ file, token, replaces }) => {
        const digest = replaces === undefined ? NOTHING : this.#digestTarget(replaces)
        return [file.key, { token: Buffer.from(token, 'hex'), replaces: digest, mtimeMs: file.mtimeMs }]
      }),
    )
    await this.#file.commit()
  }

  /** Notes that files were made; that is committed with whatever is begun next, or after a short time. */
  async finish(files: readonly MadeFileNote[]): Promise<void> {
    if (files.length === 0) return
    await this.#note(files.map(({ file, target }) => [file.key, { source: file.sourceDigest, target: this.#digestTarget(target) }]))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #note(notes: readonly (readonly [Uint8Array, BegunNote | MadeNote])[]): Promise<void> {
    for (const [key, note] of notes) this.#entries.set(key, note)
    await this.#file.append(Buffer.concat(notes.map(([key, note]) => packNote(key, note))))
  }

  #digestSource(source: Path, purpose: string, { ino, size, mtimeMs, ctimeMs }: SourceStamp): Uint8Array {
    const stamp = numbers(ino, size, mtimeMs, ctimeMs, Buffer.byteLength(purpose))
    return this.#digest.of('source\0', stamp, purpose, source).slice(0, PART_LENGTH)
  }

  #digestTarget({ ino, size, mtimeMs }: TargetStamp): Uint8Array {
    return this.#digest.of('stamp\0', numbers(ino, size, mtimeMs)).slice(0, PART_LENGTH)
  }
}

function numbers(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer)
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

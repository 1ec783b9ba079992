import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { lstat, stat, unlink } from 'node:fs/promises'
import { ProgressMeter } from '../file/engine/verifier.js'
import { syncFolder } from '../file/io/move-file.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import type { PathLike } from '../file/io/steps.js'
import { checkAborted, isSystemError } from '../file/io/system-errors.js'
import { detectFormat, type FileFormat } from './detect-format.js'
import {
  resolveMigrationOptions,
  type MigrateFileOptions,
  type MigrationPhase,
  type MigrationRequest,
} from './migration-options.js'
import { failure, SourceFile } from './migration-source.js'
import {
  digestEncrypted,
  isSameContent,
  isSameTime,
  lengthOfEncrypted,
  statIfThere,
  TargetPlace,
  type ContentDigest,
} from './migration-target.js'
import { findPlace } from './target-folder.js'
import { folderOf, isSamePath, takePath, type Path } from './paths.js'

/** What became of a file. */
export interface MigratedFile {
  /** As text where it can be. */
  readonly source: string | Buffer
  /** As text where it can be. */
  readonly target: string | Buffer
  /** What the source was read as; `sealfile` where it was encrypted in its place before. */
  readonly format: FileFormat
  /** `migrated`, or `present`: what is there is the source's content already. */
  readonly outcome: 'migrated' | 'present'
  /** Bytes of content; in a dry run undefined where they cannot be told without reading all of it. */
  readonly size: number | undefined
  /** Whether the source is gone, by `removeSource` or because the target is in its place. */
  readonly isSourceRemoved: boolean
  /** Nothing was done: it is what would be. */
  readonly isDryRun: boolean
}

/**
 * Takes a file over: reads plaintext or another format, and makes an encrypted file of it. Streams, so that the file may be of any
 * length. The target appears whole, after it was written to the disk and read back; where source and target are the same, it takes the
 * source's place in that moment. Time and permissions are those of the source. What was done before is not done again.
 *
 * @param target - Must not exist, or be what an earlier migration of this source has made of it; then it is left as it is. Or the
 *   source itself.
 * @throws system errors as they are; TypeError or RangeError for misuse; Error `ABORT_ERR` if the signal says so.
 * @throws MigrationError `ERR_SEALFILE_MIGRATION` if the source changes meanwhile, is encrypted already, or is no regular file; if
 *   something else has the target's name; if what was written does not read back. The source is as it was.
 * @throws what reading the source throws: `readAicoFile` tells of AICO files.
 * @throws LockedError `ERR_SEALFILE_LOCKED` if the target is being written elsewhere.
 *
 * @example
 * ```ts
 * await migrateFile('notes.txt', 'notes.txt', { keyManager, purpose: 'notes' })
 * ```
 */
export async function migrateFile(source: PathLike, target: PathLike, options: MigrateFileOptions): Promise<MigratedFile> {
  const request = resolveMigrationOptions(options)
  return migrate(takePath(source, 'source'), takePath(target, 'target'), request)
}

/** {@link migrateFile}, with everything checked. */
export async function migrate(source: Path, target: Path, request: MigrationRequest): Promise<MigratedFile> {
  checkAborted(request.signal)
  return new Migration(source, target, request).run()
}

class Migration {
  readonly #source: Path
  readonly #target: Path
  readonly #request: MigrationRequest
  /** What has the target's name, as it was when it was looked at. */
  #there: BigIntStats | undefined
  /** Bytes of content that it has. */
  #lengthThere: number | undefined

  constructor(source: Path, target: Path, request: MigrationRequest) {
    this.#source = source
    this.#target = target
    this.#request = request
  }

  async run(): Promise<MigratedFile> {
    const { removeSource, dryRun } = this.#request
    if (removeSource && (await lstat(this.#source)).isSymbolicLink()) {
      throw failure('the source is a symbolic link: name the file that it leads to, to have it removed', this.#source)
    }
    // What is missing is named, and not the lock that could not be made beside it.
    await stat(this.#source)
    const place = await findPlace(this.#target)
    if (!dryRun) await stat(folderOf(place))
    const isInPlace = isSamePath(place, await findPlace(this.#source))
    if (dryRun)
      return this.#decide(place, isInPlace, (source, isDone) =>
        Promise.resolve(this.#result(source, isDone, isDone ? this.#lengthThere : source.length)),
      )
    await using reserved = await TargetPlace.reserve(place, this.#request)
    return await this.#decide(place, isInPlace, async (source, isDone) => {
      const size = isDone ? this.#lengthThere : (await this.#copy(source, reserved, isInPlace)).length
      // While the source is there, whoever comes again finds what was left by one who died, and clears it away: it goes last.
      await reserved.release()
      const isRemoved = removeSource && !isInPlace
      if (isRemoved) await this.#remove(source)
      return this.#result(source, isDone, size, isRemoved)
    })
  }

  /** Opens the source and finds out what is to be done. */
  async #decide(
    place: Path,
    isInPlace: boolean,
    act: (source: SourceFile, isDone: boolean) => Promise<MigratedFile>,
  ): Promise<MigratedFile> {
    const opened = await SourceFile.open(this.#source, this.#request)
    if (opened === undefined) return this.#leaveEncrypted(isInPlace)
    await using source = opened
    if (isInPlace || this.#request.removeSource) await source.checkNoKeyring()
    return await act(source, !isInPlace && (await this.#isDone(source, place)))
  }

  /** The source is ours. In its place that is what was wanted, if it opens. */
  async #leaveEncrypted(isInPlace: boolean): Promise<MigratedFile> {
    const message = 'the source is encrypted by sealfile already'
    if (!isInPlace) throw failure(message, this.#source)
    const size = await lengthOfEncrypted(this.#source, this.#request).catch((error: unknown) => {
      throw failure(`${message}, and does not open with this key, purpose and context`, this.#source, error)
    })
    return {
      ...this.#names(),
      format: 'sealfile',
      outcome: 'present',
      size,
      isSourceRemoved: false,
      isDryRun: this.#request.dryRun,
    }
  }

  /** Looks at what has the target's name. @throws MigrationError if it must stay, and is not what is wanted. */
  async #isDone(source: SourceFile, place: Path): Promise<boolean> {
    const there = await statIfThere(place)
    this.#there = there
    if (there === undefined) return false
    const { overwrite, update, removeSource } = this.#request
    const refuse = (message: string, cause?: unknown): false => {
      if (overwrite && there.isFile()) return false
      throw failure(`${message}; 'overwrite' replaces it`, this.#target, cause)
    }
    if (!there.isFile()) throw failure('the target is there, and is not a regular file', this.#target)
    if ((await detectFormat(place)) !== 'sealfile') return refuse('the target is there, and is not encrypted by sealfile')
    let length
    try {
      length = await lengthOfEncrypted(place, this.#request)
      this.#lengthThere = length
    } catch (error) {
      if (isSystemError(error)) throw error
      return refuse('the target is there, and does not open with this key, purpose and context', error)
    }
    if (await this.#holds(place, there, length, source)) return true
    // Where sources are removed, the target may be all that there is of another file of this name.
    if (update && !removeSource && source.stats.mtimeNs > there.mtimeNs && (await isAsItWasMade(place, there))) return false
    return refuse('the target is there, and does not hold what the source does')
  }

  async #holds(place: Path, there: BigIntStats, length: number, source: SourceFile): Promise<boolean> {
    const { removeSource, compareContent } = this.#request
    if (source.length !== undefined && source.length !== length) return false
    const isSure = source.length !== undefined && !removeSource && !compareContent
    if (isSure && isSameTime(there.mtimeNs, source.stats.mtimeNs)) return true
    const wanted = await this.#digest(source)
    if (wanted.length !== length) return false
    const meter = this.#meter('verifying', length)
    try {
      return isSameContent(wanted, await digestEncrypted(place, this.#request, meter))
    } catch (error) {
      checkAborted(this.#request.signal)
      // What is damaged is not what is wanted.
      if (isSystemError(error)) throw error
      return false
    }
  }

  async #digest(source: SourceFile): Promise<ContentDigest> {
    const digest = createHash('sha256')
    let length = 0
    for await (const piece of source.content(this.#meter('comparing', source.size))) {
      digest.update(piece)
      length += piece.length
    }
    return { length, sha256: digest.digest('hex') }
  }

  async #copy(source: SourceFile, target: TargetPlace, isInPlace: boolean): Promise<ContentDigest> {
    const appearance = { stats: source.stats, keepsOwner: isInPlace }
    const written = await target.write(source.content(this.#meter('copying', source.size)), appearance)
    await target.verify(written, this.#meter('verifying', written.length))
    if (isInPlace) await source.confirm(this.#meter('confirming', source.size))
    else await this.#checkStillThere(target)
    await source.checkUnchanged()
    checkAborted(this.#request.signal)
    await target.publish()
    return written
  }

  /** Writers of this library are kept off by the lock; others are not. @throws MigrationError where the target's place has changed. */
  async #checkStillThere(target: TargetPlace): Promise<void> {
    const [before, now] = [this.#there, await statIfThere(target.place)]
    if (before?.ino === now?.ino && before?.mtimeNs === now?.mtimeNs && before?.size === now?.size) return
    throw failure("something else took the target's name meanwhile", this.#target)
  }

  async #remove(source: SourceFile): Promise<void> {
    await source.confirm(this.#meter('confirming', source.size))
    await unlink(this.#source)
    await new AsyncRunner(nodeDisk).run(() => syncFolder(folderOf(this.#source)))
  }

  /** @returns what is to be told of bytes that were read; it throws where the call is aborted. */
  #meter(phase: MigrationPhase, total: number): (length: number) => void {
    const { signal, onProgress } = this.#request
    const tell = onProgress && ((progress: { done: number; total: number }) => onProgress({ phase, ...progress }))
    const meter = new ProgressMeter({ signal, onProgress: tell }, total)
    let done = 0
    meter.advance(0)
    return (length) => meter.advance((done += length))
  }

  #names(): Pick<MigratedFile, 'source' | 'target'> {
    return { source: this.#source, target: this.#target }
  }

  #result(source: SourceFile, isDone: boolean, size: number | undefined, isSourceRemoved = false): MigratedFile {
    const outcome = isDone ? 'present' : 'migrated'
    return { ...this.#names(), format: source.format, outcome, size, isSourceRemoved, isDryRun: this.#request.dryRun }
  }
}

/**
 * Tells of a target whether nobody has written to it since a migration made it: its time is that of its source then, which is older
 * than the file itself. Where it cannot be told when files were made, Node gives zero, or for all files the time of the last change;
 * then nothing is certain.
 */
async function isAsItWasMade(place: Path, { mtimeNs, birthtimeNs, ctimeNs }: BigIntStats): Promise<boolean> {
  if (mtimeNs >= birthtimeNs) return false
  if (birthtimeNs !== ctimeNs) return true
  const folder = await stat(folderOf(place), { bigint: true })
  return folder.birthtimeNs !== folder.ctimeNs
}

import { lstatSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { folderOf, type Path } from '../../compat/paths.js'
import { checkTargetName, findFolder } from '../../compat/target-folder.js'
import { BatchError, ClosedError } from '../../errors.js'
import { checkAborted } from '../../file/io/system-errors.js'
import { temporaryToken } from '../../file/successor-file.js'
import { runParallel } from '../../file/tree/run-parallel.js'
import type { FileFailure } from '../../keys/rotation/work-through.js'
import type { PackageReport } from '../batch-options.js'
import { DigestTable } from '../digest-table.js'
import { KeyedDigest } from '../keyed-digest.js'
import { OutputFile } from '../output-file.js'
import { TargetFolders } from '../target-folders.js'
import { checkCompression } from './compression.js'
import type { PackedFolder } from './manifest.js'
import { openMember } from './member-opener.js'
import { toSystemPath } from './member-path.js'
import type { UnpackPlan } from './package-options.js'
import { PackageProgress } from './package-progress.js'
import { PackageReader, type PlacedFile } from './package-reader.js'

const writeAsync = promisify(write)

/** Files that are worked on at a time: one is read or written while another is decrypted. */
const CONCURRENCY = 4

/** One call: reads the manifest through, then once more and makes what it tells. */
export class UnpackRun {
  readonly #plan: UnpackPlan
  readonly #progress = new PackageProgress()
  readonly #failures: FileFailure[] = []
  /** Names that are taken; undefined where something that is there is never replaced, so that a second file of a name fails by itself. */
  readonly #taken: DigestTable | undefined
  readonly #digest = new KeyedDigest()
  #made = { files: 0, bytes: 0 }
  #end: { readonly error: unknown } | undefined

  constructor(plan: UnpackPlan) {
    this.#plan = plan
    this.#taken = plan.batch.settings.overwrite ? new DigestTable() : undefined
  }

  async run(): Promise<PackageReport> {
    const { batch, open } = this.#plan
    checkAborted(batch.signal)
    await open.keySource.prepare?.()
    using reader = await PackageReader.open(this.#plan)
    const stopTelling = this.#progress.tell(batch.onProgress, (error) => (this.#end ??= { error }))
    try {
      await this.#survey(reader)
      const target = await findFolder(batch.target!)
      const folders = new TargetFolders(target)
      await folders.ensure(target)
      await runParallel(reader.members(), { concurrency: CONCURRENCY }, (member) => this.#take(member, reader, folders))
    } finally {
      stopTelling()
    }
    this.#throwIfEnded()
    return { ...this.#made, failures: this.#failures, skipped: [] }
  }

  /** Sees to it that the package is whole, and within the limits, before anything is written. */
  async #survey(reader: PackageReader): Promise<void> {
    const { total } = this.#progress
    for await (const member of reader.members()) {
      if (member.kind === 'folder' || !this.#isWanted(member)) continue
      if (member.compression !== undefined) checkCompression(member.compression)
      total.files++
      total.bytes += member.size
    }
    this.#progress.isListed = true
  }

  async #take(member: PlacedFile | PackedFolder, reader: PackageReader, folders: TargetFolders): Promise<void> {
    this.#throwIfEnded()
    if (member.kind === 'file' && !this.#isWanted(member)) return
    try {
      if (member.kind === 'folder') await folders.ensure(folders.place(toSystemPath(member.path)), member.mode)
      else await this.#make(member, reader, folders)
    } catch (error) {
      this.#throwIfEnded()
      if (this.#plan.batch.stopOnError || error instanceof ClosedError) throw error
      this.#failures.push({ path: member.path, error })
      this.#progress.failed++
    }
    if (member.kind === 'file') this.#progress.done.files++
  }

  async #make(file: PlacedFile, reader: PackageReader, folders: TargetFolders): Promise<void> {
    const { batch, open, path } = this.#plan
    const target = folders.place(this.#nameFor(file))
    await folders.ensure(folderOf(target))
    this.#checkPlace(target, reader)
    await open.keySource.prepare?.()
    const output = OutputFile.create({ source: path, target, purpose: open.purpose, token: temporaryToken() }, batch.settings)
    try {
      let position = 0
      for await (const piece of openMember(file, reader.content(file), path.toString(), open)) {
        this.#throwIfEnded()
        for (let done = 0; done < piece.length;) {
          done += (await writeAsync(output.fd, piece, done, piece.length - done, position + done)).bytesWritten
        }
        position += piece.length
        this.#progress.done.bytes += piece.length
      }
    } catch (error) {
      output.discard()
      throw error
    }
    const { mode, atimeMs, mtimeMs, size } = file
    output.publish({ mode, atimeMs, mtimeMs, size, dev: 0, ino: 0, ctimeMs: mtimeMs })
    this.#made.files++
    this.#made.bytes += size
  }

  #nameFor({ path }: PlacedFile): Path {
    const { name } = this.#plan.batch
    const within = toSystemPath(path)
    if (name === undefined) return within
    if (typeof path === 'string') return checkTargetName('options.name()', name(path))
    const message = "the file's name is not UTF-8, so that it cannot be given another one"
    throw new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: path.toString() })
  }

  /** @throws BatchError where the package, or a file that it has made, would be replaced. */
  #checkPlace(target: Path, reader: PackageReader): void {
    const there = lstatSync(target, { throwIfNoEntry: false })
    const isPackage = there !== undefined && reader.isFile(there)
    const isNew = this.#taken?.set(this.#digest.of(FOLDS_NAMES ? target.toString().normalize('NFC').toLowerCase() : target))
    if (isNew !== false && !isPackage) return
    const message = isPackage ? 'the package itself is in the place' : 'another file of the package has the same place'
    throw new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: target.toString() })
  }

  #isWanted({ path }: PlacedFile): boolean {
    return this.#plan.filter(path.toString())
  }

  #throwIfEnded(): void {
    checkAborted(this.#plan.batch.signal)
    if (this.#end !== undefined) throw this.#end.error
  }
}

/** Whether names that differ in case or in how accents are written are commonly one. */
const FOLDS_NAMES = process.platform === 'win32' || process.platform === 'darwin'

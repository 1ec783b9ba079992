import { stat } from 'node:fs/promises'
import { randomNonce } from '../../bytes/random.js'
import type { Path } from '../../compat/paths.js'
import { BatchError, ClosedError } from '../../errors.js'
import { checkAborted } from '../../file/io/system-errors.js'
import { temporaryToken } from '../../file/successor-file.js'
import type { FileFailure } from '../../keys/rotation/work-through.js'
import type { BatchReport, PackageReport } from '../batch-options.js'
import { FileFinder, findPlaces, type MetFile, type Places } from '../file-finder.js'
import { OutputFile } from '../output-file.js'
import { SourceFile } from '../source-file.js'
import { fileContext, fileName, manifestContext, MANIFEST_NAME } from './bindings.js'
import { headerLine, memberLine, toManifestPath } from './manifest.js'
import { ManifestSpool } from './manifest-spool.js'
import { sealMember, type SealedContent } from './member-sealer.js'
import type { PackPlan } from './package-options.js'
import { PackageProgress } from './package-progress.js'
import { ZipWriter } from './zip-writer.js'

/** The encrypted pieces of a file, and what was found out while they were made. */
type Content = AsyncGenerator<Uint8Array, SealedContent, undefined>

/** A file on its way into the package. */
interface Member {
  readonly met: MetFile
  /** In the manifest. */
  readonly path: Path
  readonly number: number
  readonly source: SourceFile
  readonly content: Content
}

/** A file that is encrypted, or begun, or why it is not. */
type Prepared = Member | { readonly met: MetFile; readonly error: unknown }

/** Files that are read and encrypted while others are written. */
const AHEAD = 8
/** Files up to this size are encrypted ahead as a whole. */
const WHOLE_SIZE = 2 ** 20
/** In place of a file's number. */
const MANIFEST = 0

/** One call: finds files, encrypts some of them ahead, and writes one after the other. */
export class PackRun {
  readonly #plan: PackPlan
  readonly #id = randomNonce(16)
  readonly #progress = new PackageProgress()
  readonly #failures: FileFailure[] = []
  readonly #skipped: BatchReport['skipped'][number][] = []
  readonly #ahead: Promise<Prepared>[] = []
  #number = 0
  #made = { files: 0, bytes: 0 }
  #end: { readonly error: unknown } | undefined

  constructor(plan: PackPlan) {
    this.#plan = plan
  }

  async run(): Promise<PackageReport> {
    const { batch, open } = this.#plan
    checkAborted(batch.signal)
    await open.keySource.prepare?.()
    const places = await findPlaces(batch)
    const target = places.target!
    if (batch.settings.overwrite) await checkReplaceable(target)
    const task = { source: target, target, purpose: open.purpose, token: temporaryToken() }
    const output = OutputFile.create(task, batch.settings)
    const stopTelling = this.#progress.tell(batch.onProgress, (error) => this.#stop(error))
    try {
      await this.#fill(places, output.fd)
      stopTelling()
      this.#throwIfEnded()
    } catch (error) {
      output.discard()
      throw error
    } finally {
      stopTelling()
    }
    const now = Date.now()
    output.publish({ mode: 0o600, atimeMs: now, mtimeMs: now, dev: 0, ino: 0, size: 0, ctimeMs: now })
    return { ...this.#made, failures: this.#failures, skipped: this.#skipped }
  }

  async #fill(places: Places, fd: number): Promise<void> {
    const { open } = this.#plan
    const spool = new ManifestSpool(places.target!, { ...open, context: manifestContext(open.context) })
    try {
      await spool.add(headerLine({ id: this.#id }))
      const zip = new ZipWriter(fd, (number) => (number === MANIFEST ? MANIFEST_NAME : fileName(number)))
      await this.#find(places, zip, spool)
      this.#throwIfEnded()
      zip.begin(MANIFEST)
      for await (const piece of spool.content()) await zip.write(piece)
      await zip.end()
      await zip.finish()
    } finally {
      for (const waiting of this.#ahead) await giveUp(await waiting)
      spool.remove()
    }
  }

  async #find(places: Places, zip: ZipWriter, spool: ManifestSpool): Promise<void> {
    const finder = new FileFinder(this.#plan.batch, places, {
      file: (met) =>
        this.#orStop(async () => {
          this.#progress.total.files++
          this.#ahead.push(this.#prepare(met, ++this.#number))
          if (this.#ahead.length >= AHEAD) await this.#append(zip, spool)
        }),
      folder: async (source, within) => {
        if (within.length === 0) return
        const { mode } = await stat(source)
        const line = memberLine({ kind: 'folder', path: toManifestPath(within), mode: mode & 0o777 })
        await this.#orStop(() => spool.add(line))
      },
      isStopped: () => this.#isEnded,
      skipped: (entry) => this.#skipped.push(entry),
      failed: (path, error) => this.#fail(path, error),
    })
    await finder.run()
    this.#progress.isListed = true
    while (this.#ahead.length > 0 && !this.#isEnded) await this.#append(zip, spool)
  }

  /** Opens a file, and encrypts it if it is small. Does not throw. */
  async #prepare(met: MetFile, number: number): Promise<Prepared> {
    const { open, compression } = this.#plan
    try {
      const path = toManifestPath(met.within)
      await open.keySource.prepare?.()
      const source = new SourceFile(met.source)
      try {
        this.#progress.total.bytes += source.stamp.size
        const options = { ...open, context: fileContext(this.#id, number, open.context) }
        const content = sealMember(source, compression, options)
        const isSmall = source.stamp.size <= WHOLE_SIZE
        return { met, path, number, source, content: isSmall ? await takeAll(content) : content }
      } catch (error) {
        source[Symbol.dispose]()
        throw error
      }
    } catch (error) {
      return { met, error }
    }
  }

  /** Writes the file that has waited longest. @throws what keeps the package from being written. */
  async #append(zip: ZipWriter, spool: ManifestSpool): Promise<void> {
    const prepared = await this.#ahead.shift()!
    try {
      if ('error' in prepared) this.#fail(prepared.met.source, prepared.error)
      else await this.#write(prepared, zip, spool)
    } finally {
      await giveUp(prepared)
    }
    this.#progress.done.files++
  }

  /** Writes a file and what the manifest tells of it; of one that fails neither. */
  async #write({ met, path, number, source, content }: Member, zip: ZipWriter, spool: ManifestSpool): Promise<void> {
    const { done } = this.#progress
    const before = done.bytes
    zip.begin(number)
    for (;;) {
      this.#throwIfEnded()
      const next = await settle(content.next())
      if ('error' in next) {
        zip.drop()
        this.#fail(met.source, next.error)
        return
      }
      const { value } = next
      if (value.done === true) {
        const { size, mode, atimeMs, mtimeMs } = source.stamp
        const { size: entrySize, crc32: entryCrc32 } = await zip.end()
        const told = { path, size, mode: mode & 0o777, atimeMs, mtimeMs, ...value.value }
        await spool.add(memberLine({ kind: 'file', ...told, number, entrySize, entryCrc32 }))
        done.bytes = before + size
        this.#made.files++
        this.#made.bytes += size
        return
      }
      await zip.write(value.value)
      done.bytes += value.value.length
    }
  }

  #fail(path: Path, error: unknown): void {
    if (this.#plan.batch.stopOnError || error instanceof ClosedError) this.#stop(error)
    this.#failures.push({ path, error })
    this.#progress.failed++
  }

  get #isEnded(): boolean {
    return this.#end !== undefined || this.#plan.batch.signal?.aborted === true
  }

  #throwIfEnded(): void {
    checkAborted(this.#plan.batch.signal)
    if (this.#end !== undefined) throw this.#end.error
  }

  /** Ends the call with an error; the first one counts. */
  #stop(error: unknown): void {
    this.#end ??= { error }
  }

  /** What fails here is no failure of one file. */
  async #orStop(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#stop(error)
    }
  }
}

/** A device has the name of a file, too. @throws BatchError. */
async function checkReplaceable(target: Path): Promise<void> {
  const there = await stat(target).catch(() => undefined)
  if (there === undefined || there.isFile()) return
  const message = 'the target is there, and is not a regular file'
  throw new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: target.toString() })
}

/** Encrypts a file to its end. */
async function takeAll(content: Content): Promise<Content> {
  const pieces: Uint8Array[] = []
  for (;;) {
    const { done, value } = await content.next()
    if (done === true) return replay(pieces, value)
    pieces.push(value)
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- It stands where content is that has to be waited for.
async function* replay(pieces: readonly Uint8Array[], sealed: SealedContent): Content {
  yield* pieces
  return sealed
}

/** Tells what a promise comes to, so that it can be told from what else fails. */
async function settle<T>(promise: Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

async function giveUp(prepared: Prepared): Promise<void> {
  if ('error' in prepared) return
  await prepared.content.return({ sha256: new Uint8Array(0), compression: undefined })
  prepared.source[Symbol.dispose]()
}

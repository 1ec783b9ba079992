import { createHash, type Hash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { InvalidFileFormatError, MigrationError } from '../errors.js'
import { MAX_KEYRING_SIZE } from '../keys/keyring.js'
import { removeArmor } from './age-armor.js'
import { openAge } from './age-cipher.js'
import { lookAtAico, openAicoUnverified } from './aico-cipher.js'
import { AICO_OVERHEAD } from './aico-format.js'
import type { AicoAccess } from './aico-keys.js'
import { detectFormatOf, type FileFormat } from './detect-format.js'
import type { MigrationRequest } from './migration-options.js'
import { showPath, type Path } from './paths.js'
import { readFully, readPieces } from './raw-file.js'

/** Told of bytes of the file that were read. */
type OnRead = (length: number) => void

/** A file that is to be taken over, open. It is looked after: what changes while it is read is no content. */
export class SourceFile implements AsyncDisposable {
  readonly path: Path
  /** As it was when it was opened. */
  readonly stats: BigIntStats
  /** What it is read as. */
  readonly format: Exclude<FileFormat, 'sealfile' | 'empty'>
  readonly #file: FileHandle
  readonly #request: MigrationRequest
  /** Over the file as it was read. */
  #digest: string | undefined

  private constructor(path: Path, file: FileHandle, stats: BigIntStats, format: SourceFile['format'], request: MigrationRequest) {
    this.path = path
    this.#file = file
    this.stats = stats
    this.format = format
    this.#request = request
  }

  /**
   * @returns undefined for a file that sealfile has encrypted: that is never encrypted once more.
   * @throws MigrationError for what is no regular file, and where the keys are missing that it needs.
   */
  static async open(path: Path, request: MigrationRequest): Promise<SourceFile | undefined> {
    // Asked before it is opened, which a pipe would make wait.
    if (!(await stat(path)).isFile()) throw failure('the source is not a regular file', path)
    const file = await open(path, 'r')
    try {
      const found = await detectFormatOf(file)
      if (found === 'sealfile') {
        await file.close()
        return undefined
      }
      return new SourceFile(path, file, await file.stat({ bigint: true }), chooseFormat(found, path, request), request)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Bytes on disk. */
  get size(): number {
    return Number(this.stats.size)
  }

  /** Bytes of content; undefined where they cannot be told without reading all of it. */
  get length(): number | undefined {
    if (this.format === 'plain') return this.size
    return this.format === 'aico' ? Math.max(0, this.size - AICO_OVERHEAD) : undefined
  }

  /**
   * Reads the content. NOTHING of it is authenticated, and it may be that of a file which was being changed, before the generator has
   * ended without an error.
   *
   * @throws what the format's reader throws, and MigrationError if the file has changed since it was opened.
   */
  async *content(onRead: OnRead = () => undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const digest = createHash('sha256')
    yield* this.#decoded(digest, onRead)
    await this.checkUnchanged()
    const seen = digest.digest('hex')
    this.#digest ??= seen
    if (this.#digest !== seen) throw failure('the source was changed', this.path)
  }

  /** @throws MigrationError if the file, or what lies at its path, is not what it was when it was opened. */
  async checkUnchanged(): Promise<void> {
    const there = await stat(this.path, { bigint: true }).catch(() => undefined)
    for (const now of [await this.#file.stat({ bigint: true }), there]) {
      if (now === undefined || !isUnchanged(this.stats, now)) throw failure('the source was changed, moved or replaced', this.path)
    }
  }

  /** Reads the file once more, because it is about to go. @throws MigrationError if it is not the one that was read. */
  async confirm(onRead: OnRead): Promise<void> {
    const digest = createHash('sha256')
    for await (const piece of this.#raw(digest, onRead)) piece.fill(0)
    if (digest.digest('hex') !== this.#digest) throw failure('the source was changed', this.path)
    await this.checkUnchanged()
  }

  /** @throws MigrationError if the file holds the keys with which it would be encrypted. */
  async checkNoKeyring(): Promise<void> {
    if (this.format !== 'plain' || this.size > MAX_KEYRING_SIZE) return
    const content = Buffer.alloc(this.size)
    if (!isKeyring(content.toString('utf8', 0, await readFully(this.#file, content, 0)))) return
    throw failure('the source is a keyring: encrypted with its own keys, nobody could open it', this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  async *#raw(digest: Hash, onRead: OnRead): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of readPieces(this.#file, 0, this.size)) {
      digest.update(piece)
      onRead(piece.length)
      yield piece
    }
  }

  async *#decoded(digest: Hash, onRead: OnRead): AsyncGenerator<Uint8Array, void, undefined> {
    const { aico: access, age } = this.#request
    if (this.format === 'plain') yield* this.#raw(digest, onRead)
    else if (this.format === 'aico') yield* this.#openAico(access!, digest, onRead)
    else {
      const name = showPath(this.path)
      const raw = this.#raw(digest, onRead)
      yield* openAge(this.format === 'age' ? raw : removeArmor(raw, name), age!, name)
    }
  }

  async *#openAico(access: AicoAccess, digest: Hash, onRead: OnRead): AsyncGenerator<Uint8Array, void, undefined> {
    const aico = await lookAtAico(this.#file, showPath(this.path))
    digest.update(aico.header.bytes)
    yield* openAicoUnverified(aico, access, (ciphertext) => {
      digest.update(ciphertext)
      onRead(ciphertext.length)
    })
    digest.update(aico.tag)
    onRead(AICO_OVERHEAD)
  }
}

/** Tells whether a text says of itself that it is a keyring, of whatever version. */
function isKeyring(text: string): boolean {
  if (!text.startsWith('{') || !text.includes('sealfile-keyring')) return false
  try {
    return (JSON.parse(text) as { readonly format?: unknown }).format === 'sealfile-keyring'
  } catch {
    return false
  }
}

/** @returns what a file is to be read as. @throws MigrationError where there are no keys for that. */
function chooseFormat(
  found: Exclude<FileFormat, 'sealfile'>,
  path: Path,
  { from, aico, age }: MigrationRequest,
): SourceFile['format'] {
  if (from === 'plain' || (from === 'auto' && (found === 'plain' || found === 'empty'))) return 'plain'
  const isAge = found === 'age' || found === 'age-armored'
  if (from === 'age' && !isAge) {
    throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT', 'the file is not an age file', { path: showPath(path) })
  }
  const format = from === 'aico' || !isAge ? 'aico' : found
  const missing =
    format === 'aico'
      ? aico === undefined && "an AICO file, and there are no keys for it in 'aico'"
      : age === undefined && "an age file, and nothing opens it in 'age'"
  if (missing !== false) throw failure(`the source is to be read as ${missing}; 'from: plain' takes it as it is`, path)
  return format
}

function isUnchanged(before: BigIntStats, now: BigIntStats): boolean {
  const { dev, ino, size, mtimeNs, ctimeNs } = before
  return now.dev === dev && now.ino === ino && now.size === size && now.mtimeNs === mtimeNs && now.ctimeNs === ctimeNs
}

/** @returns an error about one file. */
export function failure(message: string, path: Path, cause?: unknown): MigrationError {
  return new MigrationError(message, { path: showPath(path), cause })
}

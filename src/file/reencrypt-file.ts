import { isUtf8 } from 'node:buffer'
import { resolve } from 'node:path'
import type { Stats } from 'node:fs'
import { LockedError } from '../errors.js'
import type { Aead, CipherName } from '../seal/suites.js'
import { AEADS } from '../seal/suites.js'
import type { CommitRecord } from '../container/commit-record.js'
import { ContainerFile, type Credentials } from './engine/container-file.js'
import { Editor } from './engine/editor.js'
import { acquireLock, lockPath, releaseLock } from './engine/lock.js'
import { SegmentReader } from './engine/segment-reader.js'
import { ProgressMeter, type Control } from './engine/verifier.js'
import type { FileInfo } from './file-info.js'
import { parseFlags } from './flags.js'
import { FreshnessGuard, type Freshness } from './freshness.js'
import { io, undoOnError, writeFully, type PathLike, type Steps } from './io/steps.js'
import { inspectKeyHeader, type KeyHeader } from './key-header.js'
import { isLink } from './locked-file.js'
import { nameOf, saltOf } from './open-file.js'
import { resolveOpenOptions, type ResolvedOptions } from './options.js'
import { Session } from './session.js'
import { StreamSealer } from './streams/stream-sealer.js'
import { createSuccessor, discardSuccessor, publishSuccessor, statIfThere } from './successor-file.js'

/** With what a file is read, and with what it is written anew. */
export interface NewCredentials {
  readonly from: Credentials
  readonly to: Credentials
}

/** How a file is written anew. */
export interface ReencryptSettings {
  /** Undefined: as it is. */
  readonly cipher: CipherName | undefined
  readonly segmentSize: number | undefined
  readonly freshness: Freshness | undefined
  readonly control: Control
}

/** What a new file holds, beside its content. */
interface NewFile {
  readonly salt: Uint8Array
  /** Undefined for a stream. */
  readonly record: CommitRecord | undefined
}

const READ = parseFlags('r')
/** Bytes that are read at a time; of a file with larger segments, one of these. */
const PIECE_SIZE = 2 ** 20

/**
 * Gives a file a new DEK, and with it new ciphertext: under its lock it is read whole, each segment and the snapshot checked, into a new
 * file of its kind, which takes its place in one step when the disk has it. If anything fails on the way, the old one is as it was.
 *
 * @param choose - Looks at the header under the lock; undefined leaves the file as it is.
 * @returns the new file's salt; undefined if it was left as it is.
 * @throws LockedError, InvalidFileFormatError, InvalidKeyError, CorruptedFileError, RollbackError, an AbortError, system errors, and what
 * `choose` throws.
 */
export function* reencryptFile(
  path: PathLike,
  settings: ReencryptSettings,
  choose: (header: KeyHeader) => NewCredentials | undefined,
): Steps<Uint8Array | undefined> {
  const name = nameOf(path)
  const target = yield* findTarget(path)
  const lock = yield* acquireLock(lockPath(target.toString()), name, 0)
  try {
    const { header, stats } = yield* inspectKeyHeader(path)
    const credentials = choose(header)
    if (credentials === undefined) return undefined
    const place = { path, name, target, stats }
    yield* checkThere(place)
    return yield* replace(place, credentials, settings)
  } finally {
    yield* releaseLock(lock)
  }
}

interface Place {
  readonly path: PathLike
  readonly name: string
  /** Without symbolic links. */
  readonly target: string | Buffer
  readonly stats: Stats
}

/** Bytes that are no text stay what they are: as text they would be another name. */
function* findTarget(path: PathLike): Steps<string | Buffer> {
  const isText = !Buffer.isBuffer(path) || isUtf8(path)
  return isText || (yield* isLink(path)) ? yield* io.realpath(path) : path
}

/** @throws LockedError if what would be replaced is not what is read. */
function* checkThere({ name, target, stats }: Place): Steps<void> {
  const there = yield* statIfThere(target)
  if (there?.ino === stats.ino && there.dev === stats.dev) return
  throw new LockedError('something else has the place of the file', { path: name })
}

function* replace(place: Place, { from, to }: NewCredentials, settings: ReencryptSettings): Steps<Uint8Array> {
  const { freshness } = settings
  const guard = freshness === undefined ? undefined : yield* FreshnessGuard.create(freshness, resolve(place.name))
  const source = yield* Session.open(place.path, READ, { ...optionsFor(from), freshness })
  const successor = yield* undoOnError(createSuccessor(place.target, place.stats, 0o600), () => source.close())
  const created = yield* undoOnError(fill(), () => discardSuccessor(successor))
  yield* undoOnError(publish(), () => io.unlink(successor.temporary))
  yield* guard?.remember(created.salt, created.record) ?? []
  return created.salt

  function* fill(): Steps<NewFile> {
    try {
      const info = yield* source.info()
      const options = { ...optionsFor(to), ...shapeOf(info, settings) }
      const write = info.kind === 'stream' ? writeStream : writeEditable
      const created = yield* write(successor.fd, place.name, options, copyOf(source, info, settings.control))
      yield* io.fdatasync(successor.fd)
      yield* guard?.announce(created.salt) ?? []
      return created
    } finally {
      yield* source.close()
    }
  }

  function* publish(): Steps<void> {
    yield* io.close(successor.fd)
    yield* checkThere(place)
    yield* publishSuccessor(successor)
  }
}

function optionsFor({ keySource, purpose, context }: Credentials): ResolvedOptions {
  return resolveOpenOptions({ keyManager: keySource, purpose, context })
}

function shapeOf(
  info: FileInfo,
  { cipher, segmentSize }: ReencryptSettings,
): { readonly aead: Aead; readonly segmentSize: number } {
  return { aead: AEADS[cipher ?? info.cipher], segmentSize: segmentSize ?? info.segmentSize }
}

/** Writes what it is given, piece by piece, and makes a file of it. */
type Write = (fd: number, name: string, options: ResolvedOptions, pieces: Pieces) => Steps<NewFile>

/** Plaintext, piece by piece: calls `use` with each, which is lent. */
type Pieces = (use: (piece: Uint8Array, position: number) => Steps<void>) => Steps<void>

/** Reads all of a file. @throws if it is not, as a whole, the state that it was opened at. */
function copyOf(source: Session, info: FileInfo, control: Control): Pieces {
  return function* (use) {
    const meter = new ProgressMeter(control, info.size)
    const buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(PIECE_SIZE, info.segmentSize), info.size))
    meter.advance(0)
    let done = 0
    while (done < info.size) {
      const read = yield* source.read(buffer.subarray(0, info.size - done), done)
      if (read === 0) break
      yield* use(buffer.subarray(0, read), done)
      done += read
      meter.advance(done)
    }
    const after = yield* source.info()
    if (done < info.size || after.sequence !== info.sequence || after.size !== info.size) {
      throw new LockedError('the file was changed while it was read, against its lock', { path: source.path })
    }
  }
}

const writeEditable: Write = function* (fd, name, options, pieces) {
  const { file, keyHeader } = ContainerFile.create('editable', name, options)
  const editor = Editor.create(file, fd, new SegmentReader(file, fd, new Uint8Array(0)), { isDurable: false }, keyHeader)
  try {
    yield* pieces((piece, position) => editor.write(piece, position))
    yield* editor.close()
    return { salt: saltOf(file), record: editor.state!.record }
  } finally {
    yield* editor.abandon()
    file.dispose()
  }
}

const writeStream: Write = function* (fd, _name, options, pieces) {
  const sealer = new StreamSealer(options)
  let end = 0
  try {
    yield* pieces((piece) => append(sealer.push(piece)))
    yield* append(sealer.end())
    return { salt: sealer.salt, record: undefined }
  } finally {
    sealer.dispose()
  }

  function* append(parts: Iterable<Uint8Array>): Steps<void> {
    const sealed = [...parts]
    yield* writeFully(fd, sealed, end)
    end += sealed.reduce((sum, { length }) => sum + length, 0)
  }
}

import { namePlace, publish, type FileMessage } from '../../audit-channels.js'
import { concatBytes } from '../../bytes/arrays.js'
import { randomBytes, randomNonce } from '../../bytes/random.js'
import { SecretBytes } from '../../bytes/secret.js'
import { deriveRecordKey } from '../../container/commit-record.js'
import { geometryOf, type Geometry } from '../../container/geometry.js'
import {
  buildKeySlot,
  findKeySlot,
  KEY_SLOT_COUNT,
  keyCheckHeader,
  keySlotPosition,
  type KeySlot,
} from '../../container/key-slots.js'
import {
  buildPreamble,
  checkUnused,
  globalAssociatedData,
  headerSizeOf,
  parsePreamble,
  PREAMBLE_SIZE,
  sealParameters,
  type ContainerKind,
  type Preamble,
} from '../../container/preamble.js'
import { CorruptedFileError, InvalidKeyError, LockedError, SealfileError } from '../../errors.js'
import { KeySchedule } from '../../seal/schedule.js'
import type { Aead } from '../../seal/suites.js'
import type { FileKeyRequest, KeySource, WrappedFileKey } from '../key-source.js'

/** How a caller proves that a file is theirs to open. */
export interface Credentials {
  readonly keySource: KeySource
  readonly purpose: string
  /** Bytes that enter the commitment; empty where there are none. */
  readonly context: Uint8Array
}

/** What a new file is made with. */
interface CreateOptions extends Credentials {
  readonly aead: Aead
  readonly segmentSize: number
}

/** A file that was made, and the first 288 bytes of it: its preamble and key slots. */
export interface NewFile {
  readonly file: ContainerFile
  readonly keyHeader: Uint8Array
}

/** A new file whose DEK is not wrapped yet. It holds secrets until it is disposed of. */
export interface FileDraft {
  readonly request: FileKeyRequest
  /** 32 bytes, lent. */
  readonly dek: Uint8Array
  /** To be called once; the keys are then the file's. */
  complete(wrapped: WrappedFileKey): NewFile
  /** Overwrites the keys that it still has. */
  dispose(): void
}

/** The keys of one open file and what of it never changes. */
export class ContainerFile {
  readonly geometry: Geometry
  readonly schedule: KeySchedule
  /** Of the commit records' MACs. A stream has none, and does not use it. */
  readonly recordKey: SecretBytes
  /** The key slot that counts. */
  readonly keySlot: KeySlot
  /** For messages; what comes through a pipe has none. */
  readonly path: string | undefined

  private constructor(
    { kind, parameters }: Preamble,
    schedule: KeySchedule,
    keySlot: KeySlot,
    dek: Uint8Array,
    path: string | undefined,
  ) {
    this.geometry = geometryOf(kind, parameters.segmentMax)
    this.schedule = schedule
    this.recordKey = new SecretBytes(deriveRecordKey(dek, parameters.salt))
    this.keySlot = keySlot
    this.path = path
  }

  /** Makes the keys of a new file. */
  static create(kind: ContainerKind, path: string | undefined, options: CreateOptions): NewFile {
    const draft = ContainerFile.draft(kind, path, options)
    try {
      return draft.complete(options.keySource.wrapFileKey(draft.request, draft.dek))
    } finally {
      draft.dispose()
    }
  }

  /** Makes the keys of a new file, and leaves it to the caller to have its DEK wrapped: together with those of others, for example. */
  static draft(kind: ContainerKind, path: string | undefined, options: Omit<CreateOptions, 'keySource'>): FileDraft {
    const { purpose, context, aead, segmentSize } = options
    const parameters = sealParameters(kind, aead, segmentSize, randomNonce(32))
    const dek = randomBytes(32)
    let schedule: KeySchedule | undefined = new KeySchedule(
      parameters,
      dek,
      globalAssociatedData(kind, parameters, purpose, context),
    )
    const preamble: Preamble = { kind, parameters, commitment: schedule.commitment }
    const bytes = buildPreamble(preamble)
    const sequence = 1
    return {
      request: { purpose, salt: parameters.salt, header: keyCheckHeader(bytes, 0, sequence) },
      dek,
      complete(wrapped) {
        const keySlot = { sequence, ...wrapped }
        publish('sealfile:file-create', () => describeFile(path, purpose, keySlot))
        const slot = buildKeySlot(bytes, 0, keySlot)
        const file = new ContainerFile(preamble, schedule!, keySlot, dek, path)
        schedule = undefined
        return { file, keyHeader: concatBytes(bytes, slot, new Uint8Array(slot.length)) }
      },
      dispose() {
        schedule?.dispose()
        dek.fill(0)
      },
    }
  }

  /**
   * Opens an existing file's keys. Nothing of its content is read yet.
   *
   * @param start - What the file begins with: its header, or all of a shorter file.
   * @throws InvalidFileFormatError, InvalidKeyError or CorruptedFileError, each naming the file.
   */
  static open(path: string | undefined, credentials: Credentials, start: Uint8Array): ContainerFile {
    try {
      const preamble = parseHeader(start)
      const { slot, content } = findKeySlot(start)
      const header = keyCheckHeader(start.subarray(0, PREAMBLE_SIZE), slot, content.sequence)
      const request = { purpose: credentials.purpose, salt: preamble.parameters.salt, header }
      const dek = credentials.keySource.unwrapFileKey(request, content)
      try {
        const file = new ContainerFile(preamble, openSchedule(preamble, dek, credentials), content, dek, path)
        publish('sealfile:file-open', () => describeFile(path, credentials.purpose, content))
        return file
      } finally {
        dek.fill(0)
      }
    } catch (error) {
      throw nameFile(error, path)
    }
  }

  /** Overwrites the keys. */
  dispose(): void {
    this.schedule.dispose()
    this.recordKey.dispose()
  }

  /** An error about a segment: it was altered, or is not where it should be. */
  corrupted(index: number): CorruptedFileError {
    const message = `segment ${index} does not authenticate: it was altered, moved or replaced`
    return new CorruptedFileError('ERR_SEALFILE_CORRUPTED', message, { segment: index, path: this.path })
  }

  /** An error about a segment that the file is too short for. */
  truncated(index: number): CorruptedFileError {
    const message = `the file ends before segment ${index} does`
    return new CorruptedFileError('ERR_SEALFILE_TRUNCATED', message, { segment: index, path: this.path })
  }

  /** An error about the segments together, each of which authenticates. */
  rolledBack(): CorruptedFileError {
    return this.damaged('the snapshot does not match: a segment was put back to an older version')
  }

  /** An error about a writer who leaves no time to read a state as a whole. */
  changing(): LockedError {
    const message = 'the file was changed each time while it was read: try again when its writer has less to do'
    return new LockedError(message, { path: this.path })
  }

  /** An error about the header or the commit records. */
  damaged(message: string): CorruptedFileError {
    return new CorruptedFileError('ERR_SEALFILE_CORRUPTED', message, { path: this.path })
  }
}

/**
 * Reads the preamble, and sees to it that the whole header is there.
 *
 * @param start - What the file begins with: its header, or all of a shorter file.
 * @throws InvalidFileFormatError, CorruptedFileError; neither names the file.
 */
export function parseHeader(start: Uint8Array): Preamble {
  const preamble = parsePreamble(start)
  if (start.length < headerSizeOf(preamble.kind)) {
    throw new CorruptedFileError('ERR_SEALFILE_TRUNCATED', `the file ends inside its header, after ${start.length} bytes`)
  }
  if (preamble.kind === 'editable') checkUnused(start, keySlotPosition(KEY_SLOT_COUNT))
  return preamble
}

/** @throws InvalidKeyError unless the keys are those that the file commits to. */
function openSchedule({ kind, parameters, commitment }: Preamble, dek: Uint8Array, { purpose, context }: Credentials): KeySchedule {
  const schedule = new KeySchedule(parameters, dek, globalAssociatedData(kind, parameters, purpose, context))
  if (schedule.commitsTo(commitment)) return schedule
  schedule.dispose()
  const message = 'the key and the purpose are right, but the file was made with another context'
  throw new InvalidKeyError('ERR_SEALFILE_WRONG_PURPOSE', message)
}

/** Puts the file's name into an error of ours that was thrown where it is not known. */
export function nameFile(error: unknown, path: string | undefined): unknown {
  if (!(error instanceof SealfileError) || error.path !== undefined || path === undefined) return error
  error.message = `${error.message}, file '${path}'`
  return Object.assign(error, { path })
}

function describeFile(path: string | undefined, purpose: string, key: WrappedFileKey): FileMessage {
  return { path, purpose, ...namePlace(key) }
}

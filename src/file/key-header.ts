import { constants, type Stats } from 'node:fs'
import { headerSizeOf, PREAMBLE_SIZE } from '../container/preamble.js'
import { keyCheckHeader, keySlotPosition, KEY_SLOT_COUNT, listKeySlots, type PlacedKeySlot } from '../container/key-slots.js'
import { InvalidFileFormatError } from '../errors.js'
import { nameFile, parseHeader } from './engine/container-file.js'
import { fstatNow, io, readFully, readNow, type PathLike, type Steps } from './io/steps.js'
import type { FileKeyRequest } from './key-source.js'
import { nameOf } from './open-file.js'

/** A pipe in the place of a file must not hold us up. Windows has no such flag. */
const LOOK_FLAGS = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0)
const LOOKS = 2

/** What a file's header says of its key. Nothing of it is authenticated. */
export interface KeyHeader {
  /** For messages. */
  readonly path: string
  /** Preamble and both key slots, as they lie in the file. */
  readonly bytes: Uint8Array
  /** 32 bytes. */
  readonly salt: Uint8Array
  /** The key slot that counts. */
  readonly live: PlacedKeySlot
  /** The other one, if it is whole, too. */
  readonly other: PlacedKeySlot | undefined
}

/** What a file's header says, and which file it is. */
export interface SeenFile {
  readonly header: KeyHeader
  readonly stats: Stats
}

/**
 * Reads the header of an open file.
 *
 * @param name - For messages.
 * @param isNear - It was read a moment ago, and the system has it at hand.
 * @throws InvalidFileFormatError, CorruptedFileError, naming the file.
 */
export function* readKeyHeader(fd: number, name: string, isNear = false): Steps<KeyHeader> {
  for (let looks = 1; ; looks++) {
    const buffer = Buffer.allocUnsafe(headerSizeOf('editable'))
    const start = buffer.subarray(0, yield* isNear ? readNow(fd, buffer, 0) : readFully(fd, buffer, 0))
    try {
      const { salt } = parseHeader(start).parameters
      const [live, other] = listKeySlots(start)
      if (live !== undefined) return { bytes: start.subarray(0, keySlotPosition(KEY_SLOT_COUNT)), path: name, salt, live, other }
      const message = 'the header is damaged: no whole copy of the wrapped key is left'
      // Somebody may be changing over from one slot to the other.
      if (looks === LOOKS) throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', message)
    } catch (error) {
      throw nameFile(error, name)
    }
  }
}

/** Looks at the header of a file, and needs no lock for that. @throws InvalidFileFormatError, CorruptedFileError, system errors. */
export function* inspectKeyHeader(path: PathLike): Steps<SeenFile> {
  const fd = yield* io.open(path, LOOK_FLAGS, 0)
  try {
    return { header: yield* readKeyHeader(fd, nameOf(path)), stats: yield* fstatNow(fd) }
  } finally {
    yield* io.close(fd)
  }
}

/** What the wrapping of the key in a slot is bound to. @param sequence - The slot's. */
export function keyRequestFor({ bytes, salt }: KeyHeader, slot: number, sequence: number, purpose: string): FileKeyRequest {
  return { purpose, salt, header: keyCheckHeader(bytes.subarray(0, PREAMBLE_SIZE), slot, sequence) }
}

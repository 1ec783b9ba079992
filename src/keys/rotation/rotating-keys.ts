import { invalidArgType, typeOnly } from '../../argument-errors.js'
import { equalBytes } from '../../bytes/arrays.js'
import { InvalidKeyError } from '../../errors.js'
import { nameFile } from '../../file/engine/container-file.js'
import { keyRequestFor, type KeyHeader } from '../../file/key-header.js'
import type { PlacedKeySlot } from '../../container/key-slots.js'
import type { KeySource } from '../../file/key-source.js'
import { hasMethods } from '../../file/options.js'

/** The keys of one keyring, of which one is the newest: a KeyManager. */
export interface RotatingKeys extends KeySource {
  /** The keyring's identifier: 16 bytes. */
  readonly id: Uint8Array
  /** The generation of the master key that new files get. */
  readonly generation: number
}

/** The key of one file, and the purpose that it opens under. */
export interface OpenedKey {
  readonly purpose: string
  /** 32 bytes, the caller's to zeroise. */
  readonly dek: Uint8Array
}

/** @throws TypeError for what holds no keys. */
export function checkRotatingKeys(name: string, keys: unknown): asserts keys is RotatingKeys {
  const isFit = hasMethods(keys, 'wrapFileKey', 'unwrapFileKey')
  const { id, generation } = (isFit ? keys : {}) as Partial<RotatingKeys>
  if (!(id instanceof Uint8Array) || typeof generation !== 'number')
    throw invalidArgType(name, 'an instance of KeyManager', typeOnly(keys))
}

/** Waits for keys that were forgotten meanwhile: between two files, or while a file was waited for, an idle time may have ended. */
export async function prepareKeys(...all: readonly (RotatingKeys | undefined)[]): Promise<void> {
  for (const keys of all) await keys?.prepare?.()
}

/** Whether a slot says that its key is wrapped by this keyring. */
export function isOf(keys: RotatingKeys, { content }: PlacedKeySlot): boolean {
  return equalBytes(content.keyringId, keys.id)
}

/**
 * Unwraps the key in a slot under the first purpose that fits.
 *
 * @throws what the keys throw; InvalidKeyError `ERR_SEALFILE_WRONG_PURPOSE` if no purpose fits.
 */
export function unwrapUnderAny(
  keys: RotatingKeys,
  header: KeyHeader,
  { slot, content }: PlacedKeySlot,
  purposes: readonly string[],
): OpenedKey {
  for (const purpose of purposes) {
    try {
      return { purpose, dek: keys.unwrapFileKey(keyRequestFor(header, slot, content.sequence, purpose), content) }
    } catch (error) {
      if (!isWrongPurpose(error)) throw nameFile(error, header.path)
    }
  }
  const message =
    purposes.length === 1 ? 'the file was written for another purpose' : 'the file was written for none of the purposes'
  throw new InvalidKeyError('ERR_SEALFILE_WRONG_PURPOSE', message, { path: header.path })
}

/** Any: whether the key check holds shows in how a purpose fails. */
const SOME_PURPOSE = 'rotation'

/**
 * Sees to it that a slot is one that the keyring made, for this file and this place in it, whatever the purpose.
 *
 * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` if it was damaged or forged.
 * @throws InvalidKeyError `ERR_SEALFILE_NO_GENERATION` if the keyring does not have its generation, so that nothing can be said.
 */
export function checkSlot(keys: RotatingKeys, header: KeyHeader, { slot, content }: PlacedKeySlot): void {
  try {
    keys.unwrapFileKey(keyRequestFor(header, slot, content.sequence, SOME_PURPOSE), content).fill(0)
  } catch (error) {
    if (!isWrongPurpose(error)) throw nameFile(error, header.path)
  }
}

function isWrongPurpose(error: unknown): boolean {
  return error instanceof InvalidKeyError && error.code === 'ERR_SEALFILE_WRONG_PURPOSE'
}

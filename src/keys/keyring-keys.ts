import { randomBytes } from '../bytes/random.js'
import { SecretBytes } from '../bytes/secret.js'
import { InvalidKeyError, KeyringError } from '../errors.js'
import type { Unlocker } from './credentials.js'
import { deriveGenerationKek, deriveKeyringMacKey } from './key-schedule.js'
import { unwrapKey, wrapKey } from './key-wrap.js'
import { encodeBytes } from './keyring-fields.js'
import { createSlot, isOpenedBy, openSlot, type SlotRequest } from './keyring-slots.js'
import {
  buildGeneration,
  isAuthentic,
  parseKeyring,
  serializeKeyring,
  type Keyring,
  type KeyringGeneration,
  type KnownSlot,
} from './keyring.js'
import { MasterKey } from './master-key.js'

const KEY_LENGTH = 32
const ID_LENGTH = 16

/** The secret side of a keyring, and what is read with it. */
export class KeyringKeys {
  /** Opens all the others. */
  readonly keyringKey: SecretBytes
  /** By generation. */
  readonly masterKeys: ReadonlyMap<number, MasterKey>

  /**
   * Checks the whole keyring under its key, and unwraps every generation.
   *
   * @param keyringKey - 32 bytes, copied.
   * @param path - The keyring's file, for messages.
   * @throws KeyringError `ERR_SEALFILE_KEYRING` if the keyring was altered.
   */
  constructor(keyring: Keyring, keyringKey: Uint8Array, path?: string) {
    checkAuthentic(keyring, keyringKey, path)
    this.masterKeys = unwrapGenerations(keyring, keyringKey, path)
    this.keyringKey = new SecretBytes(new Uint8Array(keyringKey))
  }

  dispose(): void {
    this.keyringKey.dispose()
    for (const masterKey of this.masterKeys.values()) masterKey.dispose()
  }
}

/**
 * Makes a keyring with one slot and one master key.
 *
 * @returns the text of its file.
 */
export async function createKeyring(
  unlocker: Unlocker,
  options: Omit<SlotRequest, 'keyringId' | 'keyringKey'>,
): Promise<{ readonly content: Uint8Array; readonly keyringKey: Uint8Array }> {
  const id = randomBytes(ID_LENGTH)
  const keyringKey = randomBytes(KEY_LENGTH)
  try {
    const slots = [await createSlot(unlocker, { ...options, keyringId: id, keyringKey })]
    const first = createGeneration(keyringKey, id, 1)
    const keyring: Keyring = { id, revision: 1, slots, generations: [first], current: first.generation, json: {} }
    return { content: sealKeyring(keyring, keyringKey), keyringKey }
  } catch (error) {
    keyringKey.fill(0)
    throw error
  }
}

/** Makes a generation with a new master key. @param keyringKey - 32 bytes; stays the caller's. */
export function createGeneration(keyringKey: Uint8Array, keyringId: Uint8Array, generation: number): KeyringGeneration {
  const masterKey = randomBytes(KEY_LENGTH)
  const kek = deriveGenerationKek(keyringKey, { keyringId, generation })
  try {
    return buildGeneration(generation, wrapKey(kek, masterKey))
  } finally {
    for (const secret of [masterKey, kek]) secret.fill(0)
  }
}

/** @returns the text of a keyring, authenticated under its key. */
export function sealKeyring(keyring: Keyring, keyringKey: Uint8Array): Uint8Array {
  const macKey = deriveKeyringMacKey(keyringKey, keyring.id)
  try {
    return serializeKeyring(keyring, macKey)
  } finally {
    macKey.fill(0)
  }
}

/** A slot that was opened. */
export interface OpenedSlot {
  readonly slot: KnownSlot
  /** 32 bytes, the caller's to zeroise. */
  readonly keyringKey: Uint8Array
}

/**
 * Finds the slots that an unlocker is tried on, in order.
 *
 * @param slotId - The one to try; undefined for all of the unlocker's type.
 * @throws KeyringError `ERR_SEALFILE_KEYRING_SLOT` if there is none.
 */
export function findSlots(keyring: Keyring, unlocker: Unlocker, path: string, slotId?: string): readonly KnownSlot[] {
  const slots = keyring.slots.filter((slot) => slotId === undefined || encodeBytes(slot.id) === slotId)
  const fitting = slots.filter((slot) => isOpenedBy(slot, unlocker))
  if (fitting.length > 0) return fitting
  const what = unlocker.type === 'provider' ? `the provider '${unlocker.provider.name}'` : NAMES[unlocker.type]
  const which = slotId === undefined ? 'slot' : `slot ${slotId}`
  throw new KeyringError('ERR_SEALFILE_KEYRING_SLOT', `the keyring has no ${which} that ${what} could open`, { path })
}

const NAMES = { passphrase: 'a passphrase', recovery: 'a recovery key', key: 'a key' } as const

/**
 * Opens a keyring by one of its slots, tried in order: one Argon2id run for each that a passphrase is tried on.
 *
 * @param path - The keyring's file, for messages.
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if none of the slots opens.
 */
export async function openAnySlot(
  slots: readonly KnownSlot[],
  unlocker: Unlocker,
  keyringId: Uint8Array,
  path: string,
  signal: AbortSignal | undefined,
): Promise<OpenedSlot> {
  for (const slot of slots) {
    signal?.throwIfAborted()
    const keyringKey = await openSlot(unlocker, keyringId, slot, signal)
    if (keyringKey !== undefined) return { slot, keyringKey }
  }
  const what = unlocker.type === 'provider' ? `what the provider '${unlocker.provider.name}' gave` : THE_NAMES[unlocker.type]
  throw new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', `${what} does not open the keyring`, { path })
}

const THE_NAMES = { passphrase: 'the passphrase', recovery: 'the recovery key', key: 'the key' } as const

/**
 * Reads a keyring, and checks it under its key.
 *
 * @throws KeyringError `ERR_SEALFILE_KEYRING` if it was altered, or is another one.
 */
export function parseAuthentic(content: Uint8Array, keyringKey: Uint8Array, path: string): Keyring {
  const keyring = parseKeyring(content, path)
  checkAuthentic(keyring, keyringKey, path)
  return keyring
}

/** @throws KeyringError `ERR_SEALFILE_KEYRING` if the holder of its key did not write it. */
export function checkAuthentic(keyring: Keyring, keyringKey: Uint8Array, path: string | undefined): void {
  const macKey = deriveKeyringMacKey(keyringKey, keyring.id)
  const authentic = isAuthentic(keyring, macKey)
  macKey.fill(0)
  if (!authentic) throw new KeyringError('ERR_SEALFILE_KEYRING', 'the keyring was altered: it does not authenticate', { path })
}

function unwrapGenerations(keyring: Keyring, keyringKey: Uint8Array, path: string | undefined): Map<number, MasterKey> {
  const masterKeys = new Map<number, MasterKey>()
  for (const { generation, wrappedKey } of keyring.generations) {
    const name = { keyringId: keyring.id, generation }
    const kek = deriveGenerationKek(keyringKey, name)
    const key = unwrapKey(kek, wrappedKey)
    kek.fill(0)
    if (key === undefined) {
      for (const masterKey of masterKeys.values()) masterKey.dispose()
      throw new KeyringError('ERR_SEALFILE_KEYRING', `generation ${generation} of the keyring does not unwrap`, { path })
    }
    masterKeys.set(generation, new MasterKey(key, name))
  }
  return masterKeys
}

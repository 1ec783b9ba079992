import { randomBytes } from '../bytes/random.js'
import { InvalidKeyError, KeyringError } from '../errors.js'
import type { Argon2Parameters } from './argon2-parameters.js'
import { deriveGenerationKek, deriveKeyringMacKey } from './key-schedule.js'
import { unwrapKey, wrapKey } from './key-wrap.js'
import { buildGeneration, isAuthentic, parseKeyring, serializeKeyring, type Keyring, type PassphraseSlot } from './keyring.js'
import { MasterKey } from './master-key.js'
import { createPassphraseSlot, openPassphraseSlot } from './passphrase-slot.js'

const KEY_LENGTH = 32
const ID_LENGTH = 16

/** The secret side of a keyring. */
export interface KeyringKeys {
  readonly id: Uint8Array
  /** The generation that new files get; it is among the master keys. */
  readonly current: number
  readonly masterKeys: ReadonlyMap<number, MasterKey>
}

/**
 * Makes a keyring with one slot and one master key.
 *
 * @returns the text of its file, and its keys, read back from that text.
 */
export async function createKeyring(
  passphrase: Uint8Array,
  argon2: Argon2Parameters,
  signal: AbortSignal | undefined,
): Promise<{ readonly content: Uint8Array; readonly keys: KeyringKeys }> {
  const id = randomBytes(ID_LENGTH)
  const generation = 1
  const keyringKey = randomBytes(KEY_LENGTH)
  const masterKey = randomBytes(KEY_LENGTH)
  const kek = deriveGenerationKek(keyringKey, { keyringId: id, generation })
  const macKey = deriveKeyringMacKey(keyringKey, id)
  try {
    const generations = [buildGeneration(generation, wrapKey(kek, masterKey))]
    const slots = [await createPassphraseSlot(passphrase, id, keyringKey, argon2, signal)]
    const content = serializeKeyring({ id, revision: 1, slots, generations, current: generation, json: {} }, macKey)
    return { content, keys: openKeyring(parseKeyring(content), keyringKey) }
  } finally {
    for (const secret of [keyringKey, masterKey, kek, macKey]) secret.fill(0)
  }
}

/**
 * Opens a keyring with a passphrase, tried on its passphrase slots in order: one Argon2id run each, until one opens.
 *
 * @param path - The keyring's file, for messages.
 * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if the passphrase opens no slot.
 * @throws KeyringError `ERR_SEALFILE_KEYRING` if no slot is for passphrases, or the keyring was altered.
 */
export async function unlockKeyring(
  keyring: Keyring,
  passphrase: Uint8Array,
  path: string,
  signal: AbortSignal | undefined,
): Promise<KeyringKeys> {
  const slots = listPassphraseSlots(keyring)
  if (slots.length === 0)
    throw new KeyringError('ERR_SEALFILE_KEYRING', 'the keyring has no slot that a passphrase opens', { path })
  for (const slot of slots) {
    const keyringKey = await openPassphraseSlot(passphrase, keyring.id, slot, signal)
    if (keyringKey === undefined) continue
    try {
      return openKeyring(keyring, keyringKey, path)
    } finally {
      keyringKey.fill(0)
    }
  }
  throw new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', 'the passphrase does not open the keyring', { path })
}

/** @returns the slots that a passphrase is tried on, in order. */
export function listPassphraseSlots({ slots }: Keyring): readonly PassphraseSlot[] {
  return slots.filter((slot) => slot.type === 'passphrase')
}

/** Checks the whole keyring under its key, and unwraps every generation. */
function openKeyring(keyring: Keyring, keyringKey: Uint8Array, path?: string): KeyringKeys {
  const macKey = deriveKeyringMacKey(keyringKey, keyring.id)
  const authentic = isAuthentic(keyring, macKey)
  macKey.fill(0)
  if (!authentic) throw new KeyringError('ERR_SEALFILE_KEYRING', 'the keyring was altered: it does not authenticate', { path })
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
  return { id: keyring.id, current: keyring.current, masterKeys }
}

import { u32 } from '../bytes/integers.js'
import { computeHmac, deriveKey } from '../seal/kdf.js'
import { HKDF_SHA256 } from '../seal/suites.js'

/** Every key below a passphrase or a raw key (docs/keyring.md, "Keys"). All results are the caller's to zeroise. */

const KEYRING = 'sealfile/v1/keyring'
const PURPOSE = 'sealfile/v1/purpose'
const CHECK = 'sealfile/v1/check'
const KEY_LENGTH = 32
const ID_LENGTH = 16
const KEY_CHECK_LENGTH = 16

/** One master key's name. */
export interface GenerationName {
  /** 16 bytes. */
  readonly keyringId: Uint8Array
  /** 1 to 2^32 - 1. */
  readonly generation: number
}

const SLOT_LABELS = { passphrase: 'slot_kek', recovery: 'recovery_kek', key: 'key_kek', provider: 'provider_kek' } as const

/**
 * The 32-byte key that wraps the keyring key in one slot.
 *
 * @param secret - 32 bytes: Argon2id's output for a passphrase; else the recovery key, the raw key, or what the provider unwraps.
 */
export function deriveSlotKek(
  type: keyof typeof SLOT_LABELS,
  secret: Uint8Array,
  keyringId: Uint8Array,
  slotId: Uint8Array,
): Uint8Array {
  return deriveKey(HKDF_SHA256, KEYRING, SLOT_LABELS[type], [secret], [keyringId, slotId], KEY_LENGTH)
}

/** The 32-byte key that wraps one master key. */
export function deriveGenerationKek(keyringKey: Uint8Array, { keyringId, generation }: GenerationName): Uint8Array {
  return deriveKey(HKDF_SHA256, KEYRING, 'generation_kek', [keyringKey], [keyringId, u32(generation)], KEY_LENGTH)
}

/** The 32-byte key that authenticates the keyring file. */
export function deriveKeyringMacKey(keyringKey: Uint8Array, keyringId: Uint8Array): Uint8Array {
  return deriveKey(HKDF_SHA256, KEYRING, 'mac_key', [keyringKey], [keyringId], KEY_LENGTH)
}

/** The 16 bytes that stand for the keyring's identifier where there is a raw key and no keyring. They tell nothing of the key. */
export function deriveRawKeyId(key: Uint8Array): Uint8Array {
  return deriveKey(HKDF_SHA256, KEYRING, 'raw_key_id', [key], [], ID_LENGTH)
}

/**
 * The 32-byte key that wraps one file's DEK.
 *
 * @param purpose - As UTF-8.
 * @param salt - The file's.
 */
export function deriveFileKek(
  masterKey: Uint8Array,
  purpose: Uint8Array,
  salt: Uint8Array,
  { keyringId, generation }: GenerationName,
): Uint8Array {
  return deriveKey(HKDF_SHA256, PURPOSE, 'kek', [masterKey], [purpose, salt, keyringId, u32(generation)], KEY_LENGTH)
}

/** The 32-byte key of all of a generation's key checks. */
export function deriveCheckKey(masterKey: Uint8Array, { keyringId, generation }: GenerationName): Uint8Array {
  return deriveKey(HKDF_SHA256, CHECK, 'check_key', [masterKey], [keyringId, u32(generation)], KEY_LENGTH)
}

/**
 * The tag under which a file's header shows that this master key wrapped its DEK, whatever the purpose.
 *
 * @param wrappedKey - 40 bytes; only the header's length is free, so that the parts cannot be read in two ways.
 * @returns 16 bytes.
 */
export function computeKeyCheck(
  checkKey: Uint8Array,
  header: Uint8Array,
  { keyringId, generation }: GenerationName,
  wrappedKey: Uint8Array,
): Uint8Array {
  const tag = computeHmac(HKDF_SHA256, checkKey, header, keyringId, u32(generation), wrappedKey)
  return new Uint8Array(tag.subarray(0, KEY_CHECK_LENGTH))
}

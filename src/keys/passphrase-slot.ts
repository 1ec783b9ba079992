import { invalidArgType, invalidArgValue, WITHHELD } from '../argument-errors.js'
import { randomBytes } from '../bytes/random.js'
import type { Argon2Parameters } from './argon2-parameters.js'
import { deriveFromPassphrase } from './argon2id.js'
import { deriveSlotKek } from './key-schedule.js'
import { unwrapKey, wrapKey } from './key-wrap.js'
import { buildPassphraseSlot, type PassphraseSlot } from './keyring.js'

const ID_LENGTH = 16
const SALT_LENGTH = 16

/**
 * Gives the bytes of a passphrase: text in Unicode's form NFC, because the same letters come in other forms from other keyboards;
 * bytes as they are.
 *
 * @returns a new array, the caller's to zeroise.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, never with the passphrase in its message.
 */
export function encodePassphrase(passphrase: unknown, name = 'options.passphrase'): Uint8Array {
  if (typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw invalidArgType(name, 'of type string or an instance of Uint8Array', WITHHELD)
  }
  if (passphrase.length === 0) throw invalidArgValue(name, WITHHELD, 'must not be empty')
  if (typeof passphrase !== 'string') return new Uint8Array(passphrase)
  // A lone surrogate would become U+FFFD, and so would every other: such passphrases would open each other's keyrings.
  if (/\p{Cs}/u.test(passphrase)) throw invalidArgValue(name, WITHHELD, 'must not contain lone surrogates')
  return new TextEncoder().encode(passphrase.normalize('NFC'))
}

/** Runs Argon2id once, and gives the slot's KEK to `use` for as long as that runs. */
async function withSlotKek<T>(
  passphrase: Uint8Array,
  keyringId: Uint8Array,
  { id, argon2: parameters, salt }: Pick<PassphraseSlot, 'id' | 'argon2' | 'salt'>,
  signal: AbortSignal | undefined,
  use: (kek: Uint8Array) => T,
): Promise<T> {
  const output = await deriveFromPassphrase({ passphrase, salt, parameters, signal })
  const kek = deriveSlotKek(output, keyringId, id)
  output.fill(0)
  try {
    return use(kek)
  } finally {
    kek.fill(0)
  }
}

/**
 * Makes a slot that the passphrase opens, in one Argon2id run.
 *
 * @param keyringKey - 32 bytes; stays the caller's.
 */
export async function createPassphraseSlot(
  passphrase: Uint8Array,
  keyringId: Uint8Array,
  keyringKey: Uint8Array,
  argon2: Argon2Parameters,
  signal?: AbortSignal,
): Promise<PassphraseSlot> {
  const slot = { id: randomBytes(ID_LENGTH), argon2, salt: randomBytes(SALT_LENGTH) }
  const wrappedKey = await withSlotKek(passphrase, keyringId, slot, signal, (kek) => wrapKey(kek, keyringKey))
  return buildPassphraseSlot({ ...slot, wrappedKey })
}

/**
 * Tries the passphrase on a slot, in one Argon2id run.
 *
 * @returns the keyring key, the caller's to zeroise; undefined if the passphrase does not open this slot.
 */
export function openPassphraseSlot(
  passphrase: Uint8Array,
  keyringId: Uint8Array,
  slot: PassphraseSlot,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  return withSlotKek(passphrase, keyringId, slot, signal, (kek) => unwrapKey(kek, slot.wrappedKey))
}

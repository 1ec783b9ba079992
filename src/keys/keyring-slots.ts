import { randomBytes } from '../bytes/random.js'
import { ProviderError } from '../errors.js'
import type { Argon2Input } from './argon2id.js'
import type { Argon2Parameters } from './argon2-parameters.js'
import type { Unlocker } from './credentials.js'
import type { KeyProvider, ProviderContext } from './key-provider.js'
import { deriveSlotKek } from './key-schedule.js'
import { unwrapKey, wrapKey } from './key-wrap.js'
import { encodeBytes } from './keyring-fields.js'
import { buildSlot, MAX_SEALED_SECRET, type KnownSlot, type Slot } from './keyring.js'
import { waitFor } from './waiting.js'

/** The ways into a keyring: each slot wraps the keyring key under a key of its own. */

const ID_LENGTH = 16
const SALT_LENGTH = 16
const SECRET_LENGTH = 32

/** What a new slot is made with besides its credential. */
export interface SlotRequest {
  readonly keyringId: Uint8Array
  /** 32 bytes; stays the caller's. */
  readonly keyringKey: Uint8Array
  readonly label?: string | undefined
  /** For a passphrase. */
  readonly argon2: Argon2Parameters
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes a slot that the unlocker opens: for a passphrase in one Argon2id run.
 *
 * @throws KeyDerivationError, ProviderError; the signal's reason.
 */
export async function createSlot(unlocker: Unlocker, request: SlotRequest): Promise<KnownSlot> {
  const { keyringId, keyringKey, label, argon2, signal } = request
  signal?.throwIfAborted()
  const common = { id: randomBytes(ID_LENGTH), label }
  const wrap = (type: KnownSlot['type'], secret: Uint8Array) => wrapUnder(type, secret, keyringId, common.id, keyringKey)
  switch (unlocker.type) {
    case 'passphrase': {
      const salt = randomBytes(SALT_LENGTH)
      const output = await derive({ passphrase: unlocker.secret, salt, parameters: argon2, signal })
      return buildSlot({ ...common, type: 'passphrase', argon2, salt, wrappedKey: wrap('passphrase', output) })
    }
    case 'provider': {
      const { provider } = unlocker
      const secret = randomBytes(SECRET_LENGTH)
      const sealedSecret = await sealSecret(provider, secret, contextOf(keyringId, common.id, signal))
      return buildSlot({ ...common, type: 'provider', provider: provider.name, sealedSecret, wrappedKey: wrap('provider', secret) })
    }
    default:
      return buildSlot({ ...common, type: unlocker.type, wrappedKey: wrap(unlocker.type, new Uint8Array(unlocker.secret)) })
  }
}

/**
 * Tries an unlocker on a slot of its type: for a passphrase in one Argon2id run.
 *
 * @returns the keyring key, the caller's to zeroise; undefined if the unlocker does not open this slot.
 * @throws KeyDerivationError, ProviderError; the signal's reason.
 */
export async function openSlot(
  unlocker: Unlocker,
  keyringId: Uint8Array,
  slot: KnownSlot,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const secret = await secretOf(unlocker, keyringId, slot, signal)
  const kek = deriveSlotKek(slot.type, secret, keyringId, slot.id)
  secret.fill(0)
  try {
    return unwrapKey(kek, slot.wrappedKey)
  } finally {
    kek.fill(0)
  }
}

/** @returns whether it is worth trying: the slot is of the unlocker's type, and of its provider. */
export function isOpenedBy(slot: Slot, unlocker: Unlocker): slot is KnownSlot {
  if (slot.type === 'provider') return unlocker.type === 'provider' && slot.provider === unlocker.provider.name
  return slot.type === unlocker.type
}

/** What a provider is told of a slot. */
export function contextOf(keyringId: Uint8Array, slotId: Uint8Array, signal?: AbortSignal): ProviderContext {
  return { keyringId: encodeBytes(keyringId), slotId: encodeBytes(slotId), signal }
}

/** @param secret - 32 bytes, zeroised. */
function wrapUnder(
  type: KnownSlot['type'],
  secret: Uint8Array,
  keyringId: Uint8Array,
  slotId: Uint8Array,
  keyringKey: Uint8Array,
): Uint8Array {
  const kek = deriveSlotKek(type, secret, keyringId, slotId)
  secret.fill(0)
  try {
    return wrapKey(kek, keyringKey)
  } finally {
    kek.fill(0)
  }
}

/** @param slot - Of the unlocker's type. @returns 32 bytes, the caller's to zeroise. */
async function secretOf(
  unlocker: Unlocker,
  keyringId: Uint8Array,
  slot: KnownSlot,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (unlocker.type === 'provider') {
    if (slot.type !== 'provider') throw new TypeError('the slot is not of a provider')
    return unsealSecret(unlocker.provider, slot.sealedSecret, contextOf(keyringId, slot.id, signal))
  }
  if (slot.type !== 'passphrase') return new Uint8Array(unlocker.secret)
  return derive({ passphrase: unlocker.secret, salt: slot.salt, parameters: slot.argon2, signal })
}

/** Argon2id and its thread are loaded when there is a passphrase. */
async function derive(input: Argon2Input): Promise<Uint8Array> {
  const { deriveFromPassphrase } = await import('./argon2id.js')
  return deriveFromPassphrase(input)
}

async function sealSecret(provider: KeyProvider, secret: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
  // The provider may do anything to what it gets.
  const lent = new Uint8Array(secret)
  try {
    const sealed: unknown = await waitFor(
      callProvider(() => provider.wrap(lent, context)),
      context.signal,
    )
    if (sealed instanceof Uint8Array && sealed.length <= MAX_SEALED_SECRET) return new Uint8Array(sealed)
  } finally {
    lent.fill(0)
  }
  throw new ProviderError(`the provider '${provider.name}' did not give up to ${MAX_SEALED_SECRET} bytes`)
}

async function unsealSecret(provider: KeyProvider, sealed: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
  const unwrapping: Promise<unknown> = callProvider(() => provider.unwrap(new Uint8Array(sealed), context))
  const secret = await waitFor(unwrapping, context.signal).catch((error: unknown) => {
    // Whoever gave up does not want what comes late.
    unwrapping.then(zeroise, () => undefined)
    throw error
  })
  if (!(secret instanceof Uint8Array)) throw new ProviderError(`the provider '${provider.name}' gave no bytes`)
  const own = new Uint8Array(secret)
  secret.fill(0)
  if (own.length === SECRET_LENGTH) return own
  own.fill(0)
  throw new ProviderError(`the provider '${provider.name}' gave ${own.length} bytes, not ${SECRET_LENGTH}`)
}

/** A provider may throw at once, or give what is no promise. */
async function callProvider<T>(call: () => T | PromiseLike<T>): Promise<T> {
  return await call()
}

function zeroise(secret: unknown): void {
  if (secret instanceof Uint8Array) secret.fill(0)
}

import { invalidArgType, invalidArgValue, outOfRange, typeOnly, WITHHELD } from '../argument-errors.js'
import { equalBytes } from '../bytes/arrays.js'
import type { KeyProvider } from './key-provider.js'
import { isName } from './keyring.js'
import { parseRecoveryKey } from './recovery-key.js'

/** What opens a keyring: one of these. */
export type Credential =
  | {
      /** Text, taken in Unicode's form NFC as UTF-8, or bytes. Not empty. */
      readonly passphrase: string | Uint8Array
      readonly recoveryKey?: undefined
      readonly key?: undefined
      readonly provider?: undefined
    }
  | {
      /** As it was printed; case, spaces and hyphens do not matter. */
      readonly recoveryKey: string
      readonly passphrase?: undefined
      readonly key?: undefined
      readonly provider?: undefined
    }
  | {
      /** 32 random bytes that are kept elsewhere. Not a passphrase, not a hash of one. */
      readonly key: Uint8Array
      readonly passphrase?: undefined
      readonly recoveryKey?: undefined
      readonly provider?: undefined
    }
  | {
      /** A keychain or service that unwraps the key of its slot. */
      readonly provider: KeyProvider
      readonly passphrase?: undefined
      readonly recoveryKey?: undefined
      readonly key?: undefined
    }

/** A credential, checked: bytes of our own, or a provider. */
export type Unlocker =
  | { readonly type: 'passphrase' | 'recovery' | 'key'; readonly secret: Uint8Array }
  | { readonly type: 'provider'; readonly provider: KeyProvider }

const KEY_LENGTH = 32
const KINDS = ['passphrase', 'recoveryKey', 'key', 'provider'] as const

/**
 * Checks a credential, and copies its secret.
 *
 * @returns an unlocker; the caller must zeroise it with {@link forgetUnlocker}.
 * @throws TypeError, RangeError; InvalidKeyError `ERR_SEALFILE_RECOVERY_KEY`. No message holds a secret.
 */
export function resolveCredential(options: Credential): Unlocker {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw invalidArgType('options', 'of type object', typeOnly(options))
  }
  const given = KINDS.filter((kind) => options[kind] !== undefined)
  if (given.length > 1) throw invalidArgValue('options', WITHHELD, `must have only one of: ${given.join(', ')}`)
  if (options.recoveryKey !== undefined) return { type: 'recovery', secret: parseRecoveryKey(options.recoveryKey) }
  if (options.key !== undefined) return { type: 'key', secret: copyKey(options.key, 'options.key') }
  if (options.provider !== undefined) return { type: 'provider', provider: checkProvider(options.provider) }
  return { type: 'passphrase', secret: encodePassphrase(options.passphrase) }
}

/** Overwrites what {@link resolveCredential} has copied. */
export function forgetUnlocker(unlocker: Unlocker): void {
  if (unlocker.type !== 'provider') unlocker.secret.fill(0)
}

/**
 * Gives the bytes of a passphrase: text in Unicode's form NFC, because the same letters come in other forms from other keyboards;
 * bytes as they are.
 *
 * @returns a new array, the caller's to zeroise.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, never with the passphrase in its message.
 */
export function encodePassphrase(passphrase: unknown, name = 'options.passphrase'): Uint8Array {
  if (typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw invalidArgType(name, 'of type string or an instance of Uint8Array', typeOnly(passphrase))
  }
  if (passphrase.length === 0) throw invalidArgValue(name, WITHHELD, 'must not be empty')
  if (typeof passphrase !== 'string') return new Uint8Array(passphrase)
  // A lone surrogate would become U+FFFD, and so would every other: such passphrases would open each other's keyrings.
  if (/\p{Cs}/u.test(passphrase)) throw invalidArgValue(name, WITHHELD, 'must not contain lone surrogates')
  return new TextEncoder().encode(passphrase.normalize('NFC'))
}

/**
 * Checks 32 bytes that are to be a key.
 *
 * @returns a copy.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no Uint8Array, `ERR_INVALID_ARG_VALUE` if all of it is zero, as a key is that was
 * overwritten; RangeError `ERR_OUT_OF_RANGE` if it has another length.
 */
export function copyKey(key: unknown, name = 'key'): Uint8Array {
  if (!(key instanceof Uint8Array)) throw invalidArgType(name, 'an instance of Uint8Array', typeOnly(key))
  if (key.length !== KEY_LENGTH) throw outOfRange(`${name}.length`, String(KEY_LENGTH), key.length)
  if (equalBytes(key, new Uint8Array(KEY_LENGTH))) throw invalidArgValue(name, WITHHELD, 'must not be all zeros')
  return new Uint8Array(key)
}

function checkProvider(provider: unknown): KeyProvider {
  const { name, wrap, unwrap } = (provider ?? {}) as Readonly<Record<keyof KeyProvider, unknown>>
  if (typeof wrap !== 'function' || typeof unwrap !== 'function') {
    throw invalidArgType('options.provider', 'an object with the methods wrap and unwrap', WITHHELD)
  }
  if (typeof name !== 'string') throw invalidArgType('options.provider.name', 'of type string', name)
  if (!isName(name)) throw invalidArgValue('options.provider.name', name, 'must be 1 to 255 bytes without control characters')
  return provider as KeyProvider
}

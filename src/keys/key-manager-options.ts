import { invalidArgType, invalidArgValue, WITHHELD } from '../argument-errors.js'
import { checkInteger } from '../file/options.js'
import { ARGON2_PROFILES, type Argon2Limits, type Argon2Parameters, type Argon2Profile } from './argon2-parameters.js'
import type { Credential, Unlocker } from './credentials.js'
import { encodeBytes } from './keyring-fields.js'
import type { KeyringChangeOptions } from './keyring-store.js'
import { isName, type KnownSlot, type Slot } from './keyring.js'
import type { IdleOptions } from './open-keyring.js'
import { runPassphraseCheck, type PassphraseCheck } from './passphrase-check.js'

/** What the calls of a key manager take, and what they tell of slots. */

const LONGEST_TIMEOUT = 2 ** 31 - 1

/** What concerns a new passphrase. */
export interface NewPassphraseOptions {
  /**
   * The cost of Argon2id, for the one who opens the keyring as for the one who guesses.
   *
   * @defaultValue `'rfc9106-second'`: 64 MiB, three passes, four lanes.
   */
  readonly argon2?: Argon2Profile | Argon2Parameters | undefined
  /**
   * Refuses a passphrase by throwing, as `createPassphrasePolicy` of `sealfile/passphrase-policy` does.
   *
   * @defaultValue none: whatever is not empty is taken
   */
  readonly passphraseCheck?: PassphraseCheck | undefined
}

/** How a new slot is made. */
export interface NewSlotOptions extends KeyringChangeOptions {
  /** What its owner calls it: 1 to 255 bytes of text without control characters. It is no secret. */
  readonly label?: string | undefined
  /** Gives up, and changes nothing. */
  readonly signal?: AbortSignal | undefined
}

/** How a keyring locks itself when nobody uses it, and is opened again. */
export interface LockOptions {
  /**
   * Milliseconds after which a key manager that was not used forgets its keys: 1 to 2^31 - 1. Files that are open stay open.
   *
   * @defaultValue never
   */
  readonly idleTimeout?: number | undefined
  /** Gives what opens the keyring, when a call needs it that can wait. Without this, such a call fails until `unlock` was called. */
  readonly unlock?: (() => Credential | PromiseLike<Credential>) | undefined
}

/** How a keyring is made. */
export type CreateKeyManagerOptions = Credential &
  NewPassphraseOptions &
  LockOptions & {
    /** What the first slot is called. */
    readonly label?: string | undefined
    /** Gives up, and leaves no file. */
    readonly signal?: AbortSignal | undefined
  }

/** How a keyring is opened. */
export type OpenKeyManagerOptions = Credential &
  LockOptions & {
    /**
     * The id of the slot to try.
     *
     * @defaultValue all that are for what was given: a passphrase takes one Argon2id run for each
     */
    readonly slot?: string | undefined
    /** What opening may cost at most. */
    readonly limits?: Argon2Limits | undefined
    /** Gives up. */
    readonly signal?: AbortSignal | undefined
  }

/** What can be told of a slot. None of it is secret. */
export interface SlotInfo {
  /** 16 bytes in base64url. */
  readonly id: string
  /** `unknown` is one that a later version of sealfile has made. */
  readonly type: KnownSlot['type'] | 'unknown'
  /** What its owner calls it. */
  readonly label?: string
  /** Of a passphrase. */
  readonly argon2?: Argon2Parameters
  /** Of a provider: its name. */
  readonly provider?: string
}

/** A recovery key that was made, and its slot. */
export interface NewRecoveryKey {
  /** The slot that it opens. */
  readonly slot: SlotInfo
  /** 14 groups of four letters and digits, joined by hyphens. It is shown this once. */
  readonly recoveryKey: string
}

/** What may be shown of a key manager. */
export interface KeyManagerSummary {
  /** Of the keyring: 16 bytes in base64url. */
  readonly id: string
  /** The newest generation of the master key. */
  readonly generation: number
}

/** How a passphrase is changed. */
export interface ChangePassphraseOptions extends NewPassphraseOptions, KeyringChangeOptions {
  /** The id of the slot that the old passphrase opens. @defaultValue the first that it opens */
  readonly slot?: string | undefined
  /** What trying the old passphrase may cost at most. */
  readonly limits?: Argon2Limits | undefined
  /** Gives up, and changes nothing. */
  readonly signal?: AbortSignal | undefined
}

/** @throws TypeError for a label that cannot be. */
export function checkLabel(label: unknown): void {
  if (label === undefined) return
  if (typeof label !== 'string') throw invalidArgType('options.label', 'of type string', label)
  if (!isName(label)) throw invalidArgValue('options.label', label, 'must be 1 to 255 bytes of text without control characters')
}

/** @throws TypeError, RangeError naming the option. */
export function checkLockOptions({ idleTimeout, unlock }: LockOptions): IdleOptions {
  if (idleTimeout !== undefined) checkInteger('options.idleTimeout', idleTimeout, 1, LONGEST_TIMEOUT)
  if (unlock !== undefined && typeof unlock !== 'function') throw invalidArgType('options.unlock', 'of type function', WITHHELD)
  return { idleTimeout, unlock }
}

/** @throws TypeError, RangeError naming the option. */
export function checkChangeOptions({ lockTimeout, keepBackup }: KeyringChangeOptions): void {
  if (lockTimeout !== undefined) checkInteger('options.lockTimeout', lockTimeout, 0, LONGEST_TIMEOUT)
  if (keepBackup !== undefined && typeof keepBackup !== 'boolean') {
    throw invalidArgType('options.keepBackup', 'of type boolean', keepBackup)
  }
}

/** Asks the caller's check about a new passphrase. @throws what that throws. */
export async function checkPassphrase(unlocker: Unlocker, { passphraseCheck }: NewPassphraseOptions): Promise<void> {
  if (passphraseCheck !== undefined && typeof passphraseCheck !== 'function') {
    throw invalidArgType('options.passphraseCheck', 'of type function', passphraseCheck)
  }
  if (unlocker.type === 'passphrase') await runPassphraseCheck(passphraseCheck, unlocker.secret)
}

/** @returns what can be told of a slot. */
export function describeSlot(slot: Slot): SlotInfo {
  return {
    id: encodeBytes(slot.id),
    type: slot.type,
    ...(slot.label === undefined ? {} : { label: slot.label }),
    ...(slot.type === 'passphrase' ? { argon2: { ...slot.argon2 } } : {}),
    ...(slot.type === 'provider' ? { provider: slot.provider } : {}),
  }
}

/** @returns the cost of a passphrase that takes another's place: the same, unless that is under every profile by now. */
export function costAfter(slot: KnownSlot): Argon2Parameters {
  if (slot.type !== 'passphrase') return ARGON2_PROFILES['rfc9106-second']
  const { memoryKiB, passes } = slot.argon2
  const isUpToDate = Object.values(ARGON2_PROFILES).some((profile) => memoryKiB >= profile.memoryKiB && passes >= profile.passes)
  return isUpToDate ? slot.argon2 : ARGON2_PROFILES['rfc9106-second']
}

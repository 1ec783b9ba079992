import { publish } from '../audit-channels.js'
import { equalBytes } from '../bytes/arrays.js'
import { ClosedError, KeyringError, SealfileError } from '../errors.js'
import { checkArgon2Limits, type Argon2Limits } from './argon2-parameters.js'
import { forgetUnlocker, resolveCredential, type Credential, type Unlocker } from './credentials.js'
import { IdleTimer } from './idle-timer.js'
import type { Edit } from './keyring-edits.js'
import { encodeBytes } from './keyring-fields.js'
import { findSlots, KeyringKeys, openAnySlot, type OpenedSlot } from './keyring-keys.js'
import { isOpenedBy } from './keyring-slots.js'
import type { KeyringChangeOptions, KeyringStore } from './keyring-store.js'
import type { Keyring } from './keyring.js'
import type { MasterKey } from './master-key.js'

/** Where a key manager has its keys from. */
export interface KeyHolder {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** The generation that new files get. */
  readonly current: number
  readonly generations: readonly number[]
  readonly isLocked: boolean

  /** @throws ClosedError `ERR_SEALFILE_CLOSED`, `ERR_SEALFILE_KEYS_LOCKED` if the keys are not there. */
  checkUsable(): void

  /** Is called before a new file gets its key: another process may have rotated the master key. */
  lookForNews(): void

  /**
   * @returns the master key of a generation; undefined where there is none.
   * @throws ClosedError `ERR_SEALFILE_CLOSED`, `ERR_SEALFILE_KEYS_LOCKED`.
   */
  findKey(generation: number): MasterKey | undefined

  /** Forgets the keys for good. Safe to call again. */
  close(): void
}

/** How a keyring is opened, each time. */
export interface OpeningOptions {
  /** The one slot to try. */
  readonly slotId?: string | undefined
  /** The one slot to try for as long as it is there, and is for what was given. */
  readonly usualSlotId?: string | undefined
  readonly limits?: Argon2Limits | undefined
  readonly signal?: AbortSignal | undefined
}

/** How a keyring locks itself. */
export interface IdleOptions {
  /** Milliseconds without use. */
  readonly idleTimeout?: number | undefined
  /** Asks for what opens the keyring again. */
  readonly unlock?: (() => Credential | PromiseLike<Credential>) | undefined
}

/**
 * Reads a keyring and opens it.
 *
 * @throws KeyringError, LimitError before any expensive work; InvalidKeyError, KeyDerivationError, ProviderError.
 */
export async function unlockStore(
  store: KeyringStore,
  unlocker: Unlocker,
  { slotId, usualSlotId, limits, signal }: OpeningOptions,
): Promise<OpenedSlot & { readonly keyring: Keyring }> {
  const keyring = await store.read()
  const usual = keyring.slots.find((slot) => encodeBytes(slot.id) === usualSlotId && isOpenedBy(slot, unlocker))
  const slots = findSlots(keyring, unlocker, store.name, slotId ?? (usual && usualSlotId))
  const runs = slots.flatMap((slot) => (slot.type === 'passphrase' ? [slot.argon2] : []))
  checkArgon2Limits(runs, limits, store.name)
  try {
    return { keyring, ...(await openAnySlot(slots, unlocker, keyring.id, store.name, signal)) }
  } catch (error) {
    // Who gave up has not failed.
    if (signal?.aborted !== true) publish('sealfile:unlock-failed', () => ({ path: store.name, slotType: unlocker.type, error }))
    throw error
  }
}

/** Milliseconds that the keyring's file is not looked at again for new files' sake. */
const LOOK_INTERVAL_MS = 1_000

/** A keyring that is open, and may lock itself. */
export class OpenKeyring implements KeyHolder {
  readonly store: KeyringStore
  readonly #opening: OpeningOptions
  readonly #idle: IdleOptions
  /** The newest version that was seen and is authentic. */
  #keyring: Keyring
  #keys: KeyringKeys | undefined
  #timer: IdleTimer | undefined
  #asking: Promise<void> | undefined
  #isClosed = false
  /** How often it was locked: an unlock that was begun before that came too early. */
  #locks = 0
  #lookedAt = performance.now()

  /** @param keyringKey - 32 bytes, copied. @throws KeyringError `ERR_SEALFILE_KEYRING` if the keyring was altered. */
  constructor(store: KeyringStore, keyring: Keyring, keyringKey: Uint8Array, opening: OpeningOptions, idle: IdleOptions) {
    this.store = store
    this.#opening = { usualSlotId: opening.slotId, limits: opening.limits }
    this.#idle = idle
    this.#keyring = keyring
    this.#keys = new KeyringKeys(keyring, keyringKey, store.name)
    this.#startTimer()
  }

  get id(): Uint8Array {
    return this.#keyring.id
  }

  get current(): number {
    return this.#keyring.current
  }

  get generations(): readonly number[] {
    return this.#keyring.generations.map(({ generation }) => generation)
  }

  get keyring(): Keyring {
    return this.#keyring
  }

  get isLocked(): boolean {
    return this.#keys === undefined
  }

  checkUsable(): void {
    this.#use()
  }

  lookForNews(): void {
    const now = performance.now()
    if (this.#keys === undefined || now - this.#lookedAt < LOOK_INTERVAL_MS) return
    this.#lookedAt = now
    this.#adoptIfNewer()
  }

  findKey(generation: number): MasterKey | undefined {
    const found = this.#use().masterKeys.get(generation)
    if (found !== undefined) return found
    // Another process may have rotated meanwhile.
    this.#adoptIfNewer()
    return this.#use().masterKeys.get(generation)
  }

  /** Waits until the keys are there, asking for what opens the keyring if need be. @returns undefined if they are there. */
  prepare(): Promise<void> | undefined {
    if (this.#keys === undefined && !this.#isClosed && this.#idle.unlock !== undefined) return this.unlock()
    this.#timer?.touch()
    return undefined
  }

  /**
   * Opens the keyring again if it is locked. Calls at the same time ask the callback once.
   *
   * @param credential - What opens it; undefined to ask the callback.
   */
  async unlock(credential?: Credential): Promise<void> {
    if (this.#isClosed) throw closed()
    if (this.#keys !== undefined) return
    // What is given is tried by itself: who is being asked may give something else, or never answer.
    if (credential !== undefined) await this.#unlock(credential)
    else await (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)))
  }

  /** Forgets the keys until they are asked for again. */
  lock(reason: 'idle' | 'lock' | 'close' = 'lock'): void {
    this.#locks++
    if (this.#keys === undefined) return
    this.#keys.dispose()
    this.#keys = undefined
    this.#timer?.stop()
    publish('sealfile:lock', () => ({ path: this.store.name, keyringId: encodeBytes(this.id), reason }))
  }

  close(): void {
    this.#isClosed = true
    this.lock('close')
  }

  /** Takes over what other processes have changed. */
  async reload(): Promise<void> {
    await this.prepare()
    const { revision } = this.#keyring
    const keyring = await this.store.read()
    this.#use()
    this.#adopt(keyring, revision)
  }

  /** Changes the keyring. @param edit - Made with the keyring key, which stays this object's. */
  async change(
    makeEdit: (keyringKey: Uint8Array) => Edit | Promise<Edit>,
    options: KeyringChangeOptions & { readonly signal?: AbortSignal | undefined },
  ): Promise<Keyring> {
    await this.prepare()
    // Copied, because the keyring may lock itself meanwhile.
    const keyringKey = new Uint8Array(this.#use().keyringKey.expose())
    try {
      const edit = await makeEdit(keyringKey)
      const changed = await this.store.change(keyringKey, this.#keyring.revision, edit, options)
      if (this.#keys !== undefined) this.#adopt(changed, changed.revision)
      // Also one that was locked meanwhile knows from now on what is older.
      else if (changed.revision > this.#keyring.revision) this.#keyring = changed
      return changed
    } finally {
      keyringKey.fill(0)
    }
  }

  async #ask(): Promise<void> {
    const { unlock } = this.#idle
    if (unlock === undefined) throw locked()
    const credential = await unlock()
    if (this.#isClosed) throw closed()
    if (this.#keys === undefined) await this.#unlock(credential)
  }

  async #unlock(credential: Credential): Promise<void> {
    const unlocker = resolveCredential(credential)
    const [locks, { revision }] = [this.#locks, this.#keyring]
    try {
      const { keyring, keyringKey, slot } = await unlockStore(this.store, unlocker, this.#opening)
      try {
        this.#checkSuccessor(keyring, revision)
        if (this.#isClosed) throw closed()
        if (this.#locks !== locks) throw locked()
        // Somebody else has opened it meanwhile.
        if (this.#keys !== undefined) return
        const newest = keyring.revision < this.#keyring.revision ? this.#keyring : keyring
        this.#keys = new KeyringKeys(newest, keyringKey, this.store.name)
        this.#keyring = newest
      } finally {
        keyringKey.fill(0)
      }
      this.#startTimer()
      publishUnlock(this.store, keyring, slot)
    } finally {
      forgetUnlocker(unlocker)
    }
  }

  /**
   * Takes over a version if it is authentic, and newer.
   *
   * @param known - The newest revision that was known before it was read.
   */
  #adopt(keyring: Keyring, known: number): void {
    this.#checkSuccessor(keyring, known)
    if (keyring.revision <= this.#keyring.revision || this.#keys === undefined) return
    const keys = new KeyringKeys(keyring, this.#keys.keyringKey.expose(), this.store.name)
    this.#keys.dispose()
    this.#keys = keys
    this.#keyring = keyring
  }

  /** The same, for whoever cannot wait, and has no use for an error of it. */
  #adoptIfNewer(): void {
    try {
      const keyring = this.store.readIfChangedSync()
      if (keyring !== undefined) this.#adopt(keyring, this.#keyring.revision)
    } catch (error) {
      // Somebody may have moved it away, or have damaged it: what is known goes on to serve.
      if (!(error instanceof SealfileError) && (error as NodeJS.ErrnoException).code === undefined) throw error
    }
  }

  #checkSuccessor({ id, revision }: Keyring, known: number): void {
    const path = this.store.name
    if (!equalBytes(id, this.id)) throw new KeyringError('ERR_SEALFILE_KEYRING', 'another keyring was put in its place', { path })
    if (revision < known) {
      const message = `the keyring has revision ${revision}, and had ${known}: an older version was put back`
      throw new KeyringError('ERR_SEALFILE_KEYRING', message, { path })
    }
  }

  #use(): KeyringKeys {
    if (this.#isClosed) throw closed()
    if (this.#keys === undefined) throw locked()
    this.#timer?.touch()
    return this.#keys
  }

  #startTimer(): void {
    const { idleTimeout } = this.#idle
    if (idleTimeout !== undefined) this.#timer = new IdleTimer(idleTimeout, () => this.lock('idle'))
  }
}

export function publishUnlock(store: KeyringStore, { id, revision }: Keyring, slot: OpenedSlot['slot']): void {
  publish('sealfile:unlock', () => ({
    path: store.name,
    keyringId: encodeBytes(id),
    revision,
    slotId: encodeBytes(slot.id),
    slotType: slot.type,
  }))
}

export function closed(): ClosedError {
  return new ClosedError('ERR_SEALFILE_CLOSED', 'the key manager is closed')
}

function locked(): ClosedError {
  return new ClosedError('ERR_SEALFILE_KEYS_LOCKED', 'the key manager is locked: await its unlock() first')
}

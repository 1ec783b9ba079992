import { inspect } from 'node:util'
import { publish, type KeyringChangeMessage } from '../audit-channels.js'
import { invalidState } from '../argument-errors.js'
import { equalBytes } from '../bytes/arrays.js'
import { randomBytes } from '../bytes/random.js'
import { InvalidKeyError, KeyringError } from '../errors.js'
import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import { resolveArgon2Limits, resolveArgon2Parameters } from './argon2-parameters.js'
import { copyKey, encodePassphrase, forgetUnlocker, resolveCredential, type Credential, type Unlocker } from './credentials.js'
import {
  checkChangeOptions,
  checkLabel,
  checkLockOptions,
  checkPassphrase,
  costAfter,
  describeSlot,
  type ChangePassphraseOptions,
  type CreateKeyManagerOptions,
  type KeyManagerSummary,
  type NewPassphraseOptions,
  type NewRecoveryKey,
  type NewSlotOptions,
  type OpenKeyManagerOptions,
  type SlotInfo,
} from './key-manager-options.js'
import type { KeyProvider } from './key-provider.js'
import type { Edit } from './keyring-edits.js'
import { encodeBytes } from './keyring-fields.js'
import type { KeyringPath } from './keyring-file.js'
import { checkAuthentic, createKeyring } from './keyring-keys.js'
import { contextOf, createSlot } from './keyring-slots.js'
import { KeyringStore, type KeyringChangeOptions } from './keyring-store.js'
import { parseKeyring, type Keyring, type KnownSlot, type Slot } from './keyring.js'
import { OpenKeyring, publishUnlock, unlockStore, type KeyHolder } from './open-keyring.js'
import { RawKey } from './raw-key.js'
import { formatRecoveryKey } from './recovery-key.js'
import type { ReencryptOptions, ReencryptReport } from './rotation/reencrypt.js'
import type { RetireOptions } from './rotation/retire.js'
import type { RewrapOptions, RewrapReport } from './rotation/rewrap.js'
import type { Roots } from './rotation/work-through.js'

const SECRET_LENGTH = 32

// What changes keyrings and rotates keys is loaded when it is asked for: most programs never do.
const loadEdits = () => import('./keyring-edits.js')

/**
 * Holds the master keys of one keyring, and wraps and unwraps the keys of files with them. Give it to whatever opens files;
 * close it when no more files are to be opened.
 *
 * @example
 * ```ts
 * const keyManager = await KeyManager.open('keyring.json', { passphrase })
 * ```
 */
export class KeyManager implements KeySource, Disposable {
  readonly #keys: KeyHolder

  private constructor(keys: KeyHolder) {
    this.#keys = keys
  }

  /**
   * Creates a keyring file and opens it; with a passphrase in one Argon2id run off the main thread. The file appears whole, readable by
   * its owner alone; of several processes that create it at once, one does, and the others get `EEXIST` and can open it. Whoever loses it
   * loses every file whose key it wraps: keep a copy.
   *
   * @param path - A file that does not exist, in a folder that does.
   * @throws TypeError, RangeError for options that cannot be; no message holds a secret.
   * @throws the system's errors as they are: `EEXIST` if there is a file, which is left as it is.
   * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id could not run.
   * @throws WeakPassphraseError, ProviderError.
   */
  static async create(path: KeyringPath, options: CreateKeyManagerOptions): Promise<KeyManager> {
    const unlocker = resolveCredential(options)
    let keyringKey: Uint8Array | undefined
    try {
      const { label, signal } = options
      const idle = checkLockOptions(options)
      checkLabel(label)
      const argon2 = resolveArgon2Parameters(options.argon2)
      await checkPassphrase(unlocker, options)
      const store = new KeyringStore(path)
      let keyring: Keyring | undefined
      try {
        await store.create(async () => {
          const created = await createKeyring(unlocker, { label, argon2, signal })
          keyringKey = created.keyringKey
          keyring = parseKeyring(created.content)
          return created.content
        })
      } catch (error) {
        if (keyring !== undefined && !(await isThere(store, keyring.id))) {
          await forgetSlot(unlocker, keyring.slots[0]!, keyring.id)
        }
        throw error
      }
      const [slot] = keyring!.slots as [KnownSlot]
      publishChange(store, keyring!, { change: 'create', slotId: encodeBytes(slot.id), slotType: slot.type })
      return new KeyManager(new OpenKeyring(store, keyring!, keyringKey!, {}, idle))
    } finally {
      forgetUnlocker(unlocker)
      keyringKey?.fill(0)
    }
  }

  /**
   * Opens a keyring file. A passphrase takes one Argon2id run for each passphrase slot that is tried, off the main thread. Opening files
   * afterwards takes none.
   *
   * @throws TypeError, RangeError for options that cannot be; no message holds a secret.
   * @throws the system's errors as they are: `ENOENT` if there is no file.
   * @throws KeyringError `ERR_SEALFILE_KEYRING` if the file is no keyring, is damaged or was altered;
   * `ERR_SEALFILE_KEYRING_VERSION` if it is of a later version; `ERR_SEALFILE_KEYRING_SLOT` if it has no slot for what was given.
   * @throws LimitError `ERR_SEALFILE_LIMIT` if it asks for more than the limits allow; nothing was allocated for it.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if what was given opens no slot; `ERR_SEALFILE_RECOVERY_KEY` if it was mistyped.
   * @throws KeyDerivationError `ERR_SEALFILE_KEY_DERIVATION` if Argon2id could not run; ProviderError `ERR_SEALFILE_PROVIDER`.
   */
  static async open(path: KeyringPath, options: OpenKeyManagerOptions): Promise<KeyManager> {
    const unlocker = resolveCredential(options)
    try {
      const idle = checkLockOptions(options)
      const opening = { slotId: options.slot, limits: resolveArgon2Limits(options.limits), signal: options.signal }
      const store = new KeyringStore(path)
      const { keyring, keyringKey, slot } = await unlockStore(store, unlocker, opening)
      try {
        const open = new OpenKeyring(store, keyring, keyringKey, opening, idle)
        publishUnlock(store, keyring, slot)
        return new KeyManager(open)
      } finally {
        keyringKey.fill(0)
      }
    } finally {
      forgetUnlocker(unlocker)
    }
  }

  /**
   * Takes a key in place of a keyring: its own master key, the only generation, for callers who keep keys elsewhere.
   *
   * @param key - 32 random bytes, copied. Not a passphrase, not a hash of one.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no Uint8Array, `ERR_INVALID_ARG_VALUE` if all of it is zero, as a key is
   * that was overwritten; RangeError `ERR_OUT_OF_RANGE` if it has another length.
   */
  static fromKey(key: Uint8Array): KeyManager {
    return new KeyManager(new RawKey(copyKey(key)))
  }

  /** The keyring's identifier: a copy of 16 bytes. It is no secret; every file names the keyring that it belongs to. */
  get id(): Uint8Array {
    return new Uint8Array(this.#keys.id)
  }

  /** The generation of the master key that new files get. */
  get generation(): number {
    return this.#keys.current
  }

  /** All generations of the master key that are there. */
  get generations(): readonly number[] {
    return this.#keys.generations
  }

  /** Whether the keys were forgotten, and must be asked for. */
  get isLocked(): boolean {
    return this.#keys.isLocked
  }

  /**
   * The ways into the keyring, as they were when it was last read.
   *
   * @throws Error `ERR_INVALID_STATE` for a raw key, which has none.
   */
  slots(): readonly SlotInfo[] {
    return this.#keyring.keyring.slots.map(describeSlot)
  }

  /**
   * Adds a passphrase that opens the keyring.
   *
   * @returns the new slot.
   * @throws what {@link KeyManager.create} throws of options, and of changing the keyring: LockedError if another process has changed it for
   * too long; LimitError for more than 64 slots.
   */
  async addPassphrase(passphrase: string | Uint8Array, options: NewPassphraseOptions & NewSlotOptions = {}): Promise<SlotInfo> {
    return this.#addSlot({ type: 'passphrase', secret: encodePassphrase(passphrase, 'passphrase') }, options)
  }

  /**
   * Adds a recovery key: 32 random bytes, to be printed and kept in a safe place. It is shown this once.
   *
   * @returns the new slot, and the key in 14 groups of four letters and digits.
   */
  async addRecoveryKey(options: NewSlotOptions = {}): Promise<NewRecoveryKey> {
    const secret = randomBytes(SECRET_LENGTH)
    const recoveryKey = formatRecoveryKey(secret)
    return { slot: await this.#addSlot({ type: 'recovery', secret }, options), recoveryKey }
  }

  /** Adds a key that is kept elsewhere. @param key - 32 random bytes; not one that serves {@link KeyManager.fromKey}. */
  async addKey(key: Uint8Array, options: NewSlotOptions = {}): Promise<SlotInfo> {
    return this.#addSlot({ type: 'key', secret: copyKey(key) }, options)
  }

  /** Adds a keychain or a service. @throws ProviderError `ERR_SEALFILE_PROVIDER` if it cannot wrap. */
  async addProvider(provider: KeyProvider, options: NewSlotOptions = {}): Promise<SlotInfo> {
    return this.#addSlot(resolveCredential({ provider }), options)
  }

  /**
   * Removes a way into the keyring. Whoever has a copy of the keyring from before can still open that.
   *
   * @param id - As {@link KeyManager.slots} tells it.
   * @param options - `provider`: is told to forget what it keeps for the slot.
   * @throws KeyringError `ERR_SEALFILE_KEYRING_SLOT` if there is no such slot, or it is of another provider, or there is nothing else that
   * could be opened.
   */
  async removeSlot(
    id: string,
    options: KeyringChangeOptions & { readonly provider?: KeyProvider | undefined } = {},
  ): Promise<void> {
    const { provider } = options
    let slot: Slot | undefined
    const makeEdit = async (): Promise<Edit> => {
      const { removeSlot } = await loadEdits()
      return (keyring) => {
        slot = keyring.slots.find((other) => encodeBytes(other.id) === id)
        if (provider !== undefined && slot?.type === 'provider' && slot.provider !== provider.name) {
          const message = `slot ${id} is of the provider '${slot.provider}', and '${provider.name}' keeps nothing for it`
          throw new KeyringError('ERR_SEALFILE_KEYRING_SLOT', message)
        }
        return removeSlot(id)(keyring)
      }
    }
    await this.#change(makeEdit, options, { change: 'remove-slot', slotId: id })
    if (slot?.type === 'provider') await provider?.forget?.(slot.sealedSecret, contextOf(this.id, slot.id))
  }

  /**
   * Puts a new passphrase in the place of an old one. No file is touched. The cost of Argon2id stays, unless it has fallen behind the
   * profiles or options say otherwise.
   *
   * @returns the new slot.
   * @throws InvalidKeyError `ERR_SEALFILE_WRONG_KEY` if the old one opens no slot; WeakPassphraseError for the new one.
   */
  async changePassphrase(
    oldPassphrase: string | Uint8Array,
    newPassphrase: string | Uint8Array,
    options: ChangePassphraseOptions = {},
  ): Promise<SlotInfo> {
    const { store } = this.#keyring
    const { limits, signal, slot: slotId } = options
    const oldUnlocker: Unlocker = { type: 'passphrase', secret: encodePassphrase(oldPassphrase, 'oldPassphrase') }
    let newUnlocker: Unlocker | undefined
    try {
      const unlocker: Unlocker = { type: 'passphrase', secret: encodePassphrase(newPassphrase, 'newPassphrase') }
      newUnlocker = unlocker
      const chosen = options.argon2 === undefined ? undefined : resolveArgon2Parameters(options.argon2)
      checkChangeOptions(options)
      await this.prepare()
      this.#keys.checkUsable()
      await checkPassphrase(unlocker, options)
      const old = await unlockStore(store, oldUnlocker, { slotId, limits, signal })
      try {
        checkAuthentic(old.keyring, old.keyringKey, store.name)
      } finally {
        old.keyringKey.fill(0)
      }
      const argon2 = chosen ?? costAfter(old.slot)
      let slot: KnownSlot | undefined
      const makeEdit = async (keyringKey: Uint8Array): Promise<Edit> => {
        slot = await createSlot(unlocker, { keyringId: this.#keys.id, keyringKey, label: old.slot.label, argon2, signal })
        const { replaceSlot } = await loadEdits()
        return replaceSlot(encodeBytes(old.slot.id), slot)
      }
      await this.#change(makeEdit, options, () => ({ change: 'change-passphrase', slotId: encodeBytes(slot!.id) }))
      return describeSlot(slot!)
    } finally {
      forgetUnlocker(oldUnlocker)
      if (newUnlocker !== undefined) forgetUnlocker(newUnlocker)
    }
  }

  /**
   * Makes a new generation of the master key, which new files get from now on. Files from before stay readable; `rewrap` moves them over.
   *
   * @returns the new generation.
   */
  async rotateMasterKey(options: KeyringChangeOptions = {}): Promise<number> {
    const makeEdit = async (keyringKey: Uint8Array): Promise<Edit> => (await loadEdits()).addGeneration(keyringKey)
    const { current } = await this.#change(makeEdit, options, ({ current: generation }) => ({
      change: 'rotate-master-key',
      generation,
    }))
    return current
  }

  /**
   * Wraps the keys of files under the newest generation of the master key. Of each file only the header is read and changed; a crash at any
   * moment leaves a file that opens, and calling this again goes on where it was.
   *
   * @param roots - Files and folders; of folders, all files in them, however deep.
   * @throws TypeError or RangeError for options that cannot be; an AbortError; ClosedError. What goes wrong with a file is in the report,
   * and stops no other.
   */
  async rewrap(roots: Roots, options: RewrapOptions): Promise<RewrapReport> {
    const { rewrap } = await import('./rotation/rewrap.js')
    await this.prepare()
    return rewrap(this, roots, options)
  }

  /**
   * Encrypts files anew, each under a fresh data key. A file is read and checked as a whole into a new one, which takes its place when the
   * disk has it; a file that is damaged stays as it is.
   *
   * @param roots - Files and folders; of folders, all files in them, however deep.
   * @throws TypeError or RangeError for options that cannot be; an AbortError; ClosedError. What goes wrong with a file is in the report,
   * and stops no other.
   */
  async reencrypt(roots: Roots, options: ReencryptOptions): Promise<ReencryptReport> {
    const { reencrypt } = await import('./rotation/reencrypt.js')
    await this.prepare()
    return reencrypt(this, roots, options)
  }

  /**
   * Removes a generation of the master key from the keyring. Files that need it can never be read again, but with a copy of the keyring from
   * before; the backup is one.
   *
   * @throws KeyringError `ERR_SEALFILE_GENERATION_IN_USE` if it is the current one, or if a file where it was looked for needs it, or cannot be
   * checked.
   * @throws RangeError `ERR_OUT_OF_RANGE` if there is none of that number; TypeError if nothing says where to look, nor `force`.
   */
  async retireGeneration(generation: number, options: RetireOptions): Promise<void> {
    const { checkUnused } = await import('./rotation/retire.js')
    await this.reload()
    const { removeGeneration } = await loadEdits()
    removeGeneration(generation)(this.#keyring.keyring)
    await checkUnused(this, generation, options)
    await this.#change(() => removeGeneration(generation), options, { change: 'retire-generation', generation })
  }

  /** Takes over what other processes have changed of the keyring. @throws what opening it throws. */
  async reload(): Promise<void> {
    await this.#keyring.reload()
  }

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    this.#keys.lookForNews()
    return this.#keys.findKey(this.#keys.current)!.wrap(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    this.#keys.checkUsable()
    const { id } = this.#keys
    if (!equalBytes(wrapped.keyringId, id)) {
      throw new InvalidKeyError('ERR_SEALFILE_WRONG_KEY', 'the file belongs to another keyring')
    }
    const masterKey = this.#keys.findKey(wrapped.generation)
    if (masterKey === undefined) {
      throw new InvalidKeyError('ERR_SEALFILE_NO_GENERATION', `the keyring has no generation ${wrapped.generation}`)
    }
    return masterKey.unwrap(request, wrapped)
  }

  prepare(): Promise<void> | undefined {
    return this.#keys instanceof OpenKeyring ? this.#keys.prepare() : undefined
  }

  /** Forgets the keys until they are asked for again. Files that are open stay so. */
  lock(): void {
    this.#keyring.lock()
  }

  /**
   * Opens the keyring again if it is locked; fails if it is locked meanwhile.
   *
   * @param credential - What opens it; without, the callback of the options is asked.
   * @throws what {@link KeyManager.open} throws; ClosedError `ERR_SEALFILE_KEYS_LOCKED` if there is nobody to ask.
   */
  async unlock(credential?: Credential): Promise<void> {
    await this.#keyring.unlock(credential)
  }

  /** Overwrites every key. Files that are open stay so; no more can be opened. Safe to call again. */
  close(): void {
    this.#keys.close()
  }

  /** Closes the key manager. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** What JSON shows: no key. */
  toJSON(): KeyManagerSummary {
    return { id: encodeBytes(this.#keys.id), generation: this.#keys.current }
  }

  /** What text shows: no key. */
  toString(): string {
    return `KeyManager(${encodeBytes(this.#keys.id)}, generation ${this.#keys.current})`
  }

  /** What `console.log` shows: no key. */
  [inspect.custom](): string {
    return this.toString()
  }

  get #keyring(): OpenKeyring {
    if (this.#keys instanceof OpenKeyring) return this.#keys
    throw invalidState('a raw key has no keyring')
  }

  /** @param unlocker - Zeroised. */
  async #addSlot(unlocker: Unlocker, options: NewPassphraseOptions & NewSlotOptions): Promise<SlotInfo> {
    try {
      const { label, signal } = options
      const argon2 = resolveArgon2Parameters(options.argon2)
      checkLabel(label)
      await checkPassphrase(unlocker, options)
      let slot: KnownSlot | undefined
      const makeEdit = async (keyringKey: Uint8Array): Promise<Edit> => {
        slot = await createSlot(unlocker, { keyringId: this.#keys.id, keyringKey, label, argon2, signal })
        const { addSlot } = await loadEdits()
        return addSlot(slot)
      }
      try {
        await this.#change(makeEdit, options, () => ({ change: 'add-slot', slotId: encodeBytes(slot!.id), slotType: slot!.type }))
      } catch (error) {
        if (slot !== undefined) await forgetSlot(unlocker, slot, this.id)
        throw error
      }
      return describeSlot(slot!)
    } finally {
      forgetUnlocker(unlocker)
    }
  }

  async #change(
    makeEdit: (keyringKey: Uint8Array) => Edit | Promise<Edit>,
    options: KeyringChangeOptions & { readonly signal?: AbortSignal | undefined },
    describe: ChangeDetails | ((keyring: Keyring) => ChangeDetails),
  ): Promise<Keyring> {
    const open = this.#keyring
    checkChangeOptions(options)
    const keyring = await open.change(makeEdit, options)
    publishChange(open.store, keyring, typeof describe === 'function' ? describe(keyring) : describe)
    return keyring
  }
}

/** A disk that fails once the keyring has its name leaves it there, and others may have opened it. */
async function isThere(store: KeyringStore, id: Uint8Array): Promise<boolean> {
  const there = await store.read().catch(() => undefined)
  return there !== undefined && equalBytes(there.id, id)
}

/** Lets a provider forget a slot that could not be written: what it keeps for that is of no use. */
async function forgetSlot(unlocker: Unlocker, slot: Slot, keyringId: Uint8Array): Promise<void> {
  if (slot.type !== 'provider' || unlocker.type !== 'provider') return
  try {
    await unlocker.provider.forget?.(slot.sealedSecret, contextOf(keyringId, slot.id))
  } catch {
    // What went wrong before is what the caller must know.
  }
}

type ChangeDetails = Omit<KeyringChangeMessage, 'path' | 'keyringId' | 'revision'>

function publishChange(store: KeyringStore, { id, revision }: Keyring, details: ChangeDetails): void {
  publish('sealfile:keyring-change', () => ({ path: store.name, keyringId: encodeBytes(id), revision, ...details }))
}

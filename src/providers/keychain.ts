import type * as Keyring from '@napi-rs/keyring'
import { invalidArgValue } from '../argument-errors.js'
import { concatBytes } from '../bytes/arrays.js'
import { randomBytes } from '../bytes/random.js'
import { ProviderError } from '../errors.js'
import type { KeyProvider, ProviderContext } from '../keys/key-provider.js'
import { unwrapKey, wrapKey, WRAPPED_KEY_LENGTH } from '../keys/key-wrap.js'
import { loadOptionalPackage } from '../keys/optional-package.js'
import { deriveKey } from '../seal/kdf.js'
import { HKDF_SHA256 } from '../seal/suites.js'
import { requireOptions, requireText } from './provider-arguments.js'
import { waitFor } from '../keys/waiting.js'

// What the slot holds: version || entry id || the key, wrapped under a KEK from the entry's secret. So neither the keyring nor the
// keychain opens anything alone, and an entry that is wrapped anew never replaces the one that the keyring still needs.
const VERSION = 1
const ENTRY_ID_LENGTH = 16
const SECRET_LENGTH = 32
const WRAPPED_LENGTH = 1 + ENTRY_ID_LENGTH + WRAPPED_KEY_LENGTH

const LINUX_STORES = ['secret-service', 'keyutils'] as const

/** Where a Linux keychain keeps its entries. */
export type LinuxKeychainStore = (typeof LINUX_STORES)[number]

/** How the operating system's keychain is used. */
export interface KeychainProviderOptions {
  /**
   * What the entries are filed under, as users see it in the system's own tools. The program's name is a good one.
   *
   * @defaultValue `'sealfile'`
   */
  readonly service?: string | undefined
  /**
   * The provider's name in the keyring, where there are several.
   *
   * @defaultValue `'keychain'`
   */
  readonly name?: string | undefined
  /**
   * On Linux, the store. `'secret-service'` is that of the desktop (gnome-keyring, KWallet, KeePassXC), and lasts. `'keyutils'` is the
   * kernel's memory: every entry is gone after a restart, and with it the slot. Elsewhere this changes nothing.
   *
   * @defaultValue `'secret-service'`
   */
  readonly linuxStore?: LinuxKeychainStore | undefined
}

function resolveOptions({ service = 'sealfile', name = 'keychain', linuxStore = 'secret-service' }: KeychainProviderOptions) {
  if (!LINUX_STORES.includes(linuxStore)) {
    throw invalidArgValue('options.linuxStore', linuxStore, `must be one of: ${LINUX_STORES.join(', ')}`)
  }
  return { service: requireText('options.service', service), name: requireText('options.name', name), linuxStore }
}

/** What to do about a keychain that does not work, by platform. */
function advice(linuxStore: LinuxKeychainStore): string {
  if (process.platform !== 'linux') return 'unlock it, and let this program use it'
  if (linuxStore === 'keyutils') return 'the kernel must have key retention, and allow it to this process; containers often do not'
  return 'a Secret Service such as gnome-keyring, KWallet or KeePassXC must run in this session, and be unlocked'
}

interface WrappedParts {
  readonly entryId: Uint8Array
  readonly wrappedKey: Uint8Array
}

function parseWrapped(wrapped: Uint8Array): WrappedParts {
  if (wrapped.length !== WRAPPED_LENGTH || wrapped[0] !== VERSION)
    throw new ProviderError('the slot was not made by this keychain provider')
  return {
    entryId: new Uint8Array(wrapped.subarray(1, 1 + ENTRY_ID_LENGTH)),
    wrappedKey: new Uint8Array(wrapped.subarray(1 + ENTRY_ID_LENGTH)),
  }
}

function deriveKek(secret: Uint8Array, { keyringId, slotId }: ProviderContext, entryId: Uint8Array): Uint8Array {
  const slot = [keyringId, slotId].map((id) => Buffer.from(id, 'utf8'))
  return deriveKey(HKDF_SHA256, 'sealfile/v1/keychain', 'kek', [secret], [...slot, entryId], SECRET_LENGTH)
}

/**
 * Opens keyrings with the operating system's keychain: Keychain on macOS, Credential Manager on Windows, the Secret Service on Linux. Each
 * slot has an entry of its own there, a random key that wraps the keyring's. Needs the package `@napi-rs/keyring`, which is loaded when
 * the keychain is first used.
 *
 * @throws TypeError for options that cannot be. What it returns throws PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING` where the
 * package is not there, and ProviderError `ERR_SEALFILE_PROVIDER` where the keychain is not, is locked or has no such entry.
 *
 * @example
 * ```ts
 * const provider = createKeychainProvider({ service: 'my program' })
 * ```
 */
export function createKeychainProvider(options: KeychainProviderOptions = {}): Required<KeyProvider> {
  requireOptions(options)
  const { service, name, linuxStore } = resolveOptions(options)

  /** Does one thing with an entry. A keychain may ask its user first, for as long as that takes. */
  async function withEntry<T>(
    { keyringId, signal }: ProviderContext,
    entryId: Uint8Array,
    use: (entry: Keyring.AsyncEntry) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted()
    const { AsyncEntry } = await loadOptionalPackage('@napi-rs/keyring', () => import('@napi-rs/keyring'), 'the keychain provider')
    try {
      const account = `${keyringId}/${Buffer.from(entryId).toString('base64url')}`
      return await waitFor(use(new AsyncEntry(service, account, { linux: { store: linuxStore } })), signal)
    } catch (cause) {
      signal?.throwIfAborted()
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new ProviderError(`the system's keychain cannot be used (${reason}): ${advice(linuxStore)}`, { cause })
    }
  }

  async function wrap(key: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
    const entryId = randomBytes(ENTRY_ID_LENGTH)
    const secret = randomBytes(SECRET_LENGTH)
    const kek = deriveKek(secret, context, entryId)
    try {
      const wrapped = concatBytes(Uint8Array.of(VERSION), entryId, wrapKey(kek, key))
      await withEntry(context, entryId, async (entry) => {
        await entry.setSecret(secret)
        // Nobody will know of the entry of a caller who gave up meanwhile.
        if (context.signal?.aborted) await entry.deleteCredential()
      })
      return wrapped
    } finally {
      kek.fill(0)
      secret.fill(0)
    }
  }

  async function unwrap(wrapped: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
    const { entryId, wrappedKey } = parseWrapped(wrapped)
    const found = await withEntry(context, entryId, (entry) => entry.getSecret())
    if (found === null) {
      throw new ProviderError(
        `the system's keychain has no entry of '${service}' for this slot: it is of another user or machine, or was removed`,
      )
    }
    const secret = Uint8Array.from(found)
    found.fill(0)
    const kek = deriveKek(secret, context, entryId)
    secret.fill(0)
    const key = unwrapKey(kek, wrappedKey)
    kek.fill(0)
    if (key === undefined) throw new ProviderError("the entry in the system's keychain does not open this slot of this keyring")
    return key
  }

  async function forget(wrapped: Uint8Array, context: ProviderContext): Promise<void> {
    await withEntry(context, parseWrapped(wrapped).entryId, (entry) => entry.deleteCredential())
  }

  return { name, wrap, unwrap, forget }
}

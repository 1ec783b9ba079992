import type { Credential, KeyManager } from 'sealfile'
import type { Call } from './call.js'
import { CommandError, usageError } from './command-error.js'
import type { GlobalOptions } from './global-options.js'
import { getSecret, readSecretFile, type SecretSource } from './secrets.js'

/** What opens a keyring, and how to forget it. */
export interface HeldCredential {
  readonly credential: Credential
  forget(): void
}

/** Opens the keyring, works with it, and forgets its keys. */
export async function withKeys<T>(call: Call, work: (keyManager: KeyManager) => Promise<T>): Promise<T> {
  const keyManager = await openKeyring(call.settings.keyring(), await getCredential(call.options, call.signal), call.signal)
  try {
    return await work(keyManager)
  } finally {
    keyManager.close()
  }
}

/** @param held - Forgotten. */
export async function openKeyring(path: string, held: HeldCredential, signal: AbortSignal): Promise<KeyManager> {
  try {
    const { KeyManager } = await import('sealfile')
    return await KeyManager.open(path, { ...held.credential, signal })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new CommandError(`there is no keyring '${path}'`, { hint: 'Check the path. A new one is made by: sealfile keys create' })
  } finally {
    held.forget()
  }
}

/** What a passphrase is called, and where else it may come from. */
export type PassphraseSource = Pick<SecretSource, 'name' | 'variable' | 'option' | 'isNew'>

const PASSPHRASE: PassphraseSource = { name: 'passphrase', variable: 'SEALFILE_PASSPHRASE', option: '--passphrase-file' }

/** Gets what opens a keyring, in the way that the options say; by default a passphrase. */
export async function getCredential(
  options: GlobalOptions,
  signal: AbortSignal,
  passphraseSource: PassphraseSource = PASSPHRASE,
): Promise<HeldCredential> {
  const { passphraseFile, passphraseFd, recoveryKey, recoveryKeyFile, recoveryKeyFd, keyFile, keychain } = options
  const isByRecoveryKey = recoveryKey === true || recoveryKeyFile !== undefined || recoveryKeyFd !== undefined
  const isByPassphrase = passphraseFile !== undefined || passphraseFd !== undefined
  const ways = [isByPassphrase, isByRecoveryKey, keyFile !== undefined, keychain === true]
  if (ways.filter(Boolean).length > 1) {
    throw usageError('a keyring is opened by a passphrase, a recovery key, a key or a keychain: which one?')
  }
  if (keychain === true) {
    const { createKeychainProvider } = await import('sealfile/providers')
    return { credential: { provider: createKeychainProvider() }, forget: () => undefined }
  }
  if (keyFile !== undefined) {
    const key = await readSecretFile(keyFile, 'key', signal)
    return { credential: { key }, forget: () => key.fill(0) }
  }
  if (isByRecoveryKey) {
    const source = {
      name: 'recovery key',
      file: recoveryKeyFile,
      fd: recoveryKeyFd,
      variable: 'SEALFILE_RECOVERY_KEY',
      option: '--recovery-key-file',
    }
    const secret = await getSecret(source, signal)
    return { credential: { recoveryKey: secret.toString() }, forget: () => secret.fill(0) }
  }
  const passphrase = await getSecret({ ...passphraseSource, file: passphraseFile, fd: passphraseFd }, signal)
  return { credential: { passphrase }, forget: () => passphrase.fill(0) }
}

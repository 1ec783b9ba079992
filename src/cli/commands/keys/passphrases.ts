import type { Argon2Profile, CreateKeyManagerOptions, KeyManager as Keys, SlotInfo } from 'sealfile'
import type { Call } from '../../call.js'
import { CommandError } from '../../command-error.js'
import { getCredential, openKeyring, withKeys } from '../../open-keys.js'
import type { Facts } from '../../report.js'
import { getSecret } from '../../secrets.js'

/** What concerns a new slot. */
export interface NewSlotOptions {
  readonly label?: string
  readonly argon2?: Argon2Profile
}

/** Where a new passphrase comes from. */
export interface NewPassphraseOptions {
  readonly newPassphraseFile?: string
  readonly newPassphraseFd?: number
}

/** Makes a keyring. */
export async function createKeys(call: Call<NewSlotOptions & { readonly printRecoveryKey?: boolean }>): Promise<undefined> {
  const { options, settings, signal } = call
  const { label, printRecoveryKey = false } = options
  const argon2 = settings.argon2()
  const path = settings.keyring()
  const source = { name: 'new passphrase', variable: 'SEALFILE_PASSPHRASE', option: '--passphrase-file', isNew: true }
  const { KeyManager } = await import('sealfile')
  const held = await getCredential(options, signal, source)
  try {
    const keyManager = await create(path, { ...held.credential, label, argon2, signal })
    try {
      const recoveryKey = printRecoveryKey ? (await keyManager.addRecoveryKey({ signal })).recoveryKey : undefined
      const facts = { command: 'keys create', keyring: path, slots: keyManager.slots(), recoveryKey }
      const text = `${path}: keyring made. Keep a copy of it: without it, no file can be read.`
      await tellOfSlot(call, facts, text, recoveryKey)
    } finally {
      keyManager.close()
    }
  } finally {
    held.forget()
  }
  return undefined

  async function create(to: string, how: CreateKeyManagerOptions): Promise<Keys> {
    try {
      return await KeyManager.create(to, how)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      throw new CommandError(`'${to}' exists, and a keyring is never replaced`, { hint: 'Choose another path.' })
    }
  }
}

/** Puts a new passphrase in an old one's place. */
export async function changePassphrase(call: Call<NewPassphraseOptions & Pick<NewSlotOptions, 'argon2'>>): Promise<undefined> {
  const { options, settings, signal, report } = call
  const path = settings.keyring()
  const { passphraseFile: file, passphraseFd: fd } = options
  const old = await getSecret(
    { name: 'passphrase', file, fd, variable: 'SEALFILE_PASSPHRASE', option: '--passphrase-file' },
    signal,
  )
  try {
    const keyManager = await openKeyring(path, { credential: { passphrase: old }, forget: () => undefined }, signal)
    try {
      const slot = await withNewPassphrase(call, (passphrase) =>
        keyManager.changePassphrase(old, passphrase, { argon2: settings.argon2(), signal }),
      )
      await report.done({ command: 'keys change-passphrase', keyring: path, slot }, `${path}: passphrase changed`)
    } finally {
      keyManager.close()
    }
  } finally {
    old.fill(0)
  }
  return undefined
}

/** Opens a keyring by its recovery key, and adds a passphrase. */
export async function recover(call: Call<NewPassphraseOptions & NewSlotOptions>): Promise<undefined> {
  const { label } = call.options
  const argon2 = call.settings.argon2()
  await withKeys({ ...call, options: { ...call.options, recoveryKey: true } }, async (keyManager) => {
    const slot = await withNewPassphrase(call, (passphrase) =>
      keyManager.addPassphrase(passphrase, { label, argon2, signal: call.signal }),
    )
    const path = call.settings.keyring()
    const text = `${path}: passphrase added. One that is forgotten can go: sealfile keys list, sealfile keys remove`
    await call.report.done({ command: 'keys recover', keyring: path, slot }, text)
  })
  return undefined
}

/** Gets a new passphrase, and forgets it. */
export async function withNewPassphrase(
  { options, signal }: Call<NewPassphraseOptions>,
  use: (passphrase: Buffer) => Promise<SlotInfo>,
): Promise<SlotInfo> {
  const { newPassphraseFile: file, newPassphraseFd: fd } = options
  const passphrase = await getSecret(
    { name: 'new passphrase', file, fd, variable: 'SEALFILE_NEW_PASSPHRASE', option: '--new-passphrase-file', isNew: true },
    signal,
  )
  try {
    return await use(passphrase)
  } finally {
    passphrase.fill(0)
  }
}

/** A recovery key is what the command was called for; a slot alone is told of in passing. */
export async function tellOfSlot({ report }: Call, facts: Facts, text: string, recoveryKey: string | undefined): Promise<void> {
  if (recoveryKey === undefined) return report.done(facts, text)
  await report.note(text)
  await report.result(facts, [recoveryKey])
}

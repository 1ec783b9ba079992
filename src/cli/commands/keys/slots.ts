import type { KeyManager, SlotInfo } from 'sealfile'
import type { Call } from '../../call.js'
import { usageError } from '../../command-error.js'
import { withKeys } from '../../open-keys.js'
import { readSecretFile } from '../../secrets.js'
import { tellOfSlot, withNewPassphrase, type NewPassphraseOptions, type NewSlotOptions } from './passphrases.js'

/** What opens a keyring, as people call it. */
export const KINDS = ['passphrase', 'recovery-key', 'key', 'keychain'] as const

interface AddOptions extends NewPassphraseOptions, NewSlotOptions {
  readonly newKeyFile?: string
}

/** Lists what opens the keyring. */
export async function listSlots(call: Call): Promise<undefined> {
  const { keyring, slots, generation, generations } = await withKeys(call, (keyManager) => {
    const { id, generation: current } = keyManager
    const all = [...keyManager.generations]
    return Promise.resolve({
      keyring: Buffer.from(id).toString('hex'),
      slots: keyManager.slots(),
      generation: current,
      generations: all,
    })
  })
  const facts = { command: 'keys list', keyring, slots, generation, generations }
  const lines = [`keyring ${keyring}, generation ${generation} of ${generations.join(', ')}`, ...slots.map(describe)]
  await call.report.result(facts, lines)
  return undefined
}

function describe({ id, type, label, argon2, provider }: SlotInfo): string {
  const cost =
    argon2 === undefined ? [] : [`Argon2id ${argon2.memoryKiB / 1_024} MiB, ${argon2.passes} passes, ${argon2.lanes} lanes`]
  return [id, type, ...(label === undefined ? [] : [label]), ...cost, ...(provider === undefined ? [] : [provider])].join('  ')
}

/** Adds a way into the keyring. */
export async function addSlot(call: Call<AddOptions>, kind: (typeof KINDS)[number]): Promise<undefined> {
  if (kind === 'key' && call.options.newKeyFile === undefined)
    throw usageError('which key?', 'Give --new-key-file <file> with 32 random bytes.')
  await withKeys(call, async (keyManager) => {
    const { slot, recoveryKey } = await add(call, keyManager, kind)
    await tellOfSlot(call, { command: 'keys add', slot, recoveryKey }, `slot ${slot.id} added`, recoveryKey)
  })
  return undefined
}

async function add(
  call: Call<AddOptions>,
  keyManager: KeyManager,
  kind: (typeof KINDS)[number],
): Promise<{ readonly slot: SlotInfo; readonly recoveryKey?: string }> {
  const { label, newKeyFile } = call.options
  const { signal } = call
  const argon2 = call.settings.argon2()
  if (kind === 'recovery-key') return keyManager.addRecoveryKey({ label, signal })
  if (kind === 'passphrase') {
    return { slot: await withNewPassphrase(call, (passphrase) => keyManager.addPassphrase(passphrase, { label, argon2, signal })) }
  }
  if (kind === 'keychain') {
    const { createKeychainProvider } = await import('sealfile/providers')
    return { slot: await keyManager.addProvider(createKeychainProvider(), { label, signal }) }
  }
  const key = await readSecretFile(newKeyFile!, 'new key', signal)
  try {
    return { slot: await keyManager.addKey(key, { label, signal }) }
  } finally {
    key.fill(0)
  }
}

/** Removes a way into the keyring. */
export async function removeSlot(call: Call, id: string): Promise<undefined> {
  await withKeys(call, async (keyManager) => {
    const slot = keyManager.slots().find((other) => other.id === id)
    if (slot?.type === 'provider' && slot.provider === 'keychain') {
      const { createKeychainProvider } = await import('sealfile/providers')
      await keyManager.removeSlot(id, { provider: createKeychainProvider() })
    } else await keyManager.removeSlot(id)
  })
  await call.report.done(
    { command: 'keys remove', slot: id },
    `slot ${id} removed. Copies of the keyring from before still have it.`,
  )
  return undefined
}

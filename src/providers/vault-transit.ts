import { concatBytes, equalBytes } from '../bytes/arrays.js'
import { ProviderError } from '../errors.js'
import type { KeyProvider, ProviderContext } from '../keys/key-provider.js'
import { resolveVaultOptions, type VaultTransitProviderOptions } from './vault-options.js'
import { callTransit } from './vault-requests.js'

export type { VaultTransitProviderOptions } from './vault-options.js'

const KEY_LENGTH = 32
const LONGEST_WRAPPED = 4_096

/** What a slot is bound to. It is what a derived key is derived from, so it never changes. */
function bindingOf({ keyringId, slotId }: ProviderContext): Uint8Array {
  return Buffer.from(`sealfile/v1/vault-transit ${keyringId} ${slotId}`, 'utf8')
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

/**
 * Opens keyrings with a key that never leaves a key-management service: the transit engine of HashiCorp Vault, or of what speaks as it
 * does, such as OpenBao. Keep a passphrase or a recovery key beside it, for the day when the service is gone.
 *
 * The slot is bound to its keyring as associated data, or with `derived` as the context that the key is derived from; and it is within
 * what is encrypted, because a server that knows neither ignores them. The key must be of an AEAD type: `aes256-gcm96` (the default there),
 * `aes128-gcm96`, `chacha20-poly1305`.
 *
 * @throws TypeError, RangeError for options that cannot be; never with the token. What it returns throws ProviderError
 * `ERR_SEALFILE_PROVIDER`, with the cause, whatever goes wrong.
 *
 * @example
 * ```ts
 * const provider = createVaultTransitProvider({ address: 'https://vault.example.com:8200', getToken, key: 'sealfile' })
 * ```
 */
export function createVaultTransitProvider(options: VaultTransitProviderOptions): KeyProvider {
  const vault = resolveVaultOptions(options)

  const withBinding = (binding: Uint8Array, field: 'ciphertext' | 'plaintext', value: string): Record<string, string> => {
    const bound = toBase64(binding)
    return { [field]: value, associated_data: bound, ...(vault.derived && { context: bound }) }
  }

  async function wrap(key: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
    const binding = bindingOf(context)
    const plaintext = concatBytes(binding, key)
    const request = withBinding(binding, 'plaintext', toBase64(plaintext))
    plaintext.fill(0)
    const ciphertext = await callTransit(vault, 'encrypt', request, 'ciphertext', context.signal)
    if (!/^[\x21-\x7e]+$/.test(ciphertext) || ciphertext.length > LONGEST_WRAPPED) {
      throw new ProviderError(`the key service gave a ciphertext that no slot can hold`)
    }
    return new TextEncoder().encode(ciphertext)
  }

  async function unwrap(wrapped: Uint8Array, context: ProviderContext): Promise<Uint8Array> {
    const binding = bindingOf(context)
    const request = withBinding(binding, 'ciphertext', new TextDecoder().decode(wrapped))
    const plaintext = Buffer.from(await callTransit(vault, 'decrypt', request, 'plaintext', context.signal), 'base64')
    try {
      const isBound = equalBytes(plaintext.subarray(0, binding.length), binding)
      if (!isBound || plaintext.length !== binding.length + KEY_LENGTH) {
        throw new ProviderError('what the key service decrypted is not of this slot of this keyring')
      }
      return new Uint8Array(plaintext.subarray(binding.length))
    } finally {
      plaintext.fill(0)
    }
  }

  return { name: vault.name, wrap, unwrap }
}

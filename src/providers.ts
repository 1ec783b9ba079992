export type { KeyProvider, ProviderContext } from './keys/key-provider.js'
export { createKeychainProvider, type KeychainProviderOptions, type LinuxKeychainStore } from './providers/keychain.js'
export { createVaultTransitProvider, type VaultTransitProviderOptions } from './providers/vault-transit.js'
export type { TokenSource } from './providers/vault-options.js'

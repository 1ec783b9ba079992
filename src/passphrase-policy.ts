export type { PassphraseCheck } from './keys/passphrase-check.js'
export { createPassphrasePolicy, type PassphrasePolicyOptions } from './keys/passphrase-policy.js'

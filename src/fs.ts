export { createEncryptedFs, type EncryptedFs } from './fs/encrypted-fs.js'
export type { EncryptedFsOptions } from './fs/policy.js'

export { findConfig, type FindConfigOptions } from './config/find-config.js'
export { loadConfig } from './config/load-config.js'
export type { BatchFromConfig, Config, FsFromConfig, KeyringFromConfig, OpenFromConfig } from './config/config.js'
export type { PurposeRule } from './config/purpose-rules.js'

export type { AgeAccess, AgeTarget } from './compat/age-access.js'
export { exportToAge, type ExportAgeOptions } from './compat/age-export.js'
export type { AgeIdentity, AgeRecipient, AgeStanza } from './compat/age-package.js'
export { createAicoEncryptStream, createAicoReadStream, type AicoStreamOptions } from './compat/aico-streams.js'
export {
  inspectAico,
  isAicoFile,
  readAicoFile,
  writeAicoFile,
  type AicoInspection,
  type ReadAicoOptions,
  type WriteAicoOptions,
} from './compat/aico-file.js'
export { AicoKeys, type AicoAccess, type AicoPassphraseOptions } from './compat/aico-keys.js'
export { detectFormat, type FileFormat } from './compat/detect-format.js'
export { migrateFile, type MigratedFile } from './compat/migrate-file.js'
export {
  migrateDirectory,
  type DirectoryMigration,
  type DirectoryProgress,
  type ForEachPath,
  type MigrateDirectoryOptions,
  type MigrationFailure,
  type SkippedEntry,
} from './compat/migrate-directory.js'
export type {
  MigrateFileOptions,
  MigrationFormat,
  MigrationOptions,
  MigrationPhase,
  MigrationProgress,
} from './compat/migration-options.js'

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

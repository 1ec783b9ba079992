import { readFileSync } from 'node:fs'
import { AicoKeys, type AicoAccess } from '../../src/compat.js'

/** The frozen file, and a master key that the reference implementation of Argon2 made. */
export const AICO = JSON.parse(readFileSync(new URL('../vectors/aico.json', import.meta.url), 'utf8')) as {
  readonly files: readonly Readonly<Record<'masterKey' | 'purpose' | 'fileKey' | 'salt' | 'nonce' | 'text' | 'file', string>>[]
  readonly masters: readonly Readonly<Record<'passphrase' | 'salt' | 'masterKey', string>>[]
}

/** What most tests read and write AICO files with. */
export const ACCESS: AicoAccess = {
  keys: AicoKeys.fromMasterKey(Buffer.from(AICO.files[0]!.masterKey, 'hex')),
  purpose: AICO.files[0]!.purpose,
}

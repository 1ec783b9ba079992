import { createHash } from 'node:crypto'
import { invalidArgType, WITHHELD } from '../argument-errors.js'
import { concatBytes, equalBytes } from '../bytes/arrays.js'
import { InvalidKeyError } from '../errors.js'

/**
 * Recovery keys as people read and type them (docs/keyring.md, "Recovery keys"): 32 bytes and a checksum of three in Crockford's base 32,
 * which has no letters that look like others, in groups of four.
 */

const KEY_LENGTH = 32
const CHECKSUM_LENGTH = 3
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BITS = 5
const SYMBOL_COUNT = ((KEY_LENGTH + CHECKSUM_LENGTH) * 8) / BITS
const GROUP_LENGTH = 4
/** What else is typed for a symbol, and what separates groups. */
const LOOKALIKES: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' }
const SEPARATORS = /[\s-]/g

function checksum(key: Uint8Array): Uint8Array {
  return createHash('sha256').update('sealfile/v1/recovery-key').update(key).digest().subarray(0, CHECKSUM_LENGTH)
}

/** @param key - 32 bytes. @returns 14 groups of four symbols, joined by hyphens. */
export function formatRecoveryKey(key: Uint8Array): string {
  let text = ''
  let [pending, count] = [0, 0]
  for (const byte of concatBytes(key, checksum(key))) {
    pending = pending * 256 + byte
    for (count += 8; count >= BITS; count -= BITS) {
      const scale = 2 ** (count - BITS)
      text += SYMBOLS[Math.floor(pending / scale)]!
      pending %= scale
    }
  }
  return text.match(new RegExp(`.{${GROUP_LENGTH}}`, 'g'))!.join('-')
}

/**
 * Reads a recovery key as it was typed: in any case, with or without separators, O for zero and I or L for one.
 *
 * @returns 32 bytes, the caller's to zeroise.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no string.
 * @throws InvalidKeyError `ERR_SEALFILE_RECOVERY_KEY` if it was mistyped. The message never shows it.
 */
export function parseRecoveryKey(text: unknown, name = 'options.recoveryKey'): Uint8Array {
  if (typeof text !== 'string') throw invalidArgType(name, 'of type string', WITHHELD)
  const symbols = text.replace(SEPARATORS, '').toUpperCase()
  if (symbols.length !== SYMBOL_COUNT) {
    throw mistyped(`the recovery key has ${symbols.length} letters, not ${SYMBOL_COUNT}`)
  }
  const bytes = new Uint8Array(KEY_LENGTH + CHECKSUM_LENGTH)
  let [pending, count, length] = [0, 0, 0]
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i]!
    const value = SYMBOLS.indexOf(LOOKALIKES[symbol] ?? symbol)
    if (value < 0) throw mistyped(`the recovery key has a letter that none has, in group ${Math.floor(i / GROUP_LENGTH) + 1}`)
    pending = pending * 2 ** BITS + value
    count += BITS
    if (count < 8) continue
    count -= 8
    bytes[length++] = Math.floor(pending / 2 ** count)
    pending %= 2 ** count
  }
  const key = bytes.slice(0, KEY_LENGTH)
  const isRight = equalBytes(checksum(key), bytes.subarray(KEY_LENGTH))
  bytes.fill(0)
  if (isRight) return key
  key.fill(0)
  throw mistyped('the recovery key was mistyped: its checksum does not match')
}

function mistyped(message: string): InvalidKeyError {
  return new InvalidKeyError('ERR_SEALFILE_RECOVERY_KEY', message)
}

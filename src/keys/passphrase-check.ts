import { WeakPassphraseError } from '../errors.js'

/**
 * Looks at a new passphrase, and throws {@link WeakPassphraseError} `ERR_SEALFILE_WEAK_PASSPHRASE` where it would be guessed. The message
 * says why and never holds the passphrase. Whatever else it throws is passed on, and the passphrase is not taken either.
 *
 * @param passphrase - Text in Unicode's form NFC, as Argon2id gets it.
 */
export type PassphraseCheck = (passphrase: string) => void | Promise<void>

/** @returns the text that the bytes are in UTF-8, undefined where they are none. A byte order mark stays a character of it. */
function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Runs a check on a new passphrase, where there is a check. Bytes that are UTF-8 are checked as the text that they are: people give
 * passphrases as bytes in order to overwrite them. Other bytes are no text that someone chose, and are not checked.
 *
 * @throws what the check throws; WeakPassphraseError `ERR_SEALFILE_WEAK_PASSPHRASE` also where it answers false, as a check that was
 * written as a predicate does.
 */
export async function runPassphraseCheck(check: PassphraseCheck | undefined, passphrase: string | Uint8Array): Promise<void> {
  if (check === undefined) return
  const text = typeof passphrase === 'string' ? passphrase : decodeText(passphrase)
  if (text === undefined) return
  const outcome: unknown = check(text.normalize('NFC'))
  if ((await outcome) === false) throw new WeakPassphraseError('the passphrase was refused')
}

import { Buffer } from 'node:buffer'
import { open } from 'node:fs/promises'
import { CorruptedFileError, EncryptedFile, KeyManager, SealfileError } from 'sealfile'
import { readFrom } from './copies.mjs'

const SEGMENT_SIZE = 65_536

/** @typedef {(line: string) => void} Print */

/**
 * Does what must not work.
 *
 * @param {() => Promise<unknown>} attempt
 * @returns {Promise<SealfileError>} the error that it gave.
 * @throws any error that is not the library's, and one if there was none.
 */
async function refusal(attempt) {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof SealfileError) return error
    throw error
  }
  throw new Error('this should have been refused')
}

/** @param {string} path @param {number} position */
async function flipBit(path, position) {
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, position)
    byte.writeUInt8(byte.readUInt8() ^ 1)
    await file.write(byte, 0, 1, position)
  } finally {
    await file.close()
  }
}

/** @param {SealfileError} error */
function describe(error) {
  return `${error.name} ${error.code}\n    ${error.message}`
}

/**
 * Flips one bit in the middle of a copy, shows what reading gives, and flips it back.
 *
 * @param {import('./copies.mjs').Copy} copy
 * @param {import('sealfile').KeyManager} keyManager
 * @param {Print} print
 */
export async function showDamage(copy, keyManager, print) {
  const position = Math.floor(copy.size / 2)
  await flipBit(copy.path, position)
  let returned = 0
  const error = await refusal(async () => {
    const file = await EncryptedFile.open(copy.path, 'r', { keyManager, purpose: copy.purpose })
    try {
      for await (const piece of readFrom(file)) returned += piece.length
    } finally {
      await file.close()
    }
  })
  print(`  one bit of byte ${position.toLocaleString('en')} of ${copy.name} flipped, and the file read from its beginning:`)
  print(`    ${describe(error)}`)
  if (error instanceof CorruptedFileError && error.segment !== undefined) {
    print(`    returned before: ${returned.toLocaleString('en')} bytes; of segment ${error.segment}: nothing`)
    const file = await EncryptedFile.open(copy.path, 'r', { keyManager, purpose: copy.purpose })
    let behind = 0
    for await (const piece of readFrom(file, (error.segment + 1) * SEGMENT_SIZE)) behind += piece.length
    await file.close()
    print(`    behind it, ${behind.toLocaleString('en')} bytes can still be read`)
  }
  await flipBit(copy.path, position)
}

/**
 * Opens a copy for another purpose, and the keyring with another passphrase.
 *
 * @param {import('./copies.mjs').Copy} copy
 * @param {{ path: string, keyManager: KeyManager }} keyring
 * @param {Print} print
 */
export async function showWrongKeys(copy, keyring, print) {
  const { keyManager } = keyring
  const wrongPurpose = await refusal(() => EncryptedFile.open(copy.path, 'r', { keyManager, purpose: 'another purpose' }))
  print(`  ${copy.name} opened for another purpose:\n    ${describe(wrongPurpose)}`)
  const wrongPassphrase = await refusal(() => KeyManager.open(keyring.path, { passphrase: 'not the passphrase' }))
  print(`  the keyring opened with another passphrase:\n    ${describe(wrongPassphrase)}`)
}

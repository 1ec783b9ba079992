import { KeyManager } from 'sealfile'

/**
 * Opens the keyring that KEYRING names, `keyring.json` if it names none, with the passphrase in PASSPHRASE. The first time it makes one.
 *
 * @returns {Promise<KeyManager>}
 */
export async function openKeys() {
  const { PASSPHRASE: passphrase, KEYRING: path = 'keyring.json' } = process.env
  if (!passphrase) throw new Error('set PASSPHRASE, which opens the keyring')
  try {
    return await KeyManager.open(path, { passphrase })
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  try {
    const keyManager = await KeyManager.create(path, { passphrase })
    console.error(`made ${path}: whoever loses it loses the files, so keep a copy elsewhere`)
    return keyManager
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  // Another program that started at the same time has made it.
  return KeyManager.open(path, { passphrase })
}

/** @param {unknown} error @returns {string | undefined} the code of an error, of sealfile's or the system's. */
export function codeOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/**
 * Runs a program, and ends it with a line that says what went wrong.
 *
 * @param {() => Promise<void>} main
 */
export function run(main) {
  main().catch((/** @type {unknown} */ error) => {
    console.error(error instanceof Error ? `${codeOf(error) ?? error.name}: ${error.message}` : error)
    process.exitCode = 1
  })
}

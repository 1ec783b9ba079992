import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ConfigError } from '../errors.js'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'
import { makeConfig, type Config } from './config.js'
import { checkFields, type Fault } from './config-schema.js'
import { checkTrust, CONFIG_NAMES, findConfig, type FindConfigOptions } from './find-config.js'
import { findForbiddenKeys } from './forbidden-keys.js'
import { nearName } from './near-name.js'
import { parseConfig } from './parse-config.js'

const LARGEST = 65_536
const MOST_FAULTS_SHOWN = 10
const LONGEST_KEY_SHOWN = 40

/**
 * Reads a configuration: segment size, cipher, durability, commit interval, the cost of passphrases, the keyring, and what files are for by
 * patterns of their paths. It is JSON, or YAML where the package `yaml` is installed; it runs no code and holds no secret.
 *
 * @param where - The file, which is then trusted whoever owns it; or where to look for one, as {@link findConfig} does.
 * @throws ConfigError `ERR_SEALFILE_CONFIG` naming the keys that are wrong, or where there is none; PackageMissingError
 * `ERR_SEALFILE_PACKAGE_MISSING`; system errors.
 *
 * @example
 * ```ts
 * const config = await loadConfig()
 * const keyManager = await KeyManager.open(config.keyring, { passphrase })
 * const file = await EncryptedFile.open('app.log', 'a', { keyManager, ...config.openOptions('app.log') })
 * ```
 */
export async function loadConfig(where: PathLike | FindConfigOptions = {}): Promise<Config> {
  const path = isPath(where) ? resolve(nameOf(where)) : await locate(where)
  const tree = await parseConfig(await readText(path, !isPath(where)), path)
  const forbidden = findForbiddenKeys(tree)
  if (forbidden.length > 0) throw errorOf(forbidden, path)
  const checked = checkFields(tree)
  if ('faults' in checked) throw errorOf(checked.faults, path)
  return makeConfig(checked.fields, path)
}

function isPath(where: PathLike | FindConfigOptions): where is PathLike {
  return typeof where !== 'object' || Buffer.isBuffer(where) || where instanceof URL
}

async function locate(where: FindConfigOptions): Promise<string> {
  const found = await findConfig(where)
  if (found !== undefined) return found
  const from = resolve(nameOf(where.from ?? process.cwd()))
  throw new ConfigError(`there is none of ${CONFIG_NAMES.join(', ')} here or in a folder around it`, { path: from })
}

/** @param isFound - Nobody has named it. */
async function readText(path: string, isFound: boolean): Promise<string> {
  const file = await open(path)
  try {
    // What was looked at may be gone, and another in its place.
    if (isFound) checkTrust(await file.stat(), path)
    const bytes = new Uint8Array(LARGEST + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, length)
      length += bytesRead
      if (length > LARGEST) throw new ConfigError(`a configuration has at most ${LARGEST} bytes`, { path })
      if (bytesRead === 0) break
    }
    return decode(bytes.subarray(0, length), path)
  } finally {
    await file.close()
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigError('this is not UTF-8', { path })
  }
}

function errorOf(faults: readonly Fault[], path: string): ConfigError {
  const shown = faults.slice(0, MOST_FAULTS_SHOWN).map(({ path: keys, message, known }) => {
    return `${keys.length === 0 ? 'the configuration' : nameKeys(keys)} ${message}${known === undefined ? '' : suggest(keys, known)}`
  })
  if (faults.length > shown.length) shown.push(`and ${faults.length - shown.length} more`)
  return new ConfigError(shown.join('; '), { path, keys: faults.map((fault) => nameKeys(fault.path)) })
}

/** @returns such as `purposes[2].pattern`. */
function nameKeys(keys: readonly (string | number)[]): string {
  return keys
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${showKey(key)}`))
    .join('')
    .replace(/^\./, '')
}

function showKey(key: string): string {
  const short = key.length > LONGEST_KEY_SHOWN ? `${key.slice(0, LONGEST_KEY_SHOWN)}...` : key
  return /^[\w.-]+$/.test(short) ? short : JSON.stringify(short)
}

function suggest(keys: readonly (string | number)[], known: readonly string[]): string {
  const near = nearName(String(keys.at(-1)), known)
  return near === undefined ? `; there may be ${known.join(', ')}` : `; did you mean ${near}?`
}

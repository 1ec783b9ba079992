import type { Fault } from './config-schema.js'

/** Keys that there may be nowhere in a configuration, whatever stands around them. */

const DEEPEST = 8

/** Would be written into the prototype by whoever copies the tree carelessly. */
const PROTOTYPE_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Of names in small letters, with their words parted by `_`. */
const SECRET_NAME =
  /passphrase|password|passwd|secret|credential|token|recovery|^(?:pass|pwd|pin)$|(?:^|_|private|master|raw|api|data|encryption)keys?$/

const SECRET_MESSAGE =
  'looks like a secret, and a configuration holds none: give passphrases and keys to KeyManager, from a prompt, an environment variable, ' +
  'a file that only you can read, or a keychain'

/** @returns a fault for each forbidden key, and for nesting that no configuration needs. */
export function findForbiddenKeys(value: unknown, path: readonly (string | number)[] = []): Fault[] {
  if (typeof value !== 'object' || value === null) return []
  if (path.length > DEEPEST) return [{ path: path.slice(0, 1), message: `is nested deeper than ${DEEPEST} levels` }]
  const isList = Array.isArray(value)
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, isList ? Number(key) : key]
    if (!isList && PROTOTYPE_KEYS.has(key)) return [{ path: here, message: 'is not allowed' }]
    if (!isList && isSecretName(key, path)) return [{ path: here, message: SECRET_MESSAGE }]
    return findForbiddenKeys(inner, here)
  })
}

function isSecretName(key: string, path: readonly (string | number)[]): boolean {
  // Profiles are called as their owner likes.
  if (path.length === 1 && path[0] === 'argon2Profiles') return false
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_')
  return SECRET_NAME.test(words.toLowerCase())
}

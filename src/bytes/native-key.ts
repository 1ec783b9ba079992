import { createSecretKey, type KeyObject } from 'node:crypto'
import { versions } from 'node:process'

/**
 * A key as `node:crypto` takes it soonest. Node 24 looks first whether it is a CryptoKey, by an exception that it catches, which costs more
 * than an HMAC; with a KeyObject it does not. Elsewhere a KeyObject is the slower one. What it copies is overwritten when it is collected.
 */
export const nativeKey: (key: Uint8Array) => Uint8Array | KeyObject = versions.node.startsWith('24.')
  ? createSecretKey
  : (key) => key

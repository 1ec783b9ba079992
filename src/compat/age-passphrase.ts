import { scrypt } from 'node:crypto'
import { randomNonce } from '../bytes/random.js'
import { concatBytes } from '../bytes/arrays.js'
import { InvalidFileFormatError, LimitError } from '../errors.js'
import { openAead, sealAead } from '../seal/aead.js'
import { AEADS } from '../seal/suites.js'
import { decodeBase64 } from './age-armor.js'
import type { AgeIdentity, AgePackage, AgeRecipient, AgeStanza } from './age-package.js'

/**
 * The scrypt recipient of age (age-encryption.org/v1, "The scrypt recipient type"). The package has one, too, which blocks the thread for
 * a second; that of Node runs beside it.
 */

const TYPE = 'scrypt'
const LABEL = 'age-encryption.org/v1/scrypt'
const SALT_LENGTH = 16
const BODY_LENGTH = 32
const KEY_LENGTH = 32
const TAG_LENGTH = 16
const BLOCK_SIZE = 8
const AEAD = AEADS['chacha20-poly1305']
/** Each key is used once. */
const NONCE = new Uint8Array(12)
const NO_DATA = new Uint8Array(0)

/** Base-2 logarithms of the work: what one may ask for, and what age itself asks for. 2^20 takes 1 GiB. */
export const LEAST_WORK_FACTOR = 1
export const MOST_WORK_FACTOR = 22
export const MOST_WORK_FACTOR_READ = 20
export const USUAL_WORK_FACTOR = 18

function deriveKey(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Uint8Array> {
  const cost = { N: 2 ** workFactor, r: BLOCK_SIZE, p: 1 }
  // OpenSSL counts what it needs besides, too.
  const maxmem = 128 * BLOCK_SIZE * (cost.N + 64) + 2 ** 20
  return new Promise((resolve, reject) => {
    scrypt(passphrase, concatBytes(Buffer.from(LABEL), salt), KEY_LENGTH, { ...cost, maxmem }, (error, key) => {
      if (error) reject(error)
      else resolve(key)
    })
  })
}

/** Opens files that a passphrase was given for. */
export class PassphraseIdentity implements AgeIdentity {
  readonly #passphrase: string
  readonly #maxWorkFactor: number
  readonly #path: string

  /** @param path - For messages. */
  constructor(passphrase: string, maxWorkFactor: number, path: string) {
    this.#passphrase = passphrase
    this.#maxWorkFactor = maxWorkFactor
    this.#path = path
  }

  /**
   * @returns null for another kind of recipient, and for another passphrase.
   * @throws LimitError `ERR_SEALFILE_LIMIT` if the file asks for more work than the caller allows; nothing was allocated for it.
   * @throws InvalidFileFormatError `ERR_SEALFILE_FORMAT_HEADER` for a stanza that is none.
   */
  async unwrapFileKey(stanzas: AgeStanza[]): Promise<Uint8Array | null> {
    const stanza = stanzas.find(({ args }) => args[0] === TYPE)
    if (stanza === undefined) return null
    const { salt, workFactor } = parseStanza(stanza, stanzas.length, this.#path)
    if (workFactor > this.#maxWorkFactor) {
      const message = `the age file asks for a work factor of ${workFactor}, and maxWorkFactor is ${this.#maxWorkFactor}`
      throw new LimitError(message, { path: this.#path })
    }
    const key = await deriveKey(this.#passphrase, salt, workFactor)
    const { body } = stanza
    const sealed = { ciphertext: body.subarray(0, -TAG_LENGTH), tag: body.subarray(-TAG_LENGTH) }
    const fileKey = openAead(AEAD, key, NONCE, NO_DATA, sealed)
    key.fill(0)
    return fileKey ?? null
  }
}

interface ScryptStanza {
  readonly salt: Uint8Array
  readonly workFactor: number
}

function parseStanza({ args, body }: AgeStanza, count: number, path: string): ScryptStanza {
  const [, saltText = '', workText = ''] = args
  const salt = decodeBase64(saltText, false)
  const isGood = count === 1 && args.length === 3 && /^[1-9]\d*$/.test(workText) && body.length === BODY_LENGTH
  if (!isGood || salt?.length !== SALT_LENGTH) {
    const message = "the age file's header is damaged: its scrypt stanza is none"
    throw new InvalidFileFormatError('ERR_SEALFILE_FORMAT_HEADER', message, { path })
  }
  return { salt, workFactor: Number(workText) }
}

/** Makes files that a passphrase opens. */
export class PassphraseRecipient implements AgeRecipient {
  readonly #passphrase: string
  readonly #workFactor: number
  readonly #age: AgePackage

  constructor(passphrase: string, workFactor: number, age: AgePackage) {
    this.#passphrase = passphrase
    this.#workFactor = workFactor
    this.#age = age
  }

  async wrapFileKey(fileKey: Uint8Array): Promise<AgeStanza[]> {
    const salt = randomNonce(SALT_LENGTH)
    const key = await deriveKey(this.#passphrase, salt, this.#workFactor)
    const { ciphertext, tag } = sealAead(AEAD, key, NONCE, NO_DATA, fileKey)
    key.fill(0)
    const saltText = Buffer.from(salt).toString('base64').replace(/=+$/, '')
    return [new this.#age.Stanza([TYPE, saltText, String(this.#workFactor)], concatBytes(ciphertext, tag))]
  }
}

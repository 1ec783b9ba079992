import { createHash } from 'node:crypto'
import { equalBytes } from '../bytes/arrays.js'
import { KeyringError } from '../errors.js'
import { computeHmac } from '../seal/kdf.js'
import { HKDF_SHA256 } from '../seal/suites.js'
import { ARGON2_MAXIMA, LEAST_KIB_PER_LANE, type Argon2Parameters } from './argon2-parameters.js'
import { canonicalText, omitFields, type JsonObject, type JsonValue } from './canonical-json.js'
import { WRAPPED_KEY_LENGTH } from './key-wrap.js'
import { encodeBytes, KeyringFields } from './keyring-fields.js'

/** The keyring file (docs/keyring.md): pure parsing and building. */

const FORMAT = 'sealfile-keyring'
const VERSION = 1
const ARGON2_VERSION = 0x13
const ID_LENGTH = 16
const SALT_LENGTH = 16
const DIGEST_LENGTH = 32
export const MAX_SLOTS = 64
export const MAX_GENERATIONS = 8_192
const MAX_NAME = 255
export const MAX_GENERATION = 2 ** 32 - 1
/** Bytes that a provider may give for a slot's secret. */
export const MAX_SEALED_SECRET = 4_096
/** Bytes that a keyring file may have. */
export const MAX_KEYRING_SIZE = 1_048_576

interface AnySlot {
  readonly id: Uint8Array
  /** What its owner calls it. */
  readonly label?: string | undefined
  readonly json: JsonObject
}

interface WrappingSlot extends AnySlot {
  /** KWP of the keyring key. */
  readonly wrappedKey: Uint8Array
}

/** A slot that a passphrase opens. */
export interface PassphraseSlot extends WrappingSlot {
  readonly type: 'passphrase'
  readonly argon2: Argon2Parameters
  readonly salt: Uint8Array
}

/** A slot that 32 secret bytes open: a recovery key, or one that is kept elsewhere. */
export interface SecretSlot extends WrappingSlot {
  readonly type: 'recovery' | 'key'
}

/** A slot that an external provider opens. */
export interface ProviderSlot extends WrappingSlot {
  readonly type: 'provider'
  readonly provider: string
  /** What the provider gave for the slot's secret. */
  readonly sealedSecret: Uint8Array
}

/** A slot that this version cannot open, and keeps as it is. */
export interface UnknownSlot extends AnySlot {
  readonly type: 'unknown'
}

/** A slot that this version can open. */
export type KnownSlot = PassphraseSlot | SecretSlot | ProviderSlot
export type Slot = KnownSlot | UnknownSlot

/** One master key as it lies in the keyring. */
export interface KeyringGeneration {
  readonly generation: number
  /** KWP of the master key. */
  readonly wrappedKey: Uint8Array
  readonly json: JsonObject
}

/**
 * A keyring's public side. Its `json`, and that of its parts, is what it was read from or will be written as, with the fields
 * that this version does not know.
 */
export interface Keyring {
  readonly id: Uint8Array
  /** Grows by one with each rewrite. */
  readonly revision: number
  readonly slots: readonly Slot[]
  readonly generations: readonly KeyringGeneration[]
  /** The generation that new files get. */
  readonly current: number
  readonly json: JsonObject
}

/** Builds a slot, ready for a keyring. */
export function buildSlot(slot: WithoutJson<KnownSlot>): KnownSlot {
  const { id, type, label, wrappedKey } = slot
  const json: JsonObject = {
    id: encodeBytes(id),
    type,
    ...(label === undefined ? {} : { label }),
    ...fieldsOfType(slot),
    wrappedKey: encodeBytes(wrappedKey),
  }
  return { ...slot, json }
}

type WithoutJson<S> = S extends unknown ? Omit<S, 'json'> : never

function fieldsOfType(slot: WithoutJson<KnownSlot>): JsonObject {
  switch (slot.type) {
    case 'passphrase': {
      const { memoryKiB, passes, lanes } = slot.argon2
      return { kdf: { name: 'argon2id', version: ARGON2_VERSION, memoryKiB, passes, lanes, salt: encodeBytes(slot.salt) } }
    }
    case 'provider':
      return { provider: slot.provider, sealedSecret: encodeBytes(slot.sealedSecret) }
    default:
      return {}
  }
}

/** Builds a generation, ready for a keyring. */
export function buildGeneration(generation: number, wrappedKey: Uint8Array): KeyringGeneration {
  return { generation, wrappedKey, json: { generation, wrappedKey: encodeBytes(wrappedKey) } }
}

function authenticatedText(json: JsonObject): Uint8Array {
  return Buffer.from(canonicalText(omitFields(json, 'mac', 'checksum')), 'utf8')
}

/** The checksum is over the mac as well, so that damage to that needs no passphrase to be found. */
function computeChecksum(json: JsonObject): Uint8Array {
  return createHash('sha256')
    .update(canonicalText(omitFields(json, 'checksum')), 'utf8')
    .digest()
}

/**
 * Gives the text of a keyring, authenticated.
 *
 * @param macKey - 32 bytes.
 * @throws KeyringError if it is more than a reader takes.
 */
export function serializeKeyring(keyring: Keyring, macKey: Uint8Array): Uint8Array {
  const { id, revision, slots, generations, current } = keyring
  const content: JsonObject = {
    ...omitFields(keyring.json, 'mac', 'checksum'),
    format: FORMAT,
    version: VERSION,
    id: encodeBytes(id),
    revision,
    slots: slots.map((slot) => slot.json),
    generations: generations.map((generation) => generation.json),
    current,
  }
  const authenticated: JsonObject = { ...content, mac: encodeBytes(computeHmac(HKDF_SHA256, macKey, authenticatedText(content))) }
  const json: JsonObject = { ...authenticated, checksum: encodeBytes(computeChecksum(authenticated)) }
  const text = Buffer.from(`${JSON.stringify(json, null, 2)}\n`, 'utf8')
  parseKeyring(text)
  return text
}

/** Tells whether a keyring is as the holder of its key wrote it. @param macKey - 32 bytes. */
export function isAuthentic(keyring: Keyring, macKey: Uint8Array): boolean {
  const mac = new KeyringFields(keyring.json, '', undefined).bytes('mac', DIGEST_LENGTH)
  return equalBytes(computeHmac(HKDF_SHA256, macKey, authenticatedText(keyring.json)), mac)
}

/**
 * Reads a keyring file. Nothing in the result is authenticated yet.
 *
 * @param path - The file, for messages.
 * @throws KeyringError `ERR_SEALFILE_KEYRING`, or `ERR_SEALFILE_KEYRING_VERSION` where an intact keyring is of a later version.
 */
export function parseKeyring(bytes: Uint8Array, path?: string): Keyring {
  const fields = parseFields(bytes, path)
  if (fields.text('format') !== FORMAT) throw fields.refusal('this is not a keyring')
  const version = fields.integer('version', 1, Number.MAX_SAFE_INTEGER)
  checkDamage(fields)
  if (version !== VERSION) {
    throw new KeyringError('ERR_SEALFILE_KEYRING_VERSION', `the keyring has version ${version}, and ${VERSION} is the last known`, {
      path,
    })
  }
  const slots = fields.objects('slots', MAX_SLOTS).map(readSlot)
  const generations = fields.objects('generations', MAX_GENERATIONS).map(readGeneration)
  const current = fields.integer('current', 1, MAX_GENERATION)
  if (hasTwice(slots.map((slot) => encodeBytes(slot.id)))) throw fields.refusal('two slots have the same id')
  if (hasTwice(generations.map(({ generation }) => generation))) throw fields.refusal('a generation is there twice')
  if (!generations.some(({ generation }) => generation === current))
    throw fields.refusal(`the current generation ${current} is missing`)
  fields.bytes('mac', DIGEST_LENGTH)
  const id = fields.bytes('id', ID_LENGTH)
  return { id, revision: fields.integer('revision', 1, Number.MAX_SAFE_INTEGER), slots, generations, current, json: fields.json }
}

function parseFields(bytes: Uint8Array, path: string | undefined): KeyringFields {
  const refuse = (reason: string, cause?: unknown) => new KeyringError('ERR_SEALFILE_KEYRING', reason, { path, cause })
  if (bytes.length === 0) throw refuse('the keyring is empty: its creation was interrupted')
  if (bytes.length > MAX_KEYRING_SIZE) throw refuse(`the keyring has more than ${MAX_KEYRING_SIZE} bytes`)
  let json: JsonValue
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as JsonValue
  } catch (error) {
    throw refuse('the keyring is not JSON', error)
  }
  return new KeyringFields(json, '', path)
}

function checkDamage(fields: KeyringFields): void {
  const checksum = fields.bytes('checksum', DIGEST_LENGTH)
  let actual: Uint8Array
  try {
    actual = computeChecksum(fields.json)
  } catch (error) {
    throw fields.refusal('the keyring holds what no keyring can', error)
  }
  if (!equalBytes(actual, checksum)) throw fields.refusal('the keyring is damaged: its checksum does not match')
}

function readSlot(slot: KeyringFields): Slot {
  const id = slot.bytes('id', ID_LENGTH)
  const type = slot.text('type')
  switch (type) {
    case 'passphrase':
      return readPassphraseSlot(slot, id)
    case 'recovery':
    case 'key':
      return { type, ...readWrapping(slot, id) }
    case 'provider': {
      const provider = slot.text('provider')
      if (!isName(provider)) throw slot.refusal('the name of a provider is out of shape')
      return { type, provider, sealedSecret: slot.bytesUpTo('sealedSecret', MAX_SEALED_SECRET), ...readWrapping(slot, id) }
    }
    default:
      return { type: 'unknown', id, json: slot.json }
  }
}

function readWrapping(slot: KeyringFields, id: Uint8Array): WrappingSlot {
  const label = slot.has('label') ? slot.text('label') : undefined
  if (label !== undefined && !isName(label)) throw slot.refusal('the label of a slot is out of shape')
  return { id, label, wrappedKey: slot.bytes('wrappedKey', WRAPPED_KEY_LENGTH), json: slot.json }
}

function readPassphraseSlot(slot: KeyringFields, id: Uint8Array): PassphraseSlot | UnknownSlot {
  const unknown: UnknownSlot = { type: 'unknown', id, json: slot.json }
  const kdf = slot.object('kdf')
  if (kdf.text('name') !== 'argon2id' || kdf.integer('version', 0, Number.MAX_SAFE_INTEGER) !== ARGON2_VERSION) return unknown
  const lanes = kdf.integer('lanes', 1, ARGON2_MAXIMA.lanes)
  const memoryKiB = kdf.integer('memoryKiB', LEAST_KIB_PER_LANE * lanes, ARGON2_MAXIMA.memoryKiB)
  const argon2 = { memoryKiB, passes: kdf.integer('passes', 1, ARGON2_MAXIMA.passes), lanes }
  const salt = kdf.bytes('salt', SALT_LENGTH)
  return { type: 'passphrase', argon2, salt, ...readWrapping(slot, id) }
}

/** Tells whether text is fit for a label, or a provider's name: 1 to 255 bytes of UTF-8 without control characters. */
export function isName(text: string): boolean {
  return text !== '' && !/[\p{Cc}\p{Cs}]/u.test(text) && Buffer.byteLength(text) <= MAX_NAME
}

function readGeneration(fields: KeyringFields): KeyringGeneration {
  const generation = fields.integer('generation', 1, MAX_GENERATION)
  return { generation, wrappedKey: fields.bytes('wrappedKey', WRAPPED_KEY_LENGTH), json: fields.json }
}

function hasTwice(values: readonly unknown[]): boolean {
  return new Set(values).size < values.length
}

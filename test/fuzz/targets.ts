import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { checkFields } from '../../src/config/config-schema.js'
import { findForbiddenKeys } from '../../src/config/forbidden-keys.js'
import { parseConfig } from '../../src/config/parse-config.js'
import { buildRecord, parseRecord, RECORD_SIZE } from '../../src/container/commit-record.js'
import { buildKeySlot, KEY_SLOT_COUNT, keySlotBytes, listKeySlots } from '../../src/container/key-slots.js'
import { buildPreamble, parsePreamble, PREAMBLE_SIZE } from '../../src/container/preamble.js'
import { buildDirectory, directorySize, parseDirectory } from '../../src/container/redo-list.js'
import { EncryptedFile, KeyManager, SealfileError } from '../../src/index.js'
import { canonicalText, isJsonObject, omitFields, type JsonValue } from '../../src/keys/canonical-json.js'
import { isAuthentic, parseKeyring, serializeKeyring } from '../../src/keys/keyring.js'
import { computeHmac } from '../../src/seal/kdf.js'
import { HKDF_SHA256 } from '../../src/seal/suites.js'

/** A parser that hostile bytes get to. */
export interface FuzzTarget {
  readonly name: string
  /** Whether it reads text: JSON is altered as JSON then, too. */
  readonly isText?: boolean
  /** What the corpus begins with. */
  seeds(): Uint8Array[]
  /** Makes checksums and MACs fit again, so that what lies behind them is reached: what a holder of the keys can write. */
  readonly authenticate?: (bytes: Uint8Array) => Uint8Array
  /**
   * Parses, and builds again what was parsed.
   *
   * @returns what was seen, in a few words: inputs are kept that show something new.
   * @throws SealfileError where the bytes are refused; anything else is a find.
   */
  run(bytes: Uint8Array): string | Promise<string>
}

/** What must hold of every input. */
function require(holds: boolean, what: string): void {
  if (!holds) throw new Error(`broken: ${what}`)
}

const vectors = new URL('../vectors/', import.meta.url)
const example = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`format-v1/${name}.enc`, vectors)))
const sha256 = (...parts: (Uint8Array | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const KEY = new Uint8Array(32).fill(7)

const preamble: FuzzTarget = {
  name: 'preamble',
  seeds: () =>
    ['empty', 'stream', 'aes-256-gcm-siv', 'version-2', 'cut-header'].map((name) => example(name).subarray(0, PREAMBLE_SIZE)),
  run(bytes) {
    const parsed = parsePreamble(bytes)
    require(Buffer.from(buildPreamble(parsed)).equals(bytes.subarray(0, PREAMBLE_SIZE)), 'a preamble is built as it was')
    return `${parsed.kind} ${parsed.parameters.aead.name} ${parsed.parameters.segmentMax}`
  },
}

const HEADER_SIZE = 288
const atLeast = (bytes: Uint8Array, length: number): Uint8Array => {
  const whole = new Uint8Array(length)
  whole.set(bytes.subarray(0, length))
  return whole
}

const keySlots: FuzzTarget = {
  name: 'key-slots',
  seeds: () => ['empty', 'damaged-key-slot', 'stream'].map((name) => example(name).subarray(0, HEADER_SIZE)),
  authenticate(bytes) {
    const header = atLeast(bytes, HEADER_SIZE)
    for (let slot = 0; slot < KEY_SLOT_COUNT; slot++) {
      const place = keySlotBytes(header, slot)
      place.set(sha256(header.subarray(0, PREAMBLE_SIZE), Uint8Array.of(slot), place.subarray(0, 80)).subarray(0, 16), 80)
    }
    return header
  },
  run(bytes) {
    const header = atLeast(bytes, HEADER_SIZE)
    const found = listKeySlots(header)
    for (const { slot, content } of found) {
      const built = buildKeySlot(header.subarray(0, PREAMBLE_SIZE), slot, content)
      require(Buffer.from(built).equals(keySlotBytes(header, slot)), 'a key slot is built as it was')
      require(content.sequence > 0, 'a key slot has a sequence')
    }
    require(found.length < 2 || found[0]!.content.sequence >= found[1]!.content.sequence, 'the newest key slot is the first')
    return `slots ${found.map(({ slot }) => slot).join()}`
  },
}

const record: FuzzTarget = {
  name: 'commit-record',
  seeds: () =>
    ['redo-list', 'several-segments', 'writer-died', 'empty'].map((name) => example(name).subarray(512, 512 + RECORD_SIZE)),
  authenticate(bytes) {
    const whole = atLeast(bytes, RECORD_SIZE)
    whole.set(computeHmac(HKDF_SHA256, KEY, Uint8Array.of(0), whole.subarray(0, 224)), 224)
    return whole
  },
  run(bytes) {
    const whole = atLeast(bytes, RECORD_SIZE)
    const parsed = parseRecord(whole, 0, KEY)
    for (const slot of [1, 2]) require(parseRecord(whole, slot, KEY) === undefined, 'a record is of one slot')
    if (parsed === undefined) return 'refused'
    const built = buildRecord(parsed, 0, KEY)
    require(isDeepStrictEqual(parseRecord(built, 0, KEY), parsed), 'a record is built as it was')
    // Without a list, where one would lie has no meaning, and is not kept.
    if (parsed.redo !== undefined) require(Buffer.from(built).equals(whole), 'a record has one form')
    return `clean ${parsed.clean} applied ${parsed.applied} list ${parsed.redo !== undefined}`
  },
}

const redoList: FuzzTarget = {
  name: 'redo-list',
  seeds: () => [
    buildDirectory([]),
    buildDirectory(
      [1, 2].map((index) => ({ index, position: 4_096 * index, length: 9, nonce: KEY.subarray(0, 12), tag: KEY.subarray(0, 16) })),
    ),
  ],
  run(bytes) {
    const whole = bytes.subarray(0, bytes.length - (bytes.length % directorySize(1)))
    const entries = parseDirectory(whole)
    require(directorySize(entries.length) === whole.length, 'every entry is there')
    if (!entries.every(({ index, position }) => Number.isSafeInteger(index) && Number.isSafeInteger(position))) return 'unbounded'
    require(Buffer.from(buildDirectory(entries)).equals(whole), 'a directory is built as it was')
    return `entries ${Math.min(entries.length, 3)}`
  },
}

const keyring: FuzzTarget = {
  name: 'keyring',
  isText: true,
  seeds: () =>
    ['keyring-v1', 'keyring-v1-slots'].map((name) => {
      const { keyring } = JSON.parse(readFileSync(new URL(`${name}.json`, vectors), 'utf8')) as { keyring: string }
      return Buffer.from(keyring)
    }),
  authenticate(bytes) {
    try {
      const json = JSON.parse(Buffer.from(bytes).toString()) as JsonValue
      if (!isJsonObject(json)) return bytes
      const mac = computeHmac(HKDF_SHA256, KEY, Buffer.from(canonicalText(omitFields(json, 'mac', 'checksum'))))
      const authenticated = { ...omitFields(json, 'checksum'), mac: Buffer.from(mac).toString('base64url') }
      return Buffer.from(JSON.stringify({ ...authenticated, checksum: sha256(canonicalText(authenticated)).toString('base64url') }))
    } catch {
      return bytes
    }
  },
  run(bytes) {
    const parsed = parseKeyring(bytes)
    const text = serializeKeyring(parsed, KEY)
    const again = parseKeyring(text)
    require(isAuthentic(again, KEY), 'a keyring that was written is authentic')
    require(Buffer.from(serializeKeyring(again, KEY)).equals(text), 'a keyring has one form')
    require(isDeepStrictEqual(
      omitFields(again.json, 'mac', 'checksum'),
      omitFields(parsed.json, 'mac', 'checksum'),
    ), 'no field of a keyring is lost')
    return `slots ${[...new Set(parsed.slots.map(({ type }) => type))].sort().join()}`
  },
}

const config: FuzzTarget = {
  name: 'config',
  isText: true,
  seeds: () => [
    Buffer.from('{"keyring":"k","segmentSize":4096,"argon2":"a","argon2Profiles":{"a":{"memoryKiB":64,"passes":1,"lanes":1}}}'),
    Buffer.from('{"purposes":[{"pattern":"**/*.log","purpose":"logs"},{"pattern":"{a,b}/[0-9]?","purpose":"x"}]}'),
    Buffer.from('cipher: aes-256-gcm\npurposes:\n  - pattern: "**"\n    purpose: all # every one\n'),
  ],
  async run(bytes) {
    const text = Buffer.from(bytes.subarray(0, 65_536)).toString()
    const seen: string[] = []
    for (const name of ['a.json', 'a.yaml']) {
      try {
        const tree = await parseConfig(text, name)
        const forbidden = findForbiddenKeys(tree)
        const checked = checkFields(tree)
        if (forbidden.length > 0 || 'faults' in checked) seen.push(`${name} refused`)
        else seen.push(`${name} ${Object.keys(checked.fields).sort().join()}`)
      } catch (error) {
        if (!(error instanceof SealfileError)) throw error
        seen.push(error.message.replace(/\d+/g, '0'))
      }
    }
    return seen.join('; ')
  },
}

const manifest = JSON.parse(readFileSync(new URL('format-v1/manifest.json', vectors), 'utf8')) as {
  readonly key: string
  readonly entries: readonly { readonly file: string; readonly sha256?: string }[]
}
const contents = new Set(manifest.entries.map(({ sha256 }) => sha256))
const options = { keyManager: KeyManager.fromKey(new Uint8Array(Buffer.from(manifest.key, 'hex'))), purpose: 'vectors' }

/** A whole file, altered by someone without its keys: what is read is what was written, or nothing. */
const file: FuzzTarget = {
  name: 'file',
  seeds: () => ['one-segment', 'redo-list', 'stream'].map(example),
  async run(bytes) {
    const source = { size: bytes.length, readAt: (position: number, length: number) => bytes.subarray(position, position + length) }
    const opened = await EncryptedFile.fromSource(source, options)
    try {
      const content = await opened.readFile()
      require(contents.has(sha256(content).toString('hex')), 'what is read is what was written')
      return `read ${content.length}`
    } finally {
      await opened.close()
    }
  },
}

export const TARGETS: readonly FuzzTarget[] = [preamble, keySlots, record, redoList, keyring, config, file]

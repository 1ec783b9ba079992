import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deriveRecordKey } from '../../src/container/commit-record.js'
import { globalAssociatedData, sealParameters, type ContainerKind } from '../../src/container/preamble.js'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { deriveKey } from '../../src/seal/kdf.js'
import { payloadInfo } from '../../src/seal/parameters.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { AEADS, HKDF_SHA256 } from '../../src/seal/suites.js'
import {
  CONTEXT,
  DEK,
  hexDump,
  makeEditableExample,
  makeStreamExample,
  MASTER_KEY,
  PLAINTEXT,
  PURPOSE,
  SALT,
} from '../support/format-example.js'

const document = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8')

/** The bytes that the document shows: lines of an offset and sixteen bytes, zeros where none is. */
function bytesInDocument(kind: ContainerKind, size: number): Buffer {
  const dump = new RegExp(`\`\`\`hex ${kind}\n([^\`]*)\`\`\``).exec(document)?.[1] ?? ''
  const bytes = Buffer.alloc(size)
  for (const line of dump.trim().split('\n')) {
    const [offset = '', hex = ''] = line.split(/ {2}/)
    bytes.write(hex.replaceAll(' ', ''), Number.parseInt(offset, 16), 'hex')
  }
  return bytes
}

/** The section of the document on one kind of file, or on the keys before both. */
function sectionOf(kind: ContainerKind | 'keys'): string {
  const [, keys = '', editable = '', stream = ''] =
    /## Worked example([^]*)### An editable file([^]*)### A stream([^]*)/.exec(document) ?? []
  return { keys, editable, stream }[kind]
}

function expectValue(kind: ContainerKind | 'keys', name: string, value: Uint8Array): void {
  expect(sectionOf(kind)).toMatch(new RegExp(`^ {4}${name} +${Buffer.from(value).toString('hex')}$`, 'm'))
}

describe.each([
  { kind: 'editable', make: makeEditableExample },
  { kind: 'stream', make: makeStreamExample },
] as const)('the worked $kind example of docs/format.md', ({ kind, make }) => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealfile-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('is what the format makes of its values, byte for byte', () => {
    const made = make()
    expect(hexDump(bytesInDocument(kind, made.length))).toBe(hexDump(made))
  })

  test('opens with its key, purpose and context', async () => {
    const path = join(folder, kind)
    writeFileSync(path, bytesInDocument(kind, make().length))
    using keyManager = KeyManager.fromKey(MASTER_KEY)
    await using file = await EncryptedFile.open(path, 'r', { keyManager, purpose: PURPOSE, context: CONTEXT })
    expect(await file.readFile()).toEqual(PLAINTEXT)
  })

  test('shows its keys', () => {
    const parameters = sealParameters(kind, AEADS['aes-256-gcm'], 4_096, SALT)
    const associatedData = globalAssociatedData(kind, parameters, PURPOSE, CONTEXT)
    const schedule = new KeySchedule(parameters, DEK, associatedData)
    const derive = (label: string, length: number): Uint8Array =>
      deriveKey(HKDF_SHA256, parameters.protocol, label, [DEK], payloadInfo(parameters), length)
    expectValue(kind, 'G', associatedData)
    expectValue(kind, 'commitment', schedule.commitment)
    expectValue(kind, 'payload_key', derive('payload_key', 32))
    expectValue(kind, 'segment_key', schedule.segmentKey(0))
    if (kind === 'stream') expectValue(kind, 'nonce_base', derive('nonce_base', 12))
    else {
      expectValue(kind, 'snap_key', derive('acc_key', 32))
      expectValue(kind, 'record_key', deriveRecordKey(DEK, SALT))
    }
  })
})

test('the example shows the keys that come from the master key', () => {
  const keyringId = deriveKey(HKDF_SHA256, 'sealfile/v1/keyring', 'raw_key_id', [MASTER_KEY], [], 16)
  const generation = Uint8Array.of(0, 0, 0, 1)
  const kekInfo = [Buffer.from(PURPOSE), SALT, keyringId, generation]
  expectValue('keys', 'keyring id', keyringId)
  expectValue('keys', 'KEK', deriveKey(HKDF_SHA256, 'sealfile/v1/purpose', 'kek', [MASTER_KEY], kekInfo, 32))
  expectValue(
    'keys',
    'check key',
    deriveKey(HKDF_SHA256, 'sealfile/v1/check', 'check_key', [MASTER_KEY], [keyringId, generation], 32),
  )
})

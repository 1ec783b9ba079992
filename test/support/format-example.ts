import { buildRecord, deriveRecordKey, recordPosition } from '../../src/container/commit-record.js'
import { buildKeySlot, keyCheckHeader, keySlotPosition } from '../../src/container/key-slots.js'
import {
  buildPreamble,
  globalAssociatedData,
  headerSizeOf,
  sealParameters,
  type ContainerKind,
} from '../../src/container/preamble.js'
import { EMPTY_DIRECTORY_DIGEST, GrowthDigest } from '../../src/container/redo-list.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { encryptSegment } from '../../src/seal/segment.js'
import { accumulate } from '../../src/seal/snapshot.js'
import { AEADS } from '../../src/seal/suites.js'

/** The files of docs/format.md, "Worked example", made from fixed values instead of random ones. */

function sequence(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i)
}

export const MASTER_KEY = sequence(0x00, 32)
export const DEK = sequence(0x20, 32)
export const SALT = sequence(0x40, 32)
export const PURPOSE = 'config'
export const CONTEXT = Buffer.from('tenant-7')
export const PLAINTEXT = Buffer.from('hello sealfile\n')
const SEGMENT_SIZE = 4_096
const NONCES = [sequence(0x80, 12), sequence(0x90, 12)] as const

interface Made {
  /** The header so far: preamble and key slots. */
  readonly header: Uint8Array
  readonly schedule: KeySchedule
}

function makeHeader(kind: ContainerKind): Made {
  const parameters = sealParameters(kind, AEADS['aes-256-gcm'], SEGMENT_SIZE, SALT)
  const schedule = new KeySchedule(parameters, DEK, globalAssociatedData(kind, parameters, PURPOSE, CONTEXT))
  const preamble = buildPreamble({ kind, parameters, commitment: schedule.commitment })
  using keyManager = KeyManager.fromKey(MASTER_KEY)
  const request = { purpose: PURPOSE, salt: SALT, header: keyCheckHeader(preamble, 0, 1) }
  const slot = buildKeySlot(preamble, 0, { sequence: 1, ...keyManager.wrapFileKey(request, DEK) })
  const header = new Uint8Array(headerSizeOf(kind))
  header.set(preamble)
  header.set(slot, keySlotPosition(0))
  return { header, schedule }
}

/** An editable file, written in one go and closed. */
export function makeEditableExample(): Buffer {
  const { header, schedule } = makeHeader('editable')
  const snapshotKey = schedule.snapshotKey!
  const segment = encryptSegment(schedule, { index: 0, isFinal: false }, PLAINTEXT, NONCES[0])
  const final = encryptSegment(schedule, { index: 1, isFinal: true }, new Uint8Array(0), NONCES[1])
  const accumulator = snapshotKey.emptyAccumulator()
  accumulate(accumulator, snapshotKey.contribution(0, segment.tag))
  accumulate(accumulator, snapshotKey.contribution(1, final.tag))
  const growth = new GrowthDigest()
  growth.add(0, segment.tag)
  const record = {
    sequence: 1,
    durableSequence: 0,
    plaintextLength: PLAINTEXT.length,
    growthBegan: 0,
    encryptionCount: 2,
    redo: undefined,
    clean: true,
    applied: false,
    redoDigest: EMPTY_DIRECTORY_DIGEST,
    growthDigest: growth.digest(),
    finalNonce: final.nonce,
    finalTag: final.tag,
    snapshot: snapshotKey.seal(2, accumulator),
  }
  const recordKey = deriveRecordKey(DEK, SALT)
  for (const slot of [0, 1, 2]) header.set(buildRecord(record, slot, recordKey), recordPosition(slot))
  return Buffer.concat([header, segment.nonce, segment.ciphertext, segment.tag])
}

/** A stream of the same text. */
export function makeStreamExample(): Buffer {
  const { header, schedule } = makeHeader('stream')
  const { ciphertext, tag } = encryptSegment(schedule, { index: 0, isFinal: true }, PLAINTEXT)
  return Buffer.concat([header, ciphertext, tag])
}

/** The bytes as the document shows them: sixteen in a line, each line with its offset, zero lines left out. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const line = Buffer.from(bytes.subarray(offset, offset + 16))
    if (line.every((byte) => byte === 0)) continue
    lines.push(`${offset.toString(16).padStart(4, '0')}  ${line.toString('hex').replace(/(..)(?=.)/g, '$1 ')}`)
  }
  return lines.join('\n')
}

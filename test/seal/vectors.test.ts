import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { concatBytes } from '../../src/bytes/arrays.js'
import { u64 } from '../../src/bytes/integers.js'
import { openAead, type Sealed } from '../../src/seal/aead.js'
import { deriveKey } from '../../src/seal/kdf.js'
import { nonceModeId, payloadInfo, snapshotId, type Protocol, type SealParameters } from '../../src/seal/parameters.js'
import { KeySchedule } from '../../src/seal/schedule.js'
import { decryptSegment, encryptSegment, type EncryptedSegment, type SegmentPlace } from '../../src/seal/segment.js'
import { accumulate, SnapshotKey } from '../../src/seal/snapshot.js'
import { findAead, findKdf } from '../../src/seal/suites.js'
import { flipBit, fromHex, NO_BYTES, toHex } from './support.js'

interface VectorSegment {
  readonly index?: number
  readonly is_final: 0 | 1
  readonly nonce_hex: string
  readonly segment_aad_hex?: string
  readonly segment_key_hex?: string
  readonly ciphertext_hex: string
  readonly tag_hex: string
  readonly contrib_hex?: string
}

interface Vector {
  readonly source: string
  readonly protocol_id: Protocol
  readonly cek_hex: string
  readonly payload_info: {
    readonly aead_id: number
    readonly segment_max: number
    readonly kdf_id: number
    readonly snap_id: number
    readonly nonce_mode: number
    readonly epoch_length: number
    readonly salt_hex: string
  }
  readonly schedule: {
    readonly commitment_hex: string
    readonly payload_key_hex: string
    readonly acc_key_hex?: string
    readonly nonce_base_hex?: string
  }
  readonly segment_0?: VectorSegment
  readonly segments?: readonly VectorSegment[]
  readonly snapshot?: {
    readonly accumulator_hex: string
    readonly mask_hex: string
    readonly wrapped_acc_hex: string
    readonly snapshot_tag_hex: string
  }
  readonly rewrite_segment_0?: {
    readonly is_final: 0 | 1
    readonly new_nonce_hex: string
    readonly new_ciphertext_hex: string
    readonly new_tag_hex: string
    readonly new_contrib_hex: string
    readonly new_accumulator_hex: string
    readonly new_wrapped_acc_hex: string
    readonly new_snapshot_tag_hex: string
  }
  readonly negative_snapverify?: { readonly tampered_accumulator_hex: string }
  readonly stored_object_hex?: string
}

/** The files do not give the plaintexts; they decrypt to these. */
const PLAINTEXTS = ['Hello, SEAL!', 'Two segments of SEAL']
const REWRITTEN_PLAINTEXT = 'Rewritten SEAL segment'

const NAMES = ['F1', 'F5', 'F9', 'F16', 'F17', 'F23']
const FILES = NAMES.map(
  (name) => JSON.parse(readFileSync(new URL(`../vectors/seal/${name}.json`, import.meta.url), 'utf8')) as Vector,
)

/** @returns a copy of `value` that takes the path of each member out of `unread` when it is read. */
function watch(value: unknown, unread: Set<string>, path = ''): unknown {
  if (typeof value !== 'object' || value === null) return value
  const watched = Array.isArray(value) ? [] : {}
  for (const [key, member] of Object.entries(value)) {
    const memberPath = `${path}/${key}`
    const child = watch(member, unread, memberPath)
    unread.add(memberPath)
    Object.defineProperty(watched, key, { get: () => (unread.delete(memberPath), child) })
  }
  return watched
}

function parametersOf({ protocol_id, payload_info: info }: Vector): SealParameters {
  return {
    protocol: protocol_id,
    aead: findAead(info.aead_id)!,
    kdf: findKdf(info.kdf_id)!,
    segmentMax: info.segment_max,
    nonceMode: info.nonce_mode === 0 ? 'random' : 'derived',
    epochLength: info.epoch_length,
    salt: fromHex(info.salt_hex),
  }
}

function scheduleOf(vector: Vector): KeySchedule {
  return new KeySchedule(parametersOf(vector), fromHex(vector.cek_hex), NO_BYTES)
}

function placesOf(vector: Vector): { place: SegmentPlace; segment: VectorSegment }[] {
  const segments = vector.segments ?? [vector.segment_0!]
  return segments.map((segment, i) => ({ place: { index: segment.index ?? i, isFinal: segment.is_final === 1 }, segment }))
}

function storedOf(segment: VectorSegment): EncryptedSegment {
  return { nonce: fromHex(segment.nonce_hex), ciphertext: fromHex(segment.ciphertext_hex), tag: fromHex(segment.tag_hex) }
}

function snapshotOf(vector: Vector): Uint8Array | undefined {
  const { snapshot } = vector
  return snapshot && concatBytes(fromHex(snapshot.wrapped_acc_hex), fromHex(snapshot.snapshot_tag_hex))
}

function toText(plaintext: Uint8Array | undefined): string | undefined {
  return plaintext && Buffer.from(plaintext).toString()
}

/** Both directions: what is stored decrypts, and encrypting again gives what is stored. */
function checkSegment(schedule: KeySchedule, place: SegmentPlace, stored: EncryptedSegment, plaintext: string): void {
  expect(toText(decryptSegment(schedule, place, stored))).toBe(plaintext)
  const nonce = schedule.parameters.nonceMode === 'random' ? stored.nonce : undefined
  expect(encryptSegment(schedule, place, Buffer.from(plaintext), nonce)).toEqual(stored)
}

function checkSchedule(vector: Vector, schedule: KeySchedule): void {
  const { parameters } = schedule
  const { protocol, kdf, aead } = parameters
  const derive = (label: string, length: number) =>
    toHex(deriveKey(kdf, protocol, label, [fromHex(vector.cek_hex)], payloadInfo(parameters), length))
  const expected = vector.schedule
  expect(snapshotId(protocol)).toBe(vector.payload_info.snap_id)
  expect(nonceModeId(parameters.nonceMode)).toBe(vector.payload_info.nonce_mode)
  expect(toHex(schedule.commitment)).toBe(expected.commitment_hex)
  expect(derive('payload_key', aead.keyLength)).toBe(expected.payload_key_hex)
  expect(derive('acc_key', kdf.hashLength) === expected.acc_key_hex).toBe(protocol === 'SEAL-RW-v1')
  expect(derive('nonce_base', aead.nonceLength) === expected.nonce_base_hex).toBe(parameters.nonceMode === 'derived')
}

function checkSegments(vector: Vector, schedule: KeySchedule): void {
  const { protocol, kdf, aead, epochLength, nonceMode } = schedule.parameters
  for (const { place, segment } of placesOf(vector)) {
    const stored = storedOf(segment)
    const plaintext = PLAINTEXTS[place.index]!
    checkSegment(schedule, place, stored, plaintext)

    const key = schedule.segmentKey(place.index)
    const epoch = u64(place.index >> epochLength)
    expect(key).toEqual(deriveKey(kdf, protocol, 'epoch_key', [fromHex(vector.schedule.payload_key_hex)], [epoch], 32))
    if (segment.segment_key_hex !== undefined) expect(toHex(key)).toBe(segment.segment_key_hex)
    if (nonceMode === 'derived') expect(toHex(schedule.derivedNonce(place.index, place.isFinal))).toBe(segment.nonce_hex)
    if (segment.segment_aad_hex !== undefined) {
      expect(toText(openAead(aead, key, stored.nonce, fromHex(segment.segment_aad_hex), stored))).toBe(plaintext)
    }
    if (segment.contrib_hex !== undefined) {
      expect(toHex(schedule.snapshotKey!.contribution(place.index, stored.tag))).toBe(segment.contrib_hex)
    }
  }
}

function checkSnapshot(vector: Vector, schedule: KeySchedule): void {
  const { snapshot } = vector
  if (snapshot === undefined) return
  const { kdf } = schedule.parameters
  const key = schedule.snapshotKey!
  const accKey = fromHex(vector.schedule.acc_key_hex!)
  const places = placesOf(vector)
  const accumulator = key.emptyAccumulator()
  for (const { place, segment } of places) accumulate(accumulator, key.contribution(place.index, fromHex(segment.tag_hex)))
  expect(toHex(accumulator)).toBe(snapshot.accumulator_hex)

  const count = places.length
  const stored = snapshotOf(vector)!
  expect(key.seal(count, accumulator)).toEqual(stored)
  expect(key.open(count, stored)).toEqual(accumulator)
  expect(key.verify(count, accumulator, stored)).toBe(true)
  expect(new SnapshotKey(kdf, accKey.slice()).seal(count, accumulator)).toEqual(stored)
  const maskInfo = [u64(count), fromHex(snapshot.snapshot_tag_hex)]
  expect(toHex(deriveKey(kdf, 'SEAL-RW-v1', 'snapshot_mask', [accKey], maskInfo, kdf.hashLength))).toBe(snapshot.mask_hex)
}

function checkRewrite(vector: Vector, schedule: KeySchedule): void {
  const { rewrite_segment_0: rewrite } = vector
  if (rewrite === undefined) return
  const key = schedule.snapshotKey!
  const place = { index: 0, isFinal: rewrite.is_final === 1 }
  const stored = {
    nonce: fromHex(rewrite.new_nonce_hex),
    ciphertext: fromHex(rewrite.new_ciphertext_hex),
    tag: fromHex(rewrite.new_tag_hex),
  }
  checkSegment(schedule, place, stored, REWRITTEN_PLAINTEXT)

  const contribution = key.contribution(0, stored.tag)
  expect(toHex(contribution)).toBe(rewrite.new_contrib_hex)
  const count = placesOf(vector).length
  const accumulator = key.open(count, snapshotOf(vector)!)!
  accumulate(accumulator, key.contribution(0, fromHex(placesOf(vector)[0]!.segment.tag_hex)))
  accumulate(accumulator, contribution)
  expect(toHex(accumulator)).toBe(rewrite.new_accumulator_hex)
  expect(toHex(key.seal(count, accumulator))).toBe(rewrite.new_wrapped_acc_hex + rewrite.new_snapshot_tag_hex)
  expect(key.verify(count, accumulator, snapshotOf(vector)!)).toBe(false)
}

function checkNegativeSnapshot(vector: Vector, schedule: KeySchedule): void {
  if (vector.negative_snapverify === undefined) return
  const tampered = fromHex(vector.negative_snapverify.tampered_accumulator_hex)
  const count = placesOf(vector).length
  expect(schedule.snapshotKey!.verify(count, tampered, snapshotOf(vector)!)).toBe(false)
  const { mask_hex, snapshot_tag_hex } = vector.snapshot!
  const wrapped = fromHex(mask_hex)
  accumulate(wrapped, tampered)
  expect(schedule.snapshotKey!.open(count, concatBytes(wrapped, fromHex(snapshot_tag_hex)))).toBeUndefined()
}

/** salt || commitment || ciphertext || tag: read from these bytes alone, as a reader would. */
function checkStoredObject(vector: Vector): void {
  if (vector.stored_object_hex === undefined) return
  const object = fromHex(vector.stored_object_hex)
  const schedule = new KeySchedule({ ...parametersOf(vector), salt: object.slice(0, 32) }, fromHex(vector.cek_hex), NO_BYTES)
  expect(schedule.commitsTo(object.subarray(32, 64))).toBe(true)
  const sealed: Sealed = { ciphertext: object.subarray(64, -16), tag: object.subarray(-16) }
  expect(toText(decryptSegment(schedule, { index: 0, isFinal: true }, sealed))).toBe(PLAINTEXTS[0])
}

describe.each(FILES)('$source', (file) => {
  const schedule = scheduleOf(file)
  const { nonceMode } = schedule.parameters

  test('gives every value', () => {
    const unread = new Set<string>()
    const vector = watch(file, unread) as Vector
    const made = scheduleOf(vector)
    checkSchedule(vector, made)
    checkSegments(vector, made)
    checkSnapshot(vector, made)
    checkRewrite(vector, made)
    checkNegativeSnapshot(vector, made)
    checkStoredObject(vector)
    for (const path of ['/name', '/source', '/negative_snapverify/comment']) unread.delete(path)
    expect([...unread]).toEqual([])
  })

  test('refuses each segment with any one bit changed', () => {
    for (const { place, segment } of placesOf(file)) {
      const stored = storedOf(segment)
      for (const part of ['ciphertext', 'tag', 'nonce'] as const) {
        for (let bit = 0; bit < stored[part].length * 8; bit++) {
          const opened = decryptSegment(schedule, place, { ...stored, [part]: flipBit(stored[part], bit) })
          // A derived nonce is not stored: what stands in its place has no effect.
          if (part === 'nonce' && nonceMode === 'derived') expect(toText(opened)).toBe(PLAINTEXTS[place.index])
          else expect(opened, `${part}, bit ${bit}`).toBeUndefined()
        }
      }
    }
  })

  test('refuses each segment cut, grown, or with its last byte moved into the tag', () => {
    for (const { place, segment } of placesOf(file)) {
      const { nonce, ciphertext, tag } = storedOf(segment)
      const zero = Uint8Array.of(0)
      for (const changed of [
        { nonce, ciphertext: ciphertext.subarray(1), tag },
        { nonce, ciphertext: ciphertext.subarray(0, -1), tag },
        { nonce, ciphertext: concatBytes(ciphertext, zero), tag },
        { nonce, ciphertext: NO_BYTES, tag },
        { nonce, ciphertext, tag: tag.subarray(0, -1) },
        { nonce, ciphertext, tag: tag.subarray(0, 4) },
        { nonce, ciphertext, tag: NO_BYTES },
        { nonce, ciphertext, tag: concatBytes(tag, zero) },
        { nonce, ciphertext: ciphertext.subarray(0, -1), tag: concatBytes(ciphertext.subarray(-1), tag) },
        { nonce, ciphertext: concatBytes(ciphertext, tag), tag: NO_BYTES },
      ]) {
        expect(decryptSegment(schedule, place, changed)).toBeUndefined()
      }
    }
  })

  test('refuses each segment at any other place', () => {
    for (const { place, segment } of placesOf(file)) {
      const stored = storedOf(segment)
      expect(decryptSegment(schedule, { ...place, isFinal: !place.isFinal }, stored)).toBeUndefined()
      for (const index of [0, 1, 2, 3, 255, 256, 2 ** 31, 2 ** 32, 2 ** 32 + place.index, 2 ** 52 - 1]) {
        if (index === place.index) continue
        expect(decryptSegment(schedule, { ...place, index }, stored), `index ${index}`).toBeUndefined()
        expect(decryptSegment(schedule, { index, isFinal: !place.isFinal }, stored)).toBeUndefined()
      }
      expect(decryptSegment(schedule, { ...place, associatedData: NO_BYTES }, stored)).toBeUndefined()
    }
  })

  test('commits to its key, its parameters and its associated data, and to no others', () => {
    const commitment = fromHex(file.schedule.commitment_hex)
    const cek = fromHex(file.cek_hex)
    const parameters = parametersOf(file)
    expect(schedule.commitsTo(commitment)).toBe(true)
    for (let bit = 0; bit < commitment.length * 8; bit++) expect(schedule.commitsTo(flipBit(commitment, bit))).toBe(false)
    for (const cut of [NO_BYTES, commitment.subarray(1), commitment.subarray(0, -1)]) expect(schedule.commitsTo(cut)).toBe(false)

    const others = [
      new KeySchedule(parameters, flipBit(cek, 0), NO_BYTES),
      new KeySchedule(parameters, flipBit(cek, 255), NO_BYTES),
      new KeySchedule(parameters, cek, Uint8Array.of(0)),
      new KeySchedule({ ...parameters, salt: flipBit(parameters.salt, 100) }, cek, NO_BYTES),
      new KeySchedule({ ...parameters, segmentMax: parameters.segmentMax * 2 }, cek, NO_BYTES),
      new KeySchedule({ ...parameters, epochLength: parameters.epochLength + 1 }, cek, NO_BYTES),
      new KeySchedule({ ...parameters, kdf: findKdf(0x0003)! }, cek, NO_BYTES),
      new KeySchedule(
        { ...parameters, aead: findAead(parameters.aead.id === 0x001f ? 0x0002 : 0x001f)!, ...writeOnce(parameters) },
        cek,
        NO_BYTES,
      ),
    ]
    for (const other of others) expect(other.commitsTo(commitment)).toBe(false)
  })

  test.runIf(file.snapshot !== undefined)(
    'refuses its snapshot with any one bit changed, of another length, or for another count',
    () => {
      const key = schedule.snapshotKey!
      const snapshot = snapshotOf(file)!
      const accumulator = fromHex(file.snapshot!.accumulator_hex)
      const count = placesOf(file).length
      const refuse = (changed: Uint8Array, segmentCount: number) => {
        expect(key.open(segmentCount, changed)).toBeUndefined()
        expect(key.verify(segmentCount, accumulator, changed)).toBe(false)
      }
      for (let bit = 0; bit < snapshot.length * 8; bit++) refuse(flipBit(snapshot, bit), count)
      for (const changed of [NO_BYTES, snapshot.subarray(1), snapshot.subarray(0, -1), concatBytes(snapshot, Uint8Array.of(0))]) {
        refuse(changed, count)
      }
      for (const other of [0, 1, 2, 3, count + 2 ** 32, 2 ** 53 - 1]) if (other !== count) refuse(snapshot, other)
    },
  )
})

/** With derived nonces only a write-once object may have an AEAD that is not misuse-resistant. */
function writeOnce({ nonceMode, protocol }: SealParameters): Pick<SealParameters, 'protocol'> {
  return { protocol: nonceMode === 'derived' ? 'SEAL-RO-v1' : protocol }
}

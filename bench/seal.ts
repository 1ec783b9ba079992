import { createCipheriv, randomBytes } from 'node:crypto'
import { randomNonce } from '../src/bytes/random.js'
import { sealParameters } from '../src/container/preamble.js'
import { KeySchedule } from '../src/seal/schedule.js'
import { decryptSegment, encryptSegment } from '../src/seal/segment.js'
import { accumulate } from '../src/seal/snapshot.js'
import { AEADS } from '../src/seal/suites.js'
import { assert, compare } from './harness.js'

/** Segments in memory beside a bare loop over the same pieces. */

const SEGMENT_SIZE = 65_536
const SEGMENTS = 2_048

export async function benchSeal(rounds: number): Promise<void> {
  const key = randomBytes(32)
  const piece = randomBytes(SEGMENT_SIZE)
  const schedule = new KeySchedule(
    sealParameters('editable', AEADS['aes-256-gcm'], SEGMENT_SIZE, randomBytes(32)),
    key,
    new Uint8Array(0),
  )
  const snapshotKey = schedule.snapshotKey!
  const place = { index: 3, isFinal: false }
  const sealed = encryptSegment(schedule, place, piece, randomNonce(12))
  assert(Buffer.compare(decryptSegment(schedule, place, sealed)!, piece) === 0, 'a segment does not decrypt')
  const ours = {
    name: 'segments with snapshot',
    run() {
      const accumulator = snapshotKey.emptyAccumulator()
      for (let index = 0; index < SEGMENTS; index++) {
        const { tag } = encryptSegment(schedule, { index, isFinal: false }, piece, randomNonce(12))
        accumulate(accumulator, snapshotKey.contribution(index, tag))
      }
    },
  }
  const baseline = {
    name: 'createCipheriv',
    run() {
      const nonce = Buffer.alloc(12)
      for (let index = 0; index < SEGMENTS; index++) {
        nonce.writeUInt32BE(index)
        const cipher = createCipheriv('aes-256-gcm', key, nonce)
        cipher.update(piece)
        cipher.final()
        cipher.getAuthTag()
      }
    },
  }
  await compare('encrypt 128 MiB in memory, 64 KiB pieces', ours, baseline, 0.85, rounds)
}

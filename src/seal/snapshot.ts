import { concatBytes, equalBytes } from '../bytes/arrays.js'
import { u64 } from '../bytes/integers.js'
import { SecretBytes } from '../bytes/secret.js'
import { deriveKey, KeptKdf } from './kdf.js'
import type { Kdf } from './suites.js'

const PROTOCOL = 'SEAL-RW-v1'
/** So many contributions are derived one by one. */
const FEW = 4

/** XORs `contribution` into `accumulator`: the same step adds a segment and takes it out again. */
export function accumulate(accumulator: Uint8Array, contribution: Uint8Array): void {
  for (let i = 0; i < accumulator.length; i++) accumulator[i]! ^= contribution[i]!
}

/**
 * Makes and checks snapshots: a value of fixed size over the tags of all segments (seal.md, "Snapshot"). It changes in
 * O(1) when a segment is rewritten, and detects a dropped, added, reordered or rolled-back segment.
 */
export class SnapshotKey implements Disposable {
  readonly #kdf: Kdf
  readonly #key: SecretBytes
  /** Derives contributions once there are many: to make it costs as much as a few of them. */
  #kept: KeptKdf | undefined
  #contributions = 0

  /** @param key - `acc_key` of the schedule, Nh bytes; taken over. */
  constructor(kdf: Kdf, key: Uint8Array) {
    this.#kdf = kdf
    this.#key = new SecretBytes(key)
  }

  /** @returns an accumulator over no segment: Nh zero bytes. */
  emptyAccumulator(): Uint8Array {
    return new Uint8Array(this.#kdf.hashLength)
  }

  /** What the segment at `index` with this tag (16 bytes) adds to the accumulator. @returns Nh bytes. */
  contribution(index: number, tag: Uint8Array): Uint8Array {
    if (tag.length !== 16) throw new RangeError(`a tag has 16 bytes, not ${tag.length}`)
    if (this.#contributions++ < FEW) return this.#derive('acc_contrib', index, tag)
    this.#kept ??= new KeptKdf(this.#kdf, PROTOCOL, 'acc_contrib', [this.#key.expose()], [8, 16])
    return this.#kept.derive(u64(index), tag)
  }

  /** Makes the snapshot of `segmentCount` segments from the XOR of their contributions. @returns 2 * Nh bytes. */
  seal(segmentCount: number, accumulator: Uint8Array): Uint8Array {
    const tag = this.#derive('snapshot_tag', segmentCount, accumulator)
    const masked = this.#derive('snapshot_mask', segmentCount, tag)
    accumulate(masked, accumulator)
    return concatBytes(masked, tag)
  }

  /**
   * Recovers the accumulator from a stored snapshot, for a writer that goes on from there.
   *
   * @returns Nh bytes, or undefined if the snapshot is not one of `segmentCount` segments under this key.
   */
  open(segmentCount: number, snapshot: Uint8Array): Uint8Array | undefined {
    const { hashLength } = this.#kdf
    if (snapshot.length !== 2 * hashLength) return undefined
    const tag = snapshot.subarray(hashLength)
    const accumulator = this.#derive('snapshot_mask', segmentCount, tag)
    accumulate(accumulator, snapshot.subarray(0, hashLength))
    return equalBytes(this.#derive('snapshot_tag', segmentCount, accumulator), tag) ? accumulator : undefined
  }

  /** Tells whether `snapshot` is that of these segments: yes or no, in constant time, and nothing about where they differ. */
  verify(segmentCount: number, accumulator: Uint8Array, snapshot: Uint8Array): boolean {
    return equalBytes(this.seal(segmentCount, accumulator), snapshot)
  }

  /** Overwrites the key. */
  dispose(): void {
    this.#key.dispose()
    this.#kept?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #derive(label: string, number: number, value: Uint8Array): Uint8Array {
    return deriveKey(this.#kdf, PROTOCOL, label, [this.#key.expose()], [u64(number), value], this.#kdf.hashLength)
  }
}

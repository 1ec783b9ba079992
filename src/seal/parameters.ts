import { u16, u32, u8 } from '../bytes/integers.js'
import type { Aead, Kdf } from './suites.js'

/** `SEAL-RW-v1`: rewrite, extend, truncate, snapshot. `SEAL-RO-v1`: written once, segment by segment. */
export type Protocol = 'SEAL-RW-v1' | 'SEAL-RO-v1'

/** The parameters of one encrypted object; all of them enter its keys and its commitment. */
export interface SealParameters {
  readonly protocol: Protocol
  readonly aead: Aead
  readonly kdf: Kdf
  /** The length of every segment but the last: a power of two, 4,096 to 2^30 (`node:crypto` encrypts less than 2^31 bytes at once). */
  readonly segmentMax: number
  /** How segments get their nonces: `random` (stored beside each) or `derived` (from the key and the index). */
  readonly nonceMode: 'random' | 'derived'
  /** One segment key serves 2^epochLength segments: 0 to 63. */
  readonly epochLength: number
  /** 32 random bytes, fresh for every object. */
  readonly salt: Uint8Array
}

/** The scheme's name for "this object keeps a snapshot of all segments": the rewritable profile always does. */
export function snapshotId(protocol: Protocol): 0 | 1 {
  return protocol === 'SEAL-RW-v1' ? 1 : 0
}

/** The scheme's byte for a nonce mode. */
export function nonceModeId(mode: SealParameters['nonceMode']): 0 | 1 {
  return mode === 'random' ? 0 : 1
}

/**
 * Refuses parameters that SEAL does not define (seal.md, "Profiles"): a rewritable object with derived nonces needs
 * a misuse-resistant AEAD, because its nonces repeat; a write-once object never stores nonces.
 *
 * @throws RangeError naming the parameter.
 */
export function checkParameters({ protocol, aead, segmentMax, nonceMode, epochLength, salt }: SealParameters): void {
  const allowed = protocol === 'SEAL-RO-v1' ? nonceMode === 'derived' : nonceMode === 'random' || aead.misuseResistant
  if (!allowed) throw new RangeError(`${protocol} does not allow ${nonceMode} nonces with ${aead.name}`)
  if (!(segmentMax >= 4_096 && segmentMax <= 2 ** 30 && Number.isInteger(Math.log2(segmentMax)))) {
    throw new RangeError(`segmentMax must be a power of two from 4096 to 2^30, not ${segmentMax}`)
  }
  if (!(Number.isInteger(epochLength) && epochLength >= 0 && epochLength <= 63)) {
    throw new RangeError(`epochLength must be 0 to 63, not ${epochLength}`)
  }
  if (salt.length !== 32) throw new RangeError(`a salt has 32 bytes, not ${salt.length}`)
}

/** The list of public inputs that bind every key to the parameters (seal.md, "Key schedule"). */
export function payloadInfo(parameters: SealParameters): Uint8Array[] {
  const { protocol, aead, segmentMax, kdf, nonceMode, epochLength, salt } = parameters
  return [u16(aead.id), u32(segmentMax), u16(kdf.id), u16(snapshotId(protocol)), u8(nonceModeId(nonceMode)), u8(epochLength), salt]
}

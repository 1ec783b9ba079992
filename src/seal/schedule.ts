import { equalBytes } from '../bytes/arrays.js'
import { u64 } from '../bytes/integers.js'
import { SecretBytes } from '../bytes/secret.js'
import { deriveKey } from './kdf.js'
import { checkParameters, payloadInfo, type SealParameters } from './parameters.js'
import { SnapshotKey } from './snapshot.js'

/**
 * The keys of one encrypted object (seal.md, "Key schedule"). Holds secrets: dispose of it when the object is closed.
 */
export class KeySchedule implements Disposable {
  readonly parameters: SealParameters
  /** Binds key, parameters and global associated data: Nh bytes, stored in the clear. */
  readonly commitment: Uint8Array
  /** Present in the rewritable profile alone. */
  readonly snapshotKey: SnapshotKey | undefined
  readonly #payloadKey: SecretBytes
  readonly #nonceBase: SecretBytes | undefined
  #epoch = -1
  #segmentKey: SecretBytes | undefined

  /**
   * @param cek - The content-encryption key (our DEK): 32 bytes. Stays the caller's.
   * @param associatedData - G: any bytes that a reader must know; empty where there are none.
   * @throws RangeError for parameters that SEAL does not define, or a `cek` of another length.
   */
  constructor(parameters: SealParameters, cek: Uint8Array, associatedData: Uint8Array) {
    checkParameters(parameters)
    if (cek.length !== 32) throw new RangeError(`a content-encryption key has 32 bytes, not ${cek.length}`)
    const { protocol, kdf, aead, nonceMode } = parameters
    const info = payloadInfo(parameters)
    this.parameters = parameters
    this.commitment = deriveKey(kdf, protocol, 'commit', [cek], [...info, associatedData], kdf.hashLength)
    this.#payloadKey = new SecretBytes(deriveKey(kdf, protocol, 'payload_key', [cek], info, aead.keyLength))
    this.#nonceBase =
      nonceMode === 'derived' ? new SecretBytes(deriveKey(kdf, protocol, 'nonce_base', [cek], info, aead.nonceLength)) : undefined
    this.snapshotKey =
      protocol === 'SEAL-RW-v1' ? new SnapshotKey(kdf, deriveKey(kdf, protocol, 'acc_key', [cek], info, kdf.hashLength)) : undefined
  }

  /**
   * Compares a stored commitment in constant time. A reader does so before it decrypts anything: a mismatch means
   * another key, other parameters or other associated data.
   */
  commitsTo(commitment: Uint8Array): boolean {
    return equalBytes(this.commitment, commitment)
  }

  /** @returns the key of segment `index`, lent until the next call. */
  segmentKey(index: number): Uint8Array {
    const { protocol, kdf, aead, epochLength } = this.parameters
    const epoch = Math.floor(index / 2 ** epochLength)
    if (epoch !== this.#epoch || this.#segmentKey === undefined) {
      const key = deriveKey(kdf, protocol, 'epoch_key', [this.#payloadKey.expose()], [u64(epoch)], aead.keyLength)
      this.#segmentKey?.dispose()
      this.#segmentKey = new SecretBytes(key)
      this.#epoch = epoch
    }
    return this.#segmentKey.expose()
  }

  /**
   * The nonce of a segment in derived mode: the base with its last eight bytes XORed with `index * 2 + isFinal`.
   *
   * @throws TypeError in random mode, where nonces are chosen and stored.
   */
  derivedNonce(index: number, isFinal: boolean): Uint8Array {
    if (this.#nonceBase === undefined) throw new TypeError('nonces of this object are random')
    const nonce = this.#nonceBase.expose().slice()
    const counter = u64(index * 2 + (isFinal ? 1 : 0))
    for (let i = 0; i < 8; i++) nonce[nonce.length - 8 + i]! ^= counter[i]!
    return nonce
  }

  /** Overwrites all keys. */
  dispose(): void {
    this.#payloadKey.dispose()
    this.#segmentKey?.dispose()
    this.#nonceBase?.dispose()
    this.snapshotKey?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

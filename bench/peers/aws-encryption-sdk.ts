import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { packageVersion, type Peer } from './peer.js'

/** The AWS Encryption SDK with a raw AES key: its default suite and policy. @param frameLength - Bytes; by default 4,096. */
function awsEncryptionSdk(name: string, frameLength?: number): Peer {
  let client: ReturnType<(typeof import('@aws-crypto/client-node'))['buildClient']>
  let keyring: InstanceType<(typeof import('@aws-crypto/client-node'))['RawAesKeyringNode']>
  return {
    name,
    async start() {
      const version = packageVersion('@aws-crypto/client-node')
      const sdk = await import('@aws-crypto/client-node')
      client = sdk.buildClient()
      keyring = new sdk.RawAesKeyringNode({
        keyNamespace: 'bench',
        keyName: 'bench',
        // The SDK asks for memory of its own, no part of a pool.
        unencryptedMasterKey: Uint8Array.from(randomBytes(32)),
        wrappingSuite: sdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
      })
      return version
    },
    async encryptFile(source, target) {
      const encrypt = client.encryptStream(keyring, frameLength === undefined ? {} : { frameLength })
      await pipeline(createReadStream(source), encrypt, createWriteStream(target))
    },
    async decryptFile(source, target) {
      await pipeline(createReadStream(source), client.decryptStream(keyring), createWriteStream(target))
    },
  }
}

export const awsDefault = awsEncryptionSdk('AWS Encryption SDK')
export const awsLargeFrames = awsEncryptionSdk('AWS Encryption SDK, 64 KiB frames', 65_536)

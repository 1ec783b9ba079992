import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { pipeline } from 'node:stream/promises'
import { packageVersion, type Peer } from './peer.js'

type Age = typeof import('age-encryption')

let age: Age
let identity: string
let recipient: string

async function transform(source: string, target: string, through: (bytes: never) => Promise<unknown>): Promise<void> {
  // The declarations of `age-encryption` are those of browsers.
  const output = await through(Readable.toWeb(createReadStream(source)) as never)
  await pipeline(Readable.fromWeb(output as ReadableStream), createWriteStream(target))
}

/** age in TypeScript, by streams. */
export const typage: Peer = {
  name: 'typage (age-encryption)',
  async start() {
    const version = packageVersion('age-encryption')
    age = await import('age-encryption')
    identity = await age.generateX25519Identity()
    recipient = await age.identityToRecipient(identity)
    return version
  },
  async encryptFile(source, target) {
    const encrypter = new age.Encrypter()
    encrypter.addRecipient(recipient)
    await transform(source, target, (bytes) => encrypter.encrypt(bytes))
  },
  async decryptFile(source, target) {
    const decrypter = new age.Decrypter()
    decrypter.addIdentity(identity)
    await transform(source, target, (bytes) => decrypter.decrypt(bytes))
  },
}

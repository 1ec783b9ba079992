import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { pipeline } from 'node:stream/promises'
import { packageVersion, type Peer } from './peer.js'

type OpenPgp = typeof import('openpgp')

let openpgp: OpenPgp
const passwords = randomBytes(16).toString('hex')
const format = 'binary'

const read = (path: string): never => Readable.toWeb(createReadStream(path)) as never
const write = (data: unknown, path: string): Promise<void> =>
  pipeline(Readable.fromWeb(data as ReadableStream), createWriteStream(path))

/** A message for a password, with the AEAD of RFC 9580, which can be read as a stream. */
export const openPgp: Peer = {
  name: 'openpgp',
  async start() {
    const version = packageVersion('openpgp')
    openpgp = await import('openpgp')
    return version
  },
  async encryptFile(source, target) {
    const message = await openpgp.createMessage({ binary: read(source) })
    const config = { aeadProtect: true, preferredAEADAlgorithm: openpgp.enums.aead.gcm }
    await write(await openpgp.encrypt({ message, passwords, format, config }), target)
  },
  async decryptFile(source, target) {
    const message = await openpgp.readMessage({ binaryMessage: read(source) })
    const { data } = await openpgp.decrypt({ message, passwords, format })
    await write(data, target)
  },
}

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { appendFile, open, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Peer } from './peer.js'

const NONCE_SIZE = 12
const TAG_SIZE = 16
const key = randomBytes(32)

/** AES-256-GCM by streams, with one tag at the end: bytes come out before anything is known of them, and no part opens alone. */
export const bareCipher: Peer = {
  name: 'bare createCipheriv',
  start: () => Promise.resolve(`OpenSSL ${process.versions.openssl}`),
  async encryptFile(source, target) {
    const nonce = randomBytes(NONCE_SIZE)
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    await writeFile(target, nonce)
    await pipeline(createReadStream(source), cipher, createWriteStream(target, { flags: 'a' }))
    await appendFile(target, cipher.getAuthTag())
  },
  async decryptFile(source, target) {
    const nonce = Buffer.alloc(NONCE_SIZE)
    const tag = Buffer.alloc(TAG_SIZE)
    const file = await open(source)
    const end = (await file.stat()).size - TAG_SIZE
    await file.read(nonce, 0, NONCE_SIZE, 0)
    await file.read(tag, 0, TAG_SIZE, end)
    await file.close()
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
    decipher.setAuthTag(tag)
    const ciphertext = createReadStream(source, { start: NONCE_SIZE, end: end - 1 })
    await pipeline(ciphertext, decipher, createWriteStream(target))
  },
}

import { open } from 'node:fs/promises'
import { packageVersion, PIECE_LENGTH, readPieces, type Peer } from './peer.js'

let sodium: (typeof import('libsodium-wrappers'))['default']
let key: Uint8Array

/** XChaCha20-Poly1305 in WebAssembly, one message for each piece; the last one says that it is the last. */
export const secretstream: Peer = {
  name: 'libsodium-wrappers secretstream',
  async start() {
    const version = packageVersion('libsodium-wrappers')
    const module = await import('libsodium-wrappers')
    sodium = module.default
    await sodium.ready
    key = sodium.crypto_secretstream_xchacha20poly1305_keygen()
    return version
  },
  async encryptFile(source, target) {
    const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key)
    const { crypto_secretstream_xchacha20poly1305_push: push } = sodium
    const file = await open(target, 'w')
    await file.write(header)
    for await (const piece of readPieces(source)) {
      await file.write(push(state, piece, null, sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE))
    }
    // Empty, so that nobody has to know which piece is the last before the file has ended.
    await file.write(push(state, new Uint8Array(0), null, sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL))
    await file.close()
  },
  async decryptFile(source, target) {
    const { crypto_secretstream_xchacha20poly1305_HEADERBYTES: headerSize } = sodium
    const { crypto_secretstream_xchacha20poly1305_ABYTES: overhead } = sodium
    const input = await open(source)
    const output = await open(target, 'w')
    const header = new Uint8Array(headerSize)
    await input.read(header)
    const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key)
    const message = Buffer.alloc(PIECE_LENGTH + overhead)
    const size = (await input.stat()).size
    let isFinal = false
    for (let position = headerSize; position < size;) {
      // The last piece may be short; the empty one follows it.
      const left = size - position
      const length = left > overhead ? Math.min(message.length, left - overhead) : left
      await input.read(message, 0, length, position)
      position += length
      const pulled = sodium.crypto_secretstream_xchacha20poly1305_pull(state, message.subarray(0, length), null)
      if (pulled === false) throw new Error('secretstream: a message does not open')
      isFinal = pulled.tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
      await output.write(pulled.message)
    }
    if (!isFinal) throw new Error('secretstream: the end is missing')
    await input.close()
    await output.close()
  },
}

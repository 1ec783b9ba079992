import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { decryptBatch, encryptBatch, type BatchReport } from '../../src/batch.js'
import { createDecryptStream, createEncryptStream, EncryptedFile, KeyManager } from '../../src/index.js'
import { PIECE_LENGTH, readPieces, type Peer } from './peer.js'

const options = { keyManager: KeyManager.fromKey(new Uint8Array(32).fill(5)), purpose: 'bench' }
const start = (): Promise<string> => Promise.resolve('')

/** Call by call. */
const encryptedFile: Peer = {
  name: 'sealfile: EncryptedFile, calls',
  start,
  async encryptFile(source, target) {
    const file = await EncryptedFile.open(target, 'w', options)
    for await (const piece of readPieces(source)) await file.write(piece)
    await file.close()
  },
  async decryptFile(source, target) {
    const input = await EncryptedFile.open(source, 'r', options)
    const output = await open(target, 'w')
    const buffer = Buffer.alloc(PIECE_LENGTH)
    for (;;) {
      const { bytesRead } = await input.read(buffer, 0, buffer.length)
      if (bytesRead === 0) break
      await output.write(buffer, 0, bytesRead)
    }
    await input.close()
    await output.close()
  },
}

const encryptedFileStreams: Peer = {
  name: 'sealfile: EncryptedFile, streams',
  start,
  async encryptFile(source, target) {
    const file = await EncryptedFile.open(target, 'w', options)
    await pipeline(createReadStream(source), file.createWriteStream())
  },
  async decryptFile(source, target) {
    const file = await EncryptedFile.open(source, 'r', options)
    await pipeline(file.createReadStream(), createWriteStream(target))
  },
}

const transforms: Peer = {
  name: 'sealfile: createEncryptStream',
  start,
  encryptFile: (source, target) => pipeline(createReadStream(source), createEncryptStream(options), createWriteStream(target)),
  decryptFile: (source, target) => pipeline(createReadStream(source), createDecryptStream(options), createWriteStream(target)),
}

async function batch(convert: typeof encryptBatch | typeof decryptBatch, source: string, target: string): Promise<void> {
  const place = { target: dirname(target), name: () => basename(target), workers: 2 }
  const { failures, files }: BatchReport = await convert(source, { ...options, ...place })
  if (files !== 1) throw new Error('the batch made no file', { cause: failures[0]?.error })
}

/** The whole of it: threads are started and ended each time. */
export const batchOfOne: Peer = {
  name: 'sealfile: encryptBatch, 2 threads',
  start,
  encryptFile: (source, target) => batch(encryptBatch, source, target),
  decryptFile: (source, target) => batch(decryptBatch, source, target),
}

export const OURS: readonly Peer[] = [encryptedFile, encryptedFileStreams, transforms, batchOfOne]

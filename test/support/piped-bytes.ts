import type { Transform } from 'node:stream'
import { segmentCount } from '../../src/container/geometry.js'
import { createDecryptStream, createEncryptStream } from '../../src/file/streams/transforms.js'
import { createDecryptTransformStream, createEncryptTransformStream } from '../../src/file/streams/web-transforms.js'
import { decryptSegment } from '../../src/seal/segment.js'
import { segmentExtent, unlock, type StreamOptions } from './container-parts.js'

/** What came out of a stream, and how it ended. */
export interface Outcome {
  readonly output: Buffer
  /** The reader was told that this is all. */
  readonly ended: boolean
  /** What the reader, or the writer, was told instead. */
  readonly error: unknown
}

export type Direction = 'encrypt' | 'decrypt'

/** Sends chunks through a stream that is made with `options`. */
export type Pass = (direction: Direction, options: StreamOptions, chunks: Iterable<Uint8Array>) => Promise<Outcome>

const NODE = { encrypt: createEncryptStream, decrypt: createDecryptStream }
const WEB = { encrypt: createEncryptTransformStream, decrypt: createDecryptTransformStream }

/** A Node stream whose reader takes everything at once: what was passed on before an error is all there. */
export const passFlowing: Pass = (direction, options, chunks) => flow(NODE[direction](options), chunks)

export function flow(stream: Transform, chunks: Iterable<Uint8Array>): Promise<Outcome> {
  return new Promise((resolve) => {
    const output: Buffer[] = []
    let [ended, error]: [boolean, unknown] = [false, undefined]
    stream.on('data', (piece: Buffer) => output.push(piece))
    stream.on('end', () => (ended = true))
    stream.on('error', (reason) => (error = reason))
    stream.on('close', () => resolve({ output: Buffer.concat(output), ended, error }))
    // Not before the reader is ready: an error drops what nobody took yet.
    stream.once('resume', () => {
      for (const chunk of chunks) stream.write(chunk)
      stream.end()
    })
  })
}

/** A Node stream whose reader and writer both wait for each other. */
const passInStep: Pass = async (direction, options, chunks) => {
  const stream = NODE[direction](options)
  const writing = (async () => {
    for (const chunk of chunks) {
      if (stream.destroyed) return
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve).once('close', resolve))
    }
    stream.end()
  })()
  const output: Buffer[] = []
  let error
  try {
    for await (const piece of stream) output.push(piece as Buffer)
  } catch (reason) {
    error = reason
  }
  await writing
  return { output: Buffer.concat(output), ended: error === undefined, error }
}

/** A Web stream. */
const passWeb: Pass = async (direction, options, chunks) => {
  const { readable, writable } = WEB[direction](options)
  const writer = writable.getWriter()
  const writing = (async () => {
    for (const chunk of chunks) await writer.write(chunk)
    await writer.close()
  })()
  const output: Uint8Array[] = []
  const reading = (async () => {
    for await (const piece of readable) output.push(piece)
  })()
  const [written, read] = await Promise.allSettled([writing, reading])
  const failed = [read, written].find((result) => result.status === 'rejected')
  return { output: Buffer.concat(output), ended: read.status === 'fulfilled', error: failed?.reason }
}

/** All ways through a stream, with their names. */
export const PASSES: readonly (readonly [string, Pass])[] = [
  ['Node, flowing', passFlowing],
  ['Node, in step', passInStep],
  ['Web', passWeb],
]

/** Bytes before segment 0. */
export const HEADER_SIZE = 288
/** A full segment of 4,096 bytes, as it is stored. */
export const STORED = 4_096 + 16
/** A length of chunks that takes in all of a small stream. */
export const WHOLE = 2 ** 20

/** @returns `bytes` in chunks of `length`, the last one shorter. */
export function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length)
}

/** Reads a file of the stream kind by the container and seal layers. @returns undefined unless all of it authenticates. */
export function readStreamFile(bytes: Uint8Array, length: number, options: StreamOptions): Buffer | undefined {
  const { geometry, schedule, preamble } = unlock(bytes, options)
  if (!schedule.commitsTo(preamble.commitment)) return undefined
  const count = segmentCount(geometry, length)
  const pieces = Array.from({ length: count }, (_, index) => {
    const { start, end } = segmentExtent(geometry, length, index)
    const sealed = { ciphertext: bytes.subarray(start, end - 16), tag: bytes.subarray(end - 16, end) }
    return decryptSegment(schedule, { index, isFinal: index === count - 1 }, sealed)
  })
  return pieces.includes(undefined) ? undefined : Buffer.concat(pieces as Uint8Array[])
}

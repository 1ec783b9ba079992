import { readFileSync } from 'node:fs'
import { createEncryptStream, EncryptedFile } from '../../../src/index.js'
import type { KeySource, OpenOptions } from '../../../src/index.js'
import { SeveralGenerations } from '../../support/several-generations.js'

export const PURPOSE = 'rotation'
const SEGMENT_SIZE = 4_096

/** The keyring before a rotation, and after one and two. */
export const OLD = new SeveralGenerations([1])
export const NEW = new SeveralGenerations([1, 2])
export const NEWER = new SeveralGenerations([1, 2, 3])
/** The old generation is gone. */
export const ONLY_NEW = new SeveralGenerations([2])
export const OTHER = new SeveralGenerations([1], 9)

const SLOTS = { start: 96, size: 96 }

export function optionsFor(keyManager: KeySource, others: Partial<OpenOptions> = {}): OpenOptions {
  return { keyManager, purpose: PURPOSE, segmentSize: SEGMENT_SIZE, ...others }
}

/** Makes an editable file. */
export function makeFile(
  path: string,
  content: string | Uint8Array,
  keys: KeySource = OLD,
  others: Partial<OpenOptions> = {},
): void {
  EncryptedFile.writeFileSync(path, content, { ...optionsFor(keys, others), atomic: false })
}

/** @returns a file of the stream kind. */
export async function streamOf(
  content: string | Uint8Array,
  keys: KeySource = OLD,
  others: Partial<OpenOptions> = {},
): Promise<Buffer> {
  const { keyManager, purpose, segmentSize, context, cipher } = optionsFor(keys, others)
  const stream = createEncryptStream({ keyManager, purpose, segmentSize, context, cipher })
  stream.end(content)
  return Buffer.concat((await stream.toArray()) as Buffer[])
}

export function read(path: string, keys: KeySource, others: Partial<OpenOptions> = {}): string {
  return EncryptedFile.readFileSync(path, { ...optionsFor(keys, others), encoding: 'utf8' })
}

/** The two key slots as they lie in a file. */
export function slotsOf(path: string): readonly [Buffer, Buffer] {
  const bytes = readFileSync(path)
  const { start, size } = SLOTS
  return [bytes.subarray(start, start + size), bytes.subarray(start + size, start + 2 * size)]
}

/** All of a file but its key slots. */
export function restOf(path: string): Buffer {
  const bytes = readFileSync(path)
  return Buffer.concat([bytes.subarray(0, SLOTS.start), bytes.subarray(SLOTS.start + 2 * SLOTS.size)])
}

export function saltOf(path: string): string {
  return readFileSync(path).toString('hex', 32, 64)
}

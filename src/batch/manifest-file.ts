import { createHash } from 'node:crypto'
import { equalBytes } from '../bytes/arrays.js'
import { ByteReader, ByteWriter } from '../bytes/integers.js'
import { randomBytes } from '../bytes/random.js'
import { BatchError } from '../errors.js'
import { EncryptedFile } from '../file/encrypted-file.js'
import type { OpenOptions } from '../file/options.js'
import type { BatchPlan } from './batch-options.js'
import type { Places } from './file-finder.js'
import { ManifestEntries, NOTE_LENGTH } from './manifest-entries.js'
import { Manifest } from './manifest.js'

/** What manifests are encrypted for: no file of a batch should have it. */
const PURPOSE = 'sealfile/batch/manifest'
const VERSION = 1
const KEY_LENGTH = 32
const HASH_LENGTH = 32
/** Version, direction, key of the digests; hashes of the target and of the inputs. */
const HEAD_LENGTH = 2 + KEY_LENGTH + 2 * HASH_LENGTH
/** Small: the last segment is written with each commit. */
const SEGMENT_SIZE = 4_096
const READ_NOTES = 8_192
/** A manifest is written anew when it has this many times the notes that count, and so many more. */
const VOID_TIMES = 3
const VOID_NOTES = 1_000

/** Where a manifest's notes are kept. */
export type ManifestFile = Pick<EncryptedFile, 'append' | 'commit' | 'close'>

type Head = Readonly<Record<'direction' | 'key' | 'target' | 'inputs', Uint8Array>>

/**
 * Opens the manifest of a batch, or makes it.
 *
 * @throws what EncryptedFile.open throws; LockedError `ERR_SEALFILE_LOCKED` while another batch has it; BatchError
 * `ERR_SEALFILE_BATCH_MANIFEST` where it is another batch's.
 */
export async function openManifest(path: string, plan: BatchPlan, places: Places): Promise<Manifest> {
  const { keySource: keyManager, settings } = plan
  const { context, durability } = settings
  const options = { keyManager, purpose: PURPOSE, context, durability, segmentSize: SEGMENT_SIZE, mode: 0o600 }
  const file = await EncryptedFile.open(path, 'a+', options)
  try {
    const wanted = headOf(plan, places)
    const { size } = await file.stat()
    if (size === 0) {
      await file.append(packHead(wanted))
      await file.commit()
      return new Manifest(file, wanted.key, new ManifestEntries())
    }
    const { key, entries, count, end } = await load(file, path, size, wanted)
    if (count > VOID_TIMES * entries.size + VOID_NOTES) {
      await file.close()
      await rewrite(path, options, wanted)
      return await openManifest(path, plan, places)
    }
    // A batch that was killed may have committed a part of its last note.
    if (end < size) await file.truncate(end)
    return new Manifest(file, key, entries)
  } catch (error) {
    await file.close()
    throw error
  }
}

function headOf({ settings, inputs }: BatchPlan, { target }: Places): Head {
  const hash = (...parts: readonly (string | Buffer)[]): Uint8Array => {
    const sum = createHash('sha256')
    for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part)
    return sum.digest()
  }
  return {
    direction: Uint8Array.of(settings.direction === 'encrypt' ? 1 : 2),
    key: randomBytes(KEY_LENGTH),
    target: hash(target!),
    inputs: hash(...inputs.map(({ path, pattern }) => pattern?.identity ?? path)),
  }
}

function packHead({ direction, key, target, inputs }: Head): Uint8Array {
  return new ByteWriter(HEAD_LENGTH).u8(VERSION).put(direction).put(key).put(target).put(inputs).bytes
}

/** Reads all that a manifest holds: it is authenticated, and each note replaces what was said before. */
async function load(
  file: EncryptedFile,
  path: string,
  size: number,
  wanted: Head,
): Promise<{ readonly key: Uint8Array; readonly entries: ManifestEntries; readonly count: number; readonly end: number }> {
  const bytes = Buffer.alloc(READ_NOTES * NOTE_LENGTH)
  await file.read(bytes, 0, HEAD_LENGTH, 0)
  const reader = new ByteReader(bytes)
  if (size < HEAD_LENGTH || reader.u8() !== VERSION) throw foreign('of a version that is not known here', path)
  const direction = reader.bytes(1)
  const key = reader.bytes(KEY_LENGTH)
  const found = { direction, target: reader.bytes(HASH_LENGTH), inputs: reader.bytes(HASH_LENGTH) }
  for (const part of ['direction', 'target', 'inputs'] as const) {
    if (!equalBytes(found[part], wanted[part]))
      throw foreign(`of a batch with another ${part.replace('inputs', 'list of inputs')}`, path)
  }
  const entries = new ManifestEntries()
  const count = Math.floor((size - HEAD_LENGTH) / NOTE_LENGTH)
  const end = HEAD_LENGTH + count * NOTE_LENGTH
  for (let position = HEAD_LENGTH; position < end;) {
    const length = Math.min(bytes.length, end - position)
    for (let done = 0; done < length;) {
      // What lies before a damaged segment comes first: the next call tells of the damage.
      const { bytesRead } = await file.read(bytes, done, length - done, position + done)
      if (bytesRead === 0) throw foreign('shorter than it says', path)
      done += bytesRead
    }
    for (let start = 0; start < length; start += NOTE_LENGTH) entries.take(bytes.subarray(start, start + NOTE_LENGTH))
    position += length
  }
  return { key, entries, count, end }
}

/** Leaves out what later notes have made void, in a new file, under whose lock the old one is read: it may have grown meanwhile. */
async function rewrite(path: string, options: OpenOptions, wanted: Head): Promise<void> {
  const next = await EncryptedFile.open(path, 'w', { ...options, atomic: true })
  try {
    const file = await EncryptedFile.open(path, 'r', options)
    try {
      const { key, entries } = await load(file, path, (await file.stat()).size, wanted)
      let piece = [packHead({ ...wanted, key })]
      for (const note of entries.pack()) {
        if (piece.push(note) < READ_NOTES) continue
        await next.append(Buffer.concat(piece))
        piece = []
      }
      await next.append(Buffer.concat(piece))
    } finally {
      await file.close()
    }
  } catch (error) {
    await next.discard()
    throw error
  }
  await next.close()
}

function foreign(what: string, path: string): BatchError {
  return new BatchError('ERR_SEALFILE_BATCH_MANIFEST', `the manifest is ${what}`, { path })
}

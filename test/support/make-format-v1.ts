/**
 * Makes the frozen files of test/vectors/format-v1. Run by hand, once for each version of the format, and never by a test:
 *
 *     npx esbuild test/support/make-format-v1.ts --bundle --platform=node --format=esm --outfile=/tmp/make-format-v1.mjs
 *     node /tmp/make-format-v1.mjs test/vectors/format-v1
 *
 * It writes nothing where there is a manifest already.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EncryptedFile, KeyManager, type OpenOptions } from '../../src/index.js'
import { buildStreamFile } from './container-parts.js'

interface Entry {
  readonly file: string
  readonly description: string
  readonly purpose: string
  /** Hex; none where there is no context. */
  readonly context?: string
  /** Hex; the manifest's where there is none. */
  readonly key?: string
  readonly length?: number
  readonly sha256?: string
  readonly error?: { readonly code: string; readonly segment?: number }
}

const folder = process.argv[2]!
const manifest = join(folder, 'manifest.json')
if (existsSync(manifest)) throw new Error(`${manifest} is there, and these files are never made again`)
mkdirSync(folder, { recursive: true })

const key = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 3)
const purpose = 'vectors'
const options: OpenOptions = { keyManager: KeyManager.fromKey(key), purpose, segmentSize: 4_096 }
const entries: Entry[] = []

/** Text that shows where it comes from. */
function plaintextOf(length: number): Buffer {
  return Buffer.from(
    Array.from({ length: Math.ceil(length / 16) }, (_, i) => `${i.toString().padStart(14, '0')};\n`).join(''),
  ).subarray(0, length)
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function addWhole(name: string, description: string, content: Uint8Array, bytes: Uint8Array, more: Partial<Entry> = {}): Buffer {
  const file = `${name}.enc`
  writeFileSync(join(folder, file), bytes)
  entries.push({ file, description, purpose, length: content.length, sha256: sha256(content), ...more })
  return Buffer.from(bytes)
}

function addBroken(name: string, description: string, code: string, bytes: Uint8Array, segment?: number): void {
  const file = `${name}.enc`
  writeFileSync(join(folder, file), bytes)
  entries.push({ file, description, purpose, error: segment === undefined ? { code } : { code, segment } })
}

/** The bytes of a file that `use` writes; closed, unless `use` returns them itself. */
function write(
  use: (file: ReturnType<typeof EncryptedFile.openSync>, path: string) => Buffer | undefined,
  more: Partial<OpenOptions> = {},
): Buffer {
  const path = join(folder, 'in-work')
  const file = EncryptedFile.openSync(path, 'w', { ...options, ...more })
  const left = use(file, path)
  file.close()
  const bytes = left ?? readFileSync(path)
  rmSync(path)
  return bytes
}

const written = (content: Uint8Array, more: Partial<OpenOptions> = {}): Buffer =>
  write((file) => {
    file.write(content)
    return undefined
  }, more)

function changed(bytes: Buffer, position: number, length = 1): Buffer {
  const copy = Buffer.from(bytes)
  for (let i = position; i < position + length; i++) copy[i]! ^= 1
  return copy
}

const short = plaintextOf(300)
const long = plaintextOf(2 * 4_096 + 700)
addWhole('empty', 'no byte of plaintext', Buffer.alloc(0), written(Buffer.alloc(0)))
addWhole('one-segment', 'one short segment', short, written(short))
addWhole('full-segment', 'one full segment, and so no short one', plaintextOf(4_096), written(plaintextOf(4_096)))
const several = addWhole('several-segments', 'three segments, the last one short', long, written(long))
addWhole('chacha20-poly1305', 'ChaCha20-Poly1305', short, written(short, { cipher: 'chacha20-poly1305' }))
addWhole('aes-256-gcm-siv', 'AES-256-GCM-SIV', short, written(short, { cipher: 'aes-256-gcm-siv' }))
const context = Buffer.from('tenant-7')
addWhole('context', 'with a context', short, written(short, { context }), { context: context.toString('hex') })

const replaced = Buffer.from(long)
replaced.fill('#', 100, 4_200)
const pending = write((file) => {
  file.write(long)
  file.sync()
  file.write(replaced.subarray(100, 4_200), 0, 4_100, 100)
  return undefined
})
addWhole('redo-list', 'segments 0 and 1 wait in a redo list', replaced, pending)
const died = write((file, path) => {
  file.write(short)
  file.sync()
  file.write(long.subarray(300))
  file.sync()
  return readFileSync(path)
})
addWhole('writer-died', 'not closed: two commits, of which the second counts', long, died)
const stream = addWhole('stream', 'the kind that is written once', long, buildStreamFile(long, options))
addWhole(
  'stream-empty',
  'the kind that is written once, no byte of plaintext',
  Buffer.alloc(0),
  buildStreamFile(Buffer.alloc(0), options),
)

const oneSegment = readFileSync(join(folder, 'one-segment.enc'))
entries.push(
  { file: 'one-segment.enc', description: 'another key', purpose, key: 'ff'.repeat(32), error: { code: 'ERR_SEALFILE_WRONG_KEY' } },
  { file: 'one-segment.enc', description: 'another purpose', purpose: 'other', error: { code: 'ERR_SEALFILE_WRONG_PURPOSE' } },
  {
    file: 'one-segment.enc',
    description: 'a context where there is none',
    purpose,
    context: context.toString('hex'),
    error: { code: 'ERR_SEALFILE_WRONG_PURPOSE' },
  },
  { file: 'context.enc', description: 'no context where there is one', purpose, error: { code: 'ERR_SEALFILE_WRONG_PURPOSE' } },
)
addBroken('not-ours', 'text that was never encrypted', 'ERR_SEALFILE_FORMAT', Buffer.from('port = 8080\n'))
addBroken('nothing', 'no byte at all', 'ERR_SEALFILE_FORMAT', Buffer.alloc(0))
const version2 = Buffer.from(oneSegment)
version2.writeUInt16BE(2, 8)
addBroken('version-2', 'version 2', 'ERR_SEALFILE_FORMAT_VERSION', version2)
addBroken('damaged-salt', 'a bit of the salt changed', 'ERR_SEALFILE_FORMAT_HEADER', changed(oneSegment, 40))
addBroken('damaged-key-slot', 'a bit of the wrapped key changed', 'ERR_SEALFILE_FORMAT_HEADER', changed(oneSegment, 130))
addBroken('unused-bytes', 'a byte set that version 1 does not use', 'ERR_SEALFILE_FORMAT_HEADER', changed(oneSegment, 400))
addBroken(
  'damaged-records',
  'a bit changed in two of the three commit records',
  'ERR_SEALFILE_CORRUPTED',
  changed(changed(oneSegment, 600), 800),
)
addBroken('damaged-segment', 'a bit of segment 1 changed', 'ERR_SEALFILE_CORRUPTED', changed(several, 1_280 + 4_124 + 50), 1)
const swapped = Buffer.concat([
  several.subarray(0, 1_280),
  several.subarray(1_280 + 4_124, 1_280 + 2 * 4_124),
  several.subarray(1_280, 1_280 + 4_124),
  several.subarray(1_280 + 2 * 4_124),
])
addBroken('swapped-segments', 'segments 0 and 1 changed places', 'ERR_SEALFILE_CORRUPTED', swapped, 0)
addBroken(
  'damaged-redo-list',
  'a bit of the directory of the redo list changed',
  'ERR_SEALFILE_CORRUPTED',
  changed(pending, pending.length - 5),
)
addBroken('cut-header', 'cut inside its header', 'ERR_SEALFILE_TRUNCATED', oneSegment.subarray(0, 1_000))
addBroken('cut', 'cut inside its last segment', 'ERR_SEALFILE_TRUNCATED', several.subarray(0, -1), 2)
addBroken('stream-cut', 'a stream without its last segment', 'ERR_SEALFILE_CORRUPTED', stream.subarray(0, 288 + 2 * 4_112), 1)

const source =
  'Made once by test/support/make-format-v1.ts with sealfile 0.1.0: editable files by its public API with random salts, DEKs and nonces, streams with a fixed salt and DEK, damaged files by changing whole ones. Frozen: any reader of format version 1 reads them, or refuses them with the code given.'
writeFileSync(
  manifest,
  `${JSON.stringify({ source, key: Buffer.from(key).toString('hex'), segmentSize: 4_096, entries }, undefined, 2)}\n`,
)

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { createEncryptStream, type KeyManager } from '../../src/index.js'
import { buildDirectoryEnd, buildDirectoryRecord, buildLocalHeader, localHeaderSize } from '../../src/batch/package/zip-layout.js'

/** An entry of a package, taken apart. */
export interface Part {
  name: string
  content: Buffer
  /** As headers tell it. */
  crc32: number
}

/** @returns all entries of a package that `packBatch` made, by what docs/packages.md says of its ZIP. */
export function takeApart(path: string): Part[] {
  const bytes = readFileSync(path)
  const end64 = bytes.length - 98
  const [count, directory] = [Number(bytes.readBigUInt64LE(end64 + 32)), Number(bytes.readBigUInt64LE(end64 + 48))]
  const parts: Part[] = []
  for (let i = 0, at = directory; i < count; i++) {
    const nameLength = bytes.readUInt16LE(at + 28)
    const extra = at + 46 + nameLength
    const [size, position] = [Number(bytes.readBigUInt64LE(extra + 4)), Number(bytes.readBigUInt64LE(extra + 20))]
    const start = position + 30 + nameLength + 20
    const name = bytes.toString('latin1', at + 46, extra)
    parts.push({ name, content: bytes.subarray(start, start + size), crc32: bytes.readUInt32LE(at + 16) })
    at = extra + 28
  }
  return parts
}

/** Writes a ZIP as `packBatch` lays it out, of whatever is given. */
export function putTogether(path: string, parts: readonly Part[]): void {
  const pieces: Buffer[] = []
  const records: Buffer[] = []
  let position = 0
  for (const { name, content, crc32 } of parts) {
    const entry = { name, size: content.length, crc32 }
    pieces.push(buildLocalHeader(entry), content)
    records.push(buildDirectoryRecord(entry, position))
    position += localHeaderSize(name) + content.length
  }
  const directory = Buffer.concat(records)
  const end = buildDirectoryEnd({ count: parts.length, position, size: directory.length })
  writeFileSync(path, Buffer.concat([...pieces, directory, end]))
}

/** A file of a crafted package: fields that the manifest shall tell otherwise than they are, and the content that is encrypted. */
export interface CraftedFile {
  readonly fields?: Readonly<Record<string, unknown>>
  readonly content?: Uint8Array
}

/** Makes a package as docs/packages.md describes it, with the keys, and says in its manifest whatever is asked for. */
export async function craftPackage(
  path: string,
  keys: { readonly keyManager: KeyManager; readonly purpose: string; readonly segmentSize?: number },
  files: readonly CraftedFile[],
  { header = {}, lines = [] }: { readonly header?: object; readonly lines?: readonly (string | object)[] } = {},
): Promise<void> {
  const id = Buffer.alloc(16, 7)
  const parts: Part[] = []
  const texts = [JSON.stringify({ format: 'sealfile-package', version: 1, id: id.toString('hex'), ...header })]
  for (const [index, { fields = {}, content = Buffer.from('content') }] of files.entries()) {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(index + 1))
    const context = Buffer.concat([Buffer.from('sealfile-package/v1/file\0'), id, number])
    const part = await seal(`files/${String(index + 1).padStart(8, '0')}.seal`, content, { ...keys, context })
    parts.push(part)
    const told = {
      ...{ kind: 'file', path: `file-${index}`, size: content.length, mode: 0o644, atimeMs: 0, mtimeMs: 0, number: index + 1 },
      sha256: createHash('sha256').update(content).digest('hex'),
      ...{ entrySize: part.content.length, entryCrc32: part.crc32 },
      ...fields,
    }
    texts.push(JSON.stringify(told))
  }
  texts.push(...lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))))
  const context = Buffer.from('sealfile-package/v1/manifest\0')
  parts.push(await seal('manifest.seal', Buffer.from(texts.map((text) => `${text}\n`).join('')), { ...keys, context }))
  putTogether(path, parts)
}

/** @returns an entry with content of the stream kind. */
export async function seal(name: string, content: Uint8Array, options: Parameters<typeof createEncryptStream>[0]): Promise<Part> {
  const stream = createEncryptStream({ segmentSize: 4_096, ...options })
  stream.end(content)
  const sealed = await buffer(stream)
  return { name, content: sealed, crc32: crc32(sealed) }
}

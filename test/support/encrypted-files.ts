import { expect } from 'vitest'
import { EncryptedFile, KeyManager, SealfileError, type OpenOptions } from '../../src/index.js'

/** What most tests open their files with. */
export const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
export const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
export const PURPOSE = 'test'
export const SEGMENT_SIZE = 4_096

/** Options for small files of several segments. */
export const OPTIONS: OpenOptions = { keyManager: KeyManager.fromKey(KEY), purpose: PURPOSE, segmentSize: SEGMENT_SIZE }

/** @returns bytes that differ from place to place and from seed to seed, and tell where they come from. */
export function patternBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(Math.imul(i + 1, 0x9e3779b1) ^ (seed * 0x85ebca6b), 0xc2b2ae35) >>> 24
  return bytes
}

/** Writes a whole file by the public API. */
export function writeEncrypted(path: string, content: string | Uint8Array, options: Partial<OpenOptions> = {}): void {
  const file = EncryptedFile.openSync(path, 'w', { ...OPTIONS, ...options })
  file.writeFile(content)
  file.close()
}

/** Appends to a file in one go: opened, written, closed. */
export function appendEncrypted(path: string, content: string | Uint8Array, options: Partial<OpenOptions> = {}): void {
  const file = EncryptedFile.openSync(path, 'a', { ...OPTIONS, ...options })
  file.writeFile(content)
  file.close()
}

/** Reads a whole file by the public API. */
export function readEncrypted(path: string, options: Partial<OpenOptions> = {}): Buffer {
  const file = EncryptedFile.openSync(path, 'r', { ...OPTIONS, ...options })
  try {
    return file.readFile()
  } finally {
    file.close()
  }
}

/** Matches an error of ours by its code, and by what else is given. */
export function sealfileError(code: string, details: Readonly<Record<string, unknown>> = {}): unknown {
  return expect.toSatisfy(
    (error: unknown) =>
      error instanceof SealfileError &&
      error.code === code &&
      Object.entries(details).every(([name, value]) => (error as unknown as Record<string, unknown>)[name] === value),
    `${code} ${JSON.stringify(details)}`,
  )
}

/** @returns what `run` throws. */
export function errorOf(run: () => unknown): Error & { readonly code?: string } {
  try {
    run()
  } catch (error) {
    return error as Error & { readonly code?: string }
  }
  throw new Error('nothing was thrown')
}

import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { deriveNatively } from '../../src/keys/argon2id.js'
import { canonicalText, omitFields, type JsonObject } from '../../src/keys/canonical-json.js'

/** The least that Argon2id can cost, so that a test may derive a hundred times. */
export const CHEAP = { memoryKiB: 8, passes: 1, lanes: 1 }

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface FileKeyVector {
  readonly purpose: string
  readonly generation: number
  readonly kek: string
  readonly wrappedKey: string
  readonly checkKey: string
  readonly keyCheck: string
}

interface KeyringVector {
  readonly passphrase: string
  readonly keyring: string
  readonly keyringId: string
  readonly steps: Readonly<
    Record<'passphraseBytes' | 'argon2Output' | 'slotKek' | 'keyringKey' | 'macKey' | 'macText' | 'mac' | 'checksum', string>
  > & { readonly generationKeks: readonly string[]; readonly masterKeys: readonly string[] }
  readonly file: { readonly salt: string; readonly header: string; readonly dek: string }
  readonly fileKeys: readonly FileKeyVector[]
  readonly rawKey: { readonly key: string; readonly keyringId: string; readonly fileKey: FileKeyVector }
}

/** The frozen keyring. It is never regenerated. */
export const VECTOR = JSON.parse(readFileSync(new URL('../vectors/keyring-v1.json', import.meta.url), 'utf8')) as KeyringVector

/** An object of the frozen keyring's file, for tests to change. */
export function vectorJson(): Record<string, unknown> {
  return JSON.parse(VECTOR.keyring) as Record<string, unknown>
}

/** What someone without any key can do: change the keyring, and make the checksum fit. */
export function withChecksum(json: unknown): Buffer {
  const rest = omitFields(json as JsonObject, 'checksum')
  const checksum = createHash('sha256').update(canonicalText(rest)).digest('base64url')
  return Buffer.from(JSON.stringify({ ...rest, checksum }))
}

/** A folder that is gone when the test file has run. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'sealfile-keys-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/** An error of ours or of Node's, by its class and code. */
export function coded(type: abstract new (...args: never) => Error, code: string): unknown {
  return expect.toSatisfy(
    (error: unknown) => error instanceof type && (error as { code?: unknown }).code === code,
    `${type.name} ${code}`,
  )
}

/** How many threads so many Argon2id runs start: none where the runtime computes them itself. */
export function workersFor(runs: number): number {
  return deriveNatively === undefined ? runs : 0
}

/** How many threads were started while `run` ran. */
export async function countWorkers(run: () => Promise<unknown>): Promise<number> {
  let count = 0
  const add = () => {
    count++
  }
  process.on('worker', add)
  try {
    await run()
  } finally {
    process.off('worker', add)
  }
  return count
}

import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'vitest'

/** Project Wycheproof's test vectors (hex strings throughout). They are not part of this repository. */
const DIRECTORY = new URL('../../../shared/vectors/wycheproof/', import.meta.url)

interface WycheproofTest {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

export interface AeadTest extends WycheproofTest {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

export interface KeywrapTest extends WycheproofTest {
  readonly key: string
  readonly msg: string
  readonly ct: string
}

export interface HkdfTest extends WycheproofTest {
  readonly ikm: string
  readonly salt: string
  readonly info: string
  /** Bytes of output. */
  readonly size: number
  readonly okm: string
}

export interface MacTest extends WycheproofTest {
  readonly key: string
  readonly msg: string
  readonly tag: string
}

/** All sizes are in bits. */
export interface AeadGroup {
  readonly keySize: number
  readonly ivSize: number
  readonly tagSize: number
  readonly tests: readonly AeadTest[]
}

export interface KeywrapGroup {
  readonly keySize: number
  readonly tests: readonly KeywrapTest[]
}

export interface HkdfGroup {
  readonly keySize: number
  readonly tests: readonly HkdfTest[]
}

export interface MacGroup {
  readonly keySize: number
  readonly tagSize: number
  readonly tests: readonly MacTest[]
}

interface Groups {
  aes_gcm: AeadGroup
  aes_gcm_siv: AeadGroup
  chacha20_poly1305: AeadGroup
  aes_kwp: KeywrapGroup
  hkdf_sha256: HkdfGroup
  hmac_sha256: MacGroup
}

export type WycheproofName = keyof Groups

export interface WycheproofFile<Name extends WycheproofName> {
  readonly algorithm: string
  readonly numberOfTests: number
  readonly testGroups: readonly Groups[Name][]
}

/** @returns the parsed file, or undefined where it is not at hand. */
function wycheproofFile<Name extends WycheproofName>(name: Name): WycheproofFile<Name> | undefined {
  const url = new URL(`${name}_test.json`, DIRECTORY)
  if (!existsSync(url)) return undefined
  return JSON.parse(readFileSync(url, 'utf8')) as WycheproofFile<Name>
}

/** A describe block over one file; without the file, one skipped test whose name says so. */
export function describeWycheproof<Name extends WycheproofName>(name: Name, body: (file: WycheproofFile<Name>) => void): void {
  const file = wycheproofFile(name)
  describe(`Wycheproof ${name}`, () => {
    if (file === undefined) test.skip(`SKIPPED: ${name}_test.json is not in ../shared/vectors/wycheproof`, () => undefined)
    else body(file)
  })
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

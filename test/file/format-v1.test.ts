import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { EncryptedFile, KeyManager, type OpenOptions } from '../../src/index.js'
import { appendEncrypted, errorOf, readEncrypted, sealfileError } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

interface Entry {
  readonly file: string
  readonly description: string
  readonly purpose: string
  readonly context?: string
  readonly key?: string
  readonly length?: number
  readonly sha256?: string
  readonly error?: { readonly code: string; readonly segment?: number }
}

const FOLDER = fileURLToPath(new URL('../vectors/format-v1/', import.meta.url))
const MANIFEST = JSON.parse(readFileSync(join(FOLDER, 'manifest.json'), 'utf8')) as {
  readonly key: string
  readonly entries: readonly Entry[]
}
const inFolder = temporaryFolder()

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const named = (entries: readonly Entry[]) => entries.map((entry) => [`${entry.file}: ${entry.description}`, entry] as const)

function optionsOf({ purpose, context, key = MANIFEST.key }: Entry): OpenOptions {
  return { keyManager: KeyManager.fromKey(fromHex(key)), purpose, context: context === undefined ? undefined : fromHex(context) }
}

/** Files that were made when version 1 was finished, and that no later reader may read in another way. */
describe('frozen files of format version 1', () => {
  const whole = MANIFEST.entries.filter(({ error }) => error === undefined)
  const broken = MANIFEST.entries.filter(({ error }) => error !== undefined)

  test('are all there', () => {
    const names = readdirSync(FOLDER).filter((name) => name.endsWith('.enc'))
    expect(names.sort()).toEqual([...new Set(MANIFEST.entries.map(({ file }) => file))].sort())
    expect(whole.length).toBeGreaterThanOrEqual(8)
    expect(broken.length).toBeGreaterThanOrEqual(8)
  })

  test.each(named(whole))('%s', async (_, entry) => {
    const path = join(FOLDER, entry.file)
    const content = readEncrypted(path, optionsOf(entry))
    expect(content.length).toBe(entry.length)
    expect(sha256(content)).toBe(entry.sha256)
    const file = await EncryptedFile.open(path, 'r', optionsOf(entry))
    expect((await file.stat()).size).toBe(entry.length)
    expect(await file.readFile()).toEqual(content)
    await file.close()
  })

  test.each(named(broken))('%s', async (_, entry) => {
    const path = join(FOLDER, entry.file)
    const { code, ...details } = entry.error!
    const expected = sealfileError(code, { ...details, path })
    expect(errorOf(() => readEncrypted(path, optionsOf(entry)))).toEqual(expected)
    const read = async (): Promise<void> => {
      await using file = await EncryptedFile.open(path, 'r', optionsOf(entry))
      await file.readFile()
    }
    await expect(read()).rejects.toEqual(expected)
  })

  test.each(named(whole.filter(({ file }) => !file.startsWith('stream'))))('can be added to: %s', (_, entry) => {
    const path = inFolder(entry.file)
    copyFileSync(join(FOLDER, entry.file), path)
    const before = readEncrypted(path, optionsOf(entry))
    appendEncrypted(path, 'more', optionsOf(entry))
    appendEncrypted(path, Buffer.alloc(5_000, 'x'), optionsOf(entry))
    expect(readEncrypted(path, optionsOf(entry))).toEqual(Buffer.concat([before, Buffer.from('more'), Buffer.alloc(5_000, 'x')]))
  })
})

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { decryptBatch, encryptBatch } from '../../src/batch.js'
import { loadConfig, type Config } from '../../src/config.js'
import { createEncryptedFs } from '../../src/fs.js'
import { ConfigError, EncryptedFile, KeyManager } from '../../src/index.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
let folders = 0

/** @returns a configuration in a new folder, and where things are in that. */
async function configure(fields: object): Promise<{ config: Config; at: (name: string) => string }> {
  const folder = inFolder(`folder-${folders++}`)
  mkdirSync(folder)
  const path = join(folder, 'sealfile.config.json')
  writeFileSync(path, JSON.stringify(fields))
  return { config: await loadConfig(path), at: (name) => join(folder, name) }
}

const purposesOf = (...patterns: string[]) => ({ purposes: patterns.map((pattern) => ({ pattern, purpose: pattern })) })

describe('purposes by pattern', () => {
  test.each<[string[], string, string | undefined]>([
    [['**/*.log', '**'], 'a/b/c.log', '**/*.log'],
    [['**', '**/*.log'], 'c.log', '**'],
    [['*.log'], 'c.log', '*.log'],
    [['*.log'], 'a/c.log', undefined],
    [['**/*.log'], 'c.log', '**/*.log'],
    [['**'], '.hidden/.file', '**'],
    [['logs/**'], 'logs/a/b', 'logs/**'],
    [['logs/**'], 'logs-old/a', undefined],
    [['./logs/*'], 'logs/a', './logs/*'],
    [['*.{json,yaml}'], 'a.yaml', '*.{json,yaml}'],
    [['shard-[0-9].bin'], 'shard-7.bin', 'shard-[0-9].bin'],
    [['shard-?.bin'], 'shard-10.bin', undefined],
    [['*.LOG'], 'a.log', undefined],
    [['**'], '../outside', undefined],
    [['*/**'], '../outside', undefined],
    [['../data/**'], '../data/x', '../data/**'],
    [['**'], '.', undefined],
    [['private/**', '**'], 'private/a\nb', 'private/**'],
    [['[*]'], '*', '[*]'],
    [['a/**'], 'x/../a/b', 'a/**'],
    [[], 'a', undefined],
  ])('%j of %j', async (patterns, path, expected) => {
    const { config, at } = await configure(purposesOf(...patterns))
    if (expected !== undefined) {
      expect(config.purposeFor(at(path))).toBe(expected)
      return
    }
    for (const ask of [config.purposeFor, config.openOptions, config.fsOptions().purpose]) {
      expect(() => void ask(at(path))).toThrow(ConfigError)
    }
    expect(() => config.purposeFor(at(path))).toThrow(/no pattern of purposes matches .*sealfile.config.json/)
  })

  test('paths are relative to the current folder, the patterns to that of the configuration', async () => {
    const { config, at } = await configure(purposesOf('a/*'))
    expect(config.purposeFor(pathToFileURL(at('a/b')))).toBe('a/*')
    expect(config.purposeFor(Buffer.from(at('a/b')))).toBe('a/*')
    expect(() => config.purposeFor('a/b')).toThrow(ConfigError)
    expect(() => config.purposeFor(7 as unknown as string)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
    )
  })

  test('a link counts under its own name', async () => {
    const { config, at } = await configure(purposesOf('a/*', 'b/*'))
    mkdirSync(at('a'))
    mkdirSync(at('b'))
    writeFileSync(at('a/file'), '')
    symlinkSync('../a/file', at('b/file'))
    expect(config.purposeFor(at('b/file'))).toBe('b/*')
  })

  test('the costliest pattern takes no time on the longest path', async () => {
    const { config, at } = await configure(purposesOf('**/*a*b/**/x', '**/*a*/*a*b', '*a*a*b', '{a,aa}{a,aa}{a,aa}b'))
    const long = 'a'.repeat(255)
    for (const path of ['a/'.repeat(2_000), long, `${long}/${long}`, `${long}/`.repeat(15)]) {
      expect(() => config.purposeFor(at(path))).toThrow(ConfigError)
    }
  })
})

const FIELDS = {
  segmentSize: 4096,
  cipher: 'chacha20-poly1305',
  argon2: 'test',
  argon2Profiles: { test: { memoryKiB: 64, passes: 1, lanes: 1 } },
  purposes: [
    { pattern: '**/*.log', purpose: 'logs' },
    { pattern: '**', purpose: 'data' },
  ],
}

describe('what takes it', () => {
  const passphrase = 'correct horse battery staple'

  test('a keyring, single files, an fs and batches agree', async () => {
    const { config, at } = await configure(FIELDS)
    const created = await KeyManager.create(config.keyring, { passphrase, ...config.keyringOptions() })
    expect(created.slots()[0]!.argon2).toEqual(FIELDS.argon2Profiles.test)
    created.close()
    const keyManager = await KeyManager.open(config.keyring, { passphrase, ...config.keyringOptions() })

    const file = await EncryptedFile.open(at('a.log'), 'w', { keyManager, ...config.openOptions(at('a.log')) })
    await file.write('line\n')
    expect(await file.info()).toMatchObject({ segmentSize: 4096, cipher: 'chacha20-poly1305' })
    await file.close()
    expect(await EncryptedFile.readFile(at('a.log'), { keyManager, purpose: 'logs', encoding: 'utf8' })).toBe('line\n')

    const efs = createEncryptedFs({ keyManager, ...config.fsOptions() })
    expect(await efs.promises.readFile(at('a.log'), 'utf8')).toBe('line\n')
    efs.writeFileSync(at('a.bin'), 'data')
    expect(EncryptedFile.readFileSync(at('a.bin'), { keyManager, purpose: 'data', encoding: 'utf8' })).toBe('data')

    mkdirSync(at('in/deep'), { recursive: true })
    writeFileSync(at('in/deep/b.log'), 'plain')
    writeFileSync(at('in/c'), 'plain')
    const batch = { keyManager, workers: 1 }
    const made = await encryptBatch(at('in'), { ...batch, ...config.batchOptions(at('in')), target: at('out') })
    expect(made).toMatchObject({ files: 2, failures: [] })
    expect(await efs.promises.readFile(at('out/deep/b.log'), 'utf8')).toBe('plain')
    expect(await efs.promises.readFile(at('out/c'), 'utf8')).toBe('plain')
    const back = await decryptBatch(at('out'), { ...batch, ...config.batchOptions(at('back')), target: at('back') })
    expect(back).toMatchObject({ files: 2, failures: [] })
    keyManager.close()
  })
})

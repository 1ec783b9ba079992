import { readFileSync, writeFileSync } from 'node:fs'
import { toJsonSchema } from '@valibot/to-json-schema'
import { Ajv, type SchemaObject } from 'ajv'
import { describe, expect, test } from 'vitest'
import { FIELDS } from '../../src/config/config-schema.js'
import { loadConfig } from '../../src/config.js'
import { ConfigError } from '../../src/index.js'
import { readDocument } from '../docs/markdown.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What only the program can see. */
const IGNORED = ['check', 'raw_check', 'excludes']

const at = temporaryFolder()
const schema = JSON.parse(readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8')) as SchemaObject
const isValid = new Ajv({ strict: true, strictRequired: true }).compile(schema)

async function isTaken(value: unknown): Promise<boolean> {
  writeFileSync(at('sealfile.config.json'), JSON.stringify(value))
  const error: unknown = await loadConfig(at('sealfile.config.json')).catch((thrown: unknown) => thrown)
  if (error instanceof Error && !(error instanceof ConfigError)) throw error
  return !(error instanceof ConfigError)
}

const cost = { memoryKiB: 65_536, passes: 3, lanes: 4 }
const rule = { pattern: '**', purpose: 'data' }

describe('config.schema.json', () => {
  test('is what the program checks by; `npx vitest run -u` writes it', async () => {
    const made = toJsonSchema(FIELDS, { typeMode: 'output', ignoreActions: IGNORED })
    await expect(`${JSON.stringify({ title: 'sealfile.config.json', ...made }, undefined, 2)}\n`).toMatchFileSnapshot(
      '../../config.schema.json',
    )
  })

  test('has every key, with a description', () => {
    const { properties } = schema as { properties: Record<string, { description?: string }> }
    expect(Object.keys(properties)).toEqual(Object.keys(FIELDS.entries))
    for (const key of Object.keys(properties)) expect(properties[key], key).toHaveProperty('description')
  })

  test('takes the example of the documentation, and so does the program', async () => {
    const [, example = ''] = /```json\n(.*?)```/s.exec(readDocument('docs/configuration.md')) ?? []
    const value = JSON.parse(example) as object
    expect(Object.keys(value).sort()).toEqual(Object.keys(FIELDS.entries).sort())
    expect({ schema: isValid(value), program: await isTaken(value) }).toEqual({ schema: true, program: true })
  })

  test.each<unknown>([
    {},
    { $schema: './node_modules/sealfile/config.schema.json' },
    { segmentSize: 16_777_216, argon2: 'interactive', purposes: [] },
    { argon2: 'mine', argon2Profiles: { mine: cost } },
  ])('takes %j, and so does the program', async (value) => {
    expect({ schema: isValid(value), program: await isTaken(value) }).toEqual({ schema: true, program: true })
  })

  test.each<unknown>([
    [],
    null,
    'text',
    { colour: 1 },
    { segmentsize: 4096 },
    { passphrase: 'secret' },
    { $schema: 7 },
    { keyring: '' },
    { keyring: 7 },
    { segmentSize: 5000 },
    { segmentSize: 2048 },
    { segmentSize: 2 ** 25 },
    { segmentSize: '64k' },
    { segmentSize: null },
    { cipher: 'aes-128-gcm' },
    { durability: true },
    { commitInterval: 0 },
    { commitInterval: 2 ** 31 },
    { commitInterval: 1.5 },
    { argon2: cost },
    { argon2Profiles: [] },
    { argon2Profiles: { mine: { ...cost, passes: 17 } } },
    { argon2Profiles: { mine: { ...cost, memoryKiB: 2 ** 21 } } },
    { argon2Profiles: { mine: { memoryKiB: 65_536, passes: 3 } } },
    { argon2Profiles: { mine: { ...cost, threads: 1 } } },
    { purposes: { '**': 'data' } },
    { purposes: ['**'] },
    { purposes: [{ pattern: '**' }] },
    { purposes: [{ ...rule, purpose: '' }] },
    { purposes: [{ ...rule, purpose: 'p'.repeat(256) }] },
    { purposes: [{ ...rule, key: 'x' }] },
    { purposes: Array.from({ length: 1_001 }, () => rule) },
  ])('refuses %j, and so does the program', async (value) => {
    expect({ schema: isValid(value), program: await isTaken(value) }).toEqual({ schema: false, program: false })
  })

  test.each<unknown>([
    { argon2: 'none-of-this-name' },
    { argon2Profiles: { interactive: cost } },
    { argon2Profiles: { mine: { ...cost, memoryKiB: 16 } } },
    { purposes: [{ ...rule, pattern: '(a)' }] },
    { purposes: [{ ...rule, purpose: 'a\n' }] },
    { keyring: 'a\0b' },
  ])('leaves %j to the program', async (value) => {
    expect({ schema: isValid(value), program: await isTaken(value) }).toEqual({ schema: true, program: false })
  })
})

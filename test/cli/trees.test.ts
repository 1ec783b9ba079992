import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { CommandFolder } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder

function makeTree(name: string): void {
  mkdirSync(at(`${name}/inner/empty`), { recursive: true })
  writeFileSync(at(`${name}/one`), 'first')
  writeFileSync(at(`${name}/inner/two`), Buffer.alloc(200_000, 'second '))
  symlinkSync('one', at(`${name}/link`))
}

const parse = (text: string): unknown => JSON.parse(text)

describe('batch', () => {
  test('encrypts a tree and decrypts it', async () => {
    makeTree('tree')
    const { status, stdout, stderr } = await folder.run(['batch', 'encrypt', 'tree', 'tree-enc', '--json', '--workers', '2'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const link = { path: expect.stringMatching(/tree\/link$/) as string, kind: 'link' }
    expect(parse(stdout)).toEqual({
      command: 'batch encrypt',
      target: 'tree-enc',
      files: 2,
      bytes: 200_005,
      failures: [],
      skipped: [link],
    })
    expect((await folder.run(['verify', 'tree-enc'])).status).toBe(0)
    expect((await folder.run(['batch', 'decrypt', 'tree-enc', 'tree-dec'])).status).toBe(0)
    expect(readFileSync(at('tree-dec/inner/two')).equals(readFileSync(at('tree/inner/two')))).toBe(true)
    expect(existsSync(at('tree-dec/inner/empty'))).toBe(true)
  })

  test('takes patterns, and goes on where it stopped', async () => {
    makeTree('going')
    writeFileSync(at('going/inner/three.md'), 'third')
    const some = await folder.run(['batch', 'encrypt', '--patterns', 'going/**/*.md', 'going-md'])
    expect(some).toMatchObject({ status: 0, stdout: expect.stringMatching(/^1 file encrypted into going-md, /) as string })
    expect(existsSync(at('going-md/inner/three.md'))).toBe(true)
    const again = ['batch', 'encrypt', 'going', 'going-enc', '--manifest', 'going.manifest', '--json']
    expect(parse((await folder.run(again)).stdout)).toMatchObject({ files: 3, unchanged: 0 })
    writeFileSync(at('going/one'), 'changed')
    expect(parse((await folder.run(again)).stdout)).toMatchObject({ files: 1, unchanged: 2, failures: [] })
  })

  test('what fails is named, and the rest is done', async () => {
    makeTree('half')
    await folder.run(['batch', 'encrypt', 'half', 'half-enc'])
    writeFileSync(at('half-enc/one'), 'not encrypted')
    const { status, stdout, stderr } = await folder.run(['batch', 'decrypt', 'half-enc', 'half-dec'])
    expect(status).toBe(6)
    expect(stdout).toMatch(/^1 file decrypted into half-dec, .*, 1 failed\n$/)
    expect(stderr).toContain('half-enc/one')
    expect((await folder.run(['verify', 'half-enc'])).status).toBe(5)
    expect((await folder.run(['batch', 'encrypt', 'half'])).status).toBe(2)
  })
})

test('what to do about files that fail alike is told once', async () => {
  makeTree('alike')
  await folder.run(['batch', 'encrypt', 'alike', 'alike-enc'])
  const { status, stderr } = await folder.run(['batch', 'encrypt', 'alike', 'alike-enc', '--quiet'])
  expect(status).toBe(6)
  expect(stderr.match(/^sealfile: EEXIST/gm)).toHaveLength(2)
  expect(stderr.match(/--force/g)).toHaveLength(1)
})

test('reencrypt gives files new data keys, and another keyring', async () => {
  makeTree('anew')
  await folder.run(['batch', 'encrypt', 'anew', 'anew-enc'])
  const before = readFileSync(at('anew-enc/one'))
  const { status, stdout } = await folder.run(['reencrypt', 'anew-enc', '--json', '--segment-size', '8k'])
  expect(status).toBe(0)
  expect(parse(stdout)).toMatchObject({ command: 'reencrypt', files: 2, reencrypted: 2, bytes: 200_005, failures: [] })
  expect(readFileSync(at('anew-enc/one')).equals(before)).toBe(false)
  const other = await KeyManager.create(at('other.json'), { passphrase: 'other', argon2: { memoryKiB: 8, passes: 1, lanes: 1 } })
  other.close()
  folder.write('other-passphrase', 'other')
  const moved = await folder.run(['reencrypt', 'anew-enc', '--into', 'other.json', '--into-passphrase-file', 'other-passphrase'])
  expect(moved.status).toBe(0)
  expect((await folder.run(['cat', 'anew-enc/one'])).status).toBe(3)
  const env = { SEALFILE_KEYRING: 'other.json', SEALFILE_PASSPHRASE: 'other' }
  expect((await folder.run(['cat', 'anew-enc/one'], { env })).stdout).toBe('first')
})

describe('migrate', () => {
  test('takes a file over in its place, once', async () => {
    folder.write('old.json', '{ "port": 80 }')
    const first = await folder.run(['migrate', 'old.json', '--json'])
    expect(parse(first.stdout)).toMatchObject({ command: 'migrate', outcome: 'migrated', format: 'plain', size: 14 })
    expect((await folder.run(['cat', 'old.json'])).stdout).toBe('{ "port": 80 }')
    expect((await folder.run(['migrate', 'old.json'])).stdout).toContain('was taken over before')
  })

  test('is told of one way to open AICO files', async () => {
    folder.write('both.json', 'text')
    const both = await folder.run(['migrate', 'both.json', '--aico-key', 'passphrase', '--aico-salt', 'passphrase'])
    expect(both).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('which one?') as string })
    expect(readFileSync(at('both.json'), 'utf8')).toBe('text')
  })

  test('takes a folder over, and shows beforehand what it would do', async () => {
    makeTree('old')
    const dry = await folder.run(['migrate', 'old', 'taken', '--dry-run', '--json'])
    expect(parse(dry.stdout)).toMatchObject({ isDryRun: true, migrated: 2 })
    expect(existsSync(at('taken'))).toBe(false)
    const { status, stdout } = await folder.run(['migrate', 'old', 'taken', '--json'])
    expect(status).toBe(0)
    expect(parse(stdout)).toMatchObject({ migrated: 2, present: 0, failures: [], skipped: [{ kind: 'link' }] })
    expect((await folder.run(['cat', 'taken/one'])).stdout).toBe('first')
    expect(readFileSync(at('old/one'), 'utf8')).toBe('first')
  })
})

test('bench measures what it is told to, and not nothing', async () => {
  const { status, stdout } = await folder.run(['bench', '--json', '--size', '64k', '--rounds', '1', '--folder', '.'])
  expect(status).toBe(0)
  const { rates } = JSON.parse(stdout) as { rates: { ratio: number }[] }
  expect(rates.map(({ ratio }) => ratio > 0)).toEqual([true, true])
  for (const nothing of ['--size', '--rounds']) expect((await folder.run(['bench', nothing, '0'])).status).toBe(2)
})

test.skipIf(spawnSync('prlimit', ['--version']).status !== 0)('bench tells no speed of what was not written whole', async () => {
  // What is one byte short shows in no error: the system writes as much as it may.
  const { status, stdout, stderr } = await folder.shell(
    `prlimit --fsize=${2 ** 24 - 1} sealfile bench --size 16m --rounds 1 --folder .`,
  )
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toContain('what was read is not what was written')
  expect(readdirSync(folder.path).filter((name) => name.includes('bench'))).toEqual([])
})

import { existsSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { CommandFolder, PASSPHRASE, type Run } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
const RECOVERY_KEY = /^([0-9A-Z]{4}-){13}[0-9A-Z]{4}$/

interface Listed {
  readonly slots: readonly { readonly id: string; readonly type: string; readonly label?: string }[]
  readonly generations: readonly number[]
}

function parse({ stdout }: Run): unknown {
  return JSON.parse(stdout)
}

/** A keyring of its own for each test. */
async function createKeyring(name: string): Promise<{ SEALFILE_KEYRING: string }> {
  const argon2 = { memoryKiB: 8, passes: 1, lanes: 1 }
  const keyManager = await KeyManager.create(at(name), { passphrase: PASSPHRASE, argon2 })
  keyManager.close()
  return { SEALFILE_KEYRING: name }
}

async function list(env: Record<string, string>): Promise<Listed> {
  return parse(await folder.run(['keys', 'list', '--json'], { env })) as Listed
}

describe('keys create', () => {
  test('makes a keyring that the library opens, once', async () => {
    const env = { SEALFILE_KEYRING: 'new.json' }
    const args = ['keys', 'create', '--argon2', 'interactive', '--label', 'mine', '--print-recovery-key']
    const { status, stdout, stderr } = await folder.run(args, { env })
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: expect.stringMatching(RECOVERY_KEY) as string })
    expect(stderr).toContain('Keep a copy')
    expect(statSync(at('new.json')).mode & 0o777).toBe(0o600)
    const keyManager = await KeyManager.open(at('new.json'), { recoveryKey: stdout.trim() })
    expect(keyManager.slots()).toMatchObject([
      { type: 'passphrase', label: 'mine', argon2: { memoryKiB: 131_072 } },
      { type: 'recovery' },
    ])
    keyManager.close()
    const before = readFileSync(at('new.json'))
    expect((await folder.run(args, { env })).status).toBe(1)
    expect(readFileSync(at('new.json')).equals(before)).toBe(true)
  })

  test('where it cannot be, says what the system says', async () => {
    const { status, stderr } = await folder.run(['keys', 'create', '-k', 'no/keyring.json', '--argon2', 'interactive'])
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ENOENT') as string })
    expect(existsSync(at('no'))).toBe(false)
  })

  test('by a key, and as JSON', async () => {
    folder.write('key', Buffer.alloc(32, 7))
    const env = { SEALFILE_KEYRING: 'by-key.json', SEALFILE_PASSPHRASE: undefined }
    const created = await folder.run(['keys', 'create', '--key-file', 'key', '--json'], { env })
    expect(parse(created)).toMatchObject({ slots: [{ type: 'key' }] })
    expect(created.stderr).toBe('')
    expect((await folder.run(['keys', 'list', '--key-file', 'key'], { env })).status).toBe(0)
    folder.write('key', Buffer.alloc(32, 8))
    expect((await folder.run(['keys', 'list', '--key-file', 'key'], { env })).status).toBe(3)
  })
})

describe('ways into a keyring', () => {
  test('are added, used and removed', async () => {
    const env = await createKeyring('ways.json')
    const cheap = ['--argon2', 'interactive']
    folder.write('second', 'another passphrase')
    const added = await folder.run(['keys', 'add', '--new-passphrase-file', 'second', '--label', 'second', ...cheap], { env })
    expect(added.status).toBe(0)
    expect((await folder.run(['keys', 'list', '--passphrase-file', 'second'], { env })).status).toBe(0)
    const recovery = await folder.run(['keys', 'add', 'recovery-key'], { env })
    expect(recovery.stdout.trim()).toMatch(RECOVERY_KEY)
    folder.write('recovery', recovery.stdout)
    expect((await folder.run(['keys', 'list', '--recovery-key-file', 'recovery'], { env })).status).toBe(0)
    folder.write('raw', Buffer.alloc(32, 9))
    expect((await folder.run(['keys', 'add', 'key', '--new-key-file', 'raw'], { env })).status).toBe(0)
    const { slots } = await list(env)
    expect(slots.map(({ type }) => type)).toEqual(['passphrase', 'passphrase', 'recovery', 'key'])
    const second = slots.find(({ label }) => label === 'second')!
    expect((await folder.run(['keys', 'remove', second.id], { env })).status).toBe(0)
    expect((await folder.run(['keys', 'list', '--passphrase-file', 'second'], { env })).status).toBe(3)
    expect((await folder.run(['keys', 'remove', second.id], { env })).status).toBe(3)
    expect((await folder.run(['keys', 'add', 'nonsense'], { env })).status).toBe(2)
    const noKey = await folder.run(['keys', 'add', 'key'], { env })
    expect(noKey).toMatchObject({ status: 2, stderr: expect.stringContaining('--new-key-file') as string })
    expect((await list(env)).slots).toHaveLength(3)
  })

  test('a passphrase is changed', async () => {
    const env = await createKeyring('changed.json')
    const change = { ...env, SEALFILE_NEW_PASSPHRASE: 'the next one' }
    const { status, stdout, stderr } = await folder.run(['keys', 'change-passphrase', '--argon2', 'interactive'], { env: change })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: 'changed.json: passphrase changed\n' })
    expect((await folder.run(['keys', 'list'], { env })).status).toBe(3)
    expect((await folder.run(['keys', 'list'], { env: { ...env, SEALFILE_PASSPHRASE: 'the next one' } })).status).toBe(0)
  })

  test('a recovery key opens the way to a new passphrase', async () => {
    const env = await createKeyring('recovered.json')
    const { stdout } = await folder.run(['keys', 'add', 'recovery-key'], { env })
    const forgotten = { ...env, SEALFILE_PASSPHRASE: undefined, SEALFILE_NEW_PASSPHRASE: 'found again' }
    const variable = { ...forgotten, SEALFILE_RECOVERY_KEY: stdout.trim().toLowerCase() }
    expect((await folder.run(['keys', 'recover', '--argon2', 'interactive'], { env: variable })).status).toBe(0)
    expect((await folder.run(['keys', 'list'], { env: { ...env, SEALFILE_PASSPHRASE: 'found again' } })).status).toBe(0)
  })
})

test('rotation: new files get the new master key, and others are moved over', async () => {
  const env = await createKeyring('rotated.json')
  folder.write('plain', 'text')
  await folder.run(['encrypt', 'plain', 'old-file'], { env })
  expect((await folder.run(['keys', 'rotate'], { env })).status).toBe(0)
  expect((await list(env)).generations).toEqual([1, 2])
  const inUse = await folder.run(['keys', 'retire', '1', 'old-file'], { env })
  expect({ status: inUse.status, stderr: inUse.stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('old-file') as string,
  })
  const dry = await folder.run(['rewrap', '--dry-run', '--json', 'old-file'], { env })
  expect(parse(dry)).toMatchObject({ dryRun: true, rewrapped: 1 })
  const tried = await folder.run(['rewrap', '--json', '-p', 'other', '-p', 'test', 'old-file'], { env })
  expect(parse(tried)).toMatchObject({ command: 'rewrap', files: 1, rewrapped: 1, failures: [] })
  expect((await folder.run(['keys', 'retire', '1', 'old-file'], { env })).status).toBe(0)
  expect((await folder.run(['cat', 'old-file'], { env })).stdout).toBe('text')
  expect(existsSync(at('rotated.json'))).toBe(true)
})

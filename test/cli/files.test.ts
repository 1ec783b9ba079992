import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { CommandFolder, PASSPHRASE, workingNames } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
const large = Buffer.alloc(300_000, 'more than four segments of it. ')

function flip(name: string, position: number): void {
  const content = readFileSync(at(name))
  content[position]! ^= 1
  writeFileSync(at(name), content)
}

const parse = (text: string): unknown => JSON.parse(text)

describe('encrypt and decrypt', () => {
  test('there and back, with the permissions of the input', async () => {
    folder.write('plain', large)
    chmodSync(at('plain'), 0o640)
    expect(await folder.run(['encrypt', 'plain', 'sealed'])).toMatchObject({ status: 0, stdout: '' })
    expect(readFileSync(at('sealed')).includes('segments')).toBe(false)
    expect(await folder.run(['decrypt', 'sealed', 'back'])).toMatchObject({ status: 0, stdout: '' })
    expect(readFileSync(at('back')).equals(large)).toBe(true)
    expect([statSync(at('sealed')).mode & 0o777, statSync(at('back')).mode & 0o777]).toEqual([0o640, 0o640])
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })

  test('permissions are less what the user wants of new files', async () => {
    folder.write('plain', 'text')
    chmodSync(at('plain'), 0o664)
    const commands = ['encrypt plain masked', 'decrypt masked masked-back', 'append masked-new plain', 'append piped-new < plain']
    expect(await folder.shell(`umask 026; ${commands.map((line) => `sealfile ${line}`).join(' && ')}`)).toMatchObject({ status: 0 })
    const modes = ['masked', 'masked-back', 'masked-new', 'piped-new'].map((name) => statSync(at(name)).mode & 0o777)
    expect(modes).toEqual([0o640, 0o640, 0o640, 0o600])
  })

  test('the library reads what the command wrote, with its options', async () => {
    folder.write('plain', 'text')
    const options = ['--segment-size', '4k', '--cipher', 'chacha20-poly1305', '--context', 'its name', '-p', 'config']
    expect((await folder.run(['encrypt', ...options, 'plain', 'for-the-library'])).status).toBe(0)
    const keyManager = await KeyManager.open(at('keyring.json'), { passphrase: PASSPHRASE })
    const open = { keyManager, purpose: 'config', context: Buffer.from('its name') }
    const file = await EncryptedFile.open(at('for-the-library'), 'r', open)
    expect(await file.readText()).toBe('text')
    expect(await file.info()).toMatchObject({ kind: 'editable', segmentSize: 4096, cipher: 'chacha20-poly1305', isClean: true })
    await file.close()
    keyManager.close()
  })

  test('replaces nothing unless it is told to', async () => {
    folder.write('plain', 'new')
    folder.write('there', 'old')
    const refused = await folder.run(['encrypt', 'plain', 'there'])
    expect(refused).toMatchObject({ status: 1, stdout: '' })
    expect(refused.stderr).toContain('--force')
    expect(readFileSync(at('there'), 'utf8')).toBe('old')
    expect((await folder.run(['encrypt', '--force', 'plain', 'there'])).status).toBe(0)
    expect((await folder.run(['decrypt', 'there', 'plain'])).status).toBe(1)
    expect((await folder.run(['decrypt', '-f', 'there', 'plain'])).status).toBe(0)
    expect(readFileSync(at('plain'), 'utf8')).toBe('new')
  })

  test.each([
    ['encrypt', 'socket', 'of-a-socket'],
    ['append', 'of-a-socket', 'socket'],
  ])('an input that cannot be opened is told of: %s %s %s', async (...args) => {
    const server = createServer().listen(at('socket'))
    await once(server, 'listening')
    const { status, stderr } = await folder.run(args)
    server.close()
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^sealfile: ENXIO: .*socket'\n$/) as string })
  })

  test('a name that cannot be is told of, and nothing is left', async () => {
    folder.write('plain', 'text')
    const before = readdirSync(folder.path)
    const { status, stderr } = await folder.run(['encrypt', 'plain', 'x'.repeat(256)])
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ENAMETOOLONG') as string })
    expect(readdirSync(folder.path)).toEqual(before)
  })

  test('standard input that is a folder is told of', async () => {
    const { status, stderr } = await folder.shell('sealfile encrypt - of-a-folder < .')
    expect({ status, stderr }).toEqual({ status: 2, stderr: 'sealfile: standard input is a folder\n' })
    expect(existsSync(at('of-a-folder'))).toBe(false)
  })

  test('of two at once one gets the name', async () => {
    folder.write('plain', 'text')
    const runs = await Promise.all([1, 2, 3].map(() => folder.run(['encrypt', 'plain', 'contended'])))
    expect(runs.map(({ status }) => status).sort()).toEqual([0, 1, 1])
    expect((await folder.run(['cat', 'contended'])).stdout).toBe('text')
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })

  test('a target that is open for writing is not replaced', async () => {
    folder.write('plain', 'text')
    await folder.run(['encrypt', 'plain', 'open-elsewhere'])
    const keyManager = await KeyManager.open(at('keyring.json'), { passphrase: PASSPHRASE })
    const writer = await EncryptedFile.open(at('open-elsewhere'), 'a', { keyManager, purpose: 'test' })
    try {
      expect((await folder.run(['encrypt', '-f', 'plain', 'open-elsewhere'])).status).toBe(7)
      expect((await folder.run(['append', 'open-elsewhere'], { input: 'x' })).status).toBe(7)
    } finally {
      await writer.close()
      keyManager.close()
    }
    expect((await folder.run(['cat', 'open-elsewhere'])).stdout).toBe('text')
  })

  test.each([
    ['a flipped byte', (name: string) => flip(name, 200_000), 4],
    ['a cut', (name: string) => writeFileSync(at(name), readFileSync(at(name)).subarray(0, 200_000)), 4],
    ['another file', (name: string) => writeFileSync(at(name), 'this is something else, and long enough to be told'), 5],
    ['nothing', (name: string) => writeFileSync(at(name), ''), 5],
  ])('of %s no file is made', async (what, spoil, code) => {
    folder.write('plain', large)
    const name = `with ${what}`
    await folder.run(['encrypt', 'plain', name])
    spoil(name)
    const { status, stderr } = await folder.run(['decrypt', name, `out of ${what}`])
    expect({ status, stderr }).toEqual({ status: code, stderr: expect.stringContaining(name) as string })
    expect(existsSync(at(`out of ${what}`))).toBe(false)
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })

  test('to standard output comes what authenticates, and the exit code tells of the rest', async () => {
    folder.write('plain', large)
    await folder.run(['encrypt', 'plain', 'damaged'])
    flip('damaged', 200_000)
    const { status, bytes } = await folder.run(['decrypt', 'damaged'])
    expect(status).toBe(4)
    expect(bytes.length).toBeGreaterThan(0)
    expect(large.subarray(0, bytes.length).equals(bytes)).toBe(true)
    expect(bytes.length).toBeLessThan(200_000)
  })
})

describe('what goes wrong with keys', () => {
  test.each([
    ['a wrong passphrase', ['cat', 'file'], { SEALFILE_PASSPHRASE: 'wrong' }, 3],
    ['another purpose', ['cat', '-p', 'other', 'file'], {}, 3],
    ['no purpose', ['cat', 'file'], { SEALFILE_PURPOSE: undefined }, 2],
    ['no keyring named', ['cat', 'file'], { SEALFILE_KEYRING: undefined }, 2],
    ['a keyring that is not there', ['cat', '-k', 'nowhere.json', 'file'], {}, 1],
    ['a keyring that is none', ['cat', '-k', 'plain', 'file'], {}, 4],
    ['two ways in', ['cat', '--keychain', '--recovery-key', 'file'], {}, 2],
    ['an empty file of a passphrase', ['cat', '--passphrase-file', 'empty', 'file'], {}, 2],
    ['a mistyped recovery key', ['cat', '--recovery-key-file', 'passphrase', 'file'], {}, 3],
    ['no file', ['cat', 'nothing-there'], {}, 1],
    ['an option that there is not', ['cat', '--nonsense', 'file'], {}, 2],
    ['an impossible segment', ['encrypt', '--segment-size', '5', 'plain', 'never'], {}, 2],
    ['a size that is none', ['encrypt', '--segment-size', '5x', 'plain', 'never'], {}, 2],
    ['a number that is none', ['keys', 'retire', 'first', 'file'], {}, 2],
    ['no purpose for any of many files', ['verify', 'file'], { SEALFILE_PURPOSE: undefined }, 2],
    ['a passphrase from two places', ['cat', '--passphrase-file', 'passphrase', '--passphrase-fd', '3', 'file'], {}, 2],
  ])('%s: told with a code, as text and as JSON', async (_, args, env, code) => {
    folder.write('plain', 'text')
    folder.write('empty', '')
    if (!existsSync(at('file'))) await folder.run(['encrypt', 'plain', 'file'])
    const [forPeople, forMachines] = await Promise.all([folder.run(args, { env }), folder.run(['--json', ...args], { env })])
    expect(forPeople).toMatchObject({ status: code, stdout: '', stderr: expect.stringMatching(/^sealfile: .+\n/) as string })
    expect(forMachines).toMatchObject({ status: code, stdout: '' })
    expect(parse(forMachines.stderr)).toMatchObject({
      error: { code: expect.any(String) as string, message: expect.any(String) as string },
    })
    for (const { stderr } of [forPeople, forMachines]) {
      expect(stderr).not.toContain(PASSPHRASE)
      expect(stderr).not.toMatch(/wrong\b(?! key)/)
    }
  })
})

describe('cat and append', () => {
  test('reads parts, and appends', async () => {
    folder.write('plain', '0123456789')
    await folder.run(['encrypt', 'plain', 'digits'])
    expect((await folder.run(['cat', '--offset', '2', '--length', '3', 'digits', 'digits'])).stdout).toBe('234234')
    expect(await folder.run(['cat', '--length', '0', 'digits'])).toMatchObject({ status: 0, stdout: '' })
    expect((await folder.run(['cat', '--length', '0', 'no-such-file'])).status).toBe(1)
    expect((await folder.run(['cat', '--length', '0', 'plain'])).status).toBe(5)
    expect(await folder.run(['append', 'digits'], { input: 'abc' })).toMatchObject({ status: 0, stdout: '' })
    expect((await folder.run(['append', 'digits', 'plain', '--json'])).stdout).toBe(
      '{"command":"append","file":"digits","size":10}\n',
    )
    expect((await folder.run(['cat', 'digits', '--offset', '8'])).stdout).toBe('89abc0123456789')
    expect((await folder.run(['append', 'made-by-append'], { input: 'x' })).status).toBe(0)
    expect((await folder.run(['cat', 'made-by-append'])).stdout).toBe('x')
  })

  test('what cannot be read appends nothing', async () => {
    folder.write('plain', 'text')
    await folder.run(['encrypt', 'plain', 'unchanged'])
    const { status, stderr } = await folder.run(['append', 'unchanged', '.'])
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('EISDIR') as string })
    expect((await folder.run(['cat', 'unchanged'])).stdout).toBe('text')
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })

  test('of a damaged file other parts can be read', async () => {
    folder.write('plain', large)
    await folder.run(['encrypt', 'plain', 'half-good'])
    flip('half-good', 200_000)
    const part = await folder.run(['cat', '--offset', '280000', '--length', '31', 'half-good'])
    expect(part).toMatchObject({ status: 0, stdout: large.subarray(280_000, 280_031).toString() })
    expect((await folder.run(['cat', '--offset', '150000', 'half-good'])).status).toBe(4)
  })
})

describe('info, verify and salvage', () => {
  test('info tells what the header says, and with a purpose what is authentic', async () => {
    folder.write('plain', large)
    await folder.run(['encrypt', 'plain', 'looked-at'])
    const header = await folder.run(['info', '--json', 'looked-at'], {
      env: { SEALFILE_PASSPHRASE: undefined, SEALFILE_KEYRING: undefined },
    })
    expect(parse(header.stdout)).toMatchObject({
      command: 'info',
      files: [{ path: 'looked-at', isAuthentic: false, kind: 'editable' }],
    })
    const authentic = await folder.run(['info', '--json', '-p', 'test', 'looked-at'])
    expect(parse(authentic.stdout)).toMatchObject({ files: [{ isAuthentic: true, size: large.length, isClean: true }] })
    expect((await folder.run(['info', 'plain'])).status).toBe(5)
  })

  test('verify finds damage, salvage saves the rest', async () => {
    folder.write('plain', large)
    await folder.run(['encrypt', 'plain', 'good'])
    await folder.run(['encrypt', 'plain', 'bad'])
    flip('bad', 200_000)
    expect((await folder.run(['verify', 'good'])).status).toBe(0)
    const { status, stdout } = await folder.run(['verify', 'good', 'bad', '--json'])
    expect(status).toBe(4)
    const report = JSON.parse(stdout) as { readonly problems: readonly { readonly path: string }[] }
    expect(report).toMatchObject({ command: 'verify', ok: false, files: 2, intact: 1, problems: [{ kind: 'damaged' }] })
    expect(report.problems[0]!.path).toBe(at('bad'))
    const saved = await folder.run(['salvage', 'bad', 'saved', '--json'])
    expect(saved.status).toBe(6)
    expect(parse(saved.stdout)).toMatchObject({ size: large.length, gaps: [{ position: 196_608, length: 65_536 }] })
    const back = (await folder.run(['cat', 'saved'])).bytes
    const hole = Buffer.from(large).fill(0, 196_608, 196_608 + 65_536)
    expect(back.equals(hole)).toBe(true)
    expect((await folder.run(['salvage', 'good', 'saved'])).status).toBe(1)
    expect((await folder.run(['salvage', 'good', 'saved-whole'])).status).toBe(0)
  })
})

test('a name cannot tell a terminal what to do, nor look like another line', async () => {
  const name = folder.write('red \u001b[31m\nsealfile: all is well \u202etxt', 'text')
  const shown = 'red ?[31m?sealfile: all is well ?txt'
  expect((await folder.run(['cat', name])).stderr).toContain(shown)
  expect((await folder.run(['cat', `${name}, which is not there`])).stderr).toContain(shown)
  await folder.run(['encrypt', '--force', name, name])
  expect((await folder.run(['info', name])).stdout.split('\n')[0]).toBe(shown)
  await folder.run(['pack', name, 'package'])
  expect((await folder.run(['unpack', '--list', 'package'])).stdout.trimEnd().split('\n')).toEqual([expect.stringContaining(shown)])
})

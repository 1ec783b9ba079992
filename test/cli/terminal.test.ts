import { existsSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EncryptedFile, KeyManager } from '../../src/index.js'
import { CommandFolder, NO_TERMINAL, PASSPHRASE } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
const ENTER = '\r'
const asked = { env: { SEALFILE_PASSPHRASE: undefined } }

async function encrypt(name: string, content: string | Uint8Array): Promise<void> {
  folder.write('plain', content)
  await folder.run(['encrypt', '--force', 'plain', name])
}

const DISK_IN_MEMORY = NO_TERMINAL !== undefined || statfsSync('/dev/shm').type === statfsSync(tmpdir()).type
const where = NO_TERMINAL === undefined ? '' : `, but ${NO_TERMINAL}`

describe.skipIf(NO_TERMINAL !== undefined)(`at a terminal${where}`, () => {
  test('a passphrase is asked for, and not shown', async () => {
    await encrypt('file', 'content\n')
    const run = await folder.terminal(['cat', 'file'], [['Passphrase:', PASSPHRASE + ENTER]], asked)
    expect(run).toMatchObject({ status: 0, unanswered: 0, stdout: expect.stringContaining('content') as string })
    expect(run.stdout).not.toContain(PASSPHRASE)
    const wrong = await folder.terminal(['cat', 'file'], [['Passphrase:', `mistaken${ENTER}`]], asked)
    expect(wrong.status).toBe(3)
    expect(wrong.stdout).not.toContain('mistaken')
    expect(wrong.stdout).toContain('sealfile: the passphrase does not open the keyring')
  })

  test('also while the standard streams are others', async () => {
    folder.write('plain', 'content')
    const line = 'sealfile encrypt < plain > sealed'
    expect(await folder.terminalLine(line, [['Passphrase:', PASSPHRASE + ENTER]], asked)).toMatchObject({
      status: 0,
      unanswered: 0,
    })
    expect((await folder.shell('sealfile decrypt < sealed')).stdout).toBe('content')
  })

  test('what is typed in another encoding is refused', async () => {
    const typed = Buffer.from(`caf\xe9${ENTER}`, 'latin1')
    const run = await folder.terminal(['keys', 'list'], [['Passphrase:', typed]], asked)
    expect(run).toMatchObject({ status: 2, stdout: expect.stringContaining('is not UTF-8') as string })
  })

  test('no file is a terminal, which would show it', async () => {
    for (const file of ['/dev/tty', '/dev/stdin']) {
      const { status, stdout } = await folder.terminal(['keys', 'list', '--passphrase-file', file], [], asked)
      expect({ status, stdout }).toEqual({ status: 2, stdout: expect.stringContaining('is a terminal') as string })
    }
  })

  test('a new passphrase is asked for twice', async () => {
    const env = { ...asked.env, SEALFILE_KEYRING: 'twice.json' }
    const args = ['keys', 'create', '--argon2', 'interactive']
    const answers = (second: string) => [
      ['New passphrase:', `correct horse${ENTER}`] as const,
      ['New passphrase again:', second + ENTER] as const,
    ]
    const different = await folder.terminal(args, answers('correct hose'), { env })
    expect(different).toMatchObject({ status: 2, unanswered: 0 })
    expect(existsSync(at('twice.json'))).toBe(false)
    const same = await folder.terminal(args, answers('correct horse'), { env })
    expect(same).toMatchObject({ status: 0, unanswered: 0 })
    expect(same.stdout + different.stdout).not.toMatch(/correct ho/)
    const keyManager = await KeyManager.open(at('twice.json'), { passphrase: 'correct horse' })
    keyManager.close()
  })

  test('none is none', async () => {
    const run = await folder.terminal(['keys', 'list'], [['Passphrase:', ENTER]], asked)
    expect(run).toMatchObject({ status: 2, unanswered: 0, stdout: expect.stringContaining('the passphrase is empty') as string })
  })

  test.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('%s ends it', async (_, typed) => {
    expect(await folder.terminal(['keys', 'list'], [['Passphrase:', typed]], asked)).toMatchObject({ status: 130, unanswered: 0 })
  })

  test('progress shows as a bar, and not if it is not wanted', async () => {
    await encrypt('large', Buffer.alloc(20_000_000, 'text '))
    const { status, stdout } = await folder.terminal(['decrypt', 'large', 'out'], [])
    expect(status).toBe(0)
    expect(stdout).toContain('decrypting [==============================] 100 %')
    expect(stdout).toContain('out: 19.1 MiB decrypted')
    for (const option of ['--quiet', '--json']) {
      expect((await folder.terminal(['decrypt', '-f', option, 'large', 'out'], [])).stdout).not.toContain('decrypting')
    }
    const { stderr } = await folder.run(['decrypt', '-f', 'large', 'out'])
    expect(stderr).toBe('out: 19.1 MiB decrypted\n')
  })

  test('neither ciphertext nor binary content goes there, unless it must', async () => {
    await encrypt('binary', Buffer.from([1, 0, 255, 7]))
    await encrypt('latin', Buffer.from('caf\xe9', 'latin1'))
    await encrypt('text', 'köstlich\n')
    const refused = [
      ['encrypt', 'plain'],
      ['decrypt', 'binary'],
      ['cat', 'binary'],
      ['cat', 'latin'],
    ]
    for (const args of refused) {
      const { status, stdout } = await folder.terminal(args, [])
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: expect.stringContaining('--force') as string })
    }
    expect(await folder.terminal(['cat', 'text'], [])).toMatchObject({ status: 0, stdout: 'köstlich\r\n' })
    expect((await folder.terminal(['cat', '--force', 'binary'], [])).status).toBe(0)
  })
})

describe.skipIf(NO_TERMINAL !== undefined)(`edit${where}`, () => {
  const edit = (script: string, ...args: string[]) =>
    folder.terminal(['edit', ...args], [], { env: { VISUAL: undefined, EDITOR: folder.writeProgram('editor', script) } })
  const contentOf = async (name: string): Promise<string> => (await folder.run(['cat', name])).stdout

  test('saves what was changed, in a private place meanwhile', async () => {
    await encrypt('note.txt.enc', 'before\n')
    const script = 'echo after >> "$1"; echo swap > "$1~"; stat -c %a "$1" "$(dirname "$1")" > seen; echo "$1" >> seen; env >> seen'
    const run = await edit(script, 'note.txt.enc')
    expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining('note.txt.enc: saved') as string })
    expect(await contentOf('note.txt.enc')).toBe('before\nafter\n')
    const seen = readFileSync(at('seen'), 'utf8')
    const [file, inFolder, temporary] = seen.split('\n')
    expect([file, inFolder]).toEqual(['600', '700'])
    expect(temporary).toMatch(/\/note\.txt$/)
    expect(existsSync(temporary!.replace(/\/[^/]*$/, ''))).toBe(false)
    expect(seen).not.toContain(PASSPHRASE)
  })

  test.skipIf(DISK_IN_MEMORY)('a folder on a disk is not taken for one in memory', async () => {
    await encrypt('where', 'text')
    const EDITOR = folder.writeProgram('editor', 'echo "$1" > place')
    for (const XDG_RUNTIME_DIR of [folder.path, '.']) {
      const run = await folder.terminal(['edit', 'where'], [], { env: { VISUAL: undefined, EDITOR, XDG_RUNTIME_DIR } })
      expect(run).toMatchObject({ status: 0, stdout: expect.not.stringContaining('on a disk') as string })
      expect(readFileSync(at('place'), 'utf8')).toMatch(/^\/dev\/shm\//)
    }
  })

  test('the editor gets no secret, whatever opened the keyring', async () => {
    await encrypt('.enc', 'text')
    const secrets = { SEALFILE_RECOVERY_KEY: 'secret-1', SEALFILE_NEW_PASSPHRASE: 'secret-2', SEALFILE_PASSPHRASE: 'secret-3' }
    const env = { ...secrets, EDITOR: folder.writeProgram('editor', 'env > seen; echo more >> "$1"') }
    expect((await folder.terminal(['edit', '--passphrase-file', 'passphrase', '.enc'], [], { env })).status).toBe(0)
    expect(readFileSync(at('seen'), 'utf8')).toContain('SEALFILE_PURPOSE')
    expect(readFileSync(at('seen'), 'utf8')).not.toContain('secret-')
    expect(await contentOf('.enc')).toBe('textmore\n')
  })

  test('notices that nothing was changed, or that the editor failed', async () => {
    await encrypt('same', 'same')
    const before = readFileSync(at('same'))
    expect((await edit('true', 'same')).stdout).toContain('same: unchanged')
    expect(await edit('echo x >> "$1"; exit 3', 'same')).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('ended with 3') as string,
    })
    expect(readFileSync(at('same')).equals(before)).toBe(true)
  })

  test('is not started for a file that cannot be read', async () => {
    folder.write('not-encrypted', 'text, and long enough to be told from a file of ours')
    const { status, stdout } = await edit('touch started', 'not-encrypted')
    expect({ status, stdout }).toEqual({ status: 5, stdout: expect.stringContaining('not-encrypted') as string })
    expect(existsSync(at('started'))).toBe(false)
  })

  test('makes a file that is not there', async () => {
    expect((await edit('echo new > "$1"', 'brand-new')).status).toBe(0)
    expect(await contentOf('brand-new')).toBe('new\n')
  })

  test('keeps what was edited if it cannot be saved', async () => {
    await encrypt('contended', 'before')
    const theirs = 'echo theirs | sealfile append --passphrase-file passphrase contended'
    const { status, stdout } = await edit(`echo mine > "$1"; ${theirs}`, 'contended')
    expect(status).toBe(1)
    expect(stdout).toContain('somebody else has changed the file meanwhile')
    expect(await contentOf('contended')).toBe('beforetheirs\n')
    const [, kept] = /It is in (\S+), not encrypted/.exec(stdout) ?? []
    expect(readFileSync(kept!, 'utf8')).toBe('mine\n')
    rmSync(dirname(kept!), { recursive: true })
  })

  test('a signal ends the editor, keeps what it had saved, and leaves nothing open', async () => {
    await encrypt('ended', 'before')
    const script = `echo saved > "$1"; echo "$1" > place; kill -TERM $PPID; exec sleep 60`
    const { status } = await edit(script, 'ended')
    expect(status).toBe(143)
    expect(await contentOf('ended')).toBe('saved\n')
    expect(existsSync(dirname(readFileSync(at('place'), 'utf8').trim()))).toBe(false)
  })

  test('after a signal, too, it is told where what could not be saved is', async () => {
    await encrypt('both', 'before')
    const theirs = 'echo theirs | sealfile append --passphrase-file passphrase both'
    const { status, stdout } = await edit(`echo mine > "$1"; ${theirs}; kill -TERM $PPID; exec sleep 60`, 'both')
    expect(status).toBe(143)
    const [, kept] = /It is in (\S+), not encrypted/.exec(stdout) ?? []
    expect(readFileSync(kept!, 'utf8')).toBe('mine\n')
    rmSync(dirname(kept!), { recursive: true })
  })

  test('a second signal leaves no plaintext either', async () => {
    await encrypt('twice', 'before')
    const signals = 'kill -TERM $PPID; sleep 0.3; kill -TERM $PPID; sleep 0.3'
    const { status } = await edit(`trap '' HUP; echo more >> "$1"; echo "$1" > place; ${signals}`, 'twice')
    expect(status).toBe(143)
    expect(existsSync(dirname(readFileSync(at('place'), 'utf8').trim()))).toBe(false)
    expect(await contentOf('twice')).toBe('before')
  })

  test('what somebody else has open cannot be saved, with the code for that', async () => {
    await encrypt('held', 'before')
    const keyManager = await KeyManager.open(at('keyring.json'), { passphrase: PASSPHRASE })
    const writer = await EncryptedFile.open(at('held'), 'r+', { keyManager, purpose: 'test' })
    const { status, stdout } = await edit('echo mine > "$1"', 'held')
    await writer.close()
    keyManager.close()
    expect(status).toBe(7)
    const [, kept] = /It is in (\S+), not encrypted/.exec(stdout) ?? []
    rmSync(dirname(kept!), { recursive: true })
  })

  test('says why it cannot run', async () => {
    await encrypt('file', 'x')
    expect(await folder.run(['edit', 'file'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no terminal') as string,
    })
    const none = await folder.terminal(['edit', 'file'], [], { env: { VISUAL: undefined, EDITOR: undefined } })
    expect(none).toMatchObject({ status: 2, stdout: expect.stringContaining('no editor') as string })
    const missing = await folder.terminal(['edit', 'file'], [], { env: { VISUAL: 'no-such-editor', EDITOR: undefined } })
    expect(missing).toMatchObject({ status: 1, stdout: expect.stringContaining('Is it installed?') as string })
  })
})

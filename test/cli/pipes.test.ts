import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { CommandFolder, endOf, PASSPHRASE, workingNames } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
const CHEAP = { memoryKiB: 8, passes: 1, lanes: 1 }
const large = Buffer.alloc(3_000_000, 'more than a pipe holds. ')

describe('pipes', () => {
  test('a stream goes through, whole or by redirection', async () => {
    folder.write('large', large)
    expect(await folder.shell('cat large | sealfile encrypt | sealfile decrypt - | cmp - large')).toMatchObject({
      status: 0,
      stderr: '',
    })
    await folder.shell('sealfile encrypt < large > stream')
    expect(JSON.parse((await folder.run(['info', 'stream', '--json'])).stdout)).toMatchObject({ files: [{ kind: 'stream' }] })
    expect((await folder.shell('sealfile decrypt < stream | cmp - large')).status).toBe(0)
    expect((await folder.run(['decrypt', 'stream', 'out'])).status).toBe(0)
    expect(readFileSync(at('out')).equals(large)).toBe(true)
  })

  test('an editable file can be redirected, and not be piped', async () => {
    folder.write('large', large)
    await folder.run(['encrypt', 'large', 'editable'])
    expect((await folder.shell('sealfile decrypt < editable | cmp - large')).status).toBe(0)
    const piped = await folder.shell('cat editable | sealfile decrypt')
    expect(piped).toMatchObject({ status: 5, stdout: '' })
    expect(piped.stderr).toContain('redirect it with <')
  })

  test('a named pipe gets a stream, a file on --stream', async () => {
    folder.write('large', large)
    const { status } = await folder.shell(
      'mkfifo fifo; cat fifo > from-fifo & sealfile encrypt large fifo && wait && sealfile decrypt from-fifo | cmp - large',
    )
    expect(status).toBe(0)
    await folder.run(['encrypt', '--stream', 'large', 'stream-file'])
    expect((await folder.shell('cat stream-file | sealfile decrypt | cmp - large')).status).toBe(0)
  })

  test('a cut stream leaves the beginning, and an exit code', async () => {
    folder.write('large', large)
    await folder.shell('sealfile encrypt < large > to-cut')
    const { status, bytes } = await folder.shell('head -c 1000000 to-cut | sealfile decrypt')
    expect(status).toBe(4)
    expect(bytes.length).toBeGreaterThan(900_000)
    expect(bytes.equals(large.subarray(0, bytes.length))).toBe(true)
    expect((await folder.shell('head -c 1000000 to-cut | sealfile decrypt - cut-out')).status).toBe(4)
    expect(existsSync(at('cut-out'))).toBe(false)
  })

  test('- is no name where there is no pipe', async () => {
    folder.write('plain', 'text')
    const runs = ['pack plain -', 'append -', 'cat plain -', 'salvage plain -', 'batch encrypt plain -', 'edit -']
    for (const line of runs) {
      const { status, stderr } = await folder.run(line.split(' '))
      expect({ line, status, stderr }).toEqual({ line, status: 2, stderr: expect.stringContaining('standard stream') as string })
    }
    expect(existsSync(at('-'))).toBe(false)
    expect((await folder.run(['encrypt', 'plain', './-'])).status).toBe(0)
    expect((await folder.run(['cat', './-'])).stdout).toBe('text')
  })

  test('JSON keeps out of the content', async () => {
    const sealed = await folder.run(['encrypt', '--json'], { input: 'text' })
    expect(JSON.parse(sealed.stderr)).toEqual({ command: 'encrypt', input: '-', output: '-', size: 4 })
    const opened = await folder.run(['decrypt', '--json'], { input: sealed.bytes })
    expect(opened).toMatchObject({ status: 0, stdout: 'text' })
    expect(JSON.parse(opened.stderr)).toEqual({ command: 'decrypt', input: '-', output: '-', size: 4 })
  })

  test('a reader that goes away ends it without a word', async () => {
    folder.write('large', large)
    await folder.run(['encrypt', 'large', 'long'])
    const { stdout, stderr } = await folder.shell('sealfile cat long | head -c 5; echo " ${PIPESTATUS[0]}"')
    expect({ stdout, stderr }).toEqual({ stdout: 'more  141\n', stderr: '' })
  })

  test.skipIf(!existsSync('/dev/full'))('a full output is told', async () => {
    folder.write('large', large)
    await folder.run(['encrypt', 'large', 'for-full'])
    for (const args of [
      ['encrypt', 'large'],
      ['cat', 'for-full'],
      ['info', 'for-full'],
      ['verify', 'for-full', '--json'],
    ]) {
      const full = openSync('/dev/full', 'w')
      const { status, stderr } = await endOf(folder.start(args, { input: '' }, ['pipe', full, 'pipe']))
      closeSync(full)
      expect({ args, status, stderr }).toEqual({ args, status: 1, stderr: expect.stringContaining('ENOSPC') as string })
    }
  })
})

test.skipIf(!existsSync('/dev/full'))('what can be done without does not make a failure of what was done', async () => {
  folder.write('plain', 'text')
  expect((await folder.shell('sealfile encrypt plain untold 2> /dev/full')).status).toBe(0)
  expect((await folder.run(['cat', 'untold'])).stdout).toBe('text')
})

describe('passphrases', () => {
  test('from a file, a descriptor, the environment', async () => {
    const env = { SEALFILE_PASSPHRASE: undefined }
    folder.write('windows-passphrase', `${PASSPHRASE}\r\nmore\n`)
    folder.write('bare-passphrase', PASSPHRASE)
    for (const name of ['passphrase', 'windows-passphrase', 'bare-passphrase']) {
      expect((await folder.run(['keys', 'list', '--passphrase-file', name], { env })).status).toBe(0)
    }
    expect((await folder.shell('sealfile keys list --passphrase-fd 3 3< passphrase', { env })).status).toBe(0)
    expect((await folder.shell('sealfile keys list --passphrase-fd 0 < passphrase', { env })).status).toBe(0)
  })

  test('the same letters are one passphrase, however they are written and given', async () => {
    const [composed, decomposed] = ['caf\u00e9 au lait', 'cafe\u0301 au lait']
    const env = { SEALFILE_KEYRING: 'letters.json', SEALFILE_PASSPHRASE: undefined }
    const keyManager = await KeyManager.create(at('letters.json'), { passphrase: decomposed, argon2: CHEAP })
    keyManager.close()
    for (const passphrase of [composed, decomposed]) {
      folder.write('letters', `${passphrase}\n`)
      expect((await folder.run(['keys', 'list'], { env: { ...env, SEALFILE_PASSPHRASE: passphrase } })).status).toBe(0)
      expect((await folder.run(['keys', 'list', '--passphrase-file', 'letters'], { env })).status).toBe(0)
    }
  })

  test('letters that are no UTF-8 are not taken for others', async () => {
    const create = "SEALFILE_KEYRING=latin.json SEALFILE_PASSPHRASE=$'caf\\xe9' sealfile keys create"
    expect(await folder.shell(create)).toMatchObject({ status: 2, stderr: expect.stringContaining('is not UTF-8') as string })
    expect(existsSync(at('latin.json'))).toBe(false)
    folder.write('latin', Buffer.from('caf\xe9', 'latin1'))
    const env = { SEALFILE_KEYRING: 'latin.json', SEALFILE_PASSPHRASE: undefined }
    expect((await folder.run(['keys', 'create', '--passphrase-file', 'latin'], { env })).status).toBe(0)
    const keyManager = await KeyManager.open(at('latin.json'), { passphrase: Buffer.from('caf\xe9', 'latin1') })
    keyManager.close()
  })

  test('where nobody can be asked, it is told how to give the one that is missing', async () => {
    const env = { SEALFILE_PASSPHRASE: undefined }
    const lines = { 'keys list': 'PASSPHRASE', 'keys list --recovery-key': 'RECOVERY_KEY' }
    for (const [line, variable] of Object.entries(lines)) {
      const { status, stderr } = await folder.shell(`setsid -w sealfile ${line}`, { env })
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(`Set SEALFILE_${variable},`) as string })
    }
  })

  test('a descriptor is read for one thing', async () => {
    const env = { SEALFILE_PASSPHRASE: undefined }
    const input = `${PASSPHRASE}\ncontent\n`
    const runs = ['encrypt --passphrase-fd 0 - both', 'decrypt --passphrase-fd 0', 'append --passphrase-fd 0 both']
    for (const line of [...runs, 'keys change-passphrase --passphrase-fd 0 --new-passphrase-fd 0']) {
      const { status, stdout, stderr } = await folder.run(line.split(' '), { env, input })
      const told = expect.stringContaining('descriptor 0 cannot be both') as string
      expect({ line, status, stdout, stderr }).toEqual({ line, status: 2, stdout: '', stderr: told })
    }
    expect(existsSync(at('both'))).toBe(false)
  })

  test.skipIf(!existsSync('/dev/fd/0'))('also under the name of a file', async () => {
    const env = { SEALFILE_PASSPHRASE: undefined }
    const runs = ['encrypt --passphrase-file /dev/stdin - both', 'append --passphrase-file /dev/fd/0 both']
    for (const line of [...runs, 'encrypt --key-file /dev/stdin - both']) {
      const { status, stdout, stderr } = await folder.shell(`printf '%s\\ncontent' '${PASSPHRASE}' | sealfile ${line}`, { env })
      const told = expect.stringContaining('descriptor 0 cannot be both') as string
      expect({ line, status, stdout, stderr }).toEqual({ line, status: 2, stdout: '', stderr: told })
    }
    expect(existsSync(at('both'))).toBe(false)
    expect((await folder.shell('cat passphrase | sealfile keys list --passphrase-file /dev/stdin', { env })).status).toBe(0)
  })

  test.each([['--passphrase-file'], ['--key-file']])('no end of a file is waited for: %s', async (option) => {
    const { status, stderr } = await folder.run(['keys', 'list', option, '/dev/zero'])
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('longer than 65536 bytes') as string })
  })
})

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGQUIT', 131],
  ] as const)('%s leaves nothing half done', async (signal, code) => {
    const child = folder.start(['encrypt', '-', `by-${signal}`])
    child.stdin!.write(large)
    const end = endOf(child)
    while (workingNames(readdirSync(folder.path)).length === 0) await sleep(20)
    child.kill(signal)
    expect((await end).status).toBe(code)
    expect(readdirSync(folder.path).filter((name) => name.includes(signal))).toEqual([])
  })

  test('machines are told of it', async () => {
    const child = folder.start(['encrypt', '--json', '-', 'told'])
    child.stdin!.write(large)
    const end = endOf(child)
    while (workingNames(readdirSync(folder.path)).length === 0) await sleep(20)
    child.kill('SIGTERM')
    const { status, stdout, stderr } = await end
    expect({ status, stdout }).toEqual({ status: 143, stdout: '' })
    expect(JSON.parse(stderr)).toEqual({ error: { code: 'INTERRUPTED', message: 'interrupted' } })
  })

  test('what has come is kept by append', async () => {
    const child = folder.start(['append', 'log'])
    const end = endOf(child)
    child.stdin!.write('first line\n')
    while (!existsSync(at('log')) || (await folder.run(['cat', 'log'])).stdout !== 'first line\n') await sleep(50)
    child.kill('SIGTERM')
    expect((await end).status).toBe(143)
    expect((await folder.run(['cat', 'log'])).stdout).toBe('first line\n')
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })

  test('a second one ends it, whatever it waits for', async () => {
    await folder.shell('mkfifo silent')
    const child = folder.start(['encrypt', 'silent', 'never'])
    const end = once(child, 'exit')
    await sleep(1_000)
    const sending = setInterval(() => child.kill('SIGTERM'), 200)
    expect(await end).toEqual([null, 'SIGTERM'])
    clearInterval(sending)
  })

  test('a stream that is decrypted into a file is dropped', async () => {
    const sealed = await folder.run(['encrypt'], { input: large })
    const child = folder.start(['decrypt', '-', 'unfinished'])
    const end = endOf(child)
    child.stdin!.write(sealed.bytes.subarray(0, 2_000_000))
    while (workingNames(readdirSync(folder.path)).length === 0) await sleep(20)
    child.kill('SIGINT')
    expect((await end).status).toBe(130)
    expect(existsSync(at('unfinished'))).toBe(false)
    expect(workingNames(readdirSync(folder.path))).toEqual([])
  })
})

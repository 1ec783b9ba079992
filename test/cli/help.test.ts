import { Command } from 'commander'
import { describe, expect, inject, test } from 'vitest'
import { createProgram } from '../../src/cli/program.js'
import { readDocument } from '../docs/markdown.js'
import { CommandFolder } from '../support/run-command.js'

const folder = new CommandFolder()
const program = createProgram(() => undefined)

function* pathsOf(command: Command, path: readonly string[] = []): Generator<readonly string[]> {
  yield path
  for (const inner of command.commands) yield* pathsOf(inner, [...path, inner.name()])
}

const paths = [...pathsOf(program)]

describe('help', () => {
  test('there are the commands', () => {
    const names = program.commands.map((command) => command.name())
    const first = ['keys', 'encrypt', 'decrypt', 'cat', 'append', 'edit', 'info', 'verify', 'salvage']
    expect(names).toEqual(expect.arrayContaining([...first, 'rewrap', 'reencrypt', 'batch', 'migrate', 'bench']))
  })

  test.each(paths.map((path) => path.join(' ')))('of "%s" fits a screen', async (path) => {
    const args = path === 'options' ? ['help', 'options'] : [...path.split(' ').filter((name) => name !== ''), '--help']
    const { status, stdout } = await folder.run(args)
    const lines = stdout.trimEnd().split('\n')
    expect(status).toBe(0)
    expect(stdout).toContain(`Usage: sealfile ${path}`.trimEnd())
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(lines.filter((line) => line.length > 80)).toEqual([])
  })

  test('every command is in the documentation', () => {
    const text = readDocument('docs/cli.md')
    const commands = paths.filter((path) => path.length > 0 && !['options', 'keys', 'batch'].includes(path.join(' ')))
    expect(commands.filter((path) => !text.includes(`\`${path.join(' ')}`))).toEqual([])
  })

  test.each(['', 'keys', 'help nonsense'])('machines are told as of other errors: "%s"', async (line) => {
    const { status, stdout, stderr } = await folder.run(['--json', ...line.split(' ').filter((word) => word !== '')])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE' } })
  })

  test('without a command, or with one that there is not, it is a usage error', async () => {
    expect(await folder.run([])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('Usage:') as string })
    expect(await folder.run(['keys'])).toMatchObject({ status: 2, stdout: '' })
    expect(await folder.run(['encryptt'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Did you mean encrypt?') as string,
    })
  })

  test('of a command in a group is asked for in any way', async () => {
    const { stdout } = await folder.run(['keys', 'create', '--help'])
    expect(stdout).toContain('Usage: sealfile keys create')
    expect(await folder.run(['help', 'keys', 'create'])).toMatchObject({ status: 0, stdout })
    expect(await folder.run(['keys', 'help', 'create'])).toMatchObject({ status: 0, stdout })
  })

  test.each([
    [['batch', 'notes', 'target'], 'See: sealfile help batch'],
    [['completion'], 'See: sealfile help completion'],
    [['keys', 'retire'], 'See: sealfile help keys retire'],
    [['nothing-like-it'], 'See: sealfile help'],
    [['keys', 'creat'], 'Did you mean create?'],
    [['encrypt', '--purpse', 'x'], 'Did you mean --purpose?'],
  ])('whoever has called it wrongly is told where to look: %j', async (args, hint) => {
    const { status, stderr } = await folder.run(args)
    expect({ status, hint: stderr.trimEnd().split('\n').at(-1) }).toEqual({ status: 2, hint })
  })

  test.each([
    [['cat', 'x'], 'SEALFILE_PASSPHRASE', '--passphrase-file'],
    [['keys', 'change-passphrase', '--passphrase-file', 'passphrase'], 'SEALFILE_NEW_PASSPHRASE', '--new-passphrase-file'],
    [['keys', 'list', '--recovery-key'], 'SEALFILE_RECOVERY_KEY', '--recovery-key-file'],
  ])('without a terminal, where else a secret may come from: %j', async (args, variable, option) => {
    const { stdout, stderr } = await folder.shell(`setsid --wait sealfile ${args.join(' ')}; echo $?`, {
      env: { SEALFILE_PASSPHRASE: undefined },
    })
    expect({ stdout, hint: stderr.split('\n')[1] }).toEqual({ stdout: '2\n', hint: `Set ${variable}, or give ${option} <file>.` })
  })

  test('nothing of the library is loaded for it', async () => {
    const { stdout, stderr } = await folder.shell(`NODE_DEBUG=esm,module node '${inject('command')}' --version`)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(stderr).not.toMatch(/dist\/(index|chunk|batch|compat)/)
  })
})

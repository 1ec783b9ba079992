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

  test('without a command, or with one that there is not, it is a usage error', async () => {
    expect(await folder.run([])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('Usage:') as string })
    expect(await folder.run(['keys'])).toMatchObject({ status: 2, stdout: '' })
    expect(await folder.run(['encryptt'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Did you mean encrypt?') as string,
    })
  })

  test('nothing of the library is loaded for it', async () => {
    const { stdout, stderr } = await folder.shell(`NODE_DEBUG=esm,module node '${inject('command')}' --version`)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(stderr).not.toMatch(/dist\/(index|chunk|batch|compat)/)
  })
})

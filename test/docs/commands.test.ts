import { mkdirSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.js'
import { fencedBlocks, readDocument } from './markdown.js'

/** The blocks of each are run in one folder, one after the other, by one shell. Lines that begin with `# →` are what is printed. */
const DOCUMENTS = ['README.md', 'docs/cli.md']

const PRINTED = /^# → (.*)$/gm
const at = temporaryFolder()

describe.each(DOCUMENTS)('the commands of %s', (path) => {
  const script = fencedBlocks(readDocument(path))
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code)
    .join('\n')

  test('run, and print what they say', () => {
    expect(script).not.toBe('')
    const cwd = at(path.replaceAll('/', '-'))
    mkdirSync(cwd)
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
      cwd,
      encoding: 'utf8',
      input: '',
      env: {
        PATH: `${dirname(inject('command'))}:${process.env['PATH']}`,
        SEALFILE_PASSPHRASE: 'correct horse battery staple',
      },
    })
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n').slice(0, -1)).toEqual([...script.matchAll(PRINTED)].map((match) => match[1]))
  })
})

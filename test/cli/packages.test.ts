import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { CommandFolder } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
const parse = (text: string): unknown => JSON.parse(text)

beforeAll(async () => {
  mkdirSync(at('tree/inner'), { recursive: true })
  writeFileSync(at('tree/one'), 'first')
  writeFileSync(at('tree/inner/two'), Buffer.alloc(200_000, 'second '))
  expect((await folder.run(['pack', 'tree', 'tree.zip', '--compression', 'gzip'])).status).toBe(0)
})

describe('pack and unpack', () => {
  test('there, listed, and back', async () => {
    expect(readFileSync(at('tree.zip')).includes('inner')).toBe(false)
    const { stdout } = await folder.run(['unpack', '--list', '--json', 'tree.zip'])
    const members = [{ kind: 'file', path: 'inner/two', size: 200_000 }, { kind: 'file', path: 'one', size: 5 }, { path: 'inner' }]
    expect(parse(stdout)).toMatchObject({
      command: 'unpack',
      members: expect.arrayContaining(members.map((member) => expect.objectContaining(member) as unknown)) as unknown,
    })
    const unpacked = await folder.run(['unpack', 'tree.zip', 'out', '--json'])
    expect(parse(unpacked.stdout)).toEqual({
      command: 'unpack',
      package: 'tree.zip',
      target: 'out',
      files: 2,
      bytes: 200_005,
      failures: [],
    })
    expect(readFileSync(at('out/inner/two')).equals(readFileSync(at('tree/inner/two')))).toBe(true)
  })

  test.skipIf(process.platform === 'win32')('what is no file is never replaced', async () => {
    await folder.shell('mkfifo pipe; ln -s pipe to-pipe')
    for (const target of ['pipe', 'to-pipe']) {
      const { status, stderr } = await folder.run(['pack', '--force', 'tree', target])
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('is not a regular file') as string })
    }
    expect((await folder.shell('test -p pipe && test -L to-pipe')).status).toBe(0)
  })

  test('nothing is replaced unless it is told to', async () => {
    const before = readFileSync(at('tree.zip'))
    expect((await folder.run(['pack', 'tree/one', 'tree.zip'])).status).toBe(1)
    expect(readFileSync(at('tree.zip')).equals(before)).toBe(true)
    expect((await folder.run(['pack', 'tree/one', 'other.zip'])).status).toBe(0)
    expect((await folder.run(['pack', '-f', 'tree', 'other.zip'])).status).toBe(0)
  })

  test('a file that was altered is named by its path in there, and the others are made', async () => {
    const altered = readFileSync(at('tree.zip'))
    altered[200]! ^= 1
    writeFileSync(at('altered.zip'), altered)
    const { status, stdout, stderr } = await folder.run(['unpack', 'altered.zip', 'partly'])
    expect({ status, stdout }).toEqual({ status: 6, stdout: expect.stringMatching(/^1 file .*, 1 failed\n$/) as string })
    const made = readdirSync(at('partly'), { recursive: true, encoding: 'utf8' })
    const failed = made.includes('one') ? 'inner/two' : 'one'
    expect(stderr).toContain(`, file '${failed}'`)
    expect(made.sort()).toEqual(['inner', 'inner/two', 'one'].filter((path) => path !== failed))
  })

  test('what was altered, or is no package, is refused as a whole', async () => {
    const cut = readFileSync(at('tree.zip'))
    writeFileSync(at('cut.zip'), cut.subarray(0, cut.length - 30))
    expect((await folder.run(['unpack', 'cut.zip', 'nothing'])).status).toBe(4)
    expect((await folder.run(['unpack', 'tree/one', 'nothing'])).status).toBe(5)
    writeFileSync(at('empty'), '')
    expect((await folder.run(['unpack', 'empty', 'nothing'])).status).toBe(5)
    expect((await folder.run(['unpack', '--list', 'tree'])).status).toBe(5)
    // A ZIP of somebody else.
    writeFileSync(at('other.zip'), Buffer.concat([cut.subarray(0, 100), Buffer.alloc(200)]))
    expect((await folder.run(['unpack', 'other.zip', 'nothing'])).status).toBe(4)
    expect((await folder.run(['unpack', '-p', 'other', 'tree.zip', 'nothing'])).status).toBe(3)
    expect(existsSync(at('nothing/one'))).toBe(false)
    expect((await folder.run(['unpack', 'tree.zip'])).status).toBe(2)
  })
})

import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { CommandFolder } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder
/** Nothing but the configuration says anything. */
const env = { SEALFILE_KEYRING: undefined, SEALFILE_PURPOSE: undefined }
const CONFIG = {
  keyring: 'keyring.json',
  segmentSize: 4096,
  cipher: 'chacha20-poly1305',
  purposes: [
    { pattern: '**/*.log', purpose: 'logs' },
    { pattern: 'data/**', purpose: 'data' },
  ],
}

function configure(config: object, name = 'sealfile.config.json'): void {
  folder.write(name, JSON.stringify(config))
  chmodSync(at(name), 0o644)
}

afterEach(() => rmSync(at('sealfile.config.json'), { force: true }))

describe('a configuration', () => {
  test('says which keyring, which purpose, and how to encrypt', async () => {
    configure(CONFIG)
    expect((await folder.run(['append', 'app.log'], { env, input: 'line\n' })).status).toBe(0)
    expect((await folder.run(['cat', 'app.log'], { env })).stdout).toBe('line\n')
    expect((await folder.run(['cat', '-p', 'data', 'app.log'], { env })).status).toBe(3)
    const { stdout } = await folder.run(['info', '--json', 'app.log'], { env })
    expect(JSON.parse(stdout)).toMatchObject({ files: [{ segmentSize: 4096, cipher: 'chacha20-poly1305' }] })
  })

  test('is found from a folder within, and is weaker than options', async () => {
    configure(CONFIG)
    mkdirSync(at('data/inner'), { recursive: true })
    const written = await folder.shell('cd data/inner && echo text | sealfile encrypt --segment-size 8k - x && sealfile cat x', {
      env,
    })
    expect(written).toMatchObject({ status: 0, stdout: 'text\n' })
    const { stdout } = await folder.run(['info', '--json', 'data/inner/x'], { env })
    expect(JSON.parse(stdout)).toMatchObject({ files: [{ segmentSize: 8192 }] })
  })

  test('tells purposes in trees', async () => {
    configure(CONFIG)
    mkdirSync(at('data'), { recursive: true })
    folder.write('data/one', 'first')
    folder.write('data/two.log', 'second')
    expect(await folder.run(['batch', 'encrypt', 'data', 'sealed'], { env })).toMatchObject({ status: 0 })
    expect((await folder.run(['cat', '-p', 'logs', 'sealed/two.log'], { env })).stdout).toBe('second')
    expect((await folder.run(['cat', '-p', 'data', 'sealed/one'], { env })).stdout).toBe('first')
    expect((await folder.run(['batch', 'encrypt', 'data/one', 'data/two.log', 'no'], { env })).status).toBe(2)
  })

  test('without a name is a usage error that says what to do', async () => {
    for (const args of [['--config', ''], ['--config=']]) {
      const { status, stderr } = await folder.run(['encrypt', ...args, 'x', 'y'], { env })
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/--config is empty/) as string })
      expect(stderr).toContain('leave it out')
    }
  })

  test('that says nothing of a file, or is wrong, is a usage error', async () => {
    configure(CONFIG)
    folder.write('other', 'text')
    expect((await folder.run(['encrypt', 'other', 'other.enc'], { env })).status).toBe(2)
    expect((await folder.run(['encrypt', 'other'], { env })).status).toBe(2)
    configure({ segmentsize: 1 })
    const wrong = await folder.run(['info', 'other'], { env })
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('segmentsize') as string })
    expect((await folder.run(['completion', 'bash'], { env })).status).toBe(0)
    configure(CONFIG, 'elsewhere.json')
    expect((await folder.run(['cat', '--config', 'elsewhere.json', 'app.log'], { env })).stdout).toBe('line\n')
  })
})

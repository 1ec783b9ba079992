import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, unlink } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { AsyncRunner } from '../../src/file/io/runners.js'
import { readKeyringFile as readSteps, type KeyringPath } from '../../src/keys/keyring-file.js'
import { KeyringStore } from '../../src/keys/keyring-store.js'
import { temporaryFolder } from './support.js'

const at = temporaryFolder()
const content = Buffer.from('content')

const createKeyringFile = (path: KeyringPath, build: () => Promise<Uint8Array>): Promise<void> =>
  new KeyringStore(path).create(build)
const readKeyringFile = (path: KeyringPath, limit: number): Promise<Uint8Array> =>
  new AsyncRunner(nodeDisk).run(() => readSteps(path, limit))

describe('createKeyringFile', () => {
  test('the name is taken at once, the content comes whole', async () => {
    await mkdir(at('whole'))
    await createKeyringFile(at('whole/ring'), () => {
      expect(readFileSync(at('whole/ring'), 'utf8')).toBe('')
      return Promise.resolve(content)
    })
    expect(readFileSync(at('whole/ring'))).toEqual(content)
    expect(readdirSync(at('whole'))).toEqual(['ring'])
  })

  test('a temporary file that cannot take its place is removed', async () => {
    await mkdir(at('blocked'))
    const build = async () => {
      await unlink(at('blocked/ring'))
      await mkdir(at('blocked/ring'))
      writeFileSync(at('blocked/ring/other'), 'precious')
      return content
    }
    await expect(createKeyringFile(at('blocked/ring'), build)).rejects.toMatchObject({ syscall: 'rename' })
    expect(readdirSync(at('blocked'))).toEqual(['ring'])
    expect(readFileSync(at('blocked/ring/other'), 'utf8')).toBe('precious')
  })

  test.skipIf(process.platform !== 'linux')('a name that is no UTF-8', async () => {
    await mkdir(at('bytes'))
    const path = Buffer.concat([Buffer.from(at('bytes/')), Buffer.of(0xff, 0xfe)])
    await createKeyringFile(path, () => Promise.resolve(content))
    expect(readdirSync(at('bytes'), 'buffer')).toEqual([Buffer.of(0xff, 0xfe)])
    expect(await readKeyringFile(path, 100)).toEqual(content)
  })
})

describe('readKeyringFile', () => {
  test('reads no more than one byte beyond the limit', async () => {
    writeFileSync(at('long'), Buffer.alloc(300_000, 'x'))
    for (const limit of [0, 1, 65_535, 65_536, 299_999]) expect(await readKeyringFile(at('long'), limit)).toHaveLength(limit + 1)
    for (const limit of [300_000, 1_000_000]) expect(await readKeyringFile(at('long'), limit)).toHaveLength(300_000)
  })

  test.skipIf(process.platform !== 'linux')('nor from a file without end', async () => {
    expect(await readKeyringFile('/dev/zero', 100_000)).toHaveLength(100_001)
  })
})

import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { AsyncRunner } from '../../src/file/io/runners.js'
import type { Disk } from '../../src/file/io/steps.js'
import { readKeyringFile as readSteps, type KeyringPath } from '../../src/keys/keyring-file.js'
import { KeyringStore } from '../../src/keys/keyring-store.js'
import { failingDisk } from '../support/failing-disk.js'
import { temporaryFolder } from './support.js'

const at = temporaryFolder()
const content = Buffer.from('content')

const createKeyringFile = (path: KeyringPath, build: () => Promise<Uint8Array>, disk?: Disk): Promise<void> =>
  new KeyringStore(path, disk).create(build)
const readKeyringFile = (path: KeyringPath, limit: number): Promise<Uint8Array> =>
  new AsyncRunner(nodeDisk).run(() => readSteps(path, limit))
const build = () => Promise.resolve(content)

/** A file system that has no hard links. */
const noLinks: Disk = {
  sync: nodeDisk.sync,
  async: { ...nodeDisk.async, link: () => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' })) },
}

describe.each([
  ['hard links', nodeDisk],
  ['no hard links', noLinks],
])('createKeyringFile with %s', (name, disk) => {
  test('the name is there once the content is', async () => {
    const folder = at(`whole, ${name}`)
    await mkdir(folder)
    const look = () => {
      expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.ring\.[0-9a-f]{16}\.sealfile-tmp$/)])
      return build()
    }
    await createKeyringFile(`${folder}/ring`, look, disk)
    expect(readFileSync(`${folder}/ring`)).toEqual(content)
    expect(statSync(`${folder}/ring`).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['ring'])
  })

  test('what is there, or comes meanwhile, stays as it is', async () => {
    const folder = at(`taken, ${name}`)
    await mkdir(folder)
    const exists = { code: 'EEXIST', syscall: 'open', path: `${folder}/ring` }
    const others: [string, () => void, () => void][] = [
      [
        'a folder',
        () => mkdirSync(`${folder}/ring/other`, { recursive: true }),
        () => expect(readdirSync(`${folder}/ring`)).toEqual(['other']),
      ],
      [
        'a file',
        () => writeFileSync(`${folder}/ring`, 'precious'),
        () => expect(readFileSync(`${folder}/ring`, 'utf8')).toBe('precious'),
      ],
      [
        'a link that leads nowhere',
        () => symlinkSync('nowhere', `${folder}/ring`),
        () => expect(readlinkSync(`${folder}/ring`)).toBe('nowhere'),
      ],
    ]
    for (const [what, make, check] of others) {
      const makeMeanwhile = () => {
        make()
        return build()
      }
      await expect(createKeyringFile(`${folder}/ring`, makeMeanwhile, disk), what).rejects.toMatchObject(exists)
      check()
      await expect(
        createKeyringFile(`${folder}/ring`, () => expect.unreachable(), disk),
        what,
      ).rejects.toMatchObject(exists)
      check()
      expect(readdirSync(folder)).toEqual(['ring'])
      rmSync(`${folder}/ring`, { recursive: true })
    }
  })

  test('of many at once, one', async () => {
    const folder = at(`many, ${name}`)
    await mkdir(folder)
    const texts = Array.from({ length: 20 }, (_, index) => `content ${index}`)
    const results = await Promise.allSettled(
      texts.map((text) => createKeyringFile(`${folder}/ring`, () => Promise.resolve(Buffer.from(text)), disk)),
    )
    const made = texts.filter((_, index) => results[index]!.status === 'fulfilled')
    expect(made).toEqual([readFileSync(`${folder}/ring`, 'utf8')])
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EEXIST' })
    expect(readdirSync(folder)).toEqual(['ring'])
  })
})

describe('createKeyringFile', () => {
  test.each(['EIO', 'ENOSPC'])('%s from any call leaves nothing, or the whole file', async (code) => {
    await mkdir(at(code))
    const all = failingDisk(Infinity, code)
    await createKeyringFile(at(`${code}/ring`), build, all.disk)
    let left = 0
    for (const [index, call] of all.calls.entries()) {
      // Whether a link leads nowhere is asked of what may be none: the answer to that is no.
      if (call === 'readlink') continue
      await expect(createKeyringFile(at(`${code}/ring`), build, failingDisk(index, code, index + 1).disk), call).rejects.toThrow(
        code,
      )
      const names = readdirSync(at(code))
      expect(names.filter((name) => name !== 'ring')).toEqual([])
      if (names.includes('ring')) {
        expect(readFileSync(at(`${code}/ring`))).toEqual(content)
        left++
      }
      for (const name of names) rmSync(at(`${code}/${name}`))
    }
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(all.calls.length)
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

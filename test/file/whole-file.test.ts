import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import type { DiskCalls } from '../../src/file/io/steps.js'
import { checkWholeFileOptions, writeWhole } from '../../src/file/whole-file.js'
import { EncryptedFile, KeyManager, type WholeFileOptions } from '../../src/index.js'
import { errorOf, OPTIONS, patternBytes, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { bundleLibrary } from '../support/bundled-library.js'
import { failingDisk } from '../support/failing-disk.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const CONTENT = patternBytes(10_000)
let count = 0

/** @returns a path in a folder of its own. */
function freshPath(): string {
  const folder = inFolder(`case-${count++}`)
  mkdirSync(folder)
  return join(folder, 'file.enc')
}

const namesBeside = (path: string): string[] => readdirSync(join(path, '..')).sort()

/** Both kinds of call, as promises. */
const KINDS = [
  [
    'with waiting',
    {
      readFile: (path: string, options: WholeFileOptions) => EncryptedFile.readFile(path, options),
      writeFile: (path: string | Buffer, data: string | Uint8Array, options: WholeFileOptions) =>
        EncryptedFile.writeFile(path, data, options),
      appendFile: (path: string, data: string | Uint8Array, options: WholeFileOptions) =>
        EncryptedFile.appendFile(path, data, options),
    },
  ],
  [
    'without waiting',
    {
      // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown becomes a rejection
      readFile: async (path: string, options: WholeFileOptions) => EncryptedFile.readFileSync(path, options),
      // eslint-disable-next-line @typescript-eslint/require-await
      writeFile: async (path: string | Buffer, data: string | Uint8Array, options: WholeFileOptions) =>
        EncryptedFile.writeFileSync(path, data, options),
      // eslint-disable-next-line @typescript-eslint/require-await
      appendFile: async (path: string, data: string | Uint8Array, options: WholeFileOptions) =>
        EncryptedFile.appendFileSync(path, data, options),
    },
  ],
] as const

describe.each(KINDS)('whole files, %s', (_, { readFile, writeFile, appendFile }) => {
  test('are written, read, replaced and added to', async () => {
    const path = freshPath()
    await writeFile(path, CONTENT, OPTIONS)
    expect(await readFile(path, OPTIONS)).toEqual(CONTENT)
    await writeFile(path, 'grüße', OPTIONS)
    expect(await readFile(path, { ...OPTIONS, encoding: 'utf8' })).toBe('grüße')
    await appendFile(path, '!\n', OPTIONS)
    await appendFile(path, Buffer.from('?'), { ...OPTIONS, flush: true })
    expect(await readFile(path, { ...OPTIONS, encoding: 'utf8' })).toBe('grüße!\n?')
    await writeFile(path, '', OPTIONS)
    expect(await readFile(path, OPTIONS)).toEqual(Buffer.alloc(0))
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('take an encoding and a flag', async () => {
    const path = freshPath()
    await writeFile(path, '616263', { ...OPTIONS, encoding: 'hex' })
    await writeFile(path, 'def', { ...OPTIONS, flag: 'a' })
    await writeFile(path, 'X', { ...OPTIONS, flag: 'r+' })
    expect(await readFile(path, { ...OPTIONS, encoding: 'latin1', flag: 'r+' })).toBe('Xbcdef')
    await expect(writeFile(path, 'x', { ...OPTIONS, flag: 'wx' })).rejects.toMatchObject({ code: 'EEXIST', syscall: 'open', path })
    await expect(writeFile(path, 'x', { ...OPTIONS, flag: 'wb' })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    await expect(readFile(path, { ...OPTIONS, flag: 'rb', encoding: 'utf8' })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    })
    expect(await readFile(path, { ...OPTIONS, encoding: 'utf8' })).toBe('Xbcdef')
  })

  test.each<[string, unknown, string]>([
    ['no options', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an unknown encoding', { ...OPTIONS, encoding: 'nonsense' }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown flag', { ...OPTIONS, flag: 'q' }, 'ERR_INVALID_ARG_VALUE'],
    ['a signal that is none', { ...OPTIONS, signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['a flush that is none', { ...OPTIONS, flush: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['an atomic that is none', { ...OPTIONS, atomic: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    ['an aborted signal', { ...OPTIONS, signal: AbortSignal.abort() }, 'ABORT_ERR'],
  ])('are refused with %s', async (_, options, code) => {
    const path = freshPath()
    writeEncrypted(path, 'precious')
    await expect(writeFile(path, 'new', options as WholeFileOptions)).rejects.toMatchObject({ code })
    await expect(readFile(path, options as WholeFileOptions)).rejects.toMatchObject({ code })
    expect(readEncrypted(path).toString()).toBe('precious')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('keep the permissions of what they replace', async () => {
    const path = freshPath()
    await writeFile(path, 'one', { ...OPTIONS, mode: 0o600 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o4606)
    const { ino } = statSync(path)
    await writeFile(path, 'two', { ...OPTIONS, mode: 0o640 })
    expect(statSync(path).mode & 0o7777).toBe(0o4606)
    expect(statSync(path).ino).not.toBe(ino)
  })

  test.each([
    ['put there', 0o600],
    ['given to the file', 0o640],
  ])('keep permissions that were %s while their writer waited', async (how, mode) => {
    const path = freshPath()
    if (how === 'given to the file') writeEncrypted(path, 'one')
    const other = await EncryptedFile.open(path, how === 'put there' ? 'w' : 'a', { ...OPTIONS, mode, atomic: how === 'put there' })
    const writing = EncryptedFile.writeFile(path, 'two', { ...OPTIONS, lockTimeout: 5_000 })
    await new Promise((resolve) => setTimeout(resolve, 40))
    await other.chmod(mode)
    await other.close()
    await writing
    expect(statSync(path).mode & 0o777).toBe(mode)
    expect(readEncrypted(path).toString()).toBe('two')
  })

  test.each([
    ['kept where the process is in the group', true, 0o660],
    ['of another group are those of others', false, 0o600],
  ])('permissions of a group that is not the own one are %s', (_, isMember, expected) => {
    const path = freshPath()
    writeEncrypted(path, 'one')
    chmodSync(path, 0o660)
    const { uid, gid } = statSync(path)
    const sync = { ...nodeDisk.sync }
    sync.stat = (name) => Object.assign(nodeDisk.sync.stat(name), { uid: uid + 1, gid: gid + 1 })
    sync.fchown = (_fd, user) => {
      if (user !== uid || !isMember) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
    }
    runSync({ ...nodeDisk, sync }, writeWhole(path, CONTENT, checkWholeFileOptions(OPTIONS, 'w')))
    expect(statSync(path).mode & 0o777).toBe(expected)
  })

  test('are left as they are where the disk fails when permissions are taken over', () => {
    const path = freshPath()
    writeEncrypted(path, 'one')
    const sync = { ...nodeDisk.sync }
    sync.stat = (name) => Object.assign(nodeDisk.sync.stat(name), { uid: 12_345 })
    sync.fchown = () => {
      throw Object.assign(new Error('EIO: fchown'), { code: 'EIO' })
    }
    const writing = writeWhole(path, CONTENT, checkWholeFileOptions(OPTIONS, 'w'))
    expect(errorOf(() => runSync({ ...nodeDisk, sync }, writing))).toMatchObject({ code: 'EIO' })
    expect(readEncrypted(path).toString()).toBe('one')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('are not replaced under a name that is no UTF-8, which could not be locked', async () => {
    const path = freshPath()
    const odd = Buffer.concat([Buffer.from(path), Buffer.from([0xff])])
    await expect(writeFile(odd, 'text', OPTIONS)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(namesBeside(path)).toEqual([])
  })

  test('are not made in a folder that may not be written, in the words of the system', () => {
    const denied = (): never => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    }
    const open: DiskCalls['open'] = (path, flags, mode) =>
      (flags & constants.O_CREAT) === 0 ? nodeDisk.sync.open(path, flags, mode) : denied()
    const disk = { ...nodeDisk, sync: { ...nodeDisk.sync, symlink: denied, open } }
    const writing = writeWhole(freshPath(), CONTENT, checkWholeFileOptions(OPTIONS, 'w'))
    expect(errorOf(() => runSync(disk, writing))).toMatchObject({ code: 'EACCES' })
  })

  test('are replaced where a symbolic link leads', async () => {
    const path = freshPath()
    const link = join(path, '../link')
    writeEncrypted(path, 'one')
    symlinkSync('file.enc', link)
    await writeFile(link, 'two', OPTIONS)
    expect(readlinkSync(link)).toBe('file.enc')
    expect(readEncrypted(path).toString()).toBe('two')
    const dangling = join(path, '../dangling')
    symlinkSync('missing.enc', dangling)
    await writeFile(dangling, 'three', OPTIONS)
    expect(readEncrypted(join(path, '../missing.enc')).toString()).toBe('three')
    expect(lstatSync(dangling).isSymbolicLink()).toBe(true)
  })

  test('are let go where a symbolic link leads nowhere and writing fails', async () => {
    const path = freshPath()
    symlinkSync('target.enc', path)
    const controller = new AbortController()
    const writing = EncryptedFile.writeFile(path, CONTENT, { ...OPTIONS, signal: controller.signal })
    controller.abort()
    await expect(writing).rejects.toMatchObject({ code: 'ABORT_ERR' })
    unlinkSync(join(path, '../target.enc'))
    async function* failing(): AsyncGenerator<string> {
      yield await Promise.resolve('text')
      throw new Error('the source failed')
    }
    await expect(EncryptedFile.writeFile(path, failing(), OPTIONS)).rejects.toThrow('the source failed')
    await EncryptedFile.writeFile(path, 'text', OPTIONS)
    expect(readEncrypted(path).toString()).toBe('text')
    expect(namesBeside(path)).toEqual(['file.enc', 'target.enc'])
  })

  test('are not replaced under a writer', async () => {
    const path = freshPath()
    await using writer = await EncryptedFile.open(path, 'w', OPTIONS)
    await writer.write('one')
    await expect(writeFile(path, 'two', OPTIONS)).rejects.toEqual(sealfileError('ERR_SEALFILE_LOCKED'))
    await writer.close()
    expect(readEncrypted(path).toString()).toBe('one')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('are replaced beside a reader, who stays with what was opened', async () => {
    const path = freshPath()
    writeEncrypted(path, CONTENT)
    await using reader = await EncryptedFile.open(path, 'r', OPTIONS)
    await writeFile(path, 'new', OPTIONS)
    expect(await reader.readFile()).toEqual(CONTENT)
  })

  test('stay as they are where there is no key', async () => {
    const keyManager = KeyManager.fromKey(patternBytes(32))
    keyManager.close()
    const path = freshPath()
    writeEncrypted(path, 'precious')
    await expect(writeFile(path, 'new', { ...OPTIONS, keyManager })).rejects.toEqual(sealfileError('ERR_SEALFILE_CLOSED'))
    expect(readEncrypted(path).toString()).toBe('precious')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('are written in place without atomic', async () => {
    const path = freshPath()
    writeEncrypted(path, CONTENT)
    const { ino } = statSync(path)
    await writeFile(path, 'new', { ...OPTIONS, atomic: false })
    expect(statSync(path).ino).toBe(ino)
    expect(readEncrypted(path).toString()).toBe('new')
  })

  test('replace files and nothing else', async () => {
    await expect(writeFile('/dev/null/x', 'text', OPTIONS)).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(writeFile(inFolder('.'), 'text', OPTIONS)).rejects.toMatchObject({ code: 'EISDIR', syscall: 'open' })
    const missing = join(freshPath(), 'missing/file')
    await expect(writeFile(missing, 'text', OPTIONS)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' })
  })

  test('have names as long as they may be', async () => {
    const path = join(freshPath(), '..', 'n'.repeat(250))
    await writeFile(path, 'one', OPTIONS)
    await writeFile(path, 'two', OPTIONS)
    expect(readEncrypted(path).toString()).toBe('two')
    expect(namesBeside(path)).toEqual(['n'.repeat(250)])
  })
})

describe('pieces', () => {
  test('replace a file when all of them have come', async () => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    function* pieces(): Generator<string | Uint8Array> {
      yield 'one '
      expect(readEncrypted(path).toString()).toBe('old')
      yield Buffer.from('two')
    }
    await EncryptedFile.writeFile(path, pieces(), OPTIONS)
    expect(readEncrypted(path).toString()).toBe('one two')
    await EncryptedFile.appendFile(path, Readable.from([' three', ' four']), OPTIONS)
    expect(readEncrypted(path).toString()).toBe('one two three four')
  })

  test.each([
    [
      'that fail',
      function* (): Generator<string> {
        yield 'new'
        throw new Error('no more')
      },
      { message: 'no more' },
    ],
    [
      'that are aborted',
      function* (controller: AbortController): Generator<string> {
        yield 'new'
        controller.abort()
        yield 'er'
      },
      { code: 'ABORT_ERR' },
    ],
    [
      'that are no text and no bytes',
      function* (): Generator<string> {
        yield 'new'
        yield 5 as unknown as string
      },
      { code: 'ERR_INVALID_ARG_TYPE' },
    ],
  ])('%s leave the file as it was', async (_, pieces, error) => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const controller = new AbortController()
    const written = EncryptedFile.writeFile(path, pieces(controller), { ...OPTIONS, signal: controller.signal })
    await expect(written).rejects.toMatchObject(error)
    expect(readEncrypted(path).toString()).toBe('old')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })
})

describe('a handle that was opened with atomic', () => {
  const ATOMIC = { ...OPTIONS, atomic: true }

  test.each(['w', 'w+', 'wb'])('replaces the file when it is closed, with %s', async (flags) => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const file = await EncryptedFile.open(path, flags, ATOMIC)
    await file.write(Buffer.from('new'))
    await file.sync()
    expect(readEncrypted(path).toString()).toBe('old')
    await file.close()
    expect(readEncrypted(path).toString()).toBe('new')
    const sync = EncryptedFile.openSync(path, flags, ATOMIC)
    sync.write(Buffer.from('newer'))
    sync.close()
    expect(readEncrypted(path).toString()).toBe('newer')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('may be discarded', async () => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const file = await EncryptedFile.open(path, 'w', ATOMIC)
    await file.write('new')
    await file.discard()
    await file.discard()
    await file.close()
    await expect(file.write('x')).rejects.toMatchObject({ code: 'EBADF' })
    const sync = EncryptedFile.openSync(path, 'w', ATOMIC)
    sync.write('new')
    sync.discard()
    sync.close()
    expect(readEncrypted(path).toString()).toBe('old')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })

  test('is the only kind that may be', async () => {
    const path = freshPath()
    await using file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.write('text')
    await expect(file.discard()).rejects.toMatchObject({ code: 'ERR_INVALID_STATE' })
    await file.close()
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test.each(['r', 'a', 'r+', 'wx', 'a+'])('is refused with %s', (flags) => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    expect(errorOf(() => EncryptedFile.openSync(path, flags, ATOMIC))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    expect(readEncrypted(path).toString()).toBe('old')
  })

  test.each([
    ['exits', 'process.exit(0)', 0],
    ['throws', 'throw new Error("no")', 1],
    ['ends', '', 0],
  ])('leaves the file as it was where the process %s', async (_, end, status) => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const run = await bundleLibrary()
    const key = Buffer.from(patternBytes(32)).toString('hex')
    const child = run(
      `const keyManager = sealfile.KeyManager.fromKey(Buffer.from('${key}', 'hex'))
       const options = { keyManager, purpose: 'test', atomic: true }
       const file = await sealfile.EncryptedFile.open(${JSON.stringify(path)}, 'w', options)
       await file.write('new')
       await file.commit()
       ${end}`,
    )
    expect(child.status, child.stderr).toBe(status)
    expect(readEncrypted(path).toString()).toBe('old')
    expect(namesBeside(path)).toEqual(['file.enc'])
  })
})

describe('failures', () => {
  const request = checkWholeFileOptions(OPTIONS, 'w')

  test.each(['EIO', 'ENOSPC', 'EACCES'])('%s from any call leaves the old file or the new one, whole', (code) => {
    const { disk, calls } = failingDisk(Infinity, code)
    const path = freshPath()
    writeEncrypted(path, 'old')
    runSync(disk, writeWhole(path, CONTENT, request))
    // The content is on the disk before the name is, and the name before the call returns.
    expect(calls.filter((call) => ['fdatasync', 'rename', 'fsync'].includes(call))).toEqual(['fdatasync', 'rename', 'fsync'])
    expect(calls.lastIndexOf('writev')).toBeLessThan(calls.indexOf('fdatasync'))
    let failed = 0
    for (let from = 0; from < calls.length; from++) {
      const path = freshPath()
      writeEncrypted(path, 'old')
      const failing = failingDisk(from, code, from + 1)
      let isWritten = true
      try {
        runSync(failing.disk, writeWhole(path, CONTENT, request))
      } catch (error) {
        expect(error).toMatchObject({ code })
        isWritten = false
        failed++
      }
      const name = failing.calls[from]!
      const content = readEncrypted(path)
      const isRenamed = failing.calls.indexOf('rename') >= 0 && failing.calls.indexOf('rename') < from
      expect(content.toString('latin1'), `${name}, call ${from}`).toBe(isRenamed || isWritten ? CONTENT.toString('latin1') : 'old')
      // What is left is left by a call that was to remove it.
      if (name !== 'unlink' && name !== 'symlink') expect(namesBeside(path), `${name}, call ${from}`).toEqual(['file.enc'])
    }
    expect(failed).toBeGreaterThan(5)
  })

  afterEach(() => vi.unstubAllGlobals())

  test('a rename that Windows refuses for a while is tried again', () => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const platform = Object.getOwnPropertyDescriptor(process, 'platform')!
    let refusals = 3
    const rename = (from: string, to: string): void => {
      if (refusals-- > 0) throw Object.assign(new Error('EPERM: rename'), { code: 'EPERM', syscall: 'rename' })
      nodeDisk.sync.rename(from, to)
    }
    const disk = { ...nodeDisk, sync: { ...nodeDisk.sync, rename: rename } }
    try {
      Object.defineProperty(process, 'platform', { ...platform, value: 'win32' })
      runSync(disk, writeWhole(path, CONTENT, request))
      expect(refusals).toBe(-1)
      expect(readEncrypted(path)).toEqual(CONTENT)
      Object.defineProperty(process, 'platform', platform)
      refusals = 3
      expect(errorOf(() => runSync(disk, writeWhole(path, CONTENT, request)))).toMatchObject({ code: 'EPERM' })
      expect(namesBeside(path)).toEqual(['file.enc'])
    } finally {
      Object.defineProperty(process, 'platform', platform)
    }
  })

  test('a process that is killed in the middle leaves the old file, and something that is easy to see', async () => {
    const path = freshPath()
    writeEncrypted(path, 'old')
    const run = await bundleLibrary()
    const child: ReturnType<typeof spawnSync> = run(
      `const keyManager = sealfile.KeyManager.fromKey(Buffer.alloc(32, 5))
       const options = { keyManager, purpose: 'test' }
       function* pieces() { yield Buffer.alloc(5e6); process.kill(process.pid, 'SIGKILL'); yield 'x' }
       await sealfile.EncryptedFile.writeFile(${JSON.stringify(path)}, pieces(), options)`,
    )
    expect(child.signal).toBe('SIGKILL')
    expect(readEncrypted(path).toString()).toBe('old')
    expect(namesBeside(path)).toEqual([
      expect.stringMatching(/^\.file\.enc\.[0-9a-f]{16}\.sealfile-tmp$/),
      'file.enc',
      'file.enc.sealfile-lock',
    ])
    await EncryptedFile.writeFile(path, 'new', OPTIONS)
    expect(readEncrypted(path).toString()).toBe('new')
  })
})

test('what is written is encrypted', async () => {
  const path = freshPath()
  await EncryptedFile.writeFile(path, 'a secret that must not show', OPTIONS)
  expect(readFileSync(path).includes('secret')).toBe(false)
  writeFileSync(path, 'not encrypted')
  await expect(EncryptedFile.readFile(path, OPTIONS)).rejects.toEqual(sealfileError('ERR_SEALFILE_FORMAT'))
})

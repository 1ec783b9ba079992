import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { basename, join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { acquireLock, releaseLock } from '../../src/file/engine/lock.js'
import { nodeDisk } from '../../src/file/io/node-disk.js'
import { runSync } from '../../src/file/io/runners.js'
import type { PathLike } from '../../src/file/io/steps.js'
import { EncryptedFile, LockedError } from '../../src/index.js'
import { errorOf, OPTIONS, readEncrypted, sealfileError, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const SUFFIX = '.sealfile-lock'

/** @returns a path in a folder of its own. */
function freshPath(name = 'file'): string {
  return join(mkdtempSync(inFolder('case-')), name)
}

const namesBeside = (path: string): string[] => readdirSync(join(path, '..')).sort()

/** The number of a process that is gone. */
function deadProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

/** What a lock says, as its maker writes it. */
function lockOf({
  pid = process.pid,
  started = '',
  host = encodeURIComponent(hostname()),
  number = '00112233445566aa',
} = {}): string {
  return `${pid}:${started}:${number}@${host}`
}

describe('a file that is open for writing', () => {
  test.each([
    ['w', 'w'],
    ['w', 'a'],
    ['a', 'w'],
    ['a', 'a'],
  ])('with %s is refused at once to another writer with %s', async (first, second) => {
    const path = freshPath()
    writeEncrypted(path, 'before ')
    const file = await EncryptedFile.open(path, first, OPTIONS)
    await file.write('one')
    await file.sync()
    const bytes = readFileSync(path)
    await expect(EncryptedFile.open(path, second, OPTIONS)).rejects.toEqual(sealfileError('ERR_SEALFILE_LOCKED', { path }))
    const error = errorOf(() => EncryptedFile.openSync(path, second, OPTIONS))
    expect(error).toBeInstanceOf(LockedError)
    expect(error.message).toContain(String(process.pid))
    expect(error.message).toContain(path)
    expect(readFileSync(path)).toEqual(bytes)
    await file.write(' two')
    await file.close()
    expect(readEncrypted(path).toString()).toBe(first === 'w' ? 'one two' : 'before one two')
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('is open to readers', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.write('text')
    await file.sync()
    expect(readEncrypted(path).toString()).toBe('text')
    await file.close()
  })

  test('is free again when its writer closes it, and when its opening fails', async () => {
    const path = freshPath()
    for (let i = 0; i < 3; i++) {
      const file = await EncryptedFile.open(path, 'a', OPTIONS)
      await file.close()
      await expect(EncryptedFile.open(path, 'a', { ...OPTIONS, purpose: 'other' })).rejects.toThrow()
    }
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('is one file by any name that leads there', async () => {
    const path = freshPath()
    const folder = join(path, '..')
    writeEncrypted(path, 'text')
    symlinkSync('file', join(folder, 'link'))
    symlinkSync(join(folder, 'link'), join(folder, 'link-to-link'))
    symlinkSync(folder, join(folder, 'folder-link'))
    const names = ['file', 'link', 'link-to-link', 'folder-link/file', 'folder-link/link', './file'].map(
      (name) => `${folder}/${name}`,
    )
    names.push(relative(process.cwd(), path))
    for (const name of names) {
      const file = await EncryptedFile.open(name, 'a', OPTIONS)
      for (const other of names) {
        await expect(EncryptedFile.open(other, 'a', OPTIONS), `${other} while ${name} is open`).rejects.toMatchObject({
          code: 'ERR_SEALFILE_LOCKED',
        })
      }
      await file.close()
    }
    expect(namesBeside(path)).toEqual(['file', 'folder-link', 'link', 'link-to-link'])
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('is one file also where a link was there before it', async () => {
    const path = freshPath()
    const link = `${path}-link`
    symlinkSync(path, link)
    const file = await EncryptedFile.open(link, 'w', OPTIONS)
    await file.write('text')
    await file.sync()
    await expect(EncryptedFile.open(path, 'a', OPTIONS)).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
    await file.close()
    expect(readEncrypted(path).toString()).toBe('text')
    expect(namesBeside(path)).toEqual(['file', 'file-link'])
  })

  test('with a name as long as names may be has a lock, too', async () => {
    const name = 'ü'.repeat(127)
    const path = freshPath(name)
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    expect(namesBeside(path).sort()).toEqual([name, `${createHash('sha256').update(name).digest('hex')}${SUFFIX}`].sort())
    await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
    await file.close()
    expect(namesBeside(path)).toEqual([name])
  })
})

describe('lockTimeout', () => {
  test('waits for the other writer to close', async () => {
    const path = freshPath()
    const first = await EncryptedFile.open(path, 'w', OPTIONS)
    await first.write('first ')
    const opening = EncryptedFile.open(path, 'a', { ...OPTIONS, lockTimeout: 30_000 })
    await pause(40)
    await first.close()
    const second = await opening
    await second.write('second')
    await second.close()
    expect(readEncrypted(path).toString()).toBe('first second')
  })

  test('lets many writers in, one after the other', async () => {
    const path = freshPath()
    const add = async (i: number): Promise<void> => {
      const file = await EncryptedFile.open(path, 'a', { ...OPTIONS, lockTimeout: 60_000 })
      await file.write(`${i};`)
      await file.close()
    }
    await Promise.all(Array.from({ length: 12 }, (_, i) => add(i)))
    const entries = readEncrypted(path)
      .toString()
      .split(';')
      .filter((entry) => entry !== '')
    expect(entries.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i))
    expect(namesBeside(path)).toEqual(['file'])
  })

  test.each(['async', 'sync'])('gives up when it is over: %s', async (kind) => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    const options = { ...OPTIONS, lockTimeout: 60 }
    const start = performance.now()
    const error =
      kind === 'sync'
        ? errorOf(() => EncryptedFile.openSync(path, 'w', options))
        : await EncryptedFile.open(path, 'w', options).then(
            () => undefined,
            (reason: unknown) => reason,
          )
    expect(error).toEqual(sealfileError('ERR_SEALFILE_LOCKED', { path }))
    expect(performance.now() - start).toBeGreaterThanOrEqual(55)
    await file.close()
  })
})

describe('a lock that was left behind', () => {
  test('by a process that is gone is taken over', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    for (const flags of ['a', 'w']) {
      symlinkSync(lockOf({ pid: deadProcess() }), path + SUFFIX)
      const file = await EncryptedFile.open(path, flags, OPTIONS)
      expect(readlinkSync(path + SUFFIX)).toMatch(new RegExp(`^${process.pid}:\\d*:[0-9a-f]{16}@`))
      await file.close()
      expect(namesBeside(path)).toEqual(['file'])
    }
    symlinkSync(lockOf({ pid: deadProcess() }), path + SUFFIX)
    EncryptedFile.openSync(path, 'a', OPTIONS).close()
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('by a process whose number another one has now is taken over', { skip: process.platform !== 'linux' }, async () => {
    const path = freshPath()
    symlinkSync(lockOf({ started: '1' }), path + SUFFIX)
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.close()
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('is taken over by one of many, and the others wait for that one', async () => {
    const path = freshPath()
    writeEncrypted(path, '')
    symlinkSync(lockOf({ pid: deadProcess() }), path + SUFFIX)
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => EncryptedFile.open(path, 'a', OPTIONS)))
    const opened = results.filter((result) => result.status === 'fulfilled')
    expect(opened).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
    }
    await opened[0]!.value.close()
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('with the guard of a taking-over that died, too, is taken over', async () => {
    const path = freshPath()
    const pid = deadProcess()
    symlinkSync(lockOf({ pid }), path + SUFFIX)
    symlinkSync(lockOf({ pid, number: 'ffeeddccbbaa9988' }), `${path}${SUFFIX}-00112233445566aa`)
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.close()
    expect(namesBeside(path)).toEqual(['file'])
  })

  test('by a process that may be alive is respected: ours, another machine, what is not known', async () => {
    const targets = [
      lockOf(),
      lockOf({ pid: deadProcess(), host: 'another-machine' }),
      // A number that no process has, and every process may signal.
      lockOf({ pid: 0, started: '1' }),
      'text that is no lock',
      `${deadProcess()}:@host`,
      '../file',
    ]
    for (const target of targets) {
      const path = freshPath()
      symlinkSync(target, path + SUFFIX)
      await expect(EncryptedFile.open(path, 'w', OPTIONS), target).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
      expect(readlinkSync(path + SUFFIX)).toBe(target)
    }
  })

  test('as a file, where there are no links, is taken over if its process is gone', async () => {
    const path = freshPath()
    writeFileSync(path + SUFFIX, lockOf({ pid: deadProcess() }))
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.close()
    expect(namesBeside(path)).toEqual(['file'])
    writeFileSync(path + SUFFIX, lockOf())
    await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toThrow(`process ${process.pid} `)
  })

  test('as a file or a folder in its place is respected', async () => {
    const path = freshPath()
    writeFileSync(path + SUFFIX, 'what is this')
    await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toEqual(sealfileError('ERR_SEALFILE_LOCKED', { path }))
    expect(readFileSync(path + SUFFIX, 'utf8')).toBe('what is this')
    const other = freshPath()
    mkdirSync(other + SUFFIX)
    await expect(EncryptedFile.open(other, 'w', OPTIONS)).rejects.toMatchObject({ code: 'EISDIR' })
    expect(namesBeside(other)).toEqual([`file${SUFFIX}`])
  })

  test.runIf(process.platform === 'linux')('as a socket in its place is told in the words of the system', async () => {
    const path = freshPath()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(path + SUFFIX, resolve))
    await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toMatchObject({ code: 'ENXIO', path: path + SUFFIX })
    expect(namesBeside(path)).toEqual([`file${SUFFIX}`])
    await new Promise((resolve) => server.close(resolve))
  })

  test('and a new file that could not be locked is not left behind, nor one that was there changed', async () => {
    const path = freshPath()
    symlinkSync(lockOf({ host: 'another-machine' }), path + SUFFIX)
    writeEncrypted(`${path}-other`, 'text')
    renameSync(`${path}-other`, path)
    await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
    expect(readEncrypted(path).toString()).toBe('text')
  })
})

describe('a file that is to be new', () => {
  test('is not there before the lock is, and if it is, that is said first', async () => {
    const path = freshPath()
    symlinkSync(lockOf({ host: 'another-machine' }), path + SUFFIX)
    for (const flags of ['wx', 'ax+']) {
      await expect(EncryptedFile.open(path, flags, OPTIONS)).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
      expect(namesBeside(path)).toEqual([`file${SUFFIX}`])
    }
    writeFileSync(path, '')
    await expect(EncryptedFile.open(path, 'wx', OPTIONS)).rejects.toMatchObject({ code: 'EEXIST' })
  })
})

describe('a writer that waits, and has made the file meanwhile,', () => {
  const WAITING = { ...OPTIONS, lockTimeout: 5_000 }

  test('writes to the one that was put in its place', async () => {
    const path = freshPath()
    const replacing = await EncryptedFile.open(path, 'w', { ...OPTIONS, atomic: true })
    await replacing.write('replaced ')
    const opening = EncryptedFile.open(path, 'a', WAITING)
    await untilThere(path)
    await replacing.close()
    const file = await opening
    await file.write('appended')
    await file.close()
    expect(readEncrypted(path).toString()).toBe('replaced appended')
  })

  test('leaves the one that was put in its place, where it cannot be opened', async () => {
    const path = freshPath()
    const replacing = await EncryptedFile.open(path, 'w', { ...OPTIONS, atomic: true })
    await replacing.write('replaced')
    const opening = EncryptedFile.open(path, 'a', { ...WAITING, purpose: 'another' })
    await untilThere(path)
    await replacing.close()
    await expect(opening).rejects.toMatchObject({ code: 'ERR_SEALFILE_WRONG_PURPOSE' })
    expect(readEncrypted(path).toString()).toBe('replaced')
  })

  test('makes another where it was removed', async () => {
    const path = freshPath()
    const replacing = await EncryptedFile.open(path, 'w', { ...OPTIONS, atomic: true })
    const opening = EncryptedFile.open(path, 'w', WAITING)
    await untilThere(path)
    unlinkSync(path)
    await replacing.discard()
    const file = await opening
    await file.write('text')
    await file.close()
    expect(readEncrypted(path).toString()).toBe('text')
  })

  async function untilThere(path: string): Promise<void> {
    while (!existsSync(path)) await pause(1)
  }
})

describe('a lock', () => {
  test('is a symbolic link beside the file that says which process made it, and leads nowhere', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    expect(namesBeside(path)).toEqual(['file', `file${SUFFIX}`])
    expect(lstatSync(path + SUFFIX).isSymbolicLink()).toBe(true)
    expect(existsSync(path + SUFFIX)).toBe(false)
    const [pid, , , host] = /^(\d+):(\d*):([0-9a-f]{16})@(.+)$/.exec(readlinkSync(path + SUFFIX))!.slice(1)
    expect(Number(pid)).toBe(process.pid)
    expect(decodeURIComponent(host!)).toBe(hostname())
    await file.close()
  })

  test('holds while another process is alive', async () => {
    const path = freshPath()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'])
    try {
      symlinkSync(lockOf({ pid: child.pid! }), path + SUFFIX)
      await expect(EncryptedFile.open(path, 'w', OPTIONS)).rejects.toMatchObject({ code: 'ERR_SEALFILE_LOCKED' })
    } finally {
      const gone = new Promise((resolve) => child.on('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.close()
  })

  test('that someone removed does not keep the handle from closing', async () => {
    const path = freshPath()
    const file = await EncryptedFile.open(path, 'w', OPTIONS)
    await file.write('text')
    renameSync(path + SUFFIX, `${path}-gone`)
    await file.close()
    expect(file.fd).toBe(-1)
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('does not know of hard links: a file has one lock for each of its names', async () => {
    const path = freshPath()
    writeEncrypted(path, 'text')
    const hardLink = `${path}-hard`
    linkSync(path, hardLink)
    const file = await EncryptedFile.open(path, 'a', OPTIONS)
    const other = await EncryptedFile.open(hardLink, 'a', OPTIONS)
    expect(namesBeside(path)).toEqual(['file', 'file-hard', `file-hard${SUFFIX}`, `file${SUFFIX}`].sort())
    await other.close()
    await file.close()
    expect(basename(hardLink)).toBe('file-hard')
  })
})

test('where there are no links, a lock that cannot be written is not left behind', () => {
  const path = freshPath()
  const failWith = (code: string) => (): never => {
    throw Object.assign(new Error(code), { code })
  }
  const disk = { ...nodeDisk, sync: { ...nodeDisk.sync, symlink: failWith('EPERM'), writev: failWith('ENOSPC') } }
  expect(errorOf(() => runSync(disk, acquireLock(path + SUFFIX, path, 0)))).toMatchObject({ code: 'ENOSPC' })
  expect(namesBeside(path)).toEqual([])
})

test.each([
  ['a link', symlinkSync],
  ['a file', (target: string, path: string) => writeFileSync(path, target)],
])('a lock that is %s and is released while it is being looked at is taken', (kind, leave) => {
  const path = freshPath()
  leave(lockOf(), path + SUFFIX)
  const readlink = (name: PathLike): string => {
    if (kind === 'a link') unlinkSync(name)
    try {
      return nodeDisk.sync.readlink(name)
    } finally {
      if (kind === 'a file') unlinkSync(name)
    }
  }
  const disk = { ...nodeDisk, sync: { ...nodeDisk.sync, readlink } }
  const lock = runSync(disk, acquireLock(path + SUFFIX, path, 0))
  expect(readlinkSync(lock.path)).not.toBe(lockOf())
  runSync(disk, releaseLock(lock))
  expect(namesBeside(path)).toEqual([])
})

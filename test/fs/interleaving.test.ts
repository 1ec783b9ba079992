import fs from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createEncryptedFs } from '../../src/fs.js'
import { patternBytes } from '../support/encrypted-files.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { Interleaving } from './interleaving.js'
import { FS_OPTIONS } from './twins.js'

/** Calls that do not wait, beside calls that do, on one number. */

const inFolder = temporaryFolder()
afterEach(() => void vi.restoreAllMocks())

const RUNS = process.env['SLOW'] === '1' ? 1_500 : 25

/** What changes a file, by its names in node:fs. */
const EFFECTS = ['write', 'writev', 'ftruncate', 'fchmod', 'fchown', 'futimes', 'close', 'unlink'] as const

/**
 * Lets the calls that go on in the background begin late, some of them long after the file has changed or was closed, as they may where the
 * threads that carry them out are busy.
 */
function delayBackground(random: SeededRandom): void {
  for (const name of ['read', 'fdatasync', 'fstat'] as const) {
    const call = fs[name] as (...args: unknown[]) => void
    vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
      if (random.chance(0.3)) call(...args)
      else setTimeout(() => call(...args), random.int(0, random.chance(0.1) ? 40 : 4))
    })
  }
}

test.each(Array.from({ length: RUNS }, (_, seed) => seed))(
  'random calls find what those before them have left: seed %i',
  async (seed) => {
    const random = new SeededRandom(seed)
    delayBackground(random)
    const effects = EFFECTS.map((name) => vi.spyOn(fs, name))
    const io = createEncryptedFs({ ...FS_OPTIONS, commitInterval: random.pick([1, 3, 50]) })
    const largest = seed % 10 === 0 ? 6 * 2 ** 20 : 200_000
    const path = inFolder(`run-${seed}`)
    expect(await new Interleaving(io, path, seed, { calls: 80, largest }).run()).toEqual([])
    // Nothing that changes the file ever goes on in the background: it would do so again after the call was brought to its end.
    for (const effect of effects) expect(effect).not.toHaveBeenCalled()
    fs.rmSync(path)
  },
)

test.each([1, 2, 3, 4, 5, 6])('what is read ahead in the background is good for calls of both kinds: seed %i', async (seed) => {
  const random = new SeededRandom(seed)
  const content = patternBytes(3 * 2 ** 20 + 5, seed)
  const io = createEncryptedFs(FS_OPTIONS)
  const path = inFolder(`ahead-${seed}`)
  io.writeFileSync(path, content)
  delayBackground(random)
  const fd = io.openSync(path, seed % 2 === 0 ? 'r' : 'r+')
  for (let position = 0; position < content.length;) {
    const buffer = Buffer.alloc(random.int(1, 200_000))
    const read = random.chance(0.5)
      ? io.readSync(fd, buffer, 0, buffer.length, null)
      : await new Promise<number>((resolve, reject) =>
          io.read(fd, buffer, 0, buffer.length, null, (error, count) => (error === null ? resolve(count) : reject(error))),
        )
    expect(buffer.subarray(0, read).equals(content.subarray(position, position + buffer.length))).toBe(true)
    position += read
    if (random.chance(0.3)) io.fstatSync(fd)
    if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.int(0, 5)))
  }
  io.closeSync(fd)
})

describe('a call that was left to itself', () => {
  /** Lets one call begin only when it is told to. */
  function holdBack(name: 'fchmod' | 'fdatasync' | 'futimes' | 'read'): () => void {
    let go = (): void => undefined
    const call = fs[name] as (...args: unknown[]) => void
    vi.spyOn(fs, name).mockImplementationOnce((...args: unknown[]) => {
      go = () => call(...args)
    })
    return () => go()
  }

  test('does nothing to another file that has its number by then', async () => {
    const io = createEncryptedFs(FS_OPTIONS)
    const fd = io.openSync(inFolder('first'), 'w+')
    io.writeSync(fd, 'first')
    // The first two are never called, because they are done at once; if they were, this would show it.
    const release = [holdBack('fchmod'), holdBack('futimes'), holdBack('fdatasync')]
    const calls = [
      new Promise((resolve) => io.fchmod(fd, 0o600, resolve)),
      new Promise((resolve) => io.futimes(fd, 1, 2, resolve)),
      new Promise((resolve) => io.fsync(fd, resolve)),
      new Promise((resolve) => io.fstat(fd, resolve)),
    ]
    await new Promise(setImmediate)
    io.closeSync(fd)
    const other = fs.openSync(inFolder('other'), 'w', 0o644)
    expect(other).toBe(fd)
    expect(await Promise.all(calls)).toEqual([null, null, null, null])
    for (const go of release) go()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fs.fstatSync(other).mode & 0o777).toBe(0o644)
    expect(fs.fstatSync(other).mtimeMs).toBeGreaterThan(2_000)
    expect(fs.fstatSync(other).size).toBe(0)
    fs.closeSync(other)
    expect(io.readFileSync(inFolder('first'), 'utf8')).toBe('first')
    expect(fs.statSync(inFolder('first')).mtimeMs).toBe(2_000)
  })

  test('does not keep a reader at an older state', () => {
    const io = createEncryptedFs(FS_OPTIONS)
    const path = inFolder('read')
    io.writeFileSync(path, 'one')
    const reader = io.openSync(path, 'r')
    const release = holdBack('read')
    io.appendFileSync(path, ', two')
    // Looks at the header, in the background.
    io.fstat(reader, () => undefined)
    expect(io.fstatSync(reader).size).toBe(8)
    io.appendFileSync(path, ', three')
    release()
    return new Promise<void>((resolve) => {
      setTimeout(() => {
        expect(io.fstatSync(reader).size).toBe(15)
        expect(io.readFileSync(reader, 'utf8')).toBe('one, two, three')
        io.closeSync(reader)
        resolve()
      }, 20)
    })
  })

  test('tells of a lost write all the same', async () => {
    const io = createEncryptedFs(FS_OPTIONS)
    const fd = io.openSync(inFolder('lost'), 'w+')
    io.writeSync(fd, 'some text')
    let fail = (): void => undefined
    const lost = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    vi.spyOn(fs, 'fdatasync').mockImplementationOnce((_, callback) => {
      fail = () => callback(lost)
    })
    const synced = new Promise((resolve) => io.fsync(fd, resolve))
    await new Promise(setImmediate)
    io.writeSync(fd, ', and more')
    // The system has told the barrier that was left to itself, and no other.
    expect(await synced).toBe(null)
    fail()
    await new Promise(setImmediate)
    expect(() => io.fsyncSync(fd)).toThrow(lost)
    expect(await new Promise((resolve) => io.fsync(fd, resolve))).toBe(lost)
    expect(() => io.closeSync(fd)).toThrow(lost)
    expect(() => io.fstatSync(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(fs.readdirSync(inFolder('.')).filter((name) => name.includes('lost'))).toEqual(['lost'])
  })
})

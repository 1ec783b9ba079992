import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createEncryptedFs, type EncryptedFsOptions } from '../../src/fs.js'
import { KEY, patternBytes, PURPOSE, SEGMENT_SIZE } from '../support/encrypted-files.js'
import { KeyManager } from '../../src/index.js'

/** One script, run twice: on node:fs in a plain folder, and on an encrypted fs in another. What comes of both must be the same. */

export type Fs = typeof fs

export const FS_OPTIONS: EncryptedFsOptions = { keyManager: KeyManager.fromKey(KEY), purpose: PURPOSE, segmentSize: SEGMENT_SIZE }

export const TEXT = 'grüße\n'
/** The classes of streams, which the types know by what they inherit alone. */
export interface StreamClasses {
  readonly ReadStream: new (path: string, options?: unknown) => fs.ReadStream
  readonly WriteStream: new (path: string, options?: unknown) => fs.WriteStream
}

export function classesOf(io: Fs): StreamClasses {
  return io as unknown as StreamClasses
}

/** Of several segments. */
export const BINARY = patternBytes(10_000)

/** What a script gets. */
export interface Twin {
  /** node:fs, or ours. */
  readonly fs: Fs
  /** @returns the path of a name in its folder. */
  readonly at: (name: string) => string
  /** Makes a call with a callback. @returns what the callback gets, or what is thrown instead. */
  readonly call: (name: keyof Fs, ...args: unknown[]) => Promise<unknown>
  /** @returns what is returned or thrown. */
  readonly attempt: (run: () => unknown) => unknown
}

/** Hundreds of folders are made and removed: in memory, where there is such a place. */
const root = fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealfile-'))
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))
const inFolder = (name: string): string => join(root, name)
let count = 0

/** Folders to copy from, byte by byte: one with plain files, one with encrypted ones. */
const templates = new Map<boolean, string>()

function templateFor(isPlain: boolean): string {
  const known = templates.get(isPlain)
  if (known !== undefined) return known
  const folder = inFolder(`template-${isPlain}`)
  const io = isPlain ? fs : createEncryptedFs(FS_OPTIONS)
  templates.set(isPlain, folder)
  fs.mkdirSync(folder)
  io.writeFileSync(join(folder, 'text'), TEXT)
  io.writeFileSync(join(folder, 'binary'), BINARY)
  io.writeFileSync(join(folder, 'empty'), '')
  io.writeFileSync(join(folder, 'inner'), 'inner')
  return folder
}

/** Makes a folder with files of all kinds: plain for node:fs, else encrypted as {@link FS_OPTIONS} say. */
export function makeFolder(io: Fs): string {
  const folder = inFolder(`twin-${count++}`)
  const template = templateFor(io === fs)
  fs.mkdirSync(join(folder, 'folder/hollow'), { recursive: true })
  for (const name of ['text', 'binary', 'empty']) fs.copyFileSync(join(template, name), join(folder, name))
  fs.copyFileSync(join(template, 'inner'), join(folder, 'folder/inner'))
  fs.symlinkSync('text', join(folder, 'link'))
  fs.symlinkSync('missing', join(folder, 'dangling'))
  return folder
}

/** @returns all that is in a folder: what files hold, and where links lead. */
export function treeOf(io: Fs, folder: string): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  for (const name of io.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name)
    const stats = io.lstatSync(path)
    const mode = (stats.mode & 0o7777).toString(8)
    if (stats.isSymbolicLink()) tree[name] = { link: io.readlinkSync(path) }
    else if (stats.isDirectory()) tree[name] = { mode }
    else tree[name] = { mode, size: stats.size, content: shorten(io.readFileSync(path)) }
  }
  return tree
}

/** @returns text that tells content from other content. */
function shorten(content: Buffer): string {
  const isShort = content.length <= 100
  return isShort ? content.toString('latin1') : `${content.length} bytes ${createHash('sha256').update(content).digest('hex')}`
}

/** Brings results into a form that does not depend on where, when and by whom they were made. */
function comparable(value: unknown, folder: string): unknown {
  const seen = (text: string): string => text.replaceAll(folder, '<folder>')
  if (typeof value === 'string') return seen(value)
  if (value instanceof Error) {
    const { name, message, code, errno, syscall, path, dest } = value as NodeJS.ErrnoException & { dest?: string }
    // Of errors that are Node's own the code counts: the words, and even the classes, change from version to version.
    if (errno === undefined || code?.startsWith('ERR_FS_CP_') === true) return { code }
    // Newer versions say of which file a read has failed.
    if (syscall === 'read') return { code, syscall }
    return {
      error: name,
      message: seen(message),
      code,
      errno,
      syscall,
      path: comparable(path, folder),
      dest: comparable(dest, folder),
    }
  }
  if (value instanceof fs.Stats || isBigStats(value)) {
    const { size, mode, nlink, uid, gid } = value
    const kinds = [value.isFile(), value.isDirectory(), value.isSymbolicLink()]
    return { size, mode, nlink, uid, gid, kinds }
  }
  if (value instanceof fs.Dirent)
    return { dirent: comparable(value.name, folder), isFile: value.isFile(), isDirectory: value.isDirectory() }
  if (Buffer.isBuffer(value)) return { buffer: shorten(value) }
  if (ArrayBuffer.isView(value)) return { view: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1') }
  if (Array.isArray(value)) return value.map((item) => comparable(item, folder))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, comparable(item, folder)]))
  }
  return value
}

function isBigStats(value: unknown): value is fs.BigIntStats {
  return typeof (value as fs.BigIntStats | null | undefined)?.mtimeNs === 'bigint'
}

function callOn(io: Fs, name: keyof Fs, args: unknown[]): Promise<unknown> {
  return new Promise((resolve) => {
    try {
      ;(io[name] as (...args: unknown[]) => void)(...args, (...results: unknown[]) => resolve({ called: results }))
    } catch (error) {
      resolve({ thrown: error })
    }
  })
}

function attempt(run: () => unknown): unknown {
  const failed = (error: unknown): unknown => ({ thrown: error })
  try {
    const value = run()
    return value instanceof Promise
      ? value.then(
          (result: unknown) => ({ resolved: result }),
          (error: unknown) => ({ rejected: error }),
        )
      : { returned: value }
  } catch (error) {
    return failed(error)
  }
}

/** @returns what a script comes to, and what it leaves. */
async function outcomeOf(io: Fs, script: (twin: Twin) => unknown): Promise<{ readonly result: unknown; readonly tree: unknown }> {
  const folder = makeFolder(io)
  const at = (name: string): string => join(folder, name)
  const twin: Twin = { fs: io, at, call: (name, ...args) => callOn(io, name, args), attempt }
  let result
  try {
    result = await script(twin)
  } catch (error) {
    result = { failed: error }
  }
  const outcome = { result: comparable(result, folder), tree: comparable(treeOf(io, folder), folder) }
  fs.rmSync(folder, { recursive: true })
  return outcome
}

/** A test that a script comes to the same on both. */
export function sameOnBoth(name: string, script: (twin: Twin) => unknown, options: Partial<EncryptedFsOptions> = {}): void {
  test(name, async () => {
    const expected = await outcomeOf(fs, script)
    expect(await outcomeOf(createEncryptedFs({ ...FS_OPTIONS, ...options }), script)).toEqual(expected)
  })
}

/** The same in all three styles of a call. */
export function inAllStyles(name: string, argumentsOf: (twin: Twin) => readonly unknown[]): void {
  sameOnBoth('by promise', ({ fs, at, call, attempt }) => {
    const args = argumentsOf({ fs, at, call, attempt })
    return attempt(() => callOf(fs.promises, name)(...args))
  })
  sameOnBoth('with a callback', (twin) => twin.call(name as keyof Fs, ...argumentsOf(twin)))
  sameOnBoth('without waiting', (twin) => twin.attempt(() => callOf(twin.fs, `${name}Sync`)(...argumentsOf(twin))))
}

function callOf(object: object, name: string): (...args: readonly unknown[]) => unknown {
  return (object as Record<string, (...args: readonly unknown[]) => unknown>)[name]!
}

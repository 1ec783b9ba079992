import { Buffer } from 'node:buffer'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { expect, test } from 'vitest'
import { patternBytes } from '../encrypted-files.js'
import type { Flags, Handle, OpenFile, Path } from './handle.js'

/** What an implementation does not have, or has in another way on purpose. */
export interface SuiteOptions {
  /** Node's own handle, where the implementation is another: what is refused is refused in its words. */
  readonly oracle?: OpenFile
  /** It has no streams and no events, no `read()` that brings its own buffer, takes no iterables and no signal: fs.*Sync. */
  readonly isSync?: boolean
  /** It knows nothing of closed handles: fs.*Sync. */
  readonly withoutClosedState?: boolean
  /** Its `read` takes what is no position, bigints included, for "where the last read ended": FileHandle in Node 20. */
  readonly withoutPositionChecks?: boolean
  /** It does not take an offset alone, or undefined for a default: fs.readSync. */
  readonly withoutOmissions?: boolean
  /** Its web streams do not know `autoClose`, and do not look at their options: FileHandle in Node 20. */
  readonly withoutWebStreamOptions?: boolean
  /** Its web streams do not fill views that begin within their memory: FileHandle before Node 26. */
  readonly withoutViewOffsets?: boolean
  /**
   * All its calls look at positions and encodings, and take bigints for positions. Node's `write`, `readv` and `writev` take what is no
   * position for the current one, and an encoding that is none for UTF-8.
   */
  readonly isStrict?: boolean
  /** Each of its files has a header, which opening reads: an empty file that it did not make cannot be opened, nor can a folder. */
  readonly hasHeader?: boolean
  /** A file is open for writing once at a time. */
  readonly hasOneWriter?: boolean
  /** A call after `close()` finds the handle closed, though calls from before still go on. */
  readonly closesInOrder?: boolean
}

/** Where encrypted files differ on purpose: docs/file-api.md, "Where it differs from Node". */
export const ENCRYPTED: SuiteOptions = { isStrict: true, hasHeader: true, hasOneWriter: true, closesInOrder: true }

/** What most files of the suite hold: several segments of 4,096 bytes. */
export const CONTENT = patternBytes(10_000)

export const NODE_MAJOR = Number.parseInt(process.versions.node)

/** Compares bytes, faster than `toEqual` does, and says where they differ. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, what = 'the bytes'): void {
  const isSame = Buffer.from(actual.buffer, actual.byteOffset, actual.byteLength).equals(expected)
  const at = isSame ? undefined : actual.findIndex((byte, i) => byte !== expected[i])
  expect({ length: actual.length, at }, `${what}: length, and the first one that differs`).toEqual({ length: expected.length })
}

/** @returns what `call` throws or is rejected with. */
export async function rejection(call: () => unknown): Promise<NodeJS.ErrnoException & { readonly cause?: unknown }> {
  try {
    await call()
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
  return expect.fail('the call was not rejected')
}

/** Reads ten bytes. @returns where in CONTENT they are; -1 for others or fewer. */
export async function readTen(handle: Handle, position?: unknown): Promise<number> {
  const buffer = new Uint8Array(10)
  const { bytesRead } = await handle.read(buffer, 0, 10, position)
  return bytesRead === 10 ? CONTENT.indexOf(buffer) : -1
}

/** @returns a copy of CONTENT with `pieces` written over it, each at its position; zeros where there is a gap. */
export function contentWith(...pieces: readonly (readonly [position: number, data: string | Uint8Array])[]): Buffer {
  return pieces.reduce<Buffer>((content, [position, data]) => {
    const bytes = Buffer.from(data as string)
    const longer = Buffer.alloc(Math.max(content.length, position + bytes.length))
    content.copy(longer)
    bytes.copy(longer, position)
    return longer
  }, CONTENT)
}

/** What a caller can tell errors apart by. */
export function wordsOf(error: NodeJS.ErrnoException): object {
  const { name, code, syscall, errno, path, message } = error
  return {
    kind: [TypeError, RangeError, Error].find((kind) => error instanceof kind)?.name,
    name,
    code,
    syscall,
    errno,
    path,
    message,
  }
}

/** One implementation, with what tests do with it again and again. */
export type Subject = ReturnType<typeof subjectOf>

export function subjectOf(name: string, open: OpenFile, inFolder: (name: string) => string, options: SuiteOptions) {
  const oracle = options.oracle ?? open
  const slug = name.replaceAll(/\W/g, '-')
  let count = 0
  /** Not too many in one folder, because folders are listed. */
  const freshPath = (): string => {
    const folder = inFolder(`${slug}-${Math.floor(count / 100)}`)
    mkdirSync(folder, { recursive: true })
    return join(folder, String(count++))
  }

  async function using<T>(handle: Handle, use: (handle: Handle) => Promise<T>): Promise<T> {
    try {
      return await use(handle)
    } finally {
      await handle.close()
    }
  }

  async function withHandle<T>(path: Path, flags: Flags, use: (handle: Handle) => Promise<T>): Promise<T> {
    return using(await open(path, flags), use)
  }

  async function fileOf(content: string | Uint8Array): Promise<string> {
    const path = freshPath()
    await withHandle(path, 'w', (handle) => handle.writeFile(content))
    return path
  }

  const contentOf = (path: Path): Promise<Buffer> => withHandle(path, 'r', (handle) => handle.readFile())

  return {
    ...{ open, options, freshPath, withHandle, fileOf, contentOf },

    /** For what handles that do not wait do not have. */
    whenAsync: test.skipIf(options.isSync),

    textOf: (path: Path): Promise<string> => withHandle(path, 'r', (handle) => handle.readFile('utf8')),

    /** Opens a new file of `content`. */
    opened: async (flags: Flags = 'r', content: string | Uint8Array = CONTENT): Promise<Handle> =>
      open(await fileOf(content), flags),

    /** Reads a file of CONTENT. */
    reading: async (use: (handle: Handle) => Promise<unknown>): Promise<void> => {
      await withHandle(await fileOf(CONTENT), 'r', use)
    },

    /** Uses a file of CONTENT. @returns what it holds afterwards. */
    updating: async (use: (handle: Handle) => Promise<unknown>, flags: Flags = 'r+'): Promise<Buffer> => {
      const path = await fileOf(CONTENT)
      await withHandle(path, flags, use)
      return contentOf(path)
    },

    /** @returns what a new file holds after `use`. */
    writing: async (use: (handle: Handle) => Promise<unknown>, flags: Flags = 'w'): Promise<string> => {
      const path = freshPath()
      await withHandle(path, flags, use)
      return (await contentOf(path)).toString()
    },

    /**
     * Makes a call that is refused, changes nothing, and leaves a handle that closes. Node's own handle refuses it in the same words.
     *
     * @param isCompared - Node's own handle refuses it at all.
     * @returns what it was refused with.
     */
    refusal: async (
      call: (handle: Handle) => unknown,
      flags: Flags = 'r+',
      content: string | Uint8Array = CONTENT,
      isCompared = true,
    ): Promise<NodeJS.ErrnoException> => {
      const path = await fileOf(content)
      const error = await withHandle(path, flags, (handle) => rejection(() => call(handle)))
      expectBytes(await contentOf(path), Buffer.from(content as string), 'the file is as it was')
      if (!isCompared) return error
      const plainPath = freshPath()
      writeFileSync(plainPath, content)
      const plainError = await using(await oracle(plainPath, flags), (handle) => rejection(() => call(handle)))
      expect(wordsOf(error)).toEqual(wordsOf(plainError))
      return error
    },

    /**
     * Makes a call on a closed handle. Node's own handle refuses it in the same words.
     *
     * @returns what it was refused with.
     */
    closedRefusal: async (call: (handle: Handle) => unknown, flags: Flags = 'r+'): Promise<NodeJS.ErrnoException> => {
      const path = await fileOf('abc')
      const handle = await open(path, flags)
      await handle.close()
      const error = await rejection(() => call(handle))
      const plainPath = freshPath()
      writeFileSync(plainPath, 'abc')
      const plainHandle = await oracle(plainPath, flags)
      await plainHandle.close()
      expect(wordsOf(error)).toEqual(wordsOf(await rejection(() => call(plainHandle))))
      return error
    },

    /**
     * Opens what cannot be opened, and leaves nothing behind. Node refuses it in the same words.
     *
     * @returns what it was refused with.
     */
    openRefusal: async (path: Path, flags?: Flags, mode?: string | number): Promise<NodeJS.ErrnoException> => {
      const isThere =
        typeof path === 'string' && isAbsolute(path) && statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()
      const folder = dirname(isThere === true ? path : freshPath())
      const before = readdirSync(folder)
      const error = await rejection(() => open(path, flags, mode))
      expect(readdirSync(folder)).toEqual(before)
      const plainError = await rejection(() => oracle(path, flags, mode))
      expect(wordsOf(error)).toEqual(wordsOf(plainError))
      return error
    },
  }
}

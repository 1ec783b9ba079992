import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A way to encrypt a file: another program or package, or one of ours. */
export interface Peer {
  readonly name: string
  /**
   * Finds it, and makes its keys.
   *
   * @param folder - Empty, for keys and the like.
   * @returns its version; empty for what comes with Node or with us.
   * @throws Unavailable where it cannot be used.
   */
  start(folder: string): Promise<string>
  /** @param target - Not there yet. */
  encryptFile(source: string, target: string): Promise<void>
  /** @param source - What `encryptFile` wrote. */
  decryptFile(source: string, target: string): Promise<void>
  /** Ends what `start` began. */
  stop?(): Promise<void>
}

/** Why a peer takes no part. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** Bytes that are read and written at a time, by all who have the choice. */
export const PIECE_LENGTH = 65_536

/** @returns the version of an npm package. @throws Unavailable if it is not installed. */
export function packageVersion(name: string): string {
  // Not by `require`: what a package exports need not have its package.json.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  const path = folders.map((folder) => join(folder, name, 'package.json')).find((candidate) => existsSync(candidate))
  if (path === undefined) throw new Unavailable('it is not installed')
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

const execute = promisify(execFile)

/** Runs a program to its end. @returns what it printed. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  return (await execute(program, args)).stdout.trim()
}

/** @returns what a program prints, which has its version. @throws Unavailable if there is no such program. */
export async function programVersion(program: string, args: readonly string[]): Promise<string> {
  const text = await run(program, args).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Unavailable('it is not installed')
    throw error
  })
  return /\d+(\.\d+)+/.exec(text)?.[0] ?? text
}

/** Reads a file piece by piece. The bytes are valid until the next piece. */
export async function* readPieces(path: string, length = PIECE_LENGTH): AsyncGenerator<Buffer> {
  const file = await open(path)
  const buffer = Buffer.alloc(length)
  try {
    for (;;) {
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      if (filled > 0) yield buffer.subarray(0, filled)
      if (filled < length) return
    }
  } finally {
    await file.close()
  }
}

/** Copies with plain calls. */
export async function copyPieces(source: string, target: string): Promise<void> {
  const file = await open(target, 'w')
  try {
    for await (const piece of readPieces(source)) await file.write(piece)
  } finally {
    await file.close()
  }
}

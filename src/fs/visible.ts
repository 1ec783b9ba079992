import { basename } from 'node:path'
import type { BigIntStats, Stats } from 'node:fs'
import { EncryptedFile } from '../file/encrypted-file.js'
import type { PathLike } from '../file/io/steps.js'
import { isPlaintext, type Policy } from './policy.js'

/** What the system says of a path, and how much plaintext is there. */

type AnyStats = Stats | BigIntStats

function setSize(stats: AnyStats, size: number): void {
  if (typeof stats.size === 'bigint') stats.size = BigInt(size)
  else stats.size = size
}

/** Puts the size of the plaintext into what the system says of a file; one that is not encrypted has the size that it has. */
export async function withPlaintextSize<S extends AnyStats | undefined>(stats: S, path: PathLike, policy: Policy): Promise<S> {
  if (stats?.isFile() !== true) return stats
  try {
    const file = await EncryptedFile.open(path, 'r', policy.optionsFor(path, 'async'))
    setSize(stats, (await file.stat()).size)
    await file.close()
  } catch (error) {
    if (!isPlaintext(error)) throw error
  }
  return stats
}

/** The same, without waiting. */
export function withPlaintextSizeSync<S extends AnyStats | undefined>(stats: S, path: PathLike, policy: Policy): S {
  if (stats?.isFile() !== true) return stats
  try {
    const file = EncryptedFile.openSync(path, 'r', policy.optionsFor(path, 'sync'))
    setSize(stats, file.stat().size)
    file.close()
  } catch (error) {
    if (!isPlaintext(error)) throw error
  }
  return stats
}

/** Names of what lies beside files for as long as they are being written: locks, and files that are not in their place yet. */
const WORKING_NAME = /\.sealfile-lock(-[0-9a-f]{16})*$|^\..*\.[0-9a-f]{16}\.sealfile-tmp$/

type Entry = string | Buffer | { readonly name: string | Buffer }

/** Leaves out of what `readdir` gives whatever is not the caller's. */
export function withoutWorkingFiles<E extends Entry>(entries: readonly E[]): E[] {
  return entries.filter((entry) => {
    const name = typeof entry === 'string' || Buffer.isBuffer(entry) ? entry : entry.name
    return !WORKING_NAME.test(basename(name.toString()))
  })
}

import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { BatchError } from '../errors.js'
import type { Place } from '../file/successor-file.js'
import type { SourceStamp } from './messages.js'

/** A pipe in the place of a file must not hold us up. Windows has no such flag. */
const READ_FLAGS = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0)

export function stampOf({ dev, ino, size, mtimeMs, ctimeMs, atimeMs, mode }: Stats): SourceStamp {
  return { dev, ino, size, mtimeMs, ctimeMs, atimeMs, mode }
}

/** A file that is read to be encrypted, and that must not change meanwhile. */
export class SourceFile implements Disposable {
  readonly fd: number
  readonly stamp: SourceStamp
  readonly #path: Place

  /**
   * @param before - What it was when others began to read it.
   * @throws system errors; BatchError `ERR_SEALFILE_BATCH_SOURCE` for what is no regular file, or another one than before.
   */
  constructor(path: Place, before?: SourceStamp) {
    this.#path = path
    this.fd = openSync(path, READ_FLAGS)
    try {
      const stats = fstatSync(this.fd)
      if (!stats.isFile()) throw this.#unfit('the source is not a regular file')
      this.stamp = before ?? stampOf(stats)
      if (before !== undefined) this.#compare(stats)
    } catch (error) {
      closeSync(this.fd)
      throw error
    }
  }

  /** @throws BatchError `ERR_SEALFILE_BATCH_SOURCE` if it was changed since it was opened. */
  checkUnchanged(): void {
    this.#compare(fstatSync(this.fd))
  }

  /** An error about a source that did not keep still. */
  changed(): BatchError {
    return this.#unfit('the source was changed while it was read')
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }

  #compare({ dev, ino, size, mtimeMs, ctimeMs }: Stats): void {
    const before = this.stamp
    const isSame = dev === before.dev && ino === before.ino && size === before.size
    if (!isSame || mtimeMs !== before.mtimeMs || ctimeMs !== before.ctimeMs) throw this.changed()
  }

  #unfit(message: string): BatchError {
    return new BatchError('ERR_SEALFILE_BATCH_SOURCE', message, { path: this.#path.toString() })
  }
}

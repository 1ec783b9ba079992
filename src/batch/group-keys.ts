import { equalBytes } from '../bytes/arrays.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { runSync } from '../file/io/runners.js'
import { inspectKeyHeader, keyRequestFor } from '../file/key-header.js'
import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import type { FileTask } from './messages.js'
import type { RemoteKeys, UnwrapQuestion } from './shared-desk.js'

interface KnownKey {
  readonly question: UnwrapQuestion
  readonly dek: Uint8Array
}

/** The keys of files that are about to be opened: asked for together, and given out one by one. */
export class GroupKeys implements KeySource {
  readonly #remote: RemoteKeys
  /** By the letters of the wrapped key. */
  readonly #known = new Map<string, KnownKey>()

  constructor(remote: RemoteKeys) {
    this.#remote = remote
  }

  /** Gets the keys of some files. Where that fails, each file's will be asked for when it is opened, and fail there. */
  learn(tasks: readonly FileTask[]): void {
    const questions = tasks.flatMap(({ source, purpose }) => {
      try {
        const { header } = runSync(nodeDisk, inspectKeyHeader(source))
        const { slot, content } = header.live
        return [{ request: keyRequestFor(header, slot, content.sequence, purpose), wrapped: content }]
      } catch {
        return []
      }
    })
    try {
      const deks = this.#remote.unwrapFileKeys(questions)
      for (const [i, question] of questions.entries()) this.#known.set(nameOf(question.wrapped), { question, dek: deks[i]! })
    } catch {
      // One of them is somebody else's.
    }
  }

  /** Overwrites the keys that nobody has come for. */
  forget(): void {
    for (const { dek } of this.#known.values()) dek.fill(0)
    this.#known.clear()
  }

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    return this.#remote.wrapFileKey(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    const name = nameOf(wrapped)
    const known = this.#known.get(name)
    if (known === undefined || !isSame(known.question, { request, wrapped })) return this.#remote.unwrapFileKey(request, wrapped)
    this.#known.delete(name)
    return known.dek
  }
}

function nameOf({ wrappedKey }: WrappedFileKey): string {
  return Buffer.from(wrappedKey).toString('latin1')
}

/** What was asked must be what is asked now, to the last byte: the answer holds for nothing else. */
function isSame(one: UnwrapQuestion, other: UnwrapQuestion): boolean {
  const [a, b] = [one.wrapped, other.wrapped]
  return (
    one.request.purpose === other.request.purpose &&
    equalBytes(one.request.salt, other.request.salt) &&
    equalBytes(one.request.header, other.request.header) &&
    equalBytes(a.keyringId, b.keyringId) &&
    a.generation === b.generation &&
    equalBytes(a.wrappedKey, b.wrappedKey) &&
    equalBytes(a.keyCheck, b.keyCheck)
  )
}

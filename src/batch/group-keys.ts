import { equalBytes } from '../bytes/arrays.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { runSync } from '../file/io/runners.js'
import { inspectKeyHeader, keyRequestFor } from '../file/key-header.js'
import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import type { FileTask } from './messages.js'
import { QUESTIONS_MAX, type RemoteKeys, type UnwrapQuestion } from './shared-desk.js'

interface KnownKey {
  readonly question: UnwrapQuestion
  readonly dek: Uint8Array
}

/** The keys of files that are about to be opened: asked for together, and given out one by one. */
export class GroupKeys implements KeySource {
  readonly #remote: RemoteKeys
  /** By the letters of the wrapped key. Copies of a file have the same. */
  readonly #known = new Map<string, KnownKey[]>()

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
    for (let i = 0; i < questions.length; i += QUESTIONS_MAX) this.#ask(questions.slice(i, i + QUESTIONS_MAX))
  }

  #ask(questions: readonly UnwrapQuestion[]): void {
    try {
      for (const [i, dek] of this.#remote.unwrapFileKeys(questions).entries()) this.#keep({ question: questions[i]!, dek })
    } catch {
      // One of them is somebody else's.
    }
  }

  #keep(key: KnownKey): void {
    const name = nameOf(key.question.wrapped)
    const alike = this.#known.get(name)
    if (alike === undefined) this.#known.set(name, [key])
    else alike.push(key)
  }

  /** Overwrites the keys that nobody has come for. */
  forget(): void {
    for (const { dek } of [...this.#known.values()].flat()) dek.fill(0)
    this.#known.clear()
  }

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    return this.#remote.wrapFileKey(request, dek)
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    const alike = this.#known.get(nameOf(wrapped)) ?? []
    const index = alike.findIndex(({ question }) => isSame(question, { request, wrapped }))
    return index === -1 ? this.#remote.unwrapFileKey(request, wrapped) : alike.splice(index, 1)[0]!.dek
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

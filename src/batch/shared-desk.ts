import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import { packError, unpackError } from './error-transfer.js'

/**
 * How a worker gets the keys of its files: it writes what it wants into memory that it shares with the main thread, sends a message, and
 * sleeps until the answer is there. So the engine's synchronous calls work in a worker as they do elsewhere, the main thread never waits,
 * and neither a master key nor a secret in a message, of which copies would stay behind, comes into being.
 */

/** What keys are asked for by. */
export const KEY_REQUEST = 'key'

/** Bytes that one question or answer may take. A purpose has 255 bytes, a header some hundreds, an error a few thousand. */
const CAPACITY = 65_536
const WORDS = 4
const [STATE, KIND, LENGTH] = [0, 1, 2]
const [ANSWERED, ASKED] = [0, 1]
const [WRAP, UNWRAP, VALUE, ERROR] = [1, 2, 3, 4]

/** @returns memory for one worker and the main thread. */
export function createDesk(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + CAPACITY)
}

/** Byte strings, one behind the other in the shared memory. */
class Desk {
  readonly words: Int32Array
  readonly #bytes: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, WORDS)
    this.#bytes = new Uint8Array(memory, WORDS * 4)
  }

  put(kind: number, fields: readonly Uint8Array[]): void {
    let end = 0
    for (const field of fields) {
      if (end + 2 + field.length > CAPACITY) throw new RangeError('too much for one answer')
      this.#bytes.set([field.length % 256, Math.floor(field.length / 256)], end)
      this.#bytes.set(field, end + 2)
      end += 2 + field.length
    }
    this.words[KIND] = kind
    this.words[LENGTH] = end
  }

  /** Takes out what was put in; nothing of it stays behind. */
  take(): { readonly kind: number; readonly fields: Uint8Array[] } {
    const end = this.words[LENGTH]!
    const fields: Uint8Array[] = []
    for (let start = 0; start < end;) {
      const length = this.#bytes[start]! + 256 * this.#bytes[start + 1]!
      fields.push(new Uint8Array(this.#bytes.subarray(start + 2, start + 2 + length)))
      start += 2 + length
    }
    this.#bytes.fill(0, 0, end)
    this.words[LENGTH] = 0
    return { kind: this.words[KIND]!, fields }
  }
}

/** The worker's side. */
export class RemoteKeys implements KeySource {
  readonly #desk: Desk
  readonly #post: (message: typeof KEY_REQUEST) => void

  /** @param post - Sends a message to the main thread. */
  constructor(memory: SharedArrayBuffer, post: (message: typeof KEY_REQUEST) => void) {
    this.#desk = new Desk(memory)
    this.#post = post
  }

  wrapFileKey({ purpose, salt, header }: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    const [keyringId, generation, wrappedKey, keyCheck] = this.#ask(WRAP, [Buffer.from(purpose), salt, header, dek])
    return {
      keyringId: keyringId!,
      generation: Number(Buffer.from(generation!).toString()),
      wrappedKey: wrappedKey!,
      keyCheck: keyCheck!,
    }
  }

  unwrapFileKey({ purpose, salt, header }: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    const [dek] = this.#ask(UNWRAP, [Buffer.from(purpose), salt, header, ...fieldsOf(wrapped)])
    return dek!
  }

  #ask(kind: number, question: readonly Uint8Array[]): Uint8Array[] {
    const { words } = this.#desk
    this.#desk.put(kind, question)
    Atomics.store(words, STATE, ASKED)
    this.#post(KEY_REQUEST)
    // Without a limit: a main thread that is slow will answer, and one that has ended takes its workers with it.
    while (Atomics.load(words, STATE) === ASKED) Atomics.wait(words, STATE, ASKED)
    const { kind: answer, fields } = this.#desk.take()
    if (answer === ERROR) throw unpackError(JSON.parse(Buffer.from(fields[0]!).toString()))
    return fields
  }
}

/** The main thread's side: answers one question after the other of one worker. */
export class KeyDesk {
  readonly #desk: Desk
  readonly #keySource: KeySource

  constructor(memory: SharedArrayBuffer, keySource: KeySource) {
    this.#desk = new Desk(memory)
    this.#keySource = keySource
  }

  /** To be called when the worker has sent {@link KEY_REQUEST}. Does not throw: what goes wrong is the answer. */
  async answer(): Promise<void> {
    const desk = this.#desk
    const { kind, fields } = desk.take()
    let secret: Uint8Array | undefined
    try {
      // Keys that have locked themselves are asked for again.
      const preparing = this.#keySource.prepare?.()
      if (preparing !== undefined) await preparing
      const [purpose, salt, header, ...rest] = fields
      const request = { purpose: Buffer.from(purpose!).toString(), salt: salt!, header: header! }
      if (kind === WRAP) {
        secret = rest[0]
        desk.put(VALUE, fieldsOf(this.#keySource.wrapFileKey(request, secret!)))
      } else {
        secret = this.#keySource.unwrapFileKey(request, wrappedOf(rest))
        desk.put(VALUE, [secret])
      }
    } catch (error) {
      desk.put(ERROR, [Buffer.from(JSON.stringify(packError(error)))])
    } finally {
      secret?.fill(0)
      Atomics.store(desk.words, STATE, ANSWERED)
      Atomics.notify(desk.words, STATE)
    }
  }
}

function fieldsOf({ keyringId, generation, wrappedKey, keyCheck }: WrappedFileKey): Uint8Array[] {
  return [keyringId, Buffer.from(`${generation}`), wrappedKey, keyCheck]
}

function wrappedOf([keyringId, generation, wrappedKey, keyCheck]: readonly Uint8Array[]): WrappedFileKey {
  return {
    keyringId: keyringId!,
    generation: Number(Buffer.from(generation!).toString()),
    wrappedKey: wrappedKey!,
    keyCheck: keyCheck!,
  }
}

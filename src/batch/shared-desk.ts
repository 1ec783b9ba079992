import type { FileKeyRequest, KeySource, WrappedFileKey } from '../file/key-source.js'
import { errorText, unpackError } from './error-transfer.js'

/**
 * How a worker gets the keys of its files: it writes what it wants into memory that it shares with the main thread, sends a message, and
 * sleeps until the answer is there. So the engine's synchronous calls work in a worker as they do elsewhere, the main thread never waits,
 * and neither a master key nor a secret in a message, of which copies would stay behind, comes into being. A worker that is to make many
 * small files asks for their keys at once: to wake another thread costs more than a key.
 */

/** What keys are asked for by. */
export const KEY_REQUEST = 'key'

/** Bytes that questions or answers may take. A purpose has 255 bytes, a header a hundred, an error a few thousand, or is cut. */
const CAPACITY = 65_536
/** Bytes before each field. */
const LENGTH_SIZE = 2
/** Files that are asked for at once. */
export const QUESTIONS_MAX = 64
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
      if (end + LENGTH_SIZE + field.length > CAPACITY) {
        this.#bytes.fill(0, 0, end)
        throw new RangeError('too much for one answer')
      }
      this.#bytes.set([field.length % 256, Math.floor(field.length / 256)], end)
      this.#bytes.set(field, end + LENGTH_SIZE)
      end += LENGTH_SIZE + field.length
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
      const begin = start + LENGTH_SIZE
      start = begin + length
      fields.push(new Uint8Array(this.#bytes.subarray(begin, start)))
    }
    this.#bytes.fill(0, 0, end)
    this.words[LENGTH] = 0
    return { kind: this.words[KIND]!, fields }
  }
}

/** A DEK that is to be wrapped. */
export interface WrapQuestion {
  readonly request: FileKeyRequest
  /** 32 bytes; stays the caller's. */
  readonly dek: Uint8Array
}

/** A DEK that is to be unwrapped. */
export interface UnwrapQuestion {
  readonly request: FileKeyRequest
  readonly wrapped: WrappedFileKey
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

  wrapFileKey(request: FileKeyRequest, dek: Uint8Array): WrappedFileKey {
    return this.wrapFileKeys([{ request, dek }])[0]!
  }

  unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey): Uint8Array {
    return this.unwrapFileKeys([{ request, wrapped }])[0]!
  }

  /** {@link KeySource.wrapFileKey} for many. @throws what it throws for the first that fails. */
  wrapFileKeys(questions: readonly WrapQuestion[]): WrappedFileKey[] {
    const asked = questions.map(({ request, dek }) => [...fieldsOfRequest(request), dek])
    return this.#ask(WRAP, asked, WRAPPED_FIELDS).map(wrappedOf)
  }

  /** {@link KeySource.unwrapFileKey} for many. @throws what it throws for the first that fails. */
  unwrapFileKeys(questions: readonly UnwrapQuestion[]): Uint8Array[] {
    const asked = questions.map(({ request, wrapped }) => [...fieldsOfRequest(request), ...fieldsOf(wrapped)])
    return this.#ask(UNWRAP, asked, 1).map(([dek]) => dek!)
  }

  /** @param answerFields - How many fields each answer has. */
  #ask(kind: number, questions: readonly Uint8Array[][], answerFields: number): Uint8Array[][] {
    const answers: Uint8Array[][] = []
    for (let i = 0; i < questions.length; i += QUESTIONS_MAX) {
      const fields = this.#askAtOnce(kind, questions.slice(i, i + QUESTIONS_MAX).flat())
      answers.push(...split(fields, answerFields))
    }
    return answers
  }

  #askAtOnce(kind: number, question: readonly Uint8Array[]): Uint8Array[] {
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

/** The main thread's side: answers the questions of one worker. */
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
    const secrets: Uint8Array[] = []
    try {
      // Keys that have locked themselves are asked for again.
      const preparing = this.#keySource.prepare?.()
      if (preparing !== undefined) await preparing
      desk.put(VALUE, kind === WRAP ? this.#wrap(fields, secrets) : this.#unwrap(fields, secrets))
    } catch (error) {
      desk.put(ERROR, [errorText(error, CAPACITY - LENGTH_SIZE)])
    } finally {
      for (const secret of secrets) secret.fill(0)
      Atomics.store(desk.words, STATE, ANSWERED)
      Atomics.notify(desk.words, STATE)
    }
  }

  #wrap(fields: readonly Uint8Array[], secrets: Uint8Array[]): Uint8Array[] {
    const questions = split(fields, REQUEST_FIELDS + 1)
    secrets.push(...questions.map((question) => question[REQUEST_FIELDS]!))
    return questions.flatMap((question) => fieldsOf(this.#keySource.wrapFileKey(requestOf(question), question[REQUEST_FIELDS]!)))
  }

  #unwrap(fields: readonly Uint8Array[], secrets: Uint8Array[]): Uint8Array[] {
    for (const question of split(fields, REQUEST_FIELDS + WRAPPED_FIELDS)) {
      secrets.push(this.#keySource.unwrapFileKey(requestOf(question), wrappedOf(question.slice(REQUEST_FIELDS))))
    }
    return secrets
  }
}

const REQUEST_FIELDS = 3
const WRAPPED_FIELDS = 4

function fieldsOfRequest({ purpose, salt, header }: FileKeyRequest): Uint8Array[] {
  return [Buffer.from(purpose), salt, header]
}

function requestOf([purpose, salt, header]: readonly Uint8Array[]): FileKeyRequest {
  return { purpose: Buffer.from(purpose!).toString(), salt: salt!, header: header! }
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

/** Cuts a list into lists of `size`. */
function split<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size))
}

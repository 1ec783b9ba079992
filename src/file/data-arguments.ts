import { invalidArgType, invalidArgValue, outOfRange, WITHHELD } from '../argument-errors.js'
import type { Control } from './engine/verifier.js'
import { checkInteger } from './options.js'
import type { Whence } from './session.js'

/** The overloads of `read` and `write`, checked as Node checks those of its FileHandle. */

/** Where a call reads or writes: null for "where the last one ended". */
export type Position = number | bigint | null | undefined

/** The options form of `read`. */
export interface ReadOptions<T extends ArrayBufferView = Buffer> {
  /** @defaultValue a new Buffer of 16,384 bytes */
  readonly buffer?: T | undefined
  /** Where in `buffer` to begin. @defaultValue 0 */
  readonly offset?: number | null | undefined
  /** How many bytes to read at most. @defaultValue all that fit behind `offset` */
  readonly length?: number | null | undefined
  /** Where in the file to begin. @defaultValue null: where the last read ended */
  readonly position?: Position
}

/** The options form of `write`. */
export interface WriteOptions {
  /** Where in the buffer to begin. @defaultValue 0 */
  readonly offset?: number | null | undefined
  /** How many bytes to write. @defaultValue all behind `offset` */
  readonly length?: number | null | undefined
  /** Where in the file to begin. @defaultValue null: where the last write ended */
  readonly position?: Position
}

/** A checked `read`: where the bytes go, and where they come from. */
export interface ReadRequest {
  readonly buffer: ArrayBufferView
  readonly target: Uint8Array
  readonly position: number | null
}

const DEFAULT_READ_LENGTH = 16_384
const A_VIEW = 'an instance of Buffer, TypedArray, or DataView'

/** A view of any ArrayBufferView's bytes. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

function checkPosition(position: unknown): number | null {
  if (position === null || position === undefined || position === -1 || position === -1n) return null
  if (typeof position === 'bigint') {
    if (position < 0n || position > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw outOfRange('position', `>= -1 && <= ${Number.MAX_SAFE_INTEGER}`, position)
    }
    return Number(position)
  }
  if (typeof position !== 'number') throw invalidArgType('position', 'of type bigint or integer', position)
  checkInteger('position', position, -1, Number.MAX_SAFE_INTEGER)
  return position
}

/** Checks `read(buffer, offset, length, position)`, `read(buffer, options)` and `read(options)`. */
export function checkReadArguments(first: unknown, second: unknown, third: unknown, fourth: unknown): ReadRequest {
  let buffer: unknown = first
  let [offset, length, position] = [second, third, fourth]
  if (!ArrayBuffer.isView(first)) {
    if (first !== undefined && first !== null && typeof first !== 'object') throw invalidArgType('options', 'of type object', first)
    ;({ buffer = Buffer.alloc(DEFAULT_READ_LENGTH), offset, length, position } = (first ?? {}) as ReadOptions)
  } else if (typeof second === 'object' && second !== null) {
    ;({ offset, length, position } = second as ReadOptions)
  }
  if (!ArrayBuffer.isView(buffer)) throw invalidArgType('buffer', A_VIEW, buffer)
  const from = offset ?? 0
  checkInteger('offset', from, 0, Number.MAX_SAFE_INTEGER)
  const wanted = length ?? buffer.byteLength - from
  if (wanted === 0) return { buffer, target: new Uint8Array(0), position: checkPosition(position) }
  if (buffer.byteLength === 0) throw invalidArgValue('buffer', buffer, 'is empty and cannot be written')
  if (from > buffer.byteLength) throw outOfRange('offset', `<= ${buffer.byteLength}`, from)
  checkPartLength(wanted, buffer.byteLength - from)
  return { buffer, target: bytesOf(buffer).subarray(from, from + wanted), position: checkPosition(position) }
}

/** Checks a length, in two steps whose words are Node's. */
function checkPartLength(length: unknown, max: number): asserts length is number {
  checkInteger('length', length, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  if (length < 0) throw outOfRange('length', '>= 0', length)
  if (length > max) throw outOfRange('length', `<= ${max}`, length)
}

/** A checked `write`. */
export interface WriteRequest {
  readonly data: Uint8Array
  readonly position: number | null
}

/** Checks `write(buffer, offset, length, position)`, `write(buffer, options)` and `write(string, position, encoding)`. */
export function checkWriteArguments(
  first: unknown,
  second: unknown,
  third: unknown,
  fourth: unknown,
  binary: boolean,
): WriteRequest {
  if (typeof first === 'string') {
    const position = typeof second === 'object' && second !== null ? (second as WriteOptions).position : second
    if (typeof third === 'string' && third.toLowerCase() === 'hex' && first.length % 2 !== 0) {
      throw invalidArgValue('encoding', third, `is invalid for data of length ${first.length}`)
    }
    return { data: encodeText(first, third, binary), position: checkPosition(position) }
  }
  if (!ArrayBuffer.isView(first))
    throw invalidArgType('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', first)
  const isOptions = typeof second === 'object' && second !== null
  const { offset, length, position } = isOptions ? (second as WriteOptions) : { offset: second, length: third, position: fourth }
  const from = offset ?? 0
  checkInteger('offset', from, 0, Number.MAX_SAFE_INTEGER)
  if (from > first.byteLength) throw outOfRange('offset', `<= ${first.byteLength}`, from)
  const wanted = length ?? first.byteLength - from
  checkPartLength(wanted, first.byteLength - from)
  return { data: bytesOf(first).subarray(from, from + wanted), position: checkPosition(position) }
}

/** A checked `readv` or `writev`. */
export interface VectorRequest {
  readonly pieces: readonly Uint8Array[]
  readonly position: number | null
}

/** Checks `readv(buffers, position)` and `writev(buffers, position)`. */
export function checkVectorArguments(buffers: unknown, position: unknown): VectorRequest {
  if (!Array.isArray(buffers) || !buffers.every((buffer) => ArrayBuffer.isView(buffer))) {
    throw invalidArgType('buffers', 'an ArrayBufferView[]', buffers)
  }
  return { pieces: buffers.map(bytesOf), position: checkPosition(position) }
}

/** Checks the argument of `truncate`. @returns bytes; what is below 0 counts as 0, as with Node. */
export function checkLength(length: unknown): number {
  checkInteger('len', length, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  return Math.max(0, length)
}

const WHENCES: readonly unknown[] = ['start', 'current', 'end']

/** Checks the arguments of `seek`. */
export function checkSeekArguments(offset: unknown, whence: unknown): { readonly offset: number; readonly whence: Whence } {
  checkInteger('offset', offset, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  if (!WHENCES.includes(whence)) throw invalidArgValue('whence', whence, `must be one of: ${WHENCES.join(', ')}`)
  return { offset, whence: whence as Whence }
}

/** Refuses to give text from a handle that is strictly binary. */
export function checkTextual(method: string, binary: boolean): void {
  if (binary) throw invalidArgValue('flags', 'b', `must not make the handle binary where ${method} is called`)
}

/** @throws TypeError if the handle is strictly binary, or the encoding is not known. */
function encodeText(text: string, encoding: unknown, binary: boolean): Uint8Array {
  if (binary) throw invalidArgType('data', 'an instance of Buffer, TypedArray, or DataView on a binary handle', WITHHELD)
  return Buffer.from(text, checkEncoding(encoding) ?? 'utf8')
}

/** @returns the encoding, or undefined for none. */
function checkEncoding(encoding: unknown): BufferEncoding | undefined {
  if (encoding === undefined || encoding === null || encoding === '' || encoding === 'buffer') return undefined
  if (typeof encoding === 'string' && Buffer.isEncoding(encoding)) return encoding
  throw invalidArgValue('encoding', encoding, 'is invalid encoding')
}

/** Checks what `writeFile` takes at once: text or bytes. */
export function checkContent(data: unknown, encoding: unknown, binary: boolean): Uint8Array {
  if (typeof data === 'string') return encodeText(data, encoding, binary)
  if (ArrayBuffer.isView(data)) return bytesOf(data)
  throw invalidArgType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data)
}

/** What `readFile` takes. */
export interface ReadFileOptions extends ContentOptions {
  /**
   * Where the content goes: a view that is large enough, or a function that gives one for a number of bytes.
   *
   * @defaultValue a new Buffer
   */
  readonly buffer?: ArrayBufferView | ((size: number) => ArrayBufferView) | undefined
}

/** What `readLine` takes. */
export interface LineOptions {
  /**
   * Take no line that does not end with a line feed: the writer of a log may be in the middle of it.
   *
   * @defaultValue false
   */
  readonly complete?: boolean | undefined
}

/** Checks that a stream gives no text from a binary handle. */
export function checkStreamOptions(options: { readonly encoding?: unknown } | undefined, binary: boolean): void {
  if (binary && checkEncoding(options?.encoding) !== undefined) throw binaryEncoding(options?.encoding)
}

function binaryEncoding(encoding: unknown): TypeError {
  return invalidArgValue('options.encoding', encoding, 'must not be set on a binary handle')
}

/** Checks what a long call takes. */
export function checkControl(control: Control): Control {
  if (typeof (control as unknown) !== 'object' || (control as unknown) === null)
    throw invalidArgType('options', 'of type object', control)
  const { signal, onProgress } = control
  checkSignal(signal)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgType('options.onProgress', 'of type function', onProgress)
  }
  return { signal, onProgress }
}

/** @throws TypeError for what is no signal. */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return
  // As Node checks it: there are signals of other realms, and of polyfills.
  if (typeof signal !== 'object' || signal === null || !('aborted' in signal))
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal)
}

/** What `readFile` and `writeFile` take besides the data. */
export interface ContentOptions {
  /** Of text that is read or written. @defaultValue none to read, which gives a Buffer; `utf8` to write */
  readonly encoding?: BufferEncoding | null | undefined
  /** Ends the call with an AbortError. What was written before stays. */
  readonly signal?: AbortSignal | undefined
}

/** Checks the last argument of `readFile` and `writeFile`: an encoding, or options. */
export function checkContentOptions(options: unknown): { encoding: BufferEncoding | undefined; signal: AbortSignal | undefined } {
  if (options === undefined || options === null) return { encoding: undefined, signal: undefined }
  if (typeof options === 'string') return { encoding: checkEncoding(options), signal: undefined }
  if (typeof options !== 'object') throw invalidArgType('options', 'one of type string or object', options)
  const { encoding, signal, flush } = options as ContentOptions & { readonly flush?: unknown }
  checkSignal(signal)
  if (flush !== undefined && flush !== null && typeof flush !== 'boolean')
    throw invalidArgType('options.flush', 'of type boolean', flush)
  return { encoding: checkEncoding(encoding), signal }
}

/** A checked `readFile`. */
export interface ReadFileRequest {
  readonly encoding: BufferEncoding | undefined
  readonly signal: AbortSignal | undefined
  /** Gives the memory for so many bytes. */
  readonly allocate: (length: number) => Buffer
}

/** Checks `readFile`'s argument: a binary handle returns no text. */
export function checkReadFileOptions(options: unknown, binary: boolean): ReadFileRequest {
  const { encoding, signal } = checkContentOptions(options)
  if (binary && encoding !== undefined) throw binaryEncoding(encoding)
  const { buffer } = (typeof options === 'object' ? (options ?? {}) : {}) as ReadFileOptions
  if (buffer === undefined) return { encoding, signal, allocate: (length) => Buffer.allocUnsafeSlow(length) }
  if (typeof buffer !== 'function' && !ArrayBuffer.isView(buffer)) {
    throw invalidArgType('options.buffer', `of type function or ${A_VIEW}`, buffer)
  }
  const name = typeof buffer === 'function' ? 'options.buffer()' : 'options.buffer'
  const allocate = (length: number): Buffer => {
    const view: unknown = typeof buffer === 'function' ? buffer(length) : buffer
    if (!ArrayBuffer.isView(view)) throw invalidArgType(name, A_VIEW, view)
    if (view.byteLength < length) {
      throw invalidArgValue(`${name}.byteLength`, view.byteLength, `is smaller than the file size of ${length} bytes`)
    }
    return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
  }
  return { encoding, signal, allocate }
}

import type { Whence } from '../../src/file/session.js'

/** Where a call reads or writes; null for the handle's position, which it moves. */
export type Position = number | null

/** The calls that write: with bytes, with text, with several buffers, and those without a position. */
export type WriteForm = 'bytes' | 'text' | 'vector' | 'file' | 'append'

export interface ReadOperation {
  readonly kind: 'read'
  /** Of the buffers of a vector; else there is one. */
  readonly lengths: readonly number[]
  readonly isVector: boolean
  readonly position: Position
}

export interface WriteOperation {
  readonly kind: 'write'
  readonly form: WriteForm
  readonly pieces: readonly Buffer[]
  readonly position: Position
}

/** One call of an open handle. */
export type Operation =
  | ReadOperation
  | WriteOperation
  | { readonly kind: 'readFile'; readonly encoding: BufferEncoding | null }
  | { readonly kind: 'readLine'; readonly complete: boolean }
  | { readonly kind: 'truncate'; readonly length: number }
  | { readonly kind: 'seek'; readonly offset: number; readonly whence: Whence }
  | { readonly kind: 'tell' | 'stat' | 'sync' | 'datasync' | 'commit' }

/** What a call comes to: an error's code, or what it returns and what a buffer holds then. */
export interface Outcome {
  readonly code?: string
  readonly error?: Error
  readonly value?: number | string | undefined
  readonly bytes?: Buffer
}

/** What handles have in common, ours and Node's, whether they wait or not. */
export interface ModelHandle {
  read(buffer: Buffer, offset: number, length: number, position: Position): unknown
  readv(buffers: readonly Buffer[], position: Position): unknown
  readFile(encoding: BufferEncoding | null): unknown
  readLine(options: { readonly complete: boolean }): unknown
  write(buffer: Buffer, offset: number, length: number, position: Position): unknown
  write(text: string, position: Position, encoding: BufferEncoding): unknown
  writev(buffers: readonly Buffer[], position: Position): unknown
  writeFile(data: Buffer): unknown
  append(data: Buffer): unknown
  truncate(length: number): unknown
  seek(offset: number, whence: Whence): unknown
  tell(): number | undefined | Promise<number | undefined>
  stat(): unknown
  sync(): unknown
  datasync(): unknown
  commit(): unknown
  close(): unknown
}

/** Bytes before and behind what a read asks for, which it must leave alone. */
const EDGE = 3
const UNTOUCHED = 0xee
/** Node ends a write of no byte early if its buffer is empty as well. */
const ONE_BYTE = Buffer.alloc(1)

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

export function lengthOf({ pieces }: WriteOperation): number {
  return sum(pieces.map((piece) => piece.length))
}

/** What the buffers of a read hold when it has read `content`. */
export function readInto({ lengths }: ReadOperation, content: Buffer): Buffer {
  const target = Buffer.alloc(sum(lengths) + 2 * EDGE, UNTOUCHED)
  content.copy(target, EDGE)
  return target
}

/** Carries out one call; it begins before this returns. */
export async function perform(handle: ModelHandle, operation: Operation): Promise<Outcome> {
  try {
    return await call(handle, operation)
  } catch (error) {
    return { code: String((error as NodeJS.ErrnoException).code), error: error as Error }
  }
}

async function call(handle: ModelHandle, operation: Operation): Promise<Outcome> {
  switch (operation.kind) {
    case 'read':
      return read(handle, operation)
    case 'write':
      return { value: countOf(await write(handle, operation)) }
    case 'readFile': {
      const content = await handle.readFile(operation.encoding)
      return Buffer.isBuffer(content) ? { bytes: content } : { value: content as string }
    }
    case 'readLine':
      return { value: (await handle.readLine(operation)) as string | undefined }
    case 'truncate':
      return { value: (await handle.truncate(operation.length)) as undefined }
    case 'seek':
      return { value: (await handle.seek(operation.offset, operation.whence)) as number }
    case 'stat':
      return { value: ((await handle.stat()) as { size: number }).size }
    default:
      return { value: (await handle[operation.kind]()) as number | undefined }
  }
}

async function read(handle: ModelHandle, operation: ReadOperation): Promise<Outcome> {
  const { lengths, isVector, position } = operation
  const bytes = readInto(operation, Buffer.alloc(0))
  if (!isVector) return { value: countOf(await handle.read(bytes, EDGE, lengths[0]!, position)), bytes }
  let end = EDGE
  const buffers = lengths.map((length) => bytes.subarray(end, (end += length)))
  return { value: countOf(await handle.readv(buffers, position)), bytes }
}

function write(handle: ModelHandle, { form, pieces, position }: WriteOperation): unknown {
  const data = pieces[0]!
  if (form === 'vector') return handle.writev(pieces, position)
  if (form === 'text') return handle.write(data.toString('latin1'), position, 'latin1')
  if (form === 'file') return handle.writeFile(data)
  if (form === 'append') return handle.append(data)
  return data.length === 0 ? handle.write(ONE_BYTE, 1, 0, position) : handle.write(data, 0, data.length, position)
}

/** Handles that wait return a count in an object. */
export function countOf(result: unknown): number | undefined {
  if (typeof result !== 'object' || result === null) return result as number | undefined
  const { bytesRead, bytesWritten } = result as { bytesRead?: number; bytesWritten?: number }
  return bytesRead ?? bytesWritten
}

export function isSameOutcome(a: Outcome, b: Outcome): boolean {
  if (a.code !== b.code || a.value !== b.value) return false
  return a.bytes === undefined || b.bytes === undefined ? a.bytes === b.bytes : a.bytes.equals(b.bytes)
}

/** An operation in one line, for a log. */
export function describeOperation(operation: Operation): string {
  const { kind } = operation
  if (kind === 'read') return `${operation.isVector ? 'readv' : 'read'} ${operation.lengths.join('+')} at ${operation.position}`
  if (kind === 'write') return `write ${operation.form} ${operation.pieces.map((p) => p.length).join('+')} at ${operation.position}`
  if (kind === 'truncate') return `truncate ${operation.length}`
  if (kind === 'seek') return `seek ${operation.offset} ${operation.whence}`
  if (kind === 'readLine') return `readLine${operation.complete ? ' complete' : ''}`
  return kind
}

/** An outcome in one line; where it differs from another, it shows from where on. */
export function describeOutcome(outcome: Outcome, other: Outcome): string {
  const { code, error, value } = outcome
  if (code !== undefined) return error?.message ?? code
  const [bytes, others] = [bytesOf(outcome), bytesOf(other)]
  const text = typeof value === 'number' ? `${value}, ` : ''
  if (bytes === undefined) return `${text}done`
  const differs = bytes.findIndex((byte, i) => byte !== others?.[i])
  const from = differs < 0 ? Math.min(bytes.length, others?.length ?? 0) : differs
  return `${text}${bytes.length} bytes, from ${from} on ${bytes.toString('hex', from, from + 16)}`
}

/** Text counts as its bytes. */
function bytesOf({ value, bytes }: Outcome): Buffer | undefined {
  return typeof value === 'string' ? Buffer.from(value) : bytes
}

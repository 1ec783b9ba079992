import { invalidArgType } from '../argument-errors.js'
import { checkContentOptions, type ContentOptions } from './data-arguments.js'
import { parseFlags, type Access } from './flags.js'
import { undoOnError, type PathLike, type Steps } from './io/steps.js'
import { checkAborted } from './io/system-errors.js'
import { resolveOpenOptions, type OpenOptions, type ResolvedOptions } from './options.js'
import { Session } from './session.js'

/** How to read, write or append to a file as a whole: how to open it, and what `fs.promises.readFile` and its like take. */
export interface WholeFileOptions extends OpenOptions, ContentOptions {
  /** As the `flags` of `open`. @defaultValue `r` to read, `w` to write, `a` to append */
  readonly flag?: string | number | undefined
  /** Wait for the disk before the file is closed. What replaces a file waits in any case. @defaultValue false */
  readonly flush?: boolean | undefined
  /**
   * Write a new file and put it in the place of the old one, which stays whole if anything fails. Only where the flag drops what was
   * there, and not with `x`.
   *
   * @defaultValue true
   */
  readonly atomic?: boolean | undefined
}

/** {@link WholeFileOptions}, checked and complete. */
export interface WholeFileRequest {
  readonly access: Access
  readonly options: ResolvedOptions
  readonly encoding: BufferEncoding | undefined
  readonly signal: AbortSignal | undefined
  readonly flush: boolean
}

/** What is written between two looks at the signal. */
const PIECE_SIZE = 2 ** 20

/** @param flag - Where the options have none. */
export function checkWholeFileOptions(options: WholeFileOptions, flag: 'r' | 'w' | 'a'): WholeFileRequest {
  const access = parseFlags((options as WholeFileOptions | undefined)?.flag ?? flag)
  const replaces = access.truncate && !access.exclusive
  const resolved = resolveOpenOptions(options)
  const { flush = false, atomic = true } = options
  if (typeof flush !== 'boolean') throw invalidArgType('options.flush', 'of type boolean', flush)
  return { access, options: { ...resolved, atomic: replaces && atomic }, flush, ...checkContentOptions(options) }
}

/** Reads all of a file: one committed state of it. */
export function* readWhole(path: PathLike, { access, options, signal }: WholeFileRequest): Steps<Buffer> {
  checkAborted(signal)
  const session = yield* Session.open(path, access, options)
  try {
    return yield* session.readToEnd(signal)
  } finally {
    yield* session.close()
  }
}

/** Writes `data` into a file as its flags say: in the place of what was there, or behind it. */
export function* writeWhole(path: PathLike, data: Uint8Array, request: WholeFileRequest): Steps<void> {
  const { access, options, signal, flush } = request
  checkAborted(signal)
  const session = yield* Session.open(path, access, options)
  yield* undoOnError(write(), () => session.abandon())

  function* write(): Steps<void> {
    for (let done = 0; done < data.length; done += PIECE_SIZE) {
      checkAborted(signal)
      yield* session.write(data.subarray(done, done + PIECE_SIZE), null)
    }
    checkAborted(signal)
    if (flush) yield* session.sync('fsync')
    yield* session.close()
  }
}

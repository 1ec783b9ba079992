import { constants, type Stats } from 'node:fs'
import { parseFlags } from '../file/flags.js'
import { io, readFully, undoOnError, type PathLike, type Steps } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'
import { resolveOpenOptions } from '../file/options.js'
import { Session } from '../file/session.js'
import { statIfThere } from '../file/successor-file.js'
import { isSystemError, systemError } from '../file/io/system-errors.js'
import type { Kind, Policy } from './policy.js'

const PIECE_SIZE = 2 ** 20
const PERMISSIONS = 0o7777

/** What is copied: an encrypted file, or one that is not and may be read as it is. */
interface Source {
  readonly stat: () => Steps<Stats>
  /** @returns bytes read: 0 at the end. */
  readonly read: (target: Uint8Array) => Steps<number>
  readonly close: () => Steps<void>
}

/** How a file is copied. */
export interface CopyRequest {
  readonly policy: Policy
  readonly kind: Kind
  /** Milliseconds that the call has waited already. */
  readonly waited: number
  /** As for fs.copyFile. */
  readonly mode: number
}

/** Copies content from one encrypted file to another: each has a key of its own, and perhaps another purpose. */
export function* copyFile(from: PathLike, to: PathLike, request: CopyRequest): Steps<void> {
  try {
    if ((request.mode & constants.COPYFILE_FICLONE_FORCE) !== 0) throw systemError('ENOTSUP', 'ioctl')
    const source = yield* openSource(from, request)
    try {
      yield* copyFrom(source, to, request)
    } finally {
      yield* source.close()
    }
  } catch (error) {
    throw isSystemError(error) ? systemError(error.code, 'copyfile', { path: nameOf(from), dest: nameOf(to) }) : error
  }
}

function* openSource(path: PathLike, { policy, kind }: CopyRequest): Steps<Source> {
  try {
    const session = yield* Session.open(path, parseFlags('r'), resolveOpenOptions(policy.optionsFor(path, kind)))
    return { stat: () => session.stat(), read: (target) => session.read(target, null), close: () => session.close() }
  } catch (error) {
    if (!policy.allows(error)) throw error
  }
  const fd = yield* io.open(path, constants.O_RDONLY, 0)
  let position = 0
  return {
    stat: () => io.fstat(fd),
    *read(target) {
      const read = yield* readFully(fd, target, position)
      position += read
      return read
    },
    close: () => io.close(fd),
  }
}

function* copyFrom(source: Source, to: PathLike, { policy, kind, waited, mode }: CopyRequest): Steps<void> {
  const { dev, ino, mode: bits } = yield* source.stat()
  const isExclusive = (mode & constants.COPYFILE_EXCL) !== 0
  const there = yield* statIfThere(to)
  if (!isExclusive && there?.dev === dev && there.ino === ino) return
  const options = { ...policy.optionsFor(to, kind, waited), mode: bits & PERMISSIONS, atomic: policy.atomic && !isExclusive }
  const target = yield* Session.open(to, parseFlags(isExclusive ? 'wx' : 'w'), resolveOpenOptions(options))
  yield* undoOnError(fill(), giveUp)

  function* fill(): Steps<void> {
    const buffer = Buffer.allocUnsafeSlow(PIECE_SIZE)
    for (;;) {
      const read = yield* source.read(buffer)
      if (read === 0) break
      yield* target.write(buffer.subarray(0, read), null)
    }
    yield* target.chmod(bits & PERMISSIONS)
    yield* target.close()
  }

  function* giveUp(): Steps<void> {
    if (target.isProvisional) {
      yield* target.discard()
      return
    }
    yield* target.close()
    if (there === undefined) yield* io.unlink(to)
  }
}

import { resolve } from 'node:path'
import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { SealfileError } from '../errors.js'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'
import { resolveOpenOptions, type OpenOptions } from '../file/options.js'
import { validatePurpose } from '../keys/purpose.js'

/** How the files of an encrypted `fs` are opened. */
export interface EncryptedFsOptions extends Omit<OpenOptions, 'purpose' | 'context' | 'mode' | 'recover' | 'atomic'> {
  /** What a file is for: one purpose for all, or a function that tells it by the absolute path. */
  readonly purpose: string | ((path: string) => string)
  /**
   * Bytes that a file is bound to: the same for all, or told by the absolute path. A file that is bound to its path opens under no
   * other name.
   *
   * @defaultValue none
   */
  readonly context?: Uint8Array | ((path: string) => Uint8Array | undefined) | undefined
  /**
   * What happens to a file that is not encrypted: `refuse` gives `ERR_SEALFILE_FORMAT`; `read` lets it be read as it is, for as long as
   * files are being migrated. It is never written or appended to as it is.
   *
   * @defaultValue `refuse`
   */
  readonly plaintext?: 'refuse' | 'read' | undefined
  /**
   * Whether `writeFile` and `copyFile` put a new file in the place of the old one, which stays whole if anything fails; else they
   * write over it.
   *
   * @defaultValue true
   */
  readonly atomic?: boolean | undefined
  /**
   * Milliseconds to wait for another writer to close the file.
   *
   * @defaultValue 10000 for calls that wait; 0 for those that do not, whose waiting would hold up a writer in the same process
   */
  readonly lockTimeout?: number | undefined
}

/** How a call is carried out: by a promise or a callback, or before it returns. */
export type Kind = 'async' | 'sync'

/** What nobody waits for who has the file open in this process. */
const LOCK_TIMEOUT_MS = 10_000

/** Decides how each file is opened. */
export class Policy {
  readonly atomic: boolean
  /** Files that are not encrypted are read as they are. */
  readonly readsPlaintext: boolean
  readonly #options: EncryptedFsOptions

  /** @throws TypeError or RangeError naming the option. */
  constructor(options: EncryptedFsOptions) {
    if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
      throw invalidArgType('options', 'of type object', options)
    }
    const { purpose, context, plaintext = 'refuse', atomic = true, ...others } = options
    if (typeof purpose === 'string') validatePurpose(purpose, 'options.purpose')
    else if (typeof purpose !== 'function') throw invalidArgType('options.purpose', 'of type string or function', purpose)
    if (context !== undefined && typeof context !== 'function' && !(context instanceof Uint8Array)) {
      throw invalidArgType('options.context', 'of type function or an instance of Uint8Array', context)
    }
    if (!['refuse', 'read'].includes(plaintext)) throw invalidArgValue('options.plaintext', plaintext, "must be 'refuse' or 'read'")
    if (typeof atomic !== 'boolean') throw invalidArgType('options.atomic', 'of type boolean', atomic)
    // What depends on the path is checked when there is one.
    resolveOpenOptions({ ...others, purpose: '-' })
    this.#options = { ...others, purpose, context }
    this.atomic = atomic
    this.readsPlaintext = plaintext === 'read'
  }

  /**
   * How to open the file at `path`.
   *
   * @param waited - Milliseconds that the call has waited already.
   * @throws what the caller's functions throw.
   */
  optionsFor(path: PathLike, kind: Kind, waited = 0): OpenOptions {
    const { purpose, context, lockTimeout = kind === 'async' ? LOCK_TIMEOUT_MS : 0, ...others } = this.#options
    const absolute = resolve(nameOf(path))
    return {
      ...others,
      recover: false,
      lockTimeout: Math.max(0, lockTimeout - waited),
      purpose: typeof purpose === 'function' ? purpose(absolute) : purpose,
      context: typeof context === 'function' ? context(absolute) : context,
    }
  }

  /** Whether an error says that a file is not encrypted, and may be read as it is. */
  allows(error: unknown): boolean {
    return this.readsPlaintext && isPlaintext(error)
  }
}

/** Whether an error says that a file is not encrypted. */
export function isPlaintext(error: unknown): boolean {
  return error instanceof SealfileError && error.code === 'ERR_SEALFILE_FORMAT'
}

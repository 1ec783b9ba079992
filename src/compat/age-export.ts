import { invalidArgType, invalidArgValue } from '../argument-errors.js'
import { checkControl } from '../file/data-arguments.js'
import { ProgressMeter, type Control } from '../file/engine/verifier.js'
import { parseFlags } from '../file/flags.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner } from '../file/io/runners.js'
import type { PathLike } from '../file/io/steps.js'
import { flag, resolveOpenOptions, type OpenOptions } from '../file/options.js'
import { Session } from '../file/session.js'
import { checkAgeTarget, type AgeTarget } from './age-access.js'
import { addArmor } from './age-armor.js'
import { sealAge } from './age-cipher.js'
import { takePath } from './paths.js'
import { PIECE_SIZE, replaceFile } from './raw-file.js'

/** How an encrypted file is made into an age file. */
export interface ExportAgeOptions
  extends Pick<OpenOptions, 'keyManager' | 'purpose' | 'context' | 'lockTimeout' | 'mode'>, AgeTarget, Control {
  /**
   * Write text, for where only that is let through.
   *
   * @defaultValue false
   */
  readonly armor?: boolean | undefined
  /**
   * Replace what has the target's name.
   *
   * @defaultValue false
   */
  readonly overwrite?: boolean | undefined
}

/**
 * Makes an age file of an encrypted file: for the `age` command and whatever else reads its format. Streams. The target appears whole,
 * when the disk has it.
 *
 * @throws what `EncryptedFile.open` and reading throw; no target is left then.
 * @throws system errors as they are: `EEXIST` if the target exists and `overwrite` is not set. Error `ABORT_ERR` if the signal says so.
 * @throws PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING` if `age-encryption` is not installed.
 *
 * @example
 * ```ts
 * await exportToAge('notes.enc', 'notes.age', { keyManager, purpose: 'notes', recipients: ['age1…'] })
 * ```
 */
export async function exportToAge(source: PathLike, target: PathLike, options: ExportAgeOptions): Promise<void> {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { keyManager, purpose, context, lockTimeout, mode } = options
  const resolved = resolveOpenOptions({ keyManager, purpose, context, lockTimeout, mode })
  const control = checkControl(options)
  const age = checkAgeTarget(options, 'options')
  const armor = flag(options, 'armor')
  const isExclusive = !flag(options, 'overwrite')
  const [from, to] = [takePath(source, 'source'), takePath(target, 'target')]
  if (typeof to !== 'string') throw invalidArgValue('target', target, 'must be UTF-8')
  const runner = new AsyncRunner(nodeDisk)
  const session = await runner.run(() => Session.open(from, parseFlags('r'), resolved))
  try {
    const sealed = sealAge(content(), age)
    await replaceFile(to, armor ? addArmor(sealed) : sealed, {
      mode: resolved.mode,
      lockTimeout: resolved.lockTimeout,
      isExclusive,
    })
  } finally {
    await runner.run(() => session.close())
  }

  async function* content(): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = await runner.run(() => session.stat())
    const meter = new ProgressMeter(control, size)
    meter.advance(0)
    for (let done = 0; ;) {
      const piece = Buffer.allocUnsafeSlow(PIECE_SIZE)
      const read = await runner.run(() => session.read(piece, null))
      if (read === 0) return
      done += read
      yield piece.subarray(0, read)
      meter.advance(done)
    }
  }
}

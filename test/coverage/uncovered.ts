/**
 * Error paths that the tests do not come to, by the reason: files, and the lines in them without white space around. A line that is covered, or
 * gone, must go from here. The last group is what there still is to do.
 */
export const UNCOVERED: Readonly<Record<string, readonly (readonly [file: string, line: string])[]>> = {
  'tests come here in processes of their own, whose coverage is not collected': [
    [
      'src/file/handle-keeper.ts',
      "tell(Object.assign(new Error(message), { name: 'SealfileWarning', code: 'SEALFILE_NOT_CLOSED' }))",
    ],
    ['src/keys/passphrase-policy.ts', 'throw error'],
    ['src/providers/keychain.ts', 'signal?.throwIfAborted()'],
    [
      'src/providers/keychain.ts',
      "throw new ProviderError(`the system's keychain cannot be used (${reason}): ${advice(linuxStore)}`, { cause })",
    ],
    ['src/providers/keychain.ts', 'throw new ProviderError('],
    [
      'src/providers/keychain.ts',
      'if (key === undefined) throw new ProviderError("the entry in the system\'s keychain does not open this slot of this keyring")',
    ],
  ],
  'only Node 24 and later run Argon2id themselves, and CI tests those without coverage': [['src/keys/argon2id.ts', 'throw error']],
  'cannot happen while the code around it is right': [
    ['src/batch/file-work.ts', 'if (accumulator === undefined) throw source.changed()'],
    ['src/file/io/runners.ts', "if (outcome === undefined) throw new TypeError('the call is still going on')"],
    ['src/file/io/source-disk.ts', "throw new TypeError('a source can only be waited for')"],
    ['src/keys/keyring-slots.ts', "if (slot.type !== 'provider') throw new TypeError('the slot is not of a provider')"],
    [
      'src/keys/open-keyring.ts',
      'if (!(error instanceof SealfileError) && (error as NodeJS.ErrnoException).code === undefined) throw error',
    ],
    ['src/batch/shared-desk.ts', "throw new RangeError('too much for one answer')"],
    ['src/fs/number-calls.ts', 'if (error) throw error as Error'],
  ],
  'another process would have to act between two calls that lie close together': [
    ['src/batch/file-work.ts', 'if (source.content.state !== state) throw source.container.changing()'],
    ['src/batch/file-work.ts', 'if (!isSame || state.length !== begun.length) throw source.container.changing()'],
    ['src/batch/source-file.ts', "if (!stats.isFile()) throw this.#unfit('the source is not a regular file')"],
    ['src/compat/aico-cipher.ts', 'if ((await readFully(file, tag, size - AICO_TAG_SIZE)) < AICO_TAG_SIZE) throw shortened(name)'],
    ['src/compat/migration-source.ts', "if (this.#digest !== seen) throw failure('the source was changed', this.path)"],
  ],
  'not come to yet: an error of the system, or a rare input, at just this place': [
    ['src/batch/batch-run.ts', 'this.#stop(error)'],
    ['src/batch/batch-run.ts', 'await this.#endJob(job, task, error)'],
    [
      'src/batch/file-finder.ts',
      "if (typeof within !== 'string') throw inTheWay(source, \"the file's name is not UTF-8, so that it cannot be given another one\")",
    ],
    [
      'src/batch/manifest-file.ts',
      "if (size < HEAD_LENGTH || reader.u8() !== VERSION) throw foreign('of a version that is not known here', path)",
    ],
    ['src/batch/manifest-file.ts', "if (whole === 0) throw foreign('shorter than it says', path)"],
    ['src/batch/manifest-file.ts', 'await next.discard()'],
    ['src/batch/manifest-file.ts', 'throw error'],
    ['src/batch/package/compression.ts', 'if (error instanceof SealfileError || isSystemError(error)) throw error'],
    ['src/batch/package/lines.ts', 'if (end - start > maxSize) throw tooLong()'],
    ['src/batch/package/manifest-spool.ts', 'this.#sealer.dispose()'],
    ['src/batch/package/manifest-spool.ts', 'throw error'],
    [
      'src/batch/package/manifest.ts',
      "throw new BatchError('ERR_SEALFILE_BATCH_TARGET', `a path in a package has at most ${PATH_SIZE_MAX} bytes`)",
    ],
    ['src/batch/package/member-sealer.ts', 'if (count !== size) throw source.changed()'],
    ['src/batch/package/pack-run.ts', 'this.#stop(error)'],
    [
      'src/batch/package/package-options.ts',
      "if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)",
    ],
    ['src/batch/package/unpack-run.ts', 'if (this.#plan.batch.stopOnError || error instanceof ClosedError) throw error'],
    ['src/batch/package/unpack-run.ts', "throw new BatchError('ERR_SEALFILE_BATCH_TARGET', message, { path: path.toString() })"],
    ['src/batch/package/unpack-run.ts', 'if (this.#end !== undefined) throw this.#end.error'],
    ['src/batch/target-folders.ts', "if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error"],
    ['src/batch/target-stamp.ts', "if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined"],
    ['src/batch/tuning/machine.ts', "return 'unknown'"],
    ['src/batch/tuning/measure-machine.ts', 'if (failure !== undefined) throw failure'],
    ['src/batch/tuning/measure-machine.ts', "if (value.done < files.length) throw new Error('the time is up')"],
    ['src/batch/tuning/tuning-cache.ts', 'return undefined'],
    ['src/batch/tuning/tuning-cache.ts', 'await rm(temporary, { force: true })'],
    ['src/batch/tuning/tuning-cache.ts', 'throw error'],
    ['src/cli/commands/append.ts', 'if (!call.signal.aborted) throw error'],
    [
      'src/cli/commands/bench.ts',
      "if (done !== size || !last.equals(PIECE.subarray(0, last.length))) throw new Error('what was read is not what was written')",
    ],
    ['src/cli/commands/edit.ts', "if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error"],
    ['src/cli/commands/keys/passphrases.ts', "if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error"],
    ['src/cli/commands/keys/slots.ts', "throw usageError('which key?', 'Give --new-key-file <file> with 32 random bytes.')"],
    ['src/cli/commands/migrate.ts', "throw usageError('AICO files are opened by a key or by a passphrase: which one?')"],
    ['src/cli/commands/tree-report.ts', "return Object.assign(new Error(`${message}, file '${name}'`), { code })"],
    ['src/cli/new-file.ts', 'if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code)) throw error'],
    ['src/cli/secrets.ts', 'throw usageError(`the ${name} is to come from a file and from a descriptor: which one?`)'],
    ['src/cli/secrets.ts', "if (secret === '') throw usageError(`the ${name} is empty`)"],
    ['src/cli/settings.ts', 'if (purpose === undefined && config === undefined) throw noPurpose()'],
    [
      'src/cli/sizes.ts',
      "if (!Number.isSafeInteger(size)) throw new InvalidArgumentError('Not a number of bytes, such as 65536, 64k or 1m.')",
    ],
    ['src/cli/sizes.ts', "if (!/^\\d{1,15}$/.test(text)) throw new InvalidArgumentError('Not a number of 0 or more.')"],
  ],
}

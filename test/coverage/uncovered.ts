/**
 * Error paths that the tests do not come to, by the reason: files, and the lines in them without white space around. A line that is covered, or
 * gone, must go from here. The last group is what there still is to do.
 */
export const UNCOVERED: Readonly<Record<string, readonly (readonly [file: string, line: string])[]>> = {
  'tests come here in processes of their own, whose coverage is not collected': [
    [
      'src/compat/age-package.ts',
      'throw new PackageMissingError("age files need the npm package \'age-encryption\': install it beside sealfile", { cause: error })',
    ],
    [
      'src/file/handle-keeper.ts',
      "tell(Object.assign(new Error(message), { name: 'SealfileWarning', code: 'SEALFILE_NOT_CLOSED' }))",
    ],
    [
      'src/keys/optional-package.ts',
      "throw new PackageMissingError(`${user} needs the package '${name}', which could not be loaded: npm install ${name}`, { cause })",
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
    ['src/batch/shared-desk.ts', "if (end + 2 + field.length > CAPACITY) throw new RangeError('too much for one answer')"],
    ['src/file/engine/committed-reader.ts', "if (accumulator === undefined) throw this.#file.damaged('the snapshot is damaged')"],
    ['src/file/engine/committer.ts', "if (accumulator === undefined) throw file.damaged('the snapshot is damaged')"],
    ['src/file/io/runners.ts', "if (outcome === undefined) throw new TypeError('the call is still going on')"],
    ['src/file/io/source-disk.ts', "throw new TypeError('a source can only be waited for')"],
    ['src/fs/number-calls.ts', 'if (error !== null) throw error as Error'],
    ['src/keys/keyring-slots.ts', "if (slot.type !== 'provider') throw new TypeError('the slot is not of a provider')"],
    ['src/keys/rotation/find-generations.ts', "throw invalidArgType('options', 'of type object', options)"],
  ],
  'another process would have to act between two calls that lie close together': [
    ['src/batch/file-work.ts', 'if (source.content.state !== state) throw source.container.changing()'],
    ['src/batch/file-work.ts', 'if (!isSame || state.length !== begun.length) throw source.container.changing()'],
    ['src/batch/source-file.ts', "if (!stats.isFile()) throw this.#unfit('the source is not a regular file')"],
    ['src/compat/aico-cipher.ts', 'if ((await readFully(file, tag, size - AICO_TAG_SIZE)) < AICO_TAG_SIZE) throw shortened(name)'],
    ['src/compat/migration-source.ts', "if (this.#digest !== seen) throw failure('the source was changed', this.path)"],
    [
      'src/compat/raw-file.ts',
      "if (isExclusive && (yield* statIfThere(successor.target)) !== undefined) throw systemError('EEXIST', 'open', { path })",
    ],
    [
      'src/file/engine/committer.ts',
      'if ((yield* readFully(this.#fd, tag, end - tag.length)) < tag.length) throw this.#file.truncated(index)',
    ],
    ['src/file/engine/lock.ts', "if (codeOf(error) === 'ENOENT') return undefined"],
    ['src/file/engine/segment-reader.ts', 'if (read + rest < entry.length) throw this.#file.truncated(entry.index)'],
    [
      'src/file/reencrypt-file.ts',
      "throw new LockedError('the file was changed while it was read, against its lock', { path: source.path })",
    ],
    ['src/file/session.ts', 'throw this.#file.container.changing()'],
    ['src/keys/open-keyring.ts', 'if (this.#isClosed) throw closed()'],
    ['src/keys/open-keyring.ts', 'if (this.#isClosed) throw closed()'],
    ['src/keys/rotation/find-generations.ts', 'if (error instanceof ClosedError) throw error'],
  ],
  'would take a file, or a keyring, as large as can be': [
    ['src/file/engine/new-header.ts', "throw new LimitError('the file would grow longer than its format can hold', { path })"],
    [
      'src/file/session.ts',
      "throw Object.assign(new RangeError(`File size (${length}) is greater than 2 GiB`), { code: 'ERR_FS_FILE_TOO_LARGE' })",
    ],
    [
      'src/keys/keyring-edits.ts',
      'throw new LimitError(`the keyring has ${generations.length} generations, and cannot have more: retire some`)',
    ],
  ],
  'takes a device that can be opened for writing': [['src/compat/raw-file.ts', "throw systemError('EINVAL', 'open', { path })"]],
  'not come to yet: an error of the system, or a rare input, at just this place': [
    ['src/batch/batch-run.ts', 'this.#stop(error)'],
    ['src/batch/batch-run.ts', 'await this.#endJob(job, task, error)'],
    [
      'src/batch/file-finder.ts',
      "if (typeof within !== 'string') throw inTheWay(source, \"the file's name is not UTF-8, so that it cannot be given another one\")",
    ],
    ['src/batch/target-folders.ts', "if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error"],
    ['src/compat/age-cipher.ts', 'if (source.isOwn(error)) throw error'],
    ['src/compat/age-package.ts', "if (!/MODULE_NOT_FOUND$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error"],
    [
      'src/compat/aico-file.ts',
      "if (typeof place !== 'string') throw invalidArgValue('path', path, 'must be UTF-8 where a file is replaced')",
    ],
    ['src/compat/migrate-directory.ts', 'if (error !== undefined) throw error as Error'],
    ['src/compat/migrate-file.ts', 'if (isSystemError(error)) throw error'],
    ['src/compat/migrate-file.ts', 'if (isSystemError(error)) throw error'],
    ['src/compat/migration-source.ts', 'return false'],
    [
      'src/compat/migration-target.ts',
      "if (!isSameContent(written, found)) throw failure('what was written does not read back as the source', this.place)",
    ],
    ['src/compat/migration-target.ts', "if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error"],
    ['src/compat/migration-target.ts', 'throw error'],
    ['src/compat/migration-target.ts', "if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error"],
    ['src/file/engine/committed-reader.ts', 'if (!(error instanceof CorruptedFileError)) throw error'],
    ['src/file/engine/committed-state.ts', 'if (!(error instanceof CorruptedFileError)) throw error'],
    ['src/file/engine/committed-state.ts', 'throw error'],
    ['src/file/engine/lock.ts', 'throw error'],
    ['src/file/engine/verifier.ts', 'if (!(error instanceof CorruptedFileError)) throw error'],
    ['src/file/freshness-file.ts', 'file.close()'],
    ['src/file/freshness-file.ts', 'throw error'],
    ['src/file/freshness-file.ts', 'next.discard()'],
    ['src/file/freshness-file.ts', 'throw error'],
    ['src/file/io/changes.ts', 'return true'],
    ['src/file/open-file.ts', "throw invalidArgValue('path', path, 'must be UTF-8 where a file is replaced')"],
    ['src/file/salvage.ts', 'throw error'],
    ['src/file/successor-file.ts', 'throw error'],
    ['src/file/tree/list-files.ts', 'files.push({ path: textIfPossible(folder), error })'],
    [
      'src/keys/open-keyring.ts',
      'if (!(error instanceof SealfileError) && (error as NodeJS.ErrnoException).code === undefined) throw error',
    ],
  ],
}

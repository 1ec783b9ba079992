/**
 * Error paths that the tests do not come to, by the reason: files, and the lines in them without white space around. A line that is covered, or
 * gone, must go from here.
 */
export const UNCOVERED: Readonly<Record<string, readonly (readonly [file: string, line: string])[]>> = {
  'tests come here in processes of their own, whose coverage is not collected': [
    ['src/batch/tuning/machine.ts', "return 'unknown'"],
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
    ['src/batch/manifest-file.ts', "if (bytesRead === 0) throw foreign('shorter than it says', path)"],
    ['src/batch/source-file.ts', "if (!stats.isFile()) throw this.#unfit('the source is not a regular file')"],
    ['src/compat/aico-cipher.ts', 'if ((await readFully(file, tag, size - AICO_TAG_SIZE)) < AICO_TAG_SIZE) throw shortened(name)'],
    ['src/compat/migration-source.ts', "if (this.#digest !== seen) throw failure('the source was changed', this.path)"],
  ],
}

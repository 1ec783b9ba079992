import type { SkippedEntry } from '../compat/migrate-directory.js'
import type { FileFailure } from '../keys/rotation/work-through.js'
import type { BatchReport } from './batch-options.js'
import { damageOf, type BadReport, type Damage } from './damage.js'

/** What may be wrong with a file. */
export type ProblemKind =
  /** It was altered, cut, or is an older version in parts. */
  | 'damaged'
  /** sealfile did not write it: plaintext, another format, or nothing at all. */
  | 'foreign'
  /** It belongs to another keyring, or to a generation of keys that is gone. */
  | 'wrongKey'
  /** The key is right; the purpose or the context is not. */
  | 'wrongPurpose'
  /** A newer version of this library wrote it. */
  | 'unsupported'
  /** A writer changed it each time while it was read. */
  | 'locked'
  /** The system would not give it, or it is gone; or it could not be checked for another reason. */
  | 'unreadable'

/** A file that is not as it should be. */
export interface FileProblem extends FileFailure {
  /** What is wrong with it. */
  readonly kind: ProblemKind
  /** Segments that do not authenticate, in their order, 1,000 runs at most; empty where the file does not even open. */
  readonly bad: BadReport['bad']
  /** How many more do not authenticate, all of them behind those of `bad`. `EncryptedFile.verify` lists them. */
  readonly badLeftOut: number
  /** As `EncryptedFile.verify` tells it; undefined where the file does not even open. */
  readonly snapshot: Damage['snapshot'] | undefined
}

/** {@link VerifyBatchReport} as JSON. Fields may be added; for any other change `version` becomes another. */
export interface VerifyBatchJson {
  /** What this is. */
  readonly schema: 'sealfile/verify-batch'
  /** Of what is said here. */
  readonly version: 1
  /** Nothing is wrong. */
  readonly ok: boolean
  /** How many were found. */
  readonly files: number
  /** How many of them are as they should be. */
  readonly intact: number
  /** Of plaintext, in those that are intact. */
  readonly bytes: number
  /** How many problems there are of each kind. */
  readonly counts: Readonly<Record<ProblemKind, number>>
  /** All of them. */
  readonly problems: readonly (PathJson & {
    /** What is wrong with it. */
    readonly kind: ProblemKind
    /** Of the error, or its name where it has none. */
    readonly code: string
    /** Of the error. */
    readonly message: string
    /** Segments that do not authenticate, 1,000 runs at most; none where the file does not even open. */
    readonly bad: BadReport['bad']
    /** How many more do not authenticate, all of them behind those of `bad`. */
    readonly badLeftOut: number
    /** Null where the file does not even open. */
    readonly snapshot: Damage['snapshot'] | null
  })[]
  /** What was met in folders and is neither file nor folder. */
  readonly skipped: readonly (PathJson & Pick<SkippedEntry, 'kind'>)[]
}

/** A path, as JSON can hold it. */
export interface PathJson {
  /** With replacement characters where it is no UTF-8. */
  readonly path: string
  /** The path's bytes, where it is no UTF-8. */
  readonly pathBase64?: string
}

/** By the codes of errors; what has none of these is unreadable. */
const KINDS: Readonly<Record<string, ProblemKind>> = {
  ERR_SEALFILE_CORRUPTED: 'damaged',
  ERR_SEALFILE_TRUNCATED: 'damaged',
  ERR_SEALFILE_FORMAT_HEADER: 'damaged',
  ERR_SEALFILE_FORMAT: 'foreign',
  ERR_SEALFILE_WRONG_KEY: 'wrongKey',
  ERR_SEALFILE_NO_GENERATION: 'wrongKey',
  ERR_SEALFILE_WRONG_PURPOSE: 'wrongPurpose',
  ERR_SEALFILE_FORMAT_VERSION: 'unsupported',
  ERR_SEALFILE_LOCKED: 'locked',
}

/** In the order in which a person should hear of them. */
const HEADINGS: Readonly<Record<ProblemKind, string>> = {
  damaged: 'damaged',
  foreign: 'not written by sealfile',
  wrongKey: 'of another key',
  wrongPurpose: 'of another purpose or context',
  unsupported: 'of a newer version of sealfile',
  locked: 'changed each time while they were read',
  unreadable: 'not to be read',
}

/** Problems of a kind that a person is told; programs get all of them. */
const SHOWN_MAX = 20
/** Of one file. */
const RUNS_MAX = 5

/** What a check of files has found. */
export class VerifyBatchReport {
  /** Files that were checked, or should have been. */
  readonly files: number
  /** Files of which every segment authenticates, and all together are those of the last commit. */
  readonly intact: number
  /** Plaintext bytes in these. */
  readonly bytes: number
  /** What is wrong with the others, in the order of their paths. */
  readonly problems: readonly FileProblem[]
  /** What is neither file nor folder, and was left alone. */
  readonly skipped: readonly SkippedEntry[]

  /** @internal */
  constructor({ files, bytes, failures, skipped }: BatchReport) {
    this.files = files + failures.length
    this.intact = files
    this.bytes = bytes
    this.problems = failures.map(describe).sort(byPath)
    this.skipped = [...skipped].sort(byPath)
  }

  /** Every file is intact. */
  get ok(): boolean {
    return this.problems.length === 0
  }

  /** How many files have which problem. */
  get counts(): Readonly<Record<ProblemKind, number>> {
    const counts = Object.fromEntries(Object.keys(HEADINGS).map((kind) => [kind, 0])) as Record<ProblemKind, number>
    for (const { kind } of this.problems) counts[kind]++
    return counts
  }

  /** A summary for a person: what is wrong, most of it by name. */
  toString(): string {
    const skipped = this.skipped.length === 0 ? '' : ` ${this.skipped.length} links and special files were left alone.`
    const lines = [`${this.intact} of ${this.files} files are intact, ${this.bytes} bytes.${skipped}`]
    for (const [kind, heading] of Object.entries(HEADINGS)) {
      const found = this.problems.filter((problem) => problem.kind === kind)
      if (found.length === 0) continue
      lines.push('', `${found.length} ${heading}:`, ...found.slice(0, SHOWN_MAX).map((problem) => `  ${showProblem(problem)}`))
      if (found.length > SHOWN_MAX) lines.push(`  and ${found.length - SHOWN_MAX} more`)
    }
    return lines.join('\n')
  }

  /** The same for a program, with every problem. */
  toJSON(): VerifyBatchJson {
    const { ok, files, intact, bytes, counts } = this
    return {
      schema: 'sealfile/verify-batch',
      version: 1,
      ok,
      files,
      intact,
      bytes,
      counts,
      problems: this.problems.map(({ path, kind, error, bad, badLeftOut, snapshot }) => ({
        ...pathJson(path),
        kind,
        code: codeOf(error),
        message: messageOf(error),
        bad,
        badLeftOut,
        snapshot: snapshot ?? null,
      })),
      skipped: this.skipped.map(({ path, kind }) => ({ ...pathJson(path), kind })),
    }
  }
}

function describe({ path, error }: FileFailure): FileProblem {
  const { bad = [], badLeftOut = 0, snapshot } = damageOf(error) ?? {}
  return { path, kind: KINDS[codeOf(error)] ?? 'unreadable', error, bad, badLeftOut, snapshot }
}

function byPath(one: { readonly path: string | Buffer }, other: { readonly path: string | Buffer }): number {
  return Buffer.compare(Buffer.from(one.path), Buffer.from(other.path))
}

function codeOf(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  return typeof code === 'string' ? code : String(name)
}

function messageOf(error: unknown): string {
  return String((error as { readonly message?: unknown }).message)
}

function pathJson(path: string | Buffer): PathJson {
  return typeof path === 'string' ? { path } : { path: path.toString(), pathBase64: path.toString('base64') }
}

function showProblem({ path, error, bad, badLeftOut, snapshot }: FileProblem): string {
  const runs = bad
    .slice(0, RUNS_MAX)
    .map(({ segment, count }) => (count === 1 ? `${segment}` : `${segment} to ${segment + count - 1}`))
  const more = bad.slice(RUNS_MAX).reduce((sum, { count }) => sum + count, badLeftOut)
  if (more > 0) runs.push(`and ${more} more`)
  const damage = snapshot === 'differs' ? 'an older version of a segment was put back' : undefined
  const what = runs.length > 0 ? `bad segments: ${runs.join(', ')}` : (damage ?? codeOf(error))
  return `${showPath(path)}: ${what}`
}

/** A name may hold what a terminal would obey. */
function showPath(path: string | Buffer): string {
  return path.toString().replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) => `\\u{${letter.codePointAt(0)!.toString(16)}}`)
}

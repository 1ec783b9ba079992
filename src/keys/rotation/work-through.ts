import { invalidArgType } from '../../argument-errors.js'
import { ClosedError, InvalidFileFormatError } from '../../errors.js'
import { checkSignal } from '../../file/data-arguments.js'
import { nodeDisk } from '../../file/io/node-disk.js'
import { AsyncRunner } from '../../file/io/runners.js'
import { inspectKeyHeader, type SeenFile } from '../../file/key-header.js'
import { checkAborted } from '../../file/io/system-errors.js'
import type { PathLike } from '../../file/io/steps.js'
import { nameOf } from '../../file/open-file.js'
import { checkInteger } from '../../file/options.js'
import { listFiles, type FoundFile } from '../../file/tree/list-files.js'
import { runParallel } from '../../file/tree/run-parallel.js'

/** Files and folders to work on; of folders, all files in them, however deep. */
export type Roots = PathLike | Iterable<PathLike>

/** A file that could not be worked on, or a folder that could not be read. */
export interface FileFailure {
  /** A Buffer where the name is not UTF-8. */
  readonly path: string | Buffer
  /** A system error as it is, or one of ours. */
  readonly error: unknown
}

/** How many files came to which end. */
export type Tally<Outcome extends string> = Readonly<Record<Outcome, number>> & {
  /** Files that were looked at. */
  readonly files: number
}

/** What all work on many files takes. */
export interface TreeOptions<Outcome extends string> {
  /**
   * Files that are worked on at a time, 1 to 1,024.
   *
   * @defaultValue 16; 4 where the content of files is read
   */
  readonly concurrency?: number | undefined
  /** Ends the call with an AbortError, when the files that were begun are done. */
  readonly signal?: AbortSignal | undefined
  /** Told after each file. */
  readonly onProgress?: ((progress: Tally<Outcome> & { readonly failed: number }) => void) | undefined
}

/** What came of work on many files. */
export type TreeReport<Outcome extends string> = Tally<Outcome> & {
  /** What could not be worked on. Everything else was. */
  readonly failures: readonly FileFailure[]
}

const CONCURRENCY_MAX = 1_024

/** @throws TypeError or RangeError, naming the option. */
export function resolveTreeOptions<Outcome extends string>(
  options: TreeOptions<Outcome>,
  defaultConcurrency: number,
): TreeOptions<Outcome> & { readonly concurrency: number } {
  const { concurrency = defaultConcurrency, signal, onProgress } = options
  checkInteger('options.concurrency', concurrency, 1, CONCURRENCY_MAX)
  checkSignal(signal)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgType('options.onProgress', 'of type function', onProgress)
  }
  return { concurrency, signal, onProgress }
}

/** @throws TypeError for what holds no paths. */
function listRoots(roots: Roots): readonly PathLike[] {
  const isOne = typeof roots === 'string' || Buffer.isBuffer(roots) || roots instanceof URL
  if (!isOne && typeof (roots as Partial<Iterable<PathLike>> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw invalidArgType('roots', 'a path or an iterable of paths', roots)
  }
  const list = isOne ? [roots] : [...roots]
  for (const root of list) nameOf(root)
  return list
}

/**
 * Works on files, some at a time, and counts how each of them ended. What fails is noted, and the others go on.
 *
 * @param outcomes - All that `work` may return.
 * @param prepare - Called before each file. What it throws ends the call.
 * @throws an AbortError, and ClosedError if there are no keys any more.
 */
export async function workThrough<Outcome extends string>(
  roots: Roots,
  outcomes: readonly Outcome[],
  { concurrency, signal, onProgress }: TreeOptions<Outcome> & { readonly concurrency: number },
  work: (path: string | Buffer) => Promise<Outcome>,
  prepare: () => Promise<void>,
): Promise<TreeReport<Outcome>> {
  const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>
  const failures: FileFailure[] = []
  let files = 0
  await runParallel(untilAborted(listFiles(listRoots(roots)), signal), { concurrency }, async (found) => {
    await prepare()
    if (found.error === undefined) await count(found.path)
    else failures.push({ path: found.path, error: found.error })
    files++
    onProgress?.({ ...counts, files, failed: failures.length })
  })
  return { ...counts, files, failures }

  async function count(path: string | Buffer): Promise<void> {
    try {
      counts[await work(path)]++
    } catch (error) {
      if (error instanceof ClosedError || isAbort(error, signal)) throw error
      failures.push({ path, error })
    }
  }
}

async function* untilAborted(files: AsyncIterable<FoundFile>, signal: AbortSignal | undefined): AsyncGenerator<FoundFile> {
  checkAborted(signal)
  for await (const file of files) {
    checkAborted(signal)
    yield file
  }
  checkAborted(signal)
}

function isAbort(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && (error as NodeJS.ErrnoException).code === 'ABORT_ERR'
}

/** @returns what a file's header says; undefined if sealfile did not write the file, or it is empty. */
export async function lookAt(path: PathLike, runner = new AsyncRunner(nodeDisk)): Promise<SeenFile | undefined> {
  try {
    return await runner.run(() => inspectKeyHeader(path))
  } catch (error) {
    if (error instanceof InvalidFileFormatError && error.code === 'ERR_SEALFILE_FORMAT') return undefined
    throw error
  }
}

import type { Call } from '../call.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { errorFacts, type Facts } from '../report.js'

/** A file that could not be worked on, as the library tells it. */
export interface Failure {
  readonly path: string | Buffer
  readonly error: unknown
}

/** Tells what came of work on many files. @returns how the command ends. */
export async function reportTree(
  { report }: Call,
  facts: Facts,
  text: string,
  failures: readonly Failure[],
  skipped: readonly { readonly path: string | Buffer; readonly kind: string }[] = [],
): Promise<ExitCode | undefined> {
  for (const { path, error } of failures) await report.failure(withPath(error, path))
  for (const { path, kind } of skipped)
    await report.note(`${path.toString()}: left out, a ${kind === 'link' ? 'symbolic link' : 'special file'}`)
  const told = {
    ...facts,
    failures: failures.map(({ path, error }) => ({ ...errorFacts(error), path: path.toString() })),
    ...(skipped.length === 0 ? {} : { skipped: skipped.map(({ path, kind }) => ({ path: path.toString(), kind })) }),
  }
  await report.result(told, [failures.length === 0 ? text : `${text}, ${failures.length} failed`])
  return failures.length === 0 ? undefined : EXIT.partial
}

/** Each message names its file once. */
function withPath(error: unknown, path: string | Buffer): unknown {
  const name = path.toString()
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown }
  if (typeof message !== 'string' || message.includes(name)) return error
  return Object.assign(new Error(`${message}, file '${name}'`), { code })
}

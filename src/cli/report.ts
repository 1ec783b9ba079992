import { hintFor } from './hints.js'
import { codeOf } from './exit-codes.js'

/** How the command is to talk. */
export interface ReportOptions {
  readonly json?: boolean | undefined
  readonly quiet?: boolean | undefined
}

/** What a command hands to machines: one object. */
export type Facts = Readonly<Record<string, unknown>>

/** All that the command says, to people on standard error and output, or to machines as JSON. */
export class Report {
  readonly isJson: boolean
  readonly isQuiet: boolean
  #lastHint: unknown

  constructor({ json = false, quiet = false }: ReportOptions) {
    this.isJson = json
    this.isQuiet = quiet
  }

  /** Gives what the command was called for: to people, in these lines. */
  async result(facts: Facts, lines: readonly string[]): Promise<void> {
    await write(process.stdout, this.isJson ? toJson(facts) : printable(lines))
  }

  /**
   * Tells that something was done; people see that themselves where its content is before them.
   *
   * @param content - Where what was made of the input goes: JSON must not be among it.
   */
  async done(facts: Facts, text: string, content: 'file' | 'stdout' = 'file'): Promise<void> {
    if (this.isJson) await write(content === 'stdout' ? process.stderr : process.stdout, toJson(facts))
    else if (content === 'file') await this.note(text)
  }

  /** Tells people something that they can do without. */
  async note(text: string): Promise<void> {
    if (this.isJson || this.isQuiet) return
    // The work is done, whoever hears of it.
    await write(process.stderr, printable([text])).catch(() => undefined)
  }

  /** Tells of something that went wrong and did not end the command. */
  async failure(error: unknown): Promise<void> {
    if (this.isJson) return
    const { hint, ...facts } = errorFacts(error)
    // Of a thousand files that fail alike, the first says what to do.
    await write(process.stderr, describeFacts(hint === this.#lastHint ? facts : { ...facts, hint }))
    this.#lastHint = hint
  }

  /** Tells what ended the command. */
  async error(error: unknown): Promise<void> {
    await write(process.stderr, this.isJson ? toJson({ error: errorFacts(error) }) : describeFacts(errorFacts(error)))
  }
}

/** @returns what a machine may know of an error. */
export function errorFacts(error: unknown): Facts {
  const { message, path, segment } = error as {
    readonly message?: unknown
    readonly path?: string | Buffer
    readonly segment?: unknown
  }
  return {
    code: codeOf(error) ?? 'FAILED',
    message: typeof message === 'string' ? message : String(error),
    ...(path === undefined ? {} : { path: path.toString() }),
    ...(segment === undefined ? {} : { segment }),
    hint: hintFor(error),
  }
}

function describeFacts(facts: Facts): string {
  const { message, hint } = facts as { readonly message: string; readonly hint?: string }
  return printable([`sealfile: ${message}`, ...(hint === undefined ? [] : [hint])])
}

/** Names of files may hold what a terminal obeys, or what looks like another line, or turns letters round. */
function printable(lines: readonly string[]): string {
  return lines.map((line) => `${line.replace(/(?!\t)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '?')}\n`).join('')
}

function toJson(facts: Facts): string {
  return `${JSON.stringify(facts)}\n`
}

/** Writes all of it. @throws what the system says: the disk is full, nobody reads any more. */
export function write(stream: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // Of a file, standard output writes at once, and throws.
    stream.write(data, (error) => (error ? reject(error) : resolve()))
  })
}

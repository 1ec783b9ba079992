import type { ModelFile } from './model-file.js'
import {
  describeOperation,
  describeOutcome,
  isSameOutcome,
  lengthOf,
  perform,
  type ModelHandle,
  type Operation,
  type Outcome,
} from './model-operations.js'
import type { PlainFile } from './model-plain-file.js'

/** As much as is never committed without being asked for. */
const QUIET_LENGTH = 2 ** 20

/** Carries out the rest of what was begun. @throws Error where the three do not agree. */
type Finish = () => Promise<void>

/** A handle on an encrypted file, Node's on a plain one, and what both should be. */
export class Session {
  readonly handle: ModelHandle
  readonly plain: PlainFile
  readonly hasTimer: boolean
  readonly #model: ModelFile
  readonly #record: (operation: Operation) => void
  /** What other handles must see; undefined where the writer may have committed since. */
  #committed: Buffer | undefined
  #writtenLength = 0

  /** @param record - Told of each operation before it is carried out. */
  constructor(
    { handle, plain, hasTimer }: Pick<Session, 'handle' | 'plain' | 'hasTimer'>,
    model: ModelFile,
    record: (operation: Operation) => void,
  ) {
    this.handle = handle
    this.plain = plain
    this.hasTimer = hasTimer
    this.#model = model
    this.#record = record
  }

  /** What other handles must see; undefined where that is not known. */
  get committed(): Buffer | undefined {
    return this.#committed
  }

  /** Carries out one operation three times. */
  async run(operation: Operation): Promise<void> {
    await this.begin(operation)()
  }

  /**
   * Begins an operation. The model does it at once, the encrypted handle beside those that were begun before; the plain one, which
   * promises no order, does it in the end.
   */
  begin(operation: Operation): Finish {
    this.#record(operation)
    this.#note(operation)
    const expected = this.#model.apply(operation)
    if (isCommit(operation)) this.#noteCommit()
    const begun = perform(this.handle, operation)
    return () => this.#finish(operation, expected, begun)
  }

  /** The position must be the model's. */
  async checkPosition(): Promise<void> {
    const position = await this.handle.tell()
    if (position !== this.#model.position) throw new Error(`the position is ${position}, not ${this.#model.position}`)
  }

  async #finish(operation: Operation, expected: Outcome, begun: Promise<Outcome>): Promise<void> {
    const ours = await begun
    const theirs = this.plain.answers(operation) ? await perform(this.plain, operation) : expected
    if (isSameOutcome(ours, expected) && isSameOutcome(theirs, expected)) return
    const texts = [
      `ours: ${describeOutcome(ours, expected)}`,
      `the model: ${describeOutcome(expected, ours)}`,
      `node:fs: ${describeOutcome(theirs, ours)}`,
    ]
    throw new Error(`${describeOperation(operation)}\n${texts.join('\n')}`, { cause: ours.error })
  }

  /** A change may be committed before anybody asks for it: after a truncate, where each write is, and where there is much. */
  #note(operation: Operation): void {
    const { access, length } = this.#model
    if (!access.writes) return
    if (operation.kind === 'truncate') this.#committed = undefined
    if (operation.kind !== 'write') return
    this.#writtenLength += lengthOf(operation) + Math.max(0, (operation.position ?? this.#model.position) - length)
    if (access.isSync || this.#writtenLength > QUIET_LENGTH) this.#committed = undefined
  }

  #noteCommit(): void {
    this.#writtenLength = 0
    this.#committed = this.hasTimer ? undefined : Buffer.from(this.#model.content)
  }
}

function isCommit({ kind }: Operation): boolean {
  return kind === 'commit' || kind === 'sync' || kind === 'datasync'
}

import { setTimeout as sleep } from 'node:timers/promises'
import { EncryptedFile } from '../../src/file/encrypted-file.js'
import type { OpenOptions } from '../../src/file/options.js'
import type { Choices } from './model-choices.js'
import { ModelFile } from './model-file.js'
import { describeOperation, describeOutcome, isSameOutcome, perform, type ModelHandle, type Operation } from './model-operations.js'
import type { SeededRandom } from './seeded-random.js'

/** How long a timer of some milliseconds may take on a busy machine. */
const PATIENCE_MS = 20_000
const ACTIONS = ['read', 'read', 'read', 'readLine', 'readFile', 'seek'] as const

/** Opens by either kind of handle. */
export async function openHandle(
  path: string,
  flags: string | number,
  options: OpenOptions,
  isAsync: boolean,
): Promise<ModelHandle> {
  return isAsync ? EncryptedFile.open(path, flags, options) : EncryptedFile.openSync(path, flags, options)
}

/** Other handles that read beside the writer: new ones, and one that stays and follows. */
export class Readers {
  readonly #random: SeededRandom
  readonly #choices: Choices
  readonly #options: OpenOptions
  #follower: ModelHandle | undefined
  /** How long the file was when the one that stays looked last. */
  #seenLength = 0

  constructor(random: SeededRandom, choices: Choices, options: OpenOptions) {
    this.#random = random
    this.#choices = choices
    this.#options = options
  }

  /** A handle that is opened now must see `content`. */
  async checkNew(path: string, content: Buffer): Promise<void> {
    const handle = await this.#open(path)
    try {
      await expectContent(handle, content)
      await this.#readAround(handle, content, this.#random.int(0, 4))
    } finally {
      await handle.close()
    }
  }

  /** The handle that stays must see `content`. */
  async checkFollower(path: string, content: Buffer): Promise<void> {
    this.#follower ??= await this.#open(path)
    const handle = this.#follower
    // What it reads within the length that it knows may be of an older state; but it must be able to.
    if (this.#random.chance(0.3)) await expectNoError(handle, this.#choices.operationOf('read', new ModelFile('r', content)))
    const beyond = Math.max(content.length, this.#seenLength) + 1
    this.#seenLength = content.length
    const look = this.#random.pick<Operation>([
      { kind: 'stat' },
      { kind: 'seek', offset: 0, whence: 'end' },
      { kind: 'read', lengths: [beyond], isVector: false, position: 0 },
    ])
    if (this.#random.chance(0.3)) await expectContent(handle, content)
    else await expectSame(handle, new ModelFile('r', content), look)
    await this.#readAround(handle, content, this.#random.int(1, 5))
  }

  /** Another writer began the file anew: the handle that stays must say so, and is closed. */
  async checkRewritten(): Promise<void> {
    const handle = this.#follower
    if (handle === undefined) return
    this.#follower = undefined
    const { code } = await perform(handle, this.#random.pick([{ kind: 'stat' }, { kind: 'readFile', encoding: null }] as const))
    await handle.close()
    if (code !== 'ERR_SEALFILE_CORRUPTED') throw new Error(`a file was written anew, and its reader is told ${code}`)
  }

  /** Reads the file by a handle that waits, and may wait for its turn beside others; `isNew` for one that is opened now. */
  async readWhole(path: string, isNew: boolean): Promise<Buffer> {
    const handle = isNew ? await EncryptedFile.open(path, 'r', this.#options) : (this.#follower ?? (await this.#open(path)))
    try {
      await handle.seek(0, 'start')
      const content = (await handle.readFile(null)) as Buffer
      if (handle === this.#follower) this.#seenLength = content.length
      return content
    } finally {
      if (handle !== this.#follower) await handle.close()
    }
  }

  /** Waits until a new handle sees `content`, because the writer's timer has committed it. */
  async waitFor(path: string, content: Buffer): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      await sleep(1)
      const seen = await this.readCommitted(path)
      if (seen?.equals(content) === true) return
      if (Date.now() > deadline) throw new Error(`the timer has not committed: ${seen?.length} bytes for ${content.length}`)
    }
  }

  /** Reads what is committed, whatever it is. @returns undefined before the first commit. */
  async readCommitted(path: string): Promise<Buffer | undefined> {
    try {
      return await this.readWhole(path, true)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_SEALFILE_FORMAT') throw error
      return undefined
    }
  }

  async close(): Promise<void> {
    await this.#follower?.close()
    this.#follower = undefined
  }

  #open(path: string): Promise<ModelHandle> {
    return openHandle(path, 'r', this.#options, this.#random.chance(0.5))
  }

  async #readAround(handle: ModelHandle, content: Buffer, count: number): Promise<void> {
    const model = new ModelFile('r', content)
    await expectSame(handle, model, { kind: 'seek', offset: this.#random.int(0, content.length), whence: 'start' })
    for (let i = 0; i < count; i++) await expectSame(handle, model, this.#choices.operationOf(this.#random.pick(ACTIONS), model))
  }
}

async function expectContent(handle: ModelHandle, content: Buffer): Promise<void> {
  const model = new ModelFile('r', content)
  await expectSame(handle, model, { kind: 'seek', offset: 0, whence: 'start' })
  await expectSame(handle, model, { kind: 'readFile', encoding: null })
}

async function expectSame(handle: ModelHandle, model: ModelFile, operation: Operation): Promise<void> {
  const expected = model.apply(operation)
  const outcome = await perform(handle, operation)
  if (isSameOutcome(outcome, expected)) return
  const texts = `${describeOutcome(outcome, expected)}\nthe model: ${describeOutcome(expected, outcome)}`
  throw new Error(`a reader's ${describeOperation(operation)}: ${texts}`)
}

async function expectNoError(handle: ModelHandle, operation: Operation): Promise<void> {
  const { error } = await perform(handle, operation)
  if (error !== undefined) throw new Error(`a reader's ${describeOperation(operation)}: ${error.message}`, { cause: error })
}
